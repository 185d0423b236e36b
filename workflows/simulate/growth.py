"""Growth and yield by the FAO crop water model AquaCrop, run on a small grid and interpolated.

Owns the runs (crop x cell x season x sowing and skill) and their interpolation to fields; knows no
satellite. Each run is stored against relative time (0 sowing, 1 harvest), so that two seasons of
different length can be blended without two humps.
"""

from __future__ import annotations

import datetime as dt
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.pipeline.records.errors import FieldlineError
from fieldline.workflows.simulate.cultivars import Cultivar, planted
from fieldline.workflows.simulate.settings import SimulateSettings
from fieldline.workflows.simulate.weather import Weather

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TAU = np.linspace(0.0, 1.0, 101)
SOW_SPREAD = 1.5
_SHORTEST_SEASON, _LONGEST_SEASON = 30, 300
_SPIN_UP = 12
_SOILS = ("SiltLoam", "Loam", "SandyLoam", "ClayLoam")
_STAGES = ("Emergence", "MaxRooting", "Senescence", "Maturity", "HIstart", "Flowering", "YldForm")
_RATES = ("CGC", "CDC")
MEAN_SKILL = 0.55
#: Shares of the cultivar's thermal time, tried in turn: farmers of a cool year sow earlier types.
_EARLINESS = (1.0, 0.9, 0.8, 0.7)
#: Canopy cover = 1 - exp(-k LAI); k of the AquaCrop documentation's range.
EXTINCTION = 0.6


@dataclass(frozen=True)
class Job:
    """One AquaCrop run: all that the model needs, picklable."""

    cultivar: Cultivar
    sowing: dt.date
    skill: float
    soil: str
    days: npt.NDArray[np.datetime64]
    tmin: Floats
    tmax: Floats
    precip: Floats
    et0: Floats


@dataclass(frozen=True)
class Run:
    """The result of one AquaCrop run."""

    sow_day: int
    """Sowing, days since 1970-01-01."""
    length: float
    """Days from sowing to harvest."""
    yield_t_ha: float
    """Yield in market (fresh) mass."""
    cover: Floats
    """Green canopy cover at `TAU`."""


def _overrides(cultivar: Cultivar, skill: float) -> dict[str, float]:
    """Scale thermal stages to the cultivar and the canopy to the farmer's skill.

    Poor nutrition and weeds lower the largest cover and the water productivity, as AquaCrop's own
    soil-fertility stress does (Van Gaelen et al. 2015, doi:10.1016/j.eja.2014.11.006); the Python
    version has no such module, so that the two parameters are lowered before the run.
    """
    from aquacrop.entities.crops.crop_params import crop_params

    base = crop_params[cultivar.aquacrop]
    changed = {name: base[name] * cultivar.thermal_scale for name in _STAGES}
    changed |= {name: base[name] / cultivar.thermal_scale for name in _RATES}
    changed["CCx"] = base["CCx"] * (0.72 + 0.28 * skill)
    changed["WP"] = base["WP"] * (0.72 + 0.28 * skill)
    changed["HI0"] = cultivar.hi0
    return changed


def run_crop(job: Job) -> Run:
    """Run AquaCrop once; where a year is too cool for the cultivar, with an earlier-maturing one.

    Raises:
        FieldlineError: Not even the earliest cultivar matures under this weather.
    """
    for earliness in _EARLINESS:
        scale = job.cultivar.thermal_scale * earliness
        run = _try_crop(replace(job, cultivar=replace(job.cultivar, thermal_scale=scale)))
        if run is not None:
            return run
    raise FieldlineError(f"{job.cultivar.code} sown {job.sowing} does not mature")


def _try_crop(job: Job) -> Run | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = _model(job)
            model.run_model(till_termination=True)
        except AssertionError:  # AquaCrop's way to say that the weather lacks degree days
            return None
        growth, result = model.get_crop_growth(), model.get_simulation_results()
    if len(result) == 0:
        return None
    harvest = pd.Timestamp(result["Harvest Date (YYYY/MM/DD)"].iloc[0]).date()
    length = (harvest - job.sowing).days
    cover = growth["canopy_cover"].to_numpy()[_SPIN_UP : _SPIN_UP + length]
    return Run(
        (job.sowing - dt.date(1970, 1, 1)).days,
        float(length),
        float(result["Fresh yield (tonne/ha)"].iloc[0]),
        np.interp(TAU, np.linspace(0, 1, length), cover),
    )


