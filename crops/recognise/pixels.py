"""Pixel curves of each ring and of the land around it, streamed from the scene archive.

Owns the composites (largest clear NDVI per bin, which passes over missed clouds) and the choice of
pixels; it decides nothing about crops. The one idea: rings are worked on in neighbourhoods, as many
at once as a stated memory holds the composites of, whatever the number of dates and parcels; each
scene is opened once for all of them.

Source: Holben (1986) Characteristics of maximum-value composite images, Int. J. Remote Sens. 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from geopandas import GeoDataFrame
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy import ndimage

from fieldline.crops.series import Floats, fill_gaps, known_until, near_infrared, normalised
from fieldline.crops.settings import FieldsSettings
from fieldline.pipeline.imagery.coverage import CoverageWeights, build_weights
from fieldline.pipeline.imagery.grid import Grid
from fieldline.pipeline.imagery.mosaic import DayReader, SceneReadError, read_readable
from fieldline.pipeline.imagery.placements import Placements
from fieldline.pipeline.imagery.scene_days import SceneDay
from fieldline.pipeline.imagery.settings import SceneSettings
from fieldline.pipeline.records.settings import Season

Pixels = NDArray[np.float32]
Neighbourhood = tuple[list[int], Window]
"""Rings by their row of the weights, and the window that holds them with the land around."""

_UNSEEN = -2.0
_BYTES = np.dtype(np.float32).itemsize
_FULL = 0.999


@dataclass(frozen=True)
class RingPixels:
    """The pixels of one ring and of the land around it."""

    parcel_id: str
    coverage: Floats
    """(rows, columns) share of each pixel inside the ring; 0 for the land around it."""
    depth: Floats
    """(rows, columns) distance from the ring's edge, in whole pixels, 0 on the edge and outside."""
    curves: Floats
    """(rows, columns, bins) NDVI composites, gaps filled; NaN where a pixel was never clear."""
    seen_bins: int
    """Bins with at least one clear pixel of the ring."""


def ring_curves(
    rings: GeoDataFrame,
    grid: Grid,
    days: Sequence[SceneDay],
    scenes: SceneSettings,
    settings: FieldsSettings,
    season: Season,
) -> Iterator[RingPixels]:
    """Yield the pixel curves of every ring.

    Args:
        rings: Polygons in the grid's CRS with `parcel_id`.
        grid: The county grid.
        days: Scene days of the season.
        scenes: Bands and mask.
        settings: Bins, neighbourhood size and reach.
        season: Its start is the clock's zero.
    """
    weights = build_weights(rings, grid)
    bins = known_until(season) // settings.step_days + 1
    for group in _together(_neighbourhoods(weights, settings), bins, settings.held_mb * 10**6):
        windows = [window for _, window in group]
        cubes = _composites(windows, bins, grid, days, scenes, settings, season)
        for (members, window), cube in zip(group, cubes, strict=True):
            for member in members:
                yield _ring(member, weights, window, cube, settings)


