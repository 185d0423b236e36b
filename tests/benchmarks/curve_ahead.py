"""Hold the foretold rest of growth curves against the curves that came, cut at dates.

Run as `python -m tests.benchmarks.curve_ahead --learn RUN/2023/COUNTY --on RUN/2024/COUNTY`, each a
folder of a run's artifacts. Crops are learnt on the first and foretold on the second as of each
day; where both are the same folder, on one half of its fields and foretold on the other, which
shares their year. `inside` should be .8. Beside it stand two naive answers: the curve stays where
it is, and the mean curve of the learning season by the calendar. Fields count while they stand.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.growth.grow import run_grow
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.settings import Season

NEEDED = ("crops", "weather", "weather_cells", "observations")


def grown(
    folder: Path, season: Season, out: Path, crops: Path, learnt: tuple[Path, Season] | None = None
) -> pd.DataFrame:
    """Run the stage on a folder's artifacts and return growth by parcel."""
    before = [] if learnt is None else [learnt[0]]
    run_grow(
        observations=folder / "observations.parquet", crops=crops, season=season,
        clear_dates=ClearSettings(), settings=GrowSettings(), out=out / "growth.parquet",
        outcomes=out / "o.parquet", weather=folder / "weather.parquet",
        weather_cells=folder / "weather_cells.parquet",
        seasons=[season] if learnt is None else [learnt[1], season],
        earlier_growth=[p / "growth.parquet" for p in before],
        earlier_crops=[p / "crops.parquet" for p in before],
        earlier_weather=[p / "weather.parquet" for p in before],
        earlier_cells=[p / "weather_cells.parquet" for p in before],
    )  # fmt: skip
    return pd.read_parquet(out / "growth.parquet").set_index("parcel_id")


def days_of(row: Any, season: Season) -> np.ndarray[Any, Any]:
    """Return the days since the season's start of a stored curve."""
    first = (row["curve_start"] - season.start).days
    return first + row["curve_step_days"] * np.arange(len(row["curve"]))


def usual_curves(growth: pd.DataFrame, crops: pd.Series, season: Season) -> dict[str, Any]:
    """Return the mean curve of each crop by day."""
    found: dict[str, list[Any]] = {}
    length = (season.end - season.start).days + 1
    for name, row in growth[growth["cycles"] > 0].iterrows():
        days = days_of(row, season)
        values = np.interp(np.arange(length), days, row["curve"], left=np.nan, right=np.nan)
        found.setdefault(crops.get(name), []).append(values)
    return {crop: np.nanmean(rows, axis=0) for crop, rows in found.items() if crop}


def compared(cut: pd.DataFrame, whole: pd.DataFrame, usual: dict[str, Any], crops: pd.Series,
             season: Season) -> pd.DataFrame:  # fmt: skip
    """Return one row for each foretold day of which the curve is known later."""
    parts = []
    for name, row in cut[cut["forecast_q50"].notna()].iterrows():
        then = whole.loc[name]
        days, known = days_of(row, season), days_of(then, season)
        later = days[-1] + row["curve_step_days"] * np.arange(1, len(row["forecast_q50"]) + 1)
        truth = np.interp(later, known, then["curve"], right=np.nan)
        mean = usual.get(crops[name])
        parts.append(pd.DataFrame({
            "crop": crops[name], "days": later - days[-1], "truth": truth,
            "low": row["forecast_q10"], "said": row["forecast_q50"], "high": row["forecast_q90"],
            "stays": row["curve"][-1],
            "calendar": np.nan if mean is None else mean[np.minimum(later, len(mean) - 1)],
        }))  # fmt: skip
    table = pd.concat(parts) if parts else pd.DataFrame(columns=["truth", "days"])
    return table.dropna(subset=["truth"])


def figures(table: pd.DataFrame) -> dict[str, Any]:
    """Return coverage and mean absolute errors."""
    if table.empty:
        return {"days": 0}
    error = {n: round(float((table[n] - table["truth"]).abs().mean()), 3)
             for n in ("said", "stays", "calendar")}  # fmt: skip
    below, above = table["truth"] < table["low"], table["truth"] > table["high"]
    return {
        "days": len(table), "inside": round(float(1 - (below | above).mean()), 3),
        "below": round(float(below.mean()), 3), "above": round(float(above.mean()), 3),
        "mean_absolute_error": error,
    }  # fmt: skip


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learn", type=Path, required=True)
    parser.add_argument("--on", type=Path, required=True)
    parser.add_argument("--crop", default="", help="Call every field so, where none is told.")
    parser.add_argument("--cuts", nargs="+", default=["04-01", "05-01", "06-01", "07-01", "08-01"])
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        learnt, tested = (season_of(p) for p in (asked.learn, asked.on))
        half = asked.learn == asked.on
        before = out / "before"
        before.mkdir()
        for name in NEEDED:
            (before / f"{name}.parquet").symlink_to((asked.learn / f"{name}.parquet").resolve())
        table = named(asked.learn, asked.crop)
        (before / "crops.parquet").unlink()
        learn_rows = table.iloc[::2] if half else table
        learn_rows.to_parquet(before / "crops.parquet")
        past = grown(before, learnt, before, before / "crops.parquet")
        now = named(asked.on, asked.crop)
        crops = (now.iloc[1::2] if half else now).set_index("parcel_id")["crop"].dropna()
        crops.reset_index().to_parquet(out / "crops.parquet")
        usual = usual_curves(past, learn_rows.set_index("parcel_id")["crop"].dropna(), learnt)
        whole = grown(asked.on, tested, out, out / "crops.parquet")
        every = []
        for cut in asked.cuts:
            as_of = dt.date.fromisoformat(f"{tested.end.year}-{cut}")
            season = Season(start=tested.start, end=tested.end, as_of=as_of)
            told = grown(asked.on, season, out, out / "crops.parquet", (before, learnt))
            rows = compared(told, whole, usual, crops, season)
            found[cut] = figures(rows) | {
                "fields": int(told["forecast_q50"].notna().sum()), "of": len(crops)
            }  # fmt: skip
            every.append(rows)
        rows = pd.concat(every)
        found["all"] = figures(rows)
        for low, high in ((0, 20), (20, 60), (60, 400)):
            ahead = rows[(rows["days"] > low) & (rows["days"] <= high)]
            found[f"{low}-{high} days ahead"] = figures(ahead)
    print(json.dumps(found, indent=1))


def named(folder: Path, crop: str) -> pd.DataFrame:
    """Return the crop of every parcel of a folder, or one crop for all."""
    table = pd.read_parquet(folder / "crops.parquet")[["parcel_id", "crop"]]
    return table.assign(crop=crop) if crop else table


def season_of(folder: Path) -> Season:
    """Return the season of a folder: the days of its weather."""
    days = pd.read_parquet(folder / "weather.parquet", columns=["date"])["date"]
    return Season(start=days.min(), end=days.max(), as_of=days.max())


if __name__ == "__main__":
    main()
