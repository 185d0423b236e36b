"""Crop prices: dated series in the county's currency per tonne, and how far they may still move.

Owns the price tables, which of their rows count, and price quantiles. A price in another currency
is left out, never converted; nothing dated after the as-of date is seen. One idea: the best
forecast of a price is its last value, and its uncertainty is how much the same series moved over
horizons of the same length before.

Source: Meese & Rogoff (1983) and the literature since on random-walk price forecasts.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.inputs import PRICES
from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.monthly import read_monthly
from fieldline.crops.value.pinksheet import is_pink_sheet
from fieldline.crops.value.price_units import price_bracket, price_unit
from fieldline.pipeline.inputs.read import Reading, read_input
from fieldline.pipeline.inputs.schema import Problem, counted, without
from fieldline.pipeline.inputs.values import BadCellError
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import minor_units

_MONTH_DAYS = 30.4375
_MIN_CHANGES = 12
_MONTH_LABELS = (1, 15)
_MONTHS_TELL = 6
"""Months that a series must tell by one day before that day is taken for the month's name."""
Z80 = 1.2815515655446004
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class CropPrice:
    """What is known of a crop's price at the as-of date."""

    per_tonne: float
    """Last price, major currency units per tonne."""
    log_sd: float
    """Standard deviation of the log price change to the sale."""
    date: dt.date
    source: str
    stale: bool

    def minor(self, currency: str, z: float = 0.0) -> int:
        """Return the price `z` standard deviations away, minor units per tonne."""
        return round(self.per_tonne * float(np.exp(z * self.log_sd)) * minor_units(currency))


