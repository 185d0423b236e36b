"""How much of each file pixel lies under each grid pixel, where the two grids do not fit together.

Owns those weights; opens no file. The one idea: a grid pixel is a box in the file's own pixels, so
its weights are products of two overlaps of intervals, one along each axis, and the weights of all
pixels asked for are one sparse matrix that every band and date of the same files is multiplied by.
Boxes hold while the axes are nearly parallel; a file that lies turned is refused rather than read
by its nearest pixel, which is off by a third on a parcel of a few pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy import sparse

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
from fieldline.pipeline.imagery.spots import Spots

_FITS = 1e-3  # file pixels; below this a shift is rounding
_TURNED = 0.15  # tangent, 8.5 degrees; neighbouring UTM zones and Mercator stay below 0.08
_HALF = 0.5
_ANY = 0.01  # weight that is more than rounding
_FEW = 16  # file pixels under a grid pixel; of more, as of a drone's, a matrix would not fit

Flags = NDArray[np.bool_]
Axis = list[tuple[Indices, Coordinates]]
"""File index and its weight under each grid pixel, one entry for each of its file pixels."""


class TurnedGridError(ValueError):
    """A file whose axes are not those of the grid."""


@dataclass(frozen=True)
class _Boxes:
    """The weights of boxes of many file pixels, multiplied anew each time instead of kept."""

    rows: Axis
    columns: Axis
    width: int
    """Columns of the file window."""

    def __matmul__(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        parts = (
            down * across * values[row * self.width + column]
            for (row, down), (column, across) in product(self.rows, self.columns)
        )
        return np.asarray(sum(parts))


@dataclass(frozen=True)
class Average:
    """How to fill grid pixels from one read of a file, by weights."""

    source: Window
    """The file window to read."""
    weights: sparse.csr_array | _Boxes
    """(grid pixels asked for, pixels of `source` row by row) float32 shares of the grid pixel."""
    shape: tuple[int, ...]
    """Shape of an array with one value for each grid pixel."""

    @property
    def size(self) -> int | None:
        """Memory that it holds, bytes; None of one that is not worth keeping."""
        if isinstance(self.weights, _Boxes):
            return None
        parts = self.weights.data, self.weights.indices, self.weights.indptr, self._covered
        return sum(int(part.nbytes) for part in parts)

    def mean(
        self, values: NDArray[np.float32], present: Flags
    ) -> tuple[NDArray[np.float32], Flags]:
        """Return weighted means of what is present, and where that is half of the pixel or more.

        Args:
            values: Values of the file window; any number where not present.
            present: Where the file has data.
        """
        known = self._share(present)
        whole = known is self._covered
        total = self._sum(values if whole else np.where(present, values, np.float32(0)))
        enough = known >= _HALF
        return np.divide(total, known, out=np.zeros_like(total), where=enough), enough

    def mostly(self, plane: Flags) -> Flags:
        """Return where half of a grid pixel or more lies on a plane."""
        return np.asarray(self._share(plane) >= _HALF)

    def touching(self, plane: Flags) -> Flags:
        """Return where any of a grid pixel lies on a plane."""
        return np.asarray(self._share(plane) > _ANY)

    @cached_property
    def _covered(self) -> NDArray[np.float32]:
        """Share of each grid pixel that the file covers."""
        return self._sum(np.ones(int(self.source.height) * int(self.source.width), np.float32))

    def _share(self, plane: Flags) -> NDArray[np.float32]:
        """Return the share of each grid pixel that lies on a plane of the file window."""
        if plane.all():
            return self._covered
        if not plane.any():
            return np.zeros(self.shape, np.float32)
        return self._sum(plane.astype(np.float32))

    def _sum(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        sums = np.asarray(self.weights @ values.reshape(-1), np.float32)
        return sums.reshape(self.shape)


def placement(geometry: FileGeometry, grid: Grid, spots: Spots) -> Lookup | Average | None:
    """Work out what lies under each of some pixels of a grid window.

    Args:
        geometry: The file.
        grid: The county grid.
        spots: The pixels.

    Returns:
        Indices where every grid pixel lies wholly on one file pixel, else weights; None where the
        file does not reach the pixels.

    Raises:
        TurnedGridError: The file lies turned against the grid.
    """
    window = spots.window
    if _fits(geometry, grid):
        found = lookup(geometry, grid, window)
        return found and found.at(spots)
    down, across = _pixel(geometry, grid, window)
    rows, columns = file_positions(geometry, grid, window)
    if spots.cells is not None:
        whole = int(window.height), int(window.width)
        rows, columns = (spots.pick(np.broadcast_to(axis, whole)) for axis in (rows, columns))
    row_axis, first_row, end_row = _axis(rows, down / 2, geometry.height)
    column_axis, first_column, end_column = _axis(columns, across / 2, geometry.width)
    if end_row <= first_row or end_column <= first_column:
        return None
    source = Window(first_column, first_row, end_column - first_column, end_row - first_row)
    if len(row_axis) * len(column_axis) > _FEW:
        return Average(source, _Boxes(row_axis, column_axis, int(source.width)), spots.shape)
    return Average(source, _matrix(row_axis, column_axis, source, spots.shape), spots.shape)


def _matrix(rows: Axis, columns: Axis, source: Window, shape: tuple[int, ...]) -> sparse.csr_array:
    """Return the weights of both axes multiplied, (grid pixels, pixels of `source`)."""
    pairs = list(product(rows, columns))
    index = np.empty((*shape, len(pairs)), np.int32)
    weight = np.empty(index.shape, np.float32)
    for at, ((row, down), (column, across)) in enumerate(pairs):
        index[..., at] = row * int(source.width) + column
        weight[..., at] = down * across
    met = weight > 0
    ends = np.cumsum(np.count_nonzero(met, axis=-1).reshape(-1))
    indptr = np.append(0, ends).astype(np.int32)
    size = int(source.height) * int(source.width)
    return sparse.csr_array((weight[met], index[met], indptr), shape=(indptr.size - 1, size))


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
