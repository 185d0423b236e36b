"""Radar beside the optical series: backscatter of labelled samples on the steps of their cube.

Owns how backscatter is laid on the grid and the check that numbers can be such. The one idea: radar
sees through clouds, so it has dates of its own; a step without one keeps the last value, never a
later one, so that a season cut at a date holds nothing of what came after.

Source: Veloso et al. (2017) Understanding the temporal behavior of crops using Sentinel-1 and
Sentinel-2-like data.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldline.crops.recognise.clock import Clock
from fieldline.crops.recognise.features import POLARISATIONS, Cube
from fieldline.crops.recognise.label_tables import radar_bands
from fieldline.crops.series import ClearSeries, Floats, stack
from fieldline.pipeline.records.errors import UserError

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


def with_radar(cube: Cube, backscatter: ClearSeries, clock: Clock) -> tuple[Cube, int]:
    """Return a cube with radar beside its bands.

    Args:
        cube: Optical cube of the same samples in the same order, as `clock.cube` returns it.
        backscatter: Decibels by polarisation of the same samples.
        clock: Grid.

    Returns:
        The cube with power ratios by polarisation after its bands, and the number of samples
        without any radar date: they stand at the mean of the others, which tells no class apart.
    """
    names = tuple(name for name in POLARISATIONS if name in backscatter.bands)
    power = stack([10.0 ** (backscatter.bands[name] / 10.0) for name in names])
    values = _carried(*_means(backscatter, power, clock))
    values = values[:, clock.first_step : clock.last_step + 1]
    without = ~np.isfinite(values).all(axis=(1, 2))
    values[without] = values[~without].mean(axis=0)
    wide = np.concatenate([cube.values, values], axis=2)
    return replace(cube, values=wide, bands=(*cube.bands, *names)), int(without.sum())


def _means(series: ClearSeries, values: Floats, clock: Clock) -> tuple[Floats, NDArray[np.bool_]]:
    """Return means by step, (samples, steps, channels), and which steps were observed."""
    count, steps = len(series.parcel_ids), clock.steps
    cell = series.parcel * steps + np.minimum(series.day // clock.step_days, steps - 1)
    dates = np.bincount(cell, minlength=count * steps)
    sums = np.stack([np.bincount(cell, column, count * steps) for column in values.T], axis=-1)
    means = sums / np.maximum(dates, 1)[:, None]
    return means.reshape(count, steps, values.shape[1]), (dates > 0).reshape(count, steps)


def _carried(means: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Keep the last value over unseen steps and the first before it; NaN where there is none."""
    steps = np.arange(seen.shape[1])
    last = np.maximum.accumulate(np.where(seen, steps, -1), axis=1)
    at = np.where(last < 0, seen.argmax(axis=1)[:, None], last)
    filled: Floats = np.take_along_axis(means, at[..., None], axis=1)
    filled[~seen.any(axis=1)] = np.nan
    return filled
