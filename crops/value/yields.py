"""The yield stage: yield, price and value of each parcel, each with an honest interval.

Owns `yields.parquet` and the yield card. The crop is the classified one; where the model cannot
tell it is the cheapest crop of the prediction set, and no crop where one of the set has no value.
Shared and own errors stand apart, so that lending can draw parcels jointly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.inputs import PRICES, SURVEY
from fieldline.crops.model_card import content_hash, write_card
from fieldline.crops.recognise.labels import crop_cuts
from fieldline.crops.schemas import CROP_VALUES, YIELDS
from fieldline.crops.series import stopped_parcels
from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.area_values import AreaValue, area_values, by_area
from fieldline.crops.value.costs import CropCost, cash_costs, of_county
from fieldline.crops.value.crop_values import crop_values
from fieldline.crops.value.per_hectare import AREA, value_of
from fieldline.crops.value.pooling import CURVE_FEATURES
from fieldline.crops.value.prices import Z80, CropPrice, crop_prices, read_prices
from fieldline.crops.value.priors import Prior, YieldSources, own_error
from fieldline.crops.value.yield_card import yield_card
from fieldline.crops.value.yield_model import YieldModel, fit_yield_model
from fieldline.pipeline.records.outcomes import Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table, write_table

STAGE = "yield"
#: What one unit of each curve feature means, so that one ridge penalty suits all.
_UNITS = {"peak": 0.05, "length": 15.0, "drought": 20.0, "heat": 20.0, "flood": 20.0}
_CLIP = 3.0


@dataclass(frozen=True)
class SeasonTables:
    """One season's artifacts that a yield model may learn from."""

    season: Season
    crops: Path
    growth: Path
    hazards: Path | None = None
    survey: Path | None = None
    """Survey with crop cuts (yield_t_ha, measured_on)."""


@dataclass(frozen=True)
class Valuation:
    """Everything that values a crop in this county and season."""

    priors: dict[str, Prior]
    prices: dict[str, CropPrice]
    costs: dict[str, CropCost]
    """Cash cost by crop."""
    model: YieldModel | None
    model_name: str
    currency: str
    areas: Mapping[str, AreaValue] = field(default_factory=dict)
    """Value by area of the crops that have one."""

    def can_value(self, crop: str) -> bool:
        """Whether both yield and price of a crop are known."""
        return crop in self.priors and crop in self.prices

    def naive_value(self, crop: str) -> float:
        """Return prior yield times price, to find the cheapest crop of a set."""
        return self.priors[crop].mean_t_ha * self.prices[crop].per_tonne


