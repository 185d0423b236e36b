"""Reads the outlines of a county, one file or many, into one table.

Owns which format a file is, which of its columns means what and how several files and layers become
one; the formats are in `geojson`, `kml`, `gdal` and `archives`. Judges no parcel.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyproj import CRS

from fieldline.pipeline.parcels.archives import read_archive
from fieldline.pipeline.parcels.crs import Stated, stated_crs
from fieldline.pipeline.parcels.gdal import read_gdal
from fieldline.pipeline.parcels.geojson import read_geojson
from fieldline.pipeline.parcels.kml import read_kml
from fieldline.pipeline.parcels.layers import Layer
from fieldline.pipeline.parcels.parcel_files import (
    AREA_UNITS,
    REQUIRED,
    TEXT,
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
from fieldline.pipeline.records.encodings import ENCODING, ERRORS, Decoded, legacy_encoding, recover
from fieldline.pipeline.records.errors import UserError

__all__ = [
    "AREA_UNITS",
    "WKT_COLUMNS",
    "Choices",
    "ParcelFile",
    "RawParcels",
    "csv_columns",
    "number",
    "read_layers",
    "read_parcel_file",
    "read_parcel_files",
    "read_raw_parcels",
]

WKT_COLUMNS = ("geometry", "wkt", "geom", "the_geom", "ewkt", "wkb", "ewkb", "wkb_geometry")
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
    cells: dict[str, list[str | None]] = {name: [] for name in names}
    for layer in layers:
        for name, column in cells.items():
            column += map(_text, layer.columns.get(name) or [None] * len(layer.shapes))
    frame = _decoded_frame(cells) if cells else pd.DataFrame()
    readable = {name: [v or None for v in frame[name]] for name in cells}
    one = len(layers) == 1
    shapes = Shapes.joined([(layer.shapes, None if one else layer.crs) for layer in layers])
    return RawParcels(readable, shapes, layers[0].crs, layers[0].ids is not None)


def csv_columns(source: Path) -> dict[str, list[str | None]] | None:
    """Return the cells of a CSV by column, before its outline column is known; None if no CSV."""
    return _csv_table(source) if _READERS.get(source.suffix.lower()) is _read_csv else None


def read_parcel_file(
    source: Path, columns: Mapping[str, str] | None = None, crs: str | None = None
) -> ParcelFile:
    """Read every row of a parcel file; a malformed row becomes a coded shape, never an exception.

    Args:
        source: `.geojson`, `.json`, `.csv`, `.tsv`, `.kml`, `.gpkg` or `.shp`, or a `.zip` or
            `.kmz` of such.
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
        known = ", ".join(sorted([*_READERS, *_ARCHIVES]))
        raise UserError(f"{source} is of unknown kind {source.suffix!r}", f"use one of {known}")
    if suffix in _ARCHIVES:
        member = partial(read_layers, outline=outline, wanted=wanted)
        return partial(read_archive, kinds=tuple(_READERS), read=member)
    reader = _READERS[suffix]
    if reader is read_gdal:
        return partial(read_gdal, wanted=wanted)
    if reader is _read_csv and outline is not None:
        return partial(_read_csv, outline=outline)
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
    frame = _standard_frame(layer, named, source)
    crs = layer_crs(layer, stated, source)
    return Part(source, layer, frame, crs, tuple(read_as(source, layer, crs, short)))


def _standard_frame(layer: Layer, mapping: dict[str, str], source: Path) -> pd.DataFrame:
    found = {name: layer.columns.get(mapping.get(name, name)) for name in (*TEXT, *AREA_UNITS)}
    if found["parcel_id"] is None and layer.ids is not None and "parcel_id" not in mapping:
        found["parcel_id"] = layer.ids
    missing = [name for name in REQUIRED if found[name] is None]
    missing += [name for name in mapping if name in found and found[name] is None]
    if missing:
        raise UserError(
            f"{source} has no column {', '.join(dict.fromkeys(missing))} "
            f"(columns found: {', '.join(sorted(layer.columns)) or 'none'})",
            "rename the column or map it under inputs.parcel_columns",
        )
    count = len(layer.shapes)
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


def _read_csv(source: Path, outline: str = WKT_COLUMNS[0]) -> list[Layer]:
    columns = _csv_table(source)
    wkt = next((n for n in columns if n == outline or n.lower() in WKT_COLUMNS), None)
    if wkt is None:
        raise UserError(
            f"{source} has no outline column (columns found: {', '.join(columns)})",
            "put the outline as WKT in a column named geometry or map it in inputs.parcel_columns",
        )
    return [Layer(dict(columns), shapes_from_text(columns[wkt]), None)]


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


_READERS: dict[str, Callable[[Path], list[Layer]]] = {
    ".geojson": lambda source: [read_geojson(source)],
    ".json": lambda source: [read_geojson(source)],
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".kml": lambda source: [read_kml(source)],
    ".gpkg": read_gdal,
    ".shp": read_gdal,
}
