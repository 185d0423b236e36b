"""Turning points of growth curves: which rises and falls are crop cycles.

Owns where a cycle begins, tops and ends on the grid; dates and amounts are read in `phenology`. The
one idea: a turning point counts once the curve has moved `min_amplitude` away from it, and a low
ends a crop only where the land was nearly bare, so that a cut meadow is one canopy and wheat with
maize after it are two crops. One sweep over time serves all parcels, whatever the season's dates.

Source: Eklundh & Jönsson (2017) TIMESAT 3.3 manual (seasons by amplitude); Copernicus HR-VPP
Product User Manual (2021), section 2 (a season belongs to its peak).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.growth.curves import Curves
from fieldline.crops.series import Floats, Ints

_RISING, _FALLING = 1, -1


@dataclass(frozen=True)
class CycleRules:
    """What counts as a crop cycle and where it starts and ends."""

    min_peak: float
    """Least NDVI at the peak."""
    min_amplitude: float
    """Least rise to or fall from the peak, NDVI."""
    start_share: float
    """Share of the left amplitude that marks the start."""
    end_share: float
    """Share of the right amplitude that marks the end."""
    stood_days: int
    """A crop whose rise was not seen counts where it stood this long in the record, days."""
    bare: float = 0.5
    """A low above this is a cut or a pause of one canopy, not the land between two crops, NDVI."""
    passed_share: float = 0.1
    """A peak was passed where the curve lies this share of the amplitude lower on both sides."""


@dataclass(frozen=True)
class Turns:
    """Cycles as grid positions, sorted by parcel and time; arrays of one length."""

    parcel: Ints
    left: Ints
    """Lowest grid day before the peak."""
    peak: Ints
    right: Ints
    """Lowest grid day after the peak (the last one where the curve still rises)."""


class _Sweep:
    """State of all parcels while the grid is walked from its first day to its last."""

    def __init__(self, values: Floats, rules: CycleRules) -> None:
        count = len(values)
        self.values, self.rules = values, rules
        self.way = np.zeros(count, dtype=np.int8)
        self.high, self.low = values[:, 0].copy(), values[:, 0].copy()
        self.high_at, self.low_at = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.left_at = np.zeros(count, np.int64)
        self.found: list[tuple[Ints, Ints, Ints, Ints]] = []

    def step(self, at: int) -> None:
        """Take one more grid day into account."""
        now, size = self.values[:, at], self.rules.min_amplitude
        open_, rising = self.way == 0, self.way == _RISING
        falling = self.way == _FALLING
        higher = (open_ | rising) & (now > self.high)
        lower = (open_ | falling) & (now < self.low)
        self.left_at[higher & open_] = self.low_at[higher & open_]
        self._raise(higher, now, at)
        self.low[lower], self.low_at[lower] = now[lower], at
        fell = (open_ | rising) & ~higher & (now <= self.high - size)
        rose = ((open_ & ~fell) | falling) & (now >= self.low + size)
        self._turn(rose, falling, now, at)
        self.way[fell] = _FALLING
        self.low[fell], self.low_at[fell] = now[fell], at

    def _turn(
        self, rose: NDArray[np.bool_], falling: NDArray[np.bool_], now: Floats, at: int
    ) -> None:
        """A rise after a fall is the next crop where the land was bare, else the same canopy."""
        ended = rose & (~falling | (self.low <= self.rules.bare))
        self.emit(np.flatnonzero(ended & falling), self.low_at)
        self.left_at[ended] = self.low_at[ended]
        self._raise(ended | (rose & (now > self.high)), now, at)
        self.way[rose] = _RISING

    def _raise(self, which: NDArray[np.bool_], now: Floats, at: int) -> None:
        self.high[which], self.high_at[which] = now[which], at

    def emit(self, rows: Ints, right_at: Ints) -> None:
        """Record the cycle that each of these parcels has behind it."""
        self.found.append((rows, self.left_at[rows], self.high_at[rows], right_at[rows]))


def find_turns(curves: Curves, rules: CycleRules) -> Turns:
    """Return the rises and falls of each curve that are crop cycles.

    A rise without a fall is one (the crop stands), a fall without a rise only where the crop stood
    `stood_days` in the record: otherwise another season's crop was being cut as it began. Land that
    was bare on neither side carries no yearly crop.
    """
    known = np.flatnonzero(curves.first >= 0)
    if not len(known):
        none = np.empty(0, np.int64)
        return Turns(none, none, none, none)
    first, last = curves.first[known, None], curves.last[known, None]
    grid = np.arange(curves.values.shape[1])
    inside = np.clip(grid, first, last)
    values = np.take_along_axis(curves.values[known], inside, axis=1)
    sweep = _Sweep(values, rules)
    for at in range(1, values.shape[1]):
        sweep.step(at)
    rows = np.flatnonzero(sweep.way != 0)
    after = np.where(grid >= sweep.high_at[rows, None], values[rows], np.inf)
    right = sweep.low_at.copy()
    right[rows] = after.argmin(axis=1)
    sweep.emit(rows, right)
    row, left, peak, right = (np.concatenate(part) for part in zip(*sweep.found, strict=True))
    low, high = first[row, 0], last[row, 0]
    turns = Turns(
        row, np.clip(left, low, high), np.clip(peak, low, high), np.clip(right, low, high)
    )
    kept = np.flatnonzero(_is_crop(values, turns, low, curves.step_days, rules))
    order = kept[np.lexsort((turns.peak[kept], turns.parcel[kept]))]
    return Turns(known[row[order]], turns.left[order], turns.peak[order], turns.right[order])


def _is_crop(
    values: Floats, turns: Turns, first: Ints, step_days: int, rules: CycleRules
) -> NDArray[np.bool_]:
    top, left, right = (values[turns.parcel, at] for at in (turns.peak, turns.left, turns.right))
    risen, fallen = top - left >= rules.min_amplitude, top - right >= rules.min_amplitude
    bare = np.where(risen, left, np.inf) <= rules.bare
    bare |= np.where(fallen, right, np.inf) <= rules.bare
    half = (top + right) / 2
    grid = np.arange(values.shape[1])
    down = (grid > turns.peak[:, None]) & (values[turns.parcel] <= half[:, None])
    stood = (down.argmax(axis=1) - first) * step_days
    whole = risen | (fallen & (stood >= rules.stood_days))
    kept: NDArray[np.bool_] = (top >= rules.min_peak) & whole & (bare | ~fallen)
    return kept
