from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldline.lending.decision.case import Case, LineCase
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.limit import (
    Caps,
    LiveLines,
    Means,
    capacity_cap,
    exposure_cap,
    growing_cost,
    need_cap,
    posted_limit,
    smallest_line,
)
from fieldline.lending.settings import PolicySettings

POLICY = PolicySettings(tenor_days=330)
RATE = Decimal("0.12")
money = st.decimals("-50000", "900000", places=2)
positive = st.decimals("0", "900000", places=2)


def test_growing_cost_by_hand() -> None:
    # 3 mu at 500 and one and a half mu at 900
    areas = [(Decimal(2000), Decimal(500)), (Decimal(1000), Decimal(900))]
    assert growing_cost(areas) == 2850


def test_need_adds_post_harvest_and_upkeep_but_never_exceeds_the_request() -> None:
    assert need_cap(Decimal(1000), None, POLICY) == 1300
    assert need_cap(Decimal(1000), Decimal(900), POLICY) == 900


def test_capacity_by_hand() -> None:
    # (20000 - 6000 - 1000) / (1.25 x (1 + .12 x 330/360)) = 13000 / 1.3875
    means = Means(Decimal(20000), Decimal(6000), Decimal(1000))
    assert abs(capacity_cap(means, RATE, POLICY) - Decimal("9369.369369")) < Decimal("1e-5")
    assert capacity_cap(Means(Decimal(5), Decimal(6), Decimal(0)), RATE, POLICY) == 0


def means_of(harvest: int, need: int, debt: int, costs: int) -> Means:
    return Means(*map(Decimal, (harvest - costs, need, debt)), crop_costs=Decimal(costs))


@pytest.mark.parametrize(
    ("harvest", "need", "debt", "costs", "expected"),
    [
        # k = 1.25 x (1 + .12 x 330/360) = 1.3875 throughout
        # 20,000 - 6,000 - 1,000 = 13,000 is left and 1.3875 x 4,000 is less: 13,000 / k
        (20_000, 6_000, 1_000, 4_000, "9369.369369"),
        # 6,000 is left for costs of 5,000: (6,000 - 5,000) / .3875; the rest of the costs is own
        # money: 2,580.65 comes back as 3,580.65 with its safety, 2,419.35 is paid beside it
        (12_000, 5_000, 1_000, 5_000, "2580.645161"),
        # what is left pays the costs to the last coin, or not even them
        (11_000, 5_000, 1_000, 5_000, "0"),
        (10_999, 5_000, 1_000, 5_000, "0"),
        # at k C the two meet: 13,875 / k = 10,000
        (13_875, 0, 0, 10_000, "10000"),
    ],
)
def test_capacity_takes_off_only_the_costs_that_the_line_does_not_pay(
    harvest: int, need: int, debt: int, costs: int, expected: str
) -> None:
    found = capacity_cap(means_of(harvest, need, debt, costs), RATE, POLICY)
    assert abs(found - Decimal(expected)) < Decimal("1e-5")


@given(
    st.integers(-200, 800), st.integers(0, 1500), st.integers(0, 1500), st.integers(0, 1500),
    st.integers(0, 30), st.sampled_from(["1", "1.1", "1.25", "2"]),
)  # fmt: skip
def test_capacity_is_the_largest_line_that_a_poor_year_repays(
    free: int, need: int, debt: int, costs: int, percent: int, cover: str
) -> None:
    harvest = costs + need + debt + free
    policy = POLICY.model_copy(update={"dscr_min": Decimal(cover), "tenor_days": 360})
    rate = Decimal(percent) / 100
    found = capacity_cap(means_of(harvest, need, debt, costs), rate, policy)
    # Every whole line, in hundredths of the currency's unit so that nothing is rounded.
    due = (100 + percent) * int(100 * Decimal(cover))
    repayable = [
        line
        for line in range(3001)
        if line * due + 10_000 * max(0, costs - line) <= 10_000 * (harvest - need - debt)
    ]
    assert int(found + Decimal("1e-15")) == max(repayable, default=0)


