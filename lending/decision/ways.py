"""Ways: what would change an answer, found by deciding the changed case again.

Owns the promises of a reason: one number of the applicant's set to a stated value, and the line
that then comes out. Nothing is promised that was not decided so, with the number as it is displayed
and everything else as it is; the model is not asked again, because a better fact never raises its
probability. It changes words alone, never which reasons are told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal
from typing import Literal

from fieldline.lending.codes import reason_ways
from fieldline.lending.decision.case import Case, PartyCase
from fieldline.lending.decision.contracts import bound_by_contracts
from fieldline.lending.decision.findings import least_line
from fieldline.lending.decision.limit import Caps
from fieldline.lending.decision.reasons import Finding
from fieldline.lending.decision.wording import Told, amount, area, money, next_tenth_of_mu
from fieldline.pipeline.records.money import (
    ceil_to_step,
    floor_to_step,
    from_minor,
    minor_units,
    to_minor,
)

Access = Literal["approve", "review", "decline"]

_MORE_LAND = tuple(Decimal(factor) for factor in ("1.25", "1.5", "2", "3", "5"))
"""Multiples of the land that are tried in turn: beyond five it is another farm."""


@dataclass(frozen=True)
class Verdict:
    """What is decided of a case before it is put in words."""

    access: Access
    caps: Caps
    limit: Decimal
    """The least cap, rounded down; lent where the access is `approve`."""
    found: list[Finding]

    @property
    def lent(self) -> Decimal:
        """The limit of an approved line, else zero."""
        return self.limit if self.access == "approve" else Decimal(0)


Weigh = Callable[[Case], Verdict]


@dataclass(frozen=True)
class Way:
    """A change and the line that comes out of it."""

    name: str
    """Row of `data/reason_ways.csv`."""
    most: Decimal
    what: Told = ("", "")


_NEEDS_WAY = ("no_capacity", "limit_")


def with_ways(case: Case, verdict: Verdict, weigh: Weigh) -> list[Finding]:
    """Return the findings of a verdict, those about capacity and limits with what would raise it.

    Args:
        case: The case.
        verdict: What was decided of it.
        weigh: Decides a changed case.
    """
    found = verdict.found
    if not any(finding.code.startswith(_NEEDS_WAY) for finding in found):
        return found
    way, together = best_way(case, verdict, weigh), _together(case, verdict, weigh)
    return [
        finding if not finding.code.startswith(_NEEDS_WAY)
        else _worded(finding, together if finding.code == _SMALL else way, case.currency)
        for finding in found
    ]  # fmt: skip


_SMALL = "limit_below_minimum"
_WITHOUT_WAY = {"limit_request": "asked", _SMALL: "below"}


def _worded(finding: Finding, way: Way | None, currency: str) -> Finding:
    name = way.name if way else _WITHOUT_WAY.get(finding.code, "none")
    text, most = reason_ways()[name], amount(way.most if way else Decimal(0), currency)
    what = way.what if way else ("", "")
    english = text.english.format(what=what[0], most=most[0])
    chinese = text.chinese.format(what=what[1], most=most[1])
    return replace(
        finding, values={**finding.values, "way": english},
        chinese={**finding.chinese, "way": chinese},
    )  # fmt: skip


def best_way(case: Case, verdict: Verdict, weigh: Weigh) -> Way | None:
    """Return the first change that raises the line, the applicant's easiest first."""
    for way in _ways(case, verdict, weigh):
        if way.most > verdict.lent:
            return way
    return None


def _ways(case: Case, verdict: Verdict, weigh: Weigh) -> Iterator[Way]:
    least, caps = verdict.caps.least, verdict.caps
    asked = case.farmer.requested_minor
    if asked is not None and least == from_minor(asked, case.currency):
        yield Way("request", weigh(_asking(case, None)).lent)
    elif least == caps.policy:
        yield from _contract(case, caps, weigh)
        yield from _person(case, caps, weigh)
    else:
        if least in (caps.capacity, caps.exposure):
            yield from _wages(case, weigh)
            yield from _debts(case, weigh)
            yield from _household(case, weigh)
        if least in (caps.capacity, caps.need):
            yield from _land(case, weigh)
        if least == caps.capacity:
            yield from _guarantee(case, caps, weigh)


def _asking(case: Case, minor: int | None) -> Case:
    return case.model_copy(
        update={"farmer": case.farmer.model_copy(update={"requested_minor": minor})}
    )


