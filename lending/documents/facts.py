"""What the papers of a parcel and of a farmer say, gathered for whoever judges by them.

Owns which paper speaks for whom: a parcel's paper speaks for its applicant unless it names another
farmer, the newest of a kind counts, and an unverified one is kept only where a statement is worth
something. What follows from it is the judge's.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fieldline.lending.documents.kinds import CROP_PROOFS, LEASES

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Lease:
    """A verified lease or landlord's confirmation in force."""

    landlord: str
    issued_on: dt.date
    area_m2: float | None = None
    """Leased part; None for the whole parcel."""
    valid_to: dt.date = dt.date.max
    """Last day of the lease."""


@dataclass(frozen=True)
class Objection:
    """A verified statement that the land is not let."""

    by: str
    issued_on: dt.date


@dataclass(frozen=True)
class Certificate:
    """A verified land certificate or contract in the applicant's name."""

    issued_on: dt.date
    area_m2: float


@dataclass(frozen=True)
class ParcelPapers:
    """What the papers of one parcel say for its applicant; amounts in minor units per mu."""

    lease: Lease | None = None
    objections: tuple[Objection, ...] = ()
    """Who said that the land is not let, and when last; whose word counts, the registry tells."""
    certificate: Certificate | None = None
    permit: bool = False
    noted: bool = False
    """Whether the village committee names the applicant as who farms it ..."""
    noted_other: bool = False
    """... or somebody else."""
    crops: frozenset[str] = frozenset()
    """Crops that photos and receipts prove."""
    photo: bool = False
    """Whether a field photo is among them: it shows that something grows."""
    stated_lease: bool = False
    """Whether the applicant says that the land is leased, proven or not."""
    rent_minor: int | None = None
    rent_proven: bool = False
    crop_share: float = 0.0
    """Landlord's share of the crop."""
    insured_to: dt.date = dt.date.max
    """Last day of the insurance: a harvest after it is not insured."""
    insured_minor: int = 0
    premium_minor: int = 0


@dataclass(frozen=True)
class CreditRecord:
    """A verified record of a farmer's loans."""

    loans: int
    late: int
    debt_minor: int


@dataclass(frozen=True)
class Guarantee:
    """A verified guarantee in force."""

    farmer: str
    guarantor: str
    amount_minor: int


@dataclass(frozen=True)
class FarmerPapers:
    """What the verified papers of one farmer say."""

    credit: CreditRecord | None = None
    income_minor: int | None = None
    """Proven yearly income from work off the farm."""
    guarantees: tuple[Guarantee, ...] = ()
    """Those given for the farmer."""
    joint: int = 1
    """Farmers who apply together with this one, itself included."""


NO_PARCEL_PAPERS = ParcelPapers()
NO_FARMER_PAPERS = FarmerPapers()


def parcel_papers(
    documents: pd.DataFrame | None, applicants: Mapping[str, str]
) -> dict[str, ParcelPapers]:
    """Return the papers of every parcel that has any.

    Args:
        documents: What `read_documents` returns, or None.
        applicants: Farmer of each parcel.
    """
    if documents is None or documents.empty:
        return {}
    own = documents[documents["parcel_id"].isin(list(applicants))]
    return {
        parcel: _of_parcel(rows, applicants[parcel])
        for parcel, rows in _rows_by(own, "parcel_id").items()
    }


def _rows_by(frame: pd.DataFrame, column: str) -> dict[str, list[dict[Any, Any]]]:
    """Return the rows of each name of a column, names in order; a frame for each costs far more.

    Rows without a name are nobody's.
    """
    found = defaultdict[str, list[dict[Any, Any]]](list)
    for row in _rows(frame[frame[column].notna()]):
        found[str(row[column])].append(row)
    return {name: found[name] for name in sorted(found)}


def _rows(part: pd.DataFrame) -> list[dict[Any, Any]]:
    return part.astype("object").where(part.notna(), None).to_dict("records")


