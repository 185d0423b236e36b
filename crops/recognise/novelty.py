"""Knowing when not to answer: whether a parcel is like anything that was labelled.

Owns the scores of strangeness and the level above which a parcel is refused: doubt of the
classifier, distance to the nearest labelled parcels (in the series network's embedding, or without
one in the features, there with the distance to the nearest class), and how surely a classifier
tells the parcel from the labelled ones. The one idea: each score alone
misses some kind of other land, so their ranks among labelled parcels decide together, and one that
is extreme counts more than several that are a little high (Fisher's way to join tests); and they
decide before class shares are re-estimated, because a shifted share makes an unknown crop look
certain.

Source: Lee et al. (2018) A simple unified framework for detecting out-of-distribution samples;
Sun et al. (2022) Out-of-distribution detection with deep nearest neighbors; Bekker & Davis (2020)
Learning from positive and unlabeled data: a survey (two-step methods).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.recognise.forest import Forest, Labels, Matrix, fit_forest
from fieldline.crops.recognise.second_look import (
    HALVES,
    LEAF,
    TREES,
    Lesson,
    SecondLook,
    fit_half,
    part_of,
    scores_by,
)
from fieldline.crops.recognise.space import CLASS_DISTANCE, NEIGHBOURS, Space, fit_space
from fieldline.crops.series import Floats

_DOMAIN_MOST = 6000
"""Unlabelled rows that a classifier of labelled against unlabelled sees at most."""
_LEAST = 30
"""Labelled rows from which a class has a level of its own."""
_OUTER, _MOST_OTHER = 0.95, 0.5
"""Where more than this share of the unlabelled land lies beyond this share of the labels, the
classifier of one against the other tells how parcels were chosen for the survey, not what grows."""
_FEWEST_STRANGE = 60
"""Refused rows of a half of the unlabelled land from which a second look learns."""
_TINY = 1e-6
DOUBT, DOMAIN = "doubt", "domain"
EMBEDDED, SECOND_LOOK = "embedded_neighbours", "second_look"
_DISTANCES = (CLASS_DISTANCE, NEIGHBOURS)
_MOST = 1.1
"""Just above the largest rank."""


@dataclass(frozen=True)
class Novelty:
    """Scores of strangeness and what labelled parcels that were held out score."""

    space: Space
    """Where labelled parcels lie by their features."""
    embeddings: tuple[Space, ...]
    """Where they lie in the embedding of each fold's network; empty where no network answers."""
    domains: tuple[Forest, ...]
    """Classifiers of labelled against unlabelled land, two for each fold: neither has seen the
    fold's labels, each one half of the unlabelled land. Empty where the labels are not of this
    county, for they would tell sensors and years apart, not crops, and where a second look judges.
    """
    second: SecondLook | None
    """What judges in place of all other scores where enough was refused to learn from."""
    known: dict[str, Floats]
    """Sorted scores of held-out labelled rows by name."""
    limit: float
    """Rank above which a parcel is refused."""
    offset: Floats
    """By class: how much stranger its labelled rows lie than all, at the same share lost. Where a
    crop is far commoner in the county than among the labels, its parcels look strange to the
    classifier of labelled against population; they are held against their own kind."""
    away_limit: float
    """The limit without the classifiers of labelled against population ..."""
    away_offset: Floats
    """... and the offsets."""

    def away(self) -> Novelty:
        """Return what judges parcels of another county or season.

        Classifiers of labelled against population would tell counties and years apart there.
        """
        known = {name: scores for name, scores in self.known.items()
                 if name not in (DOMAIN, SECOND_LOOK)}  # fmt: skip
        return replace(self, domains=(), second=None, known=known, limit=self.away_limit,
                       offset=self.away_offset)  # fmt: skip

    def ranks(self, rows: Matrix, probabilities: Floats, embedded: Floats | None = None) -> Floats:
        """Return the joint rank of each row among held-out labelled rows, less its class's offset.

        Args:
            rows: (rows, features).
            probabilities: (rows, classes) calibrated, by the labels' own shares.
            embedded: (networks, rows, numbers) where networks answer too.
        """
        if self.second is not None:
            part = part_of(rows, len(self.second.features))
            scores = {SECOND_LOOK: self.second.scores(rows, probabilities, embedded, part)}
        else:
            scores = self._first_look(rows, probabilities, embedded)
        return _set_off(joint_rank(scores, self.known), probabilities, self.offset)

    def _first_look(
        self, rows: Matrix, probabilities: Floats, embedded: Floats | None
    ) -> dict[str, Floats]:
        scores = {DOUBT: 1.0 - probabilities.max(axis=1)}
        if embedded is None:
            scores |= self.space.scores(rows)
        else:
            apart = [
                space.scores(place)[NEIGHBOURS]
                for space, place in zip(self.embeddings, embedded, strict=True)
            ]
            scores[EMBEDDED] = np.asarray(np.mean(apart, axis=0))
        if self.domains:
            scores[DOMAIN] = domain_scores(self.domains, rows)
        return scores


