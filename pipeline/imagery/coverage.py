"""Exact pixel coverage of parcels as one sparse matrix, and the statistics it gives.

Owns the weights (built once per county and grid from `cell_shares`) and the weighted sums of an
image block. The one idea: once the weights stand, every date and band is a sparse product, and a
parcel of half a pixel is a row like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from geopandas import GeoDataFrame
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy import sparse

from fieldline.pipeline.imagery.cell_shares import cell_shares
from fieldline.pipeline.imagery.grid import Grid


@dataclass(frozen=True)
class BlockWeights:
    """The part of the weights that one image block needs."""

    window: Window
    """The part of the block that holds the covered cells."""
    rows: NDArray[np.intp]
    """Parcel numbers with coverage in the block, ascending."""
    matrix: sparse.csr_array
    """(parcels of `rows`, `cells`) float64 coverage fractions."""
    cells: NDArray[np.intp]
    """Cells of the block that any parcel covers, ascending, numbered row by row."""

    def of(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the values of the covered cells, (bands, `cells`), of (bands, rows, columns)."""
        return np.take(block.reshape(block.shape[0], -1), self.cells, axis=1)

    @cached_property
    def whole(self) -> NDArray[np.float64]:
        """Coverage of each parcel of `rows` in the block, pixels."""
        return np.asarray(self.matrix @ np.ones(self.cells.size))

    @classmethod
    def compact(
        cls, row: NDArray[np.int64], column: NDArray[np.int64], owner: NDArray[np.intp],
        fractions: NDArray[np.float32],
    ) -> BlockWeights:  # fmt: skip
        """Return weights without what no parcel covers: most of a county's cells.

        Args:
            row: Row of each weight on the county's grid, at least one.
            column: Its column.
            owner: Its parcel; weights ascend by parcel and cell.
            fractions: The weights.
        """
        top, left = int(row.min()), int(column.min())
        high, wide = int(row.max()) - top + 1, int(column.max()) - left + 1
        place = (row - top) * wide + (column - left)
        covered = np.zeros(high * wide, dtype=bool)
        covered[place] = True
        rank = np.cumsum(covered, dtype=np.int32) - 1
        starts = np.flatnonzero(np.append(True, np.diff(owner) > 0))
        indptr = np.append(starts, owner.size).astype(np.int32)
        cells = np.flatnonzero(covered)
        matrix = sparse.csr_array(
            (fractions.astype(np.float64), rank[place], indptr), shape=(starts.size, cells.size)
        )
        return cls(Window(left, top, wide, high), owner[starts], matrix, cells)


@dataclass(frozen=True)
class CoverageWeights:
    """Coverage fractions of all parcels on the county grid."""

    parcel_ids: tuple[str, ...]
    """Parcels in row order."""
    matrix: sparse.csr_array
    """(parcels, grid cells row by row) float32, 0..1."""
    grid: Grid

    @cached_property
    def pixels(self) -> NDArray[np.float64]:
        """Total coverage of each parcel, pixels; 0 where it lies outside the grid."""
        return np.asarray(self.matrix.sum(axis=1, dtype=np.float64)).ravel()

    def blocks(self, windows: Iterable[Window]) -> list[BlockWeights]:
        """Return the weights of every window that any parcel touches, in the given order.

        Args:
            windows: Windows of one lattice, such as those of `iter_windows`, or some of them.
        """
        windows = list(windows)
        row, column = np.divmod(self.matrix.indices.astype(np.int64), self.grid.width)
        number = _numbers(row, column, windows)
        order = np.argsort(number, kind="stable")  # within a window still by parcel and cell
        edges = np.searchsorted(number[order], np.arange(len(windows) + 1))
        owner = np.repeat(np.arange(len(self.parcel_ids)), np.diff(self.matrix.indptr))
        parts = (order[first:last] for first, last in pairwise(edges) if last > first)
        return [
            BlockWeights.compact(row[part], column[part], owner[part], self.matrix.data[part])
            for part in parts
        ]


