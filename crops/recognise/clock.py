"""Clock: the grid in time and bands that all series of a run share, and that a model stands on.

Owns how a county's grid is found from what was observed of it, how a model's grid is written down,
and which model may answer for which county and season: one that has the county's bands and a season
that begins on the same day and is known as far.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fieldline.crops.radar_series import (
    POLARISATIONS,
    RadarTable,
    longest_gaps,
    orbits_of,
    radar_table,
)
from fieldline.crops.recognise.features import Cube, cube_of
from fieldline.crops.recognise.label_tables import LabelledSeries
from fieldline.crops.recognise.labels import read_labelled
from fieldline.crops.recognise.radar import RadarCourse, Steps, county_course, with_radar
from fieldline.crops.series import ClearSeries, Ints, band_names, iter_clear, known_until
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season


@dataclass(frozen=True)
class Clock:
    """The grid that all series of a run share."""

    season: Season
    step_days: int
    first_step: int
    last_step: int
    """Steps between which the county itself was observed: labels say nothing outside them."""
    bands: tuple[str, ...]
    """Optical bands, then polarisations where radar stands beside them."""
    clear: ClearSettings
    radar: RadarCourse | None = None
    """The radar that a model takes; None where it takes none."""

    @property
    def steps(self) -> int:
        """Steps of the season as far as it is known."""
        return known_until(self.season) // self.step_days + 1

    def cube(self, series: ClearSeries) -> Cube:
        """Bring a batch onto the grid, without steps that the county itself lacks."""
        optical = tuple(name for name in self.bands if name not in POLARISATIONS)
        cube = cube_of(series, optical, self.steps, self.step_days)
        kept = slice(self.first_step, self.last_step + 1)
        cube = replace(cube, values=cube.values[:, kept], seen=cube.seen[:, kept])
        if self.radar is None or series.radar is None:
            return cube
        return with_radar(cube, series.radar, self.radar_steps, self.radar)[0]

    @property
    def radar_steps(self) -> Steps:
        """Return the steps that backscatter is laid on."""
        return Steps(self.steps, self.step_days, self.first_step, self.last_step)

    def beside(self, table: RadarTable) -> Clock:
        """Return the clock of a model that takes a county's radar too."""
        course = county_course(table, self.radar_steps)
        return replace(self, bands=(*self.bands, *table.bands), radar=course)

    def grid(self) -> dict[str, Any]:
        """Return the grid as a model folder keeps it."""
        grid: dict[str, Any] = {
            "starts": f"{self.season.start:%m-%d}", "step_days": self.step_days,
            "first_step": self.first_step, "last_step": self.last_step,
        }  # fmt: skip
        if self.radar is not None:
            mean = [list(row) for row in self.radar.mean]
            grid["radar"] = {"orbit": self.radar.orbit, "mean": mean}
        return grid


