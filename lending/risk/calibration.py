"""Calibration: from log-odds of trees to a probability that comes true.

Owns three forms, logistic, beta and isotonic, each rising throughout so that no known sign is
broken, and the choice between them on loans that did not fit them. A calibration is plain numbers
in the model's document.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit
from sklearn.isotonic import IsotonicRegression

from fieldline.lending.risk.boosting import Fold

Floats = npt.NDArray[np.float64]

_DIGITS = 9
"""Decimals of a parameter: what is stored is what is served."""
_FREE_LOANS, _FREE_DEFAULTS = 2000, 200
"""Fewer loans or defaults than these cannot hold a free curve."""
_SURELY = 1e-4
"""Log loss by which another form must beat the logistic one."""


@dataclass(frozen=True)
class Calibration:
    """A rising curve from log-odds to probability."""

    kind: str
    """`logistic`: (slope, shift). `beta`: (a, b, c) of p = expit(a ln s - b ln(1 - s) + c).
    `isotonic`: log-odds of the knots, then as many probabilities."""
    parameters: tuple[float, ...]

    def probability(self, margin: Floats) -> Floats:
        """Return the probability of default of log-odds."""
        return np.asarray(_CURVES[self.kind](np.asarray(self.parameters), margin))

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"kind": self.kind, "parameters": list(self.parameters)}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Calibration:
        """Read it back."""
        return cls(content["kind"], tuple(content["parameters"]))


def _logistic(given: Floats, margin: Floats) -> Floats:
    return np.asarray(expit(given[0] * margin + given[1]))


def _beta(given: Floats, margin: Floats) -> Floats:
    odds = given[0] * log_expit(margin) - given[1] * log_expit(-margin) + given[2]
    return np.asarray(expit(odds))


def _isotonic(given: Floats, margin: Floats) -> Floats:
    knots, heights = np.split(given, 2)
    return np.asarray(np.interp(margin, knots, heights))


_CURVES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "logistic": _logistic, "beta": _beta, "isotonic": _isotonic,
}  # fmt: skip


def fit_logistic(margin: Floats, defaulted: Floats) -> Calibration:
    """Return the logistic calibration of margins.

    Source: Platt (1999), with his smoothed targets. The slope is held positive, so that the
    calibrated probability keeps every monotone constraint.
    """
    target = _smoothed(defaulted)

    def loss(given: Floats) -> float:
        return _cross_entropy(target, np.exp(given[0]) * margin + given[1])

    found = minimize(loss, np.zeros(2), method="BFGS").x
    return Calibration("logistic", _rounded([np.exp(found[0]), found[1]]))


def fit_beta(margin: Floats, defaulted: Floats) -> Calibration:
    """Return the beta calibration of margins.

    Source: Kull, Silva Filho and Flach (2017), AISTATS; both exponents at or above zero.
    """
    target = _smoothed(defaulted)
    good, bad = log_expit(margin), log_expit(-margin)

    def loss(given: Floats) -> float:
        return _cross_entropy(target, given[0] * good - given[1] * bad + given[2])

    bounds = [(0.0, None), (0.0, None), (None, None)]
    found = minimize(loss, np.array([1.0, 1.0, 0.0]), method="L-BFGS-B", bounds=bounds).x
    return Calibration("beta", _rounded(found.tolist()))


def fit_isotonic(margin: Floats, defaulted: Floats) -> Calibration:
    """Return the isotonic calibration of margins, never nearer to 0 or 1 than one loan in all.

    Source: Zadrozny and Elkan (2002), KDD.
    """
    least = 1 / (len(defaulted) + 2)
    model = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
    model.fit(margin, defaulted)
    knots = [*model.X_thresholds_, *model.y_thresholds_]
    return Calibration("isotonic", tuple(float(value) for value in knots))


def _smoothed(defaulted: Floats) -> Floats:
    bad = defaulted.sum()
    high, low = (bad + 1) / (bad + 2), 1 / (len(defaulted) - bad + 2)
    return np.asarray(np.where(defaulted > 0, high, low))


def _cross_entropy(target: Floats, odds: Floats) -> float:
    return float(-np.mean(target * log_expit(odds) + (1 - target) * log_expit(-odds)))


def _rounded(values: list[float]) -> tuple[float, ...]:
    return tuple(round(float(value), _DIGITS) for value in values)


def fit_calibration(margin: Floats, defaulted: Floats, folds: list[Fold]) -> Calibration:
    """Return the form that does best on folds that did not fit it, fitted on all.

    Args:
        margin: Log-odds of loans that the trees had not seen.
        defaulted: 1 for default.
        folds: Folds of these loans.
    """
    ways = [fit_logistic, fit_beta]
    if len(defaulted) >= _FREE_LOANS and defaulted.sum() >= _FREE_DEFAULTS:
        ways.append(fit_isotonic)
    losses = [_held_out(way, margin, defaulted, folds) for way in ways]
    best = int(np.argmin(losses))
    surely = losses[best] < losses[0] - _SURELY
    return ways[best if surely else 0](margin, defaulted)


def _held_out(
    way: Callable[[Floats, Floats], Calibration],
    margin: Floats,
    defaulted: Floats,
    folds: list[Fold],
) -> float:
    total = 0.0
    for train, test in folds:
        said = way(margin[train], defaulted[train]).probability(margin[test])
        total += _cross_entropy(defaulted[test], logit(said)) * len(test)
    return total / len(defaulted)
