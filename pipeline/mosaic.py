"""One solar day of scenes as an array on the county grid.

Owns opening COGs, laying them onto the grid and merging same-day items pixel by pixel (first clear
pixel in the day's order). The one idea: nearest neighbour everywhere, so no pixel value is invented
across a field border, and a 20 m pixel keeps its exact area weight.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import CRSError, RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from pipeline.archive import Asset, SceneItem
from pipeline.errors import ProviderError
from pipeline.grid import Bounds, Grid
from pipeline.masks import clear_pixels, mask_asset
from pipeline.scenes import SceneDay
from pipeline.settings import MaskSettings

#: GDAL options of every read. One decode thread, for the threads are ours; no directory listing
#: at each open; a small block cache, because windows follow the tiles and no tile is read twice.
GDAL_OPTIONS = {
    "GDAL_NUM_THREADS": "1",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_CACHEMAX": 64 * 2**20,
}
_OPEN_ITEMS = 8  # bounds open files on days of hundreds of chips; wall-to-wall days have 1 to 4
_TIE = 1e-9  # pixels; decides ties of grids shifted by exactly half a pixel, the same everywhere
_OUTER_POINTS = 21  # points per edge when a footprint's box is projected (rasterio's own default)

Found = tuple[NDArray[Any], NDArray[np.bool_]]
"""Raw numbers and where the file has data, both (rows, columns)."""


class SceneReadError(ProviderError):
    """An item of a day that cannot be read."""

    def __init__(self, item_id: str, asset: str, reason: str) -> None:
        self.item_id, self.asset, self.reason = item_id, asset, reason
        super().__init__(f"scene {item_id}, asset {asset}: {reason}")


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


class DayReader:
    """Reads the windows of one day; keeps the day's files open between windows.

    Not to be shared by threads: each date is read by one thread from beginning to end.
    """

    def __init__(self, day: SceneDay, grid: Grid, bands: Sequence[str], mask: MaskSettings) -> None:
        self._grid = grid
        self._bands = tuple(bands)
        self._mask = mask
        self._boxes = [(item, _projected(item.footprint.bounds, grid.crs)) for item in day.items]
        self._open: OrderedDict[str, _ItemReader] = OrderedDict()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(rasterio.Env(**GDAL_OPTIONS))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._open:
            self._open.popitem()[1].close()
        self._stack.close()

    def touches(self, window: Window) -> bool:
        """Whether any footprint's box overlaps the window."""
        edges = self._grid.window_bounds(window)
        return any(_overlap(box, edges) for _, box in self._boxes)

    def read(self, window: Window) -> NDArray[np.float32]:
        """Read one window as `read_day` does."""
        edges = self._grid.window_bounds(window)
        shape = (len(self._bands), int(window.height), int(window.width))
        block = np.full(shape, np.nan, dtype=np.float32)
        for item, box in self._boxes:
            if _overlap(box, edges):
                self._lay(self._reader(item), window, block)
        return block

    def _lay(self, reader: _ItemReader, window: Window, block: NDArray[np.float32]) -> None:
        part = _common(reader.extent, window)
        if part is None:
            return
        row, column = int(part.row_off - window.row_off), int(part.col_off - window.col_off)
        view = block[:, row : row + int(part.height), column : column + int(part.width)]
        empty = np.isnan(view[0])
        if empty.any():
            reader.fill(part, view, empty)

    def _reader(self, item: SceneItem) -> _ItemReader:
        reader = self._open.pop(item.id, None) or _ItemReader(
            item, self._grid, self._bands, self._mask
        )
        self._open[item.id] = reader
        if len(self._open) > _OPEN_ITEMS:
            self._open.popitem(last=False)[1].close()
        return reader


class _ItemReader:
    """The open files of one item."""

    def __init__(
        self, item: SceneItem, grid: Grid, bands: Sequence[str], mask: MaskSettings
    ) -> None:
        self._item, self._grid, self._mask = item, grid, mask
        self._sources: list[_GridSource] = []
        try:
            self._bands = [self._opened(band) for band in bands]
            name = mask_asset(mask)
            self._clear = self._opened(name) if name else None
        except SceneReadError:
            self.close()
            raise
        self.extent = self._bands[0].extent

    def fill(self, window: Window, view: NDArray[np.float32], wanted: NDArray[np.bool_]) -> None:
        """Put reflectance into `view` where `wanted` and clear; a hidden window reads no band."""
        usable = wanted
        if self._clear is not None:
            usable = usable & clear_pixels(*self._clear.read(window), self._mask)
        if not usable.any():
            return
        values = np.empty(view.shape, dtype=np.float32)
        for index, source in enumerate(self._bands):
            numbers, present = source.read(window)
            usable = usable & present
            values[index] = source.asset.radiometry.reflectance(numbers)
        np.copyto(view, values, where=usable)

    def close(self) -> None:
        while self._sources:
            self._sources.pop().close()

    def _opened(self, band: str) -> _GridSource:
        asset = self._item.find(band)
        if asset is None:
            raise SceneReadError(self._item.id, band, "asset_missing")
        source = _GridSource(self._item.id, asset, self._grid)
        self._sources.append(source)
        return source


