"""Reasons come true: the number named is set to the value stated, and what is stated comes out.

The words are read, in both languages, as the applicant reads them; the case is changed here by the
plain meaning of the sentence, over random farmers. `FIELDLINE_PROMISES` is how many of them.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pandas as pd
import pytest

from fieldline.lending.decision.case import Case
from fieldline.lending.decision.decision import Decision, decide_case
from fieldline.lending.decision.judge import Judge
from fieldline.lending.decision.reasons import Reason
from fieldline.lending.settings import PolicySettings
from tests.lending.decision.population import judge_of, population

COUNT = int(os.environ.get("FIELDLINE_PROMISES", "1500"))
"""Farmers asked; 100,000 take a quarter of an hour."""

POLICIES = (
    PolicySettings(),
    PolicySettings(max_limit=Decimal(9000), exposure_cap_farmer=Decimal(30_000)),
    PolicySettings(tenor_days=120, day_basis=365, exposure_cap_household=Decimal(25_000)),
)


def minor(text: str) -> int:
    """Read `CNY 12,300.50` or `1.23万元` as minor units."""
    chinese = re.fullmatch(r"([\d.]+)([万亿]?)元", text)
    if chinese:
        unit = {"": 1, "万": 10_000, "亿": 100_000_000}[chinese[2]]
        return int(Decimal(chinese[1]) * unit * 100)
    return int(Decimal(text.removeprefix("CNY ").replace(",", "")) * 100)


def of_farmer(case: Case, **changes: Any) -> Case:
    """Return the case with other facts of the farmer, and the household's sums with them."""
    mine = case.farmer.model_copy(update=changes)
    moved = {
        name: getattr(case.household, name) + getattr(mine, name) - getattr(case.farmer, name)
        for name in changes
        if name != "requested_minor"
    }

    def free(party: Any) -> int:
        left = party.income_q10_minor - party.household_need_minor
        return int(max(0, left - party.debt_service_minor + party.debt_elsewhere_minor))

    update = {
        "farmer": mine, "household": case.household.model_copy(update=moved),
        "household_free_minor": case.household_free_minor + free(mine) - free(case.farmer),
    }  # fmt: skip
    return case.model_copy(update=update)


def asks(case: Case, most: str) -> Case:
    return of_farmer(case, requested_minor=minor(most))


def owes(case: Case, what: str, most: str) -> Case:
    elsewhere = min(case.farmer.debt_elsewhere_minor, minor(what))
    return of_farmer(case, debt_service_minor=minor(what), debt_elsewhere_minor=elsewhere)


def owes_nothing(case: Case, what: str, most: str) -> Case:
    assert minor(what) == case.farmer.debt_service_minor
    return of_farmer(case, debt_service_minor=0, debt_elsewhere_minor=0)


def alone(case: Case, most: str) -> Case:
    names = ("debt_service_minor", "debt_elsewhere_minor")
    mine = {name: getattr(case.farmer, name) for name in names}
    home, farmer = case.household, case.farmer
    keeps = farmer.income_q10_minor - farmer.household_need_minor
    keeps += farmer.debt_elsewhere_minor - farmer.debt_service_minor
    # the household's other farmer keeps what the harvest leaves beside the need
    other = home.income_q10_minor - home.household_need_minor
    other -= farmer.income_q10_minor - farmer.household_need_minor
    return case.model_copy(update={
        "household": home.model_copy(update=mine),
        "household_free_minor": max(0, keeps) + max(0, other),
    })  # fmt: skip


def farms(case: Case, mu: str, most: str) -> Case:
    """Stretch the only parcel; the land carries the same household, at most its share of q10."""
    (parcel,) = case.parcels
    wanted = Decimal(mu) * 10_000 / 15
    times = wanted / parcel.evidence_area_m2
    poor = case.farmer.income_q10_minor
    at_share = case.farmer.household_need_minor >= int(case.policy.need_income_share * poor)
    grown = {
        name: int(getattr(case.farmer, name) * times)
        for name in ("income_q10_minor", "income_q50_minor", "crop_cost_minor")
    }
    if at_share:
        share = int(case.policy.need_income_share * grown["income_q10_minor"])
        grown["household_need_minor"] = max(share, case.farmer.household_need_minor)
    bigger = parcel.model_copy(update={"evidence_area_m2": wanted})
    return of_farmer(case.model_copy(update={"parcels": (bigger,)}), **grown)


