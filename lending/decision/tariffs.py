"""Dated tables of the lender: legal rate ceilings and scales of finance.

Owns looking up the row in force on a day; the rows are data (`data/rate_ceilings.csv`,
`data/scale_of_finance.csv`) with their sources. A missing ceiling stops the run: nobody lends
without knowing the law of the day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import to_minor
from fieldline.pipeline.records.reference import table_rows
from fieldline.pipeline.records.units import MU_PER_HA


@dataclass(frozen=True)
class RateCeiling:
    """The legal ceiling of yearly rates in one currency from a day on."""

    currency: str
    valid_from: dt.date
    rule: str
    rate: Decimal
    """Base rate x multiple + add."""
    source: str


@cache
def rate_ceilings(name: str) -> tuple[RateCeiling, ...]:
    """Return the ceilings of a table, oldest first within a currency.

    Raises:
        UserError: Two rows of one currency start on the same day.
    """
    found = [
        RateCeiling(
            row["currency"],
            dt.date.fromisoformat(row["valid_from"]),
            row["rule"],
            Decimal(row["base_rate"]) * Decimal(row["multiple"]) + Decimal(row["add"]),
            row["source"],
        )
        for row in table_rows(name)
    ]
    days = [(ceiling.currency, ceiling.valid_from) for ceiling in found]
    for day in days:
        if days.count(day) > 1:
            raise UserError(f"{name} has two rows for {day[0]} on {day[1]}", "keep one of them")
    return tuple(sorted(found, key=lambda ceiling: (ceiling.currency, ceiling.valid_from)))


def ceiling_on(name: str, currency: str, day: dt.date) -> RateCeiling:
    """Return the ceiling in force on a day.

    Raises:
        UserError: The table has none for the currency and day.
    """
    known = [c for c in rate_ceilings(name) if c.currency == currency and c.valid_from <= day]
    if not known:
        raise UserError(
            f"{name} has no rate ceiling for {currency} on {day}", "add the row, with its source"
        )
    return known[-1]


@dataclass(frozen=True)
class Scale:
    """The scale of finance of one crop: the cost of growing it that a line may cover."""

    minor_per_mu: int
    basis: str
    """`table` or `crop_template` (the cash cost of the crop's template)."""


def scale_on(crop: str, currency: str, day: dt.date, template_minor_per_ha: int | None) -> Scale:
    """Return the scale of finance in force on a day.

    Args:
        crop: Crop code.
        currency: Currency wanted.
        day: Knowledge date.
        template_minor_per_ha: Cash cost of the crop template, used where the table has no row.
    """
    row = _scales().get((crop, currency), ())
    known = [amount for valid_from, amount in row if valid_from <= day]
    if known:
        return Scale(known[-1], "table")
    if template_minor_per_ha is None:
        return Scale(0, "unknown")
    return Scale(template_minor_per_ha // MU_PER_HA, "crop_template")


@cache
def _scales() -> dict[tuple[str, str], tuple[tuple[dt.date, int], ...]]:
    found: dict[tuple[str, str], list[tuple[dt.date, int]]] = {}
    for row in table_rows("scale_of_finance.csv"):
        amount = to_minor(Decimal(row["amount_per_mu"]), row["currency"])
        entry = (dt.date.fromisoformat(row["valid_from"]), amount)
        found.setdefault((row["crop"], row["currency"]), []).append(entry)
    return {key: tuple(sorted(rows)) for key, rows in found.items()}
