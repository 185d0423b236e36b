"""Daily values of many weather cells on one calendar: checked, filled and completed.

Owns the rules for a daily value; knows no file and no parcel. Temperature gaps up to a set length
are interpolated; rain is never interpolated (it comes in events): a missing day takes the mean of
the other cells on that day, or stays missing where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.pipeline.parcels.rings import Floats
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.weather.evapotranspiration import extraterrestrial_radiation, hargreaves

TEMPERATURES = ("tmin_c", "tmax_c", "tmean_c")
OPTIONAL = ("radiation_mj_m2", "et0_mm", "wind_m_s")
NEEDED = (*TEMPERATURES, "precip_mm", "et0_mm")
"""What hazards are read from: where one is never there, the outcome says so."""
VARIABLES = (*TEMPERATURES, "precip_mm", *OPTIONAL)
#: Physical limits of daily values: WMO records of temperature, rain, wind; FAO-56 for the rest.
LIMITS = {
    "tmin_c": (-80.0, 50.0),
    "tmax_c": (-70.0, 60.0),
    "tmean_c": (-75.0, 50.0),
    "precip_mm": (0.0, 1000.0),
    "radiation_mj_m2": (0.0, 45.0),
    "et0_mm": (0.0, 20.0),
    "wind_m_s": (0.0, 60.0),
}


Flags = npt.NDArray[np.bool_]


@dataclass
class Series:
    """Daily values of all cells on one calendar."""

    days: pd.DatetimeIndex
    """Every day of the window, without holes."""
    cells: list[str]
    """Cell ids, sorted."""
    values: dict[str, Floats]
    """Array (day, cell) per variable, NaN where missing."""
    filled: dict[str, Flags]
    """Whether the value of a variable on a day and cell was filled."""
    derived: dict[str, Flags]
    """Whether it was computed from the others."""
    bad: npt.NDArray[np.int64]
    """Values per cell that broke a rule and count as missing."""
    crossed: npt.NDArray[np.int64]
    """Days per cell whose minimum lay above the maximum; they are among the bad ones."""


def empty_series(season: Season) -> Series:
    """Return the calendar of a season, to its end or as-of date, without any cell."""
    days = pd.date_range(season.start, min(season.end, season.as_of), freq="D")
    empty = {name: np.empty((len(days), 0)) for name in VARIABLES}
    none = np.empty(0, dtype=np.int64)
    return Series(days, [], empty, _unmarked(len(days), 0), _unmarked(len(days), 0), none, none)


def _unmarked(days: int, cells: int) -> dict[str, Flags]:
    return {name: np.zeros((days, cells), dtype=bool) for name in VARIABLES}


def any_of(marks: dict[str, Flags]) -> Flags:
    """Return the days and cells on which any variable is marked."""
    return np.asarray(np.logical_or.reduce([*marks.values()]))


def daily_series(frame: pd.DataFrame, season: Season) -> Series:
    """Arrange daily rows on the season's calendar; nothing after the as-of date is kept.

    Equal duplicate days count once; contradicting ones count as missing, because nobody can say
    which is right.

    Args:
        frame: `cell_id`, `date` (days, NaT where unknown) and `VARIABLES`.
        season: Window of days.
    """
    series = empty_series(season)
    if not len(series.days):
        return series
    first = series.days[0].to_numpy().astype("datetime64[D]")
    day = (frame["date"].to_numpy().astype("datetime64[D]") - first).astype(np.int64)
    inside = (day >= 0) & (day < len(series.days))
    codes, names = pd.factorize(frame["cell_id"].array[inside], sort=True)
    series.cells = [str(name) for name in names]
    place = day[inside] * len(names) + codes
    rows_of_place = np.bincount(place, minlength=len(series.days) * len(names))
    twice = rows_of_place[place] > 1
    tidy = frame.loc[inside, list(VARIABLES)]
    doubled = tidy[twice].assign(place=place[twice]).drop_duplicates()
    clash = doubled.duplicated("place", keep=False)
    agreed = doubled[~clash]
    for name in VARIABLES:
        flat = np.full(len(rows_of_place), np.nan)
        flat[place[~twice]] = tidy[name].to_numpy(dtype=float)[~twice]
        flat[agreed["place"].to_numpy()] = agreed[name].to_numpy(dtype=float)
        series.values[name] = flat.reshape(len(series.days), len(names))
    clashing = doubled.loc[clash, "place"].to_numpy() % max(len(names), 1)
    series.bad = np.bincount(clashing, minlength=len(names)).astype(np.int64)
    series.crossed = np.zeros(len(names), dtype=np.int64)
    series.filled = _unmarked(len(series.days), len(names))
    series.derived = _unmarked(len(series.days), len(names))
    return series


def check_values(series: Series) -> None:
    """Turn values outside physical limits, and minima above maxima, into missing ones."""
    for name, (low, high) in LIMITS.items():
        values = series.values[name]
        _drop(series, (name,), (values < low) | (values > high))
    lower, upper, mean = (series.values[name] for name in TEMPERATURES)
    series.crossed = series.crossed + (lower > upper).sum(axis=0)
    _drop(series, ("tmin_c", "tmax_c"), lower > upper)
    _drop(series, ("tmean_c",), (mean < lower) | (mean > upper))


def _drop(series: Series, names: tuple[str, ...], wrong: npt.NDArray[np.bool_]) -> None:
    for name in names:
        series.values[name][wrong] = np.nan
    series.bad += wrong.sum(axis=0)


def fill_gaps(series: Series, max_gap_days: int) -> None:
    """Fill short gaps and mark the day: temperatures in time, rain from the other cells.

    Gaps before the first and after the last value are never filled: that would be extrapolation.

    Args:
        series: Changed in place.
        max_gap_days: Longest gap that is filled, days.
    """
    for name in VARIABLES:
        values = series.values[name]
        short = _short_gaps(np.isnan(values), max_gap_days)
        if not short.any():
            continue
        fill = _other_cells_mean(values) if name == "precip_mm" else _interpolated(values)
        use = short & ~np.isnan(fill)
        values[use] = fill[use]
        series.filled[name] |= use


def _short_gaps(missing: npt.NDArray[np.bool_], longest: int) -> npt.NDArray[np.bool_]:
    short = np.zeros_like(missing)
    for cell in range(missing.shape[1]):
        for first, last in runs(missing[:, cell]):
            inside = first > 0 and last < len(missing)
            if inside and last - first <= longest:
                short[first:last, cell] = True
    return short


def runs(flags: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _interpolated(values: Floats) -> Floats:
    out = values.copy()
    days = np.arange(len(values))
    for cell in np.flatnonzero(np.isnan(values).any(axis=0)):
        known = ~np.isnan(values[:, cell])
        if known.any():
            out[:, cell] = np.interp(days, days[known], values[known, cell])
    return out


def _other_cells_mean(values: Floats) -> Floats:
    counts = (~np.isnan(values)).sum(axis=1)
    with np.errstate(invalid="ignore"):
        mean = np.nansum(values, axis=1) / np.where(counts > 0, counts, np.nan)
    return np.repeat(mean[:, None], values.shape[1], axis=1)


def complete(series: Series, latitude: Floats) -> None:
    """Derive mean temperature and reference evapotranspiration where the file has none.

    Args:
        series: Changed in place.
        latitude: Of each cell, degrees.

    Source: FAO-56 eq. 9 (mean of the extremes) and eq. 52 (Hargreaves).
    """
    lower, upper, _ = (series.values[name] for name in TEMPERATURES)
    _derive(series, "tmean_c", (lower + upper) / 2)
    day = series.days.day_of_year.to_numpy(dtype=float)[:, None]
    estimate = hargreaves(lower, upper, extraterrestrial_radiation(latitude[None, :], day))
    _derive(series, "et0_mm", estimate)


def _derive(series: Series, name: str, estimate: Floats) -> None:
    values = series.values[name]
    use = np.isnan(values) & ~np.isnan(estimate)
    values[use] = estimate[use]
    series.derived[name] |= use


def has_values(series: Series) -> npt.NDArray[np.bool_]:
    """Return which cells have any day with a mean temperature, or where none has, with anything."""
    warm = (~np.isnan(series.values["tmean_c"])).any(axis=0)
    known = np.logical_or.reduce([~np.isnan(series.values[name]) for name in NEEDED])
    return np.asarray(warm if warm.any() else known.any(axis=0))
