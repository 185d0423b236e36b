"""Monthly farm-gate prices: a seasonal swing around a slow random walk.

Owns the price series; calibrated to no market beyond its order of magnitude, and marked simulated.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.workflows.simulate.cultivars import Cultivar, planted
from fieldline.workflows.simulate.settings import SimulateSettings

#: The simulated county lies in China; its papers and prices are in yuan.
CURRENCY = "CNY"
_PERSISTENCE, _STEP_SD = 0.965, 0.028
_MONTHS_AFTER = 3


def _series(
    cultivar: Cultivar, months: pd.DatetimeIndex, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    walk = np.zeros(len(months))
    for place in range(1, len(months)):
        walk[place] = _PERSISTENCE * walk[place - 1] + rng.normal(0, _STEP_SD)
    since = (months.month.to_numpy() - cultivar.price_harvest_month) / 12
    season = -cultivar.price_amplitude * np.cos(2 * np.pi * since)
    return np.asarray(cultivar.price_cny_kg * np.exp(walk + season))


def prices(settings: SimulateSettings) -> pd.DataFrame:
    """Return columns `crop, date, price, currency, unit, source`; a month is dated by its last day.

    The series goes on for three months after the last season, so that the as-of rule has something
    to leave out.
    """
    rng = np.random.default_rng([settings.seed, 5])
    spans = list(settings.seasons.values())
    start = spans[0].start.replace(year=spans[0].start.year - settings.price_years)
    months = pd.date_range(start, spans[-1].end + dt.timedelta(days=31 * _MONTHS_AFTER), freq="ME")
    frames = [
        pd.DataFrame(
            {
                "crop": cultivar.code,
                "date": months.strftime("%Y-%m-%d"),
                "price": _series(cultivar, months, rng).round(3),
                "currency": CURRENCY,
                "unit": f"{CURRENCY}/kg",
                "source": "simulated",
            }
        )
        for cultivar in planted(settings.crops)
    ]
    return pd.concat(frames, ignore_index=True)


PriceBook = dict[str, tuple[list[str], list[float]]]


def price_book(table: pd.DataFrame) -> PriceBook:
    """Return dates and prices by crop, in date order, for fast look-up."""
    return {
        str(crop): (rows["date"].tolist(), rows["price"].tolist())
        for crop, rows in table.sort_values(["crop", "date"]).groupby("crop")
    }


def price_on(book: PriceBook, crop: str, day: dt.date) -> float:
    """Return the last price of a crop on or before a day, CNY/kg."""
    days, series = book[crop]
    return float(series[bisect_right(days, day.isoformat()) - 1])