def _of_parcel(rows: list[dict[Any, Any]], applicant: str) -> ParcelPapers:
    """Read the papers of a parcel, oldest first: a newer one of a kind takes its place."""
    notes = [r for r in rows if r["kind"] == "village_note" and r["verified"]]
    mine = [row for row in rows if row["farmer_id"] in (None, applicant)]
    proven = {row["kind"]: row for row in mine if row["verified"]}
    lease = _newest(proven, LEASES)
    told = lease or _newest({row["kind"]: row for row in mine}, (*LEASES, "tenancy_statement"))
    certificate = proven.get("land_certificate")
    objected = {r["counterparty_id"]: r for r in mine
                if r["verified"] and r["kind"] == "holder_objection"}  # fmt: skip
    shown = [row for row in mine if row["verified"] and row["kind"] in CROP_PROOFS]
    insurance = proven.get("crop_insurance")
    return ParcelPapers(
        lease=None if lease is None else Lease(
            str(lease["counterparty_id"]), _day(lease["issued_on"]), lease["area_m2"],
            _day(lease["valid_to"]),
        ),
        objections=tuple(
            Objection(str(name), _day(objected[name]["issued_on"])) for name in sorted(objected)
        ),
        certificate=None if certificate is None else Certificate(
            _day(certificate["issued_on"]), float(certificate["area_m2"])
        ),
        permit="protected_permit" in proven,
        noted=any(row["farmer_id"] == applicant for row in notes[-1:]),
        noted_other=any(row["farmer_id"] != applicant for row in notes[-1:]),
        crops=frozenset(str(row["crop"]) for row in shown),
        photo=any(row["kind"] == "field_photo" for row in shown),
        stated_lease=told is not None,
        rent_minor=None if told is None or told["amount"] is None else int(told["amount"]),
        rent_proven=lease is not None,
        crop_share=0.0 if told is None else float(told["crop_share"] or 0.0),
        insured_to=dt.date.max if insurance is None else _day(insurance["valid_to"]),
        insured_minor=0 if insurance is None else int(insurance["amount"]),
        premium_minor=0 if insurance is None else int(insurance["premium"] or 0),
    )  # fmt: skip


def _newest(by_kind: Mapping[str, dict[Any, Any]], kinds: Iterable[str]) -> dict[Any, Any] | None:
    found = [by_kind[kind] for kind in kinds if kind in by_kind]
    return max(found, key=lambda row: row["issued_on"], default=None)


def _day(value: Any) -> dt.date:
    return pd.Timestamp(value).date()


def farmer_papers(documents: pd.DataFrame | None) -> dict[str, FarmerPapers]:
    """Return the verified papers of every farmer who has any.

    A guarantee that stands twice, unnumbered, counts once: the larger one of a guarantor.
    """
    if documents is None or documents.empty:
        return {}
    proven = documents[documents["verified"] & documents["farmer_id"].notna()]
    groups: dict[str, set[str]] = defaultdict(set)
    for row in _rows(proven[proven["kind"] == "joint_application"]):
        groups[str(row["document_id"])].add(str(row["farmer_id"]))
    return {
        farmer: _of_farmer(rows, groups) for farmer, rows in _rows_by(proven, "farmer_id").items()
    }


def _of_farmer(rows: list[dict[Any, Any]], groups: Mapping[str, set[str]]) -> FarmerPapers:
    last = {row["kind"]: row for row in rows}
    record, income, joint = (
        last.get(kind) for kind in ("credit_record", "income_proof", "joint_application")
    )
    given: dict[str, int] = {}
    for row in rows:
        if row["kind"] == "guarantee":
            name = str(row["counterparty_id"])
            given[name] = max(given.get(name, 0), int(row["amount"]))
    return FarmerPapers(
        credit=None if record is None else CreditRecord(
            int(record["prior_loans"]), int(record["prior_late"]), int(record["amount"])
        ),
        income_minor=None if income is None else int(income["amount"]),
        guarantees=tuple(
            Guarantee(str(rows[0]["farmer_id"]), name, amount)
            for name, amount in sorted(given.items())
        ),
        joint=1 if joint is None else len(groups[str(joint["document_id"])]),
    )  # fmt: skip
