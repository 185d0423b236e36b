"""Harvest read from the observations after a peak: an interval, a date in it, what is still open.

Owns when a crop was gone; it knows no crop by name. The one idea: one bare day proves nothing (a
cloud that no mask saw looks bare as well), so a field counts as harvested once nothing stood on it
for `confirm_days` or the next crop rises from it. Smoothing spreads a cut over weeks, so that the
day comes from the observations around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.growth.curves import Curves, Points
from fieldline.crops.growth.phenology import Cycles
from fieldline.crops.series import Floats, Ints

#: The line over a long gap tells how green the crop was before, not when it was cut.
_MIDDLE = 0.5
#: Most progress that is told of a field whose harvest is not confirmed.
_UNCONFIRMED = 0.99


@dataclass(frozen=True)
class HarvestRules:
    """When a field counts as harvested."""

    bare_share: float
    """Share of the right-hand amplitude under which nothing stands ..."""
    max_bare: float
    """... and the NDVI above which something does, whatever the amplitude."""
    confirm_days: int
    """Days after the first bare one on which no crop may stand before a field is harvested."""
    gap_days: int
    """In a longer span without a clear date any day is as likely as another."""
    standing: float = 0.5
    """A crop stands above this NDVI, or above half of the amplitude where that is lower: stubble
    and weeds lie between bare and standing."""


@dataclass(frozen=True)
class Harvests:
    """Harvest of each cycle, days since the season's start; NaN where it was not seen."""

    last_standing: Floats
    """Last day on which the crop was seen standing before the field was bare."""
    first_bare: Floats
    day: Floats
    """Where the line between those two observations passes the bare level; the middle of a gap."""


def find_harvests(points: Points, curves: Curves, cycles: Cycles, rules: HarvestRules) -> Harvests:
    """Return the confirmed harvest of each cycle.

    Args:
        points: Observations that made the curves.
        curves: The curves.
        cycles: Cycles of the curves.
        rules: When a field is bare, and confirmed to be.
    """
    count = len(cycles)
    last, first = np.full(count, np.nan), np.full(count, np.nan)
    days = curves.days
    right_amplitude = cycles.peak - cycles.right_base
    bare = np.minimum(cycles.right_base + rules.bare_share * right_amplitude, rules.max_bare)
    gone = np.minimum(cycles.right_base + right_amplitude / 2, rules.standing)
    followed = np.zeros(count, dtype=bool)
    followed[:-1] = cycles.parcel[1:] == cycles.parcel[:-1]
    until = np.full(count, np.inf)
    until[:-1][followed[:-1]] = days[cycles.turns.peak[1:]][followed[:-1]]
    rows = _rows_of_cycles(points, cycles, days[cycles.turns.peak], until)
    day, value = points.day[rows.row], points.values[rows.row]
    ends = _run_ends(day, rows.cycle, value <= gone[rows.cycle])
    needed = np.where(followed, 1, rules.confirm_days)[rows.cycle]
    enough = np.flatnonzero((value <= bare[rows.cycle]) & (ends - day >= needed))
    cycle, at = np.unique(rows.cycle[enough], return_index=True)
    begin = enough[at]
    first[cycle] = points.day[rows.row[begin]]
    before = np.maximum(rows.row[begin] - 1, 0)
    before = np.where(points.parcel[before] == cycles.parcel[cycle], before, rows.row[begin])
    last[cycle] = points.day[before]
    day_of = last.copy()
    stood, lies = points.values[before], points.values[rows.row[begin]]
    share = (stood - bare[cycle]) / np.maximum(stood - lies, 1e-9)
    hidden = first[cycle] - last[cycle] - 1 > rules.gap_days
    share = np.where(hidden, _MIDDLE, np.clip(share, 0.0, 1.0))
    day_of[cycle] += share * (first[cycle] - last[cycle])
    return Harvests(last, first, day_of)


@dataclass(frozen=True)
class _Rows:
    """Observations after each cycle's peak: row of the points, and the cycle."""

    row: Ints
    cycle: Ints


def _rows_of_cycles(points: Points, cycles: Cycles, after: Floats, until: Floats) -> _Rows:
    """Return the observations later than a day and earlier than another, cycle by cycle."""
    stride = int(points.day.max(initial=0)) + 2
    key = points.parcel * stride + points.day
    begin = np.searchsorted(key, cycles.parcel * stride + after, side="right")
    last = cycles.parcel * stride + np.minimum(until, stride - 1)
    stop = np.maximum(np.searchsorted(key, last, side="left"), begin)
    size = stop - begin
    cycle = np.repeat(np.arange(len(cycles)), size)
    offset = np.arange(len(cycle)) - np.repeat(np.cumsum(size) - size, size)
    return _Rows(np.repeat(begin, size) + offset, cycle)


def _run_ends(day: Ints, cycle: Ints, true: NDArray[np.bool_]) -> Ints:
    """Return for each observation the last day of the unbroken run of true ones it belongs to.

    An observation that is not true gets a day before any other.
    """
    ends = np.ones(len(day), dtype=bool)
    ends[:-1] = (np.diff(cycle) != 0) | ~true[1:]
    stops = np.flatnonzero(ends)
    last = day[stops[np.searchsorted(stops, np.arange(len(day)))]] if len(day) else day
    return np.where(true, last, -1)


def progress(curves: Curves, cycles: Cycles, harvests: Harvests) -> Floats:
    """Harvest progress of each cycle: 1 once harvested, else the share of the canopy that is gone.

    Before the harvest is confirmed it stays below 1.
    """
    end = curves.values[cycles.parcel, curves.last[cycles.parcel]]
    gone = (cycles.peak - end) / np.maximum(cycles.amplitude, 1e-9)
    return np.where(np.isnan(harvests.first_bare), np.clip(gone, 0.0, _UNCONFIRMED), 1.0)