def run_yields(
    *,
    crops: Path,
    growth: Path,
    hazards: Path,
    county_yields: Path | None,
    prices: Path | None,
    survey: Path | None,
    earlier_crops: Sequence[Path] = (),
    earlier_growth: Sequence[Path] = (),
    earlier_hazards: Sequence[Path] = (),
    earlier_surveys: Sequence[Path] = (),
    fields: Path | None = None,
    seasons: Sequence[Season],
    currency: str,
    county_names: Sequence[str] = (),
    simulated: bool = False,
    prices_format: str = "long",
    table_columns: Mapping[str, Mapping[str, str]] = {},
    settings: YieldSettings,
    out: Path,
    out_crops: Path,
    card: Path,
    outcomes: Path,
    previous: Sequence[Path] = (),
) -> None:
    """Write yields, what is known of each crop, the yield card and the stage's outcomes.

    Args:
        crops: `crops.parquet`.
        growth: `growth.parquet`.
        hazards: `hazards.parquet`.
        county_yields: County yield statistics, if any.
        prices: Price table, if any.
        survey: Survey of this season with crop cuts, if any.
        earlier_crops: `crops.parquet` of every earlier season, oldest first.
        earlier_growth: `growth.parquet` of the same.
        earlier_hazards: `hazards.parquet` of the same.
        earlier_surveys: Surveys with crop cuts of the same, or none at all.
        fields: `fields.parquet`; small parcels keep less of their curve's departure.
        seasons: All of these seasons, oldest first; the last is valued, and nothing after its
            as-of date is used.
        currency: The county's currency.
        county_names: What the county may be called in a table of several, and in the cost file.
        simulated: Whether the county is simulated: then the simulator's costs stand in for none.
        prices_format: Layout of the price table.
        table_columns: The lender's own column names by table and Fieldline name.
        settings: Settings of the stage.
        out: Where the yields go.
        out_crops: Where yield, price, cost and days of each crop go.
        card: Where the yield card goes.
        outcomes: Where outcomes go.
        previous: Outcome files of earlier stages; parcels they stopped are left out.
    """
    *past, season = seasons
    settings = of_county(settings, county_names, currency, simulated=simulated)
    tables = zip_longest(past, earlier_crops, earlier_growth, earlier_hazards, earlier_surveys)
    earlier = [SeasonTables(*part) for part in tables]
    statistics = YieldSources(county_yields, table_columns, county_names, settings)
    priors = statistics.priors(season)
    now = SeasonTables(season, crops, growth, hazards, survey)
    table = parcel_table(now, fields, settings)
    table = table[~table["parcel_id"].isin(stopped_parcels(previous))]
    cuts = [_cuts(part, statistics, fields, season, settings) for part in (*earlier, now)]
    learnt = pd.concat(cuts, ignore_index=True)
    series = None if prices is None else read_prices(
        prices, prices_format, currency, season.as_of, table_columns.get(PRICES.name, {})
    )  # fmt: skip
    valuation = _valuation(priors, series, learnt, currency, season, settings)
    rows = _rows(table, season.end.year, valuation)
    write_table(pd.DataFrame(rows, columns=YIELDS.names), YIELDS, out)
    per_crop = crop_values(valuation, season, settings, series)
    write_table(per_crop, CROP_VALUES, out_crops)
    write_card(yield_card(valuation, learnt, settings, season), card)
    write_outcomes([_outcome(row) for row in rows], outcomes)


def _valuation(
    priors: dict[str, Prior], series: pd.DataFrame | None, learnt: pd.DataFrame, currency: str,
    season: Season, settings: YieldSettings,
) -> Valuation:  # fmt: skip
    """Return what values each crop: prices of the series, costs, areas and the cuts' model."""
    model = fit_yield_model(learnt, settings) if len(learnt) >= settings.min_cuts else None
    name = "" if model is None else "yield-ridge-" + content_hash(
        learnt.to_csv(index=False, float_format="%.9g").encode(),
        settings.model_dump_json().encode(),
    )  # fmt: skip
    known = {} if series is None else crop_prices(series, season.as_of, settings)
    areas = area_values(settings, currency, season.as_of)
    paid = bool(known or areas)
    costs = cash_costs(settings.cost_file, settings.cost_region, currency) if paid else {}
    return Valuation(priors, known, costs, model, name, currency, areas)


def parcel_table(part: SeasonTables, fields: Path | None, settings: YieldSettings) -> pd.DataFrame:
    """Return one row per parcel with its crop answer and curve features.

    Features compare a parcel with the county's parcels of its crop in the same season: `anomaly`,
    and steps of peak, season length and hazards from the crop's median. Parcels of few pixels keep
    pixels / (pixels + `small_parcel_pixels`) of their curve's departure.
    """
    table = read_table(part.crops, ["parcel_id", "crop", "prediction_set"])
    growth = read_table(part.growth, ["parcel_id", "sos", "eos", "peak", "anomaly"])
    table = table.merge(growth, on="parcel_id", how="left")
    table["length"] = [
        float((eos - sos).days) if pd.notna(sos) and pd.notna(eos) else np.nan
        for sos, eos in zip(table["sos"], table["eos"], strict=True)
    ]
    names = ["drought", "heat", "flood"]
    if part.hazards is not None:
        hazards = read_table(part.hazards, ["parcel_id", *names])
        table = table.merge(hazards, on="parcel_id", how="left")
    else:
        table = table.assign(**dict.fromkeys(names, np.nan))
    pixels = _pixels(table["parcel_id"], fields)
    keep = (pixels / (pixels + settings.small_parcel_pixels)).fillna(1.0)
    table["size"] = _size_names(pixels, settings.size_band_pixels)
    table["anomaly"] = table["anomaly"].astype(float).clip(-_CLIP, _CLIP) * keep
    for name, unit in _UNITS.items():
        values = table[name].astype(float)
        step = (values - values.groupby(table["crop"]).transform("median")) / unit
        share = keep if name in ("peak", "length") else 1.0
        table[f"{name}_step"] = step.clip(-_CLIP, _CLIP) * share
    table["season"] = str(part.season.start)
    return table.sort_values("parcel_id", ignore_index=True)


