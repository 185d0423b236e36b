"""The hazards stage: what the weather did to each parcel inside its own growing season.

Owns `hazards.parquet`. Each index runs from 0 (none) to 100 and has one formula, written at its
function; thresholds stand in `data/hazard_thresholds.csv` with their sources. The one idea: the
same dry fortnight is nothing to a fallow field, so only days between the parcel's own start and end
of season count.

Source: FAO-56 (Allen et al. 1998) crop coefficients and depletion fractions; AquaCrop reference
manual (Raes et al. 2018) base and upper temperatures; WMO dry day.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crops.schemas import HAZARDS
from crops.series import Floats, stopped_parcels
from crops.settings import HazardSettings
from pipeline.outcomes import Outcome, detail, write_outcomes
from pipeline.settings import Season
from pipeline.tables import read_table, write_table

STAGE = "hazards"
_INDICES = ("drought", "flood", "frost", "heat")


@dataclass(frozen=True)
class Thresholds:
    """One row of `data/hazard_thresholds.csv`."""

    base_c: float
    """Temperature below which the crop does not develop."""
    upper_c: float
    """Temperature above which it develops no faster."""
    heat_c: float
    """Daily maximum from which heat does harm."""
    frost_c: float
    """Daily minimum from which frost does harm."""
    depletion_p: float
    """Share of available soil water that may be used before stress."""
    wet_day_mm: float
    """Rain that makes a waterlogging day."""
    wet_days: float
    """Consecutive days near such rain that make the index 100."""


@dataclass(frozen=True)
class CellWeather:
    """Daily weather of one cell from the season's start, one value per day."""

    tmin: Floats
    tmax: Floats
    rain: Floats
    et0: Floats


