"""Copies of the needed tiles of a remote raster, each with the record of what it holds.

Owns the files that a pull leaves and how they are known to be whole. The one idea: a tile is copied
as it is compressed, and tiles that no parcel lies on are absent from the copy (they read as nodata
and take no room); every tile of a copy was decoded once before it counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio import Affine
from rasterio.errors import RasterioError
from rasterio.windows import Window

from fieldline.pipeline.imagery.layout import Cover, Layout, LayoutError, can_be, runs
from fieldline.pipeline.imagery.rasters import GDAL_OPTIONS
from fieldline.pipeline.imagery.remote_file import RemoteFile
from fieldline.pipeline.imagery.resample import FileGeometry
from fieldline.pipeline.imagery.tile_table import TileTable, read_tile_table
from fieldline.pipeline.imagery.verified_file import record_of, written
from fieldline.pipeline.imagery.windows import Tiles, box_of
from fieldline.pipeline.records.canonical import file_hash
from fieldline.pipeline.records.tables import atomic_path

_TILE = 256
#: GDAL's names of the compressions whose tiles mean the same in another file.
_COMPRESSIONS = {1: None, 5: "LZW", 8: "DEFLATE", 32946: "DEFLATE", 50000: "ZSTD"}
_ANY_DTYPE = "float64"  # of older records: their nodata was one that the pixels could be
_AT_A_TIME = 8 * 2**20  # bytes; bounds what a thread holds


@dataclass(frozen=True)
class Request:
    """What a copy is asked to be."""

    href: str
    """Address of the file as the item states it."""
    whole: bool
    """Whether land between the parcels is needed where the file states no nodata."""
    nodata: float | None = None
    """What absent pixels are, where the file itself does not say."""

    @property
    def word(self) -> str:
        """What tells one request from another, as one word."""
        return hashlib.sha256(json.dumps([self.href, self.nodata]).encode()).hexdigest()

    def covers_gaps(self, nodata: object, dtype: str) -> bool:
        """Whether land between the parcels is needed of a file that states this nodata.

        Args:
            nodata: What its pixels can be (`Layout.nodata`).
            dtype: Type of its pixels.
        """
        untold = self.whole or (self.nodata is not None and not can_be(self.nodata, dtype))
        return untold and nodata is None


def is_verified(path: Path, request: Request, cover: Cover) -> bool:
    """Whether a copy holds what is asked for, to the last byte."""
    try:
        record = json.loads(record_of(path).read_text(encoding="utf-8"))
        if record["asked"] != request.word or record["size"] != path.stat().st_size:
            return False
        geometry = FileGeometry(
            record["crs"], Affine(*record["transform"]), record["height"], record["width"]
        )
        whole = request.covers_gaps(record["nodata"], record.get("dtype", _ANY_DTYPE))
        needed = cover.tiles(geometry, tuple(record["tile"]), whole=whole)
        held = _unpacked(record["tiles"], needed.shape)
        return not (needed & ~held).any() and bool(record["sha256"] == file_hash(path))
    except (OSError, ValueError, LookupError, TypeError, LayoutError):
        return False


def parts_of(path: Path) -> Path:
    """Return the path of the ranges that have arrived of a copy still to be made."""
    return path.with_name(f".{path.stem}.parts")


def write_copy(
    path: Path, request: Request, remote: RemoteFile, layout: Layout, tiles: Tiles
) -> None:
    """Copy tiles of a remote file, decode the copy once and leave its record beside it.

    Raises:
        LayoutError: A tile cannot be decoded.
        WebError: Bytes of it do not come.
        BudgetError: They would exceed the budget.
    """
    geometry = layout.geometry
    with atomic_path(path) as temporary:
        written = _copy_tiles(temporary, request, remote, layout, tiles)
        if not written:
            _copy_pixels(temporary, request, remote, layout, tiles)
        record = {
            "asked": request.word, "size": temporary.stat().st_size,
            "sha256": file_hash(temporary), "crs": geometry.crs,
            "transform": list(geometry.transform)[:6], "height": geometry.height,
            "width": geometry.width, "tile": list(layout.tile), "tiles": _packed(tiles),
            "nodata": None if layout.nodata is None else str(layout.nodata),
            "dtype": layout.dtype,
        }  # fmt: skip
    with atomic_path(record_of(path)) as temporary:
        temporary.write_text(json.dumps(record), encoding="utf-8")


def _packed(tiles: Tiles) -> list[int]:
    """Return tiles as the lengths of runs, absent ones first."""
    flat = tiles.ravel().astype(int)
    edges = np.flatnonzero(np.diff(flat, prepend=0, append=1 - flat[-1]))
    return [int(length) for length in np.diff(edges, prepend=0)]


def _unpacked(lengths: Sequence[int], shape: tuple[int, ...]) -> Tiles:
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return flat.reshape(shape)


def _profile(
    request: Request, layout: Layout, window: Window, tile: tuple[int, int]
) -> dict[str, Any]:
    corner = Affine.translation(window.col_off, window.row_off)
    stated = request.nodata if can_be(request.nodata, layout.dtype) else None
    return {
        "driver": "GTiff", "count": 1, "dtype": layout.dtype, "crs": layout.geometry.crs,
        "nodata": stated if layout.nodata is None else layout.nodata,
        "transform": layout.geometry.transform @ corner,
        "height": int(window.height), "width": int(window.width),
        "tiled": True, "blockysize": tile[0], "blockxsize": tile[1],
        "sparse_ok": True, "bigtiff": "if_safer",
    }  # fmt: skip


def _copy_tiles(
    target: Path, request: Request, remote: RemoteFile, layout: Layout, tiles: Tiles
) -> bool:
    """Copy compressed tiles as they are; return False where only their pixels can be copied."""
    table = layout.table
    if table is None or not _alike(table, layout):
        return False
    window = box_of(tiles, layout.tile, table.height, table.width)
    profile = _profile(request, layout, window, layout.tile)
    compress = _COMPRESSIONS[table.compression]
    if compress is not None:
        profile |= {"compress": compress, "predictor": table.predictor}
    with rasterio.Env(**GDAL_OPTIONS):
        with written(target.parent):
            order = "LITTLE" if table.order == "<" else "BIG"
            rasterio.open(target, "w", endianness=order, **profile).close()
        copy = _local_table(target)
        part = _inside(window, layout.tile)
        if copy is None or copy.offsets.any() or not _fits(copy, table.sizes[part]):
            return False
        _append(target, copy, remote, table.offsets[part], _wanted(table, tiles)[part])
        _decode(target, tiles[part], layout.tile)
    return True


def _alike(table: TileTable, layout: Layout) -> bool:
    """Whether a tile of the file is one that GDAL would write: nothing is said outside it."""
    bits = np.dtype(layout.dtype).itemsize * 8
    sides = all(side % 16 == 0 for side in table.tile)
    plain = table.samples == 1 and table.bits == bits and table.predictor in (1, 2, 3)
    return table.tiled and sides and plain and table.compression in _COMPRESSIONS


def _wanted(table: TileTable, tiles: Tiles) -> Any:
    """Return the sizes of tiles, 0 for those not meant."""
    return np.where(tiles, table.sizes, 0)


def _inside(window: Window, tile: tuple[int, int]) -> tuple[slice, slice]:
    top, left = int(window.row_off) // tile[0], int(window.col_off) // tile[1]
    rows, columns = -(-int(window.height) // tile[0]), -(-int(window.width) // tile[1])
    return slice(top, top + rows), slice(left, left + columns)


def _fits(copy: TileTable, sizes: Any) -> bool:
    """Whether the copy's table has room for the sizes of its tiles."""
    _, code = copy.arrays[1]
    return int(sizes.max(initial=0)) <= np.iinfo(f"u{np.dtype(code).itemsize}").max