def vouched_for(case: Case, what: str, most: str) -> Case:
    return of_farmer(case, guaranteed_minor=case.farmer.guaranteed_minor + minor(what))


def earns_elsewhere(case: Case, most: str) -> Case:
    """Let what is stated and counts for nothing pay debts, and then bear the need on the land."""
    farmer = case.farmer
    pays = min(farmer.off_farm_idle_minor, farmer.debt_service_minor - farmer.debt_elsewhere_minor)
    need, poor = farmer.household_need_minor, max(0, farmer.income_q10_minor)
    left = farmer.off_farm_idle_minor - pays
    if need >= int(case.policy.need_income_share * poor):
        left = 0  # how much more the household needs is not known
    return of_farmer(
        case, debt_elsewhere_minor=farmer.debt_elsewhere_minor + pays,
        household_need_minor=need - min(need, left),
    )  # fmt: skip


def together(case: Case, count: str, most: str) -> Case:
    return case.model_copy(update={"joint_members": int(count)})


def person(case: Case, most: str) -> Case:
    policy = case.policy.model_copy(update={"max_limit": Decimal(minor(most)) / 100})
    return case.model_copy(update={"policy": policy})


ENGLISH: dict[str, tuple[str, Callable[..., Case]]] = {
    "request": (r"Ask for more: up to (CNY [\d,.]*\d) would be possible", asks),
    "wages": (r"wages that you stated .* up to (CNY [\d,.]*\d) would", earns_elsewhere),
    "debt": (
        r"other yearly debt service of at most (CNY [\d,.]*\d) up to (CNY [\d,.]*\d) would", owes,
    ),
    "debt_free": (
        r"Without your other yearly debt service of (CNY [\d,.]*\d) up to (CNY [\d,.]*\d) would",
        owes_nothing,
    ),
    "household": (r"household's other members up to (CNY [\d,.]*\d) would be possible", alone),
    "land": (r"With ([\d.]+) mu \([\d.]+ ha\) of such land in all up to (CNY [\d,.]*\d)", farms),
    "guarantee": (
        r"verified guarantee of (CNY [\d,.]*\d) up to (CNY [\d,.]*\d) would", vouched_for,
    ),
    "joint": (r"at least (\d+) of you, .* up to (CNY [\d,.]*\d) would be possible", together),
    "person": (r"your need and capacity allow (CNY [\d,.]*\d)\.", person),
}  # fmt: skip
CHINESE = {
    "request": r"可申请更高金额，最高可达([\d.]+[万亿]?元)",
    "wages": r"提供您所填务工收入的证明.*最高可达([\d.]+[万亿]?元)",
    "debt": r"其他年度债务支出不超过([\d.]+[万亿]?元)时，最高可达([\d.]+[万亿]?元)",
    "debt_free": r"若无([\d.]+[万亿]?元)的其他年度债务支出，最高可达([\d.]+[万亿]?元)",
    "household": r"若家庭其他成员无债务，最高可达([\d.]+[万亿]?元)",
    "land": r"同类耕地合计达到([\d.]+)亩时，最高可达([\d.]+[万亿]?元)",
    "guarantee": r"提供([\d.]+[万亿]?元)的有效担保后，最高可达([\d.]+[万亿]?元)",
    "joint": r"至少(\d+)户共担最低额度，最高可达([\d.]+[万亿]?元)",
    "person": r"您的需求与还款能力可支持([\d.]+[万亿]?元)",
}


