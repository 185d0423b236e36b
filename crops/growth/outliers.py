"""Observations that no crop can have made: clouds that the mask missed, one date or two.

Owns which observations of a batch make curves; all parcels at once. A cloud
between clear days shows in its drop and return; a sudden fall at the end of the record is set aside
until it has lasted, because a cut and a cloud look alike on the day itself. Haze, which shows in
its colour, is left out before (`crops.series.without_haze`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.growth.curves import Points

#: Two days in a row are judged within this share of the reach of one.
_PAIR_REACH = 0.5


@dataclass(frozen=True)
class OutlierRules:
    """What is set aside."""

    drop: float
    """A value this far under both neighbours is a missed cloud, NDVI."""
    reach_days: int
    """Neighbours farther than this do not judge a value, days."""
    sudden: float
    """A fall by this much at the end of the record is not believed, NDVI ..."""
    lasting_days: int
    """... before it has lasted this long, days."""


def believable(points: Points, rules: OutlierRules) -> NDArray[np.bool_]:
    """Tell which observations stand, shape (observations,)."""
    stands = np.ones(len(points.day), dtype=bool)
    # Pairs first: the lower one of a pair would pass for a single drop beside the other.
    for doubted in (_paired_drops, _single_drops, _unproven_ends):
        kept = np.flatnonzero(stands)
        stands[kept[doubted(points.only(stands), rules)]] = False
    return stands


def _single_drops(points: Points, rules: OutlierRules) -> NDArray[np.bool_]:
    return _dropped(points, 1, rules.drop, rules.reach_days)


def _paired_drops(points: Points, rules: OutlierRules) -> NDArray[np.bool_]:
    reach = int(rules.reach_days * _PAIR_REACH)
    return _dropped(points, 2, rules.drop, reach)


def _dropped(points: Points, run: int, drop: float, reach: int) -> NDArray[np.bool_]:
    """Return the observations of runs of a length that fall and come back.

    They lie more than `drop` under the line between the neighbours of the run and under both.
    """
    found = np.zeros(len(points.day), dtype=bool)
    left = np.arange(len(points.day) - run - 1)
    right = left + run + 1
    near = points.parcel[left] == points.parcel[right]
    near &= (points.day[left + 1] - points.day[left] <= reach) & (
        points.day[right] - points.day[right - 1] <= reach
    )
    if run > 1:
        near &= points.day[right] - points.day[left] <= reach
    span = np.maximum(points.day[right] - points.day[left], 1)
    slope = (points.values[right] - points.values[left]) / span
    least = np.minimum(points.values[left], points.values[right])
    low = near
    for step in range(1, run + 1):
        here = left + step
        line = points.values[left] + slope * (points.day[here] - points.day[left])
        low = low & (points.values[here] < line - drop) & (points.values[here] < least)
    for step in range(1, run + 1):
        found[left[low] + step] = True
    return found


def _unproven_ends(points: Points, rules: OutlierRules) -> NDArray[np.bool_]:
    """Return the last observations of parcels that fell suddenly and not long enough ago."""
    if not len(points.day):
        return np.zeros(0, dtype=bool)
    last_day = np.full(points.count, -1, dtype=np.int64)
    np.maximum.at(last_day, points.parcel, points.day)
    # Parcels are lifted apart so that one running maximum serves them all.
    lift = 4.0 * (points.count - 1 - points.parcel)
    later = np.maximum.accumulate((points.values + lift)[::-1])[::-1] - lift
    after = np.full(len(points.day), np.inf)
    same = points.parcel[1:] == points.parcel[:-1]
    after[:-1] = np.where(same, later[1:], np.inf)
    fresh = last_day[points.parcel] - points.day < rules.lasting_days
    fell = fresh & (points.values - after >= rules.sudden)
    first = np.full(points.count, len(points.day), dtype=np.int64)
    np.minimum.at(first, points.parcel[fell], np.flatnonzero(fell))
    return np.arange(len(points.day)) > first[points.parcel]
