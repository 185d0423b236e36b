"""People: applicants as positions, with their household and where their land lies.

Owns the arrays on which all relations are reckoned, so that a province of a million farmers is a
few sparse matrices; it knows pseudonyms alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Names = npt.NDArray[np.object_]
Flags = npt.NDArray[np.bool_]

_M_PER_KM = 1000.0


@dataclass(frozen=True)
class People:
    """Applicants, arrays of shape (farmers,)."""

    farmer_id: Names
    """Pseudonyms, ascending."""
    household: Ints
    """Number of the household, from 0 without gaps."""
    east: Floats
    """Middle of the farmer's land, km on one grid; NaN where none was accepted."""
    north: Floats

    @cached_property
    def _index(self) -> pd.Index[Any]:
        return pd.Index(self.farmer_id, dtype="object")

    def __len__(self) -> int:
        return len(self.farmer_id)

    def places(self, farmers: pd.Series[str]) -> Ints:
        """Return the position of each farmer; -1 for one who is no applicant."""
        return self._index.get_indexer(pd.Index(farmers, dtype="object")).astype(np.int64)


def people_of(farmers: pd.DataFrame, parcels: gpd.GeoDataFrame, profiles: pd.DataFrame) -> People:
    """Return the applicants of a county.

    Args:
        farmers: FARMERS rows.
        parcels: Accepted parcels with `farmer_id` (any CRS).
        profiles: PROFILES rows: who belongs to which household.
    """
    names = np.sort(farmers["farmer_id"].to_numpy(dtype=object))
    homes = profiles[profiles["level"] == "farmer"].set_index("party_id")["household_id"]
    known = homes.reindex(names)
    own = known.where(known.notna(), pd.Series(names, index=names))
    metric = parcels.to_crs(parcels.estimate_utm_crs()) if len(parcels) else parcels
    middle = shapely.get_coordinates(shapely.centroid(np.asarray(metric.geometry.array)))
    place = pd.DataFrame({
        "farmer_id": parcels["farmer_id"].to_numpy(dtype=object),
        "east": middle[:, 0] / _M_PER_KM, "north": middle[:, 1] / _M_PER_KM,
    }).groupby("farmer_id").mean().reindex(names)  # fmt: skip
    return People(
        names, pd.factorize(own)[0].astype(np.int64),
        place["east"].to_numpy(dtype=np.float64), place["north"].to_numpy(dtype=np.float64),
    )  # fmt: skip
