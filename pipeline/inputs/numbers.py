"""Numbers as people write them: decimal commas, thousands, full width, units behind them.

Owns what the digits of a cell mean. `1.234` is a thousand in one office and one and a bit in the
next: the other numbers of the file tell which, and where they do not, the cell is ambiguous and
refused rather than guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Literal

from fieldline.pipeline.records.reference import table_rows

BLANKS = frozenset({
    "", "-", "--", "---", "—", "——", "–", "/", "\\", ".", "..", "*", "?", "n/a", "na", "n.a.",
    "#n/a", "nan", "null", "none", "nil", "(null)", "<na>", "\\n", "k.a.", "keine", "无", "空",
    "暂无", "缺失",
})  # fmt: skip
"""What people write where they have nothing to write, folded."""

Mark = Literal[".", ","]
_SPACES = re.compile(r"[\s\u00a0\u202f\u2009\u200b\ufeff'’_٬]+")
_UNSEEN = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks of the direction of writing, which stand around numbers copied out of such text."""
_ARABIC_DECIMAL = "٫"
_RAISED = re.compile(r"\d\s*[¹²³⁰⁴-⁹]")
"""`5²` is neither 52 nor 25 hectares."""
_NUMBER = re.compile(
    r"(?P<before>[^\d+\-.,]*)(?P<sign>[+-]?)(?P<digits>[.,]?\d[\d.,]*)(?:[eE](?P<power>[+-]?\d{1,3}))?"
    r"(?P<after>\D*\d?)"
)
_GROUPS = re.compile(r"\d{1,3}([.,]\d{3})+")
_INDIAN = re.compile(r"\d{1,2}(,\d{2})+,\d{3}(\.\d+)?")


class NotANumberError(ValueError):
    """A cell that holds no number, or one that can be read in two ways (`ambiguous`)."""

    def __init__(self, text: str, *, ambiguous: bool = False) -> None:
        self.ambiguous = ambiguous
        super().__init__(text)


@dataclass(frozen=True)
class Written:
    """A number before its decimal mark is settled."""

    before: str
    """What stands before it, such as a currency."""
    sign: str
    digits: str
    power: int
    after: str
    """What stands behind it, such as a unit."""
    is_decimal: bool = False
    """Whether its point can only be a decimal one: it was written with the Arabic mark for it."""

    @property
    def decimal_mark(self) -> Mark | None:
        """The decimal mark that it shows, or leaves open to others; None where it shows none.

        Two equal marks part thousands (`8.000.000`), so the decimal one is the other.
        """
        marks = [c for c in self.digits if c in ".,"]
        if self.is_decimal:
            return "."
        if len(set(marks)) == 2:
            return "." if self.digits.rindex(".") > self.digits.rindex(",") else ","
        if len(marks) == 1 and not self.is_open:
            return "." if marks[0] == "." else ","
        if len(marks) > 1:
            return "," if marks[0] == "." else "."
        return None

    @property
    def is_open(self) -> bool:
        """Whether its only mark may part thousands or decimals: one to three digits, then three."""
        whole, *rest = re.split(r"[.,]", self.digits)
        grouped = len(rest) == 1 and len(rest[0]) == 3 and not self.is_decimal
        return grouped and 1 <= len(whole) <= 3 and whole != "0"

    def value(self, mark: Mark | None) -> Decimal:
        """Return the number, an open mark read as a decimal one where it equals `mark`.

        Raises:
            NotANumberError: The marks are no number, or nobody can say what they mean.
        """
        own = self.decimal_mark
        if self.is_open:
            if mark is None:
                raise NotANumberError(self.digits, ambiguous=True)
            own = mark if mark in self.digits else None
        decimal = own is not None and own in self.digits
        whole, _, rest = self.digits.rpartition(own) if decimal and own else (self.digits, "", "")
        parted = bool(re.search("[.,]", whole))
        if parted and not (_GROUPS.fullmatch(whole) or _INDIAN.fullmatch(self.digits)):
            raise NotANumberError(self.digits)
        if parted and len(set(re.sub(r"\d", "", whole))) > 1:
            raise NotANumberError(self.digits)
        plain = re.sub("[.,]", "", whole) + ("." + rest if rest else "")
        return Decimal(f"{self.sign}{plain}").scaleb(self.power)


