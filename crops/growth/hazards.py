"""The hazards stage: what the weather did to each parcel inside its own growing season.

Owns `hazards.parquet`. Every index is one scale: the share of the crop that such weather usually
costs, 0 while it is what any year costs and 100 where the crop is lost. Only days between the
parcel's own start and end of season count. **What is not known is null and never 0**: an index is
given where every day of its inputs is known, so that leaving weather out lowers none.

Source: China's statistics of natural disasters count a crop as affected from 10 % loss and as lost
from 80 %; those of the indices stand in `water` and `stress`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.growth.heading import heads
from fieldline.crops.growth.stress import (
    dry_wind_index,
    frost_index,
    growing_degree_days,
    heat_index,
    longest_run,
)
from fieldline.crops.growth.thresholds import CellWeather, Thresholds, known, thresholds
from fieldline.crops.growth.water import (
    drought_index,
    flood_index,
    spei,
    stage_weights,
    water_year,
)
from fieldline.crops.schemas import HAZARDS
from fieldline.crops.series import Floats, stopped_parcels
from fieldline.crops.settings import HazardSettings
from fieldline.pipeline.records.outcomes import Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table, write_table

STAGE = "hazards"
_JOINT = ("drought", "flood", "frost", "heat")
_INPUTS = {"tmin": "tmin_c", "tmax": "tmax_c", "rain": "precip_mm", "et0": "et0_mm",
           "wind": "wind_m_s"}  # fmt: skip
_NEEDED = {"drought": ("rain", "et0"), "flood": ("rain", "et0"), "frost": ("tmin",),
           "heat": ("tmin", "tmax"), "dry_wind": ("tmin", "tmax", "wind")}  # fmt: skip
_NO_HARM: dict[str, Any] = {
    "gdd": 0.0, "dry_spell_days": 0, "wet_spell_days": 0, "hazard_index": 0.0, "dry_wind": 0.0,
    "waterlogged_days": 0, "unknown_days": 0, **dict.fromkeys(_JOINT, 0.0),
}  # fmt: skip
"""Land on which nothing has come up: the weather so far met no crop."""


def joint_index(parts: Sequence[float | None]) -> float | None:
    """Combine indices as independent losses: 100 x (1 - product of (1 - index / 100)).

    Returns:
        None where one of them is not known.
    """
    sure = [part for part in parts if part is not None]
    if len(sure) < len(parts):
        return None
    return float(100.0 * (1.0 - np.prod([1.0 - part / 100.0 for part in sure])))


def run_hazards(
    *,
    weather: Path,
    weather_cells: Path,
    growth: Path,
    crops: Path,
    seasons: Sequence[Season],
    settings: HazardSettings,
    out: Path,
    outcomes: Path,
    climate: Path | None = None,
    earlier_weather: Sequence[Path] = (),
    previous: Sequence[Path] = (),
) -> None:
    """Write `hazards.parquet` and the stage's outcomes.

    Args:
        weather: `weather.parquet`, daily by cell.
        weather_cells: `weather_cells.parquet`, cell of each parcel.
        growth: `growth.parquet`; its start and end bound the days that count, its peak the stages.
        crops: `crops.parquet`; its crop chooses the thresholds.
        seasons: Seasons, oldest first; the last one is judged, and nothing after its as-of date is
            read.
        settings: Settings of the stage.
        out: Where the hazards go.
        outcomes: Where outcomes go.
        climate: `climate.parquet`: days before the season that the weather file holds.
        earlier_weather: `weather.parquet` of every earlier season, oldest first.
        previous: Outcome files of earlier stages; parcels they stopped are left out.
    """
    season = seasons[-1]
    past = [_cells(path, then) for path, then in zip(earlier_weather, seasons[:-1], strict=True)]
    if climate is not None:
        past += _years_before(climate, season, {then.start.year for then in seasons[:-1]})
    place = Place(season, settings, _cells(weather, season), past)
    columns = ["parcel_id", "sos", "pos", "eos", "curve_start", "cycles"]
    table = read_table(growth, columns)
    table = table[~table["parcel_id"].isin(stopped_parcels(previous))]
    table = table.merge(read_table(weather_cells, ["parcel_id", "cell_id"]), how="left")
    table = table.merge(read_table(crops, ["parcel_id", "crop"]), how="left")
    judged = [_parcel(record, place) for record in table.to_dict("records")]
    write_table(pd.DataFrame([row for row, _ in judged], columns=HAZARDS.names), HAZARDS, out)
    write_outcomes([outcome for _, outcome in judged], outcomes)


_Judged = tuple[dict[str, Any], str, str]
"""Columns of HAZARDS without the parcel, the outcome's code and its numbers."""


