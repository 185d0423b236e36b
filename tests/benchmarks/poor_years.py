"""Hold "in a poor year, one in ten" against years that came after, in simulated counties.

Run as `python -m tests.benchmarks.poor_years --seeds 1 2 3 --years 6`. A county's crops grow in the
simulator's crop model and weather; each autumn its farmers' next harvest is forecast from the
statistics and prices that were out by then, through the functions of the chain, and held against
what the next year's yields and prices bring. Soil and luck of a parcel are the simulator's, and the
lender has never measured them. `below_q10` should be .08 to .12; its interval draws whole
county-years, because a poor year is poor for all.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.costs import SIMULATED_REGION, cash_costs
from fieldline.crops.value.crop_values import crop_values
from fieldline.crops.value.prices import crop_prices, read_prices
from fieldline.crops.value.priors import YieldSources
from fieldline.crops.value.yields import Valuation
from fieldline.lending.profile.crop_value import crop_values_of
from fieldline.lending.profile.harvest import next_harvests
from fieldline.lending.profile.income import IncomeModel, quantiles
from fieldline.lending.profile.rotation import Rotation
from fieldline.lending.profile.worth import parcel_values
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.settings import Season
from fieldline.workflows.simulate.growth import grow
from fieldline.workflows.simulate.markets import prices
from fieldline.workflows.simulate.settings import SeasonSpan, SimulateSettings, SkySettings
from fieldline.workflows.simulate.weather import generate_weather

CROPS = ("winter_wheat", "maize", "soybean", "rice")
_SOIL_SD, _LUCK_SD = 0.25, 0.08
_DRAWS = 2000
POLICY, YIELDS = PolicySettings(), YieldSettings(cost_region=SIMULATED_REGION)
MODEL = IncomeModel(
    POLICY.draws, POLICY.seed, float(POLICY.harvest_loss_share), 1.0, 0.0,
    POLICY.crops_yield_correlation, POLICY.crops_price_correlation,
)  # fmt: skip


@dataclass(frozen=True)
class Simulated:
    """What a county's years brought."""

    yields: pd.DataFrame
    """`crop, year, yield_t_ha` of the average farmer."""
    prices: pd.DataFrame
    parcels: pd.DataFrame
    """`parcel_id, farmer_id, crop, evidence_area_m2, soil`."""


def simulated(seed: int, first: int, years: int, known: int, farmers: int) -> Simulated:
    """Return a county of one weather cell."""
    spans = {
        str(year): SeasonSpan(start=dt.date(year - 1, 10, 1), end=dt.date(year, 9, 30))
        for year in range(first, first + years)
    }
    settings = SimulateSettings(
        seed=seed, seasons=spans, yield_years=known, growth_runs=1, processes=1, crops=CROPS,
        sky=SkySettings(weather_cells=1),
    )  # fmt: skip
    table, past = grow(settings, generate_weather(settings))
    later = pd.DataFrame([
        {"crop": crop, "year": int(year), "yield_t_ha": table.yields[at, number, 0, 0]}
        for at, year in enumerate(spans) for number, crop in enumerate(table.codes)
    ])  # fmt: skip
    return Simulated(
        pd.concat([past, later]).assign(source="simulated"), prices(settings),
        _parcels(np.random.default_rng(seed), farmers),
    )  # fmt: skip


def _parcels(rng: np.random.Generator, farmers: int) -> pd.DataFrame:
    owner = np.repeat(np.arange(farmers), rng.integers(1, 5, farmers))
    count = len(owner)
    return pd.DataFrame({
        "parcel_id": [f"p{n}" for n in range(count)], "farmer_id": owner,
        "crop": rng.choice(CROPS, count), "evidence_area_m2": rng.lognormal(8.4, 0.5, count),
        "soil": np.exp(rng.normal(0, _SOIL_SD, count)),
    })  # fmt: skip


