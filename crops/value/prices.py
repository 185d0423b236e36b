"""Crop prices: dated series in the county's currency per tonne, and how far they may still move.

Owns reading, unit conversion and price quantiles. A price in another currency or an unknown unit is
refused, never converted by guess; nothing dated after the as-of date is seen. One idea: the
best forecast of a price is its last value, and its uncertainty is how much the same series moved
over horizons of the same length before.

Source: Meese & Rogoff (1983) and the literature since on random-walk price forecasts.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.pinksheet import read_pink_sheet
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import minor_units

_COLUMNS = ("crop", "date", "price", "currency", "unit", "source")
_KG_PER_TONNE = 1000.0
_MONTH_DAYS = 30.4375
_MIN_CHANGES = 12
Z80 = 1.2815515655446004


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


@cache
def unit_kilograms() -> dict[tuple[str, str], float]:
    """Return kilograms by (unit, crop); crop is empty where the unit holds for all crops."""
    with (files("fieldline") / "data" / "price_units.csv").open(encoding="utf-8") as handle:
        return {(r["unit"], r["crop"]): float(r["kilograms"]) for r in csv.DictReader(handle)}


def tonne_factor(unit: str, crop: str, currency: str) -> float:
    """Return what a price in `unit` is multiplied with to become a price per tonne.

    Args:
        unit: Such as `CNY/kg` or `USD/bu`.
        crop: Crop code; bushels weigh differently by crop.
        currency: Currency that the row states.

    Raises:
        UserError: The unit is unknown or names another currency.
    """
    found = re.fullmatch(r"(?:([A-Z]{3})/)?([A-Za-z]+)", unit.strip())
    mass = found and unit_kilograms().get((found[2], crop), unit_kilograms().get((found[2], "")))
    if found is None or mass is None:
        raise UserError(
            f"price unit {unit!r} of {crop} is unknown", "use a unit of data/price_units.csv"
        )
    if found[1] not in (None, currency):
        raise UserError(
            f"price unit {unit!r} of {crop} does not match its currency {currency}",
            "correct the row",
        )
    return _KG_PER_TONNE / mass


def read_prices(path: Path, layout: str, currency: str, as_of: dt.date) -> pd.DataFrame:
    """Read a price table as prices per tonne that were known at the as-of date.

    Args:
        path: The table; a World Bank workbook is recognised by its ending .xlsx.
        layout: `long` (crop, date, price, currency, unit, source) or `imf_pcps`.
        currency: The county's currency.
        as_of: Later prices are left out.

    Returns:
        `crop`, `date`, `per_tonne`, `source`, sorted by crop and date, one row per crop and date.

    Raises:
        UserError: Unreadable table, unknown unit, price not above zero, or another currency.
    """
    if path.suffix == ".xlsx":
        frame = _mapped("worldbank_cmo", read_pink_sheet(path)[0], path)
    elif layout == "imf_pcps":
        frame = _mapped("imf_pcps", _read_wide(path), path)
    else:
        frame = _read_long(path)
    frame = frame[frame["date"] <= pd.Timestamp(as_of)]
    _refuse_foreign(frame, currency, path)
    bad = frame[~(frame["price"] > 0)]
    if len(bad):
        raise UserError(
            f"{path} has the price {bad.iloc[0]['price']} for {bad.iloc[0]['crop']}",
            "prices lie above zero: correct or remove the row",
        )
    factors = {
        (unit, crop): tonne_factor(unit, crop, currency)
        for unit, crop in sorted(set(zip(frame["unit"], frame["crop"], strict=True)))
    }
    factor = [factors[key] for key in zip(frame["unit"], frame["crop"], strict=True)]
    tidy = frame.assign(per_tonne=frame["price"] * np.asarray(factor, dtype=float))
    return tidy.groupby(["crop", "date"], as_index=False, sort=True).agg(
        per_tonne=("per_tonne", "median"), source=("source", "first")
    )


def _read_long(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path)
    except FileNotFoundError as error:
        raise UserError(f"price table {path} does not exist", "correct inputs.prices") from error
    missing = [name for name in _COLUMNS if name not in frame.columns]
    if missing:
        raise UserError(f"price table {path} lacks the columns {missing}", "add them")
    try:
        return frame.assign(
            date=pd.to_datetime(frame["date"], format="ISO8601"), price=frame["price"].astype(float)
        )
    except ValueError as error:
        raise UserError(
            f"price table {path}: {error}", "write dates as 2024-05-31 and prices as 2.45"
        ) from error


def _read_wide(path: Path) -> pd.DataFrame:
    """Read a wide monthly table, refusing one whose header does not name every value."""
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle))
    header, body = rows[0], rows[1:]
    widths = {len(row) for row in body}
    if widths != {len(header)}:
        raise UserError(
            f"{path} names {len(header)} columns but its rows hold {sorted(widths)} values, so no "
            "value can be told to belong to a crop",
            "repair the header or use another price table, such as the World Bank workbook",
        )
    frame = pd.DataFrame(body, columns=header)
    values: pd.DataFrame = frame.drop(columns=header[0]).apply(pd.to_numeric, errors="coerce")
    return values.set_index(pd.to_datetime(frame[header[0]]))


def _mapped(table: str, wide: pd.DataFrame, path: Path) -> pd.DataFrame:
    with (files("fieldline") / "data" / "price_series.csv").open(encoding="utf-8") as handle:
        series = [row for row in csv.DictReader(handle) if row["table"] == table]
    parts = []
    for row in series:
        if row["column"] not in wide.columns:
            raise UserError(
                f"{path} has no series {row['column']!r}", "correct data/price_series.csv"
            )
        values = wide[row["column"]].dropna()
        part = pd.DataFrame({"date": values.index, "price": values.to_numpy(dtype=float)})
        parts.append(part.assign(**{n: row[n] for n in ("crop", "currency", "unit", "source")}))
    return pd.concat(parts, ignore_index=True)


def _refuse_foreign(frame: pd.DataFrame, currency: str, path: Path) -> None:
    foreign = sorted(set(frame["currency"]) - {currency})
    if foreign:
        raise UserError(
            f"{path} holds prices in {foreign} and the county reckons in {currency}",
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
