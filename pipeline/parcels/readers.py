"""Reads the outlines of a county, one file or many, into one table.

Owns which format a file is, which of its columns means what and how several files and layers become
one; the formats are in `geojson`, `kml`, `gdal` and `archives`. Judges no parcel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyproj import CRS

from fieldline.pipeline.inputs.cells import Cells, read_cells
from fieldline.pipeline.inputs.names import claimants, folded, known_names, score
from fieldline.pipeline.inputs.values import as_text
from fieldline.pipeline.parcels.archives import read_archive
from fieldline.pipeline.parcels.columns import (
    PARCELS,
    layer_cells,
    parcel_frame,
    parcel_table,
    with_ids,
)
from fieldline.pipeline.parcels.crs import Stated, stated_crs
from fieldline.pipeline.parcels.gdal import read_gdal
from fieldline.pipeline.parcels.geojson import read_geojson
from fieldline.pipeline.parcels.geoparquet import geo_metadata, plain_metadata, read_geoparquet
from fieldline.pipeline.parcels.kml import read_kml
from fieldline.pipeline.parcels.layers import Layer
from fieldline.pipeline.parcels.other_kinds import refuse_folder, refuse_other_kind
from fieldline.pipeline.parcels.parcel_files import (
    AREA_UNITS,
    Choices,
    ParcelFile,
    Part,
    joined,
    layer_crs,
    read_as,
    refuse_strangers,
    settled_columns,
)
from fieldline.pipeline.parcels.shapes import Shape, Shapes, shapes_from_text
from fieldline.pipeline.records.errors import UserError

__all__ = [
    "AREA_UNITS",
    "Choices",
    "ParcelFile",
    "RawParcels",
    "csv_columns",
    "outline_column",
    "read_layers",
    "read_parcel_file",
    "read_parcel_files",
    "read_raw_parcels",
]

_ARCHIVES = (".zip", ".kmz")


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
    layers = read_layers(source, outline)
    names = dict.fromkeys(name for layer in layers for name in layer.columns)
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for layer in layers:
        for name, column in columns.items():
            column += _cells_of(layer, name)
    readable = _columns(layer_cells(source, columns))
    one = len(layers) == 1
    shapes = Shapes.joined([(layer.shapes, None if one else layer.crs) for layer in layers])
    return RawParcels(readable, shapes, layers[0].crs, layers[0].ids is not None)


def _cells_of(layer: Layer, name: str) -> list[Any]:
    column = layer.columns.get(name)
    if column is None:
        return [None] * len(layer.shapes)
    return list(column.to_pylist() if isinstance(column, pa.Array) else column)


def csv_columns(source: Path) -> dict[str, list[str | None]] | None:
    """Return the cells of a CSV by column, before its outline column is known; None if no CSV."""
    reader = _READERS.get(source.suffix.lower())
    tabular = reader is _read_table or (reader is _read_parquet and geo_metadata(source) is None)
    return _columns(_table_cells(source)) if tabular else None


def read_parcel_file(
    source: Path, columns: Mapping[str, str] | None = None, crs: str | None = None
) -> ParcelFile:
    """Read every row of a parcel file; a malformed row becomes a coded shape, never an exception.

    Args:
        source: Any kind of `_READERS` (`.geojson`, `.csv`, `.gpkg`, ...), or a `.zip` or `.kmz` of
            such.
        columns: Own column names by Fieldline name.
        crs: CRS of files that carry none.

    Raises:
        UserError: File absent or of unknown kind, required column missing, CRS unknown.
    """
    return read_parcel_files([source], Choices(columns or {}, crs))


def read_layers(
    source: Path,
    outline: str | None = None,
    wanted: Sequence[str] = (),
    setting: str = "inputs.parcels",
) -> list[Layer]:
    """Read every layer of an outline file of any kind.

    Args:
        source: As `read_parcel_file`.
        outline: Column of a CSV that holds the outline, where it has another name.
        wanted: Layers of a GeoPackage to read; all where empty.
        setting: Where the file is named in the configuration, for messages.

    Raises:
        UserError: File absent, of unknown kind, unreadable or without a row.
    """
    if source.is_dir():
        refuse_folder(source, setting)
    if not source.is_file():
        raise UserError(f"{source} does not exist", f"check {setting} in the configuration")
    layers = _reader(source, outline, wanted)(source)
    layers = [layer for layer in layers if len(layer.shapes)]
    if not layers:
        raise UserError(f"{source} holds no parcel", "export it again with its outlines")
    return layers


def _reader(
    source: Path, outline: str | None, wanted: Sequence[str]
) -> Callable[[Path], list[Layer]]:
    suffix = source.suffix.lower()
    if suffix not in _READERS and suffix not in _ARCHIVES:
        refuse_other_kind(source, (*_READERS, *_ARCHIVES))
    if suffix in _ARCHIVES:
        member = partial(read_layers, outline=outline, wanted=wanted)
        inside = (*_READERS, ".kmz") if suffix == ".zip" else tuple(_READERS)
        return partial(read_archive, kinds=inside, read=member)
    reader = _READERS[suffix]
    if reader is read_gdal:
        return partial(read_gdal, wanted=wanted)
    if reader in (_read_table, _read_parquet) and outline is not None:
        return partial(reader, outline=outline)
    return reader


def read_parcel_files(sources: Sequence[Path], choices: Choices | None = None) -> ParcelFile:
    """Read several files of one county as if they were one, each outline in its own file's CRS.

    Args:
        sources: Files in the order in which their rows are numbered.
        choices: What the county says about them.

    Raises:
        UserError: As `read_parcel_file`, for the first file that cannot be read.
    """
    choices = choices or Choices({})
    stated = stated_crs(choices.crs)
    parts = [part for source in sources for part in _parts(source, choices, stated)]
    return joined(parts, choices, stated)


def _parts(source: Path, choices: Choices, stated: Stated) -> list[Part]:
    mapping = dict(choices.columns)
    layers = read_layers(source, mapping.get("geometry"), choices.layers)
    if len(layers) > 1:
        refuse_strangers(layers, mapping, source)
    return [_part(layer, mapping, stated, source) for layer in layers]


def _part(layer: Layer, mapping: dict[str, str], stated: Stated, source: Path) -> Part:
    named, short = settled_columns(layer, mapping, source)
    frame, remarks = _standard_frame(layer, named, source)
    crs = layer_crs(layer, stated, source)
    said = read_as(source, layer, crs, short)
    return Part(source, layer, frame, crs, (*said, *(f"{source.name}: {r}" for r in remarks)))


def _standard_frame(
    layer: Layer, mapping: dict[str, str], source: Path
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the layer's columns by Fieldline's names, and sentences about whole columns."""
    if layer.cells is None:
        cells = with_ids(layer_cells(source, layer.columns), layer.ids, mapping)
        mapping = {name: own for name, own in mapping.items() if name != "geometry"}
    else:
        cells = layer.cells
    table = parcel_table(cells, mapping)
    return parcel_frame(table), table.remarks


