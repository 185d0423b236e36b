"""Places: which labelled parcels lie so near each other that one gives the other away.

Owns the groups that folds never split: villages where labels come from enough of them, square
blocks of stated size where outlines or points are known, farms, and single parcels at last. It
fits nothing.

Source: Roberts et al. (2017) Cross-validation strategies for data with spatial structure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray

from fieldline.crops.series import Floats
from fieldline.pipeline.records.tables import read_table

_METRES_PER_DEGREE = 111_320.0
_AREA, _GEOMETRY = "metrics:area", "geometry"


@dataclass(frozen=True)
class Places:
    """Where the parcels of a county lie, as far as the table tells."""

    parcel_ids: tuple[str, ...]
    village: tuple[str | None, ...]
    farmer: tuple[str, ...]
    lonlat: Floats
    """(parcels, 2) degrees; NaN where unknown."""
    area_m2: Floats
    """NaN where unknown."""

    def rows(self, rows: Sequence[int] | NDArray[np.int64]) -> Places:
        """Return the places of some rows, in their order."""
        at = np.asarray(rows, dtype=np.int64)
        return Places(
            tuple(self.parcel_ids[row] for row in at),
            tuple(self.village[row] for row in at),
            tuple(self.farmer[row] for row in at),
            self.lonlat[at],
            self.area_m2[at],
        )

    def of_all(self, parcels: Sequence[str]) -> Places:
        """Return the places of these parcels; of one that the table lacks nothing is known."""
        known = Places.joined([self, Places.of_points(parcels, np.full((len(parcels), 2), np.nan))])
        number = {p: at for at, p in reversed(list(enumerate(known.parcel_ids)))}
        return known.rows([number[parcel] for parcel in parcels])

    @classmethod
    def of_points(
        cls, samples: Sequence[str], lonlat: Floats, area_m2: Floats | None = None
    ) -> Places:
        """Return the places of samples of which no more than a point and an area are known."""
        count = len(samples)
        ids = tuple(samples)
        area = np.full(count, np.nan) if area_m2 is None else area_m2
        return cls(ids, (None,) * count, ids, lonlat, area)

    @classmethod
    def joined(cls, parts: Sequence[Places]) -> Places:
        """Return the places of several sources as one."""
        return cls(
            tuple(p for part in parts for p in part.parcel_ids),
            tuple(v for part in parts for v in part.village),
            tuple(f for part in parts for f in part.farmer),
            np.concatenate([part.lonlat for part in parts]),
            np.concatenate([part.area_m2 for part in parts]),
        )

    def groups(self, folds: int, block_m: float) -> tuple[list[str], str]:
        """Return the widest group of which these parcels have at least as many as folds.

        Args:
            folds: Groups that are wanted at least.
            block_m: Edge of a block, metres; it is halved while blocks are too few, thrice at most.

        Returns:
            One group per parcel, and in words what a group is.
        """
        named = [village for village in self.village if village is not None]
        if len(named) == len(self.parcel_ids) and len(set(named)) >= folds:
            return named, "village"
        if len(self.lonlat) and np.isfinite(self.lonlat).all():
            for edge in (block_m, block_m / 2, block_m / 4, block_m / 8):
                found = blocks(self.lonlat, edge)
                if len(set(found)) >= folds:
                    return found, f"blocks of {edge:g} m"
        if len(set(self.farmer)) >= folds:
            return list(self.farmer), "farm"
        return list(self.parcel_ids), "parcel"


def blocks(lonlat: Floats, edge_m: float, moved: tuple[float, float] = (0.0, 0.0)) -> list[str]:
    """Return the square block of each point, named by column and row.

    Args:
        lonlat: (points, 2) degrees.
        edge_m: Edge of a block, metres on a sphere at the points' mean latitude.
        moved: How far all blocks lie further west and south, in edges.
    """
    lon, lat = lonlat.T
    east = lon * np.cos(np.deg2rad(lat.mean())) * _METRES_PER_DEGREE
    column = np.floor(east / edge_m + moved[0]).astype(int)
    row = np.floor(lat * _METRES_PER_DEGREE / edge_m + moved[1]).astype(int)
    return [f"{c}:{r}" for c, r in zip(column.tolist(), row.tolist(), strict=True)]


def parcel_places(parcels: Path) -> Places:
    """Read where parcels lie from `parcels.parquet`, with or without outlines and areas."""
    present = set(pq.read_schema(parcels).names)
    wanted = ["parcel_id", "farmer_id", "village", _AREA, _GEOMETRY]
    frame = read_table(parcels, [name for name in wanted if name in present])
    count = len(frame)
    area = frame[_AREA].to_numpy(np.float64) if _AREA in frame else np.full(count, np.nan)
    lonlat = np.full((count, 2), np.nan)
    if _GEOMETRY in frame:
        lonlat = centroids(shapely.from_wkb(frame[_GEOMETRY].to_numpy(dtype=object)))
    village = [None if pd.isna(name) else str(name) for name in frame["village"]]
    return Places(
        tuple(frame["parcel_id"].astype(str)), tuple(village),
        tuple(frame["farmer_id"].astype(str)), lonlat, area,
    )  # fmt: skip


def centroids(outlines: NDArray[np.object_]) -> Floats:
    """Return the centre of each outline, (outlines, 2)."""
    middle = shapely.centroid(outlines)
    return np.stack([shapely.get_x(middle), shapely.get_y(middle)], axis=1)
