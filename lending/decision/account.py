"""Account: what a signed line costs by the day, and where it stands after draws and repayments.

Owns the arithmetic of a revolving line: interest runs on what is drawn, for the days that it is
drawn, on the product's day basis; a repayment pays interest first. It keeps no books: the movements
are the core system's, and what is reckoned here is reckoned from them alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import plain


@dataclass(frozen=True)
class Terms:
    """Terms of a signed line; amounts in units of the currency."""

    limit: Decimal
    annual_rate: Decimal
    day_basis: int
    tenor_days: int
    first_day: dt.date
    last_day: dt.date
    """Last day on which it may be signed."""
    step: Decimal
    """Smallest amount of the currency."""

    @property
    def ends(self) -> dt.date:
        """Day by which everything is repaid at the latest."""
        return self.last_day + dt.timedelta(days=self.tenor_days)


@dataclass(frozen=True)
class Moved:
    """A draw and a repayment of one day; either may be 0."""

    on: dt.date
    draw: Decimal
    repay: Decimal


@dataclass(frozen=True)
class Line:
    """Where a line stands after a movement."""

    moved: Moved
    interest_paid: Decimal
    interest: Decimal
    """Accrued and not paid."""
    principal: Decimal


def interest_of(principal: Decimal, days: int, terms: Terms) -> Decimal:
    """Return the interest of an amount over days, not rounded.

    Args:
        principal: What is drawn.
        days: Days between drawing and repaying; the day of repayment bears none.
        terms: Rate a year and day basis.
    """
    return principal * terms.annual_rate * days / terms.day_basis


def rounded(amount: Decimal, terms: Terms) -> Decimal:
    """Return an amount in whole smallest units of the currency, half up."""
    return amount.quantize(terms.step, rounding=ROUND_HALF_UP)


def quote(terms: Terms, amount: Decimal, drawn_on: dt.date, repaid_on: dt.date) -> Decimal:
    """Return the interest of one draw that is repaid at once.

    Raises:
        UserError: More than the limit, days outside the line, or no day between them.
    """
    if amount <= 0:
        raise UserError("nothing is drawn", "name an amount above 0")
    _within(terms, Moved(drawn_on, amount, Decimal(0)))
    _within(terms, Moved(repaid_on, Decimal(0), amount))
    if repaid_on <= drawn_on:
        raise UserError(
            f"it is repaid on {repaid_on} and drawn on {drawn_on}", "repay on a later day"
        )
    if amount > terms.limit:
        raise UserError(f"{plain(amount)} is above the limit of {plain(terms.limit)}", "draw less")
    return rounded(interest_of(amount, (repaid_on - drawn_on).days, terms), terms)


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
    day, principal, accrued = terms.first_day, Decimal(0), Decimal(0)
    last = Moved(until, Decimal(0), Decimal(0))
    for moved in [*sorted(movements, key=lambda one: one.on), last]:
        _within(terms, moved)
        if moved.on > until:
            raise UserError(f"a movement is of {moved.on}, after {until}", "name a later last day")
        accrued += interest_of(principal, (moved.on - day).days, terms)
        day = moved.on
        paid, accrued, principal = _booked(moved, accrued, principal, terms)
        found.append(Line(moved, paid, rounded(accrued, terms), principal))
    return found


def _within(terms: Terms, moved: Moved) -> None:
    if not terms.first_day <= moved.on <= terms.ends:
        raise UserError(
            f"{moved.on} is outside the line, which runs from {terms.first_day} to {terms.ends}",
            "name a day within it",
        )


def _booked(
    moved: Moved, accrued: Decimal, principal: Decimal, terms: Terms
) -> tuple[Decimal, Decimal, Decimal]:
    """Return interest paid, interest left and principal after a movement."""
    due = rounded(accrued, terms)
    if moved.repay > due + principal:
        raise UserError(
            f"the repayment of {plain(moved.repay)} on {moved.on} is above the "
            f"{plain(due + principal)} that are owed",
            "repay what is owed at most",
        )
    paid = min(moved.repay, due)
    # What was rounded away is settled where all interest is paid.
    left = Decimal(0) if moved.repay and paid == due else accrued - paid
    principal = principal - (moved.repay - paid) + moved.draw
    if principal > terms.limit:
        raise UserError(
            f"the draw of {plain(moved.draw)} on {moved.on} brings the line to "
            f"{plain(principal)}, above its limit of {plain(terms.limit)}",
            "draw less",
        )
    return paid, left, principal
