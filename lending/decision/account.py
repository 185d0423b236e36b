"""Account: what a signed line costs by the day, and where it stands after draws and repayments.

Owns the arithmetic of a revolving line: interest runs on what is drawn, for the days that it is
drawn, at the rate of each day and on the product's day basis; a repayment of any day pays interest
first and costs nothing besides. It keeps no books: the movements are the core system's, and what is
reckoned here is reckoned from them alone, exactly, and rounded where interest is paid or told.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import from_minor, minor_units, plain

FIXED_YEARS: Mapping[str, int] = {"actual/360": 360, "actual/365": 365}
ACTUAL = "actual/actual"
BASES = (*FIXED_YEARS, ACTUAL)
"""How days become parts of a year.

Source: ISDA 2006 definitions, section 4.16 (e), (d) and (b): the last counts the days of each
calendar year by that year's own number.
"""


@dataclass(frozen=True)
class Terms:
    """Terms of a line; amounts in units of the currency."""

    limit: Decimal
    annual_rate: Decimal
    """From the first day on."""
    basis: str
    """One of `BASES`."""
    first_day: dt.date
    ends: dt.date
    """Day by which everything is repaid at the latest."""
    currency: str
    rate_changes: tuple[tuple[dt.date, Decimal], ...] = ()
    """Later yearly rates, each with the first day that bears it."""
    closed_on: dt.date | None = None
    """First day on which nothing can be drawn any more; None for an open line."""

    def __post_init__(self) -> None:
        """Refuse terms that no line has.

        Raises:
            UserError: An unknown basis, a rate below 0 or changed twice on a day or outside.
        """
        if self.basis not in BASES:
            raise UserError(f"{self.basis!r} is no day basis", f"use one of {', '.join(BASES)}")
        for rate in (self.annual_rate, *(rate for _, rate in self.rate_changes)):
            if not 0 <= rate <= 1:
                raise UserError(f"{plain(rate)} is no yearly rate", "give a share: 0.085 for 8.5 %")
        days = [day for day, _ in self.rate_changes]
        for day in days:
            self.refuse_outside(day)
            if days.count(day) > 1:
                raise UserError(f"two rates begin on {day}", "name the one that counts")

    def refuse_outside(self, day: dt.date) -> None:
        """Refuse a day on which the line does not run.

        Raises:
            UserError: It does not.
        """
        if not self.first_day <= day <= self.ends:
            raise UserError(
                f"{day} is outside the line, which runs from {self.first_day} to {self.ends}",
                "name a day within it",
            )

    def rate_on(self, day: dt.date) -> Decimal:
        """Return the yearly rate that the night after a day bears."""
        begun = [change for change in self.rate_changes if change[0] <= day]
        return max(begun)[1] if begun else self.annual_rate

    def rounded(self, amount: Fraction) -> Decimal:
        """Return an amount in whole smallest units of the currency, half up."""
        units = amount * minor_units(self.currency)
        return from_minor(int(units + Fraction(1, 2)), self.currency)


def terms_of(
    offer: Mapping[str, Any], *, signed_on: dt.date | None = None,
    rate_changes: Sequence[tuple[dt.date, Decimal]] = (), closed_on: dt.date | None = None,
) -> Terms:  # fmt: skip
    """Return the terms of an offer's line.

    Args:
        offer: Row of table `offers`.
        signed_on: Day on which it was signed: the line runs its tenor from it. None where that is
            not known: any day on which it could be signed.
        rate_changes: Later rates with their first days.
        closed_on: First day on which nothing can be drawn any more.

    Raises:
        UserError: The offer gives no line, or could not be signed on that day.
    """
    if offer["limit_minor"] is None:
        raise UserError("this offer gives no line", "look at its reasons")
    first, last = offer["valid_from"], offer["valid_to"]
    if signed_on is not None and not first <= signed_on <= last:
        raise UserError(
            f"the offer can be signed from {first} to {last}, not on {signed_on}",
            "name the day of the signature",
        )
    return Terms(
        from_minor(offer["limit_minor"], offer["currency"]), Decimal(offer["annual_rate"]),
        _basis(offer["day_basis"]), signed_on or first,
        (signed_on or last) + dt.timedelta(days=offer["tenor_days"]), offer["currency"],
        tuple(sorted(rate_changes)), closed_on,
    )  # fmt: skip


def _basis(told: int | str) -> str:
    """Return the basis of an offer, which names the days of its year, or of terms told by name."""
    return told if isinstance(told, str) else f"actual/{told}"


@dataclass(frozen=True)
class Moved:
    """A draw and a repayment of one day; either may be 0."""

    on: dt.date
    """Day from which it counts."""
    draw: Decimal = Decimal(0)
    repay: Decimal = Decimal(0)
    booked_on: dt.date | None = None
    """Day on which it was entered, where that is a later one."""
    currency: str | None = None
    """Where it was told; the line's own otherwise."""


