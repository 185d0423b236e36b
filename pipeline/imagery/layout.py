"""How a remote raster is laid out, read from its header, and what of it a county needs.

Owns the choice of tiles and of the byte ranges that hold them; fetches headers, and no pixel. The
one idea: plan and pull ask the same questions here, so what was planned is what is fetched.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import rasterio
from pyproj.exceptions import ProjError
from rasterio.dtypes import in_dtype_range
from rasterio.errors import CRSError, RasterioError
from rasterio.windows import Window

from fieldline.pipeline.imagery.codestream import (
    HEAD,
    Codestream,
    read_codestream,
    tile_parts,
)
from fieldline.pipeline.imagery.rasters import GDAL_OPTIONS, unusable
from fieldline.pipeline.imagery.remote_file import RemoteFile
from fieldline.pipeline.imagery.resample import FileGeometry
from fieldline.pipeline.imagery.settings import PullSettings
from fieldline.pipeline.imagery.stand_in import Range, stand_in
from fieldline.pipeline.imagery.tile_table import TileTable, read_tile_table
from fieldline.pipeline.imagery.windows import Places, Tiles, merged_ranges, tiles_under

_KIB = 1024
UNTABLED_STEP = 64 * _KIB
"""Bytes read at once of a file without a table of its tiles (JPEG 2000)."""


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
    """Where its tiles lie, of a TIFF."""
    stream: Codestream | None
    """Where its tile-parts lie, of a JPEG 2000 whose tiles can be told apart. A file with neither
    is read whole."""
    size: int
    """Bytes of the file."""
    dtype: str
    nodata: float | None
    """What it states for missing pixels; None also where its numbers cannot be that."""

    def ranges(self, tiles: Tiles, settings: PullSettings) -> list[Range]:
        """Return the byte ranges that hold tiles; none where there is no table."""
        return [] if self.table is None else _merged(_in_table(self.table, tiles), settings)

    def pieces(self, remote: RemoteFile, tiles: Tiles) -> list[Range]:
        """Return the byte ranges that hold tiles, those that no table tells too.

        Raises:
            WebError: The heads of the tiles do not come.
            BudgetError: They would exceed the budget.
        """
        if self.table is not None:
            return _in_table(self.table, tiles)
        parts = None if self.stream is None else tile_parts(remote.read, self.stream)
        if parts is None:
            return [(0, self.size)]
        needed = set(np.flatnonzero(tiles).tolist())
        sizes = [part.size if part.tile in needed else HEAD for part in parts]
        last = parts[-1].start + parts[-1].size if parts else 0
        starts = [part.start for part in parts]
        return [*((at, at + n) for at, n in zip(starts, sizes, strict=True)), (last, self.size)]

    def fetch(self, remote: RemoteFile, tiles: Tiles, settings: PullSettings) -> None:
        """Fetch what holds tiles, in as few requests as the settings allow.

        Raises:
            WebError: Bytes do not come.
            BudgetError: They would exceed the budget.
        """
        remote.fetch(_merged(self.pieces(remote, tiles), settings))

    @contextmanager
    def reading(self, remote: RemoteFile, tiles: Tiles) -> Iterator[Any]:
        """Open the file with rasterio; these tiles can be read of it and no others.

        Raises:
            LayoutError: It is not one band on a map.
            WebError: Bytes do not come.
            BudgetError: They would exceed the budget.
            OSError: What GDAL reads cannot be written.
        """
        ranges = [*_heads(self.table, self.stream, self.size), *self.pieces(remote, tiles)]
        with _opened(remote, ranges) as file:
            yield file


def read_layout(remote: RemoteFile) -> Layout:
    """Return the layout of a remote file.

    Raises:
        LayoutError: It is not one band on a map.
        WebError: Its header does not come.
        BudgetError: It would exceed the budget.
        OSError: What GDAL reads cannot be written.
    """
    table, stream = read_tile_table(remote.read), None
    if table is None:
        remote.step = UNTABLED_STEP
        stream = read_codestream(remote.read, remote.size)
    heads = _heads(table, stream, remote.size)
    with rasterio.Env(**GDAL_OPTIONS), _opened(remote, heads) as file:
        geometry = FileGeometry(file.crs.to_wkt(), file.transform, file.height, file.width)
        tile = file.block_shapes[0]
        dtype = file.dtypes[0]
        nodata = file.nodata if can_be(file.nodata, dtype) else None
    # GDAL may read a file of one large tile in blocks of its own.
    table = table if table is None or table.tile == tile else None
    stream = stream if stream is None or stream.tile == tile else None
    return Layout(geometry, tile, table, stream, remote.size, dtype, nodata)


def _heads(table: TileTable | None, stream: Codestream | None, size: int) -> list[Range]:
    """Return the byte ranges in which a file says all but its pixels."""
    if table is not None:
        return [*table.head]
    if stream is not None:
        return [(0, stream.first + HEAD), (stream.end, size)]
    return [(0, size)]


def _in_table(table: TileTable, tiles: Tiles) -> list[Range]:
    offsets, sizes = table.offsets[tiles].tolist(), table.sizes[tiles].tolist()
    return [(at, at + count) for at, count in zip(offsets, sizes, strict=True)]


def _merged(pieces: list[Range], settings: PullSettings) -> list[Range]:
    gap, largest = settings.gap_kib * _KIB, settings.largest_request_kib * _KIB
    return merged_ranges(
        [start for start, _ in pieces], [end - start for start, end in pieces], gap, largest
    )


def can_be(nodata: float | None, dtype: str) -> bool:
    """Whether a pixel of a type can be the number that is said to mean missing: -9999 of an
    unsigned band means that none is missing."""
    if nodata is None:
        return False
    whole = np.dtype(dtype).kind == "f" or float(nodata).is_integer()
    return whole and bool(in_dtype_range(nodata, dtype))


@contextmanager
def _opened(remote: RemoteFile, ranges: list[Range]) -> Iterator[Any]:
    """Open what ranges of a remote file say.

    Raises:
        LayoutError: It is not one band on a map.
    """
    with ExitStack() as stack:
        path = stack.enter_context(stand_in(remote, ranges))
        try:
            file = stack.enter_context(rasterio.open(path))
            reason = "no_crs" if file.crs is None else unusable(file)
        except (RasterioError, CRSError) as error:
            raise LayoutError(type(error).__name__) from error
        if reason is not None:
            raise LayoutError(reason)
        yield file


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
