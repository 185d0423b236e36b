"""Dates and amounts read from growth curves: start, peak, end, integral, rates, uncertainty.

Owns definitions, not smoothing. Start and end of season follow the Copernicus HR-VPP products: the
day the curve passes 25 % of the amplitude on its way up and 15 % on its way down, each side with
its own base. A side that the curve does not show has no date, and a peak has one only where it was
passed: nothing is extrapolated, and nothing depends on the dates a person typed for the season.

Source: Copernicus Land Monitoring Service, HR-VPP Product User Manual (2021), section 2;
Jönsson & Eklundh (2004) TIMESAT, Comput. Geosci. 30.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fieldline.crops.growth.curves import Curves, Points
from fieldline.crops.growth.cycles import CycleRules, Turns, find_turns
from fieldline.crops.series import Floats, Ints

_TINY = 1e-9
#: Standard deviation of a date of which only the two days around it are known (uniform).
_UNIFORM = 1 / np.sqrt(12)


@dataclass(frozen=True)
class Cycles:
    """Crop cycles of a batch, sorted by parcel and time; NaN where a date was not seen."""

    parcel: Ints
    turns: Turns
    """Grid positions of the cycle's lows and top."""
    start: Floats
    """Start of season, days since the season's start."""
    peak_day: Floats
    end: Floats
    peak: Floats
    """Highest NDVI seen."""
    left_base: Floats
    """NDVI before the rise; NaN where the rise was not seen."""
    right_base: Floats
    """NDVI after the fall; NaN where the fall was not seen."""
    base: Floats
    """Mean of the bases that were seen."""
    integral: Floats
    """Curve above base from start to end (to the curve's ends where not seen), value x days."""
    rise_rate: Floats
    """Mean slope from start to peak, value per day."""
    fall_rate: Floats
    """Mean slope from peak to end, value per day, positive."""

    def __len__(self) -> int:
        return len(self.parcel)

    @property
    def amplitude(self) -> Floats:
        """Peak above base."""
        return self.peak - self.base

    def per_parcel(self, count: int) -> Ints:
        """Number of cycles of each parcel."""
        return np.bincount(self.parcel, minlength=count)

    def main(self, count: int) -> Ints:
        """Position of each parcel's main cycle, -1 where it has none.

        It is the one with the largest integral, the earlier one where two are equal.
        """
        order = np.lexsort((np.arange(len(self)), -self.integral, self.parcel))
        parcels, at = np.unique(self.parcel[order], return_index=True)
        main = np.full(count, -1, dtype=np.int64)
        main[parcels] = order[at]
        return main

    def crossing(self, curves: Curves, share: float, side: int) -> Floats:
        """Day on which the curve passes a share of one side's amplitude, nearest to the peak.

        Args:
            curves: The curves that the cycles were read from.
            share: Share of that side's amplitude, 0..1.
            side: -1 for the rise, 1 for the fall.

        Returns:
            Days since the season's start, NaN where the side was not seen.
        """
        base = self.left_base if side < 0 else self.right_base
        return self.crossing_of(curves, base + share * (self.peak - base), side)

    def crossing_of(self, curves: Curves, level: Floats, side: int) -> Floats:
        """Day on which the curve passes a value of each cycle, nearest to the peak.

        Args:
            curves: The curves that the cycles were read from.
            level: One value per cycle, NaN where the side was not seen.
            side: -1 for the rise, 1 for the fall.

        Returns:
            Days since the season's start, NaN where the side was not seen.
        """
        edge = self.turns.left if side < 0 else self.turns.right
        return _crossing(curves, self.turns, edge, level)


def find_cycles(curves: Curves, rules: CycleRules) -> Cycles:
    """Return the crop cycles of curves, sorted by parcel and time."""
    turns = find_turns(curves, rules)
    rows = curves.values[turns.parcel]
    here = np.arange(len(turns.parcel))
    top = rows[here, turns.peak]
    left_base, right_base = _bases(curves, turns, top, rules)
    start = _crossing(curves, turns, turns.left, left_base + rules.start_share * (top - left_base))
    end = _crossing(curves, turns, turns.right, right_base + rules.end_share * (top - right_base))
    both = np.vstack([left_base, right_base])
    low = np.minimum(rows[here, turns.left], rows[here, turns.right])
    base = np.where(np.isnan(both).all(axis=0), low, _mean_of_seen(both))
    peak_day = _passed_peak(curves, turns, top, base, rules)
    return Cycles(
        turns.parcel, turns, start, peak_day, end, top, left_base, right_base, base,
        _integral(curves, turns, base, start, end),
        _rate(top - left_base, (1 - rules.start_share), peak_day - start),
        _rate(top - right_base, (1 - rules.end_share), end - peak_day),
    )  # fmt: skip


