from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from fieldline.pipeline.records.money import (
    ceil_to_step,
    floor_to_step,
    from_minor,
    shown,
    split_evenly,
    to_minor,
)


def test_minor_units() -> None:
    assert to_minor(Decimal("12.345")) == 1234
    assert from_minor(1234) == Decimal("12.34")
    assert shown(1_230_000, "CNY") == "CNY 12,300"
    assert shown(-50, "CNY") == "CNY -0.50"


def test_one_rounding_down_and_one_up() -> None:
    assert floor_to_step(Decimal("1299.99"), Decimal(100)) == 1200
    assert floor_to_step(Decimal("-5"), Decimal(100)) == 0
    assert ceil_to_step(Decimal("0.08651"), Decimal("0.0001")) == Decimal("0.0866")


def test_largest_remainder_by_hand() -> None:
    assert split_evenly(100, [1, 1, 1]) == [34, 33, 33]
    assert split_evenly(10, [0, 0]) == [5, 5]
    assert split_evenly(10, [3, 1]) == [8, 2]


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=6))
def test_parts_sum_to_the_whole(amount: int, weights: list[int]) -> None:
    parts = split_evenly(amount, weights)
    assert sum(parts) == amount
    assert min(parts) >= 0


@given(st.decimals(0, 10**9, places=4), st.sampled_from(["1", "10", "100"]))
def test_floor_stays_within_one_step(amount: Decimal, step: str) -> None:
    found = floor_to_step(amount, Decimal(step))
    assert 0 <= amount - found < Decimal(step)