class _GridSource:
    """One raster file seen on the county grid by nearest neighbour."""

    def __init__(self, item_id: str, asset: Asset, grid: Grid) -> None:
        self.asset = asset
        self._item_id = item_id
        self._grid = grid
        self._stack = ExitStack()
        try:
            self._open(grid)
        except (RasterioError, CRSError) as error:
            self._stack.close()
            raise self._failure(error) from error

    def _open(self, grid: Grid) -> None:
        dataset = self._stack.enter_context(rasterio.open(self.asset.href))
        self._alpha = False
        if not _north_up_in(dataset, _crs(grid.crs)):
            dataset = self._stack.enter_context(self._warped(dataset, grid))
        self._dataset = dataset
        self._nodata = dataset.nodata
        self.extent: Window | None = grid.window_of(tuple(dataset.bounds))

    def _warped(self, dataset: Any, grid: Grid) -> WarpedVRT:
        """Return the file on the grid's own pixels, over its own extent only."""
        if dataset.crs is None:
            raise CRSError("file has no CRS")
        outer = transform_bounds(dataset.crs, grid.crs, *dataset.bounds, densify_pts=_OUTER_POINTS)
        window = grid.window_of(outer) or Window(0, 0, 1, 1)
        nodata = dataset.nodata if dataset.nodata is not None else self.asset.radiometry.nodata
        self._alpha = nodata is None
        return WarpedVRT(
            dataset,
            crs=_crs(grid.crs),
            transform=grid.transform * Affine.translation(window.col_off, window.row_off),
            width=int(window.width),
            height=int(window.height),
            resampling=Resampling.nearest,
            src_nodata=nodata,
            nodata=nodata,
            add_alpha=self._alpha,
        )

    def read(self, window: Window) -> Found:
        """Read raw numbers of a grid window and where there are any."""
        transform = self._dataset.transform
        left, top = self._grid.transform * (window.col_off, window.row_off)
        step = self._grid.resolution
        columns = _nearest(left - transform.c, step, transform.a, int(window.width))
        rows = _nearest(transform.f - top, step, -transform.e, int(window.height))
        return self._pick(rows, columns)

    def _pick(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Found:
        inside_rows = (rows >= 0) & (rows < self._dataset.height)
        inside_columns = (columns >= 0) & (columns < self._dataset.width)
        shape = (rows.size, columns.size)
        if not (inside_rows.any() and inside_columns.any()):
            return np.zeros(shape, self._dataset.dtypes[0]), np.zeros(shape, dtype=bool)
        found, present = self._file_window(rows[inside_rows], columns[inside_columns])
        if found.shape == shape:
            return found, present
        numbers, data = np.zeros(shape, found.dtype), np.zeros(shape, dtype=bool)
        target = np.ix_(inside_rows, inside_columns)
        numbers[target], data[target] = found, present
        return numbers, data

    def _file_window(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Found:
        height, width = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
        window = Window(int(columns[0]), int(rows[0]), width, height)
        try:
            numbers = self._dataset.read(1, window=window)
            present = ~self.asset.radiometry.missing(numbers)
            if self._alpha:
                present &= self._dataset.read(2, window=window) > 0
        except RasterioError as error:
            raise self._failure(error) from error
        if self._nodata is not None and self._nodata != self.asset.radiometry.nodata:
            present &= numbers != self._nodata
        if (height, width) == (rows.size, columns.size):
            return numbers, present
        picked = np.ix_(rows - rows[0], columns - columns[0])
        return numbers[picked], present[picked]

    def _failure(self, error: Exception) -> SceneReadError:
        return SceneReadError(self._item_id, self.asset.key, type(error).__name__)

    def close(self) -> None:
        self._stack.close()


def _nearest(lead: float, step: float, pixel: float, count: int) -> NDArray[np.intp]:
    """Return the file index under each grid pixel's centre; `lead` is grid edge minus file edge."""
    centres = lead + (np.arange(count) + 0.5) * step
    return np.floor(centres / pixel + _TIE).astype(np.intp)


def _north_up_in(dataset: Any, crs: CRS) -> bool:
    transform = dataset.transform
    upright = transform.b == 0 and transform.d == 0 and transform.a > 0 and transform.e < 0
    return bool(dataset.crs == crs and upright)


@cache
def _crs(name: str) -> CRS:
    return CRS.from_user_input(name)


@cache
def _to_grid(crs: str) -> Transformer:
    return Transformer.from_crs("EPSG:4326", crs, always_xy=True)


def _projected(bounds: Bounds, crs: str) -> Bounds:
    box = _to_grid(crs).transform_bounds(*bounds, densify_pts=_OUTER_POINTS)
    return (float(box[0]), float(box[1]), float(box[2]), float(box[3]))


def _overlap(first: Bounds, second: Bounds) -> bool:
    apart = (
        first[2] <= second[0]
        or second[2] <= first[0]
        or first[3] <= second[1]
        or second[3] <= first[1]
    )
    return not apart


def _common(extent: Window | None, window: Window) -> Window | None:
    if extent is None:
        return None
    row, column = max(extent.row_off, window.row_off), max(extent.col_off, window.col_off)
    height = min(extent.row_off + extent.height, window.row_off + window.height) - row
    width = min(extent.col_off + extent.width, window.col_off + window.width) - column
    return Window(column, row, width, height) if height > 0 and width > 0 else None