def _numbers(
    row: NDArray[np.int64], column: NDArray[np.int64], windows: Sequence[Window]
) -> NDArray[np.integer[Any]]:
    """Return the number of the window that holds each cell, -1 where none does."""
    tops, lefts = ({int(w.row_off): w.height for w in windows},
                   {int(w.col_off): w.width for w in windows})  # fmt: skip
    down, across = _step(row, tops), _step(column, lefts)
    # 16 bits are sorted by counting, five times as fast.
    small = np.int16 if len(windows) < np.iinfo(np.int16).max else np.int32
    table = np.full((len(tops) + 1, len(lefts) + 1), -1, small)
    rank = [{start: n for n, start in enumerate(sorted(steps))} for steps in (tops, lefts)]
    for number, window in enumerate(windows):
        table[rank[0][int(window.row_off)], rank[1][int(window.col_off)]] = number
    return np.asarray(table[down, across])


def _step(position: NDArray[np.int64], lengths: dict[int, int]) -> NDArray[np.int64]:
    """Return the number of the step that holds each position, the last plus one for none."""
    starts = np.array(sorted(lengths), dtype=np.int64)
    found = np.searchsorted(starts, position, side="right") - 1
    ends = starts + np.array([lengths[start] for start in starts.tolist()], dtype=np.int64)
    outside = (found < 0) | (position >= np.append(ends, 0)[found])
    return np.asarray(np.where(outside, starts.size, found))


def build_weights(parcels_in_grid_crs: GeoDataFrame, grid: Grid) -> CoverageWeights:
    """Compute exact coverage fractions of parcels on a grid.

    Args:
        parcels_in_grid_crs: Valid polygons in the grid's CRS with `parcel_id`.
        grid: The county grid.

    Returns:
        Weights with one row per parcel, in the given order.

    Raises:
        ValueError: Parcels and grid differ in CRS.
    """
    if parcels_in_grid_crs.crs is None or parcels_in_grid_crs.crs != grid.crs:
        raise ValueError(f"parcels are in {parcels_in_grid_crs.crs}, the grid in {grid.crs}")
    identifiers = tuple(str(value) for value in parcels_in_grid_crs["parcel_id"])
    shape = (len(identifiers), grid.height * grid.width)
    index_type = np.int32 if shape[1] <= np.iinfo(np.int32).max else np.int64
    found = cell_shares(parcels_in_grid_crs.geometry.to_numpy(), grid)
    indptr = np.append(0, np.cumsum(found.counts)).astype(index_type)
    matrix = sparse.csr_array((found.shares, found.cells.astype(index_type), indptr), shape=shape)
    return CoverageWeights(identifiers, matrix, grid)


def block_sums(weights: BlockWeights, values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the weighted sums of one image block.

    Args:
        weights: Weights of the block.
        values: Reflectance of its covered cells, (bands, `weights.cells`); NaN in all bands where a
            pixel is not clear.

    Returns:
        (parcels of the block, 1 + 2 bands): clear coverage, then sum of w x and of w x^2 per band.
    """
    clear = ~np.isnan(values[0])
    cloudless = bool(clear.all())
    sums = np.empty((weights.rows.size, 1 + 2 * len(values)))
    sums[:, 0] = weights.whole if cloudless else weights.matrix @ clear.astype(np.float64)
    wide = np.empty(weights.cells.size)
    for index, band in enumerate(values):
        wide[:] = band
        if not cloudless:
            wide[~clear] = 0.0
        sums[:, 1 + 2 * index] = weights.matrix @ wide
        sums[:, 2 + 2 * index] = weights.matrix @ np.square(wide, out=wide)
    return sums


def moments(sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weighted mean and population standard deviation from `block_sums`.

    Args:
        sums: (parcels, 1 + 2 bands), added up over blocks.

    Returns:
        Mean and standard deviation, each (parcels, bands); NaN where nothing is clear.
    """
    weight = np.where(sums[:, :1] > 0, sums[:, :1], np.nan)
    mean = sums[:, 1::2] / weight
    variance = sums[:, 2::2] / weight - mean**2
    return mean, np.sqrt(np.maximum(variance, 0.0))
