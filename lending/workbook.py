"""Offers as an Excel workbook: the same rows as the CSV, each cell of the kind that it is.

Owns headings (`data/offer_columns.csv`), kinds and the look of the sheet, and that no cell of it is
ever a formula or a link; which rows and columns there are is the caller's. Two workbooks of equal
rows are equal byte by byte, since nothing in them says when they were made.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Literal, get_args

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import exponent
from fieldline.pipeline.records.reference import checked_rows

Kind = Literal["text", "money", "rate", "count", "area", "day"]

SHEET = "offers 授信"
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a text begins with that a spreadsheet would reckon with. Source: OWASP, CSV injection."""

_MADE_ON = dt.datetime(2000, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None)
"""Stands in the file's properties, so that the clock does not."""
_MOST_ROWS = 1_048_575
_MOST_TEXT = 32_767
_CUT = " ... (the CSV file has the rest)"
_EXACT_DIGITS = 15
"""Digits of a number that a spreadsheet keeps; a longer amount is written as text."""
_NARROWEST, _WIDEST = 8, 60
_NUMBER = {"rate": "0.00####%", "count": "0", "area": "0.00##", "day": "yyyy-mm-dd"}


@dataclass(frozen=True)
class _Column:
    name: str
    kind: Kind
    heading: str


def workbook(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], most_rows: int = _MOST_ROWS
) -> bytes:
    """Return rows as `.xlsx`: one sheet, headings in both languages in a frozen first row.

    Texts stay as they are, character by character; one that begins like a formula is marked as text
    so that it stays one when somebody edits the cell or saves the sheet anew.

    Args:
        rows: Values as the CSV writes them: money as plain decimals of the row's `currency`.
        columns: Columns of `data/offer_columns.csv`, in order.
        most_rows: Rows that fit on a sheet.

    Raises:
        UserError: There are more rows than a sheet holds.
    """
    if len(rows) > most_rows:
        raise UserError(
            f"{len(rows):,} offers do not fit on a sheet of {most_rows:,} rows",
            "export them as CSV",
        )
    known = _columns()
    chosen = [known[name] for name in columns]
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        book.set_properties({"created": _MADE_ON})
        sheet = book.add_worksheet(SHEET)
        _head(sheet, chosen, book.add_format(
            {"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#E8EFE6"}
        ))  # fmt: skip
        write = _Writer(sheet, cache(lambda key: book.add_format(dict(key))))
        for number, row in enumerate(rows, start=1):
            for place, column in enumerate(chosen):
                write.cell(number, place, column.kind, row.get(column.name), row)
        sheet.autofilter(0, 0, len(rows), len(chosen) - 1)
        for place, column in enumerate(chosen):
            sheet.set_column(place, place, _width(column, rows))
    return buffer.getvalue()


@cache
def _columns() -> dict[str, _Column]:
    kinds: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
    found = {}
    for row in checked_rows("offer_columns.csv", ("column", "kind", "english", "chinese")):
        kind = kinds.get(row.text("kind"))
        if kind is None:
            raise row.wrong("kind", f"use one of {sorted(kinds)}")
        heading = f"{row.text('english')}\n{row.text('chinese')}"
        found[row.text("column")] = _Column(row.text("column"), kind, heading)
    return found


def _head(sheet: Worksheet, columns: Sequence[_Column], look: Format) -> None:
    for place, column in enumerate(columns):
        sheet.write_string(0, place, column.heading, look)
    sheet.set_row(0, 32)
    sheet.freeze_panes(1, 0)


@dataclass(frozen=True)
class _Writer:
    """Writes single cells; formats are made once for each look."""

    sheet: Worksheet
    look: Callable[[tuple[tuple[str, Any], ...]], Format]

    def cell(self, row: int, place: int, kind: Kind, value: Any, of: Mapping[str, Any]) -> None:
        if value is None or value == "":
            return
        if kind == "day":
            self.sheet.write_datetime(row, place, _day(value), self._numbers(_NUMBER[kind]))
        elif kind == "text" or len(Decimal(value).as_tuple().digits) > _EXACT_DIGITS:
            self._text(row, place, str(value))
        else:
            shown = _money_format(of["currency"]) if kind == "money" else _NUMBER[kind]
            self.sheet.write_number(row, place, float(value), self._numbers(shown))

    def _numbers(self, shown: str) -> Format:
        return self.look((("num_format", shown),))

    def _text(self, row: int, place: int, text: str) -> None:
        if len(text) > _MOST_TEXT:
            text = text[: _MOST_TEXT - len(_CUT)] + _CUT
        look = self.look((("quote_prefix", True),)) if text.startswith(FORMULA) else None
        self.sheet.write_string(row, place, text, look)


def _day(value: dt.date | str) -> dt.date:
    return value if isinstance(value, dt.date) else dt.date.fromisoformat(value)


def _money_format(currency: str) -> str:
    decimals = exponent(currency)
    return "#,##0" + ("." + "0" * decimals if decimals else "")


def _width(column: _Column, rows: Sequence[Mapping[str, Any]]) -> int:
    """Return the width at which headings and nearly all values are seen whole."""
    texts = [*column.heading.split("\n"), *(str(row.get(column.name) or "") for row in rows)]
    if column.kind == "money":
        texts = [text + "," * (len(text) // 3) for text in texts]
    return min(max(_NARROWEST, *map(_ems, texts)) + 2, _WIDEST)


def _ems(text: str) -> int:
    """Return the width of a text in digits: a Chinese character takes two."""
    return sum(1 + (character > "\u2e7f") for character in text[:_WIDEST])
