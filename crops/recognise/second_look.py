"""A second look: classifiers of the land that a first look refused against the other unlabelled.

Owns those classifiers and which of them judges which row. The one idea: what nobody labelled seldom
comes alone, so what a few parcels of it have in common finds the rest; and three classifiers that
see it differently (features; features beside what the members made of them; one kind among the
known crops) err apart, so their mean counts.

Source: Bekker & Davis (2020) Learning from positive and unlabeled data: a survey (two-step
methods).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.recognise.forest import Forest, Labels, Matrix, fit_forest
from fieldline.crops.series import Floats

HALVES = 2
"""Halves of the unlabelled land, each judged by what learnt from the other."""
TREES, LEAF = 60, 5
_LEAST_CHANCE, _MET = 1e-4, 10
"""Least probability whose logarithm is seen, and how often it stands there."""
Part = NDArray[np.int64]


def part_of(rows: Matrix, parts: int) -> Part:
    """Return a part 0..parts-1 of each row, drawn from its content: the same in every batch."""
    bits = np.ascontiguousarray(rows).view(np.uint32).astype(np.uint64)
    mixed = (bits.sum(axis=1, dtype=np.uint64) * np.uint64(2654435761)) >> np.uint64(16)
    return np.asarray(mixed % np.uint64(parts), dtype=np.int64)


def by_part(
    forests: tuple[Forest, ...], seen: Callable[[int, NDArray[np.int64]], Matrix], part: Part
) -> Floats:
    """Return the last class's chance of each row by the forest of its part.

    Args:
        forests: One for each part.
        seen: What the forest of a part sees of some rows.
        part: Part of each row.
    """
    found = np.zeros(len(part))
    for number, forest in enumerate(forests):
        mine = np.flatnonzero(part == number)
        if len(mine):
            found[mine] = forest.predict(seen(number, mine))[:, -1]
    return found


def scores_by(forests: tuple[Forest, ...], rows: Matrix, part: Part) -> Floats:
    """Return the last class's chance of each row by the forest of its part."""
    return by_part(forests, lambda _, mine: rows[mine], part)


def wide_view(rows: Matrix, probabilities: Floats, embedded: Floats) -> Matrix:
    """Return features beside what the members made of them.

    Args:
        rows: (rows, features).
        probabilities: (rows, classes) calibrated; their logarithms stand there several times, for
            each node of a tree draws its columns, and few among a thousand would never be met.
        embedded: (rows, numbers) by one network.
    """
    told = np.repeat(np.log(np.maximum(probabilities, _LEAST_CHANCE)), _MET, axis=1)
    return np.concatenate([rows, embedded, told], axis=1, dtype=np.float32)


@dataclass(frozen=True)
class SecondLook:
    """Classifiers for each fold of the labels and each half of the unlabelled land, in that order:
    each has seen neither."""

    features: tuple[Forest, ...]
    """The refused against the others, by features."""
    wide: tuple[Forest, ...] = ()
    """The same, beside what the members made of them; empty where no network answers."""
    kinds: tuple[Forest, ...] = ()
    """The refused as one kind among the known crops, the last; empty where no network answers."""

    def scores(
        self, rows: Matrix, probabilities: Floats, embedded: Floats | None, part: Part
    ) -> Floats:
        """Return what the classifiers of each row's part say of it.

        Args:
            rows: (rows, features).
            probabilities: (rows, classes) calibrated, by the labels' own shares.
            embedded: (networks, rows, numbers) where networks answer.
            part: Number of the classifiers that judge each row.
        """
        said = [scores_by(self.features, rows, part)]
        if embedded is not None and self.wide:

            def seen(number: int, mine: NDArray[np.int64]) -> Matrix:
                own = embedded[number // HALVES][mine]
                return wide_view(rows[mine], probabilities[mine], own)

            said += [by_part(self.wide, seen, part), scores_by(self.kinds, rows, part)]
        return np.asarray(np.mean(said, axis=0))

    def forests(self) -> dict[str, tuple[Forest, ...]]:
        """Return the classifiers by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class Lesson:
    """What the classifiers of one fold learn from: unlabelled land, and labels of other folds."""

    rows: Matrix
    """(rows, features) of the unlabelled land."""
    strange: Labels
    """1 where a first look without the fold's labels refuses a row, else 0."""
    half: Part
    probabilities: Floats
    embedded: Floats | None
    """(rows, numbers) by the network that has not seen the fold."""
    labelled: Matrix
    labels: Labels


def fit_half(lesson: Lesson, half: int, *, seed: int, threads: int) -> dict[str, Forest]:
    """Fit the classifiers that judge one half of the unlabelled land on the other."""
    train = lesson.half != half
    rows, strange = lesson.rows[train], lesson.strange[train]

    def fitted(seen: Matrix, labels: Labels) -> Forest:
        return fit_forest(seen, labels, trees=TREES, min_leaf=LEAF, threads=threads, seed=seed,
                          balanced=True)  # fmt: skip

    found = {"features": fitted(rows, strange)}
    if lesson.embedded is None:
        return found
    chances = lesson.probabilities[train]
    kind = np.where(strange == 1, chances.shape[1], chances.argmax(axis=1))
    _, kinds = np.unique(np.concatenate([kind, lesson.labels]), return_inverse=True)
    wide = wide_view(rows, chances, lesson.embedded[train])
    return found | {
        "wide": fitted(wide, strange),
        "kinds": fitted(np.concatenate([rows, lesson.labelled]), kinds.astype(np.int64)),
    }
