"""The history stage: what earlier seasons of the same parcel say, and how little that may be.

Owns `history.parquet`. Each season is compared with the county's parcels of the same crop in the
same season, so that neither a shared drought nor a healthy rotation looks like instability. What
was not seen is unknown, which is not the same as bad: a parcel without two grown seasons is a thin
file, and idle is only what was watched and stayed bare.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.schemas import HISTORY
from fieldline.crops.series import stopped_parcels
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.records.outcomes import Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table, write_table

STAGE = "history"
#: Spread of the peak date that counts as no regularity at all (schema: 1 - spread / 60 d).
_NO_REGULARITY_DAYS = 60.0
_ENOUGH = 2
#: Share of a season that a record must span, and least clear dates a month, to call it watched.
_WATCHED_SHARE, _DATES_A_MONTH = 2 / 3, 1.0
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class PastSeason:
    """One season's artifacts."""

    season: Season
    growth: Path
    crops: Path


def run_history(
    *,
    growth: Path,
    crops: Path,
    earlier_growth: Sequence[Path] = (),
    earlier_crops: Sequence[Path] = (),
    seasons: Sequence[Season],
    settings: GrowSettings,
    out: Path,
    outcomes: Path,
    previous: Sequence[Path] = (),
) -> None:
    """Write `history.parquet` for the parcels of the last season.

    Args:
        growth: `growth.parquet` of the season that is decided.
        crops: Its `crops.parquet`.
        earlier_growth: `growth.parquet` of every earlier season, oldest first.
        earlier_crops: `crops.parquet` of every earlier season, oldest first.
        seasons: All of these seasons, oldest first; the last one is decided.
        settings: How many parcels make a county norm, and from which NDVI land is green.
        out: Where the history goes.
        outcomes: Where outcomes go.
        previous: Outcome files of earlier stages; parcels they stopped are left out.
    """
    files = zip(seasons, [*earlier_growth, growth], [*earlier_crops, crops], strict=True)
    tables = [_season_table(PastSeason(*part), settings) for part in files]
    stopped = stopped_parcels(previous)
    parcels = [name for name in tables[-1].index if name not in stopped]
    records = [table.to_dict("index") for table in tables]
    rows = [_row(str(name), [r[name] for r in records if name in r]) for name in parcels]
    write_table(pd.DataFrame(rows, columns=HISTORY.names), HISTORY, out)
    write_outcomes([_outcome(row) for row in rows], outcomes)


_OF_GROWTH = ["parcel_id", "pos", "integral", "cycles", "peak", "clear_dates", "curve_start",
              "curve_step_days", "curve"]  # fmt: skip


def _season_table(part: PastSeason, settings: GrowSettings) -> pd.DataFrame:
    growth = read_table(part.growth, _OF_GROWTH)
    crops = read_table(part.crops, ["parcel_id", "crop"])
    table = growth.merge(crops, on="parcel_id", how="left").set_index("parcel_id")
    table["known"] = table["curve_start"].notna()
    table["grown"] = table["known"] & (table["cycles"] > 0)
    table["idle"] = table["known"] & ~table["grown"] & _watched_bare(table, part.season, settings)
    table["peak_day"] = [_day(value, part.season.start) for value in table["pos"]]
    table["share"] = county_share(table["integral"], table["crop"], settings.min_norm_parcels)
    return table.drop(columns="curve").sort_index()


def _watched_bare(table: pd.DataFrame, season: Season, settings: GrowSettings) -> pd.Series[bool]:
    """Tell which land was watched over a whole season and never turned green."""
    length = (season.end - season.start).days + 1
    spanned = table["curve"].map(len) * table["curve_step_days"]
    watched = (spanned >= _WATCHED_SHARE * length) & (
        table["clear_dates"] >= _DATES_A_MONTH * length / 30.4
    )
    return watched & (table["peak"] < settings.min_peak) & (season.as_of >= season.end)


def county_share(
    amount: pd.Series[float], crop: pd.Series[str], min_parcels: int
) -> pd.Series[float]:
    """Return each parcel's amount over the median of the county's parcels of its crop.

    Args:
        amount: NDVI integral of one season by parcel, NaN where it was not seen.
        crop: Crop by parcel, null where unknown.
        min_parcels: Crops of fewer parcels have no norm.

    Returns:
        The ratio, 1 for a usual parcel; NaN where there is no norm.
    """
    usual = amount.groupby(crop).transform("median")
    size = amount.groupby(crop).transform("count")
    return (amount / usual).where((size >= min_parcels) & (usual > 0))


def _day(value: object, start: dt.date) -> float:
    return float((value - start).days) if isinstance(value, dt.date) else float("nan")


def _row(parcel_id: str, seasons: list[dict[Any, Any]]) -> dict[str, Any]:
    known = [season for season in seasons if season["known"]]
    grown = [season for season in seasons if season["grown"]]
    shares = np.asarray([season["share"] for season in grown], dtype=float)
    peaks = np.asarray([season["peak_day"] for season in known], dtype=float)
    crops = [_UNKNOWN if pd.isna(s["crop"]) else str(s["crop"]) for s in seasons]
    pattern, period = rotation(crops)
    return {
        "parcel_id": parcel_id,
        "seasons": len(known),
        "idle_seasons": sum(bool(season["idle"]) for season in seasons),
        "crops": crops,
        "stability": stability(shares[np.isfinite(shares)]),
        "regularity": regularity(peaks[np.isfinite(peaks)]),
        "thin_file": len(grown) < _ENOUGH,
        "grown_seasons": len(grown),
        "rotation": pattern,
        "rotation_period": period,
    }


def stability(shares: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    """Return one minus the relative spread of the seasons, None below two seasons.

    Args:
        shares: Each season's integral over the county's usual one of its crop and season.

    Returns:
        1 less the mean distance from the mean over the mean, within 0..1.
    """
    if len(shares) < _ENOUGH or shares.mean() <= 0:
        return None
    spread = np.abs(shares - shares.mean()).mean() / shares.mean()
    return float(np.clip(1.0 - spread, 0.0, 1.0))


def regularity(peak_days: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    """Return one minus the spread of the peak day over sixty days, None below two seasons."""
    if len(peak_days) < _ENOUGH:
        return None
    spread = np.abs(peak_days - peak_days.mean()).mean()
    return float(np.clip(1.0 - spread / _NO_REGULARITY_DAYS, 0.0, 1.0))


def rotation(crops: Sequence[str]) -> tuple[str | None, int | None]:
    """Return how the crops of seasons follow each other, and after how many they come again.

    Args:
        crops: Crop of each season, oldest first; `unknown` fits any.

    Returns:
        `same` (one crop), `cycle` (a sequence seen twice through), `changing` (another crop every
        season, no sequence seen twice yet) or `irregular`; None where fewer than two crops are
        known. The period is given for `same` and `cycle`.
    """
    known = [crop for crop in crops if crop != _UNKNOWN]
    if len(known) < _ENOUGH:
        return None, None
    if len(set(known)) == 1:
        return "same", 1
    for period in range(2, len(crops) // 2 + 1):
        sets = [{c for c in crops[start::period] if c != _UNKNOWN} for start in range(period)]
        if all(len(found) == 1 for found in sets):
            return "cycle", period
    changes = [a != b for a, b in pairwise(crops) if _UNKNOWN not in (a, b)]
    return ("changing" if changes and all(changes) else "irregular"), None


def _outcome(row: dict[str, Any]) -> Outcome:
    code = "thin_file" if row["thin_file"] else "ok"
    return Outcome(STAGE, row["parcel_id"], "", code, detail(seasons=row["seasons"]))
