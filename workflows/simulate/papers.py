"""The papers of one tile and season: declarations, survey, registry, applications and the truth.

Owns what each party writes down about the same ground: the farmer, the surveyor, the registry and,
kept apart for scoring, the simulator itself.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.pipeline.records.money import minor_units
from fieldline.pipeline.records.reference import calendar
from fieldline.pipeline.records.units import M2_PER_MU, MU_PER_HA
from fieldline.workflows.simulate import rings
from fieldline.workflows.simulate.appearance import FieldTraits
from fieldline.workflows.simulate.cultivars import Cultivar
from fieldline.workflows.simulate.growth import FieldGrowth, harvest_date
from fieldline.workflows.simulate.land import Land
from fieldline.workflows.simulate.markets import PriceBook, in_currency, price_on
from fieldline.workflows.simulate.people import People, person
from fieldline.workflows.simulate.perennials import Harvests, picked_on
from fieldline.workflows.simulate.rings import Claim
from fieldline.workflows.simulate.settings import SeasonSpan, SimulateSettings
from fieldline.workflows.simulate.tenure import Tenure
from fieldline.workflows.simulate.weather import Hazard

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_LUCK_SD = 0.08
_CUT_SD = 0.05
_FLOOD_YIELD, _FROST_YIELD = 0.5, 0.85
_FROST_TAU = (0.6, 0.9)
MARGIN_PER_HA = 9_500.0
"""What a usual year's crops leave after their cash costs, yuan per hectare; order of magnitude."""
_DEBT_SHAPE = 1.5
#: Money is asked for in proportion to what growing costs: this much is usual, yuan per hectare.
_USUAL_COST = 8_000.0
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Ground:
    """What is true of one tile in one season."""

    land: Land
    people: People
    traits: FieldTraits
    crop: Ints
    """Crop of each field, position in `cultivars`."""
    growth: FieldGrowth
    yields: Floats
    """Realised yield of each field, t/ha."""
    tenure: Tenure
    """How each field is held."""
    perennials: Harvests
    """What the orchards, tea gardens and greenhouses bring in."""


def realise(
    growth: FieldGrowth, traits: FieldTraits, hazards: tuple[Hazard, ...], rng: np.random.Generator
) -> Floats:
    """Return realised yields: the crop model's, times soil, hazards the model lacks, and luck."""
    factor = traits.quality * np.exp(rng.normal(0, _LUCK_SD, len(traits.cell)))
    for hazard in hazards:
        tau = ((hazard.start - _EPOCH).days - growth.sow_day) / growth.length
        here = traits.cell == hazard.cell
        if hazard.kind == "flood":
            factor[here & traits.floodplain & (tau > 0) & (tau < 1)] *= _FLOOD_YIELD
        elif hazard.kind == "frost":
            factor[here & (tau > _FROST_TAU[0]) & (tau < _FROST_TAU[1])] *= _FROST_YIELD
    return growth.yields * factor


def truth_table(
    claims: list[Claim], ids: list[str], ground: Ground, cultivars: tuple[Cultivar, ...],
    prices: PriceBook, declared: list[str], settings: SimulateSettings, span: SeasonSpan,
) -> pd.DataFrame:  # fmt: skip
    """Return the truth per claim.

    `planted_area_m2` is the claimant's own crop inside the ring: nothing for a parcel that belongs
    to another, for a greenhouse or for fake farming. `income_minor` is that area's yield at the
    harvest month's price, without the landlord's share, minus the crop's cash cost and the rent, in
    minor units of `currency`.
    """
    fields = ground.land.polygons[ground.land.fields]
    rows = []
    for claim, parcel, said in zip(claims, ids, declared, strict=True):
        own = claim.field >= 0 and claim.kind != rings.SAME_PARCEL
        planted = claim.ring.intersection(fields[claim.field]).area if own else 0.0
        if claim.ground >= 0:
            planted = claim.ring.intersection(ground.land.polygons[claim.ground]).area
            crop, tonnes, day, income = _picked(claim, ground, prices, planted, settings, span)
        else:
            crop, tonnes, day, income = _harvest(
                claim, ground, cultivars, prices, planted, settings
            )
        rows.append(
            {
                "parcel_id": parcel,
                "crop": crop,
                "planted_area_m2": planted,
                "ring_area_m2": claim.ring.area,
                "yield_t_ha": tonnes,
                "harvest_date": day,
                "income_minor": income,
                "currency": settings.currency,
                "overdrawn": claim.kind == rings.OVERDRAWN,
                "wrong_crop": claim.field >= 0 and said != crop,
                "same_parcel": claim.kind == rings.SAME_PARCEL,
                "land_use": claim.land_use,
            }
        )
    return pd.DataFrame(rows)