def _person(case: Case, caps: Caps, weigh: Weigh) -> Iterator[Way]:
    possible = floor_to_step(caps.without_policy, case.policy.limit_step)
    if possible > caps.policy:
        raised = case.policy.model_copy(update={"max_limit": possible})
        yield Way("person", weigh(case.model_copy(update={"policy": raised})).lent)


def _contract(case: Case, caps: Caps, weigh: Weigh) -> Iterator[Way]:
    """Yield the line with contracts that count for so much that they bound it no longer."""
    share, money_of = case.policy.contract_share, case.currency
    if share <= 0 or not bound_by_contracts(case, caps.policy):
        return
    wanted = min(caps.without_policy, case.policy.max_limit) / share
    minor = to_minor(ceil_to_step(wanted, case.policy.limit_step), money_of)
    lacking = minor - sum(one.counted_minor for one in case.contracts)
    first = case.contracts[0]
    more = first.model_copy(update={"counted_minor": first.counted_minor + lacking})
    changed = case.model_copy(update={"contracts": (more, *case.contracts[1:])})
    yield Way("contract", weigh(changed).lent, money(minor, money_of))


def owing(case: Case, minor: int) -> Case:
    """Return the case with another yearly debt service of the farmer, in the household's too."""
    farmer = case.farmer
    mine = {
        "debt_service_minor": minor,
        "debt_elsewhere_minor": min(farmer.debt_elsewhere_minor, minor),
    }
    return _of_farmer(case, farmer.model_copy(update=mine))


_SUMMED = (
    "income_q10_minor", "income_q50_minor", "debt_service_minor", "debt_elsewhere_minor",
    "household_need_minor", "crop_cost_minor",
)  # fmt: skip


def _of_farmer(case: Case, farmer: PartyCase) -> Case:
    """Return the case with another farmer's row, and the household's sums moved by as much."""
    home, old = case.household, case.farmer
    sums = {n: getattr(home, n) + getattr(farmer, n) - getattr(old, n) for n in _SUMMED}
    free = case.household_free_minor + _free(farmer) - _free(old)
    home = home.model_copy(update=sums)
    update = {"farmer": farmer, "household": home, "household_free_minor": max(0, free)}
    return case.model_copy(update=update)


def _free(party: PartyCase) -> int:
    borne = party.debt_service_minor - party.debt_elsewhere_minor
    return max(0, party.income_q10_minor - party.household_need_minor - borne)


def wages_proven(case: Case) -> Case:
    """Return the case with the income proven that is stated and counts for nothing.

    It pays debts first and then the need that the land carries, unless the land is asked for its
    full share of a poor year: how much more the household needs then nobody knows here.
    """
    farmer, share = case.farmer, case.policy.need_income_share
    paying = min(
        farmer.off_farm_idle_minor, farmer.debt_service_minor - farmer.debt_elsewhere_minor
    )
    need = farmer.household_need_minor
    bounded = need >= int(share * max(0, farmer.income_q10_minor))
    bearing = 0 if bounded else min(need, farmer.off_farm_idle_minor - paying)
    return _of_farmer(case, farmer.model_copy(update={
        "debt_elsewhere_minor": farmer.debt_elsewhere_minor + paying,
        "household_need_minor": need - bearing,
    }))  # fmt: skip


def _wages(case: Case, weigh: Weigh) -> Iterator[Way]:
    """Yield the line if papers proved what the household states to earn off the farm."""
    if case.farmer.off_farm_idle_minor > 0:
        yield Way("wages", weigh(wages_proven(case)).lent)


def _debts(case: Case, weigh: Weigh) -> Iterator[Way]:
    """Yield the highest debt service with which a line of the least size is lent, then none."""
    debt, money_of = case.farmer.debt_service_minor, case.currency
    if debt <= 0:
        return
    free = weigh(owing(case, 0))
    if weigh(case).lent == 0:
        bearable = _bearable(case, free, weigh)
        if bearable:
            lent = weigh(owing(case, bearable)).lent
            yield Way("debt", lent, money(bearable, money_of))
    yield Way("debt_free", free.lent, money(debt, money_of))


def _bearable(case: Case, free: Verdict, weigh: Weigh) -> int:
    """Return the highest debt service, whole currency units, with which the case is approved."""
    unit = minor_units(case.currency)
    low, high = 0, case.farmer.debt_service_minor // unit
    if free.access != "approve":
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        approved = weigh(owing(case, middle * unit)).access == "approve"
        low, high = (middle, high) if approved else (low, middle)
    return low * unit