def _set_off(ranks: Floats, probabilities: Floats, offset: Floats) -> Floats:
    return np.asarray(ranks - offset[probabilities.argmax(axis=1)])


def domain_scores(domains: tuple[Forest, ...], rows: Matrix) -> Floats:
    """Return what a classifier that has not seen the row's half says of each row."""
    return scores_by(domains, rows, part_of(rows, len(domains)))


def joint_rank(scores: Mapping[str, Floats], known: Mapping[str, Floats]) -> Floats:
    """Return the rank of each row among the known rows by all scores together, 0..1.1.

    A score beyond every known one counts as rank 1 and a little more the farther it lies (its
    excess over the largest known score relative to the known spread, squeezed under a tenth), so
    that the strangest rows stay in order. The two distances say much the same: their mean is one
    part. The parts' distances from 1.1 are joined by their geometric mean, so that one extreme part
    outweighs several that are a little high.

    Source: Fisher (1925) Statistical Methods for Research Workers, section 21.1.
    """
    found = {}
    for name, values in scores.items():
        base = known[name]
        rank = np.searchsorted(base, values, side="right") / len(base)
        beyond = np.maximum(values - base[-1], 0.0) / (base[-1] - np.median(base) + _TINY)
        found[name] = rank + 0.1 * beyond / (1.0 + beyond)
    apart = [found.pop(name) for name in _DISTANCES if name in found]
    parts = [*found.values(), *([np.mean(apart, axis=0)] if apart else [])]
    left = np.log(np.maximum(_MOST - np.asarray(parts), _TINY))
    return np.asarray(_MOST - np.exp(left.mean(axis=0)))


@dataclass(frozen=True)
class Population:
    """Unlabelled rows of the county that the labels are of."""

    rows: Matrix
    weights: Floats
    """Weight of each row, 1 in the mean: so that known crops are as common as among the labels."""
    probabilities: Floats
    """(rows, classes) calibrated, by the labels' own shares."""
    embedded: Floats | None = None
    """(networks, rows, numbers) where networks answer."""


@dataclass(frozen=True)
class LabelledRows:
    """Labelled rows, their folds and what a copy that had not seen them said."""

    rows: Matrix
    labels: Labels
    fold: NDArray[np.int64]
    probabilities: Floats
    embedded: Floats | None = None
    """(networks, rows, numbers) embeddings by the network that had not seen each fold, in order;
    None without networks."""

    def spaces(self) -> Iterator[tuple[Matrix, Space]]:
        """Yield where all rows are and the space of those that a fold's copy has seen, by fold."""
        for number, fold in enumerate(np.unique(self.fold)):
            rows = self.rows if self.embedded is None else self.embedded[number]
            yield rows, fit_space(rows[self.fold != fold], self.labels[self.fold != fold])


def fit_novelty(
    known: LabelledRows,
    population: Population | None,
    *,
    refuse_known: float,
    seed: int,
    threads: int,
) -> Novelty:
    """Fit the scores and the level that loses the given share of held-out labelled rows.

    Args:
        known: Labelled rows with their folds.
        population: Unlabelled rows of the same county, or None where the labels are of another or
            none are left; too few are not used.
        refuse_known: Share of the known rows that may be refused.
        seed: Random seed.
        threads: Threads; the result does not depend on it.
    """
    scores: dict[str, Floats] = {DOUBT: 1.0 - known.probabilities.max(axis=1)}
    names = (EMBEDDED,) if known.embedded is not None else _DISTANCES
    scores |= {name: np.zeros(len(known.rows)) for name in names}
    spaces = []
    for fold, (rows, space) in zip(np.unique(known.fold), known.spaces(), strict=True):
        test = known.fold == fold
        apart = space.scores(rows[test])
        for name in names:
            scores[name][test] = apart[NEIGHBOURS if name == EMBEDDED else name]
        spaces.append(space)
    alone = dict(scores)
    domains: tuple[Forest, ...] = ()
    if population is not None and _enough(population):
        forests = _fit_domains(known, population, seed, threads)
        apart_from = _held_out(forests, known)
        beyond = domain_scores(forests, population.rows) > np.quantile(apart_from, _OUTER)
        if beyond.mean() <= _MOST_OTHER:
            domains, scores[DOMAIN] = forests, apart_from
    base = {name: np.sort(values) for name, values in scores.items()}
    near, away = (
        _limits(joint_rank(part, base), known.probabilities, refuse_known)
        for part in (scores, alone)
    )
    embeddings = tuple(spaces) if known.embedded is not None else ()
    space = fit_space(known.rows, known.labels)
    first = Novelty(space, embeddings, domains, None, base, *near, *away)
    if population is None or not domains:
        return first
    return _second_look(first, known, population, spaces, refuse_known, seed, threads)


