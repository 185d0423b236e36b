"""Blocks: a big county's parcels in parts of one size that lie together.

Owns which parcel is in which block; knows no scene and no stage. The one idea: parcels are counted
along a curve that keeps neighbours together (Morton order), so that every block has as many parcels
as any other, however they are scattered, and reads few tiles that another block reads too.

Source: Morton (1966) A computer oriented geodetic data base and a new technique in file sequencing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fieldline.pipeline.parcels.fiboa import read_parcels

_LEVELS = 16
"""Bits of each coordinate: a 100 km county is told apart to 2 m."""
_BATCH = 50_000
"""Outlines that are held at once."""


@dataclass(frozen=True)
class Block:
    """One of the equal parts of a county's parcels."""

    number: int
    """1 to `of`."""
    of: int
    """How many there are."""


WHOLE = Block(1, 1)


def parcels_of(path: Path, block: Block) -> gpd.GeoDataFrame:
    """Return the parcels of one block, ascending by parcel_id.

    Args:
        path: `parcels.parquet`.
        block: Which of how many; a block of more blocks than parcels may be empty.

    Raises:
        UserError: The file is absent or not GeoParquet.
    """
    parcels = read_parcels(path)
    if block != WHOLE:
        parcels = parcels[numbers_of(path, block.of) == block.number]
    return parcels.sort_values("parcel_id", kind="stable", ignore_index=True)


def iter_outlines(path: Path) -> Iterator[gpd.GeoSeries]:
    """Yield the outlines of `parcels.parquet` (EPSG:4326) part by part, in file order."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH, columns=["geometry"]):
            yield gpd.GeoSeries.from_wkb(batch.column(0).to_pylist(), crs="EPSG:4326")


def parcel_ids(path: Path) -> NDArray[np.str_]:
    """Return the ids of `parcels.parquet`, ascending."""
    column = pq.read_table(path, columns=["parcel_id"]).column("parcel_id")
    return np.sort(np.asarray(column.to_pylist(), dtype=np.str_))


def numbers_of(path: Path, blocks: int) -> NDArray[np.int64]:
    """Return the block (1 to `blocks`) of every parcel of `parcels.parquet`, in file order."""
    boxes = [np.zeros((0, 4)), *(outlines.bounds.to_numpy() for outlines in iter_outlines(path))]
    west, south, east, north = np.vstack(boxes).T
    key = morton((west + east) / 2, (south + north) / 2)
    place = np.empty(len(key), dtype=np.int64)
    place[np.argsort(key, kind="stable")] = np.arange(len(key))
    return place * blocks // max(1, len(key)) + 1


def morton(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the place of points along a Z-shaped curve through their common box.

    Args:
        x: Coordinates of any unit, as many as `y`.
        y: The same.
    """
    return _spread(_cell(x)) | (_spread(_cell(y)) << 1)


def _cell(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return values as whole numbers of `_LEVELS` bits."""
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    low, high = values.min(), values.max()
    share = (values - low) / (high - low) if high > low else np.zeros(len(values))
    return np.asarray(share * (2**_LEVELS - 1), dtype=np.int64)


def _spread(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return numbers with a zero bit put before every bit."""
    found = np.zeros_like(cells)
    for bit in range(_LEVELS):
        found |= ((cells >> bit) & 1) << (2 * bit)
    return found
