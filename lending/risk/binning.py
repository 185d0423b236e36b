"""Binning: one feature cut into bins, each with its weight of evidence.

Owns where the cuts lie and what each bin weighs. Values that many share and codes that stand for
something else than an amount (-9, 9999) get bins of their own, so that the rare and telling rest is
cut by itself; bins rise or fall throughout where the sign is known, or where the data do not
clearly contradict it. How weights add up to a score is `lending.risk.scorecard`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2
from sklearn.isotonic import IsotonicRegression
from sklearn.tree import DecisionTreeClassifier

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_PRIOR = 20.0
"""Loans at the common rate that each bin is mixed with: a bin of a few speaks softly."""
_LEAST_LOANS = 20
"""Fewest loans of a bin that the data cut."""
_LEAST_SHARE = 0.05
"""Least share of the loans that are cut, in a bin."""
_ATOM = 0.05
"""Share of the loans from which one value has a bin of its own."""
_CODES = 3
"""Most distinct values beyond a gap that are taken as codes and not as amounts."""
_REPEATED = 5
"""A code is written for several loans, an outlier for one."""
_AGAINST = 0.0001
"""Chance below which loans contradict a steady course: bins then stay as they are."""


@dataclass(frozen=True)
class Binning:
    """Bins of one feature and their weights of evidence; the last bin is `missing`."""

    edges: list[float]
    """Inner edges, ascending; a value on an edge belongs to the upper bin."""
    woe: list[float]
    """Log-odds of default in the bin less those of all loans; `missing` last."""
    special: dict[float, float] = field(default_factory=dict)
    """Weight of each value that is a code rather than an amount."""

    def transform(self, values: Floats) -> Floats:
        """Return the weight of evidence of each value; NaN is `missing`."""
        found = np.asarray(self.woe)[_bin(values, self.edges)]
        for value, weight in self.special.items():
            found = np.where(values == value, weight, found)
        return np.asarray(found, dtype="float64")


def _bin(values: Floats, edges: list[float]) -> Ints:
    index = np.searchsorted(np.asarray(edges), values, side="right")
    return np.where(np.isnan(values), len(edges) + 1, index).astype(np.int64)


def fit_binning(
    values: Floats, defaulted: Floats, bins: int, sign: int = 0, levels: int = 0
) -> Binning:
    """Bin one feature and weigh each bin.

    Args:
        values: Feature, NaN where unknown; the place of the level for a category.
        defaulted: 1 for default.
        bins: Most bins besides those of heavy values, of codes and of `missing`.
        sign: +1 where more never lowers risk, -1 where more never raises it, 0 where unknown.
        levels: Levels of a category, each of which is a bin; 0 for an amount.

    Source: Siddiqi (2006), Credit Risk Scorecards, chapter 6; the shrunken rate is the posterior
    mean under a beta prior of `_PRIOR` loans at the common rate.
    """
    known = ~np.isnan(values)
    if levels:
        edges = [place + 0.5 for place in range(levels - 1)]
        return Binning(edges, [*_category(values[known], defaulted, known, levels)])
    codes = [] if sign else _codes(values[known])
    amount = known & ~np.isin(values, codes)
    edges = _edges(values[amount], defaulted[amount], bins)
    index = _bin(values[amount], edges)
    loans = np.bincount(index, minlength=len(edges) + 1).astype("float64")
    rate = _shrunk(index, defaulted[amount], defaulted.mean(), len(edges) + 1)
    kept, rate = _merged(edges, _steady(rate, loans, sign))
    special = {
        code: float(_odds(_rate(defaulted[values == code], defaulted.mean()), defaulted.mean()))
        for code in codes
    }
    missing = _rate(defaulted[~known], defaulted.mean())
    weights = _odds(np.append(rate, missing), defaulted.mean())
    return Binning(kept, [float(weight) for weight in weights], special)


def _category(
    values: Floats, defaulted: Floats, known: npt.NDArray[np.bool_], levels: int
) -> list[float]:
    common = defaulted.mean()
    rate = _shrunk(values.astype(np.int64), defaulted[known], common, levels)
    weights = _odds(np.append(rate, _rate(defaulted[~known], common)), common)
    return [float(weight) for weight in weights]


def _shrunk(index: Ints, defaulted: Floats, common: float, size: int) -> Floats:
    bad = np.bincount(index, weights=defaulted, minlength=size)
    loans = np.bincount(index, minlength=size)
    return np.asarray((bad + _PRIOR * common) / (loans + _PRIOR))


def _rate(defaulted: Floats, common: float) -> float:
    return float((defaulted.sum() + _PRIOR * common) / (len(defaulted) + _PRIOR))


def _odds(rate: Floats | float, common: float) -> Floats:
    rate = np.asarray(rate)
    return np.asarray(np.log(rate / (1 - rate)) - np.log(common / (1 - common)))


def _codes(known: Floats) -> list[float]:
    """Return the values that are codes: few, repeated, and further off than all others spread."""
    distinct, loans = np.unique(known, return_counts=True)
    found: list[float] = []
    for side in (slice(None), slice(None, None, -1)):
        values, counts = distinct[side], loans[side]
        gaps = np.abs(np.diff(values))
        for many in range(min(_CODES, len(values) - 2), 0, -1):
            spread = abs(values[-1] - values[many])
            far = gaps[many - 1] > spread or (values[many - 1] < 0 <= values[many])
            if (
                far
                and (counts[:many] >= _REPEATED).all()
                and counts[:many].sum() < counts.sum() / 2
            ):
                found += values[:many].tolist()
                break
    return sorted(set(found))


def _edges(known: Floats, defaulted: Floats, bins: int) -> list[float]:
    """Return inner edges: around heavy values, and where a tree cuts the loans besides them."""
    distinct, loans = np.unique(known, return_counts=True)
    heavy = np.flatnonzero(loans >= max(_ATOM * len(known), _LEAST_LOANS))
    middles = (distinct[1:] + distinct[:-1]) / 2
    around = {i for place in heavy for i in (place - 1, place) if 0 <= i < len(middles)}
    rest = ~np.isin(known, distinct[heavy])
    cuts = _cuts(known[rest], defaulted[rest], bins)
    return sorted({*cuts, *(float(middles[i]) for i in around)})


def _cuts(known: Floats, defaulted: Floats, bins: int) -> list[float]:
    least = max(_LEAST_LOANS, int(_LEAST_SHARE * len(known)))
    if len(known) < 2 * least or not 0 < defaulted.sum() < len(defaulted):
        return []
    tree = DecisionTreeClassifier(max_leaf_nodes=bins, min_samples_leaf=least, random_state=0)
    found = tree.fit(known[:, None], defaulted).tree_
    return [float(cut) for cut in found.threshold[found.feature >= 0]]


def _steady(rate: Floats, loans: Floats, sign: int) -> Floats:
    """Return rates that rise or fall throughout; as they are where loans clearly contradict it."""
    if len(rate) < 2:
        return rate
    ways = (sign,) if sign else (1, -1)
    courses = [
        IsotonicRegression(increasing=way > 0).fit_transform(
            np.arange(len(rate)), rate, sample_weight=loans + _PRIOR
        )
        for way in ways
    ]
    misfit = [float((loans * (rate - c) ** 2 / (c * (1 - c))).sum()) for c in courses]
    best = int(np.argmin(misfit))
    free = len(rate) - len(np.unique(courses[best]))
    against = free > 0 and chi2.sf(misfit[best], free) < _AGAINST
    return rate if against and not sign else np.asarray(courses[best])


def _merged(edges: list[float], rate: Floats) -> tuple[list[float], Floats]:
    """Drop edges between bins of one rate."""
    differs = np.flatnonzero(np.diff(rate) != 0)
    return [edges[i] for i in differs], rate[[*differs, len(rate) - 1]]