def written(text: str) -> Written | None:
    """Take a cell apart; None where it is blank.

    Raises:
        NotANumberError: It holds no number, or more than one.
    """
    folded = folded_text(text)
    if is_blank(folded):
        return None
    if not text.isascii() and _RAISED.search(text):
        raise NotANumberError(text)
    bare = _SPACES.sub("", folded).replace("−", "-").replace("–", "-").replace("。", ".")
    plain = _ARABIC_DECIMAL in bare
    bare = bare.replace(_ARABIC_DECIMAL, ".")
    found = _NUMBER.fullmatch(bare)
    if found is None:
        raise NotANumberError(text)
    sign = found["sign"]
    if found["before"].startswith("(") and found["after"].endswith(")"):
        raise NotANumberError(text)
    power = int(found["power"] or 0)
    return Written(found["before"], sign, found["digits"], power, found["after"], plain)


def folded_text(text: str) -> str:
    """Return text with digits of any script and full-width letters and marks as plain ones.

    Outer blanks and marks of the direction of writing are left out.
    """
    plain = text if text.isascii() else _plain_digits(unicodedata.normalize("NFKC", text))
    return plain.strip(" \t\r\n\u00a0\u3000\u200b\ufeff")


def _plain_digits(text: str) -> str:
    """Return text with Arabic, Devanagari, Thai and other digits as 0 to 9."""
    seen = _UNSEEN.sub("", text)
    return "".join(c if c.isascii() or not c.isdecimal() else str(int(c)) for c in seen)


def is_blank(text: str) -> bool:
    """Whether a cell says that there is nothing to say."""
    return text.casefold() in BLANKS


def settle(cells: Iterable[str], delimiter: str) -> Mark | None:
    """Return the decimal mark of a file by its numbers that leave no choice.

    Args:
        cells: Its cells that should be numbers.
        delimiter: A file with `,` between its cells has points in its numbers unless they show
            otherwise.

    Returns:
        The mark; None where the numbers contradict each other or say nothing.
    """
    marks: set[Mark] = set()
    for cell in cells:
        try:
            number = written(cell)
        except NotANumberError:
            continue
        if number is not None and (mark := number.decimal_mark) is not None:
            marks.add(mark)
    if len(marks) == 1:
        return marks.pop()
    return "." if not marks and delimiter == "," else None


@cache
def cell_units(quantity: str) -> Mapping[str, float]:
    """Return what a number with a unit behind it is multiplied with, by folded unit.

    Args:
        quantity: `area` (to m2), `yield` (to t/ha) or any other of `data/cell_units.csv`.
    """
    rows = table_rows("cell_units.csv")
    return {
        _SPACES.sub("", folded_text(row["unit"])).casefold(): float(row["factor"])
        for row in rows
        if row["quantity"] == quantity
    }


@cache
def cell_offsets(quantity: str) -> Mapping[str, float]:
    """Return what is then added to a number, by folded unit; only scales with another zero."""
    rows = table_rows("cell_units.csv")
    return {
        _SPACES.sub("", folded_text(row["unit"])).casefold(): float(row["offset"])
        for row in rows
        if row["quantity"] == quantity and row["offset"]
    }


def unit_factor(number: Written, quantity: str) -> float | None:
    """Return the factor of the unit written with a number; None where there is none.

    Raises:
        NotANumberError: Something else than a known unit stands beside the number.
    """
    if not number.before and not number.after:
        return None
    unit = number.after.casefold()
    factor = cell_units(quantity).get(unit) if quantity else None
    if number.before or factor is None or unit in cell_offsets(quantity):
        raise NotANumberError(f"{number.before}{number.digits}{number.after}")
    return factor
