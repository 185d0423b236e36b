"""A worse fact never gives a better answer, a higher limit or a lower price, over the whole."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldline.lending.decision.case import Case, PartyCase
from fieldline.lending.decision.decision import Decision, decide_case

quick = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

amount = st.integers(0, 3_000_000)
facts = st.fixed_dictionaries({
    "harvest": st.integers(0, 9_000_000), "need": amount, "debt": amount, "cost": amount,
    "pd": st.integers(0, 150_000),
})  # fmt: skip
product = st.fixed_dictionaries({
    "tenor_days": st.integers(30, 366), "day_basis": st.sampled_from([360, 365]),
    "dscr_min": st.sampled_from([Decimal("1.05"), Decimal("1.25"), Decimal(2)]),
})  # fmt: skip
ANSWERS = ("decline", "review", "approve")
WORSE = {"harvest": -1, "need": 1, "debt": 1, "cost": 1, "pd": 1}


def party(facts: dict[str, int]) -> PartyCase:
    return PartyCase(
        farmers=1, income_q10_minor=facts["harvest"] - facts["cost"],
        income_q50_minor=facts["harvest"], debt_service_minor=facts["debt"],
        household_need_minor=facts["need"], requested_minor=None, crop_cost_minor=facts["cost"],
    )  # fmt: skip


def together(members: list[PartyCase]) -> PartyCase:
    names = set(PartyCase.model_fields) - {"requested_minor"}
    sums = {name: sum(getattr(member, name) for member in members) for name in names}
    return PartyCase(**sums, requested_minor=None)


def free(member: PartyCase) -> int:
    return max(0, member.income_q10_minor - member.household_need_minor - member.debt_service_minor)


def decided(
    case: Case, mine: dict[str, int], others: list[dict[str, int]], policy: dict[str, Any]
) -> Decision:
    """Decide the case of a farmer with these facts, in a household with these others."""
    members = [party(mine), *map(party, others)]
    pd = Decimal(mine["pd"]) / 1_000_000
    return decide_case(
        case.model_copy(update={
            "farmer": members[0], "household": together(members),
            "household_free_minor": sum(map(free, members)),
            "risk": case.risk.model_copy(update={"pd": pd, "challenger": pd}),
            "policy": case.policy.model_copy(update=policy),
        })
    )  # fmt: skip


def possible(decision: Decision) -> int:
    """Return what a person who decides is shown as possible: the least of the four caps."""
    return min(
        decision.limit_need_minor, decision.limit_capacity_minor, decision.limit_policy_minor,
        decision.limit_exposure_minor,
    )  # fmt: skip


@pytest.mark.parametrize("fact", WORSE)
@quick
@given(facts, st.lists(facts, max_size=2), product, amount)
def test_a_worse_fact_never_gets_more_or_cheaper_money(
    case: Case, fact: str, mine: dict[str, int], others: list[dict[str, int]],
    policy: dict[str, Any], more: int,
) -> None:  # fmt: skip
    step = more % 50_000 if fact == "pd" else more
    worse = {**mine, fact: mine[fact] + WORSE[fact] * step}
    before, after = (decided(case, known, others, policy) for known in (mine, worse))
    assert after.limit_minor <= before.limit_minor
    assert after.limit_capacity_minor <= before.limit_capacity_minor
    assert possible(after) <= possible(before)
    assert ANSWERS.index(after.access) <= ANSWERS.index(before.access)
    assert (after.annual_rate or 0) >= (before.annual_rate or 0)


@pytest.mark.parametrize("fact", WORSE)
def test_the_property_reaches_lines_that_a_worse_fact_lowers(case: Case, fact: str) -> None:
    mine = {"harvest": 1_500_000, "need": 300_000, "debt": 100_000, "cost": 700_000, "pd": 40_000}
    step = {"pd": 40_000, "cost": 300_000}.get(fact, 100_000)
    worse = {**mine, fact: mine[fact] + WORSE[fact] * step}
    before, after = (decided(case, known, [], {}) for known in (mine, worse))
    assert after.limit_capacity_minor < before.limit_capacity_minor
    assert before.access == "approve"
