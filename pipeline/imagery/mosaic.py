"""One solar day of scenes as an array on the county grid.

Owns which item's pixel counts. Items of one overpass are one look at the ground: a pixel is clear
only where each of them that says anything says so, and their clouds reach over the items' edges; of
several products of one image the newest speaks. Another overpass fills what is left.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from fieldline.pipeline.imagery.archive import SceneItem
from fieldline.pipeline.imagery.grid import Bounds, Grid
from fieldline.pipeline.imagery.item_reader import ItemReader
from fieldline.pipeline.imagery.item_reader import SceneReadError as SceneReadError
from fieldline.pipeline.imagery.masks import Flags, mask_asset, spread
from fieldline.pipeline.imagery.placements import Placements
from fieldline.pipeline.imagery.rasters import GDAL_OPTIONS
from fieldline.pipeline.imagery.resample import project_bounds
from fieldline.pipeline.imagery.scene_days import SceneDay
from fieldline.pipeline.imagery.settings import MaskSettings
from fieldline.pipeline.imagery.spots import Cells, Spots

_WIDEST = 60.0  # degrees; a swath of any land satellite stays far below, except at the poles
_OPEN_ITEMS = 8  # bounds open files on days of hundreds of chips; wall-to-wall days have 1 to 4
#: Items this near in time are one overpass: a satellite is back after 100 minutes, its twin half an
#: orbit behind after 50.
_OVERPASS = dt.timedelta(minutes=15)


@dataclass(frozen=True)
class Look:
    """One window of one day, or the cells of it that were asked for."""

    values: NDArray[np.float32]
    """Reflectance, (bands, rows, columns) or (bands, cells); NaN in all bands where not clear."""
    snow: Flags
    """Where snow lay and nothing else was seen, (rows, columns) or (cells,)."""


@dataclass(frozen=True)
class _Votes:
    """What the masks of one overpass say together, of the pixels asked for."""

    clear: Flags
    snow: Flags
    own: tuple[tuple[SceneItem, Flags], ...]
    """Where each item's own mask is clear."""


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

    Args:
        day: The day's items, best first.
        grid: The county grid.
        bands: Sentinel-2 band names.
        mask: How clear pixels are told.
        placements: Shared by days of which the same windows and cells are read.
    """

    def __init__(
        self, day: SceneDay, grid: Grid, bands: Sequence[str], mask: MaskSettings,
        placements: Placements | None = None,
    ) -> None:  # fmt: skip
        self._grid = grid
        self._placements = placements or Placements(0)
        self._bands = tuple(bands)
        self._mask = mask
        self._reach = mask.dilation_m / grid.resolution
        self._passes = [
            [(item, item_box(item, grid)) for item in items] for items in overpasses(day.items)
        ]
        self._open: OrderedDict[str, ItemReader] = OrderedDict()
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
        return any(_overlap(box, edges) for items in self._passes for _, box in items)

    def read(self, window: Window) -> NDArray[np.float32]:
        """Read one window as `read_day` does."""
        return self.look(window).values

    def look(self, window: Window, cells: Cells | None = None) -> Look:
        """Read one window, and where snow lay on it.

        Args:
            window: Part of the grid, pixels.
            cells: The cells of it that are wanted, ascending; all where left out.
        """
        spots = Spots(window, cells)
        block = np.empty((len(self._bands), *spots.shape), dtype=np.float32)
        empty, snow = np.ones(spots.shape, dtype=bool), np.zeros(spots.shape, dtype=bool)
        for items in self._passes:
            self._lay(items, spots, block, empty, snow)
        if empty.any():
            np.copyto(block, np.float32(np.nan), where=empty)
        return Look(block, snow & empty)

    def _lay(
        self, items: Sequence[tuple[SceneItem, Bounds]], spots: Spots,
        block: NDArray[np.float32], empty: Flags, snow: Flags,
    ) -> None:  # fmt: skip
        """Fill the still empty pixels of a block from one overpass."""
        whole = np.ones_like(empty)
        near = [item for item, box in items if _overlap(box, self._edges(spots.window))]
        if mask_asset(self._mask) is None:
            votes = _Votes(whole, np.zeros_like(empty), tuple((item, whole) for item in near))
        elif empty.any():
            votes = self._votes(near, spots)
        else:
            return
        snow |= votes.snow
        for item, own in votes.own:
            part = _common(self._reader(item).extent, spots.window)
            if part is None:
                continue
            place, pixels = spots.within(part)
            still, view = empty[place], block[:, *place]
            if still.any():
                clear = votes.clear[place] & own[place]
                self._reader(item).fill(pixels, view, still, clear)
                if not isinstance(place[0], slice):  # chosen cells are a copy
                    empty[place], block[:, *place] = still, view

    def _votes(self, items: Sequence[SceneItem], spots: Spots) -> _Votes:
        """Hear the masks of one overpass on a window and as far around as a cloud reaches."""
        window = spots.window
        wide = self._widened(window)
        clear, refused, cloud, snow = np.zeros((4, *_shape(wide)), dtype=bool)
        spoken: dict[str, Flags] = {}
        inner, own = _within(window, wide), []
        for item in items:
            reader = self._reader(item)
            part = _common(reader.extent, wide)
            if part is None:
                continue
            planes, place = reader.planes(part), _within(part, wide)
            before = spoken.setdefault(item.acquisition or item.id, np.zeros_like(clear))[place]
            heard = planes.said & ~before
            before |= planes.said
            clear[place] |= heard & planes.clear
            refused[place] |= heard & ~planes.clear
            cloud[place] |= heard & planes.cloud
            snow[place] |= heard & planes.snow
            alone = np.zeros_like(clear)
            alone[place] = planes.clear
            own.append((item, spots.pick(alone[inner])))
        around = spread(cloud, self._reach)
        clear &= ~(refused | around)
        snow &= ~around
        return _Votes(spots.pick(clear[inner]), spots.pick(snow[inner]), tuple(own))

    def _edges(self, window: Window) -> Bounds:
        return self._grid.window_bounds(window)

    def _widened(self, window: Window) -> Window:
        """Return the window with as much around as a cloud reaches, within the grid."""
        reach = math.ceil(self._reach)
        left, top = max(0, window.col_off - reach), max(0, window.row_off - reach)
        right = min(self._grid.width, window.col_off + window.width + reach)
        bottom = min(self._grid.height, window.row_off + window.height + reach)
        return Window(left, top, right - left, bottom - top)

    def _reader(self, item: SceneItem) -> ItemReader:
        reader = self._open.pop(item.id, None) or ItemReader(
            item, self._grid, self._bands, self._mask, self._placements
        )
        self._open[item.id] = reader
        if len(self._open) > _OPEN_ITEMS:
            self._open.popitem(last=False)[1].close()
        return reader


def overpasses(items: Sequence[SceneItem]) -> list[list[SceneItem]]:
    """Return a day's items by overpass, each in the given order; that of the first item first."""
    number, last, places = -1, dt.datetime.min.replace(tzinfo=dt.UTC), dict[str, int]()
    for item in sorted(items, key=lambda item: item.datetime):
        number += item.datetime - last > _OVERPASS
        last, places[item.id] = item.datetime, number
    groups: dict[int, list[SceneItem]] = {}
    for item in items:
        groups.setdefault(places[item.id], []).append(item)
    return list(groups.values())


def _shape(window: Window) -> tuple[int, int]:
    return int(window.height), int(window.width)


def _within(part: Window, whole: Window) -> tuple[slice, slice]:
    """Return where a part lies in a window that holds it."""
    row, column = int(part.row_off - whole.row_off), int(part.col_off - whole.col_off)
    return slice(row, row + int(part.height)), slice(column, column + int(part.width))


def item_box(item: SceneItem, grid: Grid) -> Bounds:
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
