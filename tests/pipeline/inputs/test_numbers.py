"""Numbers, dates and amounts as people write them, against values worked out by hand."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldline.pipeline.inputs.amounts import amount
from fieldline.pipeline.inputs.dates import NotADateError, day, settle_order
from fieldline.pipeline.inputs.numbers import NotANumberError, settle, unit_factor, written
from fieldline.pipeline.inputs.schema import InputColumn
from fieldline.pipeline.inputs.values import BadCellError, id_text

DEBT = InputColumn("annual_debt_service", "money", "Debt", minimum=0)


def value(text: str, mark: str | None = None) -> Decimal | None:
    number = written(text)
    return None if number is None else number.value(mark)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("3.9", "3.9"), ("3,9", "3.9"), ("３．９", "3.9"), ("3。9", "3.9"), (" 3.9 ", "3.9"),
        ("1.234,50", "1234.5"), ("1,234.50", "1234.5"), ("1 234,5", "1234.5"),
        ("1\u00a0234,5", "1234.5"), ("1'234.50", "1234.5"), ("8.000.000", "8000000"),
        ("12,34,567.8", "1234567.8"), ("-5", "-5"), ("−5", "-5"), ("+7", "7"), ("1e3", "1000"),
        (".5", "0.5"), ("0.123", "0.123"), ("0,123", "0.123"), ("1234.567", "1234.567"),
    ],
)  # fmt: skip
def test_a_number_that_leaves_no_choice_is_read(text: str, right: str) -> None:
    assert value(text) == Decimal(right)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "　", "-", "--", "---", "—", "——", "–", "/", "\\", ".", "..", "*", "?", "N/A",
        "na", "n.a.", "#N/A", "nan", "NULL", "None", "nil", "(null)", "<NA>", "\\N", "k.A.",
        "keine", "无", "空", "暂无", "缺失",
    ],
)  # fmt: skip
def test_what_people_write_for_nothing_is_blank(text: str) -> None:
    assert written(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        "1.2.3",
        "1,23,4",
        "12-13",
        "3亩5分",
        "1.2,3.4",
        "##",
        "(5)",
        "1.234,567.890",
        "1,234.567,8",
    ],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(NotANumberError) as refused:
        value(text)
    assert not refused.value.ambiguous


@pytest.mark.parametrize(
    ("mark", "right"), [(".", Decimal("12.345")), (",", Decimal(12345)), (None, None)]
)
def test_three_digits_behind_one_mark_are_settled_by_the_file_or_refused(
    mark: str | None, right: Decimal | None
) -> None:
    if right is None:
        with pytest.raises(NotANumberError) as refused:
            value("12.345", mark)
        assert refused.value.ambiguous
    else:
        assert value("12.345", mark) == right


@pytest.mark.parametrize(
    ("cells", "delimiter", "mark"),
    [
        (["12.345", "3,9"], ";", ","),
        (["12.345", "3.9"], ";", "."),
        (["12.345", "8.000.000"], ";", ","),
        (["12.345"], ";", None),
        (["12.345"], ",", "."),
        (["3.9", "3,9"], ";", None),
        (["abc", "3,9"], ";", ","),
        (["12,34,567.8"], ";", "."),
        (["1.234,5"], ";", ","),
        (["8,000,000"], ";", "."),
        (["7", "text"], ";", None),
    ],
)
def test_the_clear_numbers_of_a_file_settle_its_mark(
    cells: list[str], delimiter: str, mark: str | None
) -> None:
    assert settle(cells, delimiter) == mark


@given(
    st.decimals(min_value=-(10**9), max_value=10**9, places=2),
    st.sampled_from([(",", "."), (".", ","), ("", "."), ("", ","), (" ", ","), ("'", ".")]),
)
def test_any_number_with_two_decimals_comes_back_from_every_style(
    number: Decimal, style: tuple[str, str]
) -> None:
    thousands, mark = style
    text = f"{number:,.2f}".translate({ord(","): thousands or None, ord("."): mark})
    assert value(text) == number


@pytest.mark.parametrize(
    ("text", "quantity", "right"),
    [
        ("3.9亩", "area", 2600), ("0.26公顷", "area", 2600), ("2600 m²", "area", 2600),
        ("3.9 mu", "area", 2600), ("412 kg/mu", "yield", 6.18), ("824斤/亩", "yield", 6.18),
        ("61.8 dt/ha", "yield", 6.18),
    ],
)  # fmt: skip
def test_a_unit_behind_the_number_counts(text: str, quantity: str, right: float) -> None:
    number = written(text)
    assert number is not None
    factor = unit_factor(number, quantity)
    assert factor is not None
    assert float(number.value(None)) * factor == pytest.approx(right)


@pytest.mark.parametrize("text", ["约4亩", "4亩左右", "4 kg/mu", "¥4"])
def test_anything_else_beside_the_number_is_refused(text: str) -> None:
    number = written(text)
    assert number is not None
    with pytest.raises(NotANumberError):
        unit_factor(number, "area")


@pytest.mark.parametrize(
    "text",
    [
        "2024-04-21", "2024/4/21", "2024.4.21", "20240421", "2024年4月21日", "21.04.2024",
        "21.4.2024", "2024-04-21T09:30:00+08:00", "2024-04-21 16:20:00", "2024/4/21 9:30",
        "2024-04-21T23:59:59.123456Z", "21-Apr-2024", "Apr 21, 2024", "２０２４-04-21",
        "2024-04-21 00:00:00.000", " 2024-04-21 ",
    ],
)  # fmt: skip
def test_a_day_is_read_as_written_whatever_its_time_and_zone(text: str) -> None:
    assert day(text, None) == dt.date(2024, 4, 21)


@pytest.mark.parametrize(
    "text",
    ["长期", "2024-02-30", "1899-12-30", "9999-12-31", "25403", "24-04-21", "2024-13-01", "1"],
)
def test_what_is_no_day_of_this_age_is_refused(text: str) -> None:
    with pytest.raises(NotADateError):
        day(text, None)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("1930-01-01", dt.date(1930, 1, 1)), ("2100-01-01", dt.date(2100, 1, 1)),
        ("3. Mär 2024", dt.date(2024, 3, 3)), ("3. Mrz. 2024", dt.date(2024, 3, 3)),
        ("3. Mai 2024", dt.date(2024, 5, 3)), ("3. Okt 2024", dt.date(2024, 10, 3)),
        ("3. Dez 2024", dt.date(2024, 12, 3)), ("3 January 2024", dt.date(2024, 1, 3)),
        ("Dec 31, 2024", dt.date(2024, 12, 31)),
    ],
)  # fmt: skip
def test_the_first_and_last_days_and_named_months_are_read(text: str, right: dt.date) -> None:
    assert day(text, None) == right


@pytest.mark.parametrize("text", ["1929-12-31", "2100-01-02", "3 Foo 2024"])
def test_a_day_before_the_first_or_after_the_last_is_refused(text: str) -> None:
    with pytest.raises(NotADateError, match=text):
        day(text, None)


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["13/12/2024"], "dmy"), (["13/01/2024"], "dmy"), (["12/13/2024"], "mdy"),
        (["01/13/2024"], "mdy"), (["12/12/2024"], None), (["12.11.2024"], "dmy"),
        (["14/13/2024"], None), (["2024-01-13"], None),
    ],
)  # fmt: skip
def test_only_a_number_above_12_tells_day_from_month(cells: list[str], order: str | None) -> None:
    assert settle_order(cells) == order


def test_slashes_follow_the_dates_of_the_column_that_leave_no_choice() -> None:
    assert day("03/04/2024", settle_order(["03/04/2024", "21/04/2024"])) == dt.date(2024, 4, 3)
    assert day("03/04/2024", settle_order(["03/04/2024", "4/21/2024"])) == dt.date(2024, 3, 4)
    assert day("05/05/2024", None) == dt.date(2024, 5, 5)
    for others in ([], ["21/04/2024", "4/21/2024"]):
        with pytest.raises(NotADateError) as refused:
            day("03/04/2024", settle_order(others))
        assert refused.value.ambiguous


@pytest.mark.parametrize(
    ("text", "currency", "mark", "minor"),
    [
        ("12000", "CNY", None, 1_200_000), ("12000.5", "CNY", ".", 1_200_050),
        ("1.2万元", "CNY", ".", 1_200_000), ("¥12,000", "CNY", ".", 1_200_000),
        ("¥12,000", "JPY", ".", 12_000), ("12.000,00 €", "EUR", ",", 1_200_000),
        ("12.000", "EUR", ",", 1_200_000), ("12.345", "KWD", ".", 12_345),
        ("8.000.000 ₫", "VND", ",", 8_000_000), ("12000.00", "JPY", ".", 12_000),
        ("", "CNY", ".", None),
    ],
)  # fmt: skip
def test_an_amount_is_whole_minor_units_of_its_currency(
    text: str, currency: str, mark: str | None, minor: int | None
) -> None:
    assert amount(text, DEBT, currency, mark) == minor  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "currency", "unit", "minor"),
    [
        ("1.2", "CNY", "万元", 1_200_000), ("1.2", "CNY", "元/年", 120), ("7", "EUR", "EUR", 700),
        ("7", "EUR", "€ per year", 700), ("7 CNY", "CNY", "", 700),
        ("1.2万元", "CNY", "元", 1_200_000),
    ],
)  # fmt: skip
def test_an_amount_is_in_the_unit_of_its_header_unless_its_cell_says_otherwise(
    text: str, currency: str, unit: str, minor: int
) -> None:
    assert amount(text, DEBT, currency, ".", unit) == minor
    with pytest.raises(BadCellError, match="input_other_currency"):
        amount("7", DEBT, currency, ".", "VND")


def test_an_estimate_is_rounded_to_its_currency_and_a_thousand_with_a_point_refused() -> None:
    estimate = replace(DEBT, rounded=True)
    assert amount("1234.5678", estimate, "EUR", ".") == 123_457
    assert amount("1234.5678", estimate, "JPY", ".") == 1235
    with pytest.raises(BadCellError, match="input_too_many_decimals"):
        amount("12.000", estimate, "EUR", ".")


@pytest.mark.parametrize(
    ("text", "currency", "mark", "code"),
    [
        ("12.000", "EUR", ".", "input_too_many_decimals"),
        ("12.005", "EUR", ".", "input_too_many_decimals"),
        ("12000.5", "JPY", ".", "input_too_many_decimals"),
        ("12.000", "EUR", None, "input_ambiguous_number"),
        ("€ 12", "CNY", ".", "input_other_currency"),
        ("three", "EUR", ".", "input_not_a_number"),
        ("-5", "EUR", ".", "input_out_of_range"),
        ("1e18", "EUR", ".", "input_out_of_range"),
        ("inf", "EUR", ".", "input_not_a_number"),
    ],
)
def test_what_is_no_amount_of_the_currency_is_refused(
    text: str, currency: str, mark: str | None, code: str
) -> None:
    with pytest.raises(BadCellError) as refused:
        amount(text, DEBT, currency, mark)  # type: ignore[arg-type]
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("text", "right"),
    [("١٢٣", "123"), ("١٬٢٣٤٫٥", "1234.5"), ("१२,३४,५६७.८", "1234567.8"), ("๑๒.๕", "12.5"),
     ("۱٫۲۳۴", "1.234"), ("٠٫٥٠٠", "0.5"), ("\u202d1,234.5\u202c", "1234.5"), ("1'234.5", "1234.5"),
     ("1’234’567,5", "1234567.5"), ("1\u2009234,5", "1234.5"), ("1\u202f234.5", "1234.5"),
     ("1,23,456", "123456"), ("１２，３４５．６", "12345.6")],
)  # fmt: skip
def test_digits_of_any_script_and_every_thousands_mark(text: str, right: str) -> None:
    """The Arabic decimal mark is one, whatever other cells have: `۱٫۲۳۴` is never a thousand."""
    assert value(text) == Decimal(right)


def test_a_raised_digit_is_part_of_a_unit_or_of_no_number() -> None:
    with pytest.raises(NotANumberError):
        written("5²")
    number = written("5 m²")
    assert number is not None
    assert unit_factor(number, "area") == 1


def test_an_id_in_arabic_digits_is_the_same_id() -> None:
    assert id_text("٠٠١٢٣") == id_text("\u202a00123\u202c") == "00123"
