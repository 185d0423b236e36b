"""The history stage: what earlier seasons of the same parcel say, and how little that may be.

Owns `history.parquet`. A parcel known for one season is a thin file: its stability is unknown,
which is not the same as bad.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.schemas import HISTORY
from fieldline.crops.series import stopped_parcels
from fieldline.pipeline.records.outcomes import Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table, write_table

STAGE = "history"
#: Spread of the peak date that counts as no regularity at all (schema: 1 - spread / 60 d).
_NO_REGULARITY_DAYS = 60.0
_ENOUGH = 2


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
        out: Where the history goes.
        outcomes: Where outcomes go.
        previous: Outcome files of earlier stages; parcels they stopped are left out.
    """
    files = zip(seasons, [*earlier_growth, growth], [*earlier_crops, crops], strict=True)
    tables = [_season_table(PastSeason(*part)) for part in files]
    stopped = stopped_parcels(previous)
    parcels = [name for name in tables[-1].index if name not in stopped]
    records = [table.to_dict("index") for table in tables]
    rows = [_row(str(name), [r[name] for r in records if name in r]) for name in parcels]
    write_table(pd.DataFrame(rows, columns=HISTORY.names), HISTORY, out)
    write_outcomes([_outcome(row) for row in rows], outcomes)


def _season_table(part: PastSeason) -> pd.DataFrame:
    growth = read_table(part.growth, ["parcel_id", "pos", "integral", "cycles", "curve_start"])
    crops = read_table(part.crops, ["parcel_id", "crop"])
    table = growth.merge(crops, on="parcel_id", how="left").set_index("parcel_id")
    table["known"] = table["curve_start"].notna()
    table["peak_day"] = [_day(value, part.season.start) for value in table["pos"]]
    return table.sort_index()


def _day(value: object, start: dt.date) -> float:
    return float((value - start).days) if isinstance(value, dt.date) else float("nan")


def _row(parcel_id: str, seasons: list[dict[Any, Any]]) -> dict[str, Any]:
    known = [season for season in seasons if season["known"]]
    amounts = np.asarray([season["integral"] for season in known], dtype=float)
    peaks = np.asarray([season["peak_day"] for season in known], dtype=float)
    return {
        "parcel_id": parcel_id,
        "seasons": len(known),
        "idle_seasons": sum(season["cycles"] == 0 for season in known),
        "crops": ["unknown" if pd.isna(s["crop"]) else s["crop"] for s in seasons],
        "stability": stability(amounts[np.isfinite(amounts)]),
        "regularity": regularity(peaks[np.isfinite(peaks)]),
        "thin_file": len(known) < _ENOUGH,
    }


def stability(amounts: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    """Return one minus the relative spread of the seasons' integrals, None below two seasons.

    The spread is the mean distance from the mean over the mean, within 0..1.
    """
    if len(amounts) < _ENOUGH or amounts.mean() <= 0:
        return None
    spread = np.abs(amounts - amounts.mean()).mean() / amounts.mean()
    return float(np.clip(1.0 - spread, 0.0, 1.0))


def regularity(peak_days: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    """Return one minus the spread of the peak day over sixty days, None below two seasons."""
    if len(peak_days) < _ENOUGH:
        return None
    spread = np.abs(peak_days - peak_days.mean()).mean()
    return float(np.clip(1.0 - spread / _NO_REGULARITY_DAYS, 0.0, 1.0))


def _outcome(row: dict[str, Any]) -> Outcome:
    code = "thin_file" if row["thin_file"] else "ok"
    return Outcome(STAGE, row["parcel_id"], "", code, detail(seasons=row["seasons"]))