def _local_table(path: Path) -> TileTable | None:
    data = path.read_bytes()
    return read_tile_table(lambda start, count: data[start : start + count])


def _append(target: Path, copy: TileTable, remote: RemoteFile, offsets: Any, sizes: Any) -> None:
    """Append tiles to an empty TIFF and enter them into its table."""
    places = np.zeros_like(offsets)
    with target.open("r+b") as file:
        end = file.seek(0, 2)
        for place in zip(*np.nonzero(sizes), strict=True):
            size = int(sizes[place])
            data = remote.read(int(offsets[place]), size)
            file.write(data)
            places[place], end = end, end + size
        for (at, code), numbers in zip(copy.arrays, (places, sizes), strict=True):
            file.seek(at)
            file.write(numbers.astype(np.dtype(f"{copy.order}{code}")).tobytes())


def _decode(path: Path, tiles: Tiles, tile: tuple[int, int]) -> None:
    """Read every tile of a copy once.

    Raises:
        LayoutError: One cannot be decoded.
    """
    try:
        with rasterio.open(path) as file:
            for window in _pieces(runs(tiles, tile, file.height, file.width), tile[1], file):
                file.read(1, window=window)
    except RasterioError as error:
        raise LayoutError("undecodable_tile") from error


def _copy_pixels(
    target: Path, request: Request, remote: RemoteFile, layout: Layout, tiles: Tiles
) -> None:
    """Copy pixels where tiles cannot be copied: strips, JPEG 2000, other compressions."""
    geometry = layout.geometry
    whole = box_of(tiles, layout.tile, geometry.height, geometry.width)
    profile = {**_profile(request, layout, whole, _tile_of(layout)), "compress": "deflate"}
    windows = runs(tiles, layout.tile, geometry.height, geometry.width)
    sums = hashlib.sha256(), hashlib.sha256()
    environment, source = rasterio.Env(**GDAL_OPTIONS), layout.reading(remote, tiles)
    with environment, source as file, written(target.parent):
        pieces = list(_pieces(windows, layout.tile[1], file))
        with rasterio.open(target, "w", **profile) as copy:
            for window in pieces:
                numbers = _read(file, window)
                sums[0].update(np.ascontiguousarray(numbers).tobytes())
                copy.write(numbers, 1, window=_moved(window, whole))
        with rasterio.open(target) as copy:
            for window in pieces:
                numbers = copy.read(1, window=_moved(window, whole))
                sums[1].update(np.ascontiguousarray(numbers).tobytes())
        if sums[0].digest() != sums[1].digest():
            raise RasterioError("the copy is not what was written")


def _pieces(windows: Sequence[Window], wide: int, file: Any) -> list[Window]:
    """Cut windows along tiles so that one holds no more than a thread may."""
    found = []
    for window in windows:
        column = np.dtype(file.dtypes[0]).itemsize * int(window.height)
        step = max(1, _AT_A_TIME // (column * wide)) * wide
        end = int(window.col_off + window.width)
        for left in range(int(window.col_off), end, step):
            width = min(step, end - left)
            found.append(Window(left, window.row_off, width, window.height))
    return found


def _moved(window: Window, whole: Window) -> Window:
    return Window(
        window.col_off - whole.col_off, window.row_off - whole.row_off, window.width, window.height
    )


def _read(file: Any, window: Window) -> Any:
    try:
        return file.read(1, window=window)
    except RasterioError as error:
        raise LayoutError(type(error).__name__) from error


def _tile_of(layout: Layout) -> tuple[int, int]:
    """Return rows and columns of the copy's tiles: the original's where a TIFF may have them."""
    high, wide = layout.tile
    fits = all(side % 16 == 0 and side <= 4 * _TILE for side in (high, wide))
    return (high, wide) if fits else (_TILE, _TILE)
