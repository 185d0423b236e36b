"""Years of other calendars, and days that a spreadsheet counts.

Owns what is no year of ours and what becomes of it: one that leaves no choice (Buddhist era, years
of the Republic, Japanese reigns, days since 1899-12-30) is converted and told, one that does (Hijri
years, lunar or solar; two digits) is not read and told why.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable

from fieldline.pipeline.inputs.numbers import folded_text

_BUDDHIST = range(2533, 2600)
"""1990 to 2056; 2500 and 2600 are somebody's never."""
_BUDDHIST_AHEAD = 543
_REPUBLIC = range(100, 200)
_REPUBLIC_BEHIND = 1911
_HIJRI = range(1300, 1500)
"""Solar (1403) and lunar (1445) years of today lie together: nobody can say which."""
_BIKRAM = range(2061, 2099)
"""Nepal's years are 56 or 57 ahead of ours; 2099 is somebody's never."""
_ERAS = {
    "民國": 1911, "民国": 1911, "中華民國": 1911, "中华民国": 1911, "令和": 2018, "平成": 1988,
    "昭和": 1925, "พ.ศ.": -543, "พ.ศ": -543, "佛历": -543, "佛曆": -543,
}  # fmt: skip
_NAMES = "|".join(map(re.escape, sorted(_ERAS, key=len, reverse=True)))
_ERA = re.compile(
    rf"({_NAMES})\s*(元|\d{{1,4}})\s*[年./-]"
    r"\s*(\d{1,2})\s*[月./-]\s*(\d{1,2})\s*日?"
)
_REPUBLIC_DAY = re.compile(r"(\d{3})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
_SERIAL = re.compile(r"(\d{5})(?:\.\d+)?")
_SERIAL_ZERO = dt.date(1899, 12, 30)
_SERIALS = range(32874, 55154)
"""1990 to 2050, by the count of all spreadsheets but Macintosh workbooks from before 2011."""

_YEAR = re.compile(r"(?<!\d)(\d{4})(?!\d)")
_SHORT = re.compile(r"\d{1,2}-[^\W\d_]{3}-(\d{2})(?:\s.*)?")
_TWO_DIGITS = re.compile(r"\d{1,2}\s*([-/.])\s*\d{1,2}\s*\1\s*\d{1,2}(?:\s.*)?")
_WEEK_ALONE = re.compile(r"\d{4}-?W\d{2}")
_SAID = {
    "buddhist": "are of the Buddhist era and taken less 543 years",
    "republic": "count the years of the Republic (Minguo) and are taken plus 1911 years",
    "reign": "count the years of a reign and are taken by its first",
    "serial": "are days as spreadsheets count them and taken from 1899-12-30",
    "short": "have a year of two digits, taken from 1950 to 2049",
    "hijri": "are of a Hijri calendar, lunar or solar, and not read: write Gregorian dates",
    "two_digits": "have a year of two digits and are not read: write all four",
    "week": "name a week and no day, and are not read",
    "bikram": "lie after 2060: are they of another calendar (Bikram Sambat)? It is not converted",
}


def gregorian(year: int) -> int:
    """Return our year for one of four digits, less 543 where only the Buddhist era has it."""
    return year - _BUDDHIST_AHEAD if year in _BUDDHIST else year


def of_two_digits(year: int) -> int | None:
    """Return the year of two digits behind a month's name; None for 99, which may be for ever.

    Source: Oracle Database SQL Language Reference, format element RR.
    """
    if year == 99:
        return None
    return 2000 + year if year < 50 else 1900 + year


def parts(text: str) -> tuple[int, int, int] | None:
    """Return our year, month and day of a cell in a calendar that names itself; else None.

    Args:
        text: The cell, its digits plain.
    """
    if found := _ERA.fullmatch(text):
        year = 1 if found[2] == "元" else int(found[2])
        return _ERAS[found[1]] + year, int(found[3]), int(found[4])
    if (found := _REPUBLIC_DAY.fullmatch(text)) and int(found[1]) in _REPUBLIC:
        return _REPUBLIC_BEHIND + int(found[1]), int(found[2]), int(found[3])
    if (found := _SERIAL.fullmatch(text)) and int(found[1]) in _SERIALS:
        day = _SERIAL_ZERO + dt.timedelta(int(found[1]))
        return day.year, day.month, day.day
    return None


def told(cells: Iterable[str | None], name: str, *, months: bool = False) -> tuple[str, ...]:
    """Return a sentence for each kind of odd date in a column.

    Args:
        cells: Its cells.
        name: Fieldline's name of the column.
        months: Whether a cell may name a month or week.
    """
    kinds: Counter[str] = Counter()
    first: dict[str, str] = {}
    for cell, count in Counter(cell for cell in cells if cell).items():
        kind = _kind(folded_text(cell))
        if kind and not (months and kind == "week"):
            kinds[kind] += count
            first.setdefault(kind, cell)
    return tuple(
        f"{count} cells of {name}, such as {first[kind]!r}, {_SAID[kind]}"
        for kind, count in kinds.items()
    )


def _kind(text: str) -> str:
    if found := _ERA.fullmatch(text):
        own = _ERAS[found[1]]
        return {_REPUBLIC_BEHIND: "republic", -_BUDDHIST_AHEAD: "buddhist"}.get(own, "reign")
    if parts(text) is not None:
        return "serial" if _SERIAL.fullmatch(text) else "republic"
    if _WEEK_ALONE.fullmatch(text):
        return "week"
    if _TWO_DIGITS.fullmatch(text):
        return "two_digits"
    if found := _SHORT.fullmatch(text):
        return "two_digits" if of_two_digits(int(found[1])) is None else "short"
    years = [int(year) for year in _YEAR.findall(text)]
    ranges = (("buddhist", _BUDDHIST), ("hijri", _HIJRI), ("bikram", _BIKRAM))
    return next((kind for kind, known in ranges if any(year in known for year in years)), "")
