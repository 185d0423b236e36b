from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import (
    Money,
    ceil_to_step,
    floor_to_step,
    from_minor,
    minor_units,
    shown,
    shown_amount,
    shown_chinese,
    split_evenly,
    to_minor,
    written,
)
from fieldline.pipeline.records.reference import table_rows


@pytest.mark.parametrize(
    ("amount", "currency", "minor", "file", "people"),
    [
        ("12300", "CNY", 1_230_000, "12300.00", "CNY 12,300"),
        ("-0.5", "CNY", -50, "-0.50", "CNY -0.50"),
        ("8000000", "VND", 8_000_000, "8000000", "VND 8,000,000"),
        ("250", "JPY", 250, "250", "JPY 250"),
        ("12.345", "KWD", 12_345, "12.345", "KWD 12.345"),
        ("12", "TND", 12_000, "12.000", "TND 12"),
        ("3.25", "CLF", 32_500, "3.2500", "CLF 3.2500"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(
    amount: str, currency: str, minor: int, file: str, people: str
) -> None:
    assert to_minor(Decimal(amount), currency) == minor
    assert from_minor(minor, currency) == Decimal(amount)
    assert written(minor, currency) == file
    assert shown(minor, currency) == shown_amount(Decimal(amount), currency) == people


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (280_000, "CNY", "2800元"),
        (280_050, "CNY", "2800.50元"),
        (1_360_000, "CNY", "1.36万元"),
        (1_000_000, "CNY", "1万元"),
        (1_361_111, "CNY", "13611.11元"),
        (1_236_050, "CNY", "12360.50元"),
        (30_000_000, "CNY", "30万元"),
        (12_000_000_000, "CNY", "1.2亿元"),
        (10_123_400_000, "CNY", "10123.4万元"),
        (-1_360_000, "CNY", "-1.36万元"),
        (0, "CNY", "0元"),
        (8_000_000, "VND", "800万越南盾"),
        (12_345, "KWD", "12.345 KWD"),
        (250, "JPY", "250日元"),
    ],
)
def test_a_chinese_reader_counts_by_ten_thousands(minor: int, currency: str, text: str) -> None:
    assert shown_chinese(minor, currency) == text


def test_half_a_minor_unit_goes_to_the_even_one() -> None:
    assert to_minor(Decimal("12.345"), "CNY") == 1234
    assert to_minor(Decimal("1.5"), "JPY") == to_minor(Decimal("2.5"), "JPY") == 2
    assert shown_amount(Decimal("999.6"), "VND") == "VND 1,000"


def test_the_exponents_of_iso_4217() -> None:
    assert [minor_units(c) for c in ("XOF", "UGX", "KES", "IQD", "UYW")] == [1, 1, 100, 1000, 10000]


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("XYZ", "'XYZ' is no currency of ISO 4217: give a code in force, such as CNY."),
        ("XAU", "'XAU' is no currency of ISO 4217: give a code in force, such as CNY."),
        ("", "'' is no currency of ISO 4217: give a code in force, such as CNY."),
        ("cny", "'cny' is no currency code as ISO 4217 writes it: write CNY."),
        ("KWD ", "'KWD ' is no currency code as ISO 4217 writes it: write KWD."),
        ("DEM", "'DEM' is a currency that is no longer in force: use EUR, with every amount and"),
        ("BGN", "'BGN' is a currency that is no longer in force: use EUR, with every amount and"),
        ("ZWL", "'ZWL' is a currency that is no longer in force: use ZWG, with every amount and"),
    ],
)
def test_a_code_that_nobody_pays_in_is_refused_with_what_to_use(code: str, sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        to_minor(Decimal(1), code)
    assert str(refused.value).startswith(sentence)


def test_every_withdrawn_code_leads_to_one_in_force() -> None:
    rows = table_rows("historic_currencies.csv")
    assert len({row["code"] for row in rows}) == len(rows) > 40
    for row in rows:
        assert minor_units(row["now"]) >= 1
        with pytest.raises(UserError, match="no longer in force"):
            minor_units(row["code"])


def test_money_of_two_currencies_never_meets() -> None:
    price = Money.of(Decimal("12.345"), "KWD")
    assert (price.minor, price.amount, str(price)) == (12_345, Decimal("12.345"), "KWD 12.345")
    assert price.minor_in("KWD") == 12_345
    with pytest.raises(UserError, match=r"KWD 12\.345 cannot be reckoned in VND: state the amount"):
        price.minor_in("VND")
    with pytest.raises(UserError, match="is no currency"):
        Money(1, "XYZ")


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
