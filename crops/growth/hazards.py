"""The hazards stage: what the weather did to each parcel inside its own growing season.

Owns `hazards.parquet`. Every index is one scale: the share of the crop that such weather usually
costs, 0 while it is what any year costs and 100 where the crop is lost. The same dry fortnight is
nothing to a fallow field and little to an irrigated one, so only days between the parcel's own
start and end of season count, and usual irrigation is given before a day counts as dry. Before the
season is over, what has not come up has not been harmed.

Source: FAO-33 (Doorenbos & Kassam 1979) yield response to water; FAO-56 (Allen et al. 1998)
depletion fractions; AquaCrop reference manual (Raes et al. 2018) temperatures; China's statistics
of natural disasters count a crop as affected from 10 % loss and as lost from 80 %.
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

from fieldline.crops.schemas import HAZARDS
from fieldline.crops.series import Floats, stopped_parcels
from fieldline.crops.settings import HazardSettings
from fieldline.pipeline.records.outcomes import Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table, write_table

STAGE = "hazards"
_INDICES = ("drought", "flood", "frost", "heat")
_NO_HARM: dict[str, Any] = {
    "gdd": 0.0, "dry_spell_days": 0, "wet_spell_days": 0, "hazard_index": 0.0,
    **dict.fromkeys(_INDICES, 0.0),
}  # fmt: skip
"""Land on which nothing has come up: the weather so far met no crop."""


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
    """Daily weather of one cell from the season's start, one value per day."""

    tmin: Floats
    tmax: Floats
    rain: Floats
    et0: Floats


@cache
def thresholds() -> dict[str, Thresholds]:
    """Return hazard thresholds by crop; `default` serves crops without a row."""
    with (files("fieldline") / "data" / "hazard_thresholds.csv").open(encoding="utf-8") as handle:
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


@dataclass(frozen=True)
class WaterYear:
    """What the soil did in one growing season."""

    deficit: float
    """Share of the crop's water demand that was not met (1 - ETa / ETm)."""
    wet_days: int
    """Days that ended with more water than the crop tolerates, beyond the first of each spell."""


def water_year(weather: CellWeather, limits: Thresholds, settings: HazardSettings) -> WaterYear:
    """Keep the books of a bucket of soil water, day by day.

    The bucket of `soil_water_mm` starts full, gains rain and loses crop water use: the crop
    coefficient x reference evapotranspiration, less under the readily available water (FAO-56
    eq. 84).
    Irrigation fills it in doses while the season's allowance lasts. What does not fit in stands on
    the field and leaves at `drainage_mm` a day.
    """
    capacity = settings.soil_water_mm
    free = (1.0 - limits.depletion_p) * capacity
    allowance = limits.irrigation_mm * settings.irrigation_share
    left, standing, met, wet, wet_days = capacity, 0.0, 0.0, 0, 0
    for rain, et0 in zip(weather.rain, weather.et0, strict=True):
        if left < free and allowance > 0:
            dose = min(settings.irrigation_dose_mm, allowance, capacity - left)
            left, allowance = left + dose, allowance - dose
        use = settings.crop_coefficient * et0 * min(left / free, 1.0)
        met += use
        left += rain - use
        standing = max(0.0, standing + max(0.0, left - capacity) - settings.drainage_mm)
        left = min(max(left, 0.0), capacity)
        wet = wet + 1 if standing > limits.ponding_mm else 0
        wet_days += wet > settings.aeration_lag_days
    demand = settings.crop_coefficient * float(weather.et0.sum())
    return WaterYear(1.0 - met / demand if demand > 0 else 0.0, wet_days)


def loss_index(loss: float, settings: HazardSettings) -> float:
    """Turn a loss share into an index: 0 up to an ordinary year's loss, 100 for a lost crop.

    Args:
        loss: Share of the yield that such weather costs, 0 to 1.
        settings: `ordinary_loss` and `failure_loss`.
    """
    span = settings.failure_loss - settings.ordinary_loss
    return float(np.clip(100.0 * (loss - settings.ordinary_loss) / span, 0.0, 100.0))


def drought_index(water: WaterYear, limits: Thresholds, settings: HazardSettings) -> float:
    """Index of the loss Ky x (1 - ETa / ETm).

    Source: FAO-33, equation 1.
    """
    return loss_index(limits.yield_response * water.deficit, settings)


def flood_index(water: WaterYear, limits: Thresholds, settings: HazardSettings) -> float:
    """Index of waterlogged days; `wet_days` of them cost the crop."""
    return loss_index(settings.failure_loss * water.wet_days / limits.wet_days, settings)


def degree_index(excess: Floats, loss_per_degree_day: float, settings: HazardSettings) -> float:
    """Index of degree-days of harm.

    Args:
        excess: Degrees beyond the threshold by day; negative ones do no harm.
        loss_per_degree_day: Yield share that one degree-day costs.
        settings: Scale of the index.
    """
    return loss_index(loss_per_degree_day * float(np.maximum(excess, 0.0).sum()), settings)


def joint_index(parts: Sequence[float]) -> float:
    """Combine indices as independent losses: 100 x (1 - product of (1 - index / 100))."""
    return float(100.0 * (1.0 - np.prod([1.0 - part / 100.0 for part in parts])))