def _model(job: Job) -> Any:
    from aquacrop import AquaCropModel, Crop, InitialWaterContent, IrrigationManagement, Soil

    start = job.sowing - dt.timedelta(days=_SPIN_UP)
    end = job.sowing + dt.timedelta(days=_LONGEST_SEASON)
    frame = pd.DataFrame(
        {
            "MinTemp": job.tmin,
            "MaxTemp": job.tmax,
            "Precipitation": job.precip,
            "ReferenceET": job.et0,
            "Date": pd.DatetimeIndex(job.days),
        }
    )
    crop = Crop(
        job.cultivar.aquacrop,
        planting_date=f"{job.sowing:%m/%d}",
        **_overrides(job.cultivar, job.skill),
    )
    water = IrrigationManagement(0)
    if job.cultivar.irrigated:
        water = IrrigationManagement(4, NetIrrSMT=25 + 45 * job.skill)
    return AquaCropModel(
        f"{start:%Y/%m/%d}",
        f"{end:%Y/%m/%d}",
        frame,
        Soil(job.soil),
        crop,
        InitialWaterContent(value=["FC"]),
        irrigation_management=water,
    )


def _job(
    cultivar: Cultivar,
    weather: Weather,
    cell: int,
    season_start: dt.date,
    late: float,
    skill: float,
) -> Job:
    shift = dt.timedelta(days=round(late * SOW_SPREAD * cultivar.sow_sd_days))
    sowing = cultivar.sowing(season_start) + shift
    first = max(weather.index(sowing) - _SPIN_UP - 1, 0)
    span = slice(first, first + _SPIN_UP + _LONGEST_SEASON + 3)
    return Job(
        cultivar,
        sowing,
        skill,
        _SOILS[cell % len(_SOILS)],
        weather.days[span],
        weather.tmin[cell, span],
        weather.tmax[cell, span],
        weather.precip[cell, span],
        weather.et0[cell, span],
    )


def _run_all(jobs: list[Job], processes: int) -> list[Run]:
    if processes == 1 or len(jobs) < 8:
        return [run_crop(job) for job in jobs]
    # Forked workers inherit the loaded model and never run a workflow script a second time.
    import aquacrop  # noqa: F401

    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:
        return list(pool.map(run_crop, jobs, chunksize=2))


#: Design of the runs as (lateness, skill): a plane through three points, or their middle.
_DESIGNS = {1: ((0.0, MEAN_SKILL),), 3: ((-1.0, 0.9), (1.0, 0.9), (0.0, 0.2))}
_DESIGNS[2] = ((0.0, 0.9), (0.0, 0.2))


def _weights(late: Floats, skill: Floats, runs: int) -> Floats:
    """Return the weights of the design's runs, shape (n, runs): they reproduce a plane exactly."""
    if runs == 1:
        return np.ones((len(late), 1))
    good = (skill - 0.2) / 0.7
    if runs == 2:
        return np.column_stack([good, 1 - good])
    second = (late + good) / 2
    return np.column_stack([good - second, second, 1 - good])


