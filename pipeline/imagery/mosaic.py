"""One solar day of scenes as an array on the county grid.

Owns opening COGs, laying them onto the grid and merging same-day items pixel by pixel (first clear
pixel in the day's order). The one idea: nearest neighbour everywhere, so no pixel value is invented
across a field border, and a 20 m pixel keeps its exact area weight.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj.exceptions import ProjError
from rasterio.errors import CRSError, RasterioError
from rasterio.windows import Window

from fieldline.pipeline.imagery.archive import Asset, SceneItem
from fieldline.pipeline.imagery.grid import Bounds, Grid
from fieldline.pipeline.imagery.masks import clear_pixels, mask_asset
from fieldline.pipeline.imagery.rasters import GDAL_OPTIONS, unusable
from fieldline.pipeline.imagery.resample import (
    FileGeometry,
    Lookup,
    grid_extent,
    lookup,
    project_bounds,
)
from fieldline.pipeline.imagery.scenes import SceneDay
from fieldline.pipeline.imagery.settings import MaskSettings
from fieldline.pipeline.records.errors import ProviderError

_WIDEST = 60.0  # degrees; a swath of any land satellite stays far below, except at the poles
_OPEN_ITEMS = 8  # bounds open files on days of hundreds of chips; wall-to-wall days have 1 to 4

Found = tuple[NDArray[Any], NDArray[np.bool_]]
"""Raw numbers and where the file has data, both (rows, columns)."""


class SceneReadError(ProviderError):
    """An item of a day that cannot be read."""

    def __init__(self, item_id: str, asset: str, reason: str) -> None:
        self.item_id, self.asset, self.reason = item_id, asset, reason
        super().__init__(f"scene {item_id}, asset {asset}: {reason}")

    def __reduce__(self) -> tuple[type[SceneReadError], tuple[str, str, str]]:
        """Return how it is made again: workers of a scheduler send it home."""
        return type(self), (self.item_id, self.asset, self.reason)


def read_day(
    day: SceneDay, grid: Grid, window: Window, bands: Sequence[str], mask: MaskSettings
) -> NDArray[np.float32]:
    """Read one window of one day.

    Args:
        day: The day's items, best first.
        grid: The county grid.
        window: Part of the grid, pixels.
        bands: Sentinel-2 band names.
        mask: How clear pixels are told.

    Returns:
        Reflectance, (bands, rows, columns) float32; NaN in all bands where any band is missing,
        where no item is clear and outside every footprint.

    Raises:
        SceneReadError: A file of an item that touches the window cannot be read.
    """
    with DayReader(day, grid, bands, mask) as reader:
        return reader.read(window)


def read_readable(
    day: SceneDay, grid: Grid, window: Window, bands: Sequence[str], mask: MaskSettings
) -> NDArray[np.float32]:
    """Read one window of one day as `read_day` does, without the items that cannot be read.

    For pictures: which items failed is told where the day is observed.
    """
    while True:
        try:
            return read_day(day, grid, window, bands, mask)
        except SceneReadError as failure:
            day = day.without(failure.item_id)


class DayReader:
    """Reads the windows of one day; keeps the day's files open between windows.

    Not to be shared by threads: each date is read by one thread from beginning to end.
    """

    def __init__(self, day: SceneDay, grid: Grid, bands: Sequence[str], mask: MaskSettings) -> None:
        self._grid = grid
        self._bands = tuple(bands)
        self._mask = mask
        self._boxes = [(item, _box(item, grid)) for item in day.items]
        self._open: OrderedDict[str, _ItemReader] = OrderedDict()
        self._environment = rasterio.Env(**GDAL_OPTIONS)

    def __enter__(self) -> Self:
        self._environment.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._open:
            self._open.popitem()[1].close()
        self._environment.__exit__(kind, error, trace)

    def touches(self, window: Window) -> bool:
        """Whether any footprint's box overlaps the window."""
        edges = self._grid.window_bounds(window)
        return any(_overlap(box, edges) for _, box in self._boxes)

    def read(self, window: Window) -> NDArray[np.float32]:
        """Read one window as `read_day` does."""
        edges = self._grid.window_bounds(window)
        shape = int(window.height), int(window.width)
        block = np.empty((len(self._bands), *shape), dtype=np.float32)
        empty = np.ones(shape, dtype=bool)
        for item, box in self._boxes:
            if _overlap(box, edges):
                self._lay(self._reader(item), window, block, empty)
        if empty.any():
            np.copyto(block, np.float32(np.nan), where=empty)
        return block

    def _lay(
        self,
        reader: _ItemReader,
        window: Window,
        block: NDArray[np.float32],
        empty: NDArray[np.bool_],
    ) -> None:
        """Fill the still empty pixels of a block from one item."""
        part = _common(reader.extent, window)
        if part is None:
            return
        row, column = int(part.row_off - window.row_off), int(part.col_off - window.col_off)
        place = np.s_[row : row + int(part.height), column : column + int(part.width)]
        if empty[place].any():
            reader.fill(part, block[:, *place], empty[place])

    def _reader(self, item: SceneItem) -> _ItemReader:
        reader = self._open.pop(item.id, None) or _ItemReader(
            item, self._grid, self._bands, self._mask
        )
        self._open[item.id] = reader
        if len(self._open) > _OPEN_ITEMS:
            self._open.popitem(last=False)[1].close()
        return reader


