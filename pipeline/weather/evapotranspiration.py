"""Reference evapotranspiration from temperature alone, for stations that measure nothing else.

Pure arithmetic of FAO Irrigation and Drainage Paper 56 (Allen et al. 1998); knows no file.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Solar constant, MJ m-2 min-1 (FAO-56 eq. 21).
_SOLAR_CONSTANT = 0.0820
#: Evaporation of one MJ m-2, mm (inverse of the latent heat 2.45 MJ kg-1, FAO-56 eq. 20).
_MM_PER_MJ = 0.408


def extraterrestrial_radiation(latitude: Floats, day_of_year: Floats) -> Floats:
    """Return daily radiation at the top of the atmosphere, MJ m-2 d-1.

    Args:
        latitude: Degrees north; broadcasts against `day_of_year`.
        day_of_year: 1..366.

    Source: FAO-56 eq. 21 to 25. In polar night and day the sunset angle is 0 or pi.
    """
    phi = np.radians(latitude)
    angle = 2 * np.pi * np.asarray(day_of_year) / 365
    distance = 1 + 0.033 * np.cos(angle)
    declination = 0.409 * np.sin(angle - 1.39)
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(declination), -1, 1))
    geometry = sunset * np.sin(phi) * np.sin(declination)
    geometry = geometry + np.cos(phi) * np.cos(declination) * np.sin(sunset)
    return np.asarray(24 * 60 / np.pi * _SOLAR_CONSTANT * distance * geometry)


def hargreaves(tmin_c: Floats, tmax_c: Floats, radiation_mj_m2: Floats) -> Floats:
    """Return reference evapotranspiration, mm d-1 (NaN where a temperature is missing).

    Args:
        tmin_c: Daily minimum temperature, degrees Celsius.
        tmax_c: Daily maximum temperature, degrees Celsius.
        radiation_mj_m2: Extraterrestrial radiation, MJ m-2 d-1.

    Source: FAO-56 eq. 52; frost below -17.8 degrees gives 0, never a negative value.
    """
    mean = (tmin_c + tmax_c) / 2
    span = np.sqrt(np.clip(tmax_c - tmin_c, 0, None))
    value = 0.0023 * (mean + 17.8) * span * radiation_mj_m2 * _MM_PER_MJ
    return np.asarray(np.maximum(value, 0))