def read_prices(
    path: Path, layout: str, currency: str, as_of: dt.date, columns: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read a price table as prices per tonne that were known at the as-of date.

    Args:
        path: The table; the World Bank's workbook is recognised by its sheet.
        layout: `long` (crop, date, price, currency, unit, source), `imf_pcps` or `worldbank_cmo`.
        currency: The county's currency.
        as_of: Later prices are left out.
        columns: The table's own column names by Fieldline's (`long` alone).

    Returns:
        `crop`, `date`, `per_tonne`, `source`, sorted by crop and date, one row per crop and date.
        Rows that cannot be used are left out and counted in the log.

    Raises:
        UserError: Unreadable table, or one that is in another currency throughout.
    """
    frame, problems = price_rows(path, layout, currency, columns)
    problems = [*problems, *price_problems(frame, problems, currency, as_of)]
    _refuse_foreign(frame, problems, currency, path)
    if problems:
        _LOG.warning("%s: rows left out: %s", path, counted(problems))
    kept = without(frame, problems)
    units = zip(kept["unit"], kept["crop"], strict=True)
    factor = [price_unit(unit, crop, currency).per_tonne for unit, crop in units]
    tidy = kept.assign(
        per_tonne=kept["price"].astype(float) * np.asarray(factor, dtype=float),
        source=kept["source"].fillna(path.name),
    )
    return tidy.groupby(["crop", "date"], as_index=False, sort=True).agg(
        per_tonne=("per_tonne", "median"), source=("source", "first")
    )


def price_rows(
    path: Path, layout: str, currency: str, columns: Mapping[str, str] | None = None
) -> tuple[pd.DataFrame, list[Problem]]:
    """Return all rows of a price table by the columns of `PRICES`, and what is wrong with cells.

    Raises:
        UserError: The table cannot be read.
    """
    if layout != "long" or is_pink_sheet(path):
        return read_monthly(path, layout), []
    table = read_input(path, PRICES, Reading(currency, columns or {}, "inputs"))
    return table.frame.assign(date=month_ends(table.frame)), table.problems


def month_ends(frame: pd.DataFrame) -> pd.Series[Any]:
    """Return the dates of prices, those of monthly means moved to the month's last day.

    Offices date a month's mean by its 1st or its 15th. A crop's series is one where each of half a
    year's rows or more stands in a month of its own and all name the same of these days: nobody
    knew its mean before the month was over.

    Args:
        frame: Columns `crop`, `date` and `source`, missing where unreadable.
    """
    dates = frame["date"]
    known = dates.notna() & frame["crop"].notna()
    by = [frame.loc[known, "crop"], frame.loc[known, "source"].fillna("")]
    days = dates[known].dt.day.groupby(by)
    months = dates[known].dt.to_period("M").groupby(by)
    named = days.transform("min").isin(_MONTH_LABELS) & (days.transform("nunique") == 1)
    single = months.transform("nunique") == days.transform("size")
    monthly = named & single & (days.transform("size") >= _MONTHS_TELL)
    moved = dates[known] + pd.offsets.MonthEnd(0)
    return dates.where(~known, dates[known].where(~monthly, moved))


def price_problems(
    frame: pd.DataFrame, problems: list[Problem], currency: str, as_of: dt.date
) -> list[Problem]:
    """Return why rows of a price table do not count, by the county's currency and as-of date.

    Args:
        frame: Rows as `price_rows` gives them.
        problems: Those rows' problems so far; such rows are not looked at again.
        currency: The county's currency.
        as_of: Knowledge date.
    """
    bad = {problem.row - 1 for problem in problems}
    found = []
    for row, record in zip(frame.index, frame.to_dict("records"), strict=True):
        problem = None if row in bad else _problem(record, currency, as_of)
        if problem is not None:
            found.append(Problem(int(row) + 1, *problem))
    return found


def _problem(
    record: Mapping[Any, Any], currency: str, as_of: dt.date
) -> tuple[str, str, str] | None:
    stated = record["currency"] if isinstance(record["currency"], str) else ""
    if stated and stated != currency:
        return "currency", "input_other_currency", stated
    try:
        unit = price_unit(record["unit"], record["crop"], currency)
    except BadCellError as error:
        return "unit", error.code, record["unit"]
    if unit.currency and unit.currency != currency:
        return "unit", "input_other_currency", record["unit"]
    if not (stated or unit.currency):
        return "currency", "input_missing", ""
    bracket = price_bracket(record["crop"], currency)
    if bracket is not None and not bracket[0] <= record["price"] * unit.per_tonne <= bracket[1]:
        return "price", "input_implausible", f"{record['price']:g} {record['unit']}"
    told = record.get("published_on")
    public = record["date"] if told is None or pd.isna(told) else max(told, record["date"])
    if public.date() > as_of:
        return "date", "input_after_as_of", str(public.date())
    return None


def _refuse_foreign(
    frame: pd.DataFrame, problems: list[Problem], currency: str, path: Path
) -> None:
    """Refuse a table without one row in the county's currency: that is another county's table."""
    foreign = [problem for problem in problems if problem.code == "input_other_currency"]
    if len(frame) and len(foreign) == len(frame):
        raise UserError(
            f"{path} holds prices in {', '.join(sorted({p.value for p in foreign}))} and the "
            f"county reckons in {currency}",
            "convert them with a dated exchange rate of your choice, or set county.currency",
        )


def crop_prices(
    frame: pd.DataFrame, as_of: dt.date, settings: YieldSettings
) -> dict[str, CropPrice]:
    """Return the last price of each crop with its uncertainty to the sale.

    Args:
        frame: Result of `read_prices`.
        as_of: Knowledge date.
        settings: Staleness, horizon and how far back changes are taken.
    """
    found = {}
    for crop, part in frame.groupby("crop", sort=True):
        last = part.iloc[-1]
        day = last["date"].date()
        monthly = part.set_index("date")["per_tonne"].resample("MS").mean().interpolate()
        sd = log_change_sd(monthly.iloc[-settings.price_months :].to_numpy(), settings)
        stale = (as_of - day).days > settings.price_stale_days
        found[str(crop)] = CropPrice(float(last["per_tonne"]), sd, day, str(last["source"]), stale)
    return found


def log_change_sd(
    monthly: np.ndarray[tuple[int], np.dtype[np.float64]], settings: YieldSettings
) -> float:
    """Root mean square of past log changes over the horizon to the sale.

    Where the series is too short for such changes, `price_log_sd_default` stands in.
    """
    months = max(1, round(settings.price_horizon_days / _MONTH_DAYS))
    if len(monthly) < months + _MIN_CHANGES:
        return settings.price_log_sd_default
    changes = np.log(monthly[months:]) - np.log(monthly[:-months])
    return float(np.sqrt(np.mean(changes**2)))