def below(county: Simulated, year: int, folder: Path) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which farmers' income of a year lay below what was told the autumn before."""
    autumn = dt.date(year - 1, 9, 30)
    season = Season(start=dt.date(year - 2, 10, 1), end=autumn, as_of=autumn)
    parcels = county.parcels.assign(
        codes=[()] * len(county.parcels), proven_crop=None, crop_basis="classified",
        declared_crop=county.parcels["crop"], yield_q50_t_ha=np.nan, prior_t_ha=np.nan,
        shared_log_sd=np.nan, own_log_sd=np.nan, shock_group="", price_q50_minor=np.nan,
        price_log_sd=np.nan, cost_per_ha_minor=np.nan, sos=None, harvest_date=None, effect="none",
        leased=False,
    )  # fmt: skip
    values = crop_values_of(_crop_values(county, season, folder))
    rotation = Rotation([], POLICY)
    found = next_harvests(parcels, values, rotation, autumn, POLICY)
    worth = parcel_values(parcels, found, {}, POLICY, "CNY")
    told = {
        farmer: quantiles(MODEL.total([v for p in own for v in worth[p]]))[0]
        for farmer, own in parcels.groupby("farmer_id")["parcel_id"]
    }
    got = _brought(county, found, year).groupby(county.parcels["farmer_id"].to_numpy()).sum()
    return (got < pd.Series(told)).to_numpy()


def _crop_values(county: Simulated, season: Season, folder: Path) -> pd.DataFrame:
    county.yields.to_csv(folder / "y.csv", index=False)
    county.prices.to_csv(folder / "p.csv", index=False)
    series = read_prices(folder / "p.csv", "long", "CNY", season.as_of)
    priors = YieldSources(folder / "y.csv", {}, (), YIELDS).priors(season)
    costs = cash_costs(YIELDS.cost_file, YIELDS.cost_region, "CNY")
    known = Valuation(priors, crop_prices(series, season.as_of, YIELDS), costs, None, "", "CNY")
    return crop_values(known, season, YIELDS, series)


def _brought(county: Simulated, found: pd.DataFrame, year: int) -> pd.Series[float]:
    """Return what each parcel brings in a year at the price of its harvest's month, minor units."""
    rows = found.set_index("parcel_id").loc[county.parcels["parcel_id"]]
    luck = np.random.default_rng(year).normal(0, _LUCK_SD, len(rows))
    grown = county.yields.set_index(["crop", "year"])["yield_t_ha"]
    paid = county.prices.assign(month=county.prices["date"].str[:7])
    paid = paid.set_index(["crop", "month"])["price"] * 100_000  # CNY/kg to fen per tonne
    crops = county.parcels["crop"]
    months = [day.strftime("%Y-%m") for day in rows["harvest_by"]]
    tonnes = np.array([grown[crop, year] for crop in crops]) * county.parcels["soil"] * np.exp(luck)
    price = np.array([paid[crop, month] for crop, month in zip(crops, months, strict=True)])
    kept = 1 - float(POLICY.harvest_loss_share)
    cost = rows["cost_per_ha_minor"].to_numpy(dtype=float)
    return (tonnes * price * kept - cost) * county.parcels["evidence_area_m2"] / 1e4


def measured(seeds: list[int], years: int, known: int, farmers: int) -> dict[str, Any]:
    """Return the share of farmers below their q10, overall and by county-year."""
    first, shares = 2018, {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            county = simulated(seed, first, years, known, farmers)
            for year in range(first, first + years):
                shares[f"{seed} {year}"] = float(below(county, year, Path(folder)).mean())
    values = np.array(list(shares.values()))
    rng = np.random.default_rng(1)
    draws = [rng.choice(values, len(values)).mean() for _ in range(_DRAWS)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return {
        "below_q10": {"value": float(values.mean()), "low": float(low), "high": float(high)},
        "known_years": known, "unseen_years": years, "seeds": seeds, "farmers": farmers,
        "by_county_year": shares,
    }  # fmt: skip


def main() -> None:
    """Measure and print, and write the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--years", type=int, default=6)
    parser.add_argument("--known", type=int, default=6)
    parser.add_argument("--farmers", type=int, default=200)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = measured(given.seeds, given.years, given.known, given.farmers)
    print(json.dumps(found, indent=2))
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
