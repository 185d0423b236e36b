"""Reads outlines from GeoJSON, CSV with WKT, KML, GeoPackage and Shapefile into one table.

Owns formats, column names, text encodings and ring closing; judges no parcel. GeoJSON, CSV and KML
are read row by row here because common drivers give up on the whole file at one malformed feature;
GeoPackage and Shapefile come through GDAL as WKB, which is parsed row by row for the same reason.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS
from pyproj.exceptions import CRSError

from fieldline.pipeline.parcels import kml
from fieldline.pipeline.parcels.rings import Geometries
from fieldline.pipeline.parcels.shapes import (
    Shape,
    shape_from_geojson,
    shape_from_rings,
    shape_from_wkb,
    shape_from_wkt,
)
from fieldline.pipeline.records.encodings import ENCODING, ERRORS, Decoded, legacy_encoding, recover
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.units import M2_PER_HA, M2_PER_MU

REQUIRED = ("parcel_id", "farmer_id")
TEXT = (*REQUIRED, "name", "phone", "id_number", "village", "declared_crop")
AREA_UNITS = {
    "declared_area_m2": 1.0,
    "declared_area_ha": float(M2_PER_HA),
    "declared_area_mu": M2_PER_MU,
}
WKT_COLUMNS = ("geometry", "wkt", "geom")
_WGS84 = CRS.from_epsg(4326)


@dataclass(frozen=True)
class ParcelFile:
    """All rows of one file, in file order."""

    frame: pd.DataFrame
    """Text columns of `TEXT` (None where absent or blank), `declared_area_m2`, `text_note`."""
    shapes: Sequence[Shape]
    """One per row."""
    crs: CRS | None
    """CRS of the file; None where it carries none."""

    @property
    def geometries(self) -> Geometries:
        """Geometries as read, None where unreadable."""
        out = np.empty(len(self.shapes), dtype=object)
        out[:] = [shape.geometry for shape in self.shapes]
        return out


@dataclass(frozen=True)
class _Rows:
    columns: dict[str, list[Any]]
    shapes: list[Shape]
    crs: CRS | None
    ids: list[Any] | None = None


@dataclass(frozen=True)
class RawParcels:
    """A file before anybody said which of its columns is which."""

    columns: dict[str, list[str | None]]
    """Readable text of every column by the file's own name, in file order."""
    shapes: Sequence[Shape]
    """One per row."""
    crs: CRS | None
    """CRS of the file; None where it carries none."""
    has_ids: bool
    """Whether GeoJSON features carry an `id`, which stands in for a `parcel_id` column."""


def read_raw_parcels(source: Path, outline: str | None = None) -> RawParcels:
    """Read every column of a parcel file under its own name; asks for no column and no CRS.

    Args:
        source: As `read_parcel_file`.
        outline: Column of a CSV that holds the outline, where it has another name.

    Raises:
        UserError: File absent, of unknown kind, unreadable or without a row.
    """
    rows = _read_rows(source, outline)
    cells = {name: [_text(value) for value in column] for name, column in rows.columns.items()}
    frame = _decoded_frame(cells) if cells else pd.DataFrame()
    readable = {name: [v or None for v in frame[name]] for name in cells}
    return RawParcels(readable, rows.shapes, rows.crs, rows.ids is not None)


def csv_columns(source: Path) -> dict[str, list[str | None]] | None:
    """Return the cells of a CSV by column, before its outline column is known; None if no CSV."""
    return _csv_table(source) if _READERS.get(source.suffix.lower()) is _read_csv else None


def read_parcel_file(
    source: Path, columns: Mapping[str, str] | None = None, crs: str | None = None
) -> ParcelFile:
    """Read every row of a parcel file; a malformed row becomes a coded shape, never an exception.

    Args:
        source: `.geojson`, `.json`, `.csv`, `.tsv`, `.kml`, `.gpkg` or `.shp`.
        columns: Own column names by Fieldline name.
        crs: CRS of files that carry none.

    Raises:
        UserError: File absent or of unknown kind, required column missing, CRS unknown.
    """
    mapping = dict(columns or {})
    rows = _read_rows(source, mapping.get("geometry"))
    frame = _standard_frame(rows, mapping, source)
    return ParcelFile(frame, rows.shapes, _file_crs(rows, crs, source))


def _read_rows(source: Path, outline: str | None) -> _Rows:
    reader = _READERS.get(source.suffix.lower())
    if reader is None:
        known = ", ".join(sorted(_READERS))
        raise UserError(f"{source} is of unknown kind {source.suffix!r}", f"use one of {known}")
    if not source.is_file():
        raise UserError(f"{source} does not exist", "check inputs.parcels in the configuration")
    if reader is _read_csv and outline is not None:
        reader = partial(_read_csv, outline=outline)
    rows = reader(source)
    if not rows.shapes:
        raise UserError(f"{source} holds no parcel", "export it again with its outlines")
    return rows