def _mean_of_seen(bases: Floats) -> Floats:
    seen = ~np.isnan(bases)
    total: Floats = np.where(seen, bases, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    return total


def _bases(curves: Curves, turns: Turns, top: Floats, rules: CycleRules) -> tuple[Floats, Floats]:
    """Return the NDVI before and after each cycle, NaN on a side that was not seen to its low.

    A low is one where the land was nearly bare, or where the curve turned: a record that begins in
    the middle of a rise shows neither.
    """
    found = []
    edges = ((turns.left, curves.first, np.less), (turns.right, curves.last, np.greater))
    for at, edge, beyond in edges:
        low = curves.values[turns.parcel, at]
        turned = beyond(edge[turns.parcel], at)
        seen = (top - low >= rules.min_amplitude) & ((low <= rules.bare) | turned)
        if at is turns.right:
            seen &= low <= rules.bare  # a cut meadow has not ended
        found.append(np.where(seen, low, np.nan))
    return found[0], found[1]


def _passed_peak(
    curves: Curves, turns: Turns, top: Floats, base: Floats, rules: CycleRules
) -> Floats:
    """Return the peak's day where the curve lies clearly lower on both sides of it.

    A curve never rises above what was observed, so between two dates its top may be flat: then the
    peak is the middle of the flat.
    """
    rows = curves.values[turns.parcel]
    grid = np.arange(rows.shape[1])
    needed = top - rules.passed_share * (top - base)
    before = np.where(grid < turns.peak[:, None], rows, np.inf)
    after = np.where(grid > turns.peak[:, None], rows, np.inf)
    lower = [
        np.nan_to_num(side, nan=np.inf).min(axis=1, initial=np.inf) for side in (before, after)
    ]
    passed = (lower[0] <= needed) & (lower[1] <= needed)
    off = ~(rows >= top[:, None] - _TINY)
    left = np.where(off & (grid < turns.peak[:, None]), grid, -1).max(axis=1) + 1
    right = np.where(off & (grid > turns.peak[:, None]), grid, len(grid)).min(axis=1) - 1
    return np.where(passed, (left + right) / 2 * curves.step_days, np.nan)


def _crossing(curves: Curves, turns: Turns, edge: Ints, level: Floats) -> Floats:
    """Walk from the peak towards the edge to the first passage of the level."""
    rows, grid = curves.values[turns.parcel], np.arange(curves.values.shape[1])
    backwards = edge < turns.peak
    low, high = np.minimum(edge, turns.peak), np.maximum(edge, turns.peak)
    between = (grid >= low[:, None]) & (grid <= high[:, None]) & (grid != turns.peak[:, None])
    under = between & (rows <= level[:, None])
    nearest = np.where(
        backwards, rows.shape[1] - 1 - under[:, ::-1].argmax(axis=1), under.argmax(axis=1)
    )
    inner = nearest + np.where(backwards, 1, -1)
    here = np.arange(len(rows))
    inner = np.clip(inner, 0, rows.shape[1] - 1)
    above, below = rows[here, inner], rows[here, nearest]
    share = (above - level) / np.maximum(above - below, _TINY)
    days = curves.days
    day = days[inner] + np.clip(share, 0.0, 1.0) * (days[nearest] - days[inner])
    return np.where(under.any(axis=1), day, np.nan)


def _integral(curves: Curves, turns: Turns, base: Floats, start: Floats, end: Floats) -> Floats:
    """Integrate the curve above base, grid piece by grid piece, each cut to the season."""
    days = curves.days
    low, high = days[turns.left], days[turns.right]
    from_ = np.where(np.isnan(start), low, start)[:, None]
    to = np.where(np.isnan(end), high, end)[:, None]
    above = curves.values[turns.parcel] - base[:, None]
    left, right = np.clip(days[:-1], from_, to), np.clip(days[1:], from_, to)
    slope = np.diff(above, axis=1) / curves.step_days
    at_left = above[:, :-1] + slope * (left - days[:-1])
    at_right = above[:, :-1] + slope * (right - days[:-1])
    piece = (np.maximum(at_left, 0.0) + np.maximum(at_right, 0.0)) / 2 * (right - left)
    total: Floats = np.where(right > left, piece, 0.0).sum(axis=1)
    return total


def _rate(amplitude: Floats, share: float, days: Floats) -> Floats:
    return np.where(days > 0, amplitude * share / np.where(days > 0, days, 1.0), np.nan)


def date_sd(curves: Curves, cycles: Cycles, points: Points, dates: Floats) -> Floats:
    """Standard deviation of dates that a curve gave: sparse days and noisy values both count.

    Between two observations the curve's course is a guess (uniform: gap / sqrt 12); the noise of
    the parcel's observations moves a passage by noise over slope.

    Args:
        curves: The curves.
        cycles: Cycles whose dates they are.
        points: Observations that made the curves.
        dates: One date per cycle, days since the season's start; NaN has none.

    Returns:
        Days; NaN where the date is.
    """
    step, days = curves.step_days, curves.days
    stride = int(days[-1]) + 2 * step + 1
    key = points.parcel * stride + points.day
    asked = cycles.parcel * stride + np.nan_to_num(dates)
    after = np.searchsorted(key, asked, side="left")
    upper = np.clip(after, 0, len(key) - 1)
    lower = np.clip(after - 1, 0, len(key) - 1)
    inside = (points.parcel[upper] == cycles.parcel) & (points.parcel[lower] == cycles.parcel)
    gap = np.where(inside, points.day[upper] - points.day[lower], step).astype(float)
    at = np.clip((np.nan_to_num(dates) // step).astype(np.int64), 0, len(days) - 2)
    rise = curves.values[cycles.parcel, at + 1] - curves.values[cycles.parcel, at]
    slope = np.maximum(np.abs(np.nan_to_num(rise)) / step, _TINY)
    by_noise = np.minimum(curves.noise[cycles.parcel] / slope, stride)
    sd: Floats = np.where(
        np.isnan(dates), np.nan, np.hypot(np.maximum(gap, step) * _UNIFORM, by_noise)
    )
    return sd


def peak_sd(curves: Curves, cycles: Cycles) -> Floats:
    """Standard deviation of the peak's day: the stretch of the top that noise cannot tell apart.

    Returns:
        Days (that stretch / sqrt 12); NaN where the peak was not passed.
    """
    rows = curves.values[cycles.parcel]
    near = rows >= (cycles.peak - curves.noise[cycles.parcel])[:, None]
    grid = np.arange(rows.shape[1])
    inside = (grid >= cycles.turns.left[:, None]) & (grid <= cycles.turns.right[:, None])
    width = (near & inside).sum(axis=1) * curves.step_days
    return np.where(np.isnan(cycles.peak_day), np.nan, width * _UNIFORM)
