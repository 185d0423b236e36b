"""Cover: what stands on a seen polygon, so that water, houses and woods are not called fields.

Owns the greenest, the least green and the mean near infrared of each pixel, gathered from what the
network reads anyway, and the words for a polygon. It knows no crop: which crop is a classifier's
question. Grass, orchards and crops are fields, each an area of its own.

Source: Tucker (1979) Remote Sens. Environ. 8 for NDVI; woods reflect less near infrared than grass
because their crowns shade each other (thresholds: settings, set on two areas of Germany).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from fieldline.crops.segment.on_disk import let_go, raster_on_disk
from fieldline.crops.segment.pairs import UPSCALE
from fieldline.crops.segment.stack import Block
from fieldline.crops.settings import SegmentSettings
from fieldline.pipeline.imagery.grid import Grid

CROP, GREEN, WOOD, WATER, BARE, UNKNOWN = "crop", "green", "wood", "water", "bare", ""
COVERS = (CROP, GREEN, WOOD, WATER, BARE, UNKNOWN)
NO_FIELD = frozenset({WOOD, WATER, BARE})
"""Covers that are no field; `bare` land (houses, roads, greenhouses, idle land) was never green."""
FEWEST_OVER = 3
"""Dates without which nobody can say that land was never green, or never bare."""
_RED, _NIR = "B04", "B08"
STRIP = 512
"""Rows of a county's rasters that are held at once."""


class Greenness:
    """Greenest and least green NDVI and mean near infrared of a grid's pixels, on disk.

    Args:
        grid: The grid.
        bands: Bands of the blocks; without red and near infrared nothing is gathered.
        folder: Where the raster lies.
    """

    def __init__(self, grid: Grid, bands: Sequence[str], folder: Path) -> None:
        self.known = _RED in bands and _NIR in bands
        if self.known:
            self._at = (bands.index(_RED), bands.index(_NIR))
            size = (3, grid.height, grid.width)
            self.raster = raster_on_disk(folder / "green.npy", np.float32, size)
            self.raster[:] = np.nan
            let_go(self.raster)

    def add(self, window: Window, block: Block, halo: int) -> None:
        """Take the core of a block of reflectances.

        Args:
            window: Its core on the grid; what lies beyond the grid is left out.
            block: (dates, bands, rows, columns), the core with its halo.
            halo: Width of the halo, pixels.
        """
        if not self.known:
            return
        top, left = int(window.row_off), int(window.col_off)
        into = self.raster[:, top : top + int(window.height), left : left + int(window.width)]
        rows, columns = into.shape[1:]
        core = block[:, :, halo : halo + rows, halo : halo + columns]
        into[:] = _summary(core[:, self._at[0]], core[:, self._at[1]])
        let_go(self.raster)

    def of_labels(self, labels: NDArray[np.int32]) -> NDArray[np.float64] | None:
        """Return (3, regions) means by region number from 0 on, NaN where a region was not seen."""
        if not self.known:
            return None
        fine = labels[::UPSCALE, ::UPSCALE]
        size = int(labels.max()) + 1
        count, sums = np.zeros(size), np.zeros((3, size))
        for top in range(0, len(fine), STRIP):
            layers = np.asarray(self.raster[:, top : top + STRIP])
            seen = np.isfinite(layers).all(axis=0)
            region = fine[top : top + STRIP][seen]
            count += np.bincount(region, minlength=size)
            sums += [np.bincount(region, layer[seen], size) for layer in layers]
            let_go(self.raster)
        with np.errstate(invalid="ignore"):
            return np.asarray(sums / np.where(count > 0, count, np.nan))


def _summary(red: NDArray[Any], nir: NDArray[Any]) -> NDArray[Any]:
    """Return greenest, least green and mean near infrared; NaN where no date is clear."""
    total = red + nir
    ndvi = np.where(total > 0, (nir - red) / np.where(total > 0, total, 1.0), np.nan)
    clear = np.isfinite(ndvi)
    count = clear.sum(axis=0)
    high = np.where(clear, ndvi, -np.inf).max(axis=0)
    low = np.where(clear, ndvi, np.inf).min(axis=0)
    mean = np.where(clear, nir, 0.0).sum(axis=0) / np.maximum(count, 1)
    return np.where(count > 0, np.stack([high, low, mean]), np.nan)


def covers_of(
    means: NDArray[np.float64] | None, count: int, settings: SegmentSettings, *, over: bool
) -> NDArray[Any]:
    """Return the cover of each region.

    Args:
        means: (3, regions) greenest and least green NDVI and near infrared; None where unknown.
        count: Regions, where `means` is None.
        settings: Thresholds.
        over: Whether the season is over: land that is not yet green is not yet bare, and a young
            winter crop that was never seen bare is no wood.
    """
    if means is None:
        return np.full(count, UNKNOWN, dtype=object)
    high, low, nir = means
    found = np.full(len(high), CROP, dtype=object)
    found[low > settings.always_green] = GREEN
    if over:
        found[(low > settings.wood_green) & (nir < settings.wood_nir)] = WOOD
    never = high < settings.least_green
    found[never] = BARE if over else UNKNOWN
    found[never & (nir < settings.water_nir)] = WATER
    found[~np.isfinite(high)] = UNKNOWN
    return found