def test_one_farmer_household_has_its_own_caps() -> None:
    means = Means(Decimal(20000), Decimal(6000), Decimal(50000))
    assert exposure_cap(means, means, 1, Decimal(0), RATE, POLICY) == 300_000


def test_a_surplus_is_not_lent_against_anothers_debt() -> None:
    rich = Means(Decimal(20000), Decimal(0), Decimal(0))
    household = Means(Decimal(22000), Decimal(0), Decimal(15000))
    cap = exposure_cap(rich, household, 2, rich.free, RATE, POLICY)
    assert cap == capacity_cap(household, RATE, POLICY) < capacity_cap(rich, RATE, POLICY)


def test_limit_is_rounded_down_once() -> None:
    caps = Caps(Decimal("1299.99"), Decimal(2000), Decimal(3000), Decimal(4000))
    assert posted_limit(caps, POLICY) == 1200


@given(money, positive, positive, positive, st.decimals("0", "0.3", places=4))
def test_more_debt_never_raises_a_cap(
    income: Decimal, need: Decimal, debt: Decimal, more: Decimal, rate: Decimal
) -> None:
    before, after = Means(income, need, debt), Means(income, need, debt + more)
    assert capacity_cap(after, rate, POLICY) <= capacity_cap(before, rate, POLICY)
    free = [max(Decimal(0), means.free) for means in (before, after)]
    caps = [
        exposure_cap(means, means, 1, spare, rate, POLICY)
        for means, spare in zip((before, after), free, strict=True)
    ]
    assert caps[1] <= caps[0]


@given(positive, positive, positive, positive)
def test_limit_never_exceeds_any_cap(
    need: Decimal, capacity: Decimal, policy: Decimal, exposure: Decimal
) -> None:
    found = posted_limit(Caps(need, capacity, policy, exposure), POLICY)
    assert 0 <= found <= min(need, capacity, policy, exposure)


@given(st.lists(st.tuples(money, positive, positive, positive), min_size=2, max_size=4))
def test_members_together_never_borrow_more_than_the_household_can(
    rows: list[tuple[Decimal, Decimal, Decimal, Decimal]],
) -> None:
    members = [Means(*row[:3], crop_costs=row[3]) for row in rows]
    income, need, debt, costs = (sum(column, Decimal(0)) for column in zip(*rows, strict=True))
    household = Means(income, need, debt, crop_costs=costs)
    spare = sum((max(Decimal(0), m.free) for m in members), Decimal(0))
    total = sum(
        min(
            capacity_cap(m, RATE, POLICY),
            exposure_cap(m, household, len(members), spare, RATE, POLICY),
        )
        for m in members
    )
    assert total <= capacity_cap(household, RATE, POLICY) + Decimal("0.01")


def test_farmers_share_what_the_household_may_still_owe() -> None:
    # (400,000 - 100,000) / 2, below 350,000 - 50,000 of one's own
    own, home = Means(*map(Decimal, (0, 0, 50_000))), Means(*map(Decimal, (0, 0, 100_000)))
    assert exposure_cap(own, home, 2, Decimal(0), RATE, POLICY) == 150_000
    assert exposure_cap(own, home, 3, Decimal(0), RATE, POLICY) == 100_000


def test_what_a_farmer_owes_already_can_use_up_the_cap() -> None:
    deep = Means(*map(Decimal, (0, 0, 360_000)))
    assert exposure_cap(deep, deep, 1, Decimal(0), RATE, POLICY) == 0


def test_a_lone_farmers_free_income_is_no_matter_of_exposure() -> None:
    means = Means(*map(Decimal, (20_000, 6_000, 1_000)))
    assert exposure_cap(means, means, 1, means.free, RATE, POLICY) == 349_000


