"""Boosting: trees that never contradict a known sign, and the choice of how they grow.

Owns the fit, the margins and the search over a short list of settings by inner folds. The list is
general (shallow to deep, many rows a leaf to few); nothing in it was set for one table. Calibration
and the model around the trees are elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb
from scipy.special import log_expit
from sklearn.model_selection import StratifiedGroupKFold

from fieldline.lending.risk.features import Feature
from fieldline.lending.settings import RiskSettings

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]
Fold = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

_INNER = 3
"""Folds in which settings are compared."""
_MOST_ROWS = 18_000
"""Loans on which settings are compared, which bounds the time of it ..."""
_MANY_ROWS = 6_000
"""... and from which one of the folds tells candidates apart as well as three do of fewer."""
_BEYOND_LUCK = 2.0
"""Standard errors by which another growth must beat the usual one."""
_STEPS = (50, 100, 150, 200, 300, 400, 500, 650, 800)
"""Numbers of rounds that are compared."""


@dataclass(frozen=True)
class Growth:
    """How trees grow."""

    trees: int
    depth: int
    learning_rate: float
    min_child_weight: float
    subsample: float
    columns: float
    """Share of the columns that each split may use."""
    l2: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


CANDIDATES: tuple[Growth, ...] = (
    Growth(500, 3, 0.02, 2.0, 0.5, 0.3, 1.0),
    Growth(400, 4, 0.03, 5.0, 0.6, 0.2, 1.0),
    Growth(400, 5, 0.03, 20.0, 0.7, 0.3, 1.0),
    Growth(400, 2, 0.04, 5.0, 0.6, 0.5, 1.0),
)
"""What the search tries; the first, at all its rounds, is the usual one."""


def stated(settings: RiskSettings) -> Growth:
    """Return the growth that the settings state."""
    return Growth(
        settings.trees, settings.depth, settings.learning_rate, settings.min_child_weight,
        settings.subsample, 1.0, settings.l2,
    )  # fmt: skip


def expanded(values: Floats, features: Sequence[Feature]) -> Floats:
    """Return the columns that trees see: an amount as it is, a category as one column per level."""
    if not any(feature.levels for feature in features):
        return values
    columns = [_columns_of(values[:, i], feature) for i, feature in enumerate(features)]
    return np.concatenate(columns, axis=1)


def _columns_of(column: Floats, feature: Feature) -> Floats:
    if not feature.levels:
        return column[:, None]
    levels = np.arange(len(feature.levels))
    return np.asarray(column[:, None] == levels, dtype="float64")


def owners(features: Sequence[Feature]) -> npt.NDArray[np.int64]:
    """Return the place of the feature that each column of `expanded` belongs to."""
    widths = [max(1, len(feature.levels)) for feature in features]
    return np.repeat(np.arange(len(features)), widths)


def matrix(values: Floats, features: Sequence[Feature], label: Floats | None = None) -> xgb.DMatrix:
    """Return features as the matrix that trees read."""
    names = [
        feature.name if not feature.levels else f"{feature.name} {place}"
        for feature in features
        for place in range(max(1, len(feature.levels)))
    ]
    safe = [name.translate({91: 40, 93: 41, 60: 126}) for name in names]
    return xgb.DMatrix(expanded(values, features), label=label, feature_names=safe, nthread=1)


def fit_trees(
    values: Floats, defaulted: Floats, features: Sequence[Feature], growth: Growth, seed: int
) -> xgb.Booster:
    """Fit boosted trees that never contradict a known sign.

    Source: Chen and Guestrin (2016), XGBoost; monotone constraints of that library.
    """
    params = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_depth": growth.depth,
        "eta": growth.learning_rate,
        "min_child_weight": growth.min_child_weight,
        "subsample": growth.subsample,
        "colsample_bynode": growth.columns,
        "lambda": growth.l2,
        "monotone_constraints": tuple(features[i].sign for i in owners(features)),
        "seed": seed,
        "nthread": 1,
    }
    return xgb.train(params, matrix(values, features, defaulted), num_boost_round=growth.trees)


def margins(booster: xgb.Booster, values: Floats, features: Sequence[Feature]) -> Floats:
    """Return log-odds of default before calibration."""
    found = booster.predict(matrix(values, features), output_margin=True)
    return np.asarray(found.astype("float64"))


def folds_of(defaulted: Floats, groups: Labels, count: int, seed: int) -> list[Fold]:
    """Return folds (train, test) that share no group and hold defaults in like shares."""
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros((len(defaulted), 1)), defaulted, groups))


def chosen(
    values: Floats,
    defaulted: Floats,
    groups: Labels,
    features: Sequence[Feature],
    settings: RiskSettings,
) -> Growth:
    """Return the growth that inner folds choose; the stated one without a search.

    Args:
        values: (loans, features), NaN where unknown.
        defaulted: 1 for default.
        groups: Household of each loan.
        features: Features with their signs.
        settings: How many candidates are tried, and the seed.
    """
    candidates = CANDIDATES[: settings.search]
    if not candidates:
        return stated(settings)
    rows = _sample(len(defaulted), settings.seed)
    few = (values[rows], defaulted[rows], groups[rows])
    folds = folds_of(few[1], few[2], _INNER, settings.seed)
    folds = folds if len(rows) < _MANY_ROWS else folds[:1]
    tried = {
        replace(candidate, trees=trees): losses
        for candidate in candidates
        for trees, losses in _losses(few[0], few[1], features, candidate, folds, settings.seed)
    }
    return clearly_best(tried, candidates[0])


def clearly_best(tried: Mapping[Growth, Floats], usual: Growth) -> Growth:
    """Return the growth with the least mean loss where it beats the usual one beyond luck.

    Of a thousand loans the least of thirty losses is mostly the luckiest: what it chose did worse
    on German credit, over folds that it had not seen, than the usual growth.

    Args:
        tried: Losses of the same loans by growth.
        usual: One of them, kept unless another beats it by `_BEYOND_LUCK` standard errors of the
            mean difference.

    Source: Breiman et al. (1984), section 3.4.3: the simplest within a standard error of the best.
    """
    best = min(tried, key=lambda growth: float(tried[growth].mean()))
    gain = tried[usual] - tried[best]
    error = float(gain.std()) / float(np.sqrt(len(gain)))
    return best if float(gain.mean()) > _BEYOND_LUCK * error else usual


def _sample(count: int, seed: int) -> npt.NDArray[np.int64]:
    if count <= _MOST_ROWS:
        return np.arange(count)
    drawn = np.random.default_rng(seed).choice(count, _MOST_ROWS, replace=False)
    return np.sort(drawn).astype(np.int64)


def _losses(
    values: Floats,
    defaulted: Floats,
    features: Sequence[Feature],
    candidate: Growth,
    folds: list[Fold],
    seed: int,
) -> Iterator[tuple[int, Floats]]:
    """Yield numbers of rounds and the log loss of each loan held out."""
    steps = [step for step in _STEPS if step <= candidate.trees]
    found: list[list[Floats]] = [[] for _ in steps]
    for train, test in folds:
        booster = fit_trees(values[train], defaulted[train], features, candidate, seed)
        held_out = matrix(values[test], features)
        for losses, step in zip(found, steps, strict=True):
            odds = booster.predict(held_out, output_margin=True, iteration_range=(0, step))
            losses.append(loan_losses(defaulted[test], odds.astype("float64")))
    yield from zip(steps, map(np.concatenate, found), strict=True)


def loan_losses(defaulted: Floats, margin: Floats) -> Floats:
    """Return the negative log-likelihood of each outcome under log-odds."""
    return np.asarray(-(defaulted * log_expit(margin) + (1 - defaulted) * log_expit(-margin)))


def log_loss(defaulted: Floats, margin: Floats) -> float:
    """Return the mean negative log-likelihood of outcomes under log-odds."""
    return float(loan_losses(defaulted, margin).mean())
