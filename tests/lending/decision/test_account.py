"""A line's interest: by hand, night by night on random lines, and what no line allows."""

from __future__ import annotations

import csv
import datetime as dt
import os
import random
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fieldline.lending.decision.account import (
    BASES,
    Moved,
    Terms,
    quote,
    statement,
    terms_of,
)
from fieldline.pipeline.records.errors import UserError
from tests.lending.decision.day_by_day import Nights

FIRST, ENDS = dt.date(2023, 10, 1), dt.date(2024, 12, 31)
TERMS = Terms(Decimal(10_000), Decimal("0.09"), "actual/360", FIRST, ENDS, "CNY")
HERE = Path(__file__).parent
with (HERE / "golden_lines.csv").open(encoding="utf-8") as handle:
    GOLDEN = list(csv.DictReader(handle))
LINES = int(os.environ.get("FIELDLINE_LINES", "2000"))


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def told(row: dict[str, str]) -> tuple[Terms, list[Moved]]:
    first, *later = row["rates"].split("; ")
    changes = [(day(one.split()[0]), Decimal(one.split()[1])) for one in later]
    terms = replace(
        TERMS, annual_rate=Decimal(first), basis=row["basis"], rate_changes=tuple(changes)
    )
    moved = []
    for text in row["movements"].split("; "):
        on, amount = text.split()
        amount, _, booked = amount.partition("@")
        value, at = Decimal(amount[1:]), day(booked) if booked else None
        draws = amount[0] == "+"
        moved.append(
            Moved(day(on), value if draws else Decimal(0), Decimal(0) if draws else value, at)
        )
    return terms, moved


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: f"{row['case']} {row['basis']}")
def test_a_line_comes_to_what_it_does_by_hand(row: dict[str, str]) -> None:
    terms, moved = told(row)
    lines = statement(terms, moved, day(row["until"]))
    found = {
        "paid": sum(line.interest_paid for line in lines), "interest": lines[-1].interest,
        "principal": lines[-1].principal, "given_back": sum(line.given_back for line in lines),
    }  # fmt: skip
    assert found == {name: Decimal(row[name]) for name in found}


def test_the_page_shows_every_case() -> None:
    assert len(GOLDEN) == 30
    page = (HERE.parents[2] / "docs/credit.md").read_text(encoding="utf-8")
    for row in GOLDEN:
        cells = (row["case"], row["basis"], row["rates"], row["movements"], row["until"])
        assert f"| {' | '.join(cells)} | {row['by_hand']} |" in page


def random_line(rng: random.Random) -> tuple[Terms, list[Moved], dt.date, dict[str, int]]:
    """Return a line and what it comes to, cents, reckoned while it is drawn up night by night."""
    first = dt.date(2023, 1, 1) + dt.timedelta(rng.randrange(700))
    ends = first + dt.timedelta(365)
    until = first + dt.timedelta(rng.randint(1, 365))
    limit, rate = rng.randint(1, 2_000_000), rng.randrange(0, 240_000)
    span = (until - first).days
    changes = {first + dt.timedelta(rng.randrange(span)): rng.randrange(0, 240_000)
               for _ in range(rng.randrange(4))}  # fmt: skip
    basis = rng.choice(BASES)
    own = Nights(basis, rate, changes)
    busy = {rng.randrange(span + 1) for _ in range(rng.randrange(1, 9))}
    moved = []
    for number in range(span + 1):
        today = first + dt.timedelta(number)
        if number in busy:
            amount = rng.randint(0, limit - own.owed)
            back = rng.randint(0, own.owed + own.due()) if rng.random() < 0.7 else 0
            if rng.random() < 0.3 and own.owed:
                back = own.owed + own.due()
            if back:
                own.repay(back)
                moved.append(Moved(today, repay=Decimal(back) / 100))
            if amount and today < ends and amount <= limit - own.owed:
                own.owed += amount
                moved.append(Moved(today, Decimal(amount) / 100))
        if today < until:
            own.night(today)
    terms = Terms(
        Decimal(limit) / 100, Decimal(rate) / 10**6, basis, first, ends, "CNY",
        tuple((one, Decimal(value) / 10**6) for one, value in changes.items()),
    )  # fmt: skip
    return terms, moved, until, {"paid": own.paid, "interest": own.due(), "principal": own.owed}


def test_random_lines_agree_to_the_cent_with_their_nights_counted_one_by_one() -> None:
    rng, bases = random.Random(15), set[str]()
    for _ in range(LINES):
        terms, moved, until, expected = random_line(rng)
        lines = statement(
            terms, rng.sample(moved, 1) + moved[:0] if len(moved) == 1 else moved, until
        )
        found = {
            "paid": sum((line.interest_paid for line in lines), Decimal(0)) * 100,
            "interest": lines[-1].interest * 100, "principal": lines[-1].principal * 100,
        }  # fmt: skip
        assert found == expected, (terms, moved, until)
        bases.add(terms.basis)
    assert bases == set(BASES)