def county_clock(
    observations: Path,
    labelled: LabelledSeries | None,
    season: Season,
    clear: ClearSettings,
    step_days: int,
    stopped: frozenset[str],
) -> Clock:
    """Return the grid of a season: its steps, and between which of them the county was observed.

    Args:
        observations: `observations.parquet`.
        labelled: Labelled series of other parcels, whose bands are kept alone.
        season: Season; the grid ends at what is known of it.
        clear: What a clear date is.
        step_days: Step of the grid, days.
        stopped: Parcels that an earlier stage stopped.
    """
    first, last = known_until(season), 0
    for batch in iter_clear(observations, season, clear.min_valid_fraction, stopped):
        if len(batch.day):
            first, last = min(first, int(batch.day.min())), max(last, int(batch.day.max()))
    bands = band_names(observations)
    if labelled is not None:
        other = set(read_labelled(labelled, season).series.bands)
        bands = tuple(name for name in bands if name in other)
    return Clock(season, step_days, first // step_days, last // step_days, bands, clear)


def model_clock(
    grid: Mapping[str, Any], bands: tuple[str, ...], season: Season, clear: ClearSettings
) -> Clock:
    """Return the clock of a stored model in a season.

    Args:
        grid: What `Clock.grid` returned where it was trained.
        bands: Bands that the model takes.
        season: Season that it answers for.
        clear: What a clear date is.
    """
    step_days, first, last = (int(grid[name]) for name in ("step_days", "first_step", "last_step"))
    told = grid.get("radar")
    course = told and RadarCourse(told["orbit"], tuple(tuple(row) for row in told["mean"]))
    return Clock(season, step_days, first, last, bands, clear, course or None)


def usual_gap(
    observations: Path, season: Season, clear: ClearSettings, stopped: frozenset[str]
) -> float:
    """Return the longest span without a clear date that half of the parcels have, days.

    Args:
        observations: `observations.parquet`.
        season: Season.
        clear: What a clear date is and how many a parcel needs to count.
        stopped: Parcels that an earlier stage stopped.
    """
    found: list[Ints] = [np.empty(0, np.int64)]
    for batch in iter_clear(observations, season, clear.min_valid_fraction, stopped):
        enough = batch.clear_dates >= clear.min_dates
        found.append(longest_gaps(batch, known_until(season))[enough])
    gaps = np.concatenate(found)
    return float(np.median(gaps)) if len(gaps) else 0.0


def model_radar(
    grid: Mapping[str, Any], bands: tuple[str, ...], path: Path | None, season: Season, where: str
) -> RadarTable | None:
    """Return the radar that a stored model takes in a county; None where it takes none.

    Args:
        grid: The model's grid.
        bands: Bands that it takes.
        path: `observations_sentinel1.parquet` of the county, if any.
        season: The county's season.
        where: The model, for the sentence.

    Raises:
        UserError: It takes radar that the county does not have.
    """
    taken = tuple(name for name in bands if name in POLARISATIONS)
    if not taken:
        return None
    orbit = grid.get("radar", {}).get("orbit", "no stated orbit")
    table = radar_table(path, season, orbit)
    if table is None or not set(taken) <= set(table.bands):
        seen = "no radar" if path is None or not orbits_of(path) else (
            f"radar of {', '.join(sorted(orbits_of(path)))} orbits"
        )  # fmt: skip
        raise UserError(
            f"the crop model {where} takes radar ({', '.join(taken)}, {orbit}) and the county has "
            f"{seen} of this season",
            "add such scenes by county.radar, or name a model without radar in "
            "crops.classify.model",
        )
    return replace(table, bands=taken)


def refuse_other_season(
    grid: Mapping[str, Any], bands: tuple[str, ...], observations: Path, season: Season, where: str
) -> None:
    """Refuse a model that cannot answer for a county and season.

    Args:
        grid: Its grid.
        bands: Bands that it takes.
        observations: `observations.parquet` of the county.
        season: The county's season.
        where: The model, for the sentence.

    Raises:
        UserError: A band is missing, the season begins on another day, or less of it is known than
            the model looks at.
    """
    remedy = "train a model for this season, or name another in crops.classify.model"
    there = band_names(observations)
    lacking = [name for name in bands if name not in (*there, *POLARISATIONS)]
    if lacking:
        raise UserError(
            f"the crop model {where} takes the bands {', '.join(bands)} and the county's "
            f"observations have no {', '.join(lacking)}", remedy
        )  # fmt: skip
    if "starts" not in grid:
        raise UserError(
            f"the crop model {where} learnt from series without days of a season",
            "train it from a table of labelled series with dates (fieldline crops train), or name "
            "another in crops.classify.model",
        )
    begins = f"{season.start:%m-%d}"
    if grid["starts"] != begins:
        raise UserError(
            f"the crop model {where} is of seasons that begin on {grid['starts']} and this one "
            f"begins on {begins}", remedy
        )  # fmt: skip
    needed = int(grid["last_step"]) * int(grid["step_days"])
    if known_until(season) < needed:
        day = season.start + dt.timedelta(days=needed)
        raise UserError(
            f"the crop model {where} looks at the season until {day} and the county is known until "
            f"{min(season.end, season.as_of)}", remedy
        )  # fmt: skip
