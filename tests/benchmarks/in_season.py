"""In-season error by month: yield, value and net income as they were told then, against what came.

Run as `python -m tests.benchmarks.in_season RESULTS --county SIM001 --seasons 2023 2024` on the
results of a simulated county. The crop model is trained anew as of the last day of each month, and
the stages classify, grow, hazards and yield run on the images, labels, weather, cuts, prices and
statistics known by then; `--final-crops` takes the crops recognised at the season's end instead.
Truth is the simulator's: each field's yield, times the price on the day of its harvest, less its
cash cost (`net`, what the columns promise), and less rent and the landlord's share (`income`, what
its farmer kept), which is held against the same columns and, as `lent`, against these less what the
farmer's papers state of rent and share, as his profile takes it. Fields that were valued as another
crop stay in `all` and are left out elsewhere. A net may be near nothing, so its error counts in
mean nets. Intervals draw blocks of neighbouring fields (`_BLOCK` each).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.growth.grow import run_grow
from fieldline.crops.growth.hazards import run_hazards
from fieldline.crops.recognise.classify import run_classify
from fieldline.crops.recognise.train_stage import run_crops_train
from fieldline.crops.settings import ClassifySettings, GrowSettings, HazardSettings, YieldSettings
from fieldline.crops.value.costs import SIMULATED_REGION
from fieldline.crops.value.yields import run_yields
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.reference import calendar
from fieldline.pipeline.records.settings import Season
from fieldline.workflows.simulate.markets import price_book, price_on

_DRAWS, _SEED, _BLOCK = 500, 7, 20
_MINOR_A_TONNE = 100 * 1000  # the simulator's prices are of a kilogram
QUANTITIES = {
    "yield": ("yield_{}_t_ha", "yield_t_ha"),
    "price": ("price_{}_minor", "price"),
    "value": ("value_{}_per_ha_minor", "value"),
    "net": ("net_{}_per_ha_minor", "net"),
    "income": ("net_{}_per_ha_minor", "income"),
    "lent": ("lent_{}_per_ha_minor", "income"),
}
"""Columns of what was told and of the truth."""
_IN_MEANS = ("net", "income", "lent")
_MU_PER_HA = 15
_LEASES = ("lease_contract", "landlord_confirmation", "tenancy_statement")


@dataclass(frozen=True)
class County:
    """A simulated county's papers and the seasons of its results."""

    inputs: Path
    folders: list[Path]
    names: list[str]
    whole: list[Season]
    final_crops: bool
    before: list[Path] = field(default_factory=list)
    """Growth and hazards of the earlier seasons, made anew."""

    @property
    def surveys(self) -> list[Path]:
        """Survey of each season."""
        return [self.inputs / f"survey_{name}.csv" for name in self.names]


def grown(folder: Path, crops: Path, seasons: list[Season], before: list[Path], out: Path) -> None:
    """Run grow and hazards of a season's artifacts as of its as-of date."""
    olds = [{n: p / f"{n}.parquet" for n in ("growth", "crops", "weather", "weather_cells")}
            for p in before]  # fmt: skip
    run_grow(
        observations=folder / "observations.parquet", crops=crops,
        season=seasons[-1], clear_dates=ClearSettings(), settings=GrowSettings(),
        out=out / "growth.parquet", outcomes=out / "o.parquet",
        weather=folder / "weather.parquet", weather_cells=folder / "weather_cells.parquet",
        seasons=seasons, earlier_growth=[p["growth"] for p in olds],
        earlier_crops=[p["crops"] for p in olds], earlier_weather=[p["weather"] for p in olds],
        earlier_cells=[p["weather_cells"] for p in olds],
    )  # fmt: skip
    run_hazards(
        weather=folder / "weather.parquet", weather_cells=folder / "weather_cells.parquet",
        growth=out / "growth.parquet", crops=crops, seasons=seasons,
        settings=HazardSettings(), out=out / "hazards.parquet", outcomes=out / "o.parquet",
        earlier_weather=[p["weather"] for p in olds],
    )  # fmt: skip