def _harvest(
    claim: Claim,
    ground: Ground,
    cultivars: tuple[Cultivar, ...],
    prices: PriceBook,
    planted: float,
    settings: SimulateSettings,
) -> tuple[str, float | None, dt.date | None, int]:
    if claim.field < 0:
        crop = "other" if claim.land_use == "village" else claim.land_use
        return crop, None, None, 0
    cultivar = cultivars[ground.crop[claim.field]]
    tonnes = float(ground.yields[claim.field])
    day = harvest_date(ground.growth.sow_day[claim.field], ground.growth.length[claim.field])
    cost = float(calendar(cultivar.code, "sim").cash_cost_per_ha * (settings.units_per_yuan or 1))
    kept = 1 - ground.tenure.crop_share[claim.field]
    rent = ground.tenure.rent[claim.field] * MU_PER_HA * float(settings.units_per_yuan or 1)
    per_ha = tonnes * 1000 * price_on(prices, cultivar.code, day) * kept - cost - rent
    income = per_ha * planted / 10_000
    return cultivar.code, round(tonnes, 4), day, round(income * minor_units(settings.currency))


def _picked(
    claim: Claim,
    ground: Ground,
    prices: PriceBook,
    planted: float,
    settings: SimulateSettings,
    span: SeasonSpan,
) -> tuple[str, float | None, dt.date | None, int]:
    """Return what an orchard, tea garden or greenhouse brings in, its grower's own land."""
    code, factor = claim.land_use, float(settings.units_per_yuan or 1)
    place = int(np.searchsorted(ground.land.permanent, claim.ground))
    tonnes, day = float(ground.perennials.yields[place]), picked_on(code, span)
    by_weight = not np.isnan(tonnes)
    if by_weight:
        gross = tonnes * 1000 * price_on(prices, code, day)
    else:
        gross = float(ground.perennials.gross[place]) * factor
    cost = float(calendar(code, "sim").cash_cost_per_ha) * factor
    income = round((gross - cost) * planted / 10_000 * minor_units(settings.currency))
    return code, round(tonnes, 4) if by_weight else None, day if by_weight else None, income


def declare(
    claims: list[Claim], ground: Ground, cultivars: tuple[Cultivar, ...], share: float,
    rng: np.random.Generator,
) -> list[str]:  # fmt: skip
    """Return the crops that farmers declare; a share of them names another crop than they grow."""
    said = []
    for claim in claims:
        if claim.ground >= 0:
            said.append(claim.land_use)
            continue
        true = int(ground.crop[claim.field]) if claim.field >= 0 else -1
        lie, other = rng.random() < share, int(rng.integers(0, len(cultivars)))
        honest = true >= 0 and not (lie and claim.kind == rings.HONEST)
        if not honest and other == true:
            other = (other + 1) % len(cultivars)
        said.append(cultivars[true if honest else other].code)
    return said


def parcels_table(
    claims: list[Claim], ids: list[str], ground: Ground, declared: list[str],
    to_lonlat: npt.NDArray[np.object_],
    settings: SimulateSettings, rng: np.random.Generator,
) -> gpd.GeoDataFrame:  # fmt: skip
    """Return what the farmers hand in, with geometry in EPSG:4326."""
    farmers = ground.people.farmers.iloc[[c.farmer for c in claims]].reset_index(drop=True)
    people = pd.DataFrame([person(int(f[1:])) for f in farmers["farmer_id"]])
    area = np.array([c.ring.area for c in claims]) / M2_PER_MU
    error = np.exp(rng.normal(0, settings.lies.declared_area_sd, len(claims)))
    frame = pd.DataFrame({"parcel_id": ids, "farmer_id": farmers["farmer_id"]}).join(people)
    frame["village"] = farmers["village"]
    frame["declared_crop"] = declared
    frame["declared_area_mu"] = np.maximum((area * error).round(2), 0.1)
    return gpd.GeoDataFrame(frame, geometry=list(to_lonlat), crs="EPSG:4326")


