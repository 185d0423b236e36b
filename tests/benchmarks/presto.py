"""What Presto's public encoder would add where labels are few, and what the product makes of it.

    python -m tests.benchmarks.presto presto_default_model.pt arkansas.npz [SERIES] [DRAWS]
    python -m tests.benchmarks.presto presto_default_model.pt arkansas.npz served [DRAWS]

The first: a linear classifier learns from the encoder's 128 numbers a series, and its log
probabilities join those of extra-trees on our own features at a quarter of their weight; beside it
the same with a linear classifier on the monthly means that the encoder was shown, for any second
opinion helps a little. The second: the blend as it serves, network and all, on all series that no
label was drawn from: without the encoder, with it by force, and as held-out folds choose.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from fieldline.crops.networks.machine import choose_machine
from fieldline.crops.networks.presto import read_encoder
from fieldline.crops.recognise.calibration import best_mix
from fieldline.crops.recognise.ensemble import fit_members
from fieldline.crops.recognise.evaluate import training_of
from fieldline.crops.recognise.features import features
from fieldline.crops.recognise.folds import choose_on_folds, expanded, fold_numbers
from fieldline.crops.recognise.points import Points, read_points
from fieldline.crops.recognise.presto_member import (
    PRESTO,
    beside,
    fit_linear,
    monthly,
    numbers_of,
    step_months,
    try_presto,
)
from fieldline.crops.recognise.protocols import Protocol, Split, splits
from fieldline.crops.recognise.series_member import NETWORK
from fieldline.crops.settings import ClassifySettings

LABELS, DRAWS, WEIGHT, TINY = (10, 30, 100), 3, 0.25, 1e-4


def measured(
    points: Points, words: dict[str, np.ndarray], labels: int, draws: int
) -> dict[str, Any]:
    """Return mean accuracies over the draws of a number of labels, trees and one word at a time."""
    own, rows = features(points.cube, "full"), []
    for split in splits(points, Protocol.of(f"per-class:{labels}"), draws, 5):
        train, test = split.train, split.test
        right = points.labels[test]
        trees = ExtraTreesClassifier(200, random_state=0).fit(own[train], points.labels[train])
        said = {"trees": np.log(trees.predict_proba(own[test]) + TINY)}
        for name, values in words.items():
            linear = fit_linear(values[train], points.labels[train], len(points.classes))
            said[name] = np.log(linear.predict(values[test]) + TINY)
        for name in words:
            said[f"trees and {name}"] = said["trees"] + WEIGHT * said[name]
        rows.append({name: _right(v, right) for name, v in said.items()})
    return {"labels": labels, "draws": rows} | {
        name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]
    }


def served(points: Points, split: Split, settings: ClassifySettings) -> dict[str, Any]:
    """Return accuracies of the blend as it serves, without the encoder's word and with it."""
    training, test = training_of(points, split.train, settings), points.of(split.test)
    labels, classes, right = training.labels, len(points.classes), points.labels[split.test]
    rows = features(training.cube, "full")
    fold = fold_numbers(labels, training.groups, settings)
    chosen = choose_on_folds(
        training, rows, fold, None, settings.model_copy(update={"presto": None})
    )
    everyone = np.arange(len(rows))
    inputs, targets = expanded(training, rows, everyone, chosen.copies, settings, 0)
    said = fit_members(inputs, targets, classes, settings).predict(features(test, "full"))
    if chosen.network is not None:
        said[NETWORK] = chosen.network.networks.predict(test, "full")
    tried = try_presto(training.cube, "full", training.months, labels, classes, fold, settings)
    assert tried is not None
    assert tried.member is not None
    assert tried.said is not None
    said[PRESTO] = tried.member.predict(test)
    held = chosen.unseen.members
    kept, mix = beside(tried, held, chosen.mix, labels)
    whole = sum(chosen.mix.weights.values())
    forced = best_mix({**held, PRESTO: tried.said}, labels,
                      [chosen.mix.weights | {PRESTO: whole / 4}])  # fmt: skip
    return {
        "labels": len(labels), "seed": split.seed, "without": _right(chosen.mix.of(said), right),
        "alone": _right(said[PRESTO], right), "by_force": _right(forced.of(said), right),
        "as_folds_choose": _right(mix.of(said), right), "kept": kept.member is not None,
        "gain": round(kept.gain, 4), "gain_error": round(kept.gain_error, 4),
    }  # fmt: skip


def _right(said: np.ndarray, truth: np.ndarray) -> float:
    return round(float((said.argmax(axis=1) == truth).mean()), 4)


def main(weights: Path, file: Path, what: str = "2500", draws: int = DRAWS) -> None:
    """Print JSON documents, one a line."""
    settings, points = ClassifySettings(presto=weights), read_points(file)
    if what == "served":
        for labels in LABELS:
            for split in splits(points, Protocol.of(f"per-class:{labels}"), draws, settings.folds):
                print(json.dumps(served(points, split, settings)), flush=True)
        return
    rows = np.random.default_rng(0).choice(len(points.labels), int(what), replace=False)
    points = replace(
        points, cube=points.of(rows), labels=points.labels[rows], lonlat=points.lonlat[rows],
        area_m2=points.area_m2[rows], zone=None,
    )  # fmt: skip
    months = step_months(points.grid, points.cube.values.shape[1])
    begun = time.process_time()
    numbers = numbers_of(read_encoder(weights), points.cube, months, choose_machine("cpu"))
    print(json.dumps({"seconds": round(time.process_time() - begun, 1), "series": len(rows)}))
    shown = np.concatenate(list(monthly(points.cube, months)[0].values()), axis=1)
    for labels in LABELS:
        found = measured(points, {"presto": numbers, "months": shown}, labels, draws)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:4], *(int(t) for t in sys.argv[4:5]))
