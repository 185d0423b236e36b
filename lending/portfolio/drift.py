"""Drift: whether the applicants of two seasons, counties or a loan book are still one population.

Owns the population stability index of each feature and of the score, with what chance alone gives
it at these counts: among sixty farmers an index of .25 is nothing unusual. The groups are divided
anew at random, which needs no model of the index; of many features looked at together, one is
called drifting only where chance would rarely have any of them so far apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BANDS = (0.1, 0.25)
"""From the first on a population has shifted, from the second on it has drifted.

Source: Siddiqi (2006), Credit Risk Scorecards, chapter 9 (the usual bands of the index).
"""
STEADY, SHIFTED, DRIFTED = "steady", "shifted", "drifted"
NOISE, TOO_FEW = "within_noise", "too_few_to_tell"
_BINS = 10
_FLOOR = 0.95
_HALF = 0.5
"""Added to each count, so that an empty bin is no infinite index."""


@dataclass(frozen=True)
class Drift:
    """What one column says of two groups."""

    feature: str
    psi: float
    noise: float
    """Index that chance alone exceeds once in twenty times at these counts."""
    chance: float
    """Chance of an index this large in one population, over all columns together (Holm)."""
    verdict: str
    """`steady`, `shifted`, `drifted`; `within_noise` where chance gives as much, `too_few_to_tell`
    where it gives a whole drift."""
    median: float | None
    median_against: float | None
    missing: float
    """Share of rows without a value."""
    missing_against: float


def stability_index(counts: Ints, against: Ints) -> Floats:
    """Return the index of counts by bin, for each row of `counts`.

    Args:
        counts: Shape (bins,) or (draws, bins).
        against: The same of the other group.

    Source: sum over bins of (p - q) ln(p / q), p and q shares of the groups.
    """
    shares = [
        (group + _HALF) / (group.sum(axis=-1, keepdims=True) + _HALF * group.shape[-1])
        for group in (np.asarray(counts), np.asarray(against))
    ]
    return np.asarray(((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum(axis=-1))


def binned(values: Floats, against: Floats) -> tuple[Ints, Ints]:
    """Return counts by bin: tenths of both groups together, each value of few, and the missing.

    Bins that looked at one group alone would make any random division of both look different.
    """
    known = np.concatenate([values[~np.isnan(values)], against[~np.isnan(against)]])
    distinct = np.unique(known)
    edges = distinct[1:]
    if len(distinct) > _BINS:
        edges = np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS))
    first, second = (_counts(group, edges) for group in (values, against))
    used = (first + second) > 0
    return first[used], second[used]


def _counts(values: Floats, edges: Floats) -> Ints:
    missing = np.isnan(values)
    places = np.searchsorted(edges, values[~missing], side="right")
    counts = np.bincount(places, minlength=len(edges) + 1)
    return np.append(counts, missing.sum()).astype(np.int64)


def drift(
    group: pd.DataFrame,
    against: pd.DataFrame,
    *,
    permutations: int,
    most_chance: float,
    seed: int,
) -> list[Drift]:
    """Return what every column of two groups says, in the order of the columns.

    Args:
        group: One row per farmer, one column per feature, NaN where unknown.
        against: The same of the group that it is held against.
        permutations: Random divisions.
        most_chance: Chance, over all columns together, from which a difference is one of chance.
        seed: Of the divisions.
    """
    rng = np.random.default_rng(seed)
    names = [str(name) for name in group.columns]
    indices, floors, chances = [], [], []
    for name in names:
        counts = binned(_values(group, name), _values(against, name))
        index = float(stability_index(*counts))
        by_chance = _by_chance(counts, permutations, rng)
        indices.append(index)
        floors.append(float(np.quantile(by_chance, _FLOOR)))
        reached = (by_chance >= index - 1e-12).sum()
        chances.append(float((1 + reached) / (1 + permutations)))
    sure = holm(chances)
    return [
        Drift(
            name, indices[i], floors[i], sure[i],
            _verdict(indices[i], floors[i], sure[i] <= most_chance),
            _median(group, name), _median(against, name),
            _missing(group, name), _missing(against, name),
        )
        for i, name in enumerate(names)
    ]  # fmt: skip


def _values(frame: pd.DataFrame, name: str) -> Floats:
    return frame[name].to_numpy("float64", na_value=np.nan)


def _median(frame: pd.DataFrame, name: str) -> float | None:
    known = frame[name].dropna()
    return float(known.median()) if len(known) else None


def _missing(frame: pd.DataFrame, name: str) -> float:
    return float(frame[name].isna().mean())


def _by_chance(counts: tuple[Ints, Ints], permutations: int, rng: np.random.Generator) -> Floats:
    """Return the index of random divisions of both groups together.

    Only counts by bin matter, so that dividing the rows is drawing counts without replacement.
    """
    pooled = counts[0] + counts[1]
    drawn = rng.multivariate_hypergeometric(pooled, int(counts[0].sum()), size=permutations)
    return stability_index(drawn, pooled - drawn)


def holm(chances: Sequence[float]) -> list[float]:
    """Return chances that hold over all of them together.

    Source: Holm (1979), Scandinavian Journal of Statistics 6 (step-down).
    """
    order = sorted(range(len(chances)), key=lambda i: chances[i])
    held, most = [0.0] * len(chances), 0.0
    for rank, place in enumerate(order):
        most = max(most, min(1.0, (len(chances) - rank) * chances[place]))
        held[place] = most
    return held


def _verdict(index: float, floor: float, sure: bool) -> str:
    if sure:
        return DRIFTED if index >= BANDS[1] else SHIFTED if index >= BANDS[0] else STEADY
    if floor >= BANDS[1]:
        return TOO_FEW
    return STEADY if index < BANDS[0] else NOISE
