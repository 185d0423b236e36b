"""The series network as a member of the recogniser: one per fold, averaged.

Owns how a cube becomes the network's channels, how the folds' networks answer together, and whether
they begin with what unlabelled series taught (they do where held-out folds gain). Without
torch there is no such member, and the card says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.networks.machine import Machine, choose_machine, networks_installed
from fieldline.crops.networks.pretrain import pretrain
from fieldline.crops.networks.series import Series, Start, TrainedNetwork, train
from fieldline.crops.recognise.calibration import best_mix, row_losses
from fieldline.crops.recognise.features import Cube, View, channels
from fieldline.crops.recognise.forest import Labels
from fieldline.crops.series import Floats
from fieldline.crops.settings import ClassifySettings

NETWORK = "series_network"


@dataclass(frozen=True)
class Networks:
    """The networks of all folds."""

    members: tuple[TrainedNetwork, ...]
    machine: Machine

    def predict(self, cube: Cube, view: View) -> Floats:
        """Return the mean class probabilities of all members, (parcels, classes)."""
        return self.answers(cube, view)[0]

    def answers(self, cube: Cube, view: View) -> tuple[Floats, Floats]:
        """Return mean class probabilities, and each member's embedding.

        Returns:
            (parcels, classes) and (members, parcels, numbers of an embedding).
        """
        series = series_of(cube, view)
        said, embedded = zip(*(net.answers(series, self.machine) for net in self.members),
                             strict=True)  # fmt: skip
        return np.asarray(np.mean(said, axis=0)), np.stack(embedded)


def series_of(cube: Cube, view: View) -> Series:
    """Return a cube's channels of a view side by side."""
    return Series(np.stack(list(channels(cube, view).values()), axis=-1), cube.seen)


@dataclass(frozen=True)
class OnFolds:
    """Networks of all folds and what they said of labelled rows."""

    said: Floats
    """(rows, classes) probabilities of each row by the network that had not seen it."""
    embedded: Floats
    """(networks, rows, numbers) embeddings of every row by each fold's network in order."""
    networks: Networks
    pretrained: bool = False
    """Whether they began with what unlabelled series taught."""


def network_machine(settings: ClassifySettings) -> Machine | None:
    """Return where networks run; None where none is wanted or torch is not installed.

    On a processor one thread counts whatever the settings say: sums then come in one order.
    """
    if settings.network == "never" or (settings.network == "auto" and not networks_installed()):
        return None
    return choose_machine(settings.device)


def train_on_folds(
    cube: Cube, view: View, labels: Labels, classes: int, fold: NDArray[np.int64],
    settings: ClassifySettings, machine: Machine, start: Start | None = None,
) -> OnFolds:  # fmt: skip
    """Train a network without each fold, from `start` if any, and ask it for that fold."""
    series = series_of(cube, view)
    held_out = np.full((len(labels), classes), 1.0 / classes)
    members, embedded = [], []
    for number in np.unique(fold):
        rows, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        if not len(rows):
            rows = test
        few = len(rows) < settings.network_many
        steps = settings.network_steps if few else settings.network_steps_many
        net = train(series.rows(rows), labels[rows], classes, steps=steps,
                    seed=settings.seed + int(number), machine=machine, start=start)  # fmt: skip
        members.append(net)
        said, place = net.answers(series, machine)
        held_out[test] = said[test]
        embedded.append(place)
    networks = Networks(tuple(members), machine)
    return OnFolds(held_out, np.stack(embedded), networks, start is not None)


def best_on_folds(
    cube: Cube, view: View, labels: Labels, classes: int, fold: NDArray[np.int64],
    settings: ClassifySettings, machine: Machine, population: Cube | None,
) -> OnFolds:  # fmt: skip
    """Train networks from chance and, where that is wanted, from pre-training on unlabelled series.

    The latter stay where the log loss of held-out rows falls by more than its standard error.
    """
    plain = train_on_folds(cube, view, labels, classes, fold, settings, machine)
    if not settings.network_pretrain_steps or population is None or not len(population.values):
        return plain
    start = pretrain(series_of(population, view), steps=settings.network_pretrain_steps,
                     seed=settings.seed, machine=machine)  # fmt: skip
    taught = train_on_folds(cube, view, labels, classes, fold, settings, machine, start)
    before, after = (
        row_losses(best_mix({NETWORK: one.said}, labels, ({NETWORK: 1.0},)).of({NETWORK: one.said}),
                   labels)
        for one in (plain, taught)
    )  # fmt: skip
    gain = before - after
    return taught if gain.mean() > gain.std() / np.sqrt(len(gain)) else plain
