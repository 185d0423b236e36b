"""Soil water of one growing season: drought, standing water, and how dry the season was for here.

Owns the bucket of soil water and the standardised index of the climatic balance. What a crop can
take is in `thresholds`. A day without rain or evapotranspiration makes the whole season unknown:
books with a page missing prove nothing.

Source: FAO-33 (Doorenbos & Kassam 1979) yield response to water, by stage table 24; FAO-56 (Allen
et al. 1998) eq. 84; SPEI: Vicente-Serrano et al. (2010) J. Climate 23, doi 10.1175/2009JCLI2909.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from fieldline.crops.growth.thresholds import CellWeather, Thresholds, known, loss_index
from fieldline.crops.series import Floats
from fieldline.crops.settings import HazardSettings

#: Beyond this the fitted tail of some tens of years says nothing (3 standard deviations).
_MOST_SPEI = 3.0
#: Below this skewness (L-moment ratio) the log-logistic is a logistic distribution.
_SYMMETRIC = 1e-6


@dataclass(frozen=True)
class WaterYear:
    """What the soil did in one growing season."""

    deficit: float
    """Share of the crop's water demand that was not met (1 - ETa / ETm), weighted by stage."""
    wet_days: int
    """Days that ended with more water than the crop tolerates, beyond the first of each spell."""


def water_year(
    weather: CellWeather, limits: Thresholds, settings: HazardSettings, stage: Floats | None = None
) -> WaterYear | None:
    """Keep the books of a bucket of soil water, day by day.

    The bucket of `soil_water_mm` starts full, gains rain and loses crop water use: the crop
    coefficient x reference evapotranspiration, less under the readily available water (FAO-56
    eq. 84). Irrigation fills it in doses while the season's allowance lasts. What does not fit in
    stands on the field and leaves at `drainage_mm` a day.

    Args:
        weather: Days of the growing season.
        limits: Thresholds of the crop.
        settings: Soil and irrigation.
        stage: How much an unmet day weighs, shape (days,); all the same if None.

    Returns:
        The season; None where rain or evapotranspiration of a day is not known.
    """
    if not known(weather.rain, weather.et0):
        return None
    weights = np.ones(len(weather.rain)) if stage is None else stage
    capacity = settings.soil_water_mm
    free = (1.0 - limits.depletion_p) * capacity
    allowance = limits.irrigation_mm * settings.irrigation_share
    left, standing, met, wet, wet_days = capacity, 0.0, 0.0, 0, 0
    for rain, et0, weight in zip(weather.rain, weather.et0, weights, strict=True):
        if left < free and allowance > 0:
            dose = min(settings.irrigation_dose_mm, allowance, capacity - left)
            left, allowance = left + dose, allowance - dose
        use = settings.crop_coefficient * et0 * min(left / free, 1.0)
        met += use * weight
        left += rain - use
        standing = max(0.0, standing + max(0.0, left - capacity) - settings.drainage_mm)
        left = min(max(left, 0.0), capacity)
        wet = wet + 1 if standing > limits.ponding_mm else 0
        wet_days += wet > settings.aeration_lag_days
    demand = settings.crop_coefficient * float((weather.et0 * weights).sum())
    return WaterYear(1.0 - met / demand if demand > 0 else 0.0, wet_days)


def drought_index(
    water: WaterYear, ordinary: float, limits: Thresholds, settings: HazardSettings
) -> float:
    """Index of the loss Ky x (1 - ETa / ETm) beyond what is ordinary here.

    Args:
        water: The season.
        ordinary: Unmet share of the demand in this place's usual season, 0 where it is not known.
        limits: Thresholds of the crop.
        settings: Scale of the index.
    """
    return loss_index(limits.yield_response * max(0.0, water.deficit - ordinary), settings)


def flood_index(water: WaterYear, limits: Thresholds, settings: HazardSettings) -> float:
    """Index of waterlogged days; `wet_days` of them cost the crop."""
    return loss_index(settings.failure_loss * water.wet_days / limits.wet_days, settings)


def stage_weights(
    length: int, peak: int | None, end: int | None, settings: HazardSettings
) -> Floats:
    """Return how much an unmet day weighs by the crop's stage; all the same where it is not known.

    Args:
        length: Days of the growing season seen so far.
        peak: Day of the season on which the canopy was greenest; None where it was not passed.
        end: Last day of the season; None while the crop stands.
        settings: Weights of growth, flowering, filling and ripening.
    """
    weights = np.ones(length)
    if peak is None or end is None or not 0 < peak < end:
        return weights
    day = np.arange(length)
    around = settings.flowering_days
    ripe = peak + (1 - settings.ripening_share) * (end - peak)
    weights[day < peak - around] = settings.growth_weight
    weights[np.abs(day - peak) <= around] = settings.flowering_weight
    weights[(day > peak + around) & (day < ripe)] = settings.filling_weight
    weights[(day >= ripe) & (day > peak + around)] = settings.ripening_weight
    return weights


def spei(balance: float, years: Floats) -> float:
    """Standardise a season's climatic water balance among other years of the same place.

    Args:
        balance: Rain less reference evapotranspiration of the season, mm.
        years: The same of other years, at least four that differ.

    Returns:
        Standard deviations of a normal distribution, within -3..3, by a log-logistic distribution
        (generalised logistic) whose parameters follow from unbiased moments (Hosking 1990).
    """
    ordered = np.sort(years)
    count = len(ordered)
    above = count - 1 - np.arange(count)
    first = ordered.mean()
    second = (ordered * above).sum() / (count * (count - 1))
    third = (ordered * above * (above - 1)).sum() / (count * (count - 1) * (count - 2))
    spread = first - 2 * second
    shape = -(first - 6 * second + 6 * third) / spread
    return _normal(balance, first, spread, shape)


def _normal(value: float, mean: float, spread: float, shape: float) -> float:
    """Return the standard normal value of a generalised logistic with these L-moments."""
    if abs(shape) < _SYMMETRIC:
        reduced = (value - mean) / spread
    else:
        turn = shape * np.pi
        scale = spread * np.sin(turn) / turn
        origin = mean - scale * (1 / shape - np.pi / np.sin(turn))
        inside = 1 - shape * (value - origin) / scale
        if inside <= 0:  # beyond the end of the distribution, on the side of its short tail
            return _MOST_SPEI if shape > 0 else -_MOST_SPEI
        reduced = -np.log(inside) / shape
    low, high = (NormalDist().cdf(z) for z in (-_MOST_SPEI, _MOST_SPEI))
    return float(NormalDist().inv_cdf(min(max(1 / (1 + float(np.exp(-reduced))), low), high)))
