"""Monthly farm-gate prices: a seasonal swing around a slow random walk.

Owns the price series; calibrated to no market beyond its order of magnitude, and marked simulated.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.pipeline.records.money import exponent
from fieldline.workflows.simulate.cultivars import planted
from fieldline.workflows.simulate.perennials import sold
from fieldline.workflows.simulate.settings import SimulateSettings

_PRICE_DECIMALS = 9
"""Unit prices may be finer than the least coin; this only takes the noise off a product."""
_PERSISTENCE, _STEP_SD = 0.965, 0.028
_MONTHS_AFTER = 3


class Sold(Protocol):
    """What a price series needs to know of a crop."""

    @property
    def code(self) -> str:
        """Crop code."""

    @property
    def price_cny_kg(self) -> float:
        """Mean price."""

    @property
    def price_amplitude(self) -> float:
        """Relative seasonal swing."""

    @property
    def price_harvest_month(self) -> int:
        """Month of the yearly low."""


def _series(
    cultivar: Sold, months: pd.DatetimeIndex, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    walk = np.zeros(len(months))
    for place in range(1, len(months)):
        walk[place] = _PERSISTENCE * walk[place - 1] + rng.normal(0, _STEP_SD)
    since = (months.month.to_numpy() - cultivar.price_harvest_month) / 12
    season = -cultivar.price_amplitude * np.cos(2 * np.pi * since)
    return np.asarray(cultivar.price_cny_kg * np.exp(walk + season))


def in_currency(
    yuan: npt.NDArray[Any] | pd.Series[Any], settings: SimulateSettings
) -> npt.NDArray[Any]:
    """Return amounts of the simulated economy as its papers state them.

    Args:
        yuan: Amounts drawn, yuan.
        settings: Currency and factor.

    Returns:
        Amounts in the currency, rounded to its minor unit; whole numbers where it has no smaller
        ones.
    """
    amounts = np.asarray(yuan)
    if settings.units_per_yuan is None:
        return amounts
    digits = exponent(settings.currency)
    stated = np.round(amounts * float(settings.units_per_yuan), digits)
    return stated if digits else stated.astype(np.int64)


def _unit_prices(
    yuan: npt.NDArray[np.float64], settings: SimulateSettings
) -> npt.NDArray[np.float64]:
    if settings.units_per_yuan is None:
        return yuan
    return np.asarray((yuan * float(settings.units_per_yuan)).round(_PRICE_DECIMALS))


def prices(settings: SimulateSettings) -> pd.DataFrame:
    """Return columns `crop, date, price, currency, unit, source`; a month is dated by its last day.

    Prices are in the currency of the settings.

    The series goes on for three months after the last season, so that the as-of rule has something
    to leave out.
    """
    rng = np.random.default_rng([settings.seed, 5])
    spans = list(settings.seasons.values())
    start = spans[0].start.replace(year=spans[0].start.year - settings.price_years)
    months = pd.date_range(start, spans[-1].end + dt.timedelta(days=31 * _MONTHS_AFTER), freq="ME")
    crops: tuple[Sold, ...] = (*planted(settings.crops), *sold(settings))
    frames = [
        pd.DataFrame(
            {
                "crop": cultivar.code,
                "date": months.strftime("%Y-%m-%d"),
                "price": _unit_prices(_series(cultivar, months, rng).round(3), settings),
                "currency": settings.currency,
                "unit": f"{settings.currency}/kg",
                "source": "simulated",
            }
        )
        for cultivar in crops
    ]
    return pd.concat(frames, ignore_index=True)


def later_prices(
    prices: pd.DataFrame, cultivars: tuple[Sold, ...], end: dt.date, rng: np.random.Generator
) -> pd.DataFrame:
    """Return the prices with the months that follow them up to a day.

    Args:
        prices: What `prices` returned.
        cultivars: The crops of the county.
        end: Last day; the series goes on to the months after its harvests.
        rng: Generator of the months to come.
    """
    frames = [prices]
    for cultivar in cultivars:
        own = prices[prices["crop"] == cultivar.code]
        last = pd.Timestamp(own["date"].iloc[-1])
        reach = pd.Timestamp(end) + pd.Timedelta(days=31 * _MONTHS_AFTER)
        months = pd.date_range(last, reach, freq="ME")[1:]
        walk, values, before = 0.0, list[float](), float(own["price"].iloc[-1])
        for month in months:
            walk += rng.normal(0, _STEP_SD)
            swing = _swing(cultivar, month.month) - _swing(cultivar, last.month)
            values.append(round(before * float(np.exp(walk + swing)), 3))
        frames.append(
            own.iloc[[-1] * len(months)].assign(date=months.strftime("%Y-%m-%d"), price=values)
        )
    return pd.concat(frames, ignore_index=True)


def _swing(cultivar: Sold, month: int) -> float:
    """Return the log price of a month against the year's, by the time since the harvest."""
    since = (month - cultivar.price_harvest_month) / 12
    return float(-cultivar.price_amplitude * np.cos(2 * np.pi * since))


PriceBook = dict[str, tuple[list[str], list[float]]]


def price_book(table: pd.DataFrame) -> PriceBook:
    """Return dates and prices by crop, in date order, for fast look-up."""
    return {
        str(crop): (rows["date"].tolist(), rows["price"].tolist())
        for crop, rows in table.sort_values(["crop", "date"]).groupby("crop")
    }


def price_on(book: PriceBook, crop: str, day: dt.date) -> float:
    """Return the last price of a crop on or before a day, currency units per kg."""
    days, series = book[crop]
    return float(series[bisect_right(days, day.isoformat()) - 1])
