"""Folds: labels predicted by copies that never saw their place, and what that chooses.

Owns the labels as a model takes them, their folds, and which members answer with which weight:
whatever is tried (jittered copies, networks, other weights, a public encoder) stays where held-out
labels gain. What is then made of the answers is the recogniser's.

Source: Kaufman et al. (2012) Leakage in data mining (groups).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedGroupKFold

from fieldline.crops.recognise.calibration import Mix, best_mix, row_losses
from fieldline.crops.recognise.ensemble import BOOSTING, TREES, fit_members
from fieldline.crops.recognise.features import Cube, View, features, jitter, rows_of
from fieldline.crops.recognise.forest import Labels, Matrix
from fieldline.crops.recognise.presto_member import PRESTO, PrestoTried, beside, try_presto
from fieldline.crops.recognise.series_member import (
    NETWORK,
    OnFolds,
    best_on_folds,
    network_machine,
)
from fieldline.crops.series import Floats
from fieldline.crops.settings import ClassifySettings

#: Weights that may be chosen; the first stands where folds see no difference.
_WITH_NETWORK: tuple[dict[str, float], ...] = (
    {NETWORK: 2.0, BOOSTING: 1.0, TREES: 1.0}, {NETWORK: 1.0, BOOSTING: 1.0, TREES: 1.0},
    {NETWORK: 4.0, BOOSTING: 1.0, TREES: 1.0}, {NETWORK: 1.0, BOOSTING: 1.0, TREES: 0.0},
    {NETWORK: 1.0, BOOSTING: 0.0, TREES: 0.0}, {NETWORK: 1.0, BOOSTING: 0.0, TREES: 1.0},
)  # fmt: skip
_TREES_ALONE: tuple[dict[str, float], ...] = (
    {BOOSTING: 1.0, TREES: 1.0}, {BOOSTING: 3.0, TREES: 1.0}, {BOOSTING: 1.0, TREES: 3.0},
    {BOOSTING: 1.0, TREES: 0.0}, {BOOSTING: 0.0, TREES: 1.0},
)  # fmt: skip


@dataclass(frozen=True)
class Training:
    """Labelled parcels on the season's clock."""

    cube: Cube
    labels: Labels
    groups: list[str]
    """Place of each label: never on both sides of a fold."""
    origin: list[str]
    """Season or file that each label comes from."""
    classes: tuple[str, ...]
    rare: dict[str, int]
    """Crops with too few labels to learn, with their counts."""
    view: View
    area_m2: Floats
    """Area of each labelled parcel; NaN where unknown."""
    block: str = ""
    """What a group is, in words."""
    months: tuple[int, ...] = ()
    """Calendar month of each step, 1..12; empty where unknown."""


@dataclass(frozen=True)
class Unseen:
    """Predictions of every labelled row by a copy that never saw the row's group."""

    members: dict[str, Floats]
    """Raw probabilities by member, (rows, classes)."""
    fold: NDArray[np.int64]

    @property
    def mixes(self) -> tuple[dict[str, float], ...]:
        """Weights that may be chosen for these members."""
        return (*_WITH_NETWORK, *_TREES_ALONE) if NETWORK in self.members else _TREES_ALONE


def fold_numbers(
    labels: Labels, groups: Sequence[str], settings: ClassifySettings
) -> NDArray[np.int64]:
    """Return the fold of each label: places stay together, classes are spread as far as they can.

    Labels of one place alone are held out one by one, without a place; too few to hold any out are
    all of fold 0.
    """
    fold = np.zeros(len(labels), dtype=np.int64)
    places = len(set(groups))
    random = settings.seed
    if places >= 2:
        count = min(settings.folds, places)
        split = StratifiedGroupKFold(count, shuffle=True, random_state=random)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class")  # a class may be rare
            parts = list(split.split(fold, labels, np.asarray(groups)))
    else:
        count = min(settings.folds, len(labels))
        parts = list(KFold(count, shuffle=True, random_state=random).split(fold))
    for number, (_, test) in enumerate(parts):
        fold[test] = number
    return fold


@dataclass(frozen=True)
class Chosen:
    """What held-out labels chose."""

    unseen: Unseen
    mix: Mix
    copies: int
    """Jittered copies of each label."""
    network: OnFolds | None
    """None where no network is wanted or folds gave it no weight."""
    presto: PrestoTried | None
    """None where no weights are named."""


def choose_on_folds(
    training: Training, rows: Matrix, fold: NDArray[np.int64], population: Cube | None,
    settings: ClassifySettings,
) -> Chosen:  # fmt: skip
    """Return held-out predictions and what they choose.

    Args:
        training: Labelled parcels.
        rows: Their features.
        fold: Fold of each.
        population: Unlabelled parcels of the county, for pre-training where that is wanted.
        settings: Settings of the stage.
    """
    unseen = cross_predict(training, rows, fold, 0, settings)
    copies, labels, classes = 0, training.labels, len(training.classes)
    few = len(rows) < settings.augment_below * classes
    if few and settings.augment:
        tried = cross_predict(training, rows, fold, settings.augment, settings)
        gain = row_losses(_mixed(unseen, labels), labels)
        gain = gain - row_losses(_mixed(tried, labels), labels)
        if gain.mean() > gain.std() / np.sqrt(len(gain)):
            unseen, copies = tried, settings.augment
    machine = network_machine(settings)
    network = None
    if machine is not None:
        network = best_on_folds(
            training.cube, training.view, labels, classes, fold, settings, machine, population
        )
        unseen = replace(unseen, members=unseen.members | {NETWORK: network.said})
    mix = best_mix(unseen.members, labels, unseen.mixes)
    if not mix.weights.get(NETWORK, 0.0):
        network = None
    presto = try_presto(
        training.cube, training.view, training.months, labels, classes, fold, settings
    )
    if presto is not None:
        presto, mix = beside(presto, unseen.members, mix, labels)
        if presto.said is not None:
            unseen = replace(unseen, members=unseen.members | {PRESTO: presto.said})
    return Chosen(unseen, mix, copies, network, presto)


def _mixed(unseen: Unseen, labels: Labels) -> Floats:
    return best_mix(unseen.members, labels, unseen.mixes).of(unseen.members)


def cross_predict(
    training: Training, rows: Matrix, fold: NDArray[np.int64], copies: int,
    settings: ClassifySettings,
) -> Unseen:  # fmt: skip
    """Predict each labelled row from the other folds' labels.

    A class that the other folds lack gets probability 0 there, an honest miss.
    """
    labels, classes = training.labels, len(training.classes)
    found = {name: np.full((len(labels), classes), 1.0 / classes) for name in (BOOSTING, TREES)}
    for number in np.unique(fold):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        present = np.unique(labels[train])
        if len(present) < 2:
            continue
        inputs, targets = expanded(training, rows, train, copies, settings, int(number) + 1)
        members = fit_members(inputs, np.searchsorted(present, targets), len(present), settings)
        for name, said in members.predict(rows[test]).items():
            found[name][test] = 0.0
            found[name][np.ix_(test, present)] = said
    return Unseen(found, fold)


def expanded(
    training: Training, rows: Matrix, chosen: NDArray[np.int64], copies: int,
    settings: ClassifySettings, draw: int,
) -> tuple[Matrix, Labels]:  # fmt: skip
    """Return the chosen rows and their jittered copies with their labels."""
    random = np.random.default_rng([settings.seed, draw])
    part = rows_of(training.cube, chosen) if copies else training.cube
    more = [features(jitter(part, random, settings), training.view) for _ in range(copies)]
    return np.concatenate([rows[chosen], *more]), np.tile(training.labels[chosen], 1 + copies)
