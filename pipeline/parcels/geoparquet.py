"""Outlines of a GeoParquet file, as registers and fiboa publish them.

Owns what the file's own `geo` metadata says: which column is the outline and in which CRS. Tables
that only hold an outline as text are `readers`'. Source: GeoParquet 1.1, OGC.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyarrow as pa
import pyarrow.parquet as pq
from pyproj import CRS
from pyproj.exceptions import CRSError

from fieldline.pipeline.inputs.cells import read_cells
from fieldline.pipeline.inputs.names import folded, known_names
from fieldline.pipeline.parcels.crs import horizontal
from fieldline.pipeline.parcels.layers import Layer
from fieldline.pipeline.parcels.shapes import shapes_from_wkb
from fieldline.pipeline.records.errors import UserError

_LON_LAT = "OGC:CRS84"
"""CRS of a column whose metadata names none."""


def geo_metadata(source: Path) -> dict[str, Any] | None:
    """Return what a file says of its outlines; None where it is a plain table or no Parquet."""
    try:
        told = (pq.read_schema(source).metadata or {}).get(b"geo")
        found = None if told is None else json.loads(told)
    except (OSError, ValueError, pa.ArrowException):
        return None
    return found if isinstance(found, dict) else None


def read_geoparquet(source: Path, told: dict[str, Any]) -> Layer:
    """Read a file whose metadata says which column is the outline.

    Args:
        source: GeoParquet file.
        told: Its `geo_metadata`.

    Raises:
        UserError: The outline is not there or of no known encoding.
    """
    name = str(told.get("primary_column", "geometry"))
    column = told.get("columns", {}).get(name, {})
    if name not in pq.read_schema(source).names:
        raise UserError(
            f"{source} has no column {name!r}, where it says that its outlines are",
            "export it again as GeoParquet, or as GeoPackage",
        )
    cells = read_cells(source, lambda _: 0, setting="inputs.parcels")
    columns = {
        own: values for own, values in zip(cells.names, cells.columns, strict=True) if own != name
    }
    shapes = shapes_from_wkb(_wkb(source, name, column.get("encoding", "WKB")))
    crs, own_crs = _crs(column)
    return Layer(columns, shapes, crs, own_crs=own_crs)


def plain_metadata(source: Path, outline: str | None) -> dict[str, Any] | None:
    """Return the same of a plain Parquet with outlines as bytes, as databases write it: no CRS."""
    try:
        schema = pq.read_schema(source)
    except (OSError, pa.ArrowException):
        return None
    of_bytes = (pa.binary(), pa.large_binary())
    given = [field.name for field in schema if field.type in of_bytes]
    named = [n for n in given if n == outline or folded(n) in known_names("geometry")]
    return {"primary_column": named[0], "columns": {named[0]: {"crs": None}}} if named else None


def _wkb(source: Path, name: str, encoding: str) -> list[bytes | None]:
    """Return outlines as WKB, from whichever encoding the specification has."""
    if encoding == "WKB":
        return list(pq.read_table(source, columns=[name]).column(name).to_pylist())
    try:
        outlines = gpd.read_parquet(source, columns=[name])[name]
    except (ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise UserError(
            f"{source} has outlines as {encoding!r} in its column {name!r}, which cannot be read",
            "export it again as GeoParquet with the encoding WKB, or as GeoPackage",
        ) from error
    return [None if outline is None else bytes(outline.wkb) for outline in outlines]


def _crs(column: dict[str, Any]) -> tuple[CRS | None, str]:
    """Return the CRS that places outlines, and the name of one that does not."""
    stated = column.get("crs", _LON_LAT)
    if stated is None:
        return None, ""
    try:
        crs = CRS.from_user_input(stated)
    except CRSError:
        return None, str(stated)[:60]
    found = horizontal(crs)
    return (found, "") if found is not None else (None, crs.name)
