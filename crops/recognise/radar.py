"""Radar beside the optical series: backscatter of labelled samples on the steps of their cube.

Owns how backscatter is laid on the grid and the check that numbers can be such. The one idea: radar
sees through clouds, so it has dates of its own; a step without one keeps the last value, never a
later one, so that a season cut at a date holds nothing of what came after.

Source: Veloso et al. (2017) Understanding the temporal behavior of crops using Sentinel-1 and
Sentinel-2-like data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldline.crops.radar_series import POLARISATIONS, RadarTable
from fieldline.crops.recognise.features import Cube
from fieldline.crops.recognise.label_tables import radar_bands
from fieldline.crops.series import ClearSeries, Floats, days_since, stack
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import iter_batches

_LEAST_DB, _MOST_DB = -45.0, -1.0
"""Between these the median backscatter of land lies at C band; a ratio of powers lies above."""


def refuse_other_backscatter(frame: pd.DataFrame, where: object) -> None:
    """Refuse numbers that cannot be backscatter in decibels.

    Args:
        frame: Table with polarisations by their names.
        where: The table, for the sentence.

    Raises:
        UserError: They are ratios of powers, digital numbers or something else.
    """
    for name in radar_bands(frame):
        usual = float(frame[name].median())
        if not _LEAST_DB < usual < _MOST_DB:
            raise UserError(
                f"{where}: {name} is {usual:.3g} in the median, which is no backscatter in "
                "decibels", "give 10 log10 of sigma nought or gamma nought, or leave the column out"
            )  # fmt: skip


@dataclass(frozen=True)
class Steps:
    """The steps of a season that backscatter is laid on."""

    count: int
    days: int
    """Length of one."""
    first: int
    last: int
    """Steps that are kept, ends included."""


@dataclass(frozen=True)
class RadarCourse:
    """The radar that a model takes: one orbit direction, and what stands for a parcel without."""

    orbit: str
    mean: tuple[tuple[float, ...], ...]
    """The county's mean power by kept step and polarisation, as the model's folder keeps it."""


def county_course(table: RadarTable, steps: Steps) -> RadarCourse:
    """Return the mean backscatter of all parcels of a county and season.

    Args:
        table: Its radar.
        steps: Grid.
    """
    names = table.columns
    sums, count = np.zeros((steps.count, len(names))), np.zeros(steps.count)
    for frame in iter_batches(table.path, ["datetime", "orbit", "valid_fraction", *names]):
        day, values = days_since(frame["datetime"], table.season), frame[names].to_numpy(np.float64)
        kept = table.told(frame, day)
        step = np.minimum(day[kept] // steps.days, steps.count - 1)
        count += np.bincount(step, minlength=steps.count)
        np.add.at(sums, step, 10.0 ** (values[kept] / 10.0))
    means = _carried((sums / np.maximum(count, 1)[:, None])[None], (count > 0)[None])[0]
    kept_steps = means[steps.first : steps.last + 1]
    return RadarCourse(table.orbit, tuple(tuple(row) for row in kept_steps.tolist()))


def samples_course(backscatter: ClearSeries, steps: Steps, orbit: str) -> RadarCourse:
    """Return the mean backscatter of labelled samples, which all of them weigh alike in.

    Args:
        backscatter: Decibels by polarisation; one sample at least has a date.
        steps: Grid.
        orbit: The direction that all were seen from.
    """
    values = _laid(backscatter, steps)
    seen = np.isfinite(values).all(axis=(1, 2))
    return RadarCourse(orbit, tuple(tuple(row) for row in values[seen].mean(axis=0).tolist()))


def with_radar(
    cube: Cube, backscatter: ClearSeries, steps: Steps, course: RadarCourse | None = None
) -> tuple[Cube, int]:
    """Return a cube with radar beside its bands.

    Args:
        cube: Optical cube of the same samples in the same order, as `Clock.cube` returns it.
        backscatter: Decibels by polarisation of the same samples.
        steps: Grid.
        course: What stands for samples without any radar date; without it the mean of the others
            does. Neither tells a class apart.

    Returns:
        The cube with power ratios by polarisation after its bands, and the number of samples
        without any radar date.
    """
    values = _laid(backscatter, steps)
    without = ~np.isfinite(values).all(axis=(1, 2))
    usual = values[~without].mean(axis=0) if course is None else np.asarray(course.mean)
    values[without] = usual
    wide = np.concatenate([cube.values, values], axis=2)
    bands = (*cube.bands, *polarisations(backscatter))
    return replace(cube, values=wide, bands=bands), int(without.sum())


def polarisations(backscatter: ClearSeries) -> tuple[str, ...]:
    """Return what a series of backscatter holds, in the order of `POLARISATIONS`."""
    return tuple(name for name in POLARISATIONS if name in backscatter.bands)


def _laid(backscatter: ClearSeries, steps: Steps) -> Floats:
    """Return power on the kept steps, (samples, steps, polarisations); NaN without any date."""
    names = polarisations(backscatter)
    power = stack([10.0 ** (backscatter.bands[name] / 10.0) for name in names])
    values = _carried(*_means(backscatter, power, steps))
    return values[:, steps.first : steps.last + 1]


def _means(series: ClearSeries, values: Floats, steps: Steps) -> tuple[Floats, NDArray[np.bool_]]:
    """Return means by step, (samples, steps, channels), and which steps were observed."""
    count, size = len(series.parcel_ids), len(series.parcel_ids) * steps.count
    cell = series.parcel * steps.count + np.minimum(series.day // steps.days, steps.count - 1)
    dates = np.bincount(cell, minlength=size)
    sums = np.stack([np.bincount(cell, column, size) for column in values.T], axis=-1)
    means = sums / np.maximum(dates, 1)[:, None]
    shape = (count, steps.count)
    return means.reshape(*shape, values.shape[1]), (dates > 0).reshape(shape)


def _carried(means: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Keep the last value over unseen steps and the first before it; NaN where there is none."""
    steps = np.arange(seen.shape[1])
    last = np.maximum.accumulate(np.where(seen, steps, -1), axis=1)
    at = np.where(last < 0, seen.argmax(axis=1)[:, None], last)
    filled: Floats = np.take_along_axis(means, at[..., None], axis=1)
    filled[~seen.any(axis=1)] = np.nan
    return filled