def _pixels(parcels: pd.Series, fields: Path | None) -> pd.Series:
    if fields is None:
        return pd.Series(np.nan, index=parcels.index)
    known = read_table(fields, ["parcel_id", "pixels"]).set_index("parcel_id")["pixels"]
    return parcels.map(known).astype(float)


def _size_names(pixels: pd.Series, edges: tuple[float, ...]) -> list[str]:
    """Name each parcel's size band: `band 0` is the smallest, nothing where it is unknown."""
    band = np.searchsorted(np.asarray(edges), pixels.to_numpy(dtype=float), side="right")
    known = pixels.notna().to_numpy()
    return [f"band {number}" if sure else "" for number, sure in zip(band, known, strict=True)]


def _cuts(
    part: SeasonTables,
    statistics: YieldSources,
    fields: Path | None,
    season: Season,
    settings: YieldSettings,
) -> pd.DataFrame:
    """Return the crop cuts of a season that were known at the as-of date, as logs to prior."""
    columns = ["parcel_id", "season", "crop", "size", "log_ratio", *CURVE_FEATURES]
    if part.survey is None:
        return pd.DataFrame(columns=columns)
    measured = crop_cuts(part.survey, season.as_of, statistics.columns.get(SURVEY.name, {}))
    if measured.empty:
        return pd.DataFrame(columns=columns)
    means = {crop: prior.mean_t_ha for crop, prior in statistics.priors(part.season).items()}
    table = parcel_table(part, fields, settings).drop(columns="crop")
    joined = table.merge(measured, on="parcel_id")
    joined = joined[joined["crop"].isin(list(means))]
    ratio = joined["yield_t_ha"].astype(float) / joined["crop"].map(means).astype(float)
    return joined.assign(log_ratio=np.log(ratio))[columns]


def _rows(table: pd.DataFrame, year: int, valuation: Valuation) -> list[dict[str, Any]]:
    chosen = [_crop_of(row, valuation) for row in table.to_dict("records")]
    names: pd.Series[Any] = pd.Series(
        np.asarray([crop for crop, _ in chosen], dtype=object), index=table.index
    )
    valued = table.assign(crop=names, basis=[basis for _, basis in chosen])
    errors = yield_errors(valued.assign(crop=valued["crop"].fillna("")), valuation)
    records = zip(valued.to_dict("records"), errors, strict=True)
    return [_row(record, year, error, valuation) for record, error in records]


def _crop_of(row: dict[Any, Any], valuation: Valuation) -> tuple[str | None, str]:
    """Return the crop that is valued and why: classified, cheapest of the set, or none."""
    if isinstance(row["crop"], str):
        return row["crop"], "classified"
    plausible = [str(name) for name in row["prediction_set"]]
    if not plausible or not all(valuation.can_value(name) for name in plausible):
        return None, "none"
    return min(plausible, key=lambda name: (valuation.naive_value(name), name)), "cheapest_of_set"