def survey_table(
    truth: pd.DataFrame,
    declared: list[str],
    span: SeasonSpan,
    number: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Visit `number` cropland parcels, stratified by declared crop, small strata first.

    The surveyor writes the crop that stands there, and a crop-cut yield where it was harvested
    before the season's end.
    """
    open_land = truth.assign(said=declared)[truth["planted_area_m2"] > 0]
    shuffled = open_land.iloc[rng.permutation(len(open_land))]
    turn = shuffled.groupby("said").cumcount()
    stride = np.sqrt(shuffled.groupby("said")["said"].transform("size"))
    visited = shuffled.iloc[
        np.lexsort((shuffled["parcel_id"], turn / stride))[:number]
    ].sort_values("parcel_id")
    days = [day if isinstance(day, dt.date) else None for day in visited["harvest_date"]]
    cut = np.array([day is not None and day <= span.end for day in days])
    before = rng.integers(15, 45, len(visited))
    surveyed = [
        min(day or span.end, span.end) - dt.timedelta(days=int(b))
        for day, b in zip(days, before, strict=True)
    ]
    measured = visited["yield_t_ha"] * np.exp(rng.normal(0, _CUT_SD, len(visited)))
    return pd.DataFrame(
        {
            "parcel_id": visited["parcel_id"],
            "crop": visited["crop"],
            "surveyed_on": [day.isoformat() for day in surveyed],
            "yield_t_ha": measured.round(3).where(cut),
            "measured_on": [
                day.isoformat() if day is not None and c else ""
                for day, c in zip(days, cut, strict=True)
            ],
        }
    )


def mistaken(survey: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Return a survey in which a share of the rows names another of its crops.

    The yield that was cut stays with the row, as it does where a form names the wrong crop.
    """
    crops = np.sort(survey["crop"].unique())
    wrong = rng.permutation(len(survey))[: round(share * len(survey))]
    if len(crops) < 2 or not len(wrong):
        return survey
    place = np.searchsorted(crops, survey["crop"].to_numpy()[wrong])
    named = survey["crop"].to_numpy().copy()
    named[wrong] = crops[(place + rng.integers(1, len(crops), len(wrong))) % len(crops)]
    return survey.assign(crop=named)


def registry_table(
    claims: list[Claim], truth: pd.DataFrame, ground: Ground, span: SeasonSpan,
    settings: SimulateSettings, cultivars: tuple[Cultivar, ...], rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """Return the county's extract: some rows missing, some stale, none invented by the farmer."""
    fields, lies = ground.land.polygons[ground.land.fields], settings.lies
    rows = []
    for claim, parcel, crop in zip(claims, truth["parcel_id"], truth["crop"], strict=True):
        missing, stale, changed = rng.random(3)
        age, drift, any_crop = (
            int(rng.integers(30, 330)),
            rng.uniform(0.7, 1.2),
            int(rng.integers(len(cultivars))),
        )
        known = claim.field >= 0 and (claim.kind != rings.SAME_PARCEL or changed < 0.5)
        if missing < lies.registry_missing or not (known or claim.ground >= 0):
            continue
        old = stale < lies.registry_stale
        shape = fields[claim.field] if known else ground.land.polygons[claim.ground]
        area = shape.area * np.exp(rng.normal(0, 0.015))
        holder = int(ground.people.owner[claim.field]) if known else claim.farmer
        rows.append(
            {
                "parcel_id": parcel,
                "area_m2": round(area * (drift if old and changed < 0.5 else 1.0), 1),
                "holder_id": (known and ground.tenure.landlord[claim.field])
                or ground.people.farmers["farmer_id"].iloc[holder],
                "crop": cultivars[any_crop].code if old and known else crop,
                "recorded_on": (
                    span.end - dt.timedelta(days=age + (1100 if old else 0))
                ).isoformat(),
            }
        )
    return pd.DataFrame(rows, columns=["parcel_id", "area_m2", "holder_id", "crop", "recorded_on"])


def applications_table(
    claims: list[Claim], people: People, span: SeasonSpan, settings: SimulateSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """Return one application per farmer who drew a parcel, in the currency of the settings."""
    rows = np.array([c.farmer for c in claims])
    area = np.bincount(rows, [c.ring.area for c in claims], minlength=len(people.farmers)) / 10_000
    chosen = np.flatnonzero(area > 0)
    count = len(chosen)
    prior = rng.poisson(1.2, count)
    weighed = np.bincount(rows, [_weighed(c) for c in claims], minlength=len(area))[chosen]
    asked = np.maximum(weighed * rng.uniform(5_000, 14_000, count), 1_000)
    shares = debt_shares(count, settings, rng)
    back = rng.integers(3, 45, count)
    frame = people.farmers.iloc[chosen][
        ["farmer_id", "household_id", "household_size"]
    ].reset_index(drop=True)
    # A generator of its own: what is told of wages moves no other paper.
    wages = _stated_wages(frame, area[chosen], settings, rng.spawn(1)[0])
    members = frame.groupby("household_id")["farmer_id"].transform("size").to_numpy()
    debt = shares * (weighed * MARGIN_PER_HA + wages / members)
    frame["requested_amount"] = in_currency((asked / 100).round() * 100, settings)
    frame["annual_debt_service"] = in_currency(debt.round(), settings)
    frame["off_farm_income"] = in_currency(wages, settings)
    frame["currency"] = settings.currency
    frame["prior_loans"] = prior
    frame["prior_late"] = rng.binomial(prior, 0.12)
    frame["guarantor_id"] = people.farmers["guarantor_id"].iloc[chosen].to_numpy()
    frame["applied_on"] = [(span.end - dt.timedelta(days=int(b))).isoformat() for b in back]
    return frame


def _weighed(claim: Claim) -> float:
    """Return the hectares of a claim, those of perennials by what their growing costs."""
    hectares = float(claim.ring.area) / 10_000
    if claim.ground < 0:
        return hectares
    return hectares * float(calendar(claim.land_use, "sim").cash_cost_per_ha) / _USUAL_COST


def debt_shares(count: int, settings: SimulateSettings, rng: np.random.Generator) -> Floats:
    """Draw what other debts take of a usual year's earnings, 0 for who has none.

    Who earns more owes more: a household with two mu and two wages pays its debts from the wages.
    """
    homes = settings.households
    some = rng.random(count) >= 1 - homes.indebted
    return np.where(some, rng.gamma(_DEBT_SHAPE, homes.debt_share / _DEBT_SHAPE, count), 0.0)


def off_farm_income(
    heads: Ints, area_ha: Floats, settings: SimulateSettings, rng: np.random.Generator
) -> Floats:
    """Draw yearly household income from work off the farm, yuan.

    A share of a household's heads work, each for a wage; the more land, the more likely that all of
    them work on it.
    """
    homes = settings.households
    workers = np.maximum(1, np.round(heads * homes.workers))
    wage = homes.wage * np.exp(rng.normal(0, homes.wage_log_sd, len(heads)))
    away = rng.random(len(heads)) < homes.wage_chance * np.exp(-area_ha / homes.wage_land_ha)
    return np.where(away, workers * wage, 0.0).round(-2)


def _stated_wages(
    farmers: pd.DataFrame, area_ha: Floats, settings: SimulateSettings, rng: np.random.Generator
) -> Floats:
    """Return what each applicant states: the income of the household, the same for its members."""
    land = pd.Series(area_ha).groupby(farmers["household_id"].to_numpy()).transform("sum")
    drawn = off_farm_income(farmers["household_size"].to_numpy(), land.to_numpy(), settings, rng)
    stated = pd.Series(drawn).groupby(farmers["household_id"].to_numpy()).transform("first")
    return np.asarray(stated, dtype=np.float64)


def frauds_table(claims: list[Claim], truth: pd.DataFrame, people: People) -> pd.DataFrame:
    """Return the planted lies: `parcel_id, farmer_id, kind, rival_parcel_id`."""
    ids = truth["parcel_id"].tolist()
    rows = []
    for place, claim in enumerate(claims):
        farmer = people.farmers["farmer_id"].iloc[claim.farmer]
        rival = ids[claim.rival] if claim.rival >= 0 else ""
        if claim.kind != rings.HONEST:
            rows.append((ids[place], farmer, claim.kind, rival))
        elif truth["wrong_crop"].iloc[place]:
            rows.append((ids[place], farmer, "wrong_crop", ""))
    return pd.DataFrame(rows, columns=["parcel_id", "farmer_id", "kind", "rival_parcel_id"])
