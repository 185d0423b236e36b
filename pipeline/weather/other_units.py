"""Units that a weather file does not state and that hide among possible values.

Owns what no place on earth has for so long: a usual temperature of 40 degrees, rain that never
reaches a third of a millimetre and mostly falls by thousandths, a year of sunshine below ten
megajoules a day, nights warmer than their days. Each single value may be; all of them together are
Fahrenheit, metres, kilowatt hours and exchanged headings. None is converted by guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fieldline.pipeline.parcels.rings import Floats

_ENOUGH = 10
"""Fewer days say nothing about a file."""
_YEAR = 300
"""Days from which a file's usual temperature is one of a year."""
_WARMEST_YEAR, _WARMEST = 35.0, 40.0
"""Medians of daily mean temperature that no place reaches over a year (Dallol, the warmest, has a
mean of 34.6) and in any season (Death Valley's July has 39)."""
_WET, _MOST_RAIN, _THOUSANDTHS = 30, 0.3, 0.01
"""So many days with rain of which none brings so much (mm) and half bring less than a gauge shows:
the same numbers in metres are up to 300 mm a day, usually some millimetres."""
_SUNNY, _MOST_KWH = 180, 10.0
"""So many days of which the sunniest has less than 10: the sun brings no place more than 9 kWh/m2 a
day, and every field place above 10 MJ/m2 within half a year."""
_MOSTLY = 0.5
_LIGHT, _HEAVY = 1.0, 40.0
"""Mean rain of a wet day (mm) below and above that of any place where crops grow by it (gauges of
Bavaria and Switzerland: 4.7 and 4.9): inches and centimetres lie below, tenths above. Deserts lie
below too, and the wettest hills above, so that a column that states its unit is believed."""
_STEP = 28.0
"""Degrees by which ten days and the ten after them differ nowhere (15 years of Poltava: 17.5 at
most); °F and °C lie 32 apart at 0 °C and 48 at 20 °C."""
_NEARLY = 0.99
_WINDIEST = 9.0
"""Median wind at 2 m (m/s) of half a year that no field has; usual winds in km/h or mph have."""


@dataclass(frozen=True)
class Suspicion:
    """Another unit than a file's columns are taken for."""

    name: str
    """Column of the weather table."""
    found: str
    """What was found, with its numbers."""
    remedy: str


def other_unit(frame: pd.DataFrame) -> Suspicion | None:
    """Return what a weather table cannot be in the units that its columns are taken for.

    Args:
        frame: `tmin_c`, `tmax_c`, `tmean_c`, `precip_mm` and `radiation_mj_m2`, NaN where missing.
    """
    values = {str(name): frame[name].to_numpy(dtype=float) for name in frame.columns
              if str(name).startswith(("t", "precip", "radiation"))}  # fmt: skip
    return _exchanged(values) or _fahrenheit(values) or _metres(values) or _kilowatt_hours(values)


def _exchanged(values: Mapping[str, Floats]) -> Suspicion | None:
    low, high = values["tmin_c"], values["tmax_c"]
    both = np.isfinite(low) & np.isfinite(high)
    above = low[both] > high[both]
    if both.sum() < _ENOUGH or above.mean() <= _MOSTLY:
        return None
    return Suspicion(
        "tmin_c", f"the minimum lies above the maximum on {above.sum()} of {both.sum()} days",
        "exchange the headings of minimum and maximum",
    )  # fmt: skip


