"""Pre-approved: what an entry of the lender's own list spares a farmer.

Owns the one rule: a person need not look for the size of the line alone. Rows of decision tables
that ask for a person by amount and by nothing else are skipped, and the line is at most the amount
of the list. Whatever else asks for a person (evidence, relations, risk, confidence, crop, county)
still does, and any entry of an exclusion list makes the list say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from fieldline.lending.decision.backed import PreapprovedCase
from fieldline.lending.decision.case import Case, RuleCase
from fieldline.lending.decision.limit import smallest_line
from fieldline.lending.decision.reasons import Finding
from fieldline.lending.decision.rule_choice import fired
from fieldline.lending.decision.wording import money, told
from fieldline.pipeline.records.money import from_minor

_BY_SIZE = {"amount"}


def of_size_alone(row: RuleCase) -> bool:
    """Whether a row asks for a person for the amount asked for and for nothing else."""
    return row.access == "review" and not row.otherwise and set(row.bands) == _BY_SIZE


def spared(case: Case, rows: Iterable[RuleCase]) -> list[RuleCase]:
    """Return the rows that fire without those of which the list spares the farmer."""
    found = list(rows)
    if _counting(case) is None:
        return found
    return [row for row in found if not of_size_alone(row)]


def sparing(case: Case) -> PreapprovedCase | None:
    """Return the entry that spares the farmer a person and bounds the line; None for none."""
    entry = _counting(case)
    return entry if entry is not None and any(of_size_alone(row) for row in fired(case)) else None


def _counting(case: Case) -> PreapprovedCase | None:
    """Return the entry if it counts: nobody excludes the farmer, and it is no less than the least
    line."""
    entry = case.preapproved
    if entry is None or case.exclusions:
        return None
    least = smallest_line(case.policy) / case.joint_members
    return entry if from_minor(entry.amount_minor, case.currency) >= least else None


def within_list(case: Case, cap: Decimal) -> Decimal:
    """Return the policy's cap of a case within the amount of the list, where that spares it."""
    entry = sparing(case)
    return cap if entry is None else min(cap, from_minor(entry.amount_minor, case.currency))


def preapproved_limit(entry: PreapprovedCase, currency: str) -> Finding:
    """Return the finding of a line that is bound by the list."""
    return told(
        "limit_preapproved", value=money(entry.amount_minor, currency),
        threshold=str(entry.valid_to), extra=entry.source,
    )  # fmt: skip