class _ItemReader:
    """The open files of one item; bands are opened only where the mask shows a clear pixel."""

    def __init__(
        self, item: SceneItem, grid: Grid, bands: Sequence[str], mask: MaskSettings
    ) -> None:
        self._item, self._grid, self._mask = item, grid, mask
        self._bands = bands
        self._mask_name = mask_asset(mask)
        self._files: dict[str, _BandFile] = {}
        self._lookups: dict[FileGeometry, Lookup | None] = {}
        self._window: Window | None = None
        first = self._file(self._mask_name or bands[0])
        try:
            self.extent = grid_extent(first.geometry, grid)
        except ProjError as error:
            raise first.failure("crs_unknown") from error

    def fill(self, window: Window, view: NDArray[np.float32], empty: NDArray[np.bool_]) -> None:
        """Put reflectance into `view` where `empty` and clear, and mark it as no longer empty."""
        usable = empty.copy()
        if self._mask_name is not None:
            usable &= clear_pixels(*self._read(self._mask_name, window), self._mask)
        if not usable.any():
            return
        # The first item writes straight into the block: what is not clear stays marked as empty.
        values = view if empty.all() else np.empty(view.shape, dtype=np.float32)
        for index, band in enumerate(self._bands):
            numbers, present = self._read(band, window)
            usable &= present
            self._file(band).asset.radiometry.reflectance(numbers, out=values[index])
        if values is not view:
            np.copyto(view, values, where=usable)
        empty &= ~usable

    def close(self) -> None:
        while self._files:
            self._files.popitem()[1].close()

    def _read(self, band: str, window: Window) -> Found:
        file = self._file(band)
        try:
            place = self._lookup(file.geometry, window)
        except ProjError as error:
            raise file.failure("crs_unknown") from error
        if place is None:
            shape = (int(window.height), int(window.width))
            return np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=bool)
        numbers, present = file.read(place.source)
        return place.pick(numbers), place.within(place.pick(present))

    def _lookup(self, geometry: FileGeometry, window: Window) -> Lookup | None:
        if window != self._window:
            self._window = window
            self._lookups.clear()
        if geometry not in self._lookups:
            self._lookups[geometry] = lookup(geometry, self._grid, window)
        return self._lookups[geometry]

    def _file(self, band: str) -> _BandFile:
        if band not in self._files:
            asset = self._item.find(band)
            if asset is None:
                raise SceneReadError(self._item.id, band, "asset_missing")
            self._files[band] = _BandFile(self._item.id, asset)
        return self._files[band]


class _BandFile:
    """One open raster file; every failure names its item and asset."""

    def __init__(self, item_id: str, asset: Asset) -> None:
        self.asset = asset
        self._item_id = item_id
        try:
            self._dataset = rasterio.open(asset.href)
            crs = self._dataset.crs
            reason = "no_crs" if crs is None else unusable(self._dataset)
            words = "" if crs is None else crs.to_wkt()
        except (RasterioError, CRSError) as error:
            raise self.failure(type(error).__name__) from error
        if reason is not None:
            self._dataset.close()
            raise self.failure(reason)
        self._nodata = self._dataset.nodata
        self.geometry = FileGeometry(
            words, self._dataset.transform, self._dataset.height, self._dataset.width
        )

    def read(self, window: Window) -> Found:
        """Read raw numbers of a file window and where there are any."""
        try:
            numbers = self._dataset.read(1, window=window)
        except RasterioError as error:
            raise self.failure(type(error).__name__) from error
        present = self.asset.radiometry.present(numbers)
        if self._nodata is not None and self._nodata != self.asset.radiometry.nodata:
            present &= numbers != self._nodata
        return numbers, present

    def close(self) -> None:
        self._dataset.close()

    def failure(self, reason: str) -> SceneReadError:
        """Return the error of this file, to be raised."""
        return SceneReadError(self._item_id, self.asset.key, reason)


def _box(item: SceneItem, grid: Grid) -> Bounds:
    """Return the item's box on the grid's CRS; everywhere for one that no metric CRS can hold.

    The edges of half a world, projected, enclose some other part of it without an error.
    """
    west, south, east, north = item.footprint.bounds
    if east - west > _WIDEST or max(-south, north) > 90 - 1:
        return -math.inf, -math.inf, math.inf, math.inf
    return project_bounds((west, south, east, north), grid.crs)


def _overlap(first: Bounds, second: Bounds) -> bool:
    across = first[0] < second[2] and second[0] < first[2]
    return across and first[1] < second[3] and second[1] < first[3]


def _common(extent: Window | None, window: Window) -> Window | None:
    if extent is None:
        return None
    row, column = max(extent.row_off, window.row_off), max(extent.col_off, window.col_off)
    height = min(extent.row_off + extent.height, window.row_off + window.height) - row
    width = min(extent.col_off + extent.width, window.col_off + window.width) - column
    return Window(column, row, width, height) if height > 0 and width > 0 else None
