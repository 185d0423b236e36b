"""Answer many simulated series with a crop model, as the classify stage does, batch by batch.

Run as `python -m tests.benchmarks.crops --series 1000000`. `per_second` is series answered per
second of processor time with shares, refusal and prediction sets; making the series is not counted.
The peer is xgboost's own prediction on the same features in the same run. `peak_mb` is the largest
resident memory of the process: it must not grow with the number of series.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xgboost as xgb

from fieldline.crops.recognise.evaluate import training_of
from fieldline.crops.recognise.features import Cube, features
from fieldline.crops.recognise.points import Points, read_points
from fieldline.crops.recognise.protocols import Protocol, splits
from fieldline.crops.recognise.recogniser import Recogniser, fit_recogniser
from fieldline.crops.recognise.sets import area_band
from fieldline.crops.settings import ClassifySettings
from tests.crops.recognise.point_files import arrays, write


def points(count: int, seed: int) -> Points:
    """Return simulated series of three crops."""
    with tempfile.TemporaryDirectory() as folder:
        return read_points(write(Path(folder) / "p.npz", **arrays(count, seed)))


def model_of(network: str) -> Recogniser:
    """Return a model with the settings that serve, learnt from 100 labels of each crop."""
    settings = ClassifySettings(network=network, network_steps=20)
    learn = points(1500, 1)
    (split,) = splits(learn, Protocol.of("per-class:100"), 1, settings.folds)
    training = training_of(learn, split.train, settings)
    return fit_recogniser(training, learn.of(split.test), settings).model


def measured(series: int, batch: int, network: str) -> dict[str, Any]:
    """Return rate and memory over so many series."""
    model = model_of(network)
    begun_mb = _peak_mb()
    ours = peer = 0.0
    told = 0
    for number in range(-(-series // batch)):
        cube = points(batch, 100 + number % 50).cube
        begin = time.process_time()
        said = model.predict(cube)
        unknown = area_band(np.full(len(said.refused), np.nan))
        told += int(model.sets.members(said.probabilities, unknown).any(axis=1).sum())
        ours += time.process_time() - begin
        peer += _peer(model, cube)
    return {
        "series": told, "steps": 24, "bands": len(model.bands),
        "networks": 0 if model.networks is None else len(model.networks.members),
        "per_second": round(told / ours), "million_minutes": round(1e6 / told * ours / 60, 1),
        "boosting_alone_per_second": round(told / peer), "peak_mb_before": begun_mb,
        "peak_mb": _peak_mb(),
    }  # fmt: skip


def _peer(model: Recogniser, cube: Cube) -> float:
    rows = features(cube, model.view)
    begin = time.process_time()
    model.members.boosting.predict(xgb.DMatrix(rows))
    return time.process_time() - begin


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=5_000)
    parser.add_argument("--network", choices=("auto", "never"), default="auto")
    chosen = parser.parse_args()
    where = {
        "python": platform.python_version(), "fieldline": version("fieldline"),
        "cores": os.cpu_count(), "load": os.getloadavg()[0],
    }  # fmt: skip
    found = measured(chosen.series, chosen.batch, chosen.network)
    print(json.dumps({**found, "machine": where}, indent=2))


if __name__ == "__main__":
    main()
