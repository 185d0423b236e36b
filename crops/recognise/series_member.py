"""The series network as a member of the recogniser: one per fold, averaged.

Owns how a cube becomes the network's channels and how the folds' networks answer together. Without
torch there is no such member, and the card says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.networks.machine import Machine, choose_machine, networks_installed
from fieldline.crops.networks.series import Series, TrainedNetwork, train
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


def network_machine(settings: ClassifySettings) -> Machine | None:
    """Return where networks run; None where none is wanted or torch is not installed.

    On a processor one thread counts whatever the settings say: sums then come in one order.
    """
    if settings.network == "never" or (settings.network == "auto" and not networks_installed()):
        return None
    return choose_machine(settings.device)


def train_on_folds(
    cube: Cube, view: View, labels: Labels, classes: int, fold: NDArray[np.int64],
    settings: ClassifySettings, machine: Machine,
) -> tuple[Floats, Floats, Networks]:  # fmt: skip
    """Train a network without each fold and ask it for that fold.

    Returns:
        (rows, classes) held-out probabilities; (networks, rows, numbers) embeddings of every row by
        the network of each fold in order; and the networks for everything else.
    """
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
                    seed=settings.seed + int(number), machine=machine)  # fmt: skip
        members.append(net)
        said, place = net.answers(series, machine)
        held_out[test] = said[test]
        embedded.append(place)
    return held_out, np.stack(embedded), Networks(tuple(members), machine)
