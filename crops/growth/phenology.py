"""Dates and amounts read from one growth curve: cycles, start, peak, end, integral, harvest.

Owns definitions, not smoothing. Start and end of season follow the Copernicus HR-VPP products: the
day the curve passes 25 % of the amplitude on its way up and 15 % on its way down, each side with
its own base. A side that the curve does not show has no date: nothing is extrapolated.

Source: Copernicus Land Monitoring Service, HR-VPP Product User Manual (2021), section 2;
Jönsson & Eklundh (2004) TIMESAT, Comput. Geosci. 30.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.signal import find_peaks

from fieldline.crops.growth.curves import Curve
from fieldline.crops.series import Floats, Ints


@dataclass(frozen=True)
class CycleRules:
    """What counts as a crop cycle and where it starts and ends."""

    min_peak: float
    """Least NDVI at the peak."""
    min_amplitude: float
    """Least rise to and fall from the peak (prominence), NDVI."""
    start_share: float
    """Share of the left amplitude that marks the start."""
    end_share: float
    """Share of the right amplitude that marks the end."""
    late_days: int
    """A record that begins later than this in the season may miss the rise, days."""


@dataclass(frozen=True)
class Cycle:
    """One rise and fall of a curve; days count from the season's start, None where not seen."""

    start: float | None
    peak_day: float
    end: float | None
    peak: float
    base: float
    """Mean of the two side bases (of the left one while the fall is not seen)."""
    amplitude: float
    integral: float
    """Curve above base from start to end (to the curve's ends where not seen), value x days."""


def find_cycles(curve: Curve, rules: CycleRules) -> list[Cycle]:
    """Return the crop cycles of a curve in time order."""
    values = curve.values
    padded = np.concatenate(([values.min()], values, [values.min()]))
    found, _ = find_peaks(padded, height=rules.min_peak, prominence=rules.min_amplitude)
    peaks = found - 1
    if not len(peaks):
        return []
    edges = [0, *[_valley(values, a, b) for a, b in pairwise(peaks)]]
    edges.append(len(values) - 1)
    cycles = (
        _cycle(curve, left, int(peak), right, rules)
        for peak, left, right in zip(peaks, edges[:-1], edges[1:], strict=True)
    )
    return [cycle for cycle in cycles if cycle is not None]


def main_cycle(cycles: list[Cycle]) -> Cycle | None:
    """Return the cycle with the largest integral, the earlier one where two are equal."""
    return max(cycles, key=lambda cycle: cycle.integral, default=None)


def _valley(values: Floats, first: int, last: int) -> int:
    return int(first) + int(np.argmin(values[first : last + 1]))


def _cycle(curve: Curve, left: int, peak: int, right: int, rules: CycleRules) -> Cycle | None:
    values, days = curve.values, curve.days
    low_left = float(values[left : peak + 1].min())
    low_right = float(values[peak : right + 1].min())
    top = float(values[peak])
    unseen_rise = left == 0 and curve.first_day > rules.late_days
    if top - low_left < rules.min_amplitude and not unseen_rise:
        return None  # the rise lies before the season: another season's crop
    fallen = top - low_right >= rules.min_amplitude
    rise = top - low_left
    start = (
        _crossing(days, values, peak, left, low_left + rules.start_share * rise)
        if rise >= rules.min_amplitude
        else None
    )
    end = (
        _crossing(days, values, peak, right, low_right + rules.end_share * (top - low_right))
        if fallen
        else None
    )
    base = _base(low_left, low_right, rise >= rules.min_amplitude, fallen)
    amount = _integral(days[left : right + 1], values[left : right + 1] - base, start, end)
    return Cycle(start, float(days[peak]), end, top, base, top - base, amount)


def _base(left: float, right: float, risen: bool, fallen: bool) -> float:
    """Mean of the side bases that the curve shows."""
    if risen and fallen:
        return (left + right) / 2
    return right if fallen else left


def _crossing(days: Floats, values: Floats, peak: int, edge: int, level: float) -> float | None:
    """Walk from the peak towards the edge to the first passage of the level."""
    step = 1 if edge > peak else -1
    for at in range(peak, edge, step):
        if values[at + step] <= level:
            share = (values[at] - level) / max(values[at] - values[at + step], 1e-12)
            return float(days[at] + share * (days[at + step] - days[at]))
    return None


def _integral(days: Floats, above: Floats, start: float | None, end: float | None) -> float:
    first = days[0] if start is None else start
    last = days[-1] if end is None else end
    inside = days[(days > first) & (days < last)]
    at = np.concatenate(([first], inside, [last]))
    return float(np.trapezoid(np.maximum(np.interp(at, days, above), 0.0), at))


def harvest_day(day: Ints, values: Floats, cycle: Cycle, bare_share: float) -> float | None:
    """Return the harvest day: midway between the last standing and the first bare observation.

    The field is bare once its NDVI stands at or below base plus `bare_share` of the amplitude after
    the peak. Raw observations serve, because smoothing spreads a cut over weeks.

    Args:
        day: Days of the clear observations, ascending.
        values: Their NDVI.
        cycle: The cycle that ends with the harvest.
        bare_share: Share of the amplitude under which nothing stands.

    Returns:
        Day since the season's start, or None where no bare observation follows the peak.
    """
    if cycle.end is None:
        return None
    level = cycle.base + bare_share * cycle.amplitude
    after = np.flatnonzero((day > cycle.peak_day) & (values <= level))
    if not len(after):
        return None
    first = int(after[0])
    return float(day[first] + day[max(first - 1, 0)]) / 2