@cache
def thresholds() -> dict[str, Thresholds]:
    """Return hazard thresholds by crop; `default` serves crops without a row."""
    with (files("data") / "hazard_thresholds.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    names = Thresholds.__dataclass_fields__
    return {row["crop"]: Thresholds(**{n: float(row[n]) for n in names}) for row in rows}


def growing_degree_days(weather: CellWeather, limits: Thresholds) -> float:
    """Sum daily means above the base, with both extremes held within base and upper limit.

    Source: McMaster & Wilhelm (1997) method 2; AquaCrop's growing degree day method 2.
    """
    high = np.clip(weather.tmax, limits.base_c, limits.upper_c)
    low = np.clip(weather.tmin, limits.base_c, limits.upper_c)
    return float(((high + low) / 2 - limits.base_c).sum())


def longest_run(true: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    """Return the length of the longest run of true days."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], true.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def drought_index(weather: CellWeather, limits: Thresholds, settings: HazardSettings) -> float:
    """Mean water stress over the season, times 100.

    A bucket of `soil_water_mm` starts full, gains rain and loses crop water use (`crop_coefficient`
    x reference evapotranspiration, reduced by the stress itself). Stress of a day is how far the
    bucket is below the crop's readily available water (FAO-56 eq. 84, 1 - Ks).
    """
    capacity = settings.soil_water_mm
    free = (1.0 - limits.depletion_p) * capacity
    left, stress = capacity, np.zeros(len(weather.rain))
    for day, (rain, demand) in enumerate(zip(weather.rain, weather.et0, strict=True)):
        supply = min(left / free, 1.0)
        stress[day] = 1.0 - supply
        use = settings.crop_coefficient * demand * supply
        left = min(max(left + rain - use, 0.0), capacity)
    return float(100.0 * stress.mean())


def flood_index(weather: CellWeather, limits: Thresholds) -> float:
    """Longest run of three-day rain above three wet days' rain, over the crop's tolerance.

    A day counts when the rain of its last three days exceeds three times `wet_day_mm`; the index
    is 100 once the run is as long as `wet_days` (AquaCrop: days of anaerobiosis).
    """
    three = np.convolve(weather.rain, np.ones(3))[: len(weather.rain)]
    run = longest_run(three > 3 * limits.wet_day_mm)
    return float(min(100.0, 100.0 * run / limits.wet_days))


def degree_index(excess: Floats, full: float) -> float:
    """Degree-days of harm over those that make the index 100."""
    return float(min(100.0, 100.0 * np.maximum(excess, 0.0).sum() / full))


def joint_index(parts: Sequence[float]) -> float:
    """Combine indices as independent losses: 100 x (1 - product of (1 - index / 100))."""
    return float(100.0 * (1.0 - np.prod([1.0 - part / 100.0 for part in parts])))


def run_hazards(
    weather: Path,
    weather_cells: Path,
    growth: Path,
    crops_table: Path,
    *,
    season: Season,
    settings: HazardSettings,
    out: Path,
    outcomes: Path,
    previous: Sequence[Path] = (),
) -> None:
    """Write `hazards.parquet` and the stage's outcomes.

    Args:
        weather: `weather.parquet`, daily by cell.
        weather_cells: `weather_cells.parquet`, cell of each parcel.
        growth: `growth.parquet`; its start and end bound the days that count.
        crops_table: `crops.parquet`; its crop chooses the thresholds.
        season: Season; nothing after its as-of date is read.
        settings: Settings of the stage.
        out: Where the hazards go.
        outcomes: Where outcomes go.
        previous: Outcome files of earlier stages; parcels they stopped are left out.
    """
    cells = _cells(weather, season)
    table = read_table(growth, ["parcel_id", "sos", "eos"])
    table = table[~table["parcel_id"].isin(stopped_parcels(previous))]
    table = table.merge(read_table(weather_cells, ["parcel_id", "cell_id"]), how="left")
    table = table.merge(read_table(crops_table, ["parcel_id", "crop"]), how="left")
    rows, results = [], []
    for record in table.to_dict("records"):
        row, outcome = _parcel(record, cells, season, settings)
        rows.append(row)
        results.append(outcome)
    write_table(pd.DataFrame(rows, columns=HAZARDS.names), HAZARDS, out)
    write_outcomes(results, outcomes)


def _cells(path: Path, season: Season) -> dict[str, pd.DataFrame]:
    columns = ["cell_id", "date", "tmin_c", "tmax_c", "precip_mm", "et0_mm"]
    frame = read_table(path, columns)
    known = (frame["date"] >= season.start) & (frame["date"] <= min(season.end, season.as_of))
    parts = frame[known].sort_values(["cell_id", "date"]).groupby("cell_id")
    return {str(name): part.set_index("date") for name, part in parts}


def _window(record: dict[Any, Any], season: Season) -> tuple[dt.date, dt.date, bool]:
    start, end = record["sos"], record["eos"]
    seen = isinstance(start, dt.date) or isinstance(end, dt.date)
    first = start if isinstance(start, dt.date) else season.start
    last = end if isinstance(end, dt.date) else min(season.end, season.as_of)
    return first, last, seen


def _parcel(
    record: dict[Any, Any],
    cells: dict[str, pd.DataFrame],
    season: Season,
    settings: HazardSettings,
) -> tuple[dict[str, Any], Outcome]:
    parcel_id = record["parcel_id"]
    empty: dict[str, Any] = dict.fromkeys(HAZARDS.names) | {"parcel_id": parcel_id}
    frame = cells.get(str(record["cell_id"]))
    first, last, seen = _window(record, season)
    days = frame.loc[(frame.index >= first) & (frame.index <= last)] if frame is not None else None
    count = 0 if days is None else len(days)
    if days is None or count < settings.min_days:
        numbers = detail(days=count, needed=settings.min_days)
        return empty, Outcome(STAGE, parcel_id, "", "no_weather_index", numbers)
    crop = record["crop"] if isinstance(record["crop"], str) else "default"
    limits = thresholds().get(crop, thresholds()["default"])
    code = "ok" if seen else "no_growing_season"
    row = {"parcel_id": parcel_id} | indices(_weather(days), limits, settings)
    return row, Outcome(STAGE, parcel_id, "", code, detail(days=count))


def _weather(days: pd.DataFrame) -> CellWeather:
    values = {name: days[name].to_numpy(np.float64) for name in days.columns if name != "cell_id"}
    et0 = np.where(np.isfinite(values["et0_mm"]), values["et0_mm"], np.nanmean(values["et0_mm"]))
    return CellWeather(values["tmin_c"], values["tmax_c"], values["precip_mm"], np.nan_to_num(et0))


def indices(
    weather: CellWeather, limits: Thresholds, settings: HazardSettings
) -> dict[str, float | int]:
    """Return degree days, spells and the 0-100 indices of one growing season."""
    dry = weather.rain < settings.dry_day_mm
    parts = {
        "drought": drought_index(weather, limits, settings),
        "flood": flood_index(weather, limits),
        "frost": degree_index(limits.frost_c - weather.tmin, settings.frost_full_degree_days),
        "heat": degree_index(weather.tmax - limits.heat_c, settings.heat_full_degree_days),
    }
    return {
        "gdd": growing_degree_days(weather, limits),
        "dry_spell_days": longest_run(dry),
        "wet_spell_days": longest_run(~dry),
        **parts,
        "hazard_index": joint_index([parts[name] for name in _INDICES]),
    }
