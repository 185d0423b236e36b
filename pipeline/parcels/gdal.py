"""Layers of GeoPackages, Shapefiles and alike through GDAL, every one of them.

Owns which layers of such a file are outlines, the raw bytes of a .dbf and the sidecars of a
Shapefile; outlines stay WKB until `shapes` parses them, since GDAL stops at one that GEOS cannot
read. Rows come in Arrow batches, so that no copy of the whole file stands beside the outlines.
"""

from __future__ import annotations

import glob
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS
from pyproj.exceptions import CRSError

from fieldline.pipeline.inputs.cells import plain_array
from fieldline.pipeline.parcels.crs import horizontal
from fieldline.pipeline.parcels.layers import Layer
from fieldline.pipeline.parcels.shapes import Shapes, shapes_from_wkb
from fieldline.pipeline.records.encodings import ENCODING, ERRORS, legacy_encoding, recover
from fieldline.pipeline.records.errors import UserError

_UNREADABLE = (DataSourceError, DataLayerError, UnicodeDecodeError, pa.ArrowInvalid)
#: Tables of GIS programs that accompany outlines and hold none.
_HOUSEKEEPING = ("layer_styles", "qgis_projects")


@dataclass(frozen=True)
class _Info:
    name: str
    kind: str
    """Geometry type as GDAL names it, empty for a table without outlines."""
    rows: int
    columns: tuple[str, ...]

    def __str__(self) -> str:
        columns = ", ".join(self.columns) or "none"
        return f"{self.name} ({self.kind or 'no outlines'}, {self.rows} rows, columns {columns})"


def read_gdal(source: Path, wanted: Sequence[str] = ()) -> list[Layer]:
    """Read every layer with outlines, or those that are wanted.

    Args:
        source: GeoPackage, Shapefile, FlatGeobuf, MapInfo table, TopoJSON or Esri's JSON.
        wanted: Names of the layers to read; all where empty.

    Raises:
        UserError: A file that cannot be opened, or a wanted layer that it does not hold.
    """
    legacy = source.suffix.lower() == ".shp"
    if legacy and not any(path.suffix.lower() == ".dbf" for path in _beside(source)):
        raise UserError(
            f"{source.with_suffix('.dbf').name} is missing beside {source}: it holds the columns",
            "send .shp, .shx, .dbf and .prj together, best as one .zip",
        )
    with _with_index(source) as readable:
        return _read(source, readable, legacy, wanted)


def _read(source: Path, readable: Path, legacy: bool, wanted: Sequence[str]) -> list[Layer]:
    infos = _infos(source, readable, legacy)
    drawn = [info for info in infos if info.kind]
    absent = [name for name in wanted if name not in [info.name for info in drawn]]
    if absent:
        raise UserError(
            f"{source} has no layer {', '.join(absent)} "
            f"(layers: {'; '.join(map(str, infos)) or 'none'})",
            "name its layers under inputs.parcel_layers",
        )
    chosen = [i for i in drawn if (i.name in wanted if wanted else i.rows > 0)]
    unread = [f"layer {info} is not read" for info in infos if info not in chosen]
    return [_read_layer(readable, info, legacy, unread) for info in chosen]


def _infos(source: Path, readable: Path, legacy: bool) -> list[_Info]:
    try:
        names = [str(name) for name, _ in pyogrio.list_layers(readable)]
        encoding = "LATIN1" if legacy else None
        found = [
            pyogrio.read_info(readable, layer=n, encoding=encoding, force_feature_count=True)
            for n in names
        ]
    except _UNREADABLE as error:
        raise UserError(f"{source} cannot be opened", "export the file again") from error
    return [
        _Info(name, info["geometry_type"] or "", max(info["features"], 0), tuple(info["fields"]))
        for name, info in zip(names, found, strict=True)
        if name not in _HOUSEKEEPING
    ]