def promises(reason: Reason) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Yield what a reason promises, with its numbers in English and in Chinese."""
    for way, (pattern, _) in ENGLISH.items():
        said = re.search(pattern, reason.english)
        if said:
            again = re.search(CHINESE[way], reason.chinese)
            assert again, reason
            yield way, said.groups(), again.groups()


@pytest.fixture(scope="module")
def judge() -> Judge:
    return judge_of()


class Decided:
    """Random farmers under three products with their decisions, drawn a thousand at a time."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self._chunk = lru_cache(maxsize=3)(self._drawn)

    def _drawn(self, number: int, size: int) -> list[tuple[Case, Decision]]:
        policy = POLICIES[number % len(POLICIES)]
        cases = population(size, 100 + number).cases(self.judge, policy)
        return [(case, decide_case(case)) for case in cases]

    def __iter__(self) -> Iterator[tuple[Case, Decision]]:
        chunks = max(len(POLICIES), COUNT // 1000)
        for number in range(chunks):
            yield from self._chunk(number, COUNT // chunks)


@pytest.fixture(scope="module")
def decided(judge: Judge) -> Decided:
    return Decided(judge)


def test_every_line_that_is_promised_comes_out(decided: Decided) -> None:
    kept, broken = Counter[str](), []
    for case, decision in decided:
        for reason in decision.reasons:
            for way, numbers, _ in promises(reason):
                after = decide_case(ENGLISH[way][1](case, *numbers))
                if after.access == "approve" and after.limit_minor == minor(numbers[-1]):
                    assert after.limit_minor > decision.limit_minor
                    kept[way] += 1
                else:
                    broken.append((case.farmer_id, way, numbers, after.access, after.limit_minor))
    assert set(kept) == set(ENGLISH)
    assert len(broken) <= 0.01 * kept.total(), broken[:5]


def test_both_languages_promise_the_same(decided: Decided) -> None:
    pairs = [p for _, d in decided for reason in d.reasons for p in promises(reason)]
    assert len(pairs) > COUNT / 10
    for way, english, chinese in pairs:
        if way in ("land", "joint"):
            assert (english[0], minor(english[1])) == (chinese[0], minor(chinese[1]))
        else:
            assert [*map(minor, english)] == [*map(minor, chinese)]


def test_the_chance_named_is_priced_within_the_ceiling(
    decided: Decided,
) -> None:
    found = 0
    for case, decision in decided:
        first = decision.reasons[0]
        said = re.search(r"at most ([\d.]+)% instead of ([\d.]+)%", first.english)
        if first.code != "price_above_ceiling" or not said:
            continue
        found += 1
        assert Decimal(said[2]) == round(100 * (case.risk.pd or Decimal(0)), 1)
        for more, stopped in ((Decimal(0), False), (Decimal("0.001"), True)):
            chance = Decimal(said[1]) / 100 + more
            risk = case.risk.model_copy(update={"pd": chance})
            after = decide_case(case.model_copy(update={"risk": risk}))
            codes = [reason.code for reason in after.reasons]
            by_price = "price_above_ceiling" in codes
            assert (
                by_price or ("risk_of_default" in codes and after.access == "decline")
            ) == stopped
    assert found > COUNT / 50


def test_a_threshold_of_the_chance_is_where_it_begins(decided: Decided) -> None:
    found = 0
    for case, decision in decided:
        for reason in decision.reasons:
            said = re.search(r"needs fewer than ([\d.]+)", reason.english)
            if not said:
                continue
            found += 1
            at = Decimal(said[1]) / 100
            for chance, told in ((at, True), (at - Decimal("0.000001"), False)):
                risk = case.risk.model_copy(update={"pd": chance})
                after = decide_case(case.model_copy(update={"risk": risk}))
                codes = [reason.code for reason in after.reasons]
                assert ("risk_of_default" in codes) == told
    assert found >= 5


def test_a_risk_at_its_usual_value_is_lower(judge: Judge, decided: Decided) -> None:
    """The model itself is asked again with the feature at what is usual among those who repaid."""
    assert judge.model is not None
    asked: list[tuple[Case, str]] = []
    for case, decision in decided:
        asked += [
            (case, reason.code.removeprefix("risk_"))
            for reason in decision.reasons
            if reason.code.startswith("risk_")
            and reason.code not in ("risk_of_default", "risk_thin_file")
        ]
    assert len(asked) > COUNT / 20
    rows = [{**case.risk.features, name: case.risk.cohort[name]["median"]} for case, name in asked]
    before = judge.model.predict(pd.DataFrame([c.risk.features for c, _ in asked], dtype="float64"))
    after = judge.model.predict(pd.DataFrame(rows, dtype="float64"))
    lower = [b.pd > a.pd for b, a in zip(before, after, strict=True)]
    assert sum(lower) >= 0.99 * len(lower), f"{sum(lower)} of {len(lower)}"
