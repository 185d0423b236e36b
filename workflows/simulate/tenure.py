"""Who holds the land that others till, at what rent, and the papers that farmers hand in.

Owns leases (landlord, rent or share of the crop) and the documents table. It draws from a generator
of its own: what is let or proven moves no field, crop or lie.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.lending.documents.table import DOCUMENTS
from fieldline.workflows.simulate import rings
from fieldline.workflows.simulate.markets import in_currency
from fieldline.workflows.simulate.people import People
from fieldline.workflows.simulate.rings import Claim
from fieldline.workflows.simulate.settings import SeasonSpan, SimulateSettings, TenureSettings

Floats = npt.NDArray[np.float64]
Names = npt.NDArray[np.object_]

_COLUMNS = [column.name for column in DOCUMENTS.columns]
_CROP_SHARE = 0.3
#: How a lease is shown: written contract, landlord's word, the tenant's own word, or not at all.
_SHOWN = ("lease_contract", "landlord_confirmation", "tenancy_statement", "")
_INSURED_PER_MU, _PREMIUM_PER_MU = 700.0, 7.0
_GUARANTEE = (1_000, 6_000)


@dataclass(frozen=True)
class Tenure:
    """How each field of a tile is held, arrays of shape (fields,)."""

    landlord: Names
    """Reference of the registered holder; empty where its farmer holds it."""
    rent: Floats
    """Yearly rent, yuan per mu; 0 for own land, where the crop is shared and where none is paid."""
    crop_share: Floats
    """Landlord's share of the crop."""
    shown: Names
    """Kind of paper that shows the lease; empty for none."""


def let(people: People, settings: TenureSettings, rng: np.random.Generator) -> Tenure:
    """Let a share of the fields: half by villagers, half by people who have moved away."""
    count = len(people.owner)
    leased = rng.random(count) < settings.leased
    shared = leased & (rng.random(count) < settings.share_cropped)
    farmers = people.farmers["farmer_id"].to_numpy()
    neighbour = farmers[rng.integers(0, len(farmers), count)]
    own = farmers[people.owner]
    away = np.array([f"A{name[1:]}" for name in own], dtype=object)
    villager = (rng.random(count) < 0.5) & (neighbour != own)
    rent = settings.rent_per_mu * np.exp(rng.normal(0, settings.rent_log_sd, count))
    chances = np.cumsum([settings.contract, settings.confirmed, settings.stated])
    shown = np.array(_SHOWN, dtype=object)[np.searchsorted(chances, rng.random(count))]
    free = rng.random(count) < settings.rent_free
    return Tenure(
        landlord=np.where(leased, np.where(villager, neighbour, away), ""),
        rent=np.where(leased & ~shared & ~free, rent.round(-1), 0.0),
        crop_share=np.where(shared, _CROP_SHARE, 0.0),
        shown=np.where(leased, shown, ""),
    )


def documents_table(
    claims: list[Claim],
    ids: list[str],
    people: People,
    tenure: Tenure,
    applications: pd.DataFrame,
    declared: list[str],
    span: SeasonSpan,
    settings: SimulateSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the papers of a tile and season, every one of them true; amounts in the settings'
    currency.

    Who claims another's field has no paper for it. A fifteenth of the papers is not yet verified.
    """
    rows = [
        *_of_parcels(claims, ids, people, tenure, declared, settings, rng),
        *_of_farmers(applications, settings, rng),
    ]
    frame = pd.DataFrame(rows, columns=_COLUMNS).astype("object")
    count = len(frame)
    age = rng.integers(30, 150, count)
    checked = rng.random(count) >= settings.tenure.unverified
    frame["document_id"] = [f"{ids[0].rpartition('-')[0]}-D{i + 1:06d}" for i in range(count)]
    frame["document_id"] += f"-{ids[0].rpartition('-P')[2]}"
    frame["issued_on"] = [(span.end - dt.timedelta(days=int(a))).isoformat() for a in age]
    frame["valid_to"] = (span.end + dt.timedelta(days=730)).isoformat()
    frame["verified_by"] = np.where(checked, "Officer 7", "")
    verified = [(span.end - dt.timedelta(days=int(a) // 2)).isoformat() for a in age]
    frame["verified_on"] = np.where(checked, verified, "")
    frame["currency"] = settings.currency
    for name in ("amount", "premium"):
        frame[name] = _amounts(frame[name], settings)
    return frame


def _amounts(column: pd.Series[Any], settings: SimulateSettings) -> pd.Series[Any]:
    known = column.dropna()
    stated = pd.Series(in_currency(known.astype(float).to_numpy(), settings), known.index)
    return stated.reindex(column.index).astype("object")


def _of_parcels(
    claims: list[Claim],
    ids: list[str],
    people: People,
    tenure: Tenure,
    declared: list[str],
    settings: SimulateSettings,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    rows = list[dict[str, Any]]()
    farmers = people.farmers["farmer_id"].to_numpy()
    for claim, parcel, crop in zip(claims, ids, declared, strict=True):
        insured, photo = rng.random(2)
        if max(claim.field, claim.ground) < 0 or claim.kind == rings.SAME_PARCEL:
            continue
        about = {"farmer_id": farmers[claim.farmer], "parcel_id": parcel}
        kind = tenure.shown[claim.field] if claim.field >= 0 else ""
        if kind:
            terms = {
                "amount": tenure.rent[claim.field],
                "crop_share": tenure.crop_share[claim.field],
            }
            landlord = tenure.landlord[claim.field]
            rows.append({**about, **terms, "kind": kind, "counterparty_id": landlord,
                         "source": "village"})  # fmt: skip
        if insured < settings.tenure.insured:
            sums = {"amount": _INSURED_PER_MU, "premium": _PREMIUM_PER_MU}
            rows.append({**about, **sums, "kind": "crop_insurance", "source": "insurer"})
        if photo < settings.tenure.photographed and claim.kind == rings.HONEST:
            rows.append({**about, "kind": "field_photo", "crop": crop, "source": "officer"})
    return rows


def _of_farmers(
    applications: pd.DataFrame, settings: SimulateSettings, rng: np.random.Generator
) -> list[dict[str, Any]]:
    rows = list[dict[str, Any]]()
    factor = float(settings.units_per_yuan or 1)
    for farmer in applications.to_dict("records"):
        record, wages, vouched, amount = (*rng.random(3), int(rng.integers(*_GUARANTEE)))
        about = {"farmer_id": farmer["farmer_id"]}
        if record < settings.tenure.recorded:
            rows.append({
                **about, "kind": "credit_record", "source": "credit bureau",
                "prior_loans": farmer["prior_loans"], "prior_late": farmer["prior_late"],
                "amount": float(farmer["annual_debt_service"]) / factor,
            })  # fmt: skip
        earned = float(farmer["off_farm_income"])
        if earned > 0 and wages < settings.tenure.wages_proven:
            rows.append({**about, "kind": "income_proof", "source": "employer",
                         "amount": earned / factor})  # fmt: skip
        if farmer["guarantor_id"] and vouched < settings.tenure.guaranteed:
            rows.append({**about, "kind": "guarantee", "source": "lender",
                         "counterparty_id": farmer["guarantor_id"], "amount": amount})  # fmt: skip
    return rows
