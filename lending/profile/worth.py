"""Worth: what each parcel's repayment harvest may bring, with rent, share and insurance.

Owns the step from harvests and a parcel's papers to the values that are drawn. Rent of leased land
is a cost of the harvest, whether a paper states it or not; which harvest it is, is `harvest`'s.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pandas as pd

from fieldline.lending.documents.facts import NO_PARCEL_PAPERS, ParcelPapers
from fieldline.lending.profile.income import ParcelValue
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.money import to_minor
from fieldline.pipeline.records.units import MU_PER_HA

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
    facts = parcels[parcels["effect"].isin(COUNTS)].set_index("parcel_id")
    known = harvests[harvests[list(_VALUED)].notna().all(axis=1)]
    usual = to_minor(policy.rent_per_mu, currency)
    found: dict[str, list[ParcelValue]] = defaultdict(list)
    for row in known[known["parcel_id"].isin(facts.index)].to_dict("records"):
        name = str(row["parcel_id"])
        own, leased = papers.get(name, NO_PARCEL_PAPERS), bool(facts["leased"].loc[name])
        found[name].append(_value(row, facts["evidence_area_m2"].loc[name], own, usual * leased))
    return dict(found)


def _value(row: Mapping[Any, Any], area_m2: float, papers: ParcelPapers, rent: int) -> ParcelValue:
    insured = _until(row["harvest_by"], papers.insured_to)
    return ParcelValue(
        parcel_id=str(row["parcel_id"]),
        area_ha=float(area_m2) / 1e4,
        yield_t_ha=float(row["yield_q50_t_ha"]),
        shared_log_sd=float(row["shared_log_sd"]),
        own_log_sd=float(row["own_log_sd"]),
        shock_group=str(row["shock_group"]),
        price_minor_t=float(row["price_q50_minor"]),
        price_log_sd=float(row["price_log_sd"]),
        crop=str(row["crop"]),
        cost_minor_ha=float(row["cost_per_ha_minor"]),
        chance=float(row["chance"]),
        rent_minor_ha=float(_rent(papers, rent) * MU_PER_HA),
        crop_share=papers.crop_share,
        premium_minor_ha=float(insured * papers.premium_minor * MU_PER_HA),
        insured_minor_ha=float(insured * papers.insured_minor * MU_PER_HA),
    )


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
        evidence[_OF_EVIDENCE]
        .merge(yields.drop(columns=["currency", "model"]), on="parcel_id", how="left")
        .merge(growth[["parcel_id", "sos", "harvest_date", "standing"]], on="parcel_id", how="left")
        .merge(hazards[["parcel_id", "hazard_index"]], on="parcel_id", how="left")
        .merge(history[["parcel_id", "stability", "thin_file"]], on="parcel_id", how="left")
        .sort_values("parcel_id", kind="stable")
    )


_OF_EVIDENCE = [
    "parcel_id", "farmer_id", "evidence_area_m2", "effect", "codes", "declared_crop",
    "proven_crop", "leased", "lease_to", "unleased_area_m2",
]  # fmt: skip