def run_hazards(
    *,
    weather: Path,
    weather_cells: Path,
    growth: Path,
    crops: Path,
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
        growth: `growth.parquet`; its start and end bound the days that count, its peak the frosts.
        crops: `crops.parquet`; its crop chooses the thresholds.
        season: Season; nothing after its as-of date is read.
        settings: Settings of the stage.
        out: Where the hazards go.
        outcomes: Where outcomes go.
        previous: Outcome files of earlier stages; parcels they stopped are left out.
    """
    cells = _cells(weather, season, settings)
    table = read_table(growth, ["parcel_id", "sos", "pos", "eos"])
    table = table[~table["parcel_id"].isin(stopped_parcels(previous))]
    table = table.merge(read_table(weather_cells, ["parcel_id", "cell_id"]), how="left")
    table = table.merge(read_table(crops, ["parcel_id", "crop"]), how="left")
    rows, results = [], []
    for record in table.to_dict("records"):
        row, outcome = _parcel(record, cells, season, settings)
        rows.append(row)
        results.append(outcome)
    write_table(pd.DataFrame(rows, columns=HAZARDS.names), HAZARDS, out)
    write_outcomes(results, outcomes)


def _cells(path: Path, season: Season, settings: HazardSettings) -> dict[str, pd.DataFrame]:
    columns = ["cell_id", "date", "tmin_c", "tmax_c", "precip_mm", "et0_mm"]
    frame = read_table(path, columns)
    known = (frame["date"] >= season.start) & (frame["date"] <= min(season.end, season.as_of))
    parts = frame[known].sort_values(["cell_id", "date"]).groupby("cell_id")
    return {str(name): _with_warmth(part.set_index("date"), settings) for name, part in parts}


def _with_warmth(days: pd.DataFrame, settings: HazardSettings) -> pd.DataFrame:
    """Add the mean temperature of the last days: what a plant has hardened to."""
    mean = (days["tmin_c"] + days["tmax_c"]) / 2
    return days.assign(warmth_c=mean.rolling(settings.hardening_days, min_periods=1).mean())


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
    crop = record["crop"] if isinstance(record["crop"], str) else None
    waiting = not seen and crop is None and season.as_of < season.end
    days = frame.loc[(frame.index >= first) & (frame.index <= last)] if frame is not None else None
    count = 0 if days is None else len(days)
    if days is None or count < settings.min_days:
        numbers = detail(days=count, needed=settings.min_days)
        return empty, Outcome(STAGE, parcel_id, "", "no_weather_index", numbers)
    if waiting:
        return {"parcel_id": parcel_id} | _NO_HARM, Outcome(STAGE, parcel_id, "", "not_yet_grown")
    limits = thresholds().get(crop or "default", thresholds()["default"])
    code = "ok" if seen else "no_growing_season"
    peak = record["pos"]
    if isinstance(peak, dt.date) and not isinstance(record["eos"], dt.date):
        # Before the canopy has gone down again the highest day so far need not be the peak.
        peak = peak if season.as_of >= season.end else season.end
    row = {"parcel_id": parcel_id} | indices(
        _weather(days), limits, settings, tender=_tender(days, peak, limits, settings)
    )
    return row, Outcome(STAGE, parcel_id, "", code, detail(days=count))


def _tender(
    days: pd.DataFrame, peak: object, limits: Thresholds, settings: HazardSettings
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return the days on which frost does harm: warm weather before, and not long before the peak.

    Where the peak was not seen, warmth alone tells.
    """
    warm = (days["warmth_c"] >= settings.dehardened_c).to_numpy(np.bool_)
    if not isinstance(peak, dt.date):
        return warm
    near = [(peak - day).days <= limits.frost_lead_days for day in days.index]
    return warm & np.asarray(near, dtype=np.bool_)


def _weather(days: pd.DataFrame) -> CellWeather:
    values = {name: days[name].to_numpy(np.float64) for name in days.columns if name != "cell_id"}
    et0 = np.where(np.isfinite(values["et0_mm"]), values["et0_mm"], np.nanmean(values["et0_mm"]))
    return CellWeather(values["tmin_c"], values["tmax_c"], values["precip_mm"], np.nan_to_num(et0))


def indices(
    weather: CellWeather,
    limits: Thresholds,
    settings: HazardSettings,
    tender: np.ndarray[Any, np.dtype[np.bool_]],
) -> dict[str, float | int]:
    """Return degree days, spells and the 0-100 indices of one growing season.

    Args:
        weather: Days of the growing season.
        limits: Thresholds of the crop.
        settings: Scale and soil.
        tender: Days on which frost does harm, shape (days,).
    """
    dry = weather.rain < settings.dry_day_mm
    water = water_year(weather, limits, settings)
    cold, hot = limits.frost_c - weather.tmin[tender], weather.tmax - limits.heat_c
    parts = {
        "drought": drought_index(water, limits, settings),
        "flood": flood_index(water, limits, settings),
        "frost": degree_index(cold, settings.frost_loss_per_degree_day, settings),
        "heat": degree_index(hot, settings.heat_loss_per_degree_day, settings),
    }
    return {
        "gdd": growing_degree_days(weather, limits),
        "dry_spell_days": longest_run(dry),
        "wet_spell_days": longest_run(~dry),
        **parts,
        "hazard_index": joint_index([parts[name] for name in _INDICES]),
    }