@dataclass(frozen=True)
class GrowthTable:
    """All runs of the seasons: arrays of shape (seasons, crops, cells, design, ...)."""

    codes: tuple[str, ...]
    sow_day: Floats
    length: Floats
    yields: Floats
    cover: Floats

    def fields(
        self, season: int, crop: Ints, cell: Ints, late: Floats, skill: Floats
    ) -> FieldGrowth:
        """Interpolate the runs to fields.

        Args:
            season: Position of the season.
            crop: Position in `codes`, one per field.
            cell: Weather cell of each field.
            late: Lateness of sowing in units of 1.5 standard deviations, -1.3 to 1.3.
            skill: Farmer's skill, 0 to 1.

        Returns:
            Sowing day, length, yield and cover curve of each field.
        """
        weights = _weights(late, skill, self.yields.shape[-1])
        picked = (season, crop, cell)

        def blend(values: Floats) -> Floats:
            return np.asarray(np.einsum("nr,nr->n", weights, values[picked]))

        # Where one run stands for all, skill and lateness act by the mean response alone.
        single = self.yields.shape[-1] == 1
        effect = 1 + 0.55 * (skill - MEAN_SKILL) if single else np.ones(len(crop))
        cover = np.einsum("nr,nrt->nt", weights, self.cover[picked])
        shift = late * 6.0 if single else np.zeros(len(crop))
        return FieldGrowth(
            np.round(blend(self.sow_day) + shift),
            np.round(np.maximum(blend(self.length), _SHORTEST_SEASON)).astype(np.float64),
            np.maximum(blend(self.yields) * effect, 0.05),
            np.clip(cover * np.minimum(effect, 1.15)[:, None], 0, 0.98),
        )


@dataclass(frozen=True)
class FieldGrowth:
    """Growth of every field in one season."""

    sow_day: Floats
    """Days since 1970-01-01."""
    length: Floats
    """Days from sowing to harvest."""
    yields: Floats
    """Market yield before the field's own soil and luck, t/ha."""
    cover: Floats
    """Green cover at `TAU`, shape (fields, 101)."""


def grow(settings: SimulateSettings, weather: Weather) -> tuple[GrowthTable, pd.DataFrame]:
    """Run the crop model for the seasons and for the statistics of earlier years.

    Returns:
        The table of runs, and county yields as columns `crop, year, yield_t_ha, source`.
    """
    cultivars = planted(settings.crops)
    cells, design = settings.sky.weather_cells, _DESIGNS[settings.growth_runs]
    starts = [span.start for span in settings.seasons.values()]
    jobs = [
        _job(cultivar, weather, cell, start, late, skill)
        for start in starts
        for cultivar in cultivars
        for cell in range(cells)
        for late, skill in design
    ]
    years = [starts[0].year - back for back in range(settings.yield_years, 0, -1)]
    past = [
        _job(cultivar, weather, order % cells, starts[0].replace(year=year), 0.0, MEAN_SKILL)
        for cultivar in cultivars
        for order, year in enumerate(years)
    ]
    runs = _run_all(jobs + past, settings.processes)
    shape = (len(starts), len(cultivars), cells, len(design))
    seasons, earlier = runs[: len(jobs)], runs[len(jobs) :]
    table = _table(tuple(c.code for c in cultivars), seasons, shape)
    return table, _county_yields(past, earlier)


def grow_crop(settings: SimulateSettings, weather: Weather, cultivar: Cultivar) -> GrowthTable:
    """Run the crop model for one more crop in every season."""
    cells, design = settings.sky.weather_cells, _DESIGNS[settings.growth_runs]
    jobs = [
        _job(cultivar, weather, cell, span.start, late, skill)
        for span in settings.seasons.values()
        for cell in range(cells)
        for late, skill in design
    ]
    return _table((cultivar.code,), _run_all(jobs, settings.processes),
                  (len(settings.seasons), 1, cells, len(design)))  # fmt: skip


def _table(codes: tuple[str, ...], runs: list[Run], shape: tuple[int, ...]) -> GrowthTable:
    return GrowthTable(
        codes,
        np.array([float(r.sow_day) for r in runs]).reshape(shape),
        np.array([r.length for r in runs]).reshape(shape),
        np.array([r.yield_t_ha for r in runs]).reshape(shape),
        np.array([r.cover for r in runs]).reshape(*shape, len(TAU)),
    )


def _county_yields(jobs: list[Job], runs: list[Run]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "crop": [job.cultivar.code for job in jobs],
            "year": [harvest_date(run.sow_day, run.length).year for run in runs],
            "yield_t_ha": [round(run.yield_t_ha, 3) for run in runs],
            "source": "simulated: AquaCrop, average farmer, that year's simulated weather",
        }
    )


def harvest_date(sow_day: float, length: float) -> dt.date:
    """Return the harvest day from a sowing day since 1970-01-01 and a length in days."""
    return dt.date(1970, 1, 1) + dt.timedelta(days=int(sow_day + length))
