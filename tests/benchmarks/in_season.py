"""In-season error by month: yield, value and net income as they were told then, against what came.

Run as `python -m tests.benchmarks.in_season RESULTS --county SIM001 --seasons 2023 2024` on the
results of a simulated county. The stages grow, hazards and yield run anew as of the last day of
each month, on the images, weather, cuts, prices and statistics known by then; crops are those
recognised at the season's end, so that only growth, weather and price are early. Truth is the
simulator's: each field's yield, times the price of its harvest month, and what its farmer kept
after costs. Fields of another crop than was recognised are left out. An income may be near nothing,
so its error counts in mean incomes. Intervals draw blocks of neighbouring fields (`_BLOCK` each).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.growth.grow import run_grow
from fieldline.crops.growth.hazards import run_hazards
from fieldline.crops.settings import GrowSettings, HazardSettings, YieldSettings
from fieldline.crops.value.yields import run_yields
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.settings import Season

_DRAWS, _SEED, _BLOCK = 500, 7, 20
_MINOR_A_TONNE = 100 * 1000  # the simulator's prices are of a kilogram
QUANTITIES = {
    "yield": ("yield_{}_t_ha", "yield_t_ha"),
    "value": ("value_{}_per_ha_minor", "value"),
    "income": ("net_{}_per_ha_minor", "income"),
}
"""Columns of what was told and of the truth."""


def grown(folder: Path, seasons: list[Season], before: list[Path], out: Path) -> None:
    """Run grow and hazards of a season's artifacts as of its as-of date."""
    olds = [{n: p / f"{n}.parquet" for n in ("growth", "crops", "weather", "weather_cells")}
            for p in before]  # fmt: skip
    run_grow(
        observations=folder / "observations.parquet", crops=folder / "crops.parquet",
        season=seasons[-1], clear_dates=ClearSettings(), settings=GrowSettings(),
        out=out / "growth.parquet", outcomes=out / "o.parquet",
        weather=folder / "weather.parquet", weather_cells=folder / "weather_cells.parquet",
        seasons=seasons, earlier_growth=[p["growth"] for p in olds],
        earlier_crops=[p["crops"] for p in olds], earlier_weather=[p["weather"] for p in olds],
        earlier_cells=[p["weather_cells"] for p in olds],
    )  # fmt: skip
    run_hazards(
        weather=folder / "weather.parquet", weather_cells=folder / "weather_cells.parquet",
        growth=out / "growth.parquet", crops=folder / "crops.parquet", seasons=seasons,
        settings=HazardSettings(), out=out / "hazards.parquet", outcomes=out / "o.parquet",
        earlier_weather=[p["weather"] for p in olds],
    )  # fmt: skip


def truth_of(inputs: Path, season: str) -> pd.DataFrame:
    """Return crop, yield and value per hectare (minor units) that each parcel brought."""
    truth = pd.read_parquet(inputs / f"truth/{season}.parquet").dropna(subset=["yield_t_ha"])
    prices = pd.read_csv(inputs / "prices.csv", parse_dates=["date"])
    months = prices.groupby(["crop", prices["date"].dt.to_period("M")])["price"].mean()
    month = pd.to_datetime(truth["harvest_date"]).dt.to_period("M")
    price = [months.get(key, np.nan) for key in zip(truth["crop"], month, strict=True)]
    return truth.assign(
        value=truth["yield_t_ha"] * np.array(price) * _MINOR_A_TONNE,
        income=truth["income_minor"] / (truth["planted_area_m2"] / 1e4),
    ).set_index("parcel_id")


def told(yields: Path, crops: Path, truth: pd.DataFrame) -> pd.DataFrame:
    """Return what was said of each parcel whose crop was recognised rightly, beside the truth."""
    said = pd.read_parquet(yields).set_index("parcel_id")
    known = pd.read_parquet(crops).set_index("parcel_id")["crop"]
    both = said.join(truth[["yield_t_ha", "value", "income", "harvest_date"]], how="inner")
    right = known.reindex(both.index) == truth["crop"].reindex(both.index)
    told_of = both["net_q50_per_ha_minor"].notna() & both["value_q50_per_ha_minor"].notna()
    return both[right & told_of & both["value"].notna() & both["income"].notna()]