def test_farmers_share_the_households_capacity_by_their_free_income() -> None:
    # free 3,000 of 4,000: three quarters of 4,000 / (1.25 x 1.11)
    own, home = Means(*map(Decimal, (3000, 0, 0))), Means(*map(Decimal, (4000, 0, 0)))
    cap = exposure_cap(own, home, 2, Decimal(4000), RATE, POLICY)
    assert abs(cap - Decimal("2162.162162")) < Decimal("1e-5")
    # one unit of free income is shared like any other, and who has none gets none
    tiny = Means(*map(Decimal, (1, 0, 0)))
    assert exposure_cap(tiny, tiny, 2, Decimal(1), RATE, POLICY) < 1
    poor = Means(*map(Decimal, (0, 5, 0)))
    assert exposure_cap(poor, home, 2, Decimal(4000), RATE, POLICY) == 0


def test_debts_paid_by_other_work_are_not_paid_twice() -> None:
    assert Means(*map(Decimal, (20_000, 6_000, 1_000, 400))).free == 13_400
    assert Means(*map(Decimal, (20_000, 6_000, 1_000))).free == 13_000


def test_the_policy_cap_is_left_out_where_a_person_may_lift_it() -> None:
    for order in ((3, 4, 1, 5), (4, 3, 1, 5), (5, 4, 1, 3)):
        caps = Caps(*map(Decimal, order))
        assert (caps.least, caps.without_policy) == (1, 3)


def test_lines_elsewhere_take_their_part_of_every_cap() -> None:
    # The farmer's cap 9,000 less 1,000 debt less 2,000 own lines: 6,000. The household's 10,000
    # less 1,000 debt less 5,000 lines: 4,000. Of 5,000 that a harvest repays 2,000 are lent.
    policy = PolicySettings(
        exposure_cap_farmer=Decimal(9000), exposure_cap_household=Decimal(10000)
    )
    means = Means(Decimal(30000), Decimal(9000), Decimal(1000))

    def cap(own: int, household: int, capacity: int = 20000) -> Decimal:
        lines = LiveLines(Decimal(own), Decimal(household))
        return exposure_cap(
            means, means, 1, means.free, Decimal("0.1"), policy,
            lambda *_: Decimal(capacity), lines,
        )  # fmt: skip

    assert cap(0, 0) == 8000
    assert cap(2000, 2000) == 6000
    assert cap(2000, 5000) == 4000
    assert cap(0, 5000) == 4000
    assert cap(2000, 2000, capacity=5000) == 3000
    assert cap(9000, 9000) == 0


def test_more_lines_elsewhere_never_lend_more(case: Case) -> None:
    draw = random.Random(3)
    for _ in range(300):
        amounts = sorted(draw.randint(0, 600_000) for _ in range(2))
        own, party = draw.random() < 0.5, {"farmers": draw.choice([1, 2])}
        home = case.household.model_copy(update=party)
        lines = [
            LineCase(
                own=own, county="B", season="2024", product="p", limit_minor=amount,
                valid_to=case.as_of,
            )
            for amount in amounts
        ]  # fmt: skip
        few, many = (
            decide_case(case.model_copy(update={"household": home, "lines": (line,)}))
            for line in lines
        )
        assert many.limit_minor <= few.limit_minor
        repaid = max(many.limit_capacity_minor, amounts[1])
        assert not own or many.limit_minor + amounts[1] <= repaid


def test_the_smallest_line_pays_for_what_any_line_costs() -> None:
    # 1.2 % of 5,000 over 360 of 360 days are 60, what an officer's way costs
    driven = PolicySettings(min_limit=300, line_cost=60, opex_rate="0.012", tenor_days=360)
    assert smallest_line(driven) == 5000
    # 3 yuan are borne by 250: the policy's own least stands
    assert smallest_line(driven.model_copy(update={"line_cost": Decimal(3)})) == 300
    assert smallest_line(driven.model_copy(update={"line_cost": Decimal(0)})) == 300
    # half the time earns half
    assert smallest_line(driven.model_copy(update={"tenor_days": 180})) == 10_000
    with pytest.raises(ValueError, match="line_cost 60 is paid by nothing"):
        PolicySettings(line_cost=60, opex_rate=0)
