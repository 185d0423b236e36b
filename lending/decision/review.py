"""Review: a person's decision on a case, and what becomes of the case by it.

Owns the rule: a person may settle what the rules leave to a person and, with a second one, lift a
decline; never beyond what need, capacity and exposure allow, never below the least line and never
at a price above the legal ceiling. What a person decided is part of the case, so it replays.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from fieldline.lending.decision.case import Case, ReviewCase
from fieldline.lending.decision.document import document
from fieldline.lending.decision.reasons import Finding
from fieldline.lending.decision.wording import amount, told
from fieldline.pipeline.records.canonical import content_hash
from fieldline.pipeline.records.money import from_minor

Access = Literal["approve", "review", "decline"]

_NO_EVIDENCE = ("as_of", "policy", "ceiling", "rules", "lines", "review")
"""Parts of a case that are no evidence about the farmer."""


def evidence_hash(case: Case) -> str:
    """Return the hash of what is known of the farmer: what a person looked at to decide.

    Another day, policy, ceiling, model or live line is no other evidence; another parcel, crop,
    income, debt, application or record is.
    """
    found = {name: value for name, value in document(case).items() if name not in _NO_EVIDENCE}
    return content_hash({**found, "risk": found["risk"]["features"]})


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
    if not lawful or limit < case.policy.min_limit or (access == "decline" and not two):
        return None
    given = amount(limit, case.currency)
    return "approve", limit, told("person_approved", value=given, extra=review.reason)
