"""Naive levels: what a county's yield would be if nothing were known of the season.

Owns the three that everybody compares with (county mean, common trend, mean of the last five known
years) and a fourth between them: the last years carried on by the common trend, for their mean is
of three years ago. None reads the yield of its own year; the last years are those before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fieldline.crops.forecast.county_years import CountyYears
from fieldline.crops.series import Floats, Ints

LAST = 5
"""Years of the mean of last years."""
NAIVE = ("mean", "trend", "last5")
"""Those that a forecast is held against."""
LEVELS = (*NAIVE, "drift")
"""Those that it is made of."""
_SPAN = 100_000
"""More than any year, so that county and year are one number."""


@dataclass(frozen=True)
class History:
    """Known yields of counties, by county and year."""

    names: pd.Index
    key: Ints
    """Place of the county times `_SPAN` plus the year, rising."""
    yields: Floats

    @classmethod
    def of(cls, known: CountyYears) -> History:
        """Return the yields that are known."""
        told = np.isfinite(known.target)
        place, names = pd.factorize(known.county[told].astype(object))
        key = place.astype(np.int64) * _SPAN + known.year[told]
        order = np.argsort(key, kind="stable")
        return cls(pd.Index(names), key[order], known.target[told][order])

    def before(self, rows: CountyYears) -> tuple[Floats, Floats]:
        """Return (rows, LAST) yields of the last known years before each row, and how long ago."""
        place = _placed(self.names, rows)
        own = np.searchsorted(self.key, place * _SPAN + rows.year)[:, None] - np.arange(1, LAST + 1)
        if not len(self.key):
            return np.full(own.shape, np.nan), np.zeros(own.shape)
        at = np.maximum(own, 0)
        same = (own >= 0) & (self.key[at] // _SPAN == place[:, None]) & (place >= 0)[:, None]
        ago = np.where(same, rows.year[:, None] - self.key[at] % _SPAN, 0.0)
        return np.where(same, self.yields[at], np.nan), ago


@dataclass(frozen=True)
class Levels:
    """What past years say of each county."""

    names: pd.Index
    """Counties, in the order of `mean` and `detrended`."""
    mean: Floats
    """Plain mean."""
    overall: float
    detrended: Floats
    """Yield at year 0, drawn to all counties' by one year's worth."""
    base: float
    slope: float
    """Yield per year, of all counties within themselves."""
    history: History
    """For tables that tell no earlier years."""

    @classmethod
    def of(cls, past: CountyYears, history: CountyYears | None = None) -> Levels:
        """Return the levels that past years give.

        Args:
            past: County-years with yields.
            history: More known years, for the last five only: by the time a later year is
                forecast, those between are published.
        """
        place, names = pd.factorize(past.county.astype(object))
        count, year = np.bincount(place), past.year.astype(float)
        mean = np.bincount(place, past.target) / count
        within = year - (np.bincount(place, year) / count)[place]
        spread = float((within**2).sum())
        slope = float((within * (past.target - mean[place])).sum() / spread) if spread else 0.0
        flat = past.target - slope * year
        base = float(flat.mean())
        return cls(
            pd.Index(names), mean, float(past.target.mean()),
            (np.bincount(place, flat) + base) / (count + 1), base, slope,
            History.of(past if history is None else history),
        )  # fmt: skip

    def naive(self, rows: CountyYears) -> dict[str, Floats]:
        """Return the levels of rows, by name of `LEVELS`."""
        place = _placed(self.names, rows)
        mean = np.where(place >= 0, self.mean[place], self.overall)
        trend = np.where(place >= 0, self.detrended[place], self.base) + self.slope * rows.year
        last, ago = self._last(rows)
        known = np.isfinite(last)
        return {
            "mean": mean, "trend": trend, "last5": np.where(known, last, mean),
            "drift": np.where(known, last + self.slope * ago, trend),
        }  # fmt: skip

    def _last(self, rows: CountyYears) -> tuple[Floats, Floats]:
        """Return the mean of the last known years, NaN where there is none, and its years ago."""
        if rows.lags.shape[1]:
            lags = rows.lags[:, :LAST]
            ago = np.broadcast_to(np.arange(1.0, lags.shape[1] + 1), lags.shape)
        else:
            lags, ago = self.history.before(rows)
        seen = np.isfinite(lags)
        count = seen.sum(axis=1)
        mean, since = (
            np.where(seen, part, 0.0).sum(axis=1) / np.maximum(count, 1) for part in (lags, ago)
        )
        return np.where(count > 0, mean, np.nan), since


def _placed(names: pd.Index, rows: CountyYears) -> Ints:
    """Return the place of each row's county among names, -1 where it is none of them."""
    return names.get_indexer(pd.Index(rows.county.astype(object))).astype(np.int64)
