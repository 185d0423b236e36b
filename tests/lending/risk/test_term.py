from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldline.lending.risk.term import days_of_loans, pd_within

chance = st.decimals("0", "1", places=6)
days = st.integers(1, 3660)


def test_a_chance_of_a_year_is_less_in_half_of_it_and_more_in_two() -> None:
    # .19 a year is .1 in each half of it: .9 x .9 = .81
    assert pd_within(Decimal("0.19"), 366, 183) == Decimal("0.100000")
    assert pd_within(Decimal("0.1"), 183, 366) == Decimal("0.190000")


def test_the_chance_of_the_loans_own_tenor_stays_as_it_was_learnt() -> None:
    assert pd_within(Decimal("0.123456"), 330, 330) == Decimal("0.123456")
    assert pd_within(Decimal("0.123456"), None, 330) == Decimal("0.123456")


@pytest.mark.parametrize("sure", [0, 1])
def test_what_is_certain_is_certain_in_any_term(sure: int) -> None:
    assert pd_within(Decimal(sure), 365, 30) == sure


@given(chance, chance, days, days)
def test_a_worse_chance_is_worse_in_any_term_and_stays_a_chance(
    one: Decimal, other: Decimal, learnt: int, term: int
) -> None:
    low, high = (pd_within(pd, learnt, term) for pd in sorted((one, other)))
    assert 0 <= low <= high <= 1


@given(st.decimals("0", "0.9", places=6), days, days, days)
def test_a_longer_term_is_never_safer(pd: Decimal, learnt: int, one: int, other: int) -> None:
    short, long = sorted((one, other))
    # rounding up to a millionth is the only slack, where one of them is the learnt term itself
    assert pd_within(pd, learnt, short) <= pd_within(pd, learnt, long) + Decimal("0.000001")


def test_the_tenor_of_loans_is_the_median_of_those_that_say_it() -> None:
    history = pd.DataFrame({
        "disbursed_on": pd.to_datetime(["2022-01-01", "2022-01-01", "2022-01-01", None]),
        "due_on": pd.to_datetime(["2022-01-31", "2022-12-31", "2022-07-20", "2022-12-01"]),
    })  # fmt: skip
    assert days_of_loans(history) == 200
    assert days_of_loans(history.assign(disbursed_on=pd.NaT)) is None
