"""Dated tables of the lender: legal rate ceilings and scales of finance.

Owns looking up the row in force on a day; the rows are data (`data/rate_ceilings.csv`,
`data/scale_of_finance.csv`) with their sources. A ceiling that is missing, or that nobody has
looked up since before the day, stops the run: nobody lends without knowing the law of the day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import Money, currency_of
from fieldline.pipeline.records.reference import TableRow, checked_rows
from fieldline.pipeline.records.units import MU_PER_HA

SCALES = "scale_of_finance.csv"
"""Scales of finance where the policy names no file of its own."""
_CEILING_COLUMNS = ("currency", "valid_from", "rule", "base_rate", "multiple", "add", "source")
_CHECKED = "checked_until"
"""Column that an own table may have besides."""
_SCALE_COLUMNS = ("crop", "currency", "amount_per_mu", "valid_from")


@dataclass(frozen=True)
class RateCeiling:
    """The legal ceiling of yearly rates in one currency from a day on."""

    currency: str
    valid_from: dt.date
    rule: str
    rate: Decimal
    """Base rate x multiple + add."""
    source: str
    checked_until: dt.date | None = None
    """Last day for which somebody looked whether it still holds; None where nobody says so."""
    row: int = 0
    """Data row of the table."""


def _ceiling(row: TableRow) -> RateCeiling:
    rate = row.decimal("base_rate") * row.decimal("multiple") + row.decimal("add")
    first, checked = row.day("valid_from"), None
    if (row.cells.get(_CHECKED) or "").strip():
        checked = row.day(_CHECKED)
        if checked < first:
            raise row.wrong(_CHECKED, f"the ceiling begins on {first}: write that day or later")
    return RateCeiling(
        currency_of(row), first, row.text("rule"), rate, row.text("source"), checked, row.number
    )


@cache
def rate_ceilings(name: str) -> tuple[RateCeiling, ...]:
    """Return the ceilings of a table, oldest first within a currency.

    Raises:
        UserError: Two rows of one currency start on the same day, or a value is none.
    """
    rows = checked_rows(name, _CEILING_COLUMNS)
    found = [_ceiling(row) for row in rows]
    days = [(ceiling.currency, ceiling.valid_from) for ceiling in found]
    for day in days:
        if days.count(day) > 1:
            raise UserError(f"{name} has two rows for {day[0]} on {day[1]}", "keep one of them")
    return tuple(sorted(found, key=lambda ceiling: (ceiling.currency, ceiling.valid_from)))


def ceiling_on(name: str, currency: str, day: dt.date) -> RateCeiling:
    """Return the ceiling in force on a day.

    Raises:
        UserError: The table has none for the currency and day, or nobody has looked since before
            that day whether it still holds.
    """
    known = [c for c in rate_ceilings(name) if c.currency == currency and c.valid_from <= day]
    if not known:
        raise UserError(
            f"{name} has no rate ceiling for {currency} on {day}", "add the row, with its source"
        )
    found = known[-1]
    if found.checked_until is not None and day > found.checked_until:
        raise UserError(
            f"{name}, row {found.row}: the rate ceiling for {currency} was checked until "
            f"{found.checked_until}, and this is decided on {day}",
            "look up the ceiling of that day: add its row with its source, or move checked_until "
            "of this row where it still holds; an own table goes to lending.policy."
            "rate_ceiling_file",
        )
    return found


@dataclass(frozen=True)
class Scale:
    """The scale of finance of one crop: the cost of growing it that a line may cover."""

    minor_per_mu: int
    basis: str
    """`table` or `crop_template` (the cash cost of the crop's template)."""


def scale_on(
    table: str | None, crop: str, currency: str, day: dt.date, template_minor_per_ha: int | None
) -> Scale:
    """Return the scale of finance in force on a day.

    Args:
        table: Path of an own table; None for that of `data/`.
        crop: Crop code.
        currency: Currency wanted.
        day: Knowledge date.
        template_minor_per_ha: Cash cost of the crop template, used where the table has no row.
    """
    row = _scales(table or SCALES).get((crop, currency), ())
    known = [amount for valid_from, amount in row if valid_from <= day]
    if known:
        return Scale(known[-1].minor_in(currency), "table")
    if template_minor_per_ha is None:
        return Scale(0, "unknown")
    return Scale(template_minor_per_ha // MU_PER_HA, "crop_template")


@cache
def scale_bases(table: str | None, currency: str) -> frozenset[str]:
    """Return what the scales of finance of a currency rest on: `assumption`, or an own word."""
    _scales(table or SCALES)
    rows = checked_rows(table or SCALES, _SCALE_COLUMNS)
    return frozenset(
        (row.cells.get("basis") or "").strip() for row in rows if row.text("currency") == currency
    )


@cache
def _scales(table: str) -> dict[tuple[str, str], tuple[tuple[dt.date, Money], ...]]:
    found: dict[tuple[str, str], list[tuple[dt.date, Money]]] = {}
    for row in checked_rows(table, _SCALE_COLUMNS):
        amount, currency = row.decimal("amount_per_mu"), currency_of(row)
        if amount < 0:
            raise row.wrong("amount_per_mu", "write an amount of 0 or more")
        entry = (row.day("valid_from"), Money.of(amount, currency))
        found.setdefault((row.text("crop"), currency), []).append(entry)
    return {key: tuple(sorted(rows, key=lambda entry: entry[0])) for key, rows in found.items()}
