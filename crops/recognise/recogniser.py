"""The recogniser: from labelled and unlabelled parcels to honest crop probabilities.

Owns the order of the steps: members fitted on folds, calibrated, blended; strange parcels refused;
class shares of the county re-estimated from the parcels that are left; prediction sets. The one
idea: every number that judges an answer comes from rows whose place the predicting copy never saw,
and the same function serves a county, an evaluation and a stored model.

Source: Kaufman et al. (2012) Leakage in data mining (groups); the steps name theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.recognise.calibration import Mix
from fieldline.crops.recognise.ensemble import Members, fit_members
from fieldline.crops.recognise.features import Cube, View, features
from fieldline.crops.recognise.folds import (
    Training,
    Unseen,
    choose_on_folds,
    expanded,
    fold_numbers,
)
from fieldline.crops.recognise.forest import Labels, Matrix
from fieldline.crops.recognise.novelty import (
    LabelledRows,
    Novelty,
    Population,
    fit_novelty,
)
from fieldline.crops.recognise.presto_member import PRESTO, PrestoMember, PrestoTried
from fieldline.crops.recognise.series_member import NETWORK, Networks
from fieldline.crops.recognise.sets import PredictionSets, area_band, fit_sets
from fieldline.crops.recognise.shares import (
    part_way,
    population_shares,
    reweighted,
    share_trust,
)
from fieldline.crops.series import Floats
from fieldline.crops.settings import ClassifySettings


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


@dataclass(frozen=True)
class _Panel:
    """Who answers, before the county's shares and any refusal."""

    members: Members
    networks: Networks | None
    presto: PrestoMember | None
    mix: Mix
    view: View

    def told(self, cube: Cube) -> Told:
        rows = features(cube, self.view)
        said, embedded = self.members.predict(rows), None
        if self.networks is not None:
            said[NETWORK], embedded = self.networks.answers(cube, self.view)
        if self.presto is not None:
            said[PRESTO] = self.presto.predict(cube)
        return Told(rows, self.mix.of(said), embedded)


@dataclass(frozen=True)
class Recogniser:
    """A fitted, calibrated crop model for one county and season."""

    members: Members
    networks: Networks | None
    """None where torch is absent, networks are not wanted, or folds gave them no weight."""
    presto: PrestoMember | None
    """None where no weights are named, or folds gained nothing by them."""
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
        panel = _Panel(self.members, self.networks, self.presto, self.mix, self.view)
        return panel.told(cube)

    def predict(self, cube: Cube) -> Answers:
        """Answer for parcels with clear dates."""
        return self.answers(self.told(cube))

    def answers(self, told: Told) -> Answers:
        """Answer for parcels of which the members have told."""
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
    presto: PrestoTried | None = None
    """What became of a public encoder; None where no weights are named."""


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
    chosen = choose_on_folds(training, rows, fold, population, settings)
    network, mix = chosen.network, chosen.mix
    networks = None if network is None else network.networks
    embedded = None if network is None else network.embedded
    plain = mix.of(chosen.unseen.members)
    everything = np.arange(len(training.labels))
    inputs, targets = expanded(training, rows, everything, chosen.copies, settings, 0)
    members = fit_members(inputs, targets, len(training.classes), settings)
    presto = None if chosen.presto is None else chosen.presto.member
    learnt = np.bincount(training.labels, minlength=len(training.classes)) / len(rows)
    told = None
    if population is not None and len(population.values):
        told = _Panel(members, networks, presto, mix, training.view).told(population)
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
        members, networks, presto, training.classes, training.view, training.cube.bands, mix,
        learnt, learnt, 0, 0.0, novelty, sets, held,
    )  # fmt: skip
    taught = network is not None and network.pretrained
    return Fitted(_with_shares(model, told, settings), rows, chosen.unseen, chosen.copies, taught,
                  chosen.presto)  # fmt: skip


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
