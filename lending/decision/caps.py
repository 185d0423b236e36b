"""Caps: price, highest rate and the four caps of a case by the rules that it names.

Owns the step from a case to the arithmetic of `pricing` and `limit`; the policy of the case is what
its decision tables and its cover have made of it.
"""

from __future__ import annotations

from decimal import Decimal

from fieldline.lending.decision.case import Case
from fieldline.lending.decision.contracts import with_contracts
from fieldline.lending.decision.covers import whole_need
from fieldline.lending.decision.limit import (
    Caps,
    LiveLines,
    exposure_cap,
)
from fieldline.lending.decision.preapproved import within_list
from fieldline.lending.decision.pricing import Price
from fieldline.lending.decision.rules import RULES
from fieldline.pipeline.records.money import from_minor


def price_of(case: Case) -> Price | None:
    """Return the price of a case; None where no model gave a PD below one."""
    pd = case.risk.pd
    return RULES[case.rules].price(pd, case.policy) if pd is not None and pd < 1 else None


def highest_rate_of(case: Case) -> Decimal:
    """Return the highest rate that a line of the case may bear by law."""
    return RULES[case.rules].highest_rate(case.ceiling.rate, case.policy)


def caps_of(case: Case, rate: Decimal) -> Caps:
    """Return the four caps of a case at a yearly rate."""
    policy, farmer, money = case.policy, case.farmer, case.currency
    capacity = RULES[case.rules].capacity
    return Caps(
        need=whole_need(case),
        capacity=capacity(farmer.means(money), rate, policy),
        policy=_policy_cap(case),
        exposure=exposure_cap(
            farmer.means(money),
            case.household.means(money),
            case.household.farmers,
            from_minor(case.household_free_minor, money),
            rate,
            policy,
            capacity,
            LiveLines(case.live_lines(own=True), case.live_lines(own=False)),
        ),
    )


def _policy_cap(case: Case) -> Decimal:
    """Return what the product lends at most; less where points and no loans judged the risk, and
    what contracts and the pre-approved list make of it."""
    share = case.policy.expert_limit_share if case.risk.by_expert else Decimal(1)
    return within_list(case, with_contracts(case, case.policy.max_limit * share))
