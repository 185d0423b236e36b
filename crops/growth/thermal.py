"""Thermal time: degree days between two days, by weather cell and crop, for many parcels at once.

Owns the sums and what a missing day does to them: thermal time across a day whose weather is not
known is not known. It reads no curve.

Source: McMaster & Wilhelm (1997) method 2 (`stress.daily_degree_days`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldline.crops.growth.stress import daily_degree_days
from fieldline.crops.growth.thresholds import thresholds
from fieldline.crops.series import Floats, Ints
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table

Names = NDArray[np.object_]
_OTHER = "default"


@dataclass(frozen=True)
class ThermalClock:
    """Daily degree days of a season, by weather cell and crop."""

    tmin: Mapping[str, Floats]
    """Daily minimum by cell from the season's first day on, Celsius; NaN where not known."""
    tmax: Mapping[str, Floats]
    cell_of: Mapping[str, str]
    """Weather cell by parcel."""
    length: int
    """Days."""
    _found: dict[tuple[str, str], tuple[Floats, Ints]] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, weather: Path, cells: Path, season: Season) -> ThermalClock:
        """Return the clock of a season's weather up to its end or as-of date.

        Args:
            weather: `weather.parquet`.
            cells: `weather_cells.parquet`.
            season: The season.
        """
        frame = read_table(weather, ["cell_id", "date", "tmin_c", "tmax_c"])
        days = pd.date_range(season.start, min(season.end, season.as_of))
        frame["date"] = pd.to_datetime(frame["date"])
        parts = {
            str(name): part.set_index("date").reindex(days)
            for name, part in frame.groupby("cell_id")
        }
        table = read_table(cells, ["parcel_id", "cell_id"])
        return cls(
            {name: part["tmin_c"].to_numpy(dtype=float) for name, part in parts.items()},
            {name: part["tmax_c"].to_numpy(dtype=float) for name, part in parts.items()},
            dict(zip(table["parcel_id"], table["cell_id"].astype(str), strict=True)), len(days),
        )  # fmt: skip

    def rows(self, parcels: Sequence[str], crops: Names) -> ThermalRows:
        """Return the degree days of parcels.

        Args:
            parcels: Parcels; without a cell they have no thermal time.
            crops: Crop of each, whose base and upper temperature count; null for the usual ones.
        """
        names = [crop if isinstance(crop, str) else _OTHER for crop in crops]
        keys = [(self.cell_of.get(p, ""), crop) for p, crop in zip(parcels, names, strict=True)]
        order = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        sums = [self._sums(*key) for key in order]
        empty = np.zeros((0, self.length + 1))
        return ThermalRows(
            np.array([order[key] for key in keys], dtype=np.int64),
            np.array([done for done, _ in sums]) if sums else empty,
            np.array([gone for _, gone in sums]) if sums else empty.astype(np.int64),
        )

    def _sums(self, cell: str, crop: str) -> tuple[Floats, Ints]:
        """Return degree days, and days not known, before each day."""
        found = self._found.get((cell, crop))
        if found is None:
            daily = self.daily(cell, crop)
            missing = np.isnan(daily)
            found = (
                np.concatenate([[0.0], np.cumsum(np.where(missing, 0.0, daily))]),
                np.concatenate([[0], np.cumsum(missing)]).astype(np.int64),
            )
            self._found[(cell, crop)] = found
        return found

    def daily(self, cell: str, crop: str) -> Floats:
        """Return degree days of each day, NaN where not known."""
        if cell not in self.tmin:
            return np.full(self.length, np.nan)
        limits = thresholds().get(crop, thresholds()[_OTHER])
        return daily_degree_days(self.tmin[cell], self.tmax[cell], limits)


@dataclass(frozen=True)
class ThermalRows:
    """Degree days of parcels, one row of sums for those that share cell and crop."""

    row: Ints
    sums: Floats
    """(rows, days + 1) degree days before each day."""
    missing: Ints
    """The same of days that are not known."""

    def between(self, first: Floats, days: Floats) -> Floats:
        """Return the thermal time from a day of each parcel to others.

        Args:
            first: (parcels,) days since the season's start; NaN where there is none.
            days: (days,) the same for all parcels, or (parcels, days); NaN where there is none.

        Returns:
            (parcels, days) degree days, negative before `first`, NaN where a day between is not
            known or `first` is not.
        """
        last = self.sums.shape[1] - 1
        start = np.nan_to_num(first)[:, None]
        asked = np.broadcast_to(days, (len(first), days.shape[-1]))
        to = np.nan_to_num(asked)
        found = self._at(to, self.sums, last) - self._at(start, self.sums, last)
        early, late = np.minimum(start, to), np.maximum(start, to)
        gone = self._whole(np.ceil(late), last) - self._whole(np.floor(early), last)
        known = (gone == 0) & (late <= last) & ~np.isnan(first)[:, None] & ~np.isnan(asked)
        return np.where(known, found, np.nan)

    def _at(self, days: Floats, sums: Any, last: int) -> Floats:
        """Return sums at days that need not be whole."""
        low = np.clip(np.floor(days), 0, last).astype(np.int64)
        high = np.minimum(low + 1, last)
        share = np.clip(days - low, 0.0, 1.0)
        rows = self.row[:, None]
        return np.asarray(sums[rows, low] * (1 - share) + sums[rows, high] * share)

    def _whole(self, days: Floats, last: int) -> Ints:
        at = np.clip(days, 0, last).astype(np.int64)
        return np.asarray(self.missing[self.row[:, None], at])


def usual_clock(clocks: Sequence[ThermalClock], like: ThermalClock, length: int) -> ThermalClock:
    """Return a clock whose weather is the mean of earlier seasons, day by day.

    Args:
        clocks: Those of earlier seasons.
        like: The clock of the season that is asked for, whose parcels lie in its cells.
        length: Days of the whole season.
    """
    both: list[dict[str, Floats]] = []
    for of in ("tmin", "tmax"):
        found: dict[str, Floats] = {}
        for cell in set(like.cell_of.values()):
            years = [getattr(clock, of)[cell] for clock in clocks if cell in getattr(clock, of)]
            padded = [
                np.concatenate([year[:length], np.full(max(0, length - len(year)), np.nan)])
                for year in years
            ]
            if padded:
                table = np.array(padded)
                count = np.isfinite(table).sum(axis=0)
                total = np.where(np.isfinite(table), table, 0.0).sum(axis=0)
                found[cell] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        both.append(found)
    return ThermalClock(both[0], both[1], like.cell_of, length)