def _read_table(source: Path, outline: str | None = None) -> list[Layer]:
    """Read outlines from a column of a table: WKT, EWKT or hexadecimal WKB."""
    cells = _table_cells(source, outline)
    column = outline_column(cells.names, outline)
    if column is None:
        _refuse_corners(source, cells)
        raise UserError(
            f"{source} has no outline column (columns found: {', '.join(cells.names)})",
            "put the outline as WKT in a column named geometry or map it in inputs.parcel_columns",
        )
    shapes = shapes_from_text(as_text(cells.column(column)).to_pylist())
    return [Layer(_columns(cells), shapes, None, cells=cells)]


def _refuse_corners(source: Path, cells: Cells) -> None:
    """Refuse a table of corners or of points with a sentence of its own.

    Raises:
        UserError: It has latitude and longitude in place of outlines.
    """
    named = {role: [n for n in cells.names if folded(n.rstrip("0123456789")) in known_names(role)]
             for role in ("lat", "lon")}  # fmt: skip
    if not all(named.values()):
        return
    ids = claimants(PARCELS.column("parcel_id"), cells.names)
    values = as_text(cells.column(ids[0])).to_pylist() if ids else []
    several = len(set(values)) < len(values) or len(named["lat"]) > 1
    what = "corners of parcels" if several else "one point of each parcel"
    raise UserError(
        f"{source} holds {what} ({named['lat'][0]}, {named['lon'][0]}) and no outline",
        "join corners in walking order to one polygon a parcel (QGIS: Points to path, Lines to "
        "polygons) and save as GeoPackage"
        if several
        else "ask for the drawn outlines",
    )


def _read_json(source: Path) -> list[Layer]:
    layer = read_geojson(source)
    return read_gdal(source) if layer is None else [layer]


def _read_parquet(source: Path, outline: str | None = None) -> list[Layer]:
    told = geo_metadata(source) or plain_metadata(source, outline)
    return _read_table(source, outline) if told is None else [read_geoparquet(source, told)]


def _table_cells(source: Path, outline: str | None = None) -> Cells:
    mapping = {"geometry": outline} if outline else {}
    return read_cells(source, lambda row: score(PARCELS, mapping, row), setting="inputs.parcels")


def outline_column(names: Sequence[str], outline: str | None = None) -> str | None:
    """Return the column of a table that holds the outline: the mapped one, or one named so."""
    if outline in names:
        return outline
    return next(iter(claimants(PARCELS.column("geometry"), names)), None)


def _columns(cells: Cells) -> dict[str, list[Any]]:
    columns = zip(cells.names, cells.columns, strict=True)
    return {name: as_text(column).to_pylist() for name, column in columns if name}


_READERS: dict[str, Callable[[Path], list[Layer]]] = {
    ".geojson": _read_json,
    ".json": _read_json,
    ".geojsonl": _read_json,
    ".geojsons": _read_json,
    ".geojsonseq": _read_json,
    ".ndjson": _read_json,
    ".jsonl": _read_json,
    ".topojson": _read_json,
    ".csv": _read_table,
    ".tsv": _read_table,
    ".xlsx": _read_table,
    ".xls": _read_table,
    ".ods": _read_table,
    ".parquet": _read_parquet,
    ".geoparquet": _read_parquet,
    ".kml": lambda source: [read_kml(source)],
    ".gpkg": read_gdal,
    ".shp": read_gdal,
    ".fgb": read_gdal,
    ".tab": read_gdal,
    ".mif": read_gdal,
}
