"""Scorecard: the readable challenger, a logistic regression on weights of evidence.

Owns the fit and the table that it leaves. A person can recompute a score from the printed table
with a pocket calculator, which is the point: where the two models disagree, a person looks. The
bins are `lending.risk.binning`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from fieldline.lending.risk.binning import Binning, fit_binning
from fieldline.lending.risk.features import Feature

Floats = npt.NDArray[np.float64]

_PULL = 5.0
"""Loans' worth of evidence with which each coefficient is held near 1, the weight that evidence of
unrelated features has; few loans leave it there, many move it."""


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
        return np.asarray(expit(self.margin(table)))

    def to_dict(self) -> dict[str, Any]:
        """Return the scorecard as the table that a person reads."""
        rows = zip(self.features, self.binnings, self.coefficients, strict=True)
        return {"intercept": self.intercept, "features": [_row(*row) for row in rows]}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Scorecard:
        """Read a scorecard back."""
        rows = content["features"]
        return cls(
            tuple(row["name"] for row in rows),
            tuple(_binning(row) for row in rows),
            tuple(row["coefficient"] for row in rows),
            content["intercept"],
        )


def _row(name: str, binning: Binning, coefficient: float) -> dict[str, Any]:
    row = {"name": name, "coefficient": coefficient, "edges": binning.edges, "woe": binning.woe}
    special = [[value, weight] for value, weight in binning.special.items()]
    return {**row, "special": special} if special else row


def _binning(row: dict[str, Any]) -> Binning:
    special = {float(value): float(weight) for value, weight in row.get("special", ())}
    return Binning(row["edges"], row["woe"], special)


def _woe(table: Floats, binnings: tuple[Binning, ...]) -> Floats:
    return np.column_stack([b.transform(table[:, i]) for i, b in enumerate(binnings)])


def fit_scorecard(
    table: Floats, defaulted: Floats, features: Sequence[Feature], bins: int
) -> Scorecard:
    """Fit bins, weights and the regression; a coefficient never turns a weight's meaning round.

    Args:
        table: (rows, features), NaN where unknown.
        defaulted: 1 for default.
        features: Columns of `table`, with their signs and levels.
        bins: Bins per feature.

    Source: Siddiqi (2006), Credit Risk Scorecards. Coefficients are held at zero or above, so that
    no feature speaks against its own evidence.
    """
    binnings = tuple(
        fit_binning(table[:, i], defaulted, bins, feature.sign, len(feature.levels))
        for i, feature in enumerate(features)
    )
    intercept, weights = _regress(_woe(table, binnings), defaulted)
    names = tuple(feature.name for feature in features)
    return Scorecard(names, binnings, tuple(float(w) for w in weights), intercept)


def _regress(woe: Floats, defaulted: Floats) -> tuple[float, Floats]:
    """Return intercept and coefficients at or above zero; those of features without evidence 0."""
    count = woe.shape[1]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        odds = parameters[0] + woe @ parameters[1:]
        off = parameters[1:] - 1.0
        cost = -(defaulted * log_expit(odds) + (1 - defaulted) * log_expit(-odds)).sum()
        gap = expit(odds) - defaulted
        slope = np.concatenate([[gap.sum()], woe.T @ gap + _PULL * off])
        return float(cost + _PULL * (off**2).sum() / 2), slope

    common = defaulted.mean()
    start = np.concatenate([[np.log(common / (1 - common))], np.ones(count)])
    bounds = [(None, None), *[(0.0, None)] * count]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return float(found[0]), np.where(woe.std(axis=0) > 0, found[1:], 0.0)
