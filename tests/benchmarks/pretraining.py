"""Hold the series network with and without pre-training on unlabelled series, by number of labels.

Run as `python -m tests.benchmarks.pretraining POINTS.npz --steps 300`. One line of JSON for each
number of labels: accuracy of the folds' networks together on all series that no label was drawn
from, from chance and pre-trained on up to 6,000 of those series; seconds; and the fall of the log
loss on held-out folds with its standard error, by which the product decides.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fieldline.crops.networks.pretrain import pretrain
from fieldline.crops.recognise.calibration import best_mix, row_losses
from fieldline.crops.recognise.evaluate import training_of
from fieldline.crops.recognise.folds import fold_numbers
from fieldline.crops.recognise.points import Points, read_points
from fieldline.crops.recognise.protocols import Protocol, splits
from fieldline.crops.recognise.series_member import (
    NETWORK,
    network_machine,
    series_of,
    train_on_folds,
)
from fieldline.crops.settings import ClassifySettings


def measured(points: Points, labels: int, steps: int, seed: int) -> dict[str, float]:
    """Return accuracies, seconds and the gain on folds for one number of labels of a class."""
    settings = ClassifySettings(network="always", network_pretrain_steps=steps)
    split = list(splits(points, Protocol.of(f"per-class:{labels}"), seed + 1, settings.folds))[seed]
    training = training_of(points, split.train, settings)
    fold = fold_numbers(training.labels, training.groups, settings)
    machine = network_machine(settings)
    assert machine is not None
    stride = -(-len(split.test) // settings.population)
    begun = time.perf_counter()
    start = pretrain(series_of(points.of(split.test[::stride]), "full"), steps=steps,
                     seed=settings.seed, machine=machine)  # fmt: skip
    found: dict[str, float] = {"labels": labels, "pretrain_s": time.perf_counter() - begun}
    test, truth, losses = points.of(split.test), points.labels[split.test], []
    for name, one in (("without", None), ("with", start)):
        begun = time.perf_counter()
        folds = train_on_folds(training.cube, "full", training.labels, len(training.classes), fold,
                               settings, machine, one)  # fmt: skip
        found[f"{name}_s"] = time.perf_counter() - begun
        said = folds.networks.predict(test, "full").argmax(axis=1)
        found[name] = float((np.asarray(training.classes)[said]
                             == np.asarray(points.classes)[truth]).mean())  # fmt: skip
        held = {NETWORK: folds.said}
        mix = best_mix(held, training.labels, ({NETWORK: 1.0},))
        losses.append(row_losses(mix.of(held), training.labels))
    gain = losses[0] - losses[1]
    error = float(gain.std() / np.sqrt(len(gain)))
    return found | {"gain": float(gain.mean()), "gain_error": error}


def main() -> None:
    """Measure and print a line for each number of labels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("points", type=Path)
    parser.add_argument("--labels", type=int, nargs="+", default=[10, 30, 100, 300])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    points = read_points(chosen.points)
    for line in _lines(points, chosen.labels, chosen.steps, chosen.seed):
        print(line, flush=True)


def _lines(points: Points, labels: list[int], steps: int, seed: int) -> Iterator[str]:
    for count in labels:
        found = measured(points, count, steps, seed)
        yield json.dumps({name: round(value, 4) for name, value in found.items()})


if __name__ == "__main__":
    main()
