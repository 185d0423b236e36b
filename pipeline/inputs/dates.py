"""Dates as people write them: ISO, slashes, points, hanzi, with or without time and zone.

Owns the reading of a date; a time of day and a zone are dropped, because the day that somebody
wrote down counts whole. `03/04/2024` is two days: the other dates of the column tell which comes
first, and where they do not, the cell is ambiguous and refused rather than guessed.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterable
from typing import Literal

from fieldline.pipeline.inputs import calendars
from fieldline.pipeline.inputs.numbers import folded_text

Order = Literal["dmy", "mdy"]
FIRST, LAST = dt.date(1930, 1, 1), dt.date(2100, 1, 1)
"""Days outside are slips: Excel writes 1899-12-30 for an empty cell and 9999-12-31 for never."""

_CLOCK = r"[T\s]*(?:上午|下午)?\s*\d{1,2}[:时h.]\d{2}(?:[:分.]\d{2}(?:[.,]\d+)?秒?)?"
_ZONE = r"\s*(?:[AaPp]\.?[Mm]\.?)?\s*(?:Z|UTC|[+-]\d{2}:?\d{2})?"
_TIME = f"(?:{_CLOCK}{_ZONE})?"
_YEAR_FIRST = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?" + _TIME)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T?\d{4}(?:\d{2})?Z?)?")
_YEAR_LAST = re.compile(r"(\d{1,2})\s*([-/.])\s*(\d{1,2})\s*\2\s*(\d{4})" + _TIME)
_NAMED = re.compile(
    r"(\d{1,2})(?:st|nd|rd|th)?[-.\s]+(?:d[ei]l?\s+)?([^\W\d_]{3,10})\.?[-,\s]+(?:d[ei]l?\s+)?(\d{4})"
    + _TIME
)
_NAMED_US = re.compile(r"([^\W\d_]{3,10})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})" + _TIME)
_NAMED_SHORT = re.compile(r"(\d{1,2})-([^\W\d_]{3})-(\d{2})" + _TIME)
_WEEK = re.compile(r"(\d{4})-?W(\d{2})(?:-?([1-7]))?")
_WEEKDAY = re.compile(
    r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[.,]?\s+|\s*[(（]?(?:星期|周|週)[一二三四五六日天][)）]?$",
    re.IGNORECASE,
)
#: `2024.1` may be `2024.10` that a spreadsheet shortened, so a point needs two digits behind it.
_MONTH_FIRST = re.compile(r"(\d{4})(?:\s*[-/年Mm]\s*(\d{1,2})|[.\s]?(\d{2}))\s*(?:月份?)?")
_MONTH_LAST = re.compile(r"(\d{1,2})\s*[-/.]\s*(\d{4})")
_MONTH_NAMED = re.compile(r"([^\W\d_]{3,9})\.?[-,/\s]*(\d{4})|(\d{4})[-,/\s]*([^\W\d_]{3,9})\.?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_OTHER_MONTHS = {
    "ene": 1, "gen": 1, "янв": 1, "fév": 2, "fev": 2, "фев": 2, "mär": 3, "mrz": 3, "maa": 3,
    "мар": 3, "avr": 4, "abr": 4, "апр": 4, "mai": 5, "mag": 5, "mei": 5, "мая": 5, "май": 5,
    "giu": 6, "июн": 6, "lug": 7, "июл": 7, "ago": 8, "aoû": 8, "aou": 8, "авг": 8, "set": 9,
    "сен": 9, "okt": 10, "out": 10, "ott": 10, "окт": 10, "ноя": 11, "dez": 12, "déc": 12,
    "dic": 12, "дек": 12, "juin": 6, "juil": 7,
}  # fmt: skip


class NotADateError(ValueError):
    """A cell that holds no day, one that can be two (`ambiguous`), or none of this age."""

    def __init__(self, text: str, *, ambiguous: bool = False) -> None:
        self.ambiguous = ambiguous
        super().__init__(text)


def settle_order(cells: Iterable[str]) -> Order | None:
    """Return whether day or month comes first, by the dates of a column that leave no choice."""
    orders: set[Order] = set()
    for cell in cells:
        found = _YEAR_LAST.fullmatch(folded_text(cell))
        if found is None:
            continue
        first, mark, second = int(found[1]), found[2], int(found[3])
        if mark == "." or first > 12 >= second:
            orders.add("dmy")
        elif second > 12 >= first:
            orders.add("mdy")
    return orders.pop() if len(orders) == 1 else None


def day(text: str, order: Order | None) -> dt.date:
    """Read one day.

    Args:
        text: The cell, not blank.
        order: What comes first where the year comes last; points always mean the day.

    Raises:
        NotADateError: It is no day between `FIRST` and `LAST`, or it may be two.
    """
    bare = _WEEKDAY.sub("", folded_text(text))
    parts = calendars.parts(bare) or _parts(bare, order)
    if parts is None:
        raise NotADateError(text)
    try:
        found = dt.date(calendars.gregorian(parts[0]), *parts[1:])
    except ValueError as error:
        raise NotADateError(text) from error
    if not FIRST <= found <= LAST:
        raise NotADateError(text)
    return found


def day_or_month(text: str, order: Order | None) -> dt.date:
    """Read one day, or the last of a month or week (`2024-04`, `Apr 2024`, `2024-W18`).

    Raises:
        NotADateError: It is neither.
    """
    bare = folded_text(text)
    if (week := _WEEK.fullmatch(bare)) and week[3] is None:
        return _day_of_week(text, week, 7)
    year, month = _month_parts(bare)
    year = calendars.gregorian(year)
    if not (FIRST.year <= year < LAST.year and 1 <= month <= 12):
        return day(text, order)
    return dt.date(year, month, calendar.monthrange(year, month)[1])


def _day_of_week(text: str, week: re.Match[str], number: int) -> dt.date:
    try:
        return dt.date.fromisocalendar(int(week[1]), int(week[2]), number)
    except ValueError as error:
        raise NotADateError(text) from error


def _month_parts(text: str) -> tuple[int, int]:
    """Return year and month of a cell that names no day; zeros where it does not."""
    if found := _MONTH_FIRST.fullmatch(text):
        return int(found[1]), int(found[2] or found[3])
    if found := _MONTH_LAST.fullmatch(text):
        return int(found[2]), int(found[1])
    if found := _MONTH_NAMED.fullmatch(text):
        return int(found[2] or found[3]), _month(found[1] or found[4])
    return 0, 0


def _parts(text: str, order: Order | None) -> tuple[int, int, int] | None:
    if found := (_YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text)):
        return int(found[1]), int(found[2]), int(found[3])
    if (found := _WEEK.fullmatch(text)) and found[3]:
        whole = _day_of_week(text, found, int(found[3]))
        return whole.year, whole.month, whole.day
    if found := _NAMED.fullmatch(text):
        return int(found[3]), _month(found[2]), int(found[1])
    if found := _NAMED_SHORT.fullmatch(text):
        year = calendars.of_two_digits(int(found[3]))
        return None if year is None else (year, _month(found[2]), int(found[1]))
    if found := _NAMED_US.fullmatch(text):
        return int(found[3]), _month(found[1]), int(found[2])
    found = _YEAR_LAST.fullmatch(text)
    if found is None:
        return None
    first, mark, second, year = int(found[1]), found[2], int(found[3]), int(found[4])
    if mark == "." or first == second:
        return year, second, first
    if order is None:
        raise NotADateError(text, ambiguous=True)
    return (year, second, first) if order == "dmy" else (year, first, second)


def _month(name: str) -> int:
    known = name.casefold()
    if known[:4] in _OTHER_MONTHS:  # juin and juillet
        return _OTHER_MONTHS[known[:4]]
    short = known[:3]
    return _MONTHS.index(short) + 1 if short in _MONTHS else _OTHER_MONTHS.get(short, 0)
