"""Protected areas: every layer of a map file, each area with the days on which it is in force.

Owns the reading of the file and the side on which doubt falls: an area whose dates cannot be right
is in force. How far an area lies in a parcel is measured by `lending.evidence`.
"""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS
from pyproj.exceptions import CRSError

from fieldline.lending.inputs import PROTECTED
from fieldline.lending.rows import in_force
from fieldline.pipeline.inputs.cells import Cells
from fieldline.pipeline.inputs.read import InputTable, Reading, interpret
from fieldline.pipeline.inputs.schema import Problem
from fieldline.pipeline.inputs.text import read_text
from fieldline.pipeline.parcels.shapes import Shape, shape_from_wkb
from fieldline.pipeline.records.encodings import ENCODING, ERRORS, legacy_encoding, recover
from fieldline.pipeline.records.errors import UserError

WGS84 = CRS.from_epsg(4326)
_UNREADABLE = (DataSourceError, DataLayerError)
_JSON = (".geojson", ".json")
_POLYGONS = ("Polygon", "MultiPolygon")


@dataclass(frozen=True)
class ProtectedAreas:
    """All areas of a file."""

    table: InputTable
    """One row per area, all layers one behind the other; outlines that are none are told."""
    shapes: gpd.GeoSeries
    """Outline of each row in WGS 84, None where it is none."""

    def in_force(self, as_of: dt.date) -> gpd.GeoDataFrame:
        """Return the areas in force on a day, as known on it."""
        rows = in_force(self.table, as_of) & self.shapes.notna().to_numpy(dtype=bool)
        frame = gpd.GeoDataFrame(self.table.frame, geometry=self.shapes)
        return frame[rows].reset_index(drop=True)


@dataclass(frozen=True)
class _Layer:
    name: str
    crs: CRS
    columns: dict[str, list[str | None]]
    shapes: list[Shape]


