"""Vigour at the same thermal time: a crop against the county's fields that are as far as it is.

Owns green-up (where a crop's thermal time begins), the course of NDVI over thermal time and its
place among the county's fields of the crop. A field sown late is small on the same day and not
behind at the same thermal time; only the second says something of its yield. All fields of a batch
are laid on one grid of degree days, so that the comparison is one of columns.

Source: growing degree days as the clock of a canopy, Bonhomme (2000), Eur. J. Agron. 13.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldline.crops.growth.curves import Curves
from fieldline.crops.growth.norms import MAD_TO_SD
from fieldline.crops.growth.seasons import Seasons
from fieldline.crops.growth.thermal import Names, ThermalRows
from fieldline.crops.series import Floats, Ints

STEP = 50.0
"""Degree days between two values of a course."""
STEPS = 90
"""Values of a course: 4,450 degree days hold any yearly crop."""
_FAR = 1e7
_LEAST = 4
"""Thermal steps that a course has at least before it says anything."""


@dataclass(frozen=True)
class Courses:
    """NDVI of the main crop cycles over thermal time since green-up."""

    green_up: Floats
    """(parcels,) days since the season's start; NaN where the rise was not seen."""
    now: Floats
    """(parcels,) degree days from green-up to the last look, or to the end of the crop."""
    ndvi: Floats
    """(parcels, STEPS) NDVI at multiples of `STEP`; NaN beyond `now`."""

    @property
    def means(self) -> Floats:
        """Mean NDVI from green-up to each step."""
        return np.cumsum(self.ndvi, axis=1) / np.arange(1, STEPS + 1)

    @property
    def reached(self) -> Ints:
        """Last step that each has reached; -1 where it has no thermal time."""
        return np.asarray(np.isfinite(self.ndvi).sum(axis=1) - 1)


def green_up(found: Seasons, rise: float) -> Floats:
    """Return the day on which each parcel's main crop had risen by so much above bare land.

    A rise in NDVI and not a share of the amplitude: what a crop will yet become changes nothing of
    the day on which it came up.

    Args:
        found: Growth of a batch of parcels.
        rise: NDVI above the base before the rise.
    """
    cycles = found.cycles
    return found.of_main(cycles.crossing_of(found.curves, cycles.left_base + rise, -1))


def courses(
    curves: Curves, start: Floats, clock: ThermalRows, end: Floats | None = None
) -> Courses:
    """Lay curves on thermal time.

    Args:
        curves: Curves of a batch of parcels.
        start: (parcels,) green-up, days since the season's start.
        clock: Their thermal time.
        end: (parcels,) end of the crop; NaN, or None for all, where the course goes on to the last
            observation.
    """
    last = np.where(curves.last >= 0, curves.last * curves.step_days, np.nan).astype(float)
    stop = last if end is None else np.fmin(last, end)
    time = clock.between(start, curves.days)
    now = clock.between(start, stop[:, None])[:, 0]
    seen = np.isfinite(curves.values) & np.isfinite(time)
    # The grid day before green-up holds the level from which it is reckoned.
    seen &= curves.days + curves.step_days > np.nan_to_num(start)[:, None]
    row, at = np.nonzero(seen)
    wanted = np.arange(STEPS) * STEP
    values = np.full((len(start), STEPS), np.nan)
    inside = np.isfinite(now)[:, None] & (wanted <= np.nan_to_num(now)[:, None])
    if len(row):
        key = row * _FAR + np.maximum(time[row, at], 0.0)
        asked = np.arange(len(start))[:, None] * _FAR + wanted
        values[inside] = np.interp(asked[inside], key, curves.values[row, at])
    return Courses(start, now, values)


def thermal_norms(means: NDArray[np.floating], crops: Names, min_parcels: int) -> pd.DataFrame:
    """Place each parcel among the county's parcels of its crop at its own thermal time.

    Args:
        means: (parcels, steps) mean NDVI from green-up to each thermal step; NaN beyond the last.
        crops: Crop of each, null where unknown.
        min_parcels: Parcels of the crop that must have come as far.

    Returns:
        `vigour` (distance from the median over 1.4826 x median absolute deviation of the parcels
        that came as far), `vigour_percentile` (mid-rank, 0..1) and `vigour_lacks` (`start` where
        there is no thermal time or too little of it, `norm` where there is no one to compare
        with, else empty). A parcel that is farther than enough others is compared where enough
        still were.
    """
    count = len(means)
    vigour, rank = np.full(count, np.nan), np.full(count, np.nan)
    lacks = np.full(count, "norm", dtype=object)
    for crop in pd.unique(pd.Series(crops).dropna()):
        rows = np.flatnonzero(crops == crop)
        vigour[rows], rank[rows] = _placed(means[rows].astype(np.float64), min_parcels)
    lacks[np.isfinite(vigour)] = ""
    lacks[np.isfinite(means).sum(axis=1) < _LEAST] = "start"
    return pd.DataFrame({"vigour": vigour, "vigour_percentile": rank, "vigour_lacks": lacks})


def _placed(means: Floats, min_parcels: int) -> tuple[Floats, Floats]:
    """Return the robust distance and mid-rank of parcels of one crop."""
    ordered = np.sort(means, axis=0)  # those that did not come as far stand last
    came = np.isfinite(means).sum(axis=0)
    enough = came >= max(min_parcels, 1)
    own = np.isfinite(means).sum(axis=1) - 1
    steps = np.minimum(own, int(enough.sum()) - 1)
    here = np.arange(len(means))
    at = np.maximum(steps, 0)
    value = means[here, at]
    middle = _median(ordered, came)
    spread = _median(np.sort(np.abs(means - middle), axis=0), came) * MAD_TO_SD
    good = (steps >= _LEAST - 1) & (spread[at] > 0)
    safe = np.where(spread > 0, spread, 1.0)
    far = np.where(good, (value - middle[at]) / safe[at], np.nan)
    rank = np.full(len(means), np.nan)
    for step in np.unique(at[good]):
        rows = good & (at == step)
        column = ordered[: came[step], step]
        low = np.searchsorted(column, value[rows], side="left")
        high = np.searchsorted(column, value[rows], side="right")
        rank[rows] = (low + high) / 2 / came[step]
    return far, rank


def _median(ordered: Floats, came: Ints) -> Floats:
    """Return the median of each sorted column whose last values are NaN."""
    here = np.arange(ordered.shape[1])
    low, high = np.maximum((came - 1) // 2, 0), np.minimum(came // 2, len(ordered) - 1)
    return np.asarray((ordered[low, here] + ordered[high, here]) / 2)
