"""Hold the foretold rest of growth curves against the curves that came, cut at dates.

Run as `python -m tests.benchmarks.curve_ahead --learn RUN/2023/COUNTY --on RUN/2024/COUNTY`, each a
folder of a run's artifacts. Crops are learnt on the first and foretold on the second as of each
day; where both are the same folder, on one half of its fields and foretold on the other, which
shares their year. `--real france FILE` or `--real bavaria FOLDER WEATHER` makes such a folder of
published series. `inside` should be .8, of the curve that came and of the observations that came
(`seen`), which have noise of their own. Beside it stand two naive answers: the curve stays where it
is, and the mean curve of the learning season by the calendar. Fields count while they stand.
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
from fieldline.crops.growth.seasons import clear_points
from fieldline.crops.series import iter_clear
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.settings import Season
from tests.benchmarks.real_curves import bavaria, france

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


def seen_later(
    cut: pd.DataFrame, observations: pd.DataFrame, crops: pd.Series, season: Season
) -> pd.DataFrame:
    """Return one row for each observation of a foretold day, with what was foretold of that day."""
    parts = []
    for name, row in cut[cut["forecast_q50"].notna()].iterrows():
        own = observations[observations["parcel_id"] == name]
        days = days_of(row, season)
        later = days[-1] + row["curve_step_days"] * np.arange(len(row["forecast_q50"]) + 1)
        on = own["day"].to_numpy(dtype=float)
        inside = (on > later[0]) & (on <= later[-1])
        told = {
            said: np.interp(on[inside], later, np.append(row["curve"][-1], row[f"forecast_{of}"]))
            for said, of in (("low", "q10"), ("said", "q50"), ("high", "q90"))
        }
        parts.append(pd.DataFrame({
            "crop": crops[name], "days": on[inside] - later[0],
            "truth": own["ndvi"].to_numpy(dtype=float)[inside], **told,
            "stays": row["curve"][-1], "calendar": np.nan,
        }))  # fmt: skip
    return pd.concat(parts) if parts else pd.DataFrame(columns=["truth", "days"])


def observed(folder: Path, season: Season) -> pd.DataFrame:
    """Return NDVI of every clear observation of a folder, with its day of the season."""
    clear, parts = ClearSettings(), []
    path = folder / "observations.parquet"
    for batch in iter_clear(path, season, clear.min_valid_fraction, frozenset()):
        points = clear_points(batch, clear.max_haze)
        names = np.array(batch.parcel_ids)[points.parcel]
        parts.append(pd.DataFrame({"parcel_id": names, "day": points.day, "ndvi": points.values}))
    return pd.concat(parts)


def figures(table: pd.DataFrame) -> dict[str, Any]:
    """Return coverage and mean absolute errors."""
    if table.empty:
        return {"days": 0}
    table = table.assign(both_clocks=(table["said"] + table["calendar"]) / 2)
    error = {n: round(float((table[n] - table["truth"]).abs().mean()), 3)
             for n in ("said", "stays", "calendar", "both_clocks")}  # fmt: skip
    below, above = table["truth"] < table["low"], table["truth"] > table["high"]
    return {
        "days": len(table), "inside": round(float(1 - (below | above).mean()), 3),
        "below": round(float(below.mean()), 3), "above": round(float(above.mean()), 3),
        "mean_absolute_error": error,
    }  # fmt: skip


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learn", type=Path)
    parser.add_argument("--on", type=Path)
    parser.add_argument("--real", nargs="+", help="france FILE, or bavaria FOLDER WEATHER")
    parser.add_argument("--odd", action="store_true", help="Learn on the other half.")
    parser.add_argument("--crop", default="", help="Call every field so, where none is told.")
    parser.add_argument("--cuts", nargs="+", default=["04-01", "05-01", "06-01", "07-01", "08-01"])
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        if asked.real:
            asked.learn = asked.on = out / "real"
            asked.on.mkdir()
            of = {"france": france, "bavaria": bavaria}[asked.real[0]]
            of(*map(Path, asked.real[1:]), asked.on)
        learnt, tested = (season_of(p) for p in (asked.learn, asked.on))
        half = asked.learn == asked.on
        before = out / "before"
        before.mkdir()
        for name in NEEDED:
            (before / f"{name}.parquet").symlink_to((asked.learn / f"{name}.parquet").resolve())
        table = named(asked.learn, asked.crop)
        (before / "crops.parquet").unlink()
        learn_rows = table.iloc[int(asked.odd) :: 2] if half else table
        learn_rows.to_parquet(before / "crops.parquet")
        past = grown(before, learnt, before, before / "crops.parquet")
        now = named(asked.on, asked.crop)
        crops = (
            (now.iloc[1 - asked.odd :: 2] if half else now).set_index("parcel_id")["crop"].dropna()
        )
        crops.reset_index().to_parquet(out / "crops.parquet")
        usual = usual_curves(past, learn_rows.set_index("parcel_id")["crop"].dropna(), learnt)
        whole = grown(asked.on, tested, out, out / "crops.parquet")
        every, seen, later = [], [], observed(asked.on, tested)
        for cut in asked.cuts:
            as_of = dt.date.fromisoformat(cut if len(cut) > 5 else f"{tested.end.year}-{cut}")
            season = Season(start=tested.start, end=tested.end, as_of=as_of)
            told = grown(asked.on, season, out, out / "crops.parquet", (before, learnt))
            rows = compared(told, whole, usual, crops, season)
            found[cut] = figures(rows) | {
                "fields": int(told["forecast_q50"].notna().sum()), "of": len(crops)
            }  # fmt: skip
            every.append(rows)
            seen.append(seen_later(told, later, crops, tested))
        rows, looks = pd.concat(every), pd.concat(seen)
        found["all"], found["all, seen"] = figures(rows), figures(looks)
        if len(rows):
            found["by crop"] = {crop: figures(part) for crop, part in rows.groupby("crop")}
        for low, high in ((0, 20), (20, 60), (60, 400)):
            ahead = rows[(rows["days"] > low) & (rows["days"] <= high)]
            found[f"{low}-{high} days ahead"] = figures(ahead)
            ahead = looks[(looks["days"] > low) & (looks["days"] <= high)]
            found[f"{low}-{high} days ahead, seen"] = figures(ahead)
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