def read_parcel_files(
    sources: Sequence[Path], columns: Mapping[str, str] | None = None, crs: str | None = None
) -> ParcelFile:
    """Read several files of one county as if they were one, each outline in its own file's CRS.

    Args:
        sources: Files in the order in which their rows are numbered.
        columns: Own column names by Fieldline name, the same in every file.
        crs: CRS of files that carry none.

    Raises:
        UserError: As `read_parcel_file`, for the first file that cannot be read.
    """
    files = [read_parcel_file(source, columns, crs) for source in sources]
    if len(files) == 1:
        return files[0]
    return ParcelFile(
        frame=pd.concat([file.frame for file in files], ignore_index=True),
        shapes=[replace(s, crs=s.crs or file.crs) for file in files for s in file.shapes],
        crs=files[0].crs,
    )


def _file_crs(rows: _Rows, configured: str | None, source: Path) -> CRS | None:
    if rows.crs is not None:
        return rows.crs
    if configured is not None:
        try:
            return CRS.from_user_input(configured)
        except CRSError as error:
            raise UserError(
                f"parcel_crs {configured!r} is not a CRS", "write it as EPSG:4326 or EPSG:32650"
            ) from error
    if any(shape.crs is not None for shape in rows.shapes):
        return None
    raise UserError(
        f"{source} does not say its coordinate reference system",
        "set inputs.parcel_crs, for example EPSG:4326, after asking who drew it",
    )


def _standard_frame(rows: _Rows, mapping: dict[str, str], source: Path) -> pd.DataFrame:
    found = {name: rows.columns.get(mapping.get(name, name)) for name in (*TEXT, *AREA_UNITS)}
    if found["parcel_id"] is None and rows.ids is not None and "parcel_id" not in mapping:
        found["parcel_id"] = rows.ids
    missing = [name for name in REQUIRED if found[name] is None]
    missing += [name for name in mapping if name in found and found[name] is None]
    if missing:
        raise UserError(
            f"{source} has no column {', '.join(dict.fromkeys(missing))} "
            f"(columns found: {', '.join(sorted(rows.columns)) or 'none'})",
            "rename the column or map it under inputs.parcel_columns",
        )
    count = len(rows.shapes)
    cells = {name: [_text(v) for v in found[name] or [None] * count] for name in TEXT}
    frame = _decoded_frame(cells)
    frame["declared_area_m2"], frame["area_note"] = _declared_area(found, count)
    return frame


def _decoded_frame(cells: dict[str, list[str | None]]) -> pd.DataFrame:
    """Settle the file's encoding and return readable columns with a note per row."""
    every = [cell for column in cells.values() for cell in column if cell]
    legacy, whole_file = legacy_encoding(every)
    count = len(next(iter(cells.values())))
    notes, encodings = [""] * count, [""] * count
    columns: dict[str, list[str | None]] = {}
    for name, column in cells.items():
        columns[name] = list(column)
        for row, cell in enumerate(column):
            if cell is None or cell.isascii():
                continue
            decoded: Decoded = recover(cell, legacy, whole_file)
            columns[name][row] = decoded.text
            if decoded.note and notes[row] != "text_damaged":
                notes[row], encodings[row] = decoded.note, decoded.encoding
    frame = pd.DataFrame(
        {name: pd.Series(column, dtype=object) for name, column in columns.items()}
    )
    frame["text_note"], frame["text_encoding"] = notes, encodings
    return frame


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, bool | dict | list):
        return None
    if isinstance(value, float | np.floating):
        if not np.isfinite(value):
            return None
        value = int(value) if float(value).is_integer() else float(value)
    return str(value).strip() or None


def _declared_area(
    found: Mapping[str, list[Any] | None], count: int
) -> tuple[list[float | None], list[str]]:
    """Return declared areas in m2 (first unit that a row gives) and `unreadable_area` notes."""
    areas: list[float | None] = [None] * count
    notes = [""] * count
    for name, factor in AREA_UNITS.items():
        for row, value in enumerate(found[name] or ()):
            text = _text(value)
            if text is None or areas[row] is not None:
                continue
            size = number(text)
            if size is not None and size > 0:
                areas[row], notes[row] = size * factor, ""
            else:
                notes[row] = "unreadable_area"
    return areas, notes


