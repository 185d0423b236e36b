"""Ways: what would change an answer, found by deciding the changed case again.

Owns the promises of a reason: one number of the applicant's set to a stated value, and the line
that then comes out. Nothing is promised that was not decided so, with the number as it is displayed
and everything else as it is; the model is not asked again, because a better fact never raises its
probability. It changes words alone, never which reasons are told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from fieldline.lending.codes import reason_ways
from fieldline.lending.decision.case import Case, PartyCase
from fieldline.lending.decision.limit import Caps
from fieldline.lending.decision.reasons import Finding
from fieldline.lending.decision.wording import Told, amount, area, money, next_tenth_of_mu
from fieldline.pipeline.records.money import floor_to_step, from_minor, minor_units

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
    needing = [f for f in found if f.code.startswith(_NEEDS_WAY) and f.code != _SMALL]
    if not needing:
        return found
    way = best_way(case, verdict, weigh)
    return [_worded(f, way, case.currency) if f in needing else f for f in found]


_SMALL = "limit_below_minimum"


def _worded(finding: Finding, way: Way | None, currency: str) -> Finding:
    name = way.name if way else ("asked" if finding.code == "limit_request" else "none")
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
        yield from _person(case, caps, weigh)
    else:
        if least in (caps.capacity, caps.exposure):
            yield from _debts(case, weigh)
            yield from _household(case, weigh)
        if least in (caps.capacity, caps.need):
            yield from _land(case, weigh)


def _asking(case: Case, minor: int | None) -> Case:
    return case.model_copy(
        update={"farmer": case.farmer.model_copy(update={"requested_minor": minor})}
    )


def _person(case: Case, caps: Caps, weigh: Weigh) -> Iterator[Way]:
    possible = floor_to_step(caps.without_policy, case.policy.limit_step)
    if possible > caps.policy:
        raised = case.policy.model_copy(update={"max_limit": possible})
        yield Way("person", weigh(case.model_copy(update={"policy": raised})).lent)


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
        alone = case.model_copy(update={"household": home.model_copy(update=mine)})
        yield Way("household", weigh(alone).lent)


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


def of_price(pd: Decimal, highest: Decimal | None) -> Told:
    """Return what would bring a price within the ceiling.

    Args:
        pd: The applicant's probability of default.
        highest: The highest tenth of a percent at which a line is priced and lent; None for none.
    """
    row = reason_ways()["no_price" if highest is None else "price"]
    numbers = {"what": f"{pd:.1%}", "most": "" if highest is None else f"{highest:.1%}"}
    return row.english.format(**numbers), row.chinese.format(**numbers)