def _second_look(
    first: Novelty, known: LabelledRows, population: Population, spaces: list[Space],
    refuse_known: float, seed: int, threads: int,
) -> Novelty:  # fmt: skip
    """Return what tells the land that a first look refused from the rest; labels set its level.

    Which land lies near a label is not strange at a first look that knew the label. So each fold's
    second look learns from a first look without the fold's labels, and only those set the level.
    """
    half = part_of(population.rows, HALVES)
    found: list[dict[str, Forest]] = []
    for number, (fold, space) in enumerate(zip(np.unique(known.fold), spaces, strict=True)):
        strange = _strange_without(number, first, space, population, half)
        own = None if population.embedded is None else population.embedded[number]
        seen = known.fold != fold
        lesson = Lesson(population.rows, strange, half, population.probabilities, own,
                        known.rows[seen], known.labels[seen])  # fmt: skip
        for part in range(HALVES):
            labels = strange[half != part]
            if labels.sum() < _FEWEST_STRANGE or labels.all():
                return first
            found.append(fit_half(lesson, part, seed=seed, threads=threads))
    second = SecondLook(**{name: tuple(one[name] for one in found) for name in found[0]})
    part_of_known = _part_held_out(known)
    scores = second.scores(known.rows, known.probabilities, known.embedded, part_of_known)
    base = {name: values for name, values in first.known.items() if name != DOMAIN}
    base[SECOND_LOOK] = np.sort(scores)
    ranks = joint_rank({SECOND_LOOK: scores}, base)
    limit = float(np.quantile(ranks, 1.0 - refuse_known, method="higher"))
    return replace(first, domains=(), second=second, known=base, limit=limit,
                   offset=np.zeros_like(first.offset))  # fmt: skip


def _strange_without(
    number: int, first: Novelty, space: Space, population: Population, half: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return 1 for unlabelled rows that a first look without one fold's labels refuses, else 0."""
    scores = {DOUBT: 1.0 - population.probabilities.max(axis=1)}
    if population.embedded is None:
        scores |= space.scores(population.rows)
    else:
        scores[EMBEDDED] = space.scores(population.embedded[number])[NEIGHBOURS]
    scores[DOMAIN] = scores_by(first.domains, population.rows, HALVES * number + half)
    ranks = _set_off(joint_rank(scores, first.known), population.probabilities, first.offset)
    return (ranks > first.limit).astype(np.int64)


def _limits(ranks: Floats, probabilities: Floats, refuse_known: float) -> tuple[float, Floats]:
    """Return the level that loses a share of all rows, and how far each told class's level is."""
    share = 1.0 - refuse_known
    limit = float(np.quantile(ranks, share, method="higher"))
    told = probabilities.argmax(axis=1)
    offset = np.zeros(probabilities.shape[1])
    for at in np.unique(told):
        mine = ranks[told == at]
        if len(mine) >= _LEAST:
            offset[at] = float(np.quantile(mine, share, method="higher")) - limit
    return limit, offset


def _enough(population: Population) -> bool:
    """Whether each classifier would see enough unlabelled rows: few, or copies of one another,
    teach nothing.
    """
    return bool(np.bincount(part_of(population.rows, HALVES), minlength=HALVES).min() >= _LEAST)


def _fit_domains(
    known: LabelledRows, population: Population, seed: int, threads: int
) -> tuple[Forest, ...]:
    forests = []
    for train, chosen in _seen(known, population):
        rows = np.concatenate([known.rows[train], population.rows[chosen]])
        weights = np.concatenate([np.ones(int(train.sum())), population.weights[chosen]])
        is_other = np.repeat([0, 1], [int(train.sum()), len(chosen)]).astype(np.int64)
        forests.append(fit_forest(
            rows, is_other, trees=TREES, min_leaf=LEAF, threads=threads,
            seed=seed, balanced=True, weights=weights,
        ))  # fmt: skip
    return tuple(forests)


def _seen(
    known: LabelledRows, population: Population
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.int64]]]:
    """Yield which labelled and which unlabelled rows each classifier sees: by fold, by half."""
    half = part_of(population.rows, HALVES)
    for fold in np.unique(known.fold):
        for number in range(HALVES):
            chosen = np.flatnonzero(half != number)
            yield known.fold != fold, chosen[:: max(1, -(-len(chosen) // _DOMAIN_MOST))]


def _held_out(forests: tuple[Forest, ...], known: LabelledRows) -> Floats:
    """Return what the classifiers that have not seen a labelled row's fold say of it."""
    return scores_by(forests, known.rows, _part_held_out(known))


def _part_held_out(known: LabelledRows) -> NDArray[np.int64]:
    """Return the number of the classifier that has not seen a labelled row's fold, nor its half."""
    fold = np.searchsorted(np.unique(known.fold), known.fold)
    return np.asarray(HALVES * fold + part_of(known.rows, HALVES))