def number(text: str) -> float | None:
    """Return a declared area's number; None where the cell holds none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _read_geojson(source: Path) -> _Rows:
    text = source.read_bytes().decode(ENCODING, ERRORS).removeprefix("\ufeff")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else "unknown"
        raise UserError(
            f"{source} is not JSON (line {line})", "export the file again as GeoJSON"
        ) from error
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list):
        raise UserError(f"{source} is not a GeoJSON FeatureCollection", "export it as one")
    features = [feature if isinstance(feature, dict) else {} for feature in features]
    properties = [
        f["properties"] if isinstance(f.get("properties"), dict) else {} for f in features
    ]
    names = dict.fromkeys(name for row in properties for name in row)
    return _Rows(
        columns={name: [row.get(name) for row in properties] for name in names},
        shapes=[shape_from_geojson(feature.get("geometry")) for feature in features],
        crs=_geojson_crs(document, source),
        ids=[f.get("id") for f in features] if any("id" in f for f in features) else None,
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _geojson_crs(document: dict[str, Any], source: Path) -> CRS:
    """Return the CRS of a GeoJSON document: RFC 7946 says WGS84, older files may name another."""
    member = document.get("crs")
    if not isinstance(member, dict):
        return _WGS84
    try:
        return CRS.from_user_input(_object(member.get("properties")).get("name"))
    except CRSError as error:
        raise UserError(
            f"{source} names a CRS that nobody knows", "remove its crs member or name an EPSG code"
        ) from error


def _read_csv(source: Path, outline: str = WKT_COLUMNS[0]) -> _Rows:
    columns = _csv_table(source)
    wkt = next((n for n in columns if n == outline or n.lower() in WKT_COLUMNS), None)
    if wkt is None:
        raise UserError(
            f"{source} has no outline column (columns found: {', '.join(columns)})",
            "put the outline as WKT in a column named geometry",
        )
    return _Rows(dict(columns), [shape_from_wkt(cell) for cell in columns[wkt]], None)


def _csv_table(source: Path) -> dict[str, list[str | None]]:
    text = source.read_bytes().decode(ENCODING, ERRORS).removeprefix("\ufeff")
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    records = list(_csv_records(text, delimiter))
    if not records:
        raise UserError(f"{source} is empty", "export it again with a header line")
    names, *body = records
    names = _readable_names([name.strip() for name in names])
    body = [row for row in body if any(cell.strip() for cell in row)]
    return {
        name: [row[i] if i < len(row) else None for row in body] for i, name in enumerate(names)
    }


def _readable_names(names: Sequence[str]) -> list[str]:
    """Return column names as text: a header in GBK must be mappable from a YAML in UTF-8."""
    legacy, whole_file = legacy_encoding(names)
    return [recover(name, legacy, whole_file).text for name in names]


def _csv_records(text: str, delimiter: str) -> Iterator[list[str]]:
    # A ring of 10^5 vertices is longer than csv's default field limit of 128 KiB.
    previous = csv.field_size_limit(sys.maxsize)
    try:
        yield from csv.reader(io.StringIO(text, newline=None), delimiter=delimiter)
    finally:
        csv.field_size_limit(previous)


def _read_kml(source: Path) -> _Rows:
    placemarks = kml.placemarks(source)
    names = dict.fromkeys(name for mark in placemarks for name in mark.fields)
    return _Rows(
        columns={name: [mark.fields.get(name) for mark in placemarks] for name in names},
        shapes=[_kml_shape(mark) for mark in placemarks],
        crs=_WGS84,
    )


def _kml_shape(mark: kml.Placemark) -> Shape:
    if not mark.polygons:
        return Shape(None, "not_a_polygon" if mark.other else "empty_geometry")
    return shape_from_rings(mark.polygons)


def _read_gdal(source: Path) -> _Rows:
    """Read a GeoPackage or Shapefile through GDAL; geometries stay WKB until parsed here."""
    legacy = source.suffix.lower() == ".shp"
    try:
        # Latin-1 keeps every byte of a .dbf, so that the true encoding can be settled later.
        meta, _, wkb, fields = pyogrio.raw.read(
            source, encoding="LATIN1" if legacy else None, force_2d=True
        )
    except (DataSourceError, DataLayerError, UnicodeDecodeError) as error:
        raise UserError(f"{source} cannot be opened", "export the file again") from error
    names = [str(name) for name in meta["fields"]]
    names = _readable_names([_raw_bytes(name) for name in names]) if legacy else names
    columns = {
        name: [_raw_bytes(v) if legacy else v for v in values.tolist()]
        for name, values in zip(names, fields, strict=True)
    }
    crs = CRS.from_user_input(meta["crs"]) if meta["crs"] else None
    return _Rows(columns, [shape_from_wkb(item) for item in wkb], crs)


def _raw_bytes(value: Any) -> Any:
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("latin-1", "replace").decode(ENCODING, ERRORS)


_READERS: dict[str, Callable[[Path], _Rows]] = {
    ".geojson": _read_geojson,
    ".json": _read_geojson,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".kml": _read_kml,
    ".gpkg": _read_gdal,
    ".shp": _read_gdal,
}