def changed_unit(frame: pd.DataFrame) -> Suspicion | None:
    """Return the day from which a table's temperatures are in another unit than before.

    Args:
        frame: `date` and the columns of `other_unit`.
    """
    middle = (frame["tmin_c"] + frame["tmax_c"]) / 2
    mean = frame["tmean_c"].where(frame["tmean_c"].notna(), middle)
    usual = mean.groupby(frame["date"]).median().dropna()
    if len(usual) < 2 * _ENOUGH:
        return None
    calendar = pd.date_range(usual.index[0], usual.index[-1], freq="D")
    ten = usual.reindex(calendar).rolling(_ENOUGH, min_periods=_ENOUGH // 2).median()
    before, after = ten.to_numpy(dtype=float), ten.shift(-_ENOUGH).to_numpy(dtype=float)
    step = np.abs(after - before)
    if not (step > _STEP).any():
        return None
    widest = np.flatnonzero(step >= _NEARLY * np.nanmax(step))
    at = int(widest[len(widest) // 2])  # windows on either side of the day see the same
    day = (calendar[at] + pd.Timedelta(days=1)).date()
    return Suspicion(
        "tmean_c" if frame["tmean_c"].notna().any() else "tmin_c",
        f"ten days have a mean of {before[at]:.3g} and the ten from {day} one of {after[at]:.3g}, "
        "which looks like two units",
        "convert its temperatures to °C throughout",
    )


def _fahrenheit(values: Mapping[str, Floats]) -> Suspicion | None:
    middle = (values["tmin_c"] + values["tmax_c"]) / 2
    mean = np.where(np.isfinite(values["tmean_c"]), values["tmean_c"], middle)
    known = mean[np.isfinite(mean)]
    if len(known) < _ENOUGH:
        return None
    usual = float(np.median(known))
    if usual <= (_WARMEST_YEAR if len(known) >= _YEAR else _WARMEST):
        return None
    name = "tmean_c" if np.isfinite(values["tmean_c"]).any() else "tmin_c"
    return Suspicion(
        name, f"half of its days have a mean above {usual:.3g}, which looks like Fahrenheit",
        "convert its temperatures to °C",
    )  # fmt: skip


def _metres(values: Mapping[str, Floats]) -> Suspicion | None:
    wet = values["precip_mm"][values["precip_mm"] > 0]
    if len(wet) < _WET or wet.max() >= _MOST_RAIN or float(np.median(wet)) >= _THOUSANDTHS:
        return None
    return Suspicion(
        "precip_mm", f"its wettest of {len(wet)} wet days has {wet.max():.3g}, which looks like "
        "metres", "multiply it by 1000, for mm",
    )  # fmt: skip


def _kilowatt_hours(values: Mapping[str, Floats]) -> Suspicion | None:
    sun = values["radiation_mj_m2"][np.isfinite(values["radiation_mj_m2"])]
    if len(sun) < _SUNNY or sun.max() >= _MOST_KWH:
        return None
    return Suspicion(
        "radiation_mj_m2", f"the sunniest of its {len(sun)} days has {sun.max():.3g}, which looks "
        "like kWh/m2", "multiply it by 3.6, for MJ/m2",
    )  # fmt: skip


def unlikely(frame: pd.DataFrame) -> list[Suspicion]:
    """Return what could be, though hardly where crops grow, in the units that are taken.

    Args:
        frame: As for `other_unit`, with `wind_m_s`.
    """
    found = []
    wet = frame["precip_mm"].to_numpy(dtype=float)
    wet = wet[wet > 0]
    usual = float(wet.mean()) if len(wet) >= _WET else np.nan
    if usual < _LIGHT or usual > _HEAVY:
        looks = "inches or centimetres" if usual < _LIGHT else "tenths of mm or sums of days"
        found.append(Suspicion(
            "precip_mm", f"a wet day brings {usual:.2g} on average, which looks like {looks}",
            "state its unit in its name: rain (in), rain (cm), rain (0.1mm), or rain (mm)",
        ))  # fmt: skip
    wind = frame["wind_m_s"].to_numpy(dtype=float)
    wind = wind[np.isfinite(wind)]
    if len(wind) >= _SUNNY and float(np.median(wind)) > _WINDIEST:
        found.append(Suspicion(
            "wind_m_s", f"its usual day has {np.median(wind):.3g}, which looks like km/h or mph",
            "state its unit in its name: wind (km/h), wind (mph), wind (kn), or wind (m/s)",
        ))  # fmt: skip
    return found
