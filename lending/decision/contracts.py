"""Contracts: what a line may rest on where the harvest is sold in advance.

Owns the two rules. A product that asks for a contract (`contract_required`) lends at most
`contract_share` of what the farmer's assigned contracts count for, and nothing without one. For any
other product an assigned contract lifts what points that no loan has tested may lend: the buyer
pays the lender. What the harvest can repay bounds the line in any case.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from fieldline.lending.codes import farmer_remedy
from fieldline.lending.decision.backed import ContractCase
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.reasons import Finding
from fieldline.lending.decision.wording import amount, told
from fieldline.pipeline.records.money import from_minor
from fieldline.pipeline.records.outcomes import OK, outcome_codes
from fieldline.pipeline.records.reference import crops


def contracted(case: Case) -> Decimal:
    """Return what the farmer's contracts count for, currency units."""
    return from_minor(sum(one.counted_minor for one in case.contracts), case.currency)


def rests_on(case: Case) -> Decimal:
    """Return what a line may rest on: the policy's share of it."""
    return case.policy.contract_share * contracted(case)


def with_contracts(case: Case, most: Decimal) -> Decimal:
    """Return the policy's cap of a case with its contracts.

    Args:
        case: The case.
        most: The cap without them: the product's, or that of untested points.
    """
    if not case.contracts and not case.policy.contract_required:
        return most
    rests = rests_on(case)
    lifted = max(most, min(case.policy.max_limit, rests))
    return min(lifted, rests) if case.policy.contract_required else lifted


def bound_by_contracts(case: Case, cap: Decimal) -> bool:
    """Whether a cap by policy is what the contracts make it."""
    return bool(case.contracts) and cap == rests_on(case) and cap < case.policy.max_limit


def contract_vetoes(case: Case) -> Iterator[Finding]:
    """Yield that a product asks for a contract and none of the farmer's counts."""
    if not case.policy.contract_required or contracted(case) > 0:
        return
    short = [one for one in case.contracts if one.outcome != OK]
    if not short:
        yield Finding("veto_no_contract", variant="none")
    for one in short:
        yield _not_counted("veto_no_contract", one)


def contract_limit(case: Case) -> Finding:
    """Return the finding of a line that is bound by the farmer's contracts."""
    share = f"{case.policy.contract_share:.0%}"
    return told("limit_contract", value=amount(contracted(case), case.currency), threshold=share)


def contract_findings(case: Case, cap: Decimal) -> Iterator[Finding]:
    """Yield the contracts that count for less than they say, where they bound the line.

    Args:
        case: The case.
        cap: The policy's cap.
    """
    if bound_by_contracts(case, cap) or case.risk.by_expert:
        for one in case.contracts:
            if one.outcome != OK:
                yield _not_counted("contract_not_counted", one)


def _not_counted(code: str, one: ContractCase) -> Finding:
    known, remedy, crop = (
        outcome_codes()[one.outcome],
        farmer_remedy(one.outcome),
        crops()[one.crop],
    )
    english = {
        "value": one.buyer, "threshold": crop.name_en.lower(),
        "extra": known.english[:1].lower() + known.english[1:], "remedy": remedy.english,
    }  # fmt: skip
    chinese = {"threshold": crop.name_zh, "extra": known.chinese, "remedy": remedy.chinese}
    return Finding(code, english, chinese)
