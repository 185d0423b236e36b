"""Pictures of one clear day under the map of the county report.

Owns which day and which parts of the county are pictured. Where the parcels lie close together that
is the whole county; where they are scattered it is the land around each group of them, so that a
parcel is as sharp in a county of 100 km as in one of 5 km and the page stays small. Pixels are read
block by block and thinned at once: memory is that of the pictures, however far the county reaches.
"""

from __future__ import annotations

import base64
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from fieldline.pipeline.imagery.grid import Grid
from fieldline.pipeline.imagery.mosaic import DayReader, SceneReadError
from fieldline.pipeline.imagery.scene_days import SceneDay, read_scene_days
from fieldline.pipeline.imagery.settings import SceneSettings

AROUND_M = 250.0
"""Land shown around a parcel; parcels closer than twice this share a picture."""
MOST_PIXELS = 3_000_000
"""Pixels of all pictures together, which bounds the page."""
_TRUE_COLOUR = ("B04", "B03", "B02")
_QUALITY = 80
_COMPARED = 12
"""Blocks on which days are compared."""
_BLOCK = 512
"""Edge of the blocks that are read at once, pixels."""
_NO_PIXEL = 230
Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Picture:
    """A part of the county as a data URI, placed in metres of the grid's CRS."""

    href: str
    west: float
    north: float
    width: float
    height: float


def backdrop(
    scenes_file: Path, parcels: gpd.GeoDataFrame, grid: Grid, scenes: SceneSettings
) -> tuple[Picture, ...]:
    """Return pictures of the clearest day in the middle of the season.

    Args:
        scenes_file: `scenes.parquet`.
        parcels: Outlines in any CRS.
        grid: County grid.
        scenes: Bands and mask of the county.

    Returns:
        None where the scenes lack a visible band or show nothing.
    """
    if not set(_TRUE_COLOUR) <= set(scenes.bands):
        return ()
    windows = shown_windows(parcels, grid)
    compared = _spread(windows)
    best: SceneDay | None = None
    most = 0.0
    for day in _middle_days(read_scene_days(scenes_file)):
        read = _read(day, grid, compared, 1, scenes)
        clear = sum(int(np.isfinite(pixels[0]).sum()) for pixels in read)
        share = clear / max(1, sum(map(_pixels, compared)))
        if share > most:
            best, most = day, share
    if best is None:
        return ()
    return _pictures(_read(best, grid, windows, _thinning(windows), scenes), windows, grid)


def shown_windows(parcels: gpd.GeoDataFrame, grid: Grid) -> list[Window]:
    """Return the windows of the grid that are pictured: all of it, or around each group."""
    whole = Window(0, 0, grid.width, grid.height)
    if grid.width * grid.height <= MOST_PIXELS:
        return [whole]
    around = parcels.to_crs(grid.crs).geometry.buffer(AROUND_M).envelope.union_all()
    groups = [grid.window_of(part.bounds) for part in getattr(around, "geoms", [around])]
    windows = [window for window in groups if window is not None]
    return windows if sum(map(_pixels, windows)) < _pixels(whole) else [whole]


def _pixels(window: Window) -> int:
    return int(window.width) * int(window.height)


def _middle_days(days: list[SceneDay]) -> list[SceneDay]:
    """Return at most six days spread over the middle of the season, when crops stand."""
    middle = days[len(days) // 3 : -(len(days) // 6) or None]
    step = max(1, len(middle) // 6)
    return middle[::step]


def _spread(windows: Sequence[Window]) -> list[Window]:
    """Return some blocks of the windows, spread over them all, the largest windows first."""
    order = sorted(windows, key=_pixels, reverse=True)
    blocks = [block for window in order for block in _blocks(window, _BLOCK)]
    chosen = np.unique(np.linspace(0, len(blocks) - 1, min(_COMPARED, len(blocks))).astype(int))
    return [blocks[at] for at in chosen]


def _blocks(window: Window, edge: int) -> Iterator[Window]:
    """Yield the blocks of a window row by row, from its own corner."""
    height, width = int(window.height), int(window.width)
    for row in range(0, height, edge):
        for column in range(0, width, edge):
            yield Window(
                window.col_off + column, window.row_off + row,
                min(edge, width - column), min(edge, height - row),
            )  # fmt: skip


def _thinning(windows: Sequence[Window]) -> int:
    """Return every how many pixels one is kept, so that all windows keep within the budget."""
    step = max(1, math.floor(math.sqrt(sum(map(_pixels, windows)) / MOST_PIXELS)))
    while sum(math.prod(_thinned(window, step)) for window in windows) > MOST_PIXELS:
        step += 1
    return step


def _thinned(window: Window, step: int) -> tuple[int, int]:
    return -(-int(window.height) // step), -(-int(window.width) // step)


def _read(
    day: SceneDay, grid: Grid, windows: Sequence[Window], step: int, scenes: SceneSettings
) -> list[Pixels]:
    """Read windows of a day without the items that cannot be read, one pixel in `step`."""
    while True:
        try:
            with DayReader(day, grid, _TRUE_COLOUR, scenes.mask) as reader:
                return [_read_thinned(reader, window, step) for window in windows]
        except SceneReadError as failure:
            day = day.without(failure.item_id)


def _read_thinned(reader: DayReader, window: Window, step: int) -> Pixels:
    pixels = np.empty((len(_TRUE_COLOUR), *_thinned(window, step)), dtype=np.float32)
    edge = max(1, _BLOCK // step) * step
    for block in _blocks(window, edge):
        row, column = (int(block.row_off - window.row_off) // step,
                       int(block.col_off - window.col_off) // step)  # fmt: skip
        part = reader.read(block)[:, ::step, ::step]
        pixels[:, row : row + part.shape[1], column : column + part.shape[2]] = part
    return pixels


def _pictures(read: Sequence[Pixels], windows: Sequence[Window], grid: Grid) -> tuple[Picture, ...]:
    """Draw windows between the 2nd and 98th percentile of them all, missing pixels light grey."""
    known = np.concatenate([pixels[np.isfinite(pixels)] for pixels in read])
    low, high = np.percentile(known, [2, 98])
    drawn = []
    for pixels, window in zip(read, windows, strict=True):
        if not np.isfinite(pixels).any():
            continue
        scaled = np.clip((pixels - low) / max(high - low, 1e-6), 0, 1) ** 0.8
        shown = np.where(np.isfinite(pixels), scaled * 255, _NO_PIXEL).astype(np.uint8)
        west, south, east, north = grid.window_bounds(window)
        drawn.append(Picture(_jpeg(shown), west, north, east - west, north - south))
    return tuple(drawn)


def _jpeg(pixels: NDArray[np.uint8]) -> str:
    profile = {"driver": "JPEG", "dtype": "uint8", "count": 3, "quality": _QUALITY}
    with warnings.catch_warnings(), rasterio.MemoryFile() as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a picture needs no CRS
        with memory.open(width=pixels.shape[2], height=pixels.shape[1], **profile) as file:
            file.write(pixels)
        return "data:image/jpeg;base64," + base64.b64encode(memory.read()).decode("ascii")
