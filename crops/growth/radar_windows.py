"""What radar tells of a harvest in a long span without a clear date, or since the last clear date.

Owns the odds of a day of harvest inside such a gap and of a crop that still stands after the record
ends; curves stay optical. The one idea: how bare and standing fields look to radar is learnt from
the county's own dates that both saw, with their scatter, so radar that tells little moves little,
and no date becomes surer than that scatter allows.

Source: a single change point with known levels, Carlstein et al. (1994) Change-point Problems;
the index and its fall at harvest, Veloso et al. (2017), Remote Sens. Environ. 199.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.growth.curves import Points
from fieldline.crops.growth.harvest import HarvestRules
from fieldline.crops.growth.seasons import Seasons
from fieldline.crops.radar_series import radar_vegetation_index
from fieldline.crops.series import ClearSeries, Floats, Ints

PAIR_DAYS = 7
"""A radar date is paired with the nearest clear date up to this far away, days."""
FEWEST_PAIRS = 30
"""Pairs of bare and of standing fields, each, from which a county's radar tells anything."""
STRAY = 0.1
"""Share of radar dates taken to tell nothing (wet leaves, tillage, frozen soil), which bounds what
one date can say to odds of 19 to 1; an assumption."""
TOLD_SHARE = 0.5
"""A date of radar is taken where its deviation is at most this share of the gap's own; else the
date stays that of the clear dates."""
SURE = 0.95
"""Probability from which a crop that nobody saw since is called standing or gone."""


@dataclass(frozen=True)
class RadarLevels:
    """How the radar vegetation index of bare and of standing fields lies in a county."""

    bare: tuple[float, float]
    """Mean and standard deviation."""
    standing: tuple[float, float]
    alike: float
    """Correlation of two dates of one field about those means: dates of a field are no independent
    witnesses, 0 to 1."""

    def odds(self, values: Floats) -> Floats:
        """Return the log odds of standing against bare of each radar date of one field."""
        dense = [_density(values, *level) for level in (self.standing, self.bare)]
        stray = STRAY * (dense[0] + dense[1]) / 2
        either = [(1 - STRAY) * one + stray + 1e-300 for one in dense]
        share = 1.0 / (1.0 + (len(values) - 1) * self.alike)
        return np.asarray(share * (np.log(either[0]) - np.log(either[1])))


@dataclass
class LevelSums:
    """Pairs of radar and clear dates of a county, added up batch by batch."""

    rules: HarvestRules
    count: list[Floats] = field(default_factory=list)
    """Of each field: pairs, sum and sum of squares, each (fields, 2): bare and standing."""
    total: list[Floats] = field(default_factory=list)
    square: list[Floats] = field(default_factory=list)

    def add(self, points: Points, radar: ClearSeries) -> None:
        """Add a batch.

        Args:
            points: NDVI of its clear dates.
            radar: Backscatter of the same parcels, VV and VH.
        """
        ndvi = _nearest(points, radar)
        state = np.where(
            ndvi <= self.rules.max_bare, 0, np.where(ndvi >= self.rules.standing, 1, -1)
        )
        rows = np.flatnonzero(np.isfinite(ndvi) & (state >= 0))
        cell, size = radar.parcel[rows] * 2 + state[rows], 2 * points.count
        index = _index(radar)[rows]
        for sums, weight in ((self.count, None), (self.total, index), (self.square, index**2)):
            sums.append(np.bincount(cell, weight, size).reshape(-1, 2).astype(np.float64))

    def levels(self) -> RadarLevels | None:
        """Return the county's levels; None where too few dates were seen by both."""
        if not self.count:
            return None
        count, total, square = (np.concatenate(part) for part in
                                (self.count, self.total, self.square))  # fmt: skip
        pairs = count.sum(axis=0)
        if pairs.min() < FEWEST_PAIRS:
            return None
        mean = total.sum(axis=0) / pairs
        spread = np.sqrt(np.maximum(square.sum(axis=0) / pairs - mean**2, 1e-12))
        off = (total - count * mean) / spread
        own = (square - 2 * mean * total + count * mean**2) / spread**2
        shared = (off**2 - own).sum() / max((count * (count - 1)).sum(), 1.0)
        bare, standing = zip(mean.tolist(), spread.tolist(), strict=True)
        return RadarLevels(bare, standing, float(np.clip(shared, 0.0, 1.0)))


