"""Features of a parcel's season for the crop model, and jittered copies of labelled ones.

Owns the regular cube (parcels x steps x channels) and the numbers drawn from it. Two views of one
cube exist: `full` (bands and indices as they are) for labels of the same sensor chain, and `shape`
(each parcel's indices between its own low and high) for labels whose processing differs, such as
top-of-atmosphere means beside surface reflectance, where only the course of the season compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.radar_series import POLARISATIONS
from fieldline.crops.series import (
    ClearSeries,
    Floats,
    indices,
    ndvi,
    regularise,
    stack,
)
from fieldline.crops.settings import ClassifySettings

View = Literal["full", "shape"]
_LOW, _HIGH = 5.0, 95.0
_TINY = 1e-6


@dataclass(frozen=True)
class Cube:
    """Regular band series of some parcels."""

    values: Floats
    """(parcels, steps, bands) reflectance; NaN for a parcel without clear dates."""
    bands: tuple[str, ...]
    clear_dates: NDArray[np.int64]
    seen: NDArray[np.bool_]
    """(parcels, steps) whether the optical bands of a step were observed; the others are filled
    between neighbours."""


def cube_of(series: ClearSeries, bands: tuple[str, ...], steps: int, step_days: int) -> Cube:
    """Bring clear series onto the regular grid; gaps are filled between neighbours.

    Missed clouds stay in: trees learn to live with them, and what a spike filter takes away besides
    costs more than it gains (measured on held-out points).
    """
    columns = stack([series.bands[name] for name in bands])
    values, seen = regularise(series, columns, steps, step_days)
    return Cube(values, bands, series.clear_dates, seen)


def rows_of(cube: Cube, rows: Sequence[int] | NDArray[np.int64]) -> Cube:
    """Return the cube of some of its parcels."""
    at = np.asarray(rows, dtype=np.int64)
    return replace(
        cube, values=cube.values[at], clear_dates=cube.clear_dates[at], seen=cube.seen[at]
    )


def joined(cubes: Sequence[Cube]) -> Cube:
    """Return the parcels of several cubes of the same bands and steps as one."""
    return Cube(
        np.concatenate([cube.values for cube in cubes]),
        cubes[0].bands,
        np.concatenate([cube.clear_dates for cube in cubes]),
        np.concatenate([cube.seen for cube in cubes]),
    )


def channels(cube: Cube, view: View) -> dict[str, Floats]:
    """Return the series of each channel of a view, (parcels, steps) each."""
    bands = {name: cube.values[:, :, at] for at, name in enumerate(cube.bands)}
    radar = {name: _decibels(bands.pop(name)) for name in POLARISATIONS if name in bands}
    derived = indices(bands)
    if view == "shape":
        return {name: _relative(values) for name, values in derived.items()}
    if len(radar) == len(POLARISATIONS):
        radar["VH/VV"] = radar["VH"] - radar["VV"]
    return bands | derived | radar


def _decibels(power: Floats) -> Floats:
    return np.asarray(10.0 * np.log10(np.maximum(power, _TINY)))


def features(cube: Cube, view: View) -> NDArray[np.float32]:
    """Return (parcels, features): every channel at every step and its simple statistics."""
    series = list(channels(cube, view).values())
    parts = [np.concatenate(series, axis=1)]
    parts += [_statistics(values) for values in series]
    if view == "shape":
        bands = {name: cube.values[:, :, at] for at, name in enumerate(cube.bands)}
        parts.append(_statistics(ndvi(bands))[:, :2])
    return np.concatenate(parts, axis=1).astype(np.float32)


def _relative(values: Floats) -> Floats:
    low, high = np.nanpercentile(values, (_LOW, _HIGH), axis=1, keepdims=True)
    scaled: Floats = (values - low) / np.maximum(high - low, _TINY)
    return np.clip(scaled, -1.0, 2.0)


def _statistics(values: Floats) -> Floats:
    """Mean, spread, extremes, their times, and the steepest rise and fall with their times."""
    slope = np.diff(values, axis=1)
    safe, safe_slope = np.nan_to_num(values), np.nan_to_num(slope)
    columns = (
        values.mean(axis=1), values.std(axis=1), values.min(axis=1), values.max(axis=1),
        safe.argmin(axis=1), safe.argmax(axis=1), slope.max(axis=1), slope.min(axis=1),
        safe_slope.argmax(axis=1), safe_slope.argmin(axis=1),
    )  # fmt: skip
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


def jitter(cube: Cube, generator: np.random.Generator, settings: ClassifySettings) -> Cube:
    """Return a copy of each parcel sown a little earlier or later under another light.

    Time is shifted and stretched, each band gets its own gain, all bands share one gain; the crop
    stays the same crop.
    """
    count, steps, width = cube.values.shape
    steps_sd = settings.augment_shift_days / settings.step_days
    shift: Floats = np.asarray(generator.normal(0.0, steps_sd, count))
    stretch: Floats = np.exp(generator.normal(0.0, settings.augment_gain / 2, count))
    gain = np.exp(
        generator.normal(0.0, settings.augment_gain, (count, 1, 1))
        + generator.normal(0.0, settings.augment_gain / 2, (count, 1, width))
    )
    middle = (steps - 1) / 2
    at = (np.arange(steps)[None, :] - middle) * stretch[:, None] + middle + shift[:, None]
    at = np.clip(at, 0, steps - 1)
    low = np.minimum(at.astype(np.int64), steps - 2) if steps > 1 else np.zeros_like(at, np.int64)
    share = (at - low)[:, :, None]
    rows = np.arange(count)[:, None]
    high = np.minimum(low + 1, steps - 1)
    moved = cube.values[rows, low] * (1 - share) + cube.values[rows, high] * share
    return replace(cube, values=np.clip(moved * gain, _TINY, 1.5))