def figures(both: pd.DataFrame) -> dict[str, Any]:
    """Return relative errors and coverage, with intervals over blocks of fields."""
    blocks = np.arange(len(both)) // _BLOCK
    rng = np.random.default_rng(_SEED)
    draws = [rng.integers(0, blocks[-1] + 1, blocks[-1] + 1) for _ in range(_DRAWS)]
    found: dict[str, Any] = {"fields": len(both)}
    for name, (column, of) in QUANTITIES.items():
        real = both[of].to_numpy(dtype=float)
        low, said, high = (
            both[column.format(q)].to_numpy(dtype=float) for q in ("q10", "q50", "q90")
        )
        unit = np.full(len(real), real.mean()) if name == "income" else real
        error = np.abs(said - real) / unit
        inside = (real >= low) & (real <= high)
        found[name] = {
            "relative_error": _ranged(error, blocks, draws),
            "inside": _ranged(inside, blocks, draws),
            "below": round(float((real < low).mean()), 3),
            "bias": round(float(((said - real) / unit).mean()), 3),
            "width": round(float(((high - low) / (unit if name == "income" else said)).mean()), 3),
        }  # fmt: skip
    return found


def _ranged(values: Any, blocks: Any, draws: list[Any]) -> list[float]:
    """Return the mean with the interval of blocks drawn anew."""
    table = pd.Series(np.asarray(values, dtype=float)).groupby(blocks)
    total, count = table.sum().to_numpy(), table.size().to_numpy()
    means = [total[d].sum() / count[d].sum() for d in draws]
    return [round(float(v), 3) for v in (np.mean(values), *np.quantile(means, [0.025, 0.975]))]


def season_of(results: Path, county: str, name: str) -> Season:
    """Return a whole season: the days of its weather."""
    path = results / name / county / "weather.parquet"
    days = pd.read_parquet(path, columns=["date"])["date"]
    return Season(start=days.min(), end=days.max(), as_of=days.max())


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--county", default="SIM001")
    parser.add_argument("--seasons", nargs="+", default=["2023", "2024"])
    parser.add_argument("--months", type=int, nargs="+", default=list(range(3, 10)))
    asked = parser.parse_args()
    inputs = asked.results / "simulated" / asked.county
    folders = [asked.results / name / asked.county for name in asked.seasons]
    whole = [season_of(asked.results, asked.county, name) for name in asked.seasons]
    truth, found = truth_of(inputs, asked.seasons[-1]), {}
    with tempfile.TemporaryDirectory() as scratch:
        before: list[Path] = []
        for place, folder in enumerate(folders[:-1]):
            out = Path(scratch) / asked.seasons[place]
            out.mkdir()
            for name in ("crops", "weather", "weather_cells"):
                (out / f"{name}.parquet").symlink_to((folder / f"{name}.parquet").resolve())
            grown(folder, whole[: place + 1], before, out)
            before.append(out)
        last, now = whole[-1], Path(scratch) / "now"
        now.mkdir()
        for month in asked.months:
            day = (pd.Timestamp(last.end.year, month, 1) + pd.offsets.MonthEnd()).date()
            season = Season(start=last.start, end=last.end, as_of=min(day, last.end))
            seasons = [*whole[:-1], season]
            grown(folders[-1], seasons, before, now)
            surveys = [inputs / f"survey_{name}.csv" for name in asked.seasons]
            run_yields(
                crops=folders[-1] / "crops.parquet", growth=now / "growth.parquet",
                hazards=now / "hazards.parquet", county_yields=inputs / "county_yields.csv",
                prices=inputs / "prices.csv", survey=surveys[-1],
                earlier_crops=[p / "crops.parquet" for p in before],
                earlier_growth=[p / "growth.parquet" for p in before],
                earlier_hazards=[p / "hazards.parquet" for p in before],
                earlier_surveys=surveys[:-1], fields=folders[-1] / "fields.parquet",
                seasons=seasons, currency="CNY", simulated=True, settings=YieldSettings(),
                out=now / "yields.parquet", out_crops=now / "c.parquet", card=now / "card.json",
                outcomes=now / "o.parquet",
            )  # fmt: skip
            both = told(now / "yields.parquet", folders[-1] / "crops.parquet", truth)
            found[str(day)] = figures(both) | {
                "harvested": round(float((both["harvest_date"] <= day).mean()), 3),
            }  # fmt: skip
    print(json.dumps(found, indent=1, default=str))


if __name__ == "__main__":
    main()