@dataclass(frozen=True)
class Place:
    """The weather of a county, and how it is judged."""

    season: Season
    settings: HazardSettings
    cells: Mapping[str, pd.DataFrame]
    """Every day from the season's start to its end or as-of date, by cell; NaN where unknown."""
    past: Sequence[Mapping[str, pd.DataFrame]]
    """The same of earlier seasons."""
    judged: dict[tuple[str, str | None, Window], _Judged] = field(default_factory=dict)
    """What was found of a cell, a crop and a window: parcels of the same ones are judged once."""


def _cells(path: Path, season: Season) -> dict[str, pd.DataFrame]:
    frame = read_table(path, ["cell_id", "date", *_INPUTS.values()])
    frame["date"] = pd.to_datetime(frame["date"])
    days = pd.date_range(season.start, min(season.end, season.as_of))
    parts = frame.set_index("date").groupby("cell_id")
    return {
        str(name): part[list(_INPUTS.values())].astype(float).reindex(days) for name, part in parts
    }


def _years_before(climate: Path, season: Season, run: set[int]) -> list[dict[str, pd.DataFrame]]:
    """Return the days of the season in each year before it that no earlier run knows, by cell."""
    frame = read_table(climate, ["cell_id", "date", *_INPUTS.values()])
    if frame.empty:
        return []
    frame["date"] = pd.to_datetime(frame["date"])
    parts = {str(name): part.set_index("date") for name, part in frame.groupby("cell_id")}
    length = (min(season.end, season.as_of) - season.start).days + 1
    found = []
    for back in range(1, season.start.year - int(frame["date"].min().year) + 1):
        first = pd.Timestamp(season.start) - pd.DateOffset(years=back)
        if first.year not in run:
            days = pd.date_range(first, periods=length)
            found.append({
                name: part[list(_INPUTS.values())].astype(float).reindex(days)
                for name, part in parts.items()
            })  # fmt: skip
    return found


@dataclass(frozen=True)
class Window:
    """The days of the season in which a parcel's crop met the weather."""

    first: dt.date
    last: dt.date
    peak: dt.date | None
    end: dt.date | None
    """End of the crop's season; None while it stands or was not seen."""
    grown: bool
    """Whether a growing season was seen at all."""


def _window(record: Mapping[Any, Any], place: Place, days: pd.DataFrame) -> Window:
    """Return the window of a parcel.

    Weather that is a few days behind ends the window of a season that is still running.
    """
    season = place.season
    start, peak, end, seen = (
        day if isinstance(day, dt.date) else None
        for day in (record["sos"], record["pos"], record["eos"], record["curve_start"])
    )
    grown = record["cycles"] > 0
    last = end or min(season.end, season.as_of)
    if end is None and season.as_of < season.end:
        measured = days.dropna(how="all").index
        last = min(last, measured[-1].date()) if len(measured) else last
    return Window(start or (seen if grown and seen else season.start), last, peak, end, grown)


def _parcel(record: Mapping[Any, Any], place: Place) -> tuple[dict[str, Any], Outcome]:
    parcel_id = record["parcel_id"]
    empty: dict[str, Any] = dict.fromkeys(HAZARDS.names) | {
        "parcel_id": parcel_id, "unknown_days": 0,
    }  # fmt: skip
    frame = place.cells.get(str(record["cell_id"]))
    if frame is None:
        numbers = detail(days=0, needed=place.settings.min_days)
        return empty, Outcome(STAGE, parcel_id, "", "no_weather_index", numbers)
    window = _window(record, place, frame)
    crop = record["crop"] if isinstance(record["crop"], str) else None
    like = (str(record["cell_id"]), crop, window)
    if like not in place.judged:
        place.judged[like] = _of_window(frame, crop, window, place, record["cell_id"])
    found, code, numbers = place.judged[like]
    return empty | found, Outcome(STAGE, parcel_id, "", code, numbers)


