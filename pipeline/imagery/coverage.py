"""Exact pixel coverage of parcels as one sparse matrix, and the statistics it gives.

Owns the weights (built once per county and grid from exactextract's cell ids and coverage
fractions) and the weighted sums of an image block. The one idea: once the weights stand, every
date and band is a sparse product, and a parcel of half a pixel is a row like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from exactextract import exact_extract
from exactextract.feature import Feature, FeatureSource
from exactextract.raster import RasterSource
from geopandas import GeoDataFrame
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.windows import Window
from scipy import sparse
from shapely import to_wkb

from fieldline.pipeline.imagery.grid import Grid


class _CellSource(RasterSource):  # type: ignore[misc]
    """A raster that exists only as a grid: exactextract asks where it lies, never what it holds."""

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self._grid = grid

    def res(self) -> tuple[float, float]:
        return self._grid.resolution, self._grid.resolution

    def extent(self) -> tuple[float, float, float, float]:
        return self._grid.bounds

    def srs_wkt(self) -> str:
        return str(CRS.from_user_input(self._grid.crs).to_wkt())

    def nodata_value(self) -> None:
        return None

    def read_window(self, x0: int, y0: int, nx: int, ny: int) -> NDArray[np.uint8]:  # noqa: ARG002
        return np.zeros((ny, nx), dtype=np.uint8)


class _Outline(Feature):  # type: ignore[misc]
    """One polygon as WKB: exact, and without exactextract's detour through GeoJSON text."""

    def __init__(self, wkb: bytes) -> None:
        super().__init__()
        self._wkb = wkb

    def geometry(self) -> bytes:
        return self._wkb

    def fields(self) -> list[str]:
        return []


class _Outlines(FeatureSource):  # type: ignore[misc]
    """The parcels as exactextract reads them."""

    def __init__(self, parcels: GeoDataFrame) -> None:
        super().__init__()
        self._wkb = to_wkb(parcels.geometry.to_numpy())
        self._srs = str(parcels.crs.to_wkt())

    def __iter__(self) -> Iterator[_Outline]:
        return map(_Outline, self._wkb)

    def count(self) -> int:
        return len(self._wkb)

    def srs_wkt(self) -> str:
        return self._srs


