"""How much of a county's crop is harvested, day by day.

Owns `harvest_share.parquet`: by crop and day the parcels that are known harvested for certain, and
the share that may be. A share counts parcels whose harvest was looked for; one whose record ended
before a day says nothing about it.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from fieldline.crops.schemas import HARVEST_SHARE
from fieldline.pipeline.records.settings import Season

_ALL = "all"


def harvest_share(growth: pd.DataFrame, last_seen: pd.Series, season: Season) -> pd.DataFrame:
    """Return the share harvested by crop and day, from the first to the last harvest seen.

    Args:
        growth: Columns `crop`, `harvest_date`, `harvest_after`, `harvest_before`; rows of parcels
            with a crop cycle.
        last_seen: Days since the season's start of each row's last observation.
        season: The season.

    Returns:
        Rows of `HARVEST_SHARE`. `harvested` counts dates, `harvested_low` fields already seen bare
        and `harvested_high` those no longer seen standing.
    """
    parts = []
    crops = growth["crop"].fillna("unknown")
    days = {
        name: _days(growth[name], season)
        for name in ("harvest_date", "harvest_before", "harvest_after")
    }
    seen = last_seen.to_numpy(dtype=float)
    for crop in [*sorted(crops.unique()), _ALL]:
        rows = np.ones(len(growth), dtype=bool) if crop == _ALL else (crops == crop).to_numpy()
        if not np.isfinite(days["harvest_date"][rows]).any():
            continue
        parts.append(_by_day(crop, {n: d[rows] for n, d in days.items()}, seen[rows], season))
    if not parts:
        return pd.DataFrame(columns=HARVEST_SHARE.names)
    return pd.concat(parts, ignore_index=True)


def _by_day(
    crop: str, days: dict[str, np.ndarray], seen: np.ndarray, season: Season
) -> pd.DataFrame:
    first = int(np.nanmin(days["harvest_after"]))
    last = int(np.nanmax(days["harvest_before"]))
    each = np.arange(first, last + 1)
    known = np.searchsorted(np.sort(seen), each, side="left")
    parcels = len(seen) - known
    late = np.isnan(days["harvest_date"])
    # A field that was bare before its record ended stays known afterwards.
    parcels = parcels + _count(np.where(late, np.nan, seen + 1), each)
    counts = {name: _count(values, each) for name, values in days.items()}
    safe = np.maximum(parcels, 1)
    return pd.DataFrame(
        {
            "crop": crop,
            "date": [season.start + dt.timedelta(days=int(day)) for day in each],
            "parcels": parcels.astype(np.int32),
            "harvested": counts["harvest_date"] / safe,
            "harvested_low": counts["harvest_before"] / safe,
            "harvested_high": counts["harvest_after"] / safe,
        }
    )


def _count(values: np.ndarray, each: np.ndarray) -> np.ndarray:
    """Return for each day how many values lie on or before it."""
    known = np.sort(values[np.isfinite(values)])
    return np.searchsorted(known, each, side="right")


def _days(dates: pd.Series, season: Season) -> np.ndarray:
    stamps = pd.to_datetime(dates) - pd.Timestamp(season.start)
    return stamps.dt.days.to_numpy(dtype=float)