def _cells(
    weights: CoverageWeights, row: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    first, last = weights.matrix.indptr[row : row + 2]
    cells = weights.matrix.indices[first:last].astype(np.int64)
    lines, columns = np.divmod(cells, weights.grid.width)
    return lines, columns, weights.matrix.data[first:last].astype(np.float64)


def _neighbourhoods(weights: CoverageWeights, settings: FieldsSettings) -> Iterator[Neighbourhood]:
    """Group rings by the lattice cell of their first pixel; the window holds them whole."""
    groups: dict[tuple[int, int], list[int]] = {}
    boxes: dict[int, tuple[int, int, int, int]] = {}
    for row in range(len(weights.parcel_ids)):
        lines, columns, _ = _cells(weights, row)
        if not len(lines):
            continue
        boxes[row] = (lines.min(), columns.min(), lines.max(), columns.max())
        size = settings.block_pixels
        groups.setdefault((int(lines.min()) // size, int(columns.min()) // size), []).append(row)
    for key in sorted(groups):
        edges = np.asarray([boxes[row] for row in groups[key]])
        reach = settings.reach_pixels + 1
        top, left = (max(0, int(v) - reach) for v in edges[:, :2].min(axis=0))
        bottom = min(weights.grid.height, int(edges[:, 2].max()) + reach + 1)
        right = min(weights.grid.width, int(edges[:, 3].max()) + reach + 1)
        yield groups[key], Window(left, top, right - left, bottom - top)


def _together(
    neighbourhoods: Iterable[Neighbourhood], bins: int, most: int
) -> Iterator[list[Neighbourhood]]:
    """Yield neighbourhoods whose composites fit into `most` bytes, for which scenes open once."""
    group: list[Neighbourhood] = []
    held = 0
    for members, window in neighbourhoods:
        size = int(window.height) * int(window.width) * bins * _BYTES
        if group and held + size > most:
            yield group
            group, held = [], 0
        group.append((members, window))
        held += size
    if group:
        yield group


def _composites(
    windows: Sequence[Window],
    bins: int,
    grid: Grid,
    days: Sequence[SceneDay],
    scenes: SceneSettings,
    settings: FieldsSettings,
    season: Season,
) -> list[Pixels]:
    """Return (rows, columns, bins) largest clear NDVI per bin, `_UNSEEN` where none was clear."""
    shapes = [(int(window.height), int(window.width), bins) for window in windows]
    cubes = [np.full(shape, _UNSEEN, dtype=np.float32) for shape in shapes]
    bands = ("B04", near_infrared(scenes.bands))
    placements = Placements()
    for day in days:
        at = (day.date - season.start).days // settings.step_days
        blocks = _read(day, grid, windows, bands, scenes, placements)
        for cube, block in zip(cubes, blocks, strict=True):
            if block is not None:
                index = normalised(block[1], block[0])
                cube[:, :, at] = np.fmax(cube[:, :, at], index)
    return cubes


def _read(
    day: SceneDay,
    grid: Grid,
    windows: Sequence[Window],
    bands: tuple[str, str],
    scenes: SceneSettings,
    placements: Placements,
) -> Iterator[Pixels | None]:
    """Yield each window of a day without the items that cannot be read; observe reports those."""
    with DayReader(day, grid, bands, scenes.mask, placements) as reader:
        for window in windows:
            if not reader.touches(window):
                yield None
                continue
            try:
                block = reader.read(window)
            except SceneReadError as failure:
                rest = day.without(failure.item_id)
                block = read_readable(rest, grid, window, bands, scenes.mask)
            yield block


def _ring(
    member: int, weights: CoverageWeights, window: Window, cube: Pixels, settings: FieldsSettings
) -> RingPixels:
    lines, columns, coverage = _cells(weights, member)
    lines, columns = lines - int(window.row_off), columns - int(window.col_off)
    reach = settings.reach_pixels + 1
    top, left = max(0, lines.min() - reach), max(0, columns.min() - reach)
    part = cube[top : lines.max() + reach + 1, left : columns.max() + reach + 1]
    inside = part[lines - top, columns - left]
    share = np.zeros(part.shape[:2])
    share[lines - top, columns - left] = coverage
    return RingPixels(
        weights.parcel_ids[member],
        share,
        depth_of(share),
        _filled(part),
        int((inside > _UNSEEN).any(axis=0).sum()),
    )


def depth_of(coverage: Floats) -> Floats:
    """Return how deep each pixel lies in a ring, whole pixels (chessboard), 0 where it is not full.

    Args:
        coverage: (rows, columns) share of each pixel inside the ring.
    """
    full = np.pad(coverage >= _FULL, 1)
    return np.asarray(ndimage.distance_transform_cdt(full, "chessboard")[1:-1, 1:-1], "float64")


def _filled(part: Pixels) -> Floats:
    rows, columns, bins = part.shape
    curves = part.reshape(rows * columns, bins, 1).astype(np.float64)
    return fill_gaps(curves, curves[:, :, 0] > _UNSEEN)[:, :, 0].reshape(rows, columns, bins)
