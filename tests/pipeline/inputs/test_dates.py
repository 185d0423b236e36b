"""Months where a column may name them."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from fieldline.pipeline.inputs.dates import NotADateError, day, day_or_month
from fieldline.pipeline.inputs.schema import InputColumn
from fieldline.pipeline.inputs.values import FileFacts, read_column


@pytest.mark.parametrize(
    "text",
    ["2024-02", "2024/2", "2024.02", "202402", "2024M02", "2024m2", "2024年2月", "2024年02月份",
     "02/2024", "2.2024", "Feb 2024", "February, 2024", "2024 Feb", "feb-2024", "２０２４年２月"],
)  # fmt: skip
def test_a_month_stands_for_its_last_day(text: str) -> None:
    assert day_or_month(text, None) == dt.date(2024, 2, 29)
    with pytest.raises(NotADateError):
        day(text, None)


@pytest.mark.parametrize("text", ["2024-13", "2024.1", "20242", "1.5", "Foo 2024", "2024", "0224"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(NotADateError):
        day_or_month(text, None)


def test_a_day_stays_itself_where_months_are_allowed() -> None:
    assert day_or_month("2024/2/3", None) == dt.date(2024, 2, 3)
    assert day_or_month("20240203", None) == dt.date(2024, 2, 3)


@pytest.mark.parametrize(
    "text",
    ["2567-05-03", "3.5.2567", "民國113年5月3日", "中華民國113年05月03日", "113/05/03", "113.5.3",
     "令和6年5月3日", "45415", "45415.75", "2024-W18-5", "2024W185", "03-MAY-24", "3-mai-24",
     "2024年5月3日 星期五", "2024-05-03(周五)", "Fri, 3 May 2024", "Friday May 3, 2024",
     "3rd May 2024", "3 de mayo de 2024", "3 maggio 2024", "3 мая 2024", "2024/5/3 下午4:20",
     "٢٠٢٤/٠٥/٠٣",
     "२०२४-०५-०३", "๓/๕/๒๕๖๗", "\u200f2024-05-03\u200e"],
)  # fmt: skip
def test_one_day_in_many_calendars_and_tongues(text: str) -> None:
    """3 May 2024 was a Friday of week 18, and day 45415 of a spreadsheet (2024-01-01 is 45292)."""
    assert day(text, "dmy") == dt.date(2024, 5, 3)


def test_french_june_is_not_july() -> None:
    assert (day("3 juin 2024", None).month, day("3 juillet 2024", None).month) == (6, 7)


@pytest.mark.parametrize(
    "text",
    ["1445-09-23", "1403/02/14", "3.5.24", "24/5/3", "31-DEC-99", "2024-W18", "2024-W54-1",
     "2500-1-1", "2600-12-31", "99/5/3", "1130503", "12345", "99999", "2024-124"],
)  # fmt: skip
def test_what_leaves_a_choice_is_no_day(text: str) -> None:
    with pytest.raises(NotADateError):
        day(text, "dmy")


def test_a_week_or_month_of_prices_stands_for_its_last_day() -> None:
    assert day_or_month("2024-W18", None) == dt.date(2024, 5, 5)
    assert day_or_month("2567-02", None) == dt.date(2024, 2, 29)


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("2567-05-03", "of the Buddhist era and taken less 543 years"),
        ("113/05/03", "Republic (Minguo) and are taken plus 1911"),
        ("令和6年5月3日", "of a reign"),
        ("45415", "as spreadsheets count them and taken from 1899-12-30"),
        ("03-MAY-24", "two digits, taken from 1950 to 2049"),
        ("1445-09-23", "Hijri calendar, lunar or solar, and not read"),
        ("۱۴۰۳/۰۲/۱۴", "Hijri calendar"),
        ("03.05.24", "two digits and are not read: write all four"),
        ("31-DEC-99", "two digits and are not read"),
        ("2024-W18", "name a week and no day"),
        ("2081/01/20", "lie after 2060"),
        ("2081-01-20", "lie after 2060"),
    ],
)
def test_other_calendars_are_told(cell: str, says: str) -> None:
    column = InputColumn("signed_on", "date", "Day")
    cells = pa.array(["2024-05-03", cell, None, cell], pa.string())
    (told,) = read_column(cells, column, None, FileFacts(".", "utf-8")).remarks
    assert told.startswith(f"2 cells of signed_on, such as {cell!r}, ")
    assert says in told


def test_plain_dates_need_no_word() -> None:
    column = InputColumn("signed_on", "date", "Day")
    cells = pa.array(["2024-05-03", "2057/12/31", "3.5.2024", "2099-12-31 00:00", "May 3, 2024"])
    assert read_column(cells, column, None, FileFacts(".", "utf-8")).remarks == ()