def _of_window(
    frame: pd.DataFrame, crop: str | None, window: Window, place: Place, cell_id: str
) -> _Judged:
    days = frame.loc[pd.Timestamp(window.first) : pd.Timestamp(window.last)]
    measured = int(days.notna().any(axis=1).sum())
    if measured < place.settings.min_days:
        return {}, "no_weather_index", detail(days=measured, needed=place.settings.min_days)
    if not window.grown and crop is None and place.season.as_of < place.season.end:
        return _NO_HARM, "not_yet_grown", ""
    found = _judged(frame, days, crop, window, place, cell_id)
    return found, *_outcome(found, days, window)


def _outcome(row: Mapping[str, Any], days: pd.DataFrame, window: Window) -> tuple[str, str]:
    unknown = [name for name in (*_JOINT, "dry_wind") if row[name] is None]
    numbers: dict[str, Any] = {"days": len(days)}
    if row["spei"] is None:
        numbers["earlier_seasons"] = row["earlier_seasons"]
    code = "ok" if window.grown else "no_growing_season"
    if set(unknown) & set(_JOINT):
        code = "hazard_unknown"
        missing = {name for index in unknown for name in _NEEDED[index]}
        lacking = [
            f"{_INPUTS[n]}:{int(days[_INPUTS[n]].isna().sum())}"
            for n in _INPUTS if n in missing and days[_INPUTS[n]].isna().any()
        ]  # fmt: skip
        numbers |= {"unknown": ",".join(unknown), "missing": ",".join(lacking) or "warmth"}
    return code, detail(**numbers)


def _judged(
    frame: pd.DataFrame,
    days: pd.DataFrame,
    crop: str | None,
    window: Window,
    place: Place,
    cell_id: str,
) -> dict[str, Any]:
    settings = place.settings
    limits = thresholds().get(crop or "default", thresholds()["default"])
    weather = _weather(days)
    stage = _stage(window, len(days), settings)
    earlier = _earlier(window, place, cell_id)
    found = indices(
        weather, limits, settings, Stages(
            stage,
            _tender(frame, days, window, limits, place),
            _filling(crop, window, days),
        ), earlier,
    )  # fmt: skip
    return found | {"earlier_seasons": len(earlier)}


def _stage(window: Window, length: int, settings: HazardSettings) -> Floats:
    if window.peak is None or window.end is None:
        return stage_weights(length, None, None, settings)
    peak, end = (window.peak - window.first).days, (window.end - window.first).days
    return stage_weights(length, peak, end, settings)


def _tender(
    frame: pd.DataFrame, days: pd.DataFrame, window: Window, limits: Thresholds, place: Place
) -> Floats:
    """Return on which days frost does harm: warm weather before, and not long before the peak.

    Where the peak was not seen, warmth alone tells; before it was passed it may still be far.
    """
    settings, season = place.settings, place.season
    mean = (frame["tmin_c"] + frame["tmax_c"]) / 2
    span = settings.hardening_days
    # The record's first days have fewer days before them, and no hole for it.
    complete = mean.notna().rolling(span, min_periods=1).sum()
    expected = np.minimum(np.arange(1, len(mean) + 1), span)
    warmth = mean.rolling(span, min_periods=1).mean()[complete.to_numpy() == expected]
    warm = warmth.reindex(days.index).to_numpy(dtype=float)
    tender = np.where(np.isnan(warm), np.nan, warm >= settings.dehardened_c)
    peak = window.peak
    if peak is None and window.grown and window.end is None and season.as_of < season.end:
        peak = season.end
    if peak is not None:
        near = pd.Timestamp(peak) - pd.Timedelta(days=limits.frost_lead_days)
        tender[np.asarray(days.index < near)] = 0.0
    return np.asarray(tender, dtype=float)