def read_protected_areas(path: Path, reading: Reading) -> ProtectedAreas:
    """Read every layer of a file of protected areas.

    Args:
        path: GeoPackage, Shapefile, GeoJSON, KML or another map file of GDAL.
        reading: The lender's own column names.

    Raises:
        UserError: The file is absent or cannot be read, holds no outlines, or a layer does not say
            where on Earth it lies.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist", f"correct {reading.place}.{PROTECTED.name}")
    layers = _layers(path)
    names = tuple(dict.fromkeys(name for layer in layers for name in layer.columns))
    columns = tuple(
        pa.array(
            [c for layer in layers for c in layer.columns.get(name, [None] * len(layer.shapes))],
            type=pa.string(),
        )
        for name in names
    )
    rows = [shape for layer in layers for shape in layer.shapes]
    counted = (*columns, pa.nulls(len(rows), pa.string()))
    table = interpret(Cells(path, (*names, ""), counted, ENCODING, ""), PROTECTED, reading)
    shapes = _on_earth(layers)
    problems = [_on_the_safe_side(problem) for problem in table.problems]
    problems += _outline_problems(rows, shapes)
    said = [f"layers read: {', '.join(layer.name for layer in layers)}"] * (len(layers) > 1)
    ordered = sorted(problems, key=lambda problem: problem.row)
    return ProtectedAreas(replace(table, problems=ordered, remarks=(*table.remarks, *said)), shapes)


def _on_the_safe_side(problem: Problem) -> Problem:
    dates = ("valid_from", "valid_to")
    return replace(problem, code="input_date_in_force") if problem.column in dates else problem


def _outline_problems(rows: Sequence[Shape], shapes: gpd.GeoSeries) -> list[Problem]:
    codes = [
        "" if shape is not None else row.code or _code_of(row)
        for row, shape in zip(rows, shapes, strict=True)
    ]
    return [Problem(row + 1, "geometry", code) for row, code in enumerate(codes) if code]


def _code_of(shape: Shape) -> str:
    if shape.geometry is None or shape.geometry.is_empty:
        return "empty_geometry"
    return "nan_coordinates" if shape.geometry.geom_type in _POLYGONS else "not_a_polygon"


def _layers(path: Path) -> list[_Layer]:
    source = _source(path)
    try:
        with warnings.catch_warnings():
            # What GDAL has to say of an outline is told by the row's own code.
            warnings.filterwarnings("ignore", category=RuntimeWarning, module="pyogrio")
            named = [str(name) for name, kind in pyogrio.list_layers(source) if kind]
            layers = [_layer(path, source, name) for name in named]
    except _UNREADABLE as error:
        raise UserError(
            f"{path} cannot be opened as a map file",
            "export it again as GeoPackage, Shapefile or GeoJSON",
        ) from error
    if not layers:
        raise UserError(
            f"{path} holds no layer of outlines", "give a GeoPackage, Shapefile or GeoJSON"
        )
    return layers


def _source(path: Path) -> Path | bytes:
    """Return what GDAL reads: GeoJSON is always UTF-8, whatever somebody saved it as."""
    if path.suffix.lower() not in _JSON:
        return path
    return read_text(path).content.encode(ENCODING, "replace")


def _layer(path: Path, source: Path | bytes, name: str) -> _Layer:
    legacy = path.suffix.lower() == ".shp"
    try:
        meta, wkb, fields = _raw(source, name, legacy=legacy)
    except UnicodeDecodeError:
        legacy = True
        meta, wkb, fields = _raw(source, name, legacy=True)
    cells = [[_cell(value, legacy=legacy) for value in values] for values in fields]
    headers = [_bytes_kept(str(field)) if legacy else str(field) for field in meta["fields"]]
    texts = [*headers, *(cell for column in cells for cell in column if cell)]
    encoding, whole = legacy_encoding(texts)

    def readable(text: str | None) -> str | None:
        return None if text is None else recover(text, encoding, whole).text

    columns = {
        readable(header) or "": [readable(cell) for cell in column]
        for header, column in zip(headers, cells, strict=True)
    }
    return _Layer(name, _crs(path, name, meta["crs"]), columns, [shape_from_wkb(w) for w in wkb])


def _raw(source: Path | bytes, name: str, *, legacy: bool) -> tuple[Any, Any, Any]:
    # Latin-1 keeps every byte, so that the true encoding can be settled from all of them.
    encoding = "LATIN1" if legacy else None
    meta, _, wkb, fields = pyogrio.raw.read(source, layer=name, encoding=encoding, force_2d=True)
    return meta, wkb, fields


def _cell(value: Any, *, legacy: bool) -> str | None:
    if value is None or pd.api.types.is_list_like(value) or pd.isna(value):
        return None
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    text = str(value).strip()
    return (_bytes_kept(text) if legacy else text) or None


def _bytes_kept(text: str) -> str:
    return text if text.isascii() else text.encode("latin-1", "replace").decode(ENCODING, ERRORS)


def _crs(path: Path, layer: str, stated: str | None) -> CRS:
    """Return where on Earth a layer lies.

    Raises:
        UserError: It does not say, or says it in a system of its own.
    """
    try:
        crs = CRS.from_user_input(stated) if stated else None
    except CRSError:
        crs = None
    parts = [] if crs is None else (crs.sub_crs_list or [crs])
    if crs is None or not any(part.is_geographic or part.is_projected for part in parts):
        named = (
            "carries no CRS" if crs is None else f"is in {crs.name}, which lies nowhere on Earth"
        )
        raise UserError(
            f"layer {layer} of {path} {named}",
            "ask who drew it and write the layer with its CRS, for example EPSG:4326",
        )
    return crs


def _on_earth(layers: Sequence[_Layer]) -> gpd.GeoSeries:
    """Return all outlines that enclose ground, in WGS 84; None for others."""
    parts = []
    for layer in layers:
        drawn = [_polygon(shape) for shape in layer.shapes]
        parts.append(gpd.GeoSeries(drawn, crs=layer.crs).to_crs(WGS84))
    shapes = gpd.GeoSeries(pd.concat(parts, ignore_index=True), crs=WGS84)
    bounds = shapes.bounds.to_numpy()
    placed = np.isfinite(bounds).all(axis=1) & (np.abs(bounds) <= (540.0, 90.0) * 2).all(axis=1)
    return shapes.where(placed, None)


def _polygon(shape: Shape) -> Any:
    geometry = shape.geometry
    usable = geometry is not None and geometry.geom_type in _POLYGONS and not geometry.is_empty
    return geometry if usable else None
