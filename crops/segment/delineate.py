"""Delineation: from open scenes and a network to the field polygons of a grid.

Owns the order of work and its memory. Large grids are merged in blocks with a wide halo; a region
belongs to the block that holds its middle and is painted once, so that blocks leave neither gaps of
their own nor overlaps.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from rasterio import Affine
from scipy import ndimage

from fieldline.crops.networks.machine import Machine
from fieldline.crops.segment.cover import STRIP, UNKNOWN, Greenness, covers_of
from fieldline.crops.segment.on_disk import let_go
from fieldline.crops.segment.pairs import MIDDLE, NEAR, UPSCALE
from fieldline.crops.segment.polygons import mean_inside, polygons_of
from fieldline.crops.segment.predict import Wanted, predict
from fieldline.crops.segment.regions import (
    Labels,
    basins,
    border_map,
    largest_pieces,
    likeliest,
    merged,
)
from fieldline.crops.segment.stack import Scenes
from fieldline.crops.settings import SegmentSettings
from fieldline.pipeline.imagery.grid import Grid, lattice

BLOCK, MARGIN = 2048, 256
"""Edge and halo of the blocks in which regions are merged, output pixels (10 km and 1.3 km)."""

_OF_THREE = 2 / 3
"""Where a network learnt three kinds of pairs (same field, border, no field), each counting alike,
chance is one in three, not one in two."""


@dataclass(frozen=True)
class Delineated:
    """The regions of a grid."""

    labels: Labels
    """(2 x rows, 2 x columns); 0 where nothing was seen or too little is there to be a field."""
    confidence: NDArray[np.float64]
    """Mean same-field probability of neighbours inside, by region number from 0 on."""
    cover: NDArray[Any] | None = None
    """What stands on a region (`cover`), by region number from 0 on; None where nobody looked."""


def fine_transform(grid: Grid) -> Affine:
    """Return the transform of the output grid."""
    return grid.transform @ Affine.scale(1 / UPSCALE)


def delineate(
    module: Any, scenes: Scenes, machine: Machine, settings: SegmentSettings,
    wanted: Wanted | None = None, *, over: bool = True,
) -> Delineated:  # fmt: skip
    """Return the regions of a grid by a network.

    Args:
        module: A `PairNetwork`.
        scenes: The dates, open.
        machine: Where it runs.
        settings: Tiles, threshold and least area.
        wanted: Tiles that are needed; all where None.
        over: Whether the season is over, so that land which never turned green is no field.

    Raises:
        UserError: No date is clear, or the scenes hold no reflectances.
    """
    with tempfile.TemporaryDirectory() as folder:
        green = Greenness(scenes.grid, scenes.bands, Path(folder))
        raster = predict(
            module, scenes, scenes.scaling(), machine, Path(folder) / "pairs.npy",
            tile=settings.tile, halo=settings.halo, batch=settings.batch, wanted=wanted,
            watch=green.add,
        )  # fmt: skip
        pixel = scenes.grid.resolution / UPSCALE
        found = regions_of(raster, settings, pixel, complete=module.complete)
        count = len(found.confidence)
        cover = covers_of(green.of_labels(found.labels), count, settings, over=over)
        return replace(found, cover=cover)


def regions_of(
    raster: NDArray[np.uint8], settings: SegmentSettings, pixel: float, *, complete: bool = False
) -> Delineated:
    """Return the regions of a raster of pair probabilities.

    Args:
        raster: (pairs, rows, columns) uint8.
        settings: Threshold and least area.
        pixel: Edge of an output pixel, m.
        complete: Whether the network knows land that is no field (`Architecture.complete`):
            what lies in no field is taken off the regions then, and regions that hold mostly such
            land are none.
    """
    rows, columns = raster.shape[1:]
    labels = np.zeros((rows, columns), np.int32)
    used = 0
    for top, high in lattice(rows, BLOCK, 0):
        for left, wide in lattice(columns, BLOCK, 0):
            window = (
                slice(max(0, top - MARGIN), min(rows, top + high + MARGIN)),
                slice(max(0, left - MARGIN), min(columns, left + wide + MARGIN)),
            )
            part = np.asarray(raster[:, *window], np.float32) / np.float32(255)
            let_go(raster)
            found = _block(part, settings, pixel, complete=complete)
            core = (top - window[0].start, left - window[1].start, high, wide)
            used = _paint(labels[window], found, core, used)
    return Delineated(labels, _confidence(labels, raster))


def _confidence(labels: Labels, raster: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean same-field probability of neighbours by region, from 0 on.

    Strip by strip: as one array the means of a county of 100 km would be 4 GB, and as much again
    each time that they are turned.
    """
    size = int(labels.max(initial=0)) + 1
    count, total = np.zeros((2, size))
    for top in range(0, len(labels), STRIP):
        strip = slice(top, top + STRIP)
        near = raster[list(NEAR), strip].sum(axis=0, dtype=np.uint16)
        count += np.bincount(labels[strip].ravel(), minlength=size)
        total += np.bincount(labels[strip].ravel(), near.ravel(), size)
        let_go(raster)
    return np.asarray(total / (255.0 * len(NEAR)) / np.maximum(count, 1))


