"""A seasonal weather generator with planted droughts, frosts and floods.

Owns daily temperature, rain, radiation, wind and reference evapotranspiration of a few cells; knows
no crop. Cells share most of their noise, so that a bad year is bad for the county: the shared shock
that credit risk is about.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.signal import lfilter

from fieldline.workflows.simulate.settings import SimulateSettings, SkySettings

Floats = npt.NDArray[np.float64]

#: Climate of the Huang-Huai plain, order of magnitude of published station normals.
_MEAN_C, _SWING_C, _COLDEST_DOY = 14.8, 13.2, 20
_RANGE_C, _AR1, _NOISE_C = 10.0, 0.75, 2.2
_SHARED = 0.9
_YEARLY_RAIN_LOG_SD, _LOCAL_RAIN_LOG_SD = 0.18, 0.35
#: The crop model looks ahead to the longest possible season of the last sown crop.
_AFTER_DAYS = 240


@dataclass(frozen=True)
class Hazard:
    """One planted extreme: what, where, when and how strong."""

    kind: str
    """`drought`, `frost` or `flood`."""
    cell: int
    start: dt.date
    end: dt.date
    strength: float
    """Rain share left (drought), minimum in Celsius (frost), rain in mm (flood)."""


@dataclass(frozen=True)
class Weather:
    """Daily weather, arrays of shape (cells, days)."""

    days: npt.NDArray[np.datetime64]
    tmin: Floats
    tmax: Floats
    precip: Floats
    radiation: Floats
    et0: Floats
    wind: Floats
    hazards: tuple[Hazard, ...]

    @property
    def tmean(self) -> Floats:
        """Mean of the daily extremes, Celsius."""
        return (self.tmin + self.tmax) / 2

    def index(self, day: dt.date) -> int:
        """Return the position of a day."""
        return int((np.datetime64(day, "D") - self.days[0]).astype(int))


def extraterrestrial_radiation(day_of_year: Floats, latitude: float) -> Floats:
    """Return radiation above the atmosphere, MJ m-2 d-1.

    Source: FAO Irrigation and Drainage Paper 56, equations 21 to 25.
    """
    phi = np.radians(latitude)
    angle = 2 * np.pi * day_of_year / 365
    distance = 1 + 0.033 * np.cos(angle)
    declination = 0.409 * np.sin(angle - 1.39)
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(declination), -1, 1))
    return np.asarray(
        24 * 60 / np.pi * 0.0820 * distance
        * (
            sunset * np.sin(phi) * np.sin(declination)
            + np.cos(phi) * np.cos(declination) * np.sin(sunset)
        )
    )  # fmt: skip


def _wet_days(chance: Floats, rng: np.random.Generator, cells: int) -> npt.NDArray[np.bool_]:
    """Two-state Markov chain: a wet day makes the next one likelier to be wet."""
    days = len(chance)
    shared, own, pick = rng.random(days), rng.random((cells, days)), rng.random((cells, days))
    draws = np.where(pick < _SHARED, shared, own)
    wet = np.zeros((cells, days), dtype=bool)
    state = np.zeros(cells, dtype=bool)
    for day in range(days):
        state = draws[:, day] < np.where(state, np.minimum(chance[day] + 0.25, 0.9), chance[day])
        wet[:, day] = state
    return wet


def _noise(rng: np.random.Generator, cells: int, days: int) -> Floats:
    shared, own = rng.normal(size=days), rng.normal(size=(cells, days))
    white = np.sqrt(_SHARED) * shared + np.sqrt(1 - _SHARED) * own
    return np.asarray(lfilter([np.sqrt(1 - _AR1**2)], [1, -_AR1], white, axis=1))


def _rain(
    doy: Floats, years: npt.NDArray[np.int64], rng: np.random.Generator, cells: int
) -> Floats:
    monsoon = np.exp(-(((doy - 200) / 45) ** 2))
    wet = _wet_days(0.10 + 0.17 * monsoon, rng, cells)
    yearly = np.exp(rng.normal(0, _YEARLY_RAIN_LOG_SD, years.max() - years.min() + 1))
    regional = rng.gamma(0.75, 7.5 + 9.0 * monsoon) * yearly[years - years.min()]
    local = np.exp(rng.normal(0, _LOCAL_RAIN_LOG_SD, wet.shape) - _LOCAL_RAIN_LOG_SD**2 / 2)
    depth = regional * local
    return np.where(wet, np.maximum(depth, 0.2), 0.0)


def plan_hazards(
    settings: SimulateSettings, first_year: int, rng: np.random.Generator
) -> list[Hazard]:
    """Return the planted extremes: certain ones in the seasons, chance ones in earlier years."""
    sky, cells, plan = settings.sky, settings.sky.weather_cells, list[Hazard]()
    for order, span in enumerate(settings.seasons.values()):
        year = span.end.year
        dry, wet = order % cells, (order + 1) % cells
        plan.append(_hazard("drought", dry, year, 100 + 30 * order, sky))
        plan.append(_hazard("frost", wet, year, 98, sky))
        if order % 2 == 1 or len(settings.seasons) == 1:
            plan.append(_hazard("flood", wet, year, 192, sky))
    first_season = next(iter(settings.seasons.values())).end.year
    for year in range(first_year, first_season):
        for cell in range(cells):
            for kind, centre in (("drought", 125), ("frost", 98), ("flood", 195)):
                chance, shift = rng.random(), int(rng.integers(-12, 13))
                if chance < sky.hazard_chance:
                    plan.append(_hazard(kind, cell, year, centre + shift, sky))
    return plan


def _hazard(kind: str, cell: int, year: int, day_of_year: int, sky: SkySettings) -> Hazard:
    start = dt.date(year, 1, 1) + dt.timedelta(days=day_of_year - 1)
    days, strength = {
        "drought": (sky.drought_days, sky.drought_rain_share),
        "frost": (3, sky.frost_c),
        "flood": (5, sky.flood_mm),
    }[kind]
    return Hazard(kind, cell, start, start + dt.timedelta(days=max(days - 1, 0)), strength)


def _apply(hazard: Hazard, weather: Weather) -> None:
    first = weather.index(hazard.start)
    last = weather.index(hazard.end) + 1
    if first < 0 or last > len(weather.days):
        return
    span = (hazard.cell, slice(first, last))
    if hazard.kind == "drought":
        weather.precip[span] *= hazard.strength
        weather.tmax[span] += 2.5
    elif hazard.kind == "frost":
        drop = weather.tmin[span] - hazard.strength
        weather.tmin[span] -= np.maximum(drop, 0)
        weather.tmax[span] -= np.maximum(drop, 0) * 0.6
    else:
        weather.precip[span] += hazard.strength / max(last - first, 1)


def generate_weather(settings: SimulateSettings) -> Weather:
    """Generate daily weather from `yield_years` before the first season to months after the last.

    Args:
        settings: County settings; cells differ by a constant fraction of a degree.

    Returns:
        Weather whose et0 follows Hargreaves (FAO-56 equation 52) and whose radiation follows the
        daily temperature range (FAO-56 equation 50).
    """
    rng = np.random.default_rng([settings.seed, 1])
    spans, cells = list(settings.seasons.values()), settings.sky.weather_cells
    start = dt.date(spans[0].start.year - settings.yield_years, 9, 1)
    end = spans[-1].end + dt.timedelta(days=_AFTER_DAYS)
    stamps = pd.date_range(start, end)
    doy = stamps.day_of_year.to_numpy(dtype=float)
    precip = _rain(doy, stamps.year.to_numpy(dtype=np.int64), rng, cells)
    noise = _noise(rng, cells, len(doy)) * _NOISE_C
    offset = np.linspace(-0.4, 0.4, cells)[:, None] if cells > 1 else np.zeros((1, 1))
    mean = _MEAN_C - _SWING_C * np.cos(2 * np.pi * (doy - _COLDEST_DOY) / 365) + noise + offset
    half = _RANGE_C / 2 * np.where(precip > 0.5, 0.65, 1.08) * rng.uniform(0.85, 1.15, mean.shape)
    wind = rng.gamma(5.0, 0.42, mean.shape)
    blank = np.zeros_like(mean)
    weather = Weather(
        stamps.to_numpy().astype("datetime64[D]"), mean - half, mean + half, precip, blank,
        blank.copy(), wind, tuple(plan_hazards(settings, start.year + 1, rng)),
    )  # fmt: skip
    for hazard in weather.hazards:
        _apply(hazard, weather)
    above = extraterrestrial_radiation(doy, settings.land.centre_lat)
    swing = np.sqrt(np.maximum(weather.tmax - weather.tmin, 0.5))
    weather.radiation[:] = np.minimum(0.16 * swing, 0.75) * above
    weather.et0[:] = np.maximum(0.0023 * (weather.tmean + 17.8) * swing * above / 2.45, 0.1)
    return weather


def cell_name(cell: int) -> str:
    """Return the public name of a weather cell."""
    return f"W{cell + 1:02d}"


def weather_table(weather: Weather, start: dt.date, end: dt.date) -> pd.DataFrame:
    """Return the daily CSV table of the given days, rounded as a station would report."""
    span = slice(weather.index(start), weather.index(end) + 1)
    frames = []
    for cell in range(len(weather.tmin)):
        columns = {
            "cell_id": cell_name(cell),
            "date": weather.days[span].astype(str),
            "tmin_c": weather.tmin[cell, span].round(1),
            "tmax_c": weather.tmax[cell, span].round(1),
            "tmean_c": weather.tmean[cell, span].round(2),
            "precip_mm": weather.precip[cell, span].round(1),
            "radiation_mj_m2": weather.radiation[cell, span].round(2),
            "et0_mm": weather.et0[cell, span].round(2),
            "wind_m_s": weather.wind[cell, span].round(1),
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def hazards_table(weather: Weather) -> pd.DataFrame:
    """Return the planted extremes as a table."""
    return pd.DataFrame(
        {
            "kind": [h.kind for h in weather.hazards],
            "cell_id": [cell_name(h.cell) for h in weather.hazards],
            "start": [h.start.isoformat() for h in weather.hazards],
            "end": [h.end.isoformat() for h in weather.hazards],
            "strength": [h.strength for h in weather.hazards],
        }
    ).sort_values(["start", "cell_id", "kind"], kind="stable")
