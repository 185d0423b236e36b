"""Calibration: probabilities that mean what they say, of one member and of several together.

Owns the temperature, the blend and the log loss that both are judged by. The one idea: members are
made honest one by one before they are mixed, because a mix chosen before calibration picks whoever
happens to be overconfident in the right amount.

Source: Guo et al. (2017) On calibration of modern neural networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from fieldline.crops.recognise.forest import Labels
from fieldline.crops.series import Floats

_FLOOR = 1e-6


def log_loss(probabilities: Floats, labels: Labels) -> float:
    """Mean negative log probability of the true class."""
    return float(row_losses(probabilities, labels).mean())


def row_losses(probabilities: Floats, labels: Labels) -> Floats:
    """Negative log probability of each row's true class."""
    return np.asarray(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], _FLOOR)))


def warm(probabilities: Floats, temperature: float) -> Floats:
    """Soften (above 1) or sharpen (below 1) probabilities by a temperature."""
    return _softmax(np.log(np.maximum(probabilities, _FLOOR)) / temperature)


def _softmax(scores: Floats) -> Floats:
    power = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(power / power.sum(axis=1, keepdims=True))


def fit_temperature(probabilities: Floats, labels: Labels) -> float:
    """Find the temperature with the least log loss on predictions of unseen groups."""
    found = minimize_scalar(
        lambda log_t: log_loss(warm(probabilities, float(np.exp(log_t))), labels),
        bounds=(-2.0, 2.0),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


def blend(members: Sequence[Floats], weights: Sequence[float]) -> Floats:
    """Mix members' probabilities by their weighted mean logarithm."""
    logs = [w * np.log(np.maximum(p, _FLOOR)) for p, w in zip(members, weights, strict=True)]
    return _softmax(np.sum(logs, axis=0) / sum(weights))


@dataclass(frozen=True)
class Mix:
    """How members' raw probabilities become one honest probability."""

    temperatures: dict[str, float]
    """Temperature by member."""
    weights: dict[str, float]
    """Weight by member; members of weight 0 are not asked."""
    temperature: float
    """Temperature of the blend."""

    def of(self, members: Mapping[str, Floats]) -> Floats:
        """Return the calibrated probabilities of rows from their members' raw ones."""
        asked = sorted(name for name, weight in self.weights.items() if weight > 0)
        calm = [warm(members[name], self.temperatures[name]) for name in asked]
        return warm(blend(calm, [self.weights[name] for name in asked]), self.temperature)


def best_mix(
    members: Mapping[str, Floats], labels: Labels, choices: Sequence[Mapping[str, float]]
) -> Mix:
    """Return the mix with the least log loss on unseen groups, each member calibrated first.

    Args:
        members: Raw probabilities of unseen rows by member, (rows, classes).
        labels: Their true classes.
        choices: Weights by member that may be chosen; the first stands where losses are equal.
    """
    single = {name: fit_temperature(found, labels) for name, found in members.items()}
    tried = []
    for weights in choices:
        raw = Mix(single, dict(weights), 1.0).of(members)
        temperature = fit_temperature(raw, labels)
        loss = log_loss(warm(raw, temperature), labels)
        tried.append((loss, Mix(single, dict(weights), temperature)))
    return min(tried, key=lambda pair: pair[0])[1]