@dataclass(frozen=True)
class BlockWeights:
    """The part of the weights that one image block needs."""

    window: Window
    rows: NDArray[np.intp]
    """Parcel numbers with coverage in the block, ascending."""
    matrix: sparse.csr_array
    """(parcels of `rows`, `cells`) float64 coverage fractions."""
    cells: NDArray[np.intp]
    """Cells of the block that any parcel covers, ascending, numbered row by row."""

    @classmethod
    def compact(
        cls, window: Window, rows: NDArray[np.intp], matrix: sparse.csr_array
    ) -> BlockWeights:
        """Drop the cells that no parcel covers: most of a county is not a farmer's parcel."""
        cells, places = np.unique(matrix.indices, return_inverse=True)
        dense = sparse.csr_array(
            (matrix.data, places.astype(np.int32), matrix.indptr), shape=(rows.size, cells.size)
        )
        return cls(window, rows, dense, cells.astype(np.intp))


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

    @cached_property
    def _by_cell(self) -> tuple[NDArray[Any], NDArray[np.int32], NDArray[np.float32]]:
        """Grid cell, parcel and coverage of every stored weight, in order of the cells."""
        counts = np.diff(self.matrix.indptr)
        parcels = np.repeat(np.arange(len(self.parcel_ids), dtype=np.int32), counts)
        order = np.argsort(self.matrix.indices, kind="stable")
        return self.matrix.indices[order], parcels[order], self.matrix.data[order]

    def block(self, window: Window) -> tuple[NDArray[np.intp], sparse.csr_array]:
        """Return the parcels with coverage in a window and their weights on its cells.

        Returns:
            Parcel numbers, ascending, and a float64 matrix (those parcels, cells of the window row
            by row); both empty where no parcel touches the window.
        """
        parcels, cells, fractions = self._inside(window)
        rows, starts = np.unique(parcels, return_index=True)
        indptr = np.append(starts, parcels.size).astype(np.int32)
        shape = (rows.size, int(window.height) * int(window.width))
        return rows.astype(np.intp), sparse.csr_array((fractions, cells, indptr), shape=shape)

    def blocks(self, windows: Iterable[Window]) -> list[BlockWeights]:
        """Return the weights of every window that any parcel touches, in the given order."""
        parts = (BlockWeights.compact(window, *self.block(window)) for window in windows)
        return [part for part in parts if part.rows.size]

    def _inside(
        self, window: Window
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
        """Return parcel, cell of the window and coverage, by parcel and cell."""
        cells, parcels, fractions = self._by_cell
        top, left, width = int(window.row_off), int(window.col_off), int(window.width)
        edges = (np.array([top, top + int(window.height)]) * self.grid.width).astype(cells.dtype)
        first, last = np.searchsorted(cells, edges)
        row, column = np.divmod(cells[first:last], self.grid.width)
        kept = np.flatnonzero((column >= left) & (column < left + width))
        local = ((row[kept] - top) * width + column[kept] - left).astype(np.int32)
        owner = parcels[first:last][kept]
        order = np.lexsort((local, owner))
        weights = fractions[first:last][kept][order].astype(np.float64)
        return owner[order], local[order], weights


def build_weights(parcels_in_grid_crs: GeoDataFrame, grid: Grid) -> CoverageWeights:
    """Compute exact coverage fractions of parcels on a grid.

    Args:
        parcels_in_grid_crs: Valid polygons in the grid's CRS with `parcel_id`.
        grid: The county grid.

    Returns:
        Weights with one row per parcel, in the given order.

    Raises:
        ValueError: Parcels and grid differ in CRS (exactextract itself would only warn).

    Source: Baston, exactextract; coverage fractions by exact polygon-cell intersection.
    """
    if parcels_in_grid_crs.crs is None or parcels_in_grid_crs.crs != grid.crs:
        raise ValueError(f"parcels are in {parcels_in_grid_crs.crs}, the grid in {grid.crs}")
    identifiers = tuple(str(value) for value in parcels_in_grid_crs["parcel_id"])
    shape = (len(identifiers), grid.height * grid.width)
    index_type = np.int32 if shape[1] <= np.iinfo(np.int32).max else np.int64
    found = _coverage(parcels_in_grid_crs, grid)
    counts = found["cell_id"].map(len).to_numpy(dtype=np.int64)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(index_type)
    cells = _joined(found["cell_id"], np.dtype(index_type))
    fractions = _joined(found["coverage"], np.dtype(np.float32))
    matrix = sparse.csr_array((fractions, cells, indptr), shape=shape)
    matrix.sort_indices()
    return CoverageWeights(identifiers, matrix, grid)


def _coverage(parcels: GeoDataFrame, grid: Grid) -> pd.DataFrame:
    if parcels.empty:
        return pd.DataFrame({"cell_id": [], "coverage": []})
    found: pd.DataFrame = exact_extract(
        _CellSource(grid), _Outlines(parcels), ["cell_id", "coverage"], output="pandas"
    )
    return found


def _joined(arrays: pd.Series[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *arrays]).astype(dtype, copy=False)


def block_sums(weights: BlockWeights, block: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the weighted sums of one image block.

    Args:
        weights: Weights of the block.
        block: Reflectance, (bands, rows, columns); NaN in all bands where a pixel is not clear.

    Returns:
        (parcels of the block, 1 + 2 bands): clear coverage, then sum of w x and of w x^2 per band.
    """
    values = np.take(block.reshape(block.shape[0], -1), weights.cells, axis=1).astype(np.float64)
    clear = ~np.isnan(values[0])
    if not clear.all():
        values[:, ~clear] = 0.0
    sums = np.empty((weights.rows.size, 1 + 2 * len(values)))
    sums[:, 0] = weights.matrix @ clear.astype(np.float64)
    for index, band in enumerate(values):
        sums[:, 1 + 2 * index] = weights.matrix @ band
        sums[:, 2 + 2 * index] = weights.matrix @ np.square(band, out=band)
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