def _block(
    probability: NDArray[np.float32], settings: SegmentSettings, pixel: float, *, complete: bool
) -> Labels:
    seen = probability[list(NEAR)].max(axis=0) > 0
    if not seen.any():
        return np.zeros(seen.shape, np.int32)
    border = border_map(probability, smooth=settings.smooth)
    stop = settings.stop * (_OF_THREE if complete else 1.0)
    labels = merged(basins(border), probability, stop)
    labels[~seen] = 0
    if complete:
        # Verges, yards and roads lie in basins of the fields beside them.
        labels[likeliest(probability) < stop] = 0
        labels = largest_pieces(labels)
    lost = np.bincount(labels.ravel()) * pixel**2 < settings.least_m2
    if complete:
        lost |= mean_inside(labels, probability[list(MIDDLE)].mean(axis=0)) < settings.stop
    labels[lost[labels]] = 0
    return labels


def _paint(labels: Labels, found: Labels, core: tuple[int, int, int, int], used: int) -> int:
    """Paint the regions whose middle lies in a block's core; return the last number given."""
    numbers = np.unique(found)
    numbers = numbers[numbers > 0]
    if not len(numbers):
        return used
    top, left, high, wide = core
    middle = np.asarray(ndimage.center_of_mass(np.ones(found.shape, np.uint8), found, numbers))
    inside = (middle[:, 0] >= top) & (middle[:, 0] < top + high)
    inside &= (middle[:, 1] >= left) & (middle[:, 1] < left + wide)
    renamed = np.zeros(int(found.max()) + 1, np.int32)
    renamed[numbers[inside]] = np.arange(used + 1, used + 1 + int(inside.sum()))
    new = renamed[found]
    free = (labels == 0) & (new > 0)
    labels[free] = new[free]
    return used + int(inside.sum())


def field_polygons(
    found: Delineated, grid: Grid, settings: SegmentSettings, prefix: str = "F"
) -> gpd.GeoDataFrame:
    """Return the regions as polygons with an id that says where they lie.

    Args:
        found: The regions.
        grid: The grid of the scenes.
        settings: Simplification and least area.
        prefix: First letter of the ids.

    Returns:
        `id`, `confidence`, `cover` and polygons in the grid's CRS.
    """
    frame = polygons_of(found.labels, fine_transform(grid), settings.simplify_m)
    frame = frame[frame.geometry.area >= settings.least_m2].reset_index(drop=True)
    number = frame["label"].to_numpy()
    frame["confidence"] = found.confidence[number]
    frame["cover"] = UNKNOWN if found.cover is None else found.cover[number]
    frame["id"] = [f"{prefix}{_place(geometry)}" for geometry in frame.geometry]
    return gpd.GeoDataFrame(frame.drop(columns="label"), geometry="geometry", crs=grid.crs)


def _place(outline: Any) -> str:
    """Return ten hex digits of where an outline lies: the same field keeps its id in a rerun."""
    return hashlib.sha256(outline.wkb).hexdigest()[:10]
