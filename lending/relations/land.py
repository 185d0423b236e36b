"""Land that speaks of relations: ground on which nothing grows season after season, and ground that
passes from one applicant to another without a paper.

Owns both questions; one season's idle parcel and one season's double claim are evidence
(`lending.evidence`), whose overlaps and tolerances are used here too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from fieldline.lending.evidence.claims import disputed
from fieldline.lending.settings import EvidenceSettings
from fieldline.pipeline.parcels.overlaps import overlapping_pairs

_IDLE = frozenset({"no_crop_cycle", "never_bare"})
"""Codes of land that grew no crop this season: bare throughout, or green as no yearly crop is."""
_RIGHTS = frozenset({
    "holder_agrees", "lease_upheld", "claim_upheld", "claim_settled", "holder_conflict",
    "claim_refuted",
})  # fmt: skip
"""Codes under which paper or registry has said whose the ground is, one way or the other."""


@dataclass(frozen=True)
class Season:
    """What stands of an earlier season."""

    name: str
    parcels: gpd.GeoDataFrame
    """Columns `parcel_id`, `farmer_id`, geometry."""


def idle_parcels(evidence: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return the parcels that grow no crop this season, with how often they grew none.

    Args:
        evidence: EVIDENCE rows of this season.
        history: HISTORY rows: `idle_seasons` counts the finished seasons in which the land was
            watched and stayed bare, this one once it is over.

    Returns:
        Frame `farmer_id`, `parcel_id`, `area_m2` (as claimed) and `seasons`.
    """
    now = evidence[np.array([not _IDLE.isdisjoint(c) for c in evidence["codes"]], dtype=bool)]
    idle = history.set_index("parcel_id")["idle_seasons"].reindex(now["parcel_id"])
    return pd.DataFrame({
        "farmer_id": now["farmer_id"].to_numpy(dtype=object),
        "parcel_id": now["parcel_id"].to_numpy(dtype=object),
        "area_m2": claimed_area(now).to_numpy(dtype=np.float64),
        "seasons": idle.fillna(0).to_numpy(dtype=np.int64),
    })  # fmt: skip


def claimed_area(evidence: pd.DataFrame) -> pd.Series[float]:
    """Return the area that a parcel was claimed with, m2: the drawn one where none was declared."""
    return evidence["declared_area_m2"].fillna(evidence["drawn_area_m2"]).astype("float64")


def moved_parcels(
    parcels: gpd.GeoDataFrame,
    evidence: pd.DataFrame,
    earlier: Sequence[Season],
    households: Mapping[str, int],
    settings: EvidenceSettings,
) -> pd.DataFrame:
    """Return the parcels whose ground another household claimed in the last season before.

    Ground whose right a paper or the registry settles is none, whoever claimed it before.

    Args:
        parcels: Accepted parcels of this season (any CRS).
        evidence: Their EVIDENCE rows.
        earlier: Earlier seasons, oldest first; the last one counts.
        households: Household of each applicant of this season.
        settings: From which overlap two outlines claim the same ground.

    Returns:
        Frame `farmer_id`, `parcel_id`, `area_m2`, `before` (who claimed it) and `season`.
    """
    names = ["farmer_id", "parcel_id", "area_m2", "before", "season"]
    if not earlier or parcels.empty or earlier[-1].parcels.empty:
        return pd.DataFrame(columns=names)
    last = earlier[-1]
    grid = parcels.estimate_utm_crs()
    now, then = (np.asarray(part.to_crs(grid).geometry.array) for part in (parcels, last.parcels))
    pairs = overlapping_pairs(np.concatenate([now, then]))
    across = (pairs.first < len(now)) & (pairs.second >= len(now)) & disputed(pairs, settings)
    told = evidence.set_index("parcel_id")
    area = dict(zip(told.index, claimed_area(told), strict=True))
    codes = dict(zip(told.index, told["codes"], strict=True))
    found = []
    for i, j in zip(pairs.first[across].tolist(), pairs.second[across].tolist(), strict=True):
        parcel, farmer = str(parcels["parcel_id"].iloc[i]), str(parcels["farmer_id"].iloc[i])
        before = str(last.parcels["farmer_id"].iloc[j - len(now)])
        kin = before in households and households[before] == households.get(farmer)
        if farmer == before or kin or _RIGHTS.intersection(codes[parcel]):
            continue
        found.append((farmer, parcel, area[parcel], before, last.name))
    return pd.DataFrame(found, columns=names)