def with_radar(
    found: Seasons, radar: ClearSeries, levels: RadarLevels, until: int, gap_days: int
) -> tuple[Seasons, dict[int, str]]:
    """Return the growth of a batch with what radar tells of its long optical gaps.

    Args:
        found: Growth by clear dates.
        radar: Backscatter of the same parcels.
        levels: The county's levels.
        until: Last day of the season that is known.
        gap_days: Longest span without a clear date that is no gap, days.

    Returns:
        The growth, and by parcel number what radar said: `harvest` (a day with its deviation inside
        the gap), `standing` or `gone` (between its last clear and its last radar date), or
        `unsure`, which changes nothing. `gone` gives no date: whether a crop stands is unknown.
    """
    day, sd = found.harvests.day.copy(), np.full(len(found.cycles), np.nan)
    said: dict[int, str] = {}
    for cycle, inside, first, last in _hidden_harvests(found, radar, gap_days):
        odds = levels.odds(_index(radar)[inside])
        told, deviation = harvest_odds(radar.day[inside], odds, first, last)
        parcel = int(found.cycles.parcel[cycle])
        said[parcel] = "unsure"
        if deviation <= TOLD_SHARE * (last - first) / np.sqrt(12):
            day[cycle], sd[cycle], said[parcel] = told, deviation, "harvest"
    doubted = np.zeros(found.points.count, dtype=bool)
    for parcel, inside, last_clear in _unseen_ends(found, radar, until, gap_days):
        day_of, odds = radar.day[inside], levels.odds(_index(radar)[inside])
        gone = gone_probability(day_of, odds, last_clear, int(day_of.max()))
        said[parcel] = "gone" if gone >= SURE else "standing" if gone <= 1 - SURE else "unsure"
        doubted[parcel] = gone >= SURE
    harvests = replace(found.harvests, day=day)
    return replace(found, harvests=harvests, harvest_sd=sd, doubted=doubted), said


def harvest_odds(day: Ints, odds: Floats, after: int, before: int) -> tuple[float, float]:
    """Return the middle and the deviation of the day of a harvest that lies between two days.

    Args:
        day: Days of radar dates between the two.
        odds: Log odds of standing against bare of each.
        after: Last day on which the crop was seen standing.
        before: First day on which the field was seen bare; every day until then is as likely at
            first.
    """
    days, chance = _posterior(day, odds, after, before)
    middle = float(np.interp(0.5, np.cumsum(chance) - chance / 2, days))
    mean = float(chance @ days)
    return middle, float(np.sqrt(chance @ (days - mean) ** 2))


def gone_probability(day: Ints, odds: Floats, after: int, until: int) -> float:
    """Return the probability that a crop that stood on a day was harvested by a later one.

    Args:
        day: Days of radar dates between the two.
        odds: Log odds of standing against bare of each.
        after: Last day on which the crop was seen.
        until: The later day. That it still stands then is as likely at first as that it does not.
    """
    days = np.arange(after + 1, until + 1)
    logs = np.array([odds[day < one].sum() for one in days])
    stands = float(odds.sum())
    top = max(stands, float(logs.max(initial=-np.inf)))
    gone = float(np.exp(logs - top).mean())
    return gone / (gone + float(np.exp(stands - top)))


def _posterior(day: Ints, odds: Floats, after: int, before: int) -> tuple[Floats, Floats]:
    """Return the days on which a field may have been harvested, and how likely each is."""
    days = np.arange(after + 1, before + 1)
    logs = np.array([odds[day < one].sum() for one in days])
    chance = np.exp(logs - logs.max())
    return days.astype(np.float64), chance / chance.sum()


def _hidden_harvests(
    found: Seasons, radar: ClearSeries, gap_days: int
) -> Iterator[tuple[int, Ints, int, int]]:
    """Yield each cycle whose harvest fell in a gap, its radar dates there and the gap's edges."""
    after, before = found.harvests.last_standing, found.harvests.first_bare
    for cycle in np.flatnonzero(before - after - 1 > gap_days).tolist():
        rows = radar.of(int(found.cycles.parcel[cycle]))
        day = radar.day[rows]
        inside = rows.start + np.flatnonzero((day > after[cycle]) & (day < before[cycle]))
        if len(inside):
            yield cycle, inside, int(after[cycle]), int(before[cycle])


def _unseen_ends(
    found: Seasons, radar: ClearSeries, until: int, gap_days: int
) -> Iterator[tuple[int, Ints, int]]:
    """Yield each parcel whose crop stood on its last clear date, long ago, and its radar since."""
    last = np.full(found.points.count, -1, dtype=np.int64)
    np.maximum.at(last, found.points.parcel, found.points.day)
    long_ago = (found.standing == 1) & (until - last > gap_days)
    for parcel in np.flatnonzero(long_ago).tolist():
        rows = radar.of(parcel)
        inside = rows.start + np.flatnonzero(radar.day[rows] > last[parcel])
        if len(inside):
            yield parcel, inside, int(last[parcel])


def _nearest(points: Points, radar: ClearSeries) -> Floats:
    """Return the NDVI of the clear date nearest to each radar date, NaN where none is near."""
    found = np.full(len(radar.day), np.nan)
    if not len(points.day):
        return found
    stride = int(max(points.day.max(), radar.day.max(initial=0))) + 2 * PAIR_DAYS + 1
    key, asked = points.parcel * stride + points.day, radar.parcel * stride + radar.day
    after = np.clip(np.searchsorted(key, asked), 0, len(key) - 1)
    before = np.maximum(after - 1, 0)
    best = np.where(np.abs(key[after] - asked) < np.abs(key[before] - asked), after, before)
    near: NDArray[np.bool_] = np.abs(key[best] - asked) <= PAIR_DAYS
    found[near] = points.values[best[near]]
    return found


def _index(radar: ClearSeries) -> Floats:
    return radar_vegetation_index(radar.bands["VV"], radar.bands["VH"])


def _density(values: Floats, mean: float, deviation: float) -> Floats:
    return np.exp(-0.5 * ((values - mean) / deviation) ** 2) / deviation
