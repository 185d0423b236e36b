"""Worth: what each parcel's repayment harvest may bring, with rent, share and insurance.

Owns the step from harvests and a parcel's papers to the values that are drawn. Rent of leased land
is a cost of the harvest, whether a paper states it or not; which harvest it is, is `harvest`'s.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from fieldline.lending.documents.facts import NO_PARCEL_PAPERS, ParcelPapers
from fieldline.lending.profile.income import ParcelValue
from fieldline.lending.profile.records import records
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.money import to_minor
from fieldline.pipeline.records.units import MU_PER_HA

DRAWN = ("area_ha", "rent_minor_ha", "crop_share", "premium_minor_ha", "insured_minor_ha")
"""Columns of HARVESTS that tell, with the harvest itself, what its income was drawn of."""

OF_EVIDENCE = [
    "parcel_id", "farmer_id", "evidence_area_m2", "effect", "codes", "declared_crop",
    "proven_crop", "leased", "lease_to", "unleased_area_m2",
]  # fmt: skip
OF_GROWTH = ["parcel_id", "sos", "harvest_date", "standing"]
OF_HAZARDS = ["parcel_id", "hazard_index"]
"""Columns of which parcels are joined: the curves of `growth.parquet` are most of its size."""

COUNTS = ("none", "lower", "review")
"""Effects of evidence under which a parcel still earns for its farmer."""

_VALUED = (
    "yield_q50_t_ha", "shared_log_sd", "own_log_sd", "price_q50_minor", "price_log_sd",
    "cost_per_ha_minor",
)  # fmt: skip


def parcel_values(
    parcels: pd.DataFrame,
    harvests: pd.DataFrame,
    papers: Mapping[str, ParcelPapers],
    policy: PolicySettings,
    currency: str,
) -> dict[str, list[ParcelValue]]:
    """Return the values of the parcels that have a yield, a price and an effect that counts.

    Args:
        parcels: Evidence joined with what the crops room knows, one row per parcel.
        harvests: HARVESTS rows.
        papers: Papers by parcel.
        policy: Rent where no paper proves one.
        currency: The county's currency.
    """
    counted = parcels[parcels["effect"].isin(COUNTS)]
    area = dict(zip(counted["parcel_id"], counted["evidence_area_m2"], strict=True))
    leased = dict(zip(counted["parcel_id"], counted["leased"], strict=True))
    whole = harvests[list(_VALUED)].notna().all(axis=1)
    by_area = harvests[["gross_q50_minor_ha", "cost_per_ha_minor"]].notna().all(axis=1)
    known = harvests[whole | by_area]
    usual = to_minor(policy.rent_per_mu, currency)
    found: dict[str, list[ParcelValue]] = defaultdict(list)
    for row in records(known[known["parcel_id"].isin(area)]):
        name = str(row["parcel_id"])
        own, rent = papers.get(name, NO_PARCEL_PAPERS), usual * bool(leased[name])
        found[name].append(_value(row, area[name], own, rent))
    return dict(found)


def _value(row: Mapping[Any, Any], area_m2: float, papers: ParcelPapers, rent: int) -> ParcelValue:
    insured = _until(row["harvest_by"], papers.insured_to)
    yielded, price, price_log_sd = _gross(row)
    return ParcelValue(
        parcel_id=str(row["parcel_id"]),
        area_ha=float(area_m2) / 1e4,
        shared_log_sd=float(row["shared_log_sd"]),
        own_log_sd=float(row["own_log_sd"]),
        shock_group=str(row["shock_group"]),
        yield_t_ha=yielded,
        price_minor_t=price,
        price_log_sd=price_log_sd,
        crop=str(row["crop"]),
        cost_minor_ha=float(row["cost_per_ha_minor"]),
        chance=float(row["chance"]),
        rent_minor_ha=float(_rent(papers, rent) * MU_PER_HA),
        crop_share=papers.crop_share,
        premium_minor_ha=float(insured * papers.premium_minor * MU_PER_HA),
        insured_minor_ha=float(insured * papers.insured_minor * MU_PER_HA),
    )


def _gross(row: Mapping[Any, Any]) -> tuple[float, float, float]:
    """Return yield, price and log sd of the price of a hectare; what is valued by area is one unit
    at its gross value, whose whole spread is that of the yield."""
    gross = row.get("gross_q50_minor_ha")  # harvests kept by an earlier release have none
    if gross is not None and not pd.isna(gross):
        return 1.0, float(gross), 0.0
    return (
        float(row["yield_q50_t_ha"]), float(row["price_q50_minor"]), float(row["price_log_sd"]),
    )  # fmt: skip


def with_drawn(harvests: pd.DataFrame, values: Mapping[str, Sequence[ParcelValue]]) -> pd.DataFrame:
    """Return harvests with what else their income is drawn of, missing where none is drawn.

    Args:
        harvests: HARVESTS rows.
        values: What `parcel_values` made of them.
    """
    drawn = {(value.parcel_id, value.crop): value for of in values.values() for value in of}
    keys = zip(harvests["parcel_id"], harvests["crop"], strict=True)
    found = [drawn.get((str(parcel), str(crop))) for parcel, crop in keys]
    told = {
        name: [np.nan if value is None else getattr(value, name) for value in found]
        for name in DRAWN
    }
    return harvests.assign(**{name: np.array(told[name], dtype="float64") for name in DRAWN})


def drawn_values(harvests: pd.DataFrame, cells: Mapping[str, str]) -> dict[str, list[ParcelValue]]:
    """Return by parcel the values that the income of kept harvests was drawn of.

    Args:
        harvests: What `with_drawn` returned and HARVESTS kept.
        cells: Weather cell by parcel.
    """
    names = [one.name for one in fields(ParcelValue) if one.name != "cell"]
    columns = {"price_minor_t": "price_q50_minor", "cost_minor_ha": "cost_per_ha_minor",
               "yield_t_ha": "yield_q50_t_ha"}  # fmt: skip
    found: dict[str, list[ParcelValue]] = defaultdict(list)
    for row in harvests[harvests["area_ha"].notna()].to_dict("records"):
        value = {name: row[columns.get(name, name)] for name in names}
        sold = ("yield_t_ha", "price_minor_t", "price_log_sd")
        value |= dict(zip(sold, _gross(row), strict=True))
        numbers: dict[str, Any] = {
            n: v if isinstance(v, str) else float(v) for n, v in value.items()
        }
        parcel = str(row["parcel_id"])
        found[parcel].append(ParcelValue(**numbers, cell=cells.get(parcel, "")))
    return dict(found)


def _until(harvest_by: Any, last: dt.date) -> bool:
    """Whether a paper that ends on a day covers a harvest; one without a day falls on any."""
    return bool(pd.isna(harvest_by) or pd.Timestamp(harvest_by).date() <= last)


def _rent(papers: ParcelPapers, usual: int) -> int:
    """Return the yearly rent per mu, minor units: proven, or no less than the usual one.

    A landlord who takes part of the crop takes no rent besides, unless the paper says so.
    """
    if papers.rent_proven:
        shared = 0 if papers.crop_share > 0 else usual
        return shared if papers.rent_minor is None else papers.rent_minor
    return max(usual, papers.rent_minor or 0)


def join_parcels(
    evidence: pd.DataFrame,
    yields: pd.DataFrame,
    growth: pd.DataFrame,
    hazards: pd.DataFrame,
    history: pd.DataFrame,
) -> pd.DataFrame:
    """Return evidence with what the crops room knows of each parcel, unknowns missing."""
    return (
        evidence[OF_EVIDENCE]
        .merge(yields.drop(columns=["currency", "model"]), on="parcel_id", how="left")
        .merge(growth[OF_GROWTH], on="parcel_id", how="left")
        .merge(hazards[OF_HAZARDS], on="parcel_id", how="left")
        .merge(history[["parcel_id", "stability", "thin_file"]], on="parcel_id", how="left")
        .sort_values("parcel_id", kind="stable")
    )