def test_repaying_early_costs_the_interest_of_its_nights_and_nothing_besides() -> None:
    for nights in (1, 45, 200):
        on = FIRST + dt.timedelta(nights)
        interest = quote(TERMS, Decimal(3600), FIRST, on)
        assert interest == Decimal(9) * nights / 10
        lines = statement(
            TERMS, [Moved(FIRST, Decimal(3600)), Moved(on, repay=3600 + interest)], ENDS
        )
        assert (lines[-1].principal, lines[-1].interest) == (0, 0)


MARCH = dt.date(2024, 3, 1)
BAD: dict[str, tuple[list[Moved], dict[str, Any], str]] = {
    "above the limit": ([Moved(MARCH, Decimal("10000.01"))], {}, "above its limit of 10000: draw"),
    "above it together": ([Moved(MARCH, Decimal(6000)), Moved(MARCH, Decimal(5000))], {},
                          "the draw of 5000 on 2024-03-01 brings the line to 11000"),
    "backdated draw": ([Moved(MARCH, Decimal(10), booked_on=dt.date(2024, 3, 2))], {},
                       "the draw booked on 2024-03-02 is backdated to 2024-03-01"),
    "closed": ([Moved(MARCH, Decimal(10))], {"closed_on": MARCH}, "on a line closed on 2024-03-01"),
    "currency": ([Moved(MARCH, Decimal(10), currency="USD")], {}, "is in USD, the line in CNY"),
    "before it": ([Moved(dt.date(2023, 9, 30), Decimal(10))], {}, "2023-09-30 is outside the line"),
    "after it": ([Moved(dt.date(2025, 1, 1), repay=Decimal(10))], {}, "is outside the line"),
    "last day": ([Moved(ENDS, Decimal(10))], {}, "on the last day of the line"),
    "too much repaid": ([Moved(MARCH, Decimal(10)), Moved(MARCH, repay=Decimal(11))], {},
                        "the repayment of 11 on 2024-03-01 is above the 10 that are owed"),
    "backdated too far": ([Moved(MARCH, Decimal(10)), Moved(FIRST, repay=Decimal(5),
                           booked_on=MARCH)], {}, "is above the 0 that are owed"),
    "negative": ([Moved(MARCH, Decimal(-10))], {}, "a draw of -10 on 2024-03-01 is no amount"),
    "half a cent": ([Moved(MARCH, Decimal("1.005"))], {}, "1.005 on 2024-03-01 is no amount"),
    "booked before": ([Moved(MARCH, repay=Decimal(1), booked_on=FIRST)], {}, "before its day"),
    "basis": ([], {"basis": "30/360"}, "'30/360' is no day basis: use one of actual/360"),
    "rate": ([], {"annual_rate": Decimal(9)}, "9 is no yearly rate: give a share"),
    "two rates": ([], {"rate_changes": ((MARCH, Decimal(0)), (MARCH, Decimal(1)))},
                  "two rates begin on 2024-03-01"),
    "rate outside": ([], {"rate_changes": ((dt.date(2025, 1, 1), Decimal(0)),)}, "is outside"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_no_line_allows_is_one_sentence(name: str) -> None:
    moved, terms, said = BAD[name]
    with pytest.raises(UserError, match=re.escape(said)):
        statement(replace(TERMS, **terms), moved, ENDS)


def test_a_closed_line_is_repaid_and_bears_interest_until_it_is() -> None:
    closed = replace(TERMS, closed_on=MARCH)
    moved = [Moved(FIRST, Decimal(3600)), Moved(dt.date(2024, 3, 31), repay=Decimal(100))]
    (_, repaid, _) = statement(closed, moved, dt.date(2024, 3, 31))
    assert (repaid.interest_paid, repaid.interest) == (Decimal(100), Decimal("63.80"))  # 182 nights


def test_a_signed_line_runs_its_tenor_from_its_signature() -> None:
    offer = {
        "limit_minor": 500_000, "currency": "CNY", "annual_rate": "0.0735", "day_basis": 365,
        "tenor_days": 365, "valid_from": dt.date(2024, 9, 30), "valid_to": dt.date(2024, 12, 29),
    }  # fmt: skip
    whole = terms_of(offer)
    assert (whole.first_day, whole.ends) == (dt.date(2024, 9, 30), dt.date(2025, 12, 29))
    signed = terms_of(offer, signed_on=dt.date(2024, 10, 8))
    assert (signed.first_day, signed.ends) == (dt.date(2024, 10, 8), dt.date(2025, 10, 8))
    assert (signed.limit, signed.basis) == (5000, "actual/365")
    with pytest.raises(UserError, match="from 2024-09-30 to 2024-12-29, not on 2024-12-30"):
        terms_of(offer, signed_on=dt.date(2024, 12, 30))
    with pytest.raises(UserError, match="this offer gives no line"):
        terms_of({**offer, "limit_minor": None})
