"""Which tiles of a raster file lie under a county's parcels, and which byte ranges hold them.

Owns pure arithmetic; opens no file and asks nobody. The one idea: what is fetched follows the
parcels and not their common box, so two villages far apart cost two windows and nothing between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from geopandas import GeoDataFrame
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.windows import Window
from scipy import ndimage

from fieldline.pipeline.imagery.grid import Grid
from fieldline.pipeline.imagery.resample import FileGeometry, same_crs

Boxes = NDArray[np.float64]
"""(boxes, 4): xmin, ymin, xmax, ymax."""
Tiles = NDArray[np.bool_]
"""(tile rows, tile columns): which tiles are meant."""
_ROUNDING = 2
"""Pixels around each box, for the rounding of one grid onto another."""


@dataclass(frozen=True)
class Places:
    """Where a county's parcels lie, as boxes with some land around each."""

    crs: str
    """CRS of the boxes, metric."""
    boxes: Boxes
    """In the unit of the CRS, m."""

    def over(self, geometry: FileGeometry) -> Boxes:
        """Return the boxes in pixels of a file: left, top, right, bottom."""
        x = self.boxes[:, [0, 0, 2, 2]]
        y = self.boxes[:, [1, 3, 1, 3]]
        if not same_crs(self.crs, geometry.crs):
            move = Transformer.from_crs(self.crs, geometry.crs, always_xy=True)
            x, y = (np.reshape(axis, (-1, 4)) for axis in move.transform(x.ravel(), y.ravel()))
        x, y = (np.where(np.isfinite(axis), axis, np.nan) for axis in (x, y))
        inverse = ~geometry.transform
        columns = inverse.a * x + inverse.b * y + inverse.c
        rows = inverse.d * x + inverse.e * y + inverse.f
        low, high = (columns.min(axis=1), rows.min(axis=1)), (columns.max(axis=1), rows.max(axis=1))
        return np.stack([*low, *high], axis=1)


def places_of(parcels: GeoDataFrame, grid: Grid, margin_m: float) -> Places:
    """Return where parcels lie, each with its surroundings, cut to the county's grid.

    Args:
        parcels: Parcel polygons with their CRS, at least one.
        grid: The county's grid.
        margin_m: Land around each parcel, m.
    """
    around = np.array([-margin_m, -margin_m, margin_m, margin_m])
    boxes = parcels.geometry.to_crs(grid.crs).bounds.to_numpy() + around
    xmin, ymin, xmax, ymax = grid.bounds
    cut = np.clip(boxes, [xmin, ymin, xmin, ymin], [xmax, ymax, xmax, ymax])
    return Places(grid.crs, np.unique(cut, axis=0))


def tiles_under(places: Places, geometry: FileGeometry, tile: tuple[int, int]) -> Tiles | None:
    """Return the tiles of a file that places lie on.

    Args:
        places: Boxes of parcels.
        geometry: The file.
        tile: Rows and columns of its tiles, pixels.

    Returns:
        Where the file shows nothing of any place its first tile stands for it: there are no
        pixels to be lost. None where the places cannot be laid onto the file's CRS.
    """
    boxes = places.over(geometry)
    if not np.isfinite(boxes).all():
        return None
    high, wide = tile
    shape = -(-geometry.height // high), -(-geometry.width // wide)
    found: Tiles = np.zeros(shape, dtype=bool)
    step = np.array([wide, high, wide, high])
    first = np.floor(boxes - np.array([_ROUNDING, _ROUNDING, 0, 0]))
    last = np.ceil(boxes + np.array([0, 0, _ROUNDING, _ROUNDING]))
    size = np.array([geometry.width, geometry.height])
    met = (last[:, 2:] > 0).all(axis=1) & (first[:, :2] < size).all(axis=1)
    low = np.maximum(0, first[met, :2]) // step[:2]
    high_end = -(-np.minimum(size, last[met, 2:]) // step[2:])
    for left, top, right, bottom in np.unique(np.hstack([low, high_end]).astype(int), axis=0):
        found[top:bottom, left:right] = True
    found[0, 0] |= not found.any()
    return found


def box_of(tiles: Tiles, tile: tuple[int, int], height: int, width: int) -> Window:
    """Return the smallest window, along tiles, that holds all of them, pixels of the file."""
    rows, columns = np.flatnonzero(tiles.any(axis=1)), np.flatnonzero(tiles.any(axis=0))
    top, left = int(rows[0]) * tile[0], int(columns[0]) * tile[1]
    bottom = min(height, (int(rows[-1]) + 1) * tile[0])
    right = min(width, (int(columns[-1]) + 1) * tile[1])
    return Window(left, top, right - left, bottom - top)


def window_count(tiles: Tiles) -> int:
    """Return into how many windows, apart from each other, the tiles fall."""
    _, count = ndimage.label(tiles, structure=np.ones((3, 3)))
    return int(count)


def merged_ranges(
    offsets: Sequence[int], sizes: Sequence[int], gap: int, largest: int
) -> list[tuple[int, int]]:
    """Return the byte ranges to ask for so that every piece is in one of them.

    Args:
        offsets: Where each piece begins; pieces of no size are not asked for.
        sizes: Bytes of each piece.
        gap: Bytes between two pieces that are fetched rather than asked around.
        largest: Bytes of one request.

    Returns:
        First byte and the one after the last of each range, ascending and apart.
    """
    pieces = sorted(
        (start, start + size) for start, size in zip(offsets, sizes, strict=True) if size
    )
    spans: list[tuple[int, int]] = []
    for start, end in pieces:
        if spans and start - spans[-1][1] <= gap:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((start, end))
    return [part for start, end in spans for part in _parts(start, end, largest)]


def _parts(start: int, end: int, largest: int) -> list[tuple[int, int]]:
    """Cut a range into equal parts of `largest` at most."""
    count = math.ceil((end - start) / largest)
    edges = [start + (end - start) * part // count for part in range(count + 1)]
    return list(pairwise(edges))