def _household(case: Case, weigh: Weigh) -> Iterator[Way]:
    """Yield the line without the debts of the household's other members."""
    farmer, home = case.farmer, case.household
    if home.debt_service_minor > farmer.debt_service_minor:
        mine = {
            name: getattr(farmer, name) for name in ("debt_service_minor", "debt_elsewhere_minor")
        }
        # what the others keep without debts is theirs: the farmer's part of the household shrinks
        others = (home.income_q10_minor - farmer.income_q10_minor) - (
            home.household_need_minor - farmer.household_need_minor
        )
        update = {
            "household": home.model_copy(update=mine),
            "household_free_minor": _free(farmer) + max(0, others),
        }
        yield Way("household", weigh(case.model_copy(update=update)).lent)


def with_land(case: Case, factor: Decimal) -> Case:
    """Return the case with so many times the land of the same kind, income and costs.

    The household's part of a poor year's income grows with it where it stands at its share.
    """
    farmer, share = case.farmer, case.policy.need_income_share
    poor = int(farmer.income_q10_minor * factor)
    need = farmer.household_need_minor
    if need >= int(share * max(0, farmer.income_q10_minor)):
        need = max(need, int(share * max(0, poor)))
    grown = farmer.model_copy(update={
        "income_q10_minor": poor, "income_q50_minor": int(farmer.income_q50_minor * factor),
        "crop_cost_minor": int(farmer.crop_cost_minor * factor), "household_need_minor": need,
    })  # fmt: skip
    parcels = tuple(
        p.model_copy(update={"evidence_area_m2": p.evidence_area_m2 * factor}) if p.counts else p
        for p in case.parcels
    )
    return _of_farmer(case.model_copy(update={"parcels": parcels}), grown)


def _land(case: Case, weigh: Weigh) -> Iterator[Way]:
    """Yield the line on more land, of a farmer who shares the household's caps with nobody."""
    own = sum((p.evidence_area_m2 for p in case.parcels if p.counts), Decimal(0))
    if own <= 0 or case.household.farmers > 1:
        return
    before = weigh(case).lent
    for factor in _MORE_LAND:
        wanted = next_tenth_of_mu(own * factor)
        lent = weigh(with_land(case, wanted / own)).lent
        if lent > before:
            yield Way("land", lent, area(wanted))
            return
        if before > 0:
            return


def guaranteed(case: Case, minor: int) -> Case:
    """Return the case with so much more guaranteed for the farmer by papers."""
    more = {
        name: party.model_copy(update={"guaranteed_minor": party.guaranteed_minor + minor})
        for name, party in (("farmer", case.farmer), ("household", case.household))
    }
    return case.model_copy(update=more)


def _guarantee(case: Case, caps: Caps, weigh: Weigh) -> Iterator[Way]:
    """Yield the line with a guarantee that makes it half as much again, or the least that is lent.

    Who can repay nothing gets nothing by a guarantee.
    """
    policy = case.policy
    if caps.capacity <= 0 or policy.guarantee_share <= 0:
        return
    wanted = max(least_line(case), caps.capacity * _HALF_MORE) - caps.capacity
    minor = to_minor(
        ceil_to_step(wanted / policy.guarantee_share, policy.limit_step), case.currency
    )
    yield Way("guarantee", weigh(guaranteed(case, minor)).lent, money(minor, case.currency))


_HALF_MORE = Decimal("1.5")
_MOST_TOGETHER = 20
"""More farmers than this on one paper are a cooperative with an account of its own."""


def _together(case: Case, verdict: Verdict, weigh: Weigh) -> Way | None:
    """Return the fewest farmers who reach the least line together where each alone stays below."""
    if verdict.limit <= 0:
        return None
    count = int((least_line(case) * case.joint_members / verdict.limit).to_integral_value(ROUND_UP))
    if not case.joint_members < count <= _MOST_TOGETHER:
        return None
    lent = weigh(case.model_copy(update={"joint_members": count})).lent
    return Way("joint", lent, (str(count), str(count))) if lent > 0 else None


def of_price(pd: Decimal, highest: Decimal | None) -> Told:
    """Return what would bring a price within the ceiling.

    Args:
        pd: The applicant's probability of default.
        highest: The highest tenth of a percent at which a line is priced and lent; None for none.
    """
    row = reason_ways()["no_price" if highest is None else "price"]
    numbers = {"what": f"{pd:.1%}", "most": "" if highest is None else f"{highest:.1%}"}
    return row.english.format(**numbers), row.chinese.format(**numbers)
