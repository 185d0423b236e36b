"""Review: a person's decision on a case, and what becomes of the case by it.

Owns the rule: a person may settle what the rules leave to a person and, with a second one, lift a
decline; never beyond what need, capacity and exposure allow, never below the least line and never
at a price above the legal ceiling. What a person decided is part of the case, so it replays.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from fieldline.lending.decision.case import Case, ReviewCase
from fieldline.lending.decision.findings import least_line
from fieldline.lending.decision.reasons import Finding
from fieldline.lending.decision.record import Record
from fieldline.lending.decision.wording import amount, told
from fieldline.pipeline.records.canonical import content_hash
from fieldline.pipeline.records.money import from_minor

Access = Literal["approve", "review", "decline"]

_OF_CASE = (
    "farmer_id", "household_id", "currency", "parcels_declared", "refusals", "application",
    "application_detail", "evidence_area_m2", "joint_members",
)  # fmt: skip
_OF_PARCEL = (
    "parcel_id", "declared_area_m2", "evidence_area_m2", "declared_crop", "seen_crop", "codes",
    "effect", "protected_m2",
)  # fmt: skip
_OF_PARTY = (
    "farmers", "requested_minor", "debt_service_minor", "debt_elsewhere_minor",
    "guaranteeing_minor", "household_size",
)  # fmt: skip
_OF_CONTRACT = ("contract_id", "buyer", "crop", "value_minor", "valid_to", "assigned")
_OF_RISK = ("conflicts", "late_share", "prior_loans", "thin_file")
"""What was handed in or seen, by part. Left out is what is reckoned from it anew every day: drawn
incomes, the need and guarantees that they bound, the weather so far, the harvest that repays and
what it makes of a contract."""


def evidence_hash(case: Case) -> str:
    """Return the hash of what is known of the farmer: what a person looked at to decide.

    Another day, policy, ceiling, model, draw or live line is no other evidence; another parcel,
    area, crop, code, debt, application or record is. Whatever is no evidence still bounds the line:
    `settled` cuts it to the caps of the day.
    """
    found = {
        **_chosen(case, _OF_CASE),
        "parcels": [_chosen(parcel, _OF_PARCEL) for parcel in case.parcels],
        "farmer": _chosen(case.farmer, _OF_PARTY),
        "household": _chosen(case.household, _OF_PARTY),
        "risk": {name: case.risk.features.get(name) for name in _OF_RISK},
        "finished_loans": case.risk.finished_loans,
    }
    if case.relations:  # what was decided before anybody looked for them keeps its hash
        found["relations"] = [one.model_dump() for one in case.relations]
    if case.exclusions:
        found["exclusions"] = [one.model_dump() for one in case.exclusions]
    if case.contracts:
        found["contracts"] = [_chosen(one, _OF_CONTRACT) for one in case.contracts]
    return content_hash(found)


def _chosen(record: Record, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


def in_force(case: Case) -> ReviewCase | None:
    """Return the person's decision that the case holds, if it still counts."""
    review = case.review
    return review if review is not None and case.as_of <= review.valid_to else None


def settled(
    case: Case, access: Access, allowed: Decimal, *, lawful: bool
) -> tuple[Access, Decimal, Finding] | None:
    """Return access, limit and finding by a person's decision; None where the rules decide.

    Args:
        case: The case.
        access: What the rules say.
        allowed: The largest line that need, capacity and exposure allow.
        lawful: Whether the price of the line is within the legal ceiling.
    """
    review = in_force(case)
    if review is None:
        return None
    if review.verdict == "decline":
        return "decline", Decimal(0), Finding("person_declined", {"extra": review.reason})
    limit = min(from_minor(review.limit_minor or 0, case.currency), allowed)
    two = bool(review.second) and review.second != review.officer
    if not lawful or limit < least_line(case) or (access == "decline" and not two):
        return None
    given = amount(limit, case.currency)
    return "approve", limit, told("person_approved", value=given, extra=review.reason)