def _read_layer(source: Path, info: _Info, legacy: bool, unread: Sequence[str]) -> Layer:
    cells: dict[str, list[pa.Array]] = {}
    outlines: list[tuple[Shapes, None]] = []
    meta: dict[str, Any] = {}
    for batch in _batches(source, info.name, legacy, meta):
        geometry = meta["geometry_name"] or "wkb_geometry"
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name == geometry:
                outlines.append((shapes_from_wkb(column.to_pylist()), None))
            else:
                cells.setdefault(name, []).append(column)
    names = _readable(list(cells)) if legacy else list(cells)
    columns = [_legacy_values(parts) if legacy else _values(parts) for parts in cells.values()]
    crs, own_crs = _crs(meta["crs"])
    return Layer(
        columns=dict(zip(names, columns, strict=True)),
        shapes=Shapes.joined(outlines) if outlines else Shapes(np.empty(0, dtype=object), {}),
        crs=crs,
        name=info.name,
        own_crs=own_crs,
        short_names=legacy,
        unread=unread,
    )


def _batches(
    source: Path, layer: str, legacy: bool, meta: dict[str, Any]
) -> Iterator[pa.RecordBatch]:
    # Latin-1 keeps every byte of a .dbf, so that the true encoding can be settled later.
    encoding = "LATIN1" if legacy else None
    try:
        with pyogrio.open_arrow(source, layer=layer, encoding=encoding) as (about, stream):
            meta.update(about)
            yield from pa.RecordBatchReader.from_stream(stream)
    except (*_UNREADABLE, OSError) as error:
        raise UserError(
            f"layer {layer} of {source} cannot be read to its end", "export the file again"
        ) from error


def _values(parts: Sequence[pa.Array]) -> Sequence[Any]:
    """Return the cells of a format that promises UTF-8; bytes that are none as surrogates."""
    column = plain_array(parts)
    if not pa.types.is_string(column.type):
        return cast("Sequence[Any]", column)
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        raw = column.cast(pa.binary()).to_pylist()
        return [None if text is None else text.decode(ENCODING, ERRORS) for text in raw]
    return cast("Sequence[Any]", column)


def _legacy_values(parts: Sequence[pa.Array]) -> list[Any]:
    """Return the cells of a Shapefile, bytes of an unknown encoding as surrogates.

    Equal texts are one object: villages and crops repeat in every row.
    """
    column = plain_array(parts)
    if not pa.types.is_string(column.type):
        return list(column.to_pylist())
    coded = pc.dictionary_encode(column, null_encoding="encode")
    texts = coded.dictionary.to_pylist()
    table = np.empty(len(texts), dtype=object)
    table[:] = [_raw_bytes(text) if text else text for text in texts]
    return list(table[coded.indices.to_numpy(zero_copy_only=False)])


def _raw_bytes(text: str) -> str:
    return text if text.isascii() else text.encode("latin-1", "replace").decode(ENCODING, ERRORS)


def _readable(names: Sequence[str]) -> list[str]:
    """Return column names as text: a header in GBK must be mappable from a YAML in UTF-8."""
    raw = [_raw_bytes(name) for name in names]
    legacy, whole_file = legacy_encoding(raw)
    return [recover(name, legacy, whole_file).text for name in raw]


def _crs(stated: str | None) -> tuple[CRS | None, str]:
    if not stated:
        return None, ""
    try:
        crs = CRS.from_user_input(stated)
    except CRSError:
        return None, stated[:40]
    placed = horizontal(crs)
    return placed, "" if placed is not None else crs.name


def _beside(source: Path) -> list[Path]:
    """Return a Shapefile and its sidecars."""
    return [p for p in source.parent.glob(glob.escape(source.stem) + ".*") if p.is_file()]


@contextmanager
def _with_index(source: Path) -> Iterator[Path]:
    """Give a Shapefile that can be opened: one that lost its .shx gets it anew, in another folder.

    The folder of the user's file stays as it is; the index holds nothing that the .shp does not.
    """
    beside = _beside(source)
    if source.suffix.lower() != ".shp" or any(p.suffix.lower() == ".shx" for p in beside):
        yield source
        return
    before = pyogrio.get_gdal_config_option("SHAPE_RESTORE_SHX")
    with tempfile.TemporaryDirectory() as folder:
        for path in beside:
            shutil.copy(path, Path(folder) / (source.stem + path.suffix.lower()))
        pyogrio.set_gdal_config_options({"SHAPE_RESTORE_SHX": True})
        try:
            yield Path(folder) / f"{source.stem}.shp"
        finally:
            pyogrio.set_gdal_config_options({"SHAPE_RESTORE_SHX": before})
