"""The recogniser: from labelled and unlabelled parcels to honest crop probabilities.

Owns the order of the steps: members fitted on folds, calibrated, blended; strange parcels refused;
class shares of the county re-estimated from the parcels that are left; prediction sets. The one
idea: every number that judges an answer comes from rows whose place the predicting copy never saw,
and the same function serves a county, an evaluation and a stored model.

Source: Kaufman et al. (2012) Leakage in data mining (groups); the steps name theirs.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedGroupKFold

from fieldline.crops.recognise.calibration import Mix, best_mix, row_losses
from fieldline.crops.recognise.ensemble import BOOSTING, TREES, Members, fit_members
from fieldline.crops.recognise.features import Cube, View, features, jitter, rows_of
from fieldline.crops.recognise.forest import Labels, Matrix
from fieldline.crops.recognise.novelty import (
    LabelledRows,
    Novelty,
    Population,
    fit_novelty,
)
from fieldline.crops.recognise.series_member import (
    NETWORK,
    Networks,
    OnFolds,
    best_on_folds,
    network_machine,
)
from fieldline.crops.recognise.sets import PredictionSets, area_band, fit_sets
from fieldline.crops.recognise.shares import (
    part_way,
    population_shares,
    reweighted,
    share_trust,
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


@dataclass(frozen=True)
class Answers:
    """What the recogniser says of some parcels."""

    probabilities: Floats
    """(parcels, classes), by the county's class shares."""
    strangeness: Floats
    """Mean rank among labelled parcels."""
    refused: NDArray[np.bool_]
    """Whether the parcel is unlike everything that was labelled."""

    def of(self, rows: Sequence[int]) -> Answers:
        """Return the answers for some of the parcels."""
        at = np.asarray(rows, dtype=np.int64)
        return Answers(self.probabilities[at], self.strangeness[at], self.refused[at])


@dataclass(frozen=True)
class HeldOut:
    """What was said of the labels while they were held out: what sets are made from."""

    plain: Floats
    """Calibrated probabilities by the labels' shares, (labels, classes)."""
    labels: Labels
    band: NDArray[np.int64]
    """Area band of each."""


@dataclass(frozen=True)
class Told:
    """What the members say of some parcels before the county's shares and any refusal."""

    rows: Matrix
    """Features."""
    plain: Floats
    """(parcels, classes) calibrated, by the labels' own class shares."""
    embedded: Floats | None
    """(networks, parcels, numbers); None without networks."""


def _told(members: Members, networks: Networks | None, mix: Mix, view: View, cube: Cube) -> Told:
    rows = features(cube, view)
    said, embedded = members.predict(rows), None
    if networks is not None:
        said[NETWORK], embedded = networks.answers(cube, view)
    return Told(rows, mix.of(said), embedded)


@dataclass(frozen=True)
class Recogniser:
    """A fitted, calibrated crop model for one county and season."""

    members: Members
    networks: Networks | None
    """None where torch is absent, networks are not wanted, or folds gave them no weight."""
    classes: tuple[str, ...]
    view: View
    bands: tuple[str, ...]
    mix: Mix
    learnt: Floats
    """Class shares of the labels."""
    shares: Floats
    """Class shares of the county as far as its unlabelled parcels tell."""
    counted: int
    """Unlabelled parcels that those shares rest on; 0 where they are those of the labels."""
    trust: float
    """How far from the labels' shares towards the county's likeliest those are, 0..1."""
    novelty: Novelty
    sets: PredictionSets
    held: HeldOut

    def told(self, cube: Cube) -> Told:
        """Return what the members say of parcels with clear dates, by the labels' own shares."""
        return _told(self.members, self.networks, self.mix, self.view, cube)

    def predict(self, cube: Cube) -> Answers:
        """Answer for parcels with clear dates."""
        told = self.told(cube)
        strange = self.novelty.ranks(told.rows, told.plain, told.embedded)
        shifted = reweighted(told.plain, self.shares / self.learnt)
        return Answers(shifted, strange, strange > self.novelty.limit)


@dataclass(frozen=True)
class Fitted:
    """A recogniser and what it said of its own labels while they were held out."""

    model: Recogniser
    rows: Matrix
    """Features of the labelled parcels."""
    unseen: Unseen
    copies: int
    """Jittered copies of each label that folds gained from."""
    pretrained: bool = False
    """Whether networks answer that began with what unlabelled series taught."""


def fit_recogniser(
    training: Training,
    population: Cube | None,
    settings: ClassifySettings,
    *,
    of_this_county: bool = True,
) -> Fitted:
    """Fit the recogniser.

    Args:
        training: Labelled parcels.
        population: Unlabelled parcels of the county, none where there are none.
        settings: Settings of the stage.
        of_this_county: Whether the labels are of the county itself: unlabelled parcels may then be
            held against them.
    """
    rows = features(training.cube, training.view)
    fold = fold_numbers(training.labels, training.groups, settings)
    unseen, mix, copies, network = _on_folds(training, rows, fold, population, settings)
    networks = None if network is None else network.networks
    embedded = None if network is None else network.embedded
    plain = mix.of(unseen.members)
    everything = np.arange(len(training.labels))
    inputs, targets = _expanded(training, rows, everything, copies, settings, 0)
    members = fit_members(inputs, targets, len(training.classes), settings)
    learnt = np.bincount(training.labels, minlength=len(training.classes)) / len(rows)
    told = None
    if population is not None and len(population.values):
        told = _told(members, networks, mix, training.view, population)
    near = None
    if told is not None and of_this_county:
        shares = _believed(told.plain, plain, training.labels, learnt, settings)[0]
        weights = _as_labelled(told.plain, shares, learnt)
        near = Population(told.rows, weights, told.plain, told.embedded)
    novelty = fit_novelty(
        LabelledRows(rows, training.labels, fold, plain, embedded), near,
        refuse_known=settings.refuse_known, seed=settings.seed, threads=settings.threads,
    )  # fmt: skip
    held = HeldOut(plain, training.labels, area_band(training.area_m2))
    sets = fit_sets(plain, held.labels, held.band, settings.set_coverage)
    model = Recogniser(
        members, networks, training.classes, training.view, training.cube.bands, mix, learnt,
        learnt, 0, 0.0, novelty, sets, held,
    )  # fmt: skip
    taught = network is not None and network.pretrained
    return Fitted(_with_shares(model, told, settings), rows, unseen, copies, taught)


