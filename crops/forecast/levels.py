"""Naive levels: what a county's yield would be if nothing were known of the season.

Owns the three that everybody compares with (county mean, common trend, mean of the last five known
years); a level never reads the yield of its own year or a later one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fieldline.crops.forecast.county_years import CountyYears
from fieldline.crops.series import Floats

LAST = 5
"""Years of the mean of last years."""
NAIVE = ("mean", "trend", "last5")


@dataclass(frozen=True)
class Levels:
    """What past years say of each county."""

    mean: Mapping[str, float]
    """Plain mean by county."""
    overall: float
    detrended: Mapping[str, float]
    """Yield at year 0 by county, drawn to all counties' by one year's worth."""
    base: float
    slope: float
    """Yield per year, of all counties within themselves."""
    history: Mapping[tuple[str, int], float]
    """Known yields by county and year, for tables that tell no earlier years."""

    @classmethod
    def of(cls, past: CountyYears, history: CountyYears | None = None) -> Levels:
        """Return the levels that past years give.

        Args:
            past: County-years with yields.
            history: More known years, for the last five only: by the time a later year is
                forecast, those between are published.
        """
        frame = pd.DataFrame({"county": past.county, "year": past.year, "y": past.target})
        by = frame.groupby("county")
        within = frame["year"] - by["year"].transform("mean")
        rise = frame["y"] - by["y"].transform("mean")
        spread = float((within**2).sum())
        slope = float((within * rise).sum() / spread) if spread else 0.0
        flat = frame["y"] - slope * frame["year"]
        base = float(flat.mean())
        sums = flat.groupby(frame["county"]).agg(["sum", "size"])
        known = past if history is None else history
        told = zip(known.county.tolist(), known.year.tolist(), known.target.tolist(), strict=True)
        return cls(
            _by_name(by["y"].mean()), float(frame["y"].mean()),
            _by_name((sums["sum"] + base) / (sums["size"] + 1)), base, slope,
            {(county, year): y for county, year, y in told if np.isfinite(y)},
        )  # fmt: skip

    def naive(self, rows: CountyYears) -> dict[str, Floats]:
        """Return the naive levels of rows, by name."""
        counties = pd.Series(rows.county)
        mean = counties.map(self.mean).fillna(self.overall).to_numpy(dtype=float)
        flat = counties.map(self.detrended).fillna(self.base).to_numpy(dtype=float)
        last = self._last(rows)
        return {
            "mean": mean,
            "trend": flat + self.slope * rows.year,
            "last5": np.where(np.isnan(last), mean, last),
        }

    def _last(self, rows: CountyYears) -> Floats:
        """Return the mean of the last years, NaN where none is known."""
        if rows.lags.shape[1]:
            lags = rows.lags[:, :LAST]
        else:
            by: dict[str, list[tuple[int, float]]] = {}
            for (county, year), value in sorted(self.history.items(), reverse=True):
                by.setdefault(county, []).append((year, value))
            lags = np.full((len(rows), LAST), np.nan)
            for row, (county, year) in enumerate(zip(rows.county, rows.year, strict=True)):
                found = [value for told, value in by.get(county, []) if told < year][:LAST]
                lags[row, : len(found)] = found
        seen = np.isfinite(lags)
        total = np.where(seen, lags, 0.0).sum(axis=1)
        return np.where(seen.any(axis=1), total / np.maximum(seen.sum(axis=1), 1), np.nan)


def _by_name(values: pd.Series[float]) -> dict[str, float]:
    return {str(name): float(value) for name, value in values.items()}
