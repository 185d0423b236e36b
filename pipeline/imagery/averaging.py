"""How much of each file pixel lies under each grid pixel, where the two grids do not fit together.

Owns those weights; opens no file. The one idea: a grid pixel is a box in the file's own pixels, so
its weights are products of two overlaps of intervals, one along each axis. That holds while the
axes are nearly parallel; a file that lies turned is refused rather than read by its nearest pixel,
which is off by a third on a parcel of a few pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from fieldline.pipeline.imagery.grid import Grid
from fieldline.pipeline.imagery.resample import (
    Coordinates,
    FileGeometry,
    Indices,
    Lookup,
    file_positions,
    lookup,
    same_crs,
)

_FITS = 1e-3  # file pixels; below this a shift is rounding
_TURNED = 0.15  # tangent, 8.5 degrees; neighbouring UTM zones and Mercator stay below 0.08
_HALF = 0.5
_ANY = 0.01  # weight that is more than rounding

Flags = NDArray[np.bool_]
Axis = list[tuple[Indices, Coordinates]]
"""File index and its weight under each grid pixel, one entry for each of its file pixels."""


class TurnedGridError(ValueError):
    """A file whose axes are not those of the grid."""


@dataclass(frozen=True)
class Average:
    """How to fill a grid window from one read of a file, by weights."""

    source: Window
    """The file window to read."""
    rows: Axis
    """Rows of `source` under each grid pixel."""
    columns: Axis

    def mean(
        self, values: NDArray[np.float32], present: Flags
    ) -> tuple[NDArray[np.float32], Flags]:
        """Return weighted means of what is present, and where that is half of the pixel or more.

        Args:
            values: Values of the file window; any number where not present.
            present: Where the file has data.
        """
        known = self._sum(present.astype(np.float32))
        total = self._sum(np.where(present, values, np.float32(0)))
        enough = known >= _HALF
        mean = np.divide(total, known, out=np.zeros_like(total), where=enough)
        return mean.astype(np.float32), enough

    def mostly(self, plane: Flags) -> Flags:
        """Return where half of a grid pixel or more lies on a plane."""
        return np.asarray(self._sum(plane.astype(np.float32)) >= _HALF)

    def touching(self, plane: Flags) -> Flags:
        """Return where any of a grid pixel lies on a plane."""
        return np.asarray(self._sum(plane.astype(np.float32)) > _ANY)

    def _sum(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        parts = (
            weight * across * values[row, column]
            for (row, weight), (column, across) in product(self.rows, self.columns)
        )
        return np.asarray(sum(parts))


def placement(geometry: FileGeometry, grid: Grid, window: Window) -> Lookup | Average | None:
    """Work out what lies under each pixel of a grid window.

    Args:
        geometry: The file.
        grid: The county grid.
        window: Part of the grid.

    Returns:
        Indices where every grid pixel lies wholly on one file pixel, else weights; None where the
        file does not reach the window.

    Raises:
        TurnedGridError: The file lies turned against the grid.
    """
    if _fits(geometry, grid):
        return lookup(geometry, grid, window)
    down, across = _pixel(geometry, grid, window)
    rows, columns = file_positions(geometry, grid, window)
    row_axis, first_row, end_row = _axis(rows, down / 2, geometry.height)
    column_axis, first_column, end_column = _axis(columns, across / 2, geometry.width)
    if end_row <= first_row or end_column <= first_column:
        return None
    source = Window(first_column, first_row, end_column - first_column, end_row - first_row)
    return Average(source, row_axis, column_axis)


def _fits(geometry: FileGeometry, grid: Grid) -> bool:
    """Whether every grid pixel lies on one file pixel: whole multiples, corner on corner."""
    a, b, c, d, e, f = geometry.transform[:6]
    if not same_crs(geometry.crs, grid.crs) or not (b == d == 0 or a == e == 0):
        return False
    sizes = np.array([abs(a) + abs(b), abs(d) + abs(e)]) / grid.resolution
    corner = np.array(~grid.transform @ (c, f))
    whole = np.abs(np.concatenate([sizes, corner]) - np.round(np.concatenate([sizes, corner])))
    return bool((np.round(sizes) >= 1).all() and (whole < _FITS).all())


def _pixel(geometry: FileGeometry, grid: Grid, window: Window) -> tuple[float, float]:
    """Return height and width of the middle grid pixel, in file pixels."""
    middle = Window(window.col_off + window.width // 2, window.row_off + window.height // 2, 2, 2)
    rows, columns = file_positions(geometry, grid, middle)
    down, across = abs(_change(rows, 0)), abs(_change(columns, 1))
    turned = abs(_change(columns, 0)) > _TURNED * across or abs(_change(rows, 1)) > _TURNED * down
    if turned:
        raise TurnedGridError
    return down, across


def _change(positions: Coordinates, axis: int) -> float:
    steps = np.diff(positions, axis=axis)
    return float(steps.mean()) if steps.size else 0.0


def _axis(centres: Coordinates, half: float, length: int) -> tuple[Axis, int, int]:
    """Return indices and weights along one axis of the file, and the part of it that is needed."""
    finite = np.isfinite(centres)
    low = np.where(finite, centres, -1e9) - half
    first = np.floor(low + _FITS)
    axis: list[tuple[Any, Any]] = []
    for step in range(int(np.ceil(2 * half)) + 1):
        at = first + step
        share = np.minimum(low + 2 * half, at + 1) - np.maximum(low, at)
        weight = np.clip(share, 0.0, None) / (2 * half)
        axis.append((at, np.where((at >= 0) & (at < length), weight, 0.0)))
    used = [at[weight > 0] for at, weight in axis]
    found = np.concatenate(used) if used else np.zeros(0)
    if not found.size:
        return [], 0, 0
    start, end = int(found.min()), int(found.max()) + 1
    clipped: Axis = [
        ((np.clip(at, start, end - 1) - start).astype(np.intp), weight) for at, weight in axis
    ]
    return clipped, start, end