@dataclass(frozen=True)
class Line:
    """Where a line stands after a movement."""

    moved: Moved
    interest_paid: Decimal
    interest: Decimal
    """Accrued and not paid."""
    principal: Decimal
    given_back: Decimal = Decimal(0)
    """Interest told until the booking of a backdated repayment that it takes back."""


def year_part(first: dt.date, last: dt.date, basis: str) -> Fraction:
    """Return the part of a year between two days, the first counted and the last not.

    Args:
        first: First day.
        last: Day after the last one that counts.
        basis: One of `BASES`.
    """
    if basis in FIXED_YEARS:
        return Fraction((last - first).days, FIXED_YEARS[basis])
    found, day = Fraction(0), first
    while day < last:
        end = min(last, dt.date(day.year + 1, 1, 1))
        found += Fraction((end - day).days, 366 if calendar.isleap(day.year) else 365)
        day = end
    return found


def interest_of(principal: Decimal, first: dt.date, last: dt.date, terms: Terms) -> Fraction:
    """Return the interest of an amount between two days, exact.

    Args:
        principal: What is drawn.
        first: Day from which it is drawn.
        last: Day of repayment, which bears none.
        terms: Rates and day basis.
    """
    inside = sorted({day for day, _ in terms.rate_changes if first < day < last})
    days = [first, *inside, last]
    parts = (
        Fraction(terms.rate_on(one)) * year_part(one, other, terms.basis)
        for one, other in pairwise(days)
    )
    return Fraction(principal) * sum(parts, Fraction(0))


def quote(terms: Terms, amount: Decimal, drawn_on: dt.date, repaid_on: dt.date) -> Decimal:
    """Return the interest of one draw that is repaid at once.

    Raises:
        UserError: More than the limit, days outside the line, a closed line, or no day between
            them.
    """
    if amount <= 0:
        raise UserError("nothing is drawn", "name an amount above 0")
    _refuse(terms, Moved(drawn_on, draw=amount))
    _refuse(terms, Moved(repaid_on, repay=amount))
    if repaid_on <= drawn_on:
        raise UserError(
            f"it is repaid on {repaid_on} and drawn on {drawn_on}", "repay on a later day"
        )
    if amount > terms.limit:
        raise UserError(f"{plain(amount)} is above the limit of {plain(terms.limit)}", "draw less")
    return terms.rounded(interest_of(amount, drawn_on, repaid_on, terms))


def statement(terms: Terms, movements: Sequence[Moved], until: dt.date) -> list[Line]:
    """Return the account of a line, one entry a movement and one for the last day.

    Args:
        terms: The line's.
        movements: In any order; those of one day count in the order given.
        until: Last day reckoned.

    Raises:
        UserError: A movement that the line does not allow, with its day.
    """
    found: list[Line] = []
    day, principal, accrued = terms.first_day, Decimal(0), Fraction(0)
    terms.refuse_outside(until)
    ordered = sorted(movements, key=lambda one: one.on)
    for moved in [*ordered, Moved(until)]:
        _refuse(terms, moved)
        last = max(moved.on, moved.booked_on or moved.on)
        if last > until:
            raise UserError(f"a movement is of {last}, after {until}", "name a later last day")
        accrued += interest_of(principal, day, moved.on, terms)
        day = moved.on
        paid, accrued, principal = _booked(moved, accrued, principal, terms)
        back = _given_back(terms, ordered, moved)
        found.append(Line(moved, paid, terms.rounded(accrued), principal, back))
    return found


