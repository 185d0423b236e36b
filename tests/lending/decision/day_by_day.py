"""A line reckoned night by night in whole numbers: the second opinion on `decision.account`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from fractions import Fraction

LEAP, COMMON = 366, 365


@dataclass
class Nights:
    """A line in cents and millionths; nothing of the program's own is used."""

    basis: str
    rate: int
    """Millionths a year."""
    changes: dict[dt.date, int] = field(default_factory=dict)
    owed: int = 0
    nights: dict[int, int] = field(default_factory=dict)
    """Cents x millionths by the days of the year that they are parts of."""
    paid: int = 0
    settled: Fraction = Fraction(0)

    def night(self, day: dt.date) -> None:
        """Let the night after a day pass."""
        self.rate = self.changes.get(day, self.rate)
        days = {"actual/360": 360, "actual/365": COMMON}.get(self.basis)
        if days is None:
            days = (
                LEAP
                if (dt.date(day.year, 12, 31) - dt.date(day.year, 1, 1)).days == 365
                else COMMON
            )
        self.nights[days] = self.nights.get(days, 0) + self.owed * self.rate

    def exact(self) -> Fraction:
        """Return the interest not paid, cents."""
        borne = sum(
            (Fraction(cents, days * 10**6) for days, cents in self.nights.items()), Fraction(0)
        )
        return borne - self.settled

    def due(self) -> int:
        """Return it in whole cents, half up."""
        exact = self.exact()
        return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)

    def repay(self, cents: int) -> None:
        """Pay interest, then what is drawn."""
        due = self.due()
        paid = min(cents, due)
        self.paid += paid
        self.settled += self.exact() if paid and paid == due else paid
        self.owed -= cents - paid