def recognised(county: County, season: Season, out: Path) -> Path:
    """Train the crop model as of a day and return the crops that it tells."""
    folder, settings = county.folders[-1], ClassifySettings()
    common: dict[str, Any] = {
        "parcels": folder / "parcels.parquet", "observations": folder / "observations.parquet",
        "survey": county.surveys[-1], "county": folder.name, "clear_dates": ClearSettings(),
        "settings": settings, "outcomes": out / "o.parquet",
    }  # fmt: skip
    (out / "crops").mkdir(exist_ok=True)
    run_crops_train(
        **common, seasons=[*county.whole[:-1], season], out=out / "crops/manifest.json",
        earlier_observations=[p / "observations.parquet" for p in county.folders[:-1]],
        earlier_surveys=county.surveys[:-1],
    )  # fmt: skip
    run_classify(
        **common, season=season, model=out / "crops/manifest.json", out=out / "crops.parquet",
        card=out / "card.json", out_next=out / "next.csv",
    )  # fmt: skip
    return out / "crops.parquet"


def truth_of(inputs: Path, season: str) -> pd.DataFrame:
    """Return crop, yield, price, value, net and income per hectare (minor units) of each parcel."""
    truth = pd.read_parquet(inputs / f"truth/{season}.parquet").dropna(subset=["yield_t_ha"])
    truth = truth[truth["planted_area_m2"] > 0]
    book = price_book(pd.read_csv(inputs / "prices.csv"))
    sold = zip(truth["crop"], truth["harvest_date"], strict=True)
    price = np.array([price_on(book, crop, day) * _MINOR_A_TONNE for crop, day in sold])
    cost = [float(calendar(c, SIMULATED_REGION).cash_cost_per_ha) * 100 for c in truth["crop"]]
    value = truth["yield_t_ha"] * price
    return truth.assign(
        price=price, value=value, net=value - cost,
        income=truth["income_minor"] / (truth["planted_area_m2"] / 1e4),
    ).set_index("parcel_id")  # fmt: skip


def leases_of(inputs: Path, season: str) -> pd.DataFrame:
    """Return yearly rent per hectare (minor units) and landlord's share that papers state."""
    papers = pd.read_csv(inputs / f"documents_{season}.csv")
    stated = papers[papers["kind"].isin(_LEASES)].drop_duplicates("parcel_id")
    stated = stated.set_index("parcel_id")[["amount", "crop_share"]].fillna(0.0)
    return stated.assign(rent=stated["amount"] * _MU_PER_HA * 100)


def told(yields: Path, truth: pd.DataFrame, leases: pd.DataFrame) -> pd.DataFrame:
    """Return what was said of each parcel that was valued, beside the truth."""
    said = pd.read_parquet(yields).set_index("parcel_id")
    lease = leases.reindex(said.index).fillna(0.0)
    for q in ("q10", "q50", "q90"):
        gross, net = (said[f"{of}_{q}_per_ha_minor"] for of in ("value", "net"))
        said[f"lent_{q}_per_ha_minor"] = net - gross * lease["crop_share"] - lease["rent"]
    names = ["yield_t_ha", "price", "value", "net", "income", "harvest_date"]
    both = said.join(truth[names], how="inner").assign(right=said["crop"].eq(truth["crop"]))
    return both[both["net_q50_per_ha_minor"].notna() & (both["value_basis"] == "yield_and_price")]


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
        unit = np.full(len(real), real.mean()) if name in _IN_MEANS else real
        inside = (real >= low) & (real <= high)
        found[name] = {
            "relative_error": _ranged(np.abs(said - real) / unit, blocks, draws),
            "inside": _ranged(inside, blocks, draws),
            "below": round(float((real < low).mean()), 3),
            "bias": round(float(((said - real) / unit).mean()), 3),
            "width": round(float(((high - low) / (unit if name in _IN_MEANS else said)).mean()), 3),
        }  # fmt: skip
    return found


