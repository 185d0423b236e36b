"""What weather a crop stands, and the weather itself: the ground of all hazard indices.

Owns `data/hazard_thresholds.csv` as typed rows, the daily arrays of one growing season and the one
scale of all indices; it judges nothing.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from fieldline.crops.series import Floats
from fieldline.crops.settings import HazardSettings


@dataclass(frozen=True)
class Thresholds:
    """One row of `data/hazard_thresholds.csv`."""

    base_c: float
    """Temperature below which the crop does not develop."""
    upper_c: float
    """Temperature above which it develops no faster."""
    heat_c: float
    """Temperature from which heat does harm."""
    frost_c: float
    """Daily minimum from which frost does harm."""
    frost_lead_days: float
    """Days before the curve's peak from which frost does harm: a winter cereal stands hard frost
    until its stem grows; a number longer than any season means always."""
    depletion_p: float
    """Share of available soil water that may be used before stress."""
    yield_response: float
    """Relative yield loss per relative loss of evapotranspiration (Ky of FAO-33)."""
    irrigation_mm: float
    """Water that irrigation usually gives the crop in a season where there is irrigation."""
    ponding_mm: float
    """Standing water that the crop tolerates."""
    wet_days: float
    """Waterlogged days of a season that cost the whole crop (expert setting)."""


@dataclass(frozen=True)
class CellWeather:
    """Daily weather of one growing season, one value per day, NaN where it is not known."""

    tmin: Floats
    """Celsius."""
    tmax: Floats
    """Celsius."""
    rain: Floats
    """mm."""
    et0: Floats
    """Reference evapotranspiration, mm."""
    wind: Floats
    """Wind at 2 m, daily mean, m/s."""


@cache
def thresholds() -> dict[str, Thresholds]:
    """Return hazard thresholds by crop; `default` serves crops without a row."""
    with (files("fieldline") / "data" / "hazard_thresholds.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    names = Thresholds.__dataclass_fields__
    return {row["crop"]: Thresholds(**{n: float(row[n]) for n in names}) for row in rows}


def known(*values: Floats) -> bool:
    """Return whether every day of every series is known."""
    return all(bool(np.isfinite(series).all()) for series in values)


def loss_index(loss: float, settings: HazardSettings) -> float:
    """Turn a loss share into an index: 0 up to an ordinary year's loss, 100 for a lost crop.

    Args:
        loss: Share of the yield that such weather costs, 0 to 1.
        settings: `ordinary_loss` and `failure_loss`.
    """
    span = settings.failure_loss - settings.ordinary_loss
    return float(np.clip(100.0 * (loss - settings.ordinary_loss) / span, 0.0, 100.0))
