"""The crop ensemble: boosting and extra-trees averaged, calibrated and honest about its doubts.

Owns fitting, the blend that cross-validation prefers, the temperature that makes probabilities
mean what they say, and the conformal threshold. It knows arrays, not parcels. The one idea: every
number that judges the model comes from predictions on groups that the predicting copy never saw.

Source: Chen & Guestrin (2016) XGBoost; Geurts et al. (2006) Extremely randomized trees; Guo et al.
(2017) On calibration of modern neural networks (temperature); Sadinle, Lei & Wasserman (2019)
Least ambiguous set-valued classifiers; Vovk (2015) Cross-conformal predictors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedGroupKFold

from fieldline.crops.series import Floats
from fieldline.crops.settings import ClassifySettings

Matrix = NDArray[np.float32]
Labels = NDArray[np.int64]
#: Copies a training set: (rows to copy, generator) -> features and labels of originals and copies.
Expand = Callable[[NDArray[np.int64], np.random.Generator], tuple[Matrix, Labels]]

BLENDS = (0.0, 0.25, 0.5, 0.75, 1.0)
_FLOOR = 1e-6


@dataclass(frozen=True)
class Members:
    """One fitted pair."""

    boosting: xgb.Booster
    trees: ExtraTreesClassifier

    def predict(self, rows: Matrix) -> tuple[Floats, Floats]:
        """Return the class probabilities of each member, (rows, classes)."""
        boosted = self.boosting.predict(xgb.DMatrix(rows)).astype(np.float64)
        return boosted, np.asarray(self.trees.predict_proba(rows), dtype=np.float64)


def fit_members(rows: Matrix, labels: Labels, classes: int, settings: ClassifySettings) -> Members:
    """Fit both members on rows whose labels cover 0..classes-1."""
    weight = 1.0 / np.bincount(labels, minlength=classes).clip(1)[labels]
    weight = np.sqrt(weight / weight.mean())
    parameters = {
        "objective": "multi:softprob", "num_class": classes, "tree_method": "hist",
        "max_depth": settings.depth, "eta": settings.learning_rate, "subsample": 0.8,
        "colsample_bytree": 0.3, "min_child_weight": 1.0, "lambda": 1.0, "max_bin": 32,
        "seed": settings.seed, "nthread": settings.threads, "verbosity": 0,
    }  # fmt: skip
    boosting = xgb.train(parameters, xgb.DMatrix(rows, labels, weight=weight), settings.rounds)
    boosting.set_param({"nthread": 1})
    trees = ExtraTreesClassifier(
        settings.trees,
        max_features="sqrt",
        min_samples_leaf=1,
        n_jobs=settings.threads,
        random_state=settings.seed,
    )
    trees.fit(rows, labels, sample_weight=weight)
    trees.n_jobs = 1  # votes are then added in one order, whatever the machine
    return Members(boosting, trees)


def blend(boosted: Floats, voted: Floats, share: float) -> Floats:
    """Average two members' probabilities, `share` to the boosting one."""
    mixed = np.maximum(share * boosted + (1.0 - share) * voted, _FLOOR)
    return np.asarray(mixed / mixed.sum(axis=1, keepdims=True))


def log_loss(probabilities: Floats, labels: Labels) -> float:
    """Mean negative log probability of the true class."""
    return float(-np.log(probabilities[np.arange(len(labels)), labels]).mean())


def warm(probabilities: Floats, temperature: float) -> Floats:
    """Soften (above 1) or sharpen (below 1) probabilities by a temperature."""
    scaled = np.log(np.maximum(probabilities, _FLOOR)) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    power = np.exp(scaled)
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


def conformal_threshold(probabilities: Floats, labels: Labels, coverage: float) -> float:
    """Return the least probability that puts a class into the prediction set.

    Args:
        probabilities: (rows, classes) calibrated probabilities of rows the model did not see.
        labels: True classes.
        coverage: Wanted share of sets that hold the truth.

    Returns:
        Threshold in 0..1; 0 (every class) where the rows are too few for the coverage.
    """
    score = np.sort(1.0 - probabilities[np.arange(len(labels)), labels])
    rank = int(np.ceil((len(score) + 1) * coverage))
    return 0.0 if rank > len(score) else float(1.0 - score[rank - 1])


@dataclass(frozen=True)
class Unseen:
    """Predictions of every labelled row by a copy that never saw the row's group."""

    boosted: Floats
    voted: Floats
    fold: NDArray[np.int64]


def cross_predict(
    labels: Labels, groups: Sequence[str], rows: Matrix, expand: Expand, settings: ClassifySettings
) -> Unseen:
    """Predict each labelled row from the other groups' labels.

    Args:
        labels: Class of each row, 0..classes-1.
        groups: Village or farm of each row; a group is never on both sides of a fold.
        rows: Features of the rows.
        expand: Makes the training rows of a fold (originals and jittered copies).
        settings: Folds, seed and model sizes.
    """
    classes = int(labels.max()) + 1
    boosted, voted = (np.full((len(labels), classes), 1.0 / classes) for _ in range(2))
    fold = np.full(len(labels), -1, dtype=np.int64)
    count = min(settings.folds, len(set(groups)))
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=settings.seed)
    for number, (train, test) in enumerate(splitter.split(rows, labels, np.asarray(groups))):
        present = np.unique(labels[train])
        generator = np.random.default_rng([settings.seed, number])
        inputs, targets = expand(train, generator)
        members = fit_members(inputs, np.searchsorted(present, targets), len(present), settings)
        for into, found in zip((boosted, voted), members.predict(rows[test]), strict=True):
            into[test] = 0.0
            into[np.ix_(test, present)] = found
        fold[test] = number
    return Unseen(boosted, voted, fold)


def best_blend(unseen: Unseen, labels: Labels) -> float:
    """Return the blend with the least log loss on unseen groups (the first where equal)."""
    losses = [log_loss(blend(unseen.boosted, unseen.voted, share), labels) for share in BLENDS]
    return BLENDS[int(np.argmin(losses))]
