"""How a remote raster is laid out, read from its header, and what of it a county needs.

Owns the choice of tiles and of the byte ranges that hold them; fetches nothing but the header. The
one idea: plan and pull ask the same questions here, so what was planned is what is fetched.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import rasterio
from pyproj.exceptions import ProjError
from rasterio.dtypes import in_dtype_range
from rasterio.errors import CRSError, RasterioError
from rasterio.windows import Window

from fieldline.pipeline.imagery.rasters import GDAL_OPTIONS, unusable
from fieldline.pipeline.imagery.remote_file import RemoteFile
from fieldline.pipeline.imagery.resample import FileGeometry
from fieldline.pipeline.imagery.settings import PullSettings
from fieldline.pipeline.imagery.tile_table import TileTable, read_tile_table
from fieldline.pipeline.imagery.windows import Places, Tiles, merged_ranges, tiles_under

_KIB = 1024
UNTABLED_STEP = 256 * _KIB
"""Bytes read at once of a file that GDAL alone finds its way in (JPEG 2000)."""


class LayoutError(Exception):
    """A file that is not one band on a map; `reason` is one word."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Layout:
    """What the header of a file says."""

    geometry: FileGeometry
    tile: tuple[int, int]
    """Rows and columns of a tile, pixels."""
    table: TileTable | None
    """Where its tiles lie; None where only GDAL knows."""
    dtype: str
    nodata: float | None
    """What it states for missing pixels; None also where its numbers cannot be that."""

    def ranges(self, tiles: Tiles, settings: PullSettings) -> list[tuple[int, int]]:
        """Return the byte ranges that hold tiles; none where there is no table."""
        if self.table is None:
            return []
        offsets, sizes = self.table.offsets[tiles].tolist(), self.table.sizes[tiles].tolist()
        gap, largest = settings.gap_kib * _KIB, settings.largest_request_kib * _KIB
        return merged_ranges(offsets, sizes, gap, largest)


def read_layout(remote: RemoteFile) -> Layout:
    """Return the layout of a remote file.

    Raises:
        LayoutError: It is not one band on a map.
        WebError: Its header does not come.
        BudgetError: It would exceed the budget.
    """
    table = read_tile_table(remote.read)
    remote.check()
    if table is None:
        remote.step = UNTABLED_STEP
    try:
        with rasterio.Env(**GDAL_OPTIONS), opened(remote) as file:
            geometry = FileGeometry(file.crs.to_wkt(), file.transform, file.height, file.width)
            high, wide = file.block_shapes[0]
            if table is not None and table.tile != (high, wide):
                table = None
            dtype = file.dtypes[0]
            nodata = file.nodata if can_be(file.nodata, dtype) else None
            return Layout(geometry, (high, wide), table, dtype, nodata)
    finally:
        remote.check()


def can_be(nodata: float | None, dtype: str) -> bool:
    """Whether a pixel of a type can be the number that is said to mean missing: -9999 of an
    unsigned band means that none is missing."""
    if nodata is None:
        return False
    whole = np.dtype(dtype).kind == "f" or float(nodata).is_integer()
    return whole and bool(in_dtype_range(nodata, dtype))


def opened(remote: RemoteFile) -> Any:
    """Open a remote file with rasterio.

    Raises:
        LayoutError: It is not one band on a map.
    """
    with ExitStack() as unfit:
        try:
            file = rasterio.open("remote.tif", opener=remote.opener())
            # GDAL reads through an object that lives as long as this thread: a file that an error
            # keeps open would be closed later, by whoever drops the error, with nothing behind it.
            unfit.callback(file.close)
            reason = "no_crs" if file.crs is None else unusable(file)
        except (RasterioError, CRSError) as error:
            raise LayoutError(type(error).__name__) from error
        if reason is not None:
            raise LayoutError(reason)
        unfit.pop_all()
    return file


@dataclass(frozen=True)
class Cover:
    """Which tiles of a file a county needs; worked out once for all files that lie alike."""

    places: Places
    _known: dict[tuple[FileGeometry, tuple[int, int]], Tiles | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __reduce__(self) -> tuple[type[Cover], tuple[Places]]:
        """Travel to another process without what was reckoned here."""
        return Cover, (self.places,)

    def tiles(self, geometry: FileGeometry, tile: tuple[int, int], *, whole: bool) -> Tiles:
        """Return the tiles needed of a file.

        Args:
            geometry: The file.
            tile: Rows and columns of its tiles, pixels.
            whole: Whether land between the parcels is needed too, because nothing in the file
                could say that it is not there.

        Raises:
            LayoutError: The parcels cannot be laid onto the file's CRS.
        """
        key = geometry, tile
        with self._lock:
            if key not in self._known:
                self._known[key] = self._found(geometry, tile)
            found = self._known[key]
        if found is None:
            raise LayoutError("crs_unknown")
        return _box(found) if whole else found

    def _found(self, geometry: FileGeometry, tile: tuple[int, int]) -> Tiles | None:
        try:
            return tiles_under(self.places, geometry, tile)
        except (CRSError, ProjError):
            return None


def _box(tiles: Tiles) -> Tiles:
    rows, columns = np.flatnonzero(tiles.any(axis=1)), np.flatnonzero(tiles.any(axis=0))
    filled = np.zeros_like(tiles)
    filled[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return filled


def runs(tiles: Tiles, tile: tuple[int, int], height: int, width: int) -> list[Window]:
    """Return the windows of a file that hold the tiles: one for each run of them in a row."""
    found = []
    for row in np.flatnonzero(tiles.any(axis=1)):
        edges = np.flatnonzero(np.diff(np.pad(tiles[row].astype(int), 1)))
        top = int(row) * tile[0]
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            left, right = int(first) * tile[1], min(width, int(last) * tile[1])
            found.append(Window(left, top, right - left, min(tile[0], height - top)))
    return found
