"""Scorecard: the readable challenger, a logistic regression on weights of evidence.

Owns binning, weights of evidence and the fit. A person can recompute a score from the printed table
with a pocket calculator, which is the point: where the two models disagree, a person looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

Floats = npt.NDArray[np.float64]

_SMOOTHING = 0.5
"""Added to both counts of a bin so that an empty cell gives a finite weight (Haldane-Anscombe)."""


_FEW = 2
"""Features with at most this many times the bins in distinct values keep a bin for each value:
quantiles would merge the rare, telling ones (three months late) with the common."""


@dataclass(frozen=True)
class Binning:
    """Quantile bins of one feature and their weights of evidence; the last bin is `missing`."""

    edges: list[float]
    """Inner edges, ascending; a value on an edge belongs to the upper bin."""
    woe: list[float]
    """log(share of defaults / share of repaid) per bin, `missing` last."""

    def transform(self, values: Floats) -> Floats:
        """Return the weight of evidence of each value."""
        return np.asarray(self.woe)[_bin(values, self.edges)]


def _bin(values: Floats, edges: list[float]) -> npt.NDArray[np.int64]:
    index = np.searchsorted(np.asarray(edges), values, side="right")
    return np.where(np.isnan(values), len(edges) + 1, index).astype(np.int64)


def fit_binning(values: Floats, defaulted: Floats, bins: int) -> Binning:
    """Bin one feature by quantiles of its known values and weigh each bin.

    Args:
        values: Feature, NaN where unknown.
        defaulted: 1 for default.
        bins: Bins wanted; repeated quantiles are merged.
    """
    edges = _edges(values[~np.isnan(values)], bins)
    index = _bin(values, edges)
    size = len(edges) + 2
    bad = np.bincount(index, weights=defaulted, minlength=size) + _SMOOTHING
    good = np.bincount(index, weights=1 - defaulted, minlength=size) + _SMOOTHING
    woe = np.log(bad / bad.sum()) - np.log(good / good.sum())
    woe[(bad + good) <= 2 * _SMOOTHING] = 0.0
    return Binning(edges, [float(value) for value in woe])


def _edges(known: Floats, bins: int) -> list[float]:
    """Return inner edges: between all values where they are few, at quantiles where many."""
    distinct = np.unique(known)
    if len(distinct) <= _FEW * bins:
        return [float(edge) for edge in (distinct[1:] + distinct[:-1]) / 2]
    inner = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]))
    return [float(edge) for edge in inner if edge > distinct[0]]


@dataclass(frozen=True)
class Scorecard:
    """A fitted scorecard: margin = intercept + sum of coefficient x weight of evidence."""

    features: tuple[str, ...]
    binnings: tuple[Binning, ...]
    coefficients: tuple[float, ...]
    intercept: float

    def margin(self, table: Floats) -> Floats:
        """Return log-odds of default; `table` is (rows, features)."""
        woe = _woe(table, self.binnings)
        return np.asarray(self.intercept + (woe * np.asarray(self.coefficients)).sum(axis=1))

    def probability(self, table: Floats) -> Floats:
        """Return probability of default."""
        return np.asarray(1 / (1 + np.exp(-self.margin(table))))

    def to_dict(self) -> dict[str, Any]:
        """Return the scorecard as the table that a person reads."""
        rows = zip(self.features, self.binnings, self.coefficients, strict=True)
        return {
            "intercept": self.intercept,
            "features": [
                {"name": name, "coefficient": weight, "edges": b.edges, "woe": b.woe}
                for name, b, weight in rows
            ],
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Scorecard:
        """Read a scorecard back."""
        rows = content["features"]
        return cls(
            tuple(row["name"] for row in rows),
            tuple(Binning(row["edges"], row["woe"]) for row in rows),
            tuple(row["coefficient"] for row in rows),
            content["intercept"],
        )


def _woe(table: Floats, binnings: tuple[Binning, ...]) -> Floats:
    return np.column_stack([b.transform(table[:, i]) for i, b in enumerate(binnings)])


def fit_scorecard(
    table: Floats, defaulted: Floats, features: tuple[str, ...], bins: int
) -> Scorecard:
    """Fit bins, weights and the regression; a coefficient never turns a weight's meaning round.

    Args:
        table: (rows, features), NaN where unknown.
        defaulted: 1 for default.
        features: Column names of `table`.
        bins: Bins per feature.

    Source: Siddiqi (2006), Credit Risk Scorecards. A feature whose weight would turn negative
    against its own evidence is refitted without it (coefficient 0).
    """
    binnings = tuple(fit_binning(table[:, i], defaulted, bins) for i in range(table.shape[1]))
    woe = _woe(table, binnings)
    kept = np.flatnonzero(woe.std(axis=0) > 0)
    while True:
        model = LogisticRegression(C=1.0, max_iter=1000).fit(woe[:, kept], defaulted)
        weights = model.coef_[0]
        if len(kept) <= 1 or (weights >= 0).all():
            break
        kept = np.delete(kept, int(np.argmin(weights)))
    coefficients = np.zeros(table.shape[1])
    coefficients[kept] = weights
    return Scorecard(
        features, binnings, tuple(float(c) for c in coefficients), float(model.intercept_[0])
    )