def _filling(crop: str | None, window: Window, days: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Return the days on which a small grain fills: from its peak on."""
    small_grain = bool(heads(np.array([crop], dtype=object))[0])
    if not small_grain or window.peak is None:
        return np.zeros(len(days), dtype=bool)
    return np.asarray(days.index >= pd.Timestamp(window.peak))


def _weather(days: pd.DataFrame) -> CellWeather:
    return CellWeather(**{name: days[column].to_numpy() for name, column in _INPUTS.items()})


def _earlier(window: Window, place: Place, cell_id: str) -> list[CellWeather]:
    """Return the weather of the same days in earlier seasons that knew all of them."""
    found = []
    for cells in place.past:
        frame = cells.get(str(cell_id))
        if frame is None or not len(frame):
            continue
        shift = frame.index[0] - pd.Timestamp(place.season.start)
        first, last = (pd.Timestamp(day) + shift for day in (window.first, window.last))
        weather = _weather(frame.loc[first:last])
        whole = len(weather.rain) == (window.last - window.first).days + 1
        if whole and known(weather.rain, weather.et0):
            found.append(weather)
    return found


@dataclass(frozen=True)
class Stages:
    """What a day means to the crop, one value per day of the growing season."""

    weight: Floats
    """How much an unmet or hot day weighs."""
    tender: Floats
    """1 where frost does harm, 0 where it does not, NaN where nobody knows."""
    filling: np.ndarray[Any, np.dtype[np.bool_]]
    """Whether a small grain fills."""


def indices(
    weather: CellWeather,
    limits: Thresholds,
    settings: HazardSettings,
    stages: Stages,
    earlier: Sequence[CellWeather] = (),
) -> dict[str, float | int | None]:
    """Return degree days, spells and the 0-100 indices of one growing season.

    Args:
        weather: Days of the growing season.
        limits: Thresholds of the crop.
        settings: Scale and soil.
        stages: What each day means to the crop.
        earlier: The same days of earlier seasons; fewer than `climate_years` say nothing.

    Returns:
        Columns of `HAZARDS` without the parcel; None where an input of a day is not known.
    """
    water = water_year(weather, limits, settings, stages.weight)
    past = list(earlier) if len(earlier) >= settings.climate_years else []
    usual = _usual(past, limits, settings, stages.weight)
    dry = weather.rain < settings.dry_day_mm
    rain = known(weather.rain)
    parts = {
        "drought": None if water is None else drought_index(water, usual or 0.0, limits, settings),
        "flood": None if water is None else flood_index(water, limits, settings),
        "frost": frost_index(weather, limits, settings, stages.tender),
        "heat": heat_index(weather, limits, settings, stages.weight),
    }
    inputs = np.vstack([weather.tmin, weather.tmax, weather.rain, weather.et0])
    return {
        "gdd": growing_degree_days(weather, limits),
        "dry_spell_days": longest_run(dry) if rain else None,
        "wet_spell_days": longest_run(~dry) if rain else None,
        **parts,
        "hazard_index": joint_index([parts[name] for name in _JOINT]),
        "dry_wind": dry_wind_index(weather, settings, stages.filling),
        "water_deficit": None if water is None else float(np.clip(water.deficit, 0.0, 1.0)),
        "usual_deficit": usual,
        "spei": None if water is None else _spei(weather, past),
        "waterlogged_days": None if water is None else water.wet_days,
        "unknown_days": int(np.isnan(inputs).any(axis=0).sum()),
    }


def _usual(
    past: Sequence[CellWeather], limits: Thresholds, settings: HazardSettings, weight: Floats
) -> float | None:
    years = [water_year(year, limits, settings, weight) for year in past]
    deficits = [year.deficit for year in years if year is not None]
    return float(np.clip(np.median(deficits), 0.0, 1.0)) if deficits else None


def _spei(weather: CellWeather, past: Sequence[CellWeather]) -> float | None:
    years = np.array([float((year.rain - year.et0).sum()) for year in past])
    if len(years) < 1 or np.ptp(years) == 0:
        return None
    return spei(float((weather.rain - weather.et0).sum()), years)