def by_crop(both: pd.DataFrame) -> dict[str, Any]:
    """Return by crop the mean log error of yield and price and what lies below each lower tenth."""

    def off(part: pd.DataFrame, name: str) -> float:
        column, of = QUANTITIES[name]
        return round(float(np.log(part[column.format("q50")] / part[of]).mean()), 3)

    return {
        str(crop): {
            "fields": len(part), "log_yield": off(part, "yield"), "log_price": off(part, "price"),
            **{f"{name} below": round(float((part[of] < part[column.format("q10")]).mean()), 3)
               for name, (column, of) in QUANTITIES.items()},
        }
        for crop, part in both.groupby("crop")
    }  # fmt: skip


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


def earlier(county: County, scratch: Path) -> None:
    """Make growth and hazards of the earlier seasons."""
    for place, folder in enumerate(county.folders[:-1]):
        out = scratch / county.names[place]
        out.mkdir()
        for name in ("crops", "weather", "weather_cells"):
            (out / f"{name}.parquet").symlink_to((folder / f"{name}.parquet").resolve())
        grown(folder, out / "crops.parquet", county.whole[: place + 1], county.before, out)
        county.before.append(out)


def as_of(county: County, season: Season, out: Path) -> Path:
    """Run the stages up to the yields as of a day and return these."""
    folder, before = county.folders[-1], county.before
    seasons = [*county.whole[:-1], season]
    final = folder / "crops.parquet"
    crops = final if county.final_crops else recognised(county, season, out)
    grown(folder, crops, seasons, before, out)
    run_yields(
        crops=crops, growth=out / "growth.parquet", hazards=out / "hazards.parquet",
        county_yields=county.inputs / "county_yields.csv", prices=county.inputs / "prices.csv",
        survey=county.surveys[-1], earlier_crops=[p / "crops.parquet" for p in before],
        earlier_growth=[p / "growth.parquet" for p in before],
        earlier_hazards=[p / "hazards.parquet" for p in before],
        earlier_surveys=county.surveys[:-1], fields=folder / "fields.parquet",
        seasons=seasons, currency="CNY", simulated=True, settings=YieldSettings(),
        out=out / "yields.parquet", out_crops=out / "c.parquet", card=out / "card.json",
        outcomes=out / "o.parquet",
    )  # fmt: skip
    return out / "yields.parquet"


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--county", default="SIM001")
    parser.add_argument("--seasons", nargs="+", default=["2023", "2024"])
    parser.add_argument("--months", type=int, nargs="+", default=list(range(3, 10)))
    parser.add_argument("--final-crops", action="store_true")
    asked = parser.parse_args()
    county = County(
        asked.results / "simulated" / asked.county,
        [asked.results / name / asked.county for name in asked.seasons], asked.seasons,
        [season_of(asked.results, asked.county, name) for name in asked.seasons],
        asked.final_crops,
    )  # fmt: skip
    truth, found = truth_of(county.inputs, asked.seasons[-1]), {}
    leases = leases_of(county.inputs, asked.seasons[-1])
    with tempfile.TemporaryDirectory() as scratch:
        earlier(county, Path(scratch))
        last, now = county.whole[-1], Path(scratch) / "now"
        now.mkdir()
        for month in asked.months:
            end = (pd.Timestamp(last.end.year, month, 1) + pd.offsets.MonthEnd()).date()
            day = min(end, last.end)
            season = Season(start=last.start, end=last.end, as_of=day)
            both = told(as_of(county, season, now), truth, leases)
            right = both[both["right"]]
            found[str(day)] = {
                "valued": len(both), "of": len(truth), "harvested": round(
                    float((right["harvest_date"] <= day).mean()), 3),
                "right": figures(right), "all": figures(both), "by_crop": by_crop(right),
            }  # fmt: skip
    print(json.dumps(found, indent=1, default=str))


if __name__ == "__main__":
    main()