def _refuse(terms: Terms, moved: Moved) -> None:
    """Refuse what is wrong with a movement by itself."""
    terms.refuse_outside(moved.on)
    amounts = {"draw": moved.draw, "repayment": moved.repay}
    for what, amount in amounts.items():
        if amount < 0 or terms.rounded(Fraction(amount)) != amount:
            raise UserError(
                f"a {what} of {plain(amount)} on {moved.on} is no amount of {terms.currency}",
                "give it from 0 on, with the decimals that the currency has",
            )
    if moved.currency not in (None, terms.currency):
        raise UserError(
            f"the movement of {moved.on} is in {moved.currency}, the line in {terms.currency}",
            f"give what was booked in {terms.currency}: nothing is converted here",
        )
    if moved.booked_on is not None and moved.booked_on < moved.on:
        raise UserError(
            f"a movement of {moved.on} was booked on {moved.booked_on}, before its day",
            "exchange the two days, or leave out the booking",
        )
    if moved.draw:
        _refuse_draw(terms, moved)


def _refuse_draw(terms: Terms, moved: Moved) -> None:
    if moved.booked_on not in (None, moved.on):
        raise UserError(
            f"the draw booked on {moved.booked_on} is backdated to {moved.on}",
            "count it from the day on which the money left",
        )
    if terms.closed_on is not None and moved.on >= terms.closed_on:
        raise UserError(
            f"the draw of {moved.on} is on a line closed on {terms.closed_on}",
            "nothing can be drawn on it any more: only repaid",
        )
    if moved.on == terms.ends:
        raise UserError(
            f"the draw of {moved.on} is on the last day of the line", "draw on an earlier day"
        )


def _booked(
    moved: Moved, accrued: Fraction, principal: Decimal, terms: Terms
) -> tuple[Decimal, Fraction, Decimal]:
    """Return interest paid, interest left and principal after a movement."""
    due = terms.rounded(accrued)
    if moved.repay > due + principal:
        raise UserError(
            f"the repayment of {plain(moved.repay)} on {moved.on} is above the "
            f"{plain(due + principal)} that are owed",
            "repay what is owed at most",
        )
    paid = min(moved.repay, due)
    # What was rounded away is settled where all interest is paid.
    left = Fraction(0) if paid and paid == due else accrued - Fraction(paid)
    principal = principal - (moved.repay - paid) + moved.draw
    if principal > terms.limit:
        raise UserError(
            f"the draw of {plain(moved.draw)} on {moved.on} brings the line to "
            f"{plain(principal)}, above its limit of {plain(terms.limit)}",
            "draw less",
        )
    return paid, left, principal


def _given_back(terms: Terms, ordered: Sequence[Moved], moved: Moved) -> Decimal:
    """Return the interest that a backdated repayment takes back: what was told until it was booked,
    less what is told now."""
    booked = moved.booked_on
    if booked is None or booked <= moved.on:
        return Decimal(0)
    known = [one for one in ordered if one is not moved and (one.booked_on or one.on) <= booked]
    both = sorted([*known, moved], key=lambda one: one.on)
    before, after = (_borne(terms, movements, booked) for movements in (known, both))
    return terms.rounded(before - after)


def _borne(terms: Terms, movements: Sequence[Moved], until: dt.date) -> Fraction:
    """Return all interest borne until a day, by movements that were allowed when they came."""
    day, principal, accrued, borne = terms.first_day, Decimal(0), Fraction(0), Fraction(0)
    for moved in [*movements, Moved(until)]:
        interest = interest_of(principal, day, moved.on, terms)
        day, accrued, borne = moved.on, accrued + interest, borne + interest
        paid = min(moved.repay, terms.rounded(accrued))
        accrued = max(Fraction(0), accrued - Fraction(paid))
        principal += moved.draw - (moved.repay - paid)
    return borne