def _as_labelled(said: Floats, shares: Floats, learnt: Floats) -> Floats:
    """Return weights, 1 in the mean, that bring known crops nearer to their shares of the labels.

    Without them a crop that is far commoner in the county than among the labels would be what tells
    unlabelled land from labelled, in place of the land that nobody labelled. The square root is
    half of the way: unlabelled land that is taken for a common crop keeps some weight.
    """
    weight = np.sqrt((reweighted(said, shares / learnt) * (learnt / shares)).sum(axis=1))
    return np.asarray(weight / weight.mean())


def settled(model: Recogniser, population: Cube | None, settings: ClassifySettings) -> Recogniser:
    """Return the model with the class shares of a county and prediction sets that fit them.

    Args:
        model: Fitted model, whatever county its shares are of.
        population: Unlabelled parcels of the county, none where there are none.
        settings: Settings of the stage.
    """
    if population is None or not len(population.values):
        return _with_shares(model, None, settings)
    return _with_shares(model, model.told(population), settings)


def _with_shares(model: Recogniser, told: Told | None, settings: ClassifySettings) -> Recogniser:
    shares, counted, trust = model.learnt, 0, 0.0
    if told is not None:
        shares, counted, trust = _county_shares(told, model, settings)
    held = model.held
    shifted = reweighted(held.plain, shares / model.learnt)
    sets = fit_sets(shifted, held.labels, held.band, settings.set_coverage)
    return replace(model, shares=shares, counted=counted, trust=trust, sets=sets)


def _county_shares(
    told: Told, model: Recogniser, settings: ClassifySettings
) -> tuple[Floats, int, float]:
    """Return the county's class shares, the parcels they rest on and how far they are followed.

    Refused parcels do not count.
    """
    strange = model.novelty.ranks(told.rows, told.plain, told.embedded)
    kept = told.plain[strange <= model.novelty.limit]
    if len(kept) < settings.shares_from:
        return model.learnt, 0, 0.0
    return _believed(kept, model.held.plain, model.held.labels, model.learnt, settings)


def _believed(
    said: Floats, held: Floats, labels: Labels, learnt: Floats, settings: ClassifySettings
) -> tuple[Floats, int, float]:
    """Return the class shares of unlabelled rows as far as they are believed, rows and trust."""
    likeliest = population_shares(said, learnt, settings.shares_prior)
    trust = share_trust(held, labels, likeliest, len(said), settings.shares_prior, settings.seed)
    return part_way(learnt, likeliest, trust), len(said), trust


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


def _on_folds(
    training: Training, rows: Matrix, fold: NDArray[np.int64], population: Cube | None,
    settings: ClassifySettings,
) -> tuple[Unseen, Mix, int, OnFolds | None]:  # fmt: skip
    """Return held-out predictions, the mix they choose, and copies and networks that they want."""
    unseen = cross_predict(training, rows, fold, 0, settings)
    copies = 0
    few = len(rows) < settings.augment_below * len(training.classes)
    if few and settings.augment:
        tried = cross_predict(training, rows, fold, settings.augment, settings)
        gain = row_losses(_mixed(unseen, training.labels), training.labels)
        gain = gain - row_losses(_mixed(tried, training.labels), training.labels)
        if gain.mean() > gain.std() / np.sqrt(len(gain)):
            unseen, copies = tried, settings.augment
    machine = network_machine(settings)
    network = None
    if machine is not None:
        network = best_on_folds(
            training.cube, training.view, training.labels, len(training.classes), fold, settings,
            machine, population,
        )  # fmt: skip
        unseen = replace(unseen, members=unseen.members | {NETWORK: network.said})
    mix = best_mix(unseen.members, training.labels, unseen.mixes)
    wanted = mix.weights.get(NETWORK, 0.0) > 0
    return unseen, mix, copies, network if wanted else None


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
        inputs, targets = _expanded(training, rows, train, copies, settings, int(number) + 1)
        members = fit_members(inputs, np.searchsorted(present, targets), len(present), settings)
        for name, said in members.predict(rows[test]).items():
            found[name][test] = 0.0
            found[name][np.ix_(test, present)] = said
    return Unseen(found, fold)


def _expanded(
    training: Training, rows: Matrix, chosen: NDArray[np.int64], copies: int,
    settings: ClassifySettings, draw: int,
) -> tuple[Matrix, Labels]:  # fmt: skip
    """Return the chosen rows and their jittered copies with their labels."""
    random = np.random.default_rng([settings.seed, draw])
    part = rows_of(training.cube, chosen) if copies else training.cube
    more = [features(jitter(part, random, settings), training.view) for _ in range(copies)]
    return np.concatenate([rows[chosen], *more]), np.tile(training.labels[chosen], 1 + copies)