def _row(
    record: dict[Any, Any], year: int, error: YieldError, valuation: Valuation
) -> dict[str, Any]:
    crop = record["crop"] if isinstance(record["crop"], str) else None
    row: dict[str, Any] = dict.fromkeys(YIELDS.names)
    row |= {
        "parcel_id": record["parcel_id"], "crop": crop, "crop_basis": record["basis"],
        "prior_source": "", "shock_group": f"{crop}|{year}" if crop else "", "price_source": "",
        "currency": valuation.currency, "model": valuation.model_name,
    }  # fmt: skip
    if crop is None:
        return row
    if crop in valuation.costs:
        row["cost_per_ha_minor"] = valuation.costs[crop].per_ha.minor_in(valuation.currency)
    if crop in valuation.priors:
        row |= yield_interval(valuation.priors[crop], error)
    if crop in valuation.prices:
        row |= _priced(valuation.prices[crop], valuation.currency)
    if valuation.can_value(crop):
        return row | value_of(row)
    if crop in valuation.areas:
        row |= by_area(valuation.areas[crop], valuation.currency, row["cost_per_ha_minor"])
    return row


@dataclass(frozen=True)
class YieldError:
    """Where a parcel's yield lies against the prior and how wrong that may be, in logs."""

    shift: float
    shared: float
    """Log sd of the part that parcels of one crop and season have in common."""
    own: float
    """Log sd of the parcel's own part."""


def yield_errors(rows: pd.DataFrame, valuation: Valuation) -> list[YieldError]:
    """Return the yield error of each row; a shared shock no cut has seen is the years' spread."""
    priors, model = valuation.priors, valuation.model
    years = [priors[crop].years_log_sd if crop in priors else 0.0 for crop in rows["crop"]]
    if model is None:
        own = [own_error(str(crop)).own for crop in rows["crop"]]
        return [YieldError(0.0, year, parcel) for year, parcel in zip(years, own, strict=True)]
    seen = [
        model.cuts.get(f"{s}|{c}", 0) for s, c in zip(rows["season"], rows["crop"], strict=True)
    ]
    shift, (shared, own_sd) = model.shift(rows), model.errors(rows)
    shock = np.where(np.asarray(seen) > 0, shared, np.maximum(shared, years))
    return [YieldError(*map(float, part)) for part in zip(shift, shock, own_sd, strict=True)]


def yield_interval(prior: Prior, error: YieldError) -> dict[str, float | str]:
    """Return yield quantiles and their errors, shared and own, of one parcel.

    The quantiles are those of the lognormal that lending draws from the two errors.
    """
    middle = prior.mean_t_ha * float(np.exp(error.shift))
    span = Z80 * float(np.hypot(error.shared, error.own))
    return {
        "yield_q10_t_ha": middle * float(np.exp(-span)),
        "yield_q50_t_ha": middle,
        "yield_q90_t_ha": middle * float(np.exp(span)),
        "prior_t_ha": prior.mean_t_ha,
        "prior_source": prior.source,
        "shared_log_sd": error.shared,
        "own_log_sd": error.own,
    }


def _priced(price: CropPrice, currency: str) -> dict[str, Any]:
    return {
        "price_q10_minor": price.minor(currency, -Z80),
        "price_q50_minor": price.minor(currency),
        "price_q90_minor": price.minor(currency, Z80),
        "price_log_sd": price.log_sd,
        "price_date": price.date,
        "price_source": price.source,
        "price_stale": price.stale,
    }


def _outcome(row: dict[str, Any]) -> Outcome:
    parcel, crop = row["parcel_id"], row["crop"]
    if crop is None:
        return Outcome(STAGE, parcel, "", "no_crop")
    if row["value_basis"] == AREA:
        told = detail(crop=crop, published_on=row["value_base_date"])
        return Outcome(STAGE, parcel, "", "valued_by_area", told)
    lacks_yield, lacks_price = row["yield_q50_t_ha"] is None, row["price_q50_minor"] is None
    if lacks_yield or lacks_price:
        both = lacks_yield and lacks_price
        code = "no_price_and_prior" if both else "no_prior" if lacks_yield else "no_price"
        return Outcome(STAGE, parcel, "", code, f"crop={crop}")
    if row["cost_per_ha_minor"] is None:
        return Outcome(STAGE, parcel, "", "no_cost", f"crop={crop}")
    code = "price_stale" if row["price_stale"] else "ok"
    numbers = detail(crop=crop, t_ha=row["yield_q50_t_ha"], price_date=row["price_date"])
    return Outcome(STAGE, parcel, "", code, numbers)
