"""Smooth growth curves: weighted Whittaker with one fixed penalty, all parcels of a batch at once.

Owns the curves and nothing read from them. The one idea: every parcel lies on the same grid of
days, so the banded system of Eilers is solved for all of them in one sweep over time. The penalty
is fixed on purpose: a ladder with a V-curve chose its top rung in 460 of 467 real curves.

Source: Eilers, P. (2003) A perfect smoother, Anal. Chem. 75; Weinert, H. (2007) Efficient
computation for Whittaker-Henderson smoothing, Comput. Stat. Data Anal. 52.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.series import Floats, Ints

_TINY = 1e-12
#: Weight of days without an observation against one clear observation: it keeps the system regular
#: and is far below what moves a curve.
_FLOOR = 1e-9
#: A second difference needs this many grid days; fewer are joined by straight lines.
_LEAST_CELLS = 3


@dataclass(frozen=True)
class Curves:
    """Smoothed series of many parcels on one regular grid that begins at the season's start."""

    step_days: int
    """Distance between values, days."""
    values: Floats
    """Smoothed values, shape (parcels, grid days); NaN outside the observed days."""
    first: Ints
    """Grid day of each parcel's first observation; -1 where it has no curve."""
    last: Ints
    """Grid day of its last observation; -1 where it has no curve."""
    noise: Floats
    """Root mean square distance of the observations from the curve."""

    @property
    def days(self) -> Floats:
        """Days since the season's start of the grid."""
        return self.step_days * np.arange(self.values.shape[1], dtype=np.float64)

    def of(self, parcel: int) -> Floats:
        """Values of one parcel from its first to its last observed grid day."""
        if self.first[parcel] < 0:
            return np.empty(0)
        return self.values[parcel, self.first[parcel] : self.last[parcel] + 1]


@dataclass(frozen=True)
class Points:
    """Observations of a batch of parcels, sorted by parcel and day."""

    count: int
    """Parcels of the batch."""
    parcel: Ints
    """Parcel of each observation, 0 to count - 1."""
    day: Ints
    """Days since the season's start."""
    values: Floats
    """Value of each observation."""
    weight: Floats
    """Trust in each observation, 0..1 (clear share)."""

    def only(self, kept: NDArray[np.bool_]) -> Points:
        """Return the observations that are kept."""
        return Points(
            self.count, self.parcel[kept], self.day[kept], self.values[kept], self.weight[kept]
        )

    @property
    def dates(self) -> Ints:
        """Different days of each parcel."""
        new = np.ones(len(self.day), dtype=bool)
        new[1:] = (np.diff(self.parcel) != 0) | (np.diff(self.day) != 0)
        return np.bincount(self.parcel[new], minlength=self.count)


def smooth_curves(points: Points, step_days: int, penalty: float, min_dates: int = 1) -> Curves:
    """Smooth irregular observations of many parcels onto one regular grid.

    Args:
        points: Observations, sorted by parcel and day.
        step_days: Grid step, days.
        penalty: Whittaker penalty on second differences, on the grid's step.
        min_dates: Parcels with fewer different days get no curve.

    Returns:
        The curves; none leaves its observations, in time (by at most half a step) or in value: a
        long gap between two slopes must not swing above what was ever seen.
    """
    enough = points.dates >= max(min_dates, 1)
    points = points.only(enough[points.parcel])
    count, cell = points.count, (points.day + step_days // 2) // step_days
    length = int(cell.max(initial=0)) + 1
    flat = points.parcel * length + cell
    total = np.bincount(flat, points.weight, count * length).reshape(count, length)
    sums = np.bincount(flat, points.weight * points.values, count * length).reshape(count, length)
    seen = total > 0
    first = np.where(enough, seen.argmax(axis=1), -1)
    last = np.where(enough, length - 1 - seen[:, ::-1].argmax(axis=1), -1)
    trust = np.minimum(total, 1.0)
    values = _whittaker(sums / np.maximum(total, _TINY), trust, penalty)
    few = np.flatnonzero(enough & (seen.sum(axis=1) < _LEAST_CELLS))
    for row in few:
        at = np.flatnonzero(seen[row])
        values[row] = np.interp(np.arange(length), at, sums[row, at] / total[row, at])
    values = np.clip(values, *_bounds(points))
    grid = np.arange(length)
    values[(grid < first[:, None]) | (grid > last[:, None]) | ~enough[:, None]] = np.nan
    off = points.values - values[points.parcel, cell]
    size = np.maximum(np.bincount(points.parcel, minlength=count), 1)
    noise = np.sqrt(np.bincount(points.parcel, off**2, count) / size)
    return Curves(step_days, values, first, last, noise)


def _bounds(points: Points) -> tuple[Floats, Floats]:
    """Return each parcel's least and largest observation, shape (parcels, 1)."""
    low, high = np.full(points.count, np.inf), np.full(points.count, -np.inf)
    np.minimum.at(low, points.parcel, points.values)
    np.maximum.at(high, points.parcel, points.values)
    return low[:, None], high[:, None]


def _whittaker(means: Floats, trust: Floats, penalty: float) -> Floats:
    """Solve (W + penalty D'D) z = W y for all rows, D the second difference.

    The matrix has five bands; its factor L D L' has two below the diagonal (`near`, `far`), which
    are found going forward in time for all parcels at once; z follows going back.
    """
    length = means.shape[1]
    weight = np.ascontiguousarray(trust.T) + _FLOOR
    if length < _LEAST_CELLS:
        return means.copy()
    middle, beside = _difference_bands(length, penalty)
    pivot, near, far = np.empty_like(weight), np.zeros_like(weight), np.zeros_like(weight)
    found = weight * means.T
    for at in range(length):
        pivot[at] = weight[at] + middle[at]
        carried = beside[at]
        if at > 0:
            pivot[at] -= near[at - 1] ** 2 * pivot[at - 1]
            carried = carried - far[at - 1] * near[at - 1] * pivot[at - 1]
            found[at] -= near[at - 1] * found[at - 1]
        if at > 1:
            pivot[at] -= far[at - 2] ** 2 * pivot[at - 2]
            found[at] -= far[at - 2] * found[at - 2]
        near[at] = carried / pivot[at]
        far[at] = (penalty if at < length - 2 else 0.0) / pivot[at]
    found /= pivot
    for at in range(length - 2, -1, -1):
        found[at] -= near[at] * found[at + 1]
        if at < length - 2:
            found[at] -= far[at] * found[at + 2]
    return np.ascontiguousarray(found.T)


def _difference_bands(length: int, penalty: float) -> tuple[Floats, Floats]:
    """Return the diagonal and the band beside it of penalty x D'D."""
    rough = np.diff(np.eye(min(length, 6)), n=2, axis=0)
    product = rough.T @ rough
    if length <= len(product):
        middle, beside = np.diag(product), np.append(np.diag(product, 1), 0.0)
    else:
        half = len(product) // 2
        middle, beside = np.full(length, 6.0), np.full(length, -4.0)
        middle[:half], middle[-half:] = np.diag(product)[:half], np.diag(product)[-half:]
        beside[: half - 1] = np.diag(product, 1)[: half - 1]
        beside[-half:] = np.append(np.diag(product, 1)[1 - half :], 0.0)
    return penalty * middle, penalty * beside
