"""Gross values by area: what a hectare of an orchard or greenhouse brings in a year.

Owns the lender's own dated table of them. Permanent crops and covered land have no yield that a
curve tells, so they are valued by area or not at all; such a value is flagged by its basis,
carries no yield or price, and one that is too old values nothing. Income is drawn in `lending`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.per_hectare import AREA, gross_value, net_income
from fieldline.crops.value.prices import Z80
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import Money
from fieldline.pipeline.records.reference import TableRow, checked_rows, crops

_COLUMNS = ("crop", "region", "gross_per_ha", "currency", "log_sd", "published_on", "source")
_GROUPS = ("permanent", "facility")


@dataclass(frozen=True)
class AreaValue:
    """What a hectare of a crop brings in a year."""

    gross: Money
    log_sd: float
    """Log sd of a single parcel's gross value."""
    published_on: dt.date
    source: str


def area_values(settings: YieldSettings, currency: str, as_of: dt.date) -> dict[str, AreaValue]:
    """Return the last value of each crop that was public at the as-of date and is not too old.

    Args:
        settings: Table, its region (the costs' one) and how old a value may be.
        currency: Currency that the county reckons in.
        as_of: Knowledge date.

    Raises:
        UserError: The table cannot be read, or a row of the region holds no such value.
    """
    if settings.area_value_file is None or settings.cost_region is None:
        return {}
    found: dict[str, AreaValue] = {}
    for row in checked_rows(settings.area_value_file, _COLUMNS):
        if row.text("region") != settings.cost_region:
            continue
        crop, value = row.text("crop"), _value(row, currency)
        known = found.get(crop)
        if known is not None and known.published_on == value.published_on:
            raise row.wrong("published_on", f"keep one row of {crop} and this day")
        age = (as_of - value.published_on).days
        later = known is None or value.published_on > known.published_on
        if later and 0 <= age <= settings.area_value_days:
            found[crop] = value
    return found


def _value(row: TableRow, currency: str) -> AreaValue:
    crop = crops().get(row.text("crop"))
    if crop is None or crop.group not in _GROUPS:
        raise row.wrong("crop", f"value by area only crops of data/crops.csv in {_GROUPS}")
    if row.text("currency") != currency:
        raise UserError(
            f"{row.table}, row {row.number}, states {row.text('currency')} and the county reckons "
            f"in {currency}",
            f"state the region's values in {currency}; no exchange rate is assumed",
        )
    gross, log_sd = row.decimal("gross_per_ha"), row.decimal("log_sd")
    if gross <= 0:
        raise row.wrong("gross_per_ha", "write a value above 0")
    if log_sd <= 0:
        raise row.wrong("log_sd", "write the log sd between parcels, above 0, such as 0.4")
    return AreaValue(
        Money.of(gross, currency), float(log_sd), row.day("published_on"), row.text("source")
    )


def by_area(value: AreaValue, currency: str, cost_minor: int | None) -> dict[str, Any]:
    """Return gross value, net income and their basis of a hectare that is valued by area."""
    span = Z80 * value.log_sd
    gross = gross_value(1.0, value.gross.minor_in(currency), 0.0, span, span)
    return {
        **gross, **net_income(gross, cost_minor), "value_basis": AREA,
        "value_base_date": value.published_on, "value_base_source": value.source,
    }  # fmt: skip
