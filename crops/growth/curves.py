"""Smooth growth curves: weighted Whittaker with a smoothing strength found per parcel.

Owns the curve and nothing read from it. The one idea: the penalty that suits a parcel sits at the
bottom of its V-curve, the path of misfit against roughness over a ladder of penalties, which needs
no tuning and is not fooled by the serial correlation that breaks cross-validation.

Source: Eilers, P. (2003) A perfect smoother, Anal. Chem. 75; Frasso & Eilers (2015) L- and
V-curves for optimal smoothing, Stat. Modelling 15; Eilers, Pesendorfer & Bonifacio (2017)
Automatic smoothing of remote sensing data, MultiTemp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from whittaker_eilers import WhittakerSmoother

from fieldline.crops.series import Floats, Ints

_ORDER = 2
_TINY = 1e-12


@dataclass(frozen=True)
class Curve:
    """A smoothed series on a regular grid."""

    first_day: int
    """Day of the first value since the season's start."""
    step_days: int
    """Distance between values, days."""
    values: Floats
    """Smoothed values."""
    penalty: float
    """Smoothing strength that was used."""

    @property
    def days(self) -> Floats:
        """Day of each value since the season's start."""
        return self.first_day + self.step_days * np.arange(len(self.values), dtype=np.float64)


def penalty_ladder(low: float, high: float, rungs: int) -> tuple[float, ...]:
    """Return penalties evenly spaced in logarithm from 10^low to 10^high."""
    return tuple(float(value) for value in 10.0 ** np.linspace(low, high, rungs))


def smooth_curve(
    day: Ints, values: Floats, weight: Floats, step_days: int, ladder: Sequence[float]
) -> Curve:
    """Smooth irregular values onto a regular grid from the first to the last observation.

    Args:
        day: Days since the season's start, ascending.
        values: One value per day.
        weight: Trust in each value, 0..1 (clear share).
        step_days: Grid step, days.
        ladder: Penalties to choose from, ascending; one penalty is used as it is.

    Returns:
        The curve; it never leaves the observations, in time (by at most half a step) or in value:
        a long gap between two slopes must not swing above what was ever seen.
    """
    half = step_days // 2
    first = (int(day[0]) + half) // step_days * step_days
    cell = (day - first + half) // step_days  # nearest grid day: no shift of the dates
    length = int(cell[-1]) + 1
    total = np.bincount(cell, weight, length)
    means = np.bincount(cell, weight * values, length) / np.maximum(total, _TINY)
    trust = np.minimum(total, 1.0)
    if length <= _ORDER + 1:
        return Curve(first, step_days, means, 0.0)
    fits = _fits(means, trust, ladder)
    choice = 0 if len(ladder) < 2 else _v_curve(fits, means, trust, ladder)
    seen = np.clip(fits[choice], values.min(), values.max())
    return Curve(first, step_days, seen, float(ladder[choice]))


def _fits(means: Floats, trust: Floats, ladder: Sequence[float]) -> Floats:
    smoother = WhittakerSmoother(ladder[0], _ORDER, len(means), None, trust.tolist())
    wanted = means.tolist()
    fits = np.empty((len(ladder), len(means)))
    for rung, penalty in enumerate(ladder):
        smoother.update_lambda(penalty)
        fits[rung] = smoother.smooth(wanted)
    return fits


def _v_curve(fits: Floats, means: Floats, trust: Floats, ladder: Sequence[float]) -> int:
    misfit = np.log((trust * (fits - means) ** 2).sum(axis=1) + _TINY)
    rough = np.log((np.diff(fits, n=_ORDER, axis=1) ** 2).sum(axis=1) + _TINY)
    move = np.hypot(np.diff(misfit), np.diff(rough)) / np.diff(np.log10(np.asarray(ladder)))
    return int(np.argmin(move)) + 1
