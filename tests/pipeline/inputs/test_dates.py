"""Months where a column may name them."""

from __future__ import annotations

import datetime as dt

import pytest

from fieldline.pipeline.inputs.dates import NotADateError, day, day_or_month


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
