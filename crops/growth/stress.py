"""Heat, frost and dry wind of one growing season, and the sums that go with them.

Owns what temperature and wind do to a crop on a day; a day that is not known makes the season's
index unknown. Heat is reckoned by the hours above the threshold, not by the day's maximum.

Source: Lobell et al. (2011) Nature Climate Change 1 (1 % of the yield per degree-day of heat, by
hours); Baskerville & Emin (1969) Ecology 50 (sine); QX/T 82-2019 dry hot wind of wheat; FAO-56
eq. 11 (vapour pressure), 47 (wind by height) and 48 (dew point by the minimum).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fieldline.crops.growth.thresholds import CellWeather, Thresholds, known, loss_index
from fieldline.crops.series import Floats
from fieldline.crops.settings import HazardSettings

Days = np.ndarray[Any, np.dtype[np.bool_]]

_TEN_METRES = float(np.log(67.8 * 10 - 5.42) / 4.87)
#: Dry hot wind: least temperature (Celsius), most humidity (share), least wind at 10 m (m/s).
_LIGHT, _HEAVY = (32.0, 0.30, 3.0), (35.0, 0.25, 3.0)


def growing_degree_days(weather: CellWeather, limits: Thresholds) -> float | None:
    """Sum the degree days of a growing season; None where a day is not known."""
    if not known(weather.tmin, weather.tmax):
        return None
    return float(daily_degree_days(weather.tmin, weather.tmax, limits).sum())


def daily_degree_days(tmin: Floats, tmax: Floats, limits: Thresholds) -> Floats:
    """Return daily means above the base, both extremes held within base and upper limit.

    Args:
        tmin: Daily minimum, Celsius.
        tmax: Daily maximum, Celsius.
        limits: Thresholds of the crop.

    Returns:
        Celsius days of each day, NaN where an extreme is.

    Source: McMaster & Wilhelm (1997) method 2; AquaCrop's growing degree day method 2.
    """
    high = np.clip(tmax, limits.base_c, limits.upper_c)
    low = np.clip(tmin, limits.base_c, limits.upper_c)
    return np.asarray((high + low) / 2 - limits.base_c)


def degree_days_above(tmin: Floats, tmax: Floats, threshold: float) -> Floats:
    """Return each day's degree-days above a threshold, the day's course being a sine.

    Args:
        tmin: Daily minimum, Celsius.
        tmax: Daily maximum, Celsius.
        threshold: Celsius.

    Returns:
        Celsius days: hours above the threshold x degrees above it / 24.
    """
    mean, half = (tmin + tmax) / 2, np.maximum((tmax - tmin) / 2, 1e-9)
    cross = np.arcsin(np.clip((threshold - mean) / half, -1.0, 1.0))
    area = ((mean - threshold) * (np.pi / 2 - cross) + half * np.cos(cross)) / np.pi
    return np.asarray(np.where(tmin >= threshold, mean - threshold, np.maximum(area, 0.0)))


def heat_index(
    weather: CellWeather, limits: Thresholds, settings: HazardSettings, stage: Floats
) -> float | None:
    """Index of degree-days of heat, weighted by stage; None where a day is not known."""
    if not known(weather.tmin, weather.tmax):
        return None
    harm = degree_days_above(weather.tmin, weather.tmax, limits.heat_c) * stage
    return loss_index(settings.heat_loss_per_degree_day * float(harm.sum()), settings)


def frost_index(
    weather: CellWeather, limits: Thresholds, settings: HazardSettings, tender: Floats
) -> float | None:
    """Index of degree-days of frost on days on which it does harm.

    Args:
        weather: Days of the growing season.
        limits: Thresholds of the crop.
        settings: Scale of the index.
        tender: 1 where the crop is tender, 0 where it is hardened, NaN where nobody knows.

    Returns:
        The index; None where a minimum is not known, or a frost met a crop of which nobody knows
        whether it was tender.
    """
    if not known(weather.tmin):
        return None
    cold = np.maximum(limits.frost_c - weather.tmin, 0.0)
    if np.isnan(tender[cold > 0]).any():
        return None
    harm = float((cold * np.nan_to_num(tender)).sum())
    return loss_index(settings.frost_loss_per_degree_day * harm, settings)


def dry_wind_index(weather: CellWeather, settings: HazardSettings, filling: Days) -> float | None:
    """Index of dry hot wind days while a small grain fills; None where a day is not known.

    Humidity at the warmest hour is that of air whose dew point is the night's minimum.

    Args:
        weather: Days of the growing season.
        settings: Loss of a light and of a heavy day.
        filling: Days on which grain fills; none where the crop is no small grain.
    """
    tmin, tmax, wind = weather.tmin[filling], weather.tmax[filling], weather.wind[filling]
    if not known(tmin, tmax, wind):
        return None
    humidity = _vapour_pressure(tmin) / _vapour_pressure(tmax)
    days = [
        int(((tmax >= warm) & (humidity <= dry) & (wind * _TEN_METRES >= windy)).sum())
        for warm, dry, windy in (_LIGHT, _HEAVY)
    ]
    more = settings.heavy_dry_wind_loss - settings.dry_wind_loss
    return loss_index(settings.dry_wind_loss * days[0] + more * days[1], settings)


def _vapour_pressure(celsius: Floats) -> Floats:
    return np.asarray(0.6108 * np.exp(17.27 * celsius / (celsius + 237.3)))


def longest_run(true: Days) -> int:
    """Return the length of the longest run of true days."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], true.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max(initial=0))
