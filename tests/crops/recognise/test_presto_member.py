"""Presto's word in the blend: what it is shown, when it is kept, and that it is stored whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

pytest.importorskip("torch", reason="torch is not installed (extra networks)")

from fieldline.crops.networks.presto import Encoder
from fieldline.crops.recognise.calibration import Mix, best_mix
from fieldline.crops.recognise.crop_card import model_story
from fieldline.crops.recognise.evaluate import training_of
from fieldline.crops.recognise.features import Cube
from fieldline.crops.recognise.model_folder import read_crop_model, write_crop_model
from fieldline.crops.recognise.points import read_points
from fieldline.crops.recognise.presto_member import (
    PRESTO,
    PrestoTried,
    beside,
    fit_linear,
    monthly,
    step_months,
    try_presto,
)
from fieldline.crops.recognise.protocols import Protocol, splits
from fieldline.crops.recognise.recogniser import fit_recogniser
from fieldline.crops.settings import ClassifySettings
from tests.crops.networks.made_presto import known, made_weights, write_torch
from tests.crops.recognise.point_files import write

FAST = ClassifySettings(trees=20, rounds=10, folds=2, augment=0, shares_from=50, network="never")


def test_months_are_those_of_the_steps_middles() -> None:
    grid = {"starts": "10-01", "step_days": 10, "first_step": 2, "last_step": 11}
    # middles: 25 days after 1 October is 26 October, then 5, 15, 25 November, 5 December, ...
    assert step_months(grid, 10) == (10, 11, 11, 11, 12, 12, 12, 1, 1, 1)
    assert step_months({"steps": 36}, 36) == tuple(1 + step // 3 for step in range(36))
    assert step_months({"steps": 36}, 4) == (1, 1, 1, 2), "a season that is cut keeps its months"


def test_steps_of_a_month_are_one_mean_and_a_month_that_comes_again_is_another() -> None:
    values = np.array([[[0.1, 0.3], [0.3, 0.5], [0.2, 0.2], [0.4, 0.4]]])
    cube = Cube(values, ("B04", "B08"), np.array([4]), np.ones((1, 4), dtype=bool))
    shown, months = monthly(cube, (12, 12, 1, 12))
    assert months == [12, 1, 12]
    assert shown["B04"][0] == pytest.approx([0.2, 0.2, 0.4])
    assert shown["NDVI"][0] == pytest.approx([(0.4 - 0.2) / 0.6, 0, 0])


def test_the_classifier_is_scikit_learns_whatever_classes_are_there() -> None:
    random = np.random.default_rng(0)
    numbers, labels = random.normal(size=(60, 5)), np.arange(60) % 3
    for present in ([0, 1, 2], [0, 2]):
        rows = np.isin(labels, present)
        mean, spread = numbers[rows].mean(axis=0), numbers[rows].std(axis=0)
        own = LogisticRegression(C=0.1, max_iter=2000)
        own.fit((numbers[rows] - mean) / spread, labels[rows])
        wanted = own.predict_proba((numbers - mean) / spread)
        found = fit_linear(numbers[rows], labels[rows], 3).predict(numbers)
        assert found[:, present] == pytest.approx(wanted, abs=1e-4)
        assert found.sum(axis=1) == pytest.approx(np.ones(60))


def _said(labels: np.ndarray, right: float, seed: int) -> np.ndarray:
    """Return answers of which so many are right, each at .8."""
    random = np.random.default_rng(seed)
    told = np.where(random.random(len(labels)) < right, labels, (labels + 1) % 3)
    return np.where(np.arange(3) == told[:, None], 0.8, 0.1)


@pytest.mark.parametrize(("right", "kept"), [(0.9, True), (1 / 3, False)])
def test_its_word_counts_only_where_held_out_labels_gain(right: float, kept: bool) -> None:
    labels = np.arange(300) % 3
    members = {"boosting": _said(labels, 0.7, 1), "extra_trees": _said(labels, 0.7, 2)}
    mix = best_mix(members, labels, [{"boosting": 1.0, "extra_trees": 1.0}])
    encoder = Encoder("made", "1", "none", "0" * 64, {})
    tried = PrestoTried(encoder, said=_said(labels, right, 3), member=object())  # type: ignore[arg-type]
    found, after = beside(tried, members, mix, labels)
    assert (found.member is not None) == kept == (PRESTO in after.weights)
    assert (found.gain > found.gain_error) == kept
    if not kept:
        assert after is mix


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory):
    """Training rows, all other series, and what was fitted without weights."""
    points = read_points(write(tmp_path_factory.mktemp("points") / "p.npz"))
    (split,) = splits(points, Protocol.of("per-class:12"), 1, 3)
    training = training_of(points, split.train, FAST)
    return training, points.of(split.test[:40]), fit_recogniser(training, None, FAST)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClassifySettings:
    """Settings that name made weights, which the table knows."""
    file = known(monkeypatch, write_torch(tmp_path / "a.pt", made_weights()))
    return FAST.model_copy(update={"presto": file})


def test_the_card_says_whether_it_answers_and_nothing_where_it_was_not_asked(
    learnt, asked: ClassifySettings
) -> None:
    training, _, without = learnt
    fitted = fit_recogniser(training, None, asked)
    told = model_story(training, fitted, asked)["members"]["presto"]
    assert told["encoder"]["name"] == "made"
    assert told["answers"] == (fitted.model.presto is not None) == (told["weight"] > 0)
    said = fitted.unseen.members[PRESTO]
    assert (said.argmax(axis=1) == training.labels).mean() > 0.9
    assert "presto" not in model_story(training, without, FAST)["members"]


def test_a_model_keeps_its_own_copy_and_answers_bit_by_bit_without_the_file(
    learnt, asked: ClassifySettings, tmp_path: Path
) -> None:
    training, others, without = learnt
    fold = np.arange(len(training.labels)) % 2
    tried = try_presto(training.cube, "full", training.months, training.labels, 3, fold, asked)
    assert tried is not None
    assert tried.member is not None
    mix = Mix(without.model.mix.temperatures | {PRESTO: 0.9},
              {"boosting": 1.0, "extra_trees": 1.0, PRESTO: 1.0}, 1.1)  # fmt: skip
    model = replace(without.model, presto=tried.member, mix=mix)
    write_crop_model(tmp_path / "m", model, {"steps": 24}, {})
    assert asked.presto is not None
    asked.presto.unlink()
    again = read_crop_model(tmp_path / "m", FAST).model
    one, two = model.predict(others), again.predict(others)
    assert np.array_equal(one.probabilities, two.probabilities)
    assert not np.array_equal(one.probabilities, without.model.predict(others).probabilities)
    assert again.networks is None
    assert again.presto is not None
    assert again.presto.encoder.origin == tried.encoder.origin


def test_what_it_cannot_be_shown_is_said(learnt, asked: ClassifySettings) -> None:
    training, _, _ = learnt
    fold = np.zeros(len(training.labels), dtype=np.int64)
    reds = replace(training.cube, bands=("B02", "B03", "B04", *training.cube.bands[3:6], "B09",
                                         *training.cube.bands[7:]))  # fmt: skip
    for cube, view, months, said in (
        (training.cube, "shape", training.months, "the view shape compares"),
        (reds, "full", training.months, "it is shown B04 and B08"),
        (training.cube, "full", (), "months of the series are not known"),
        (training.cube, "full", (1, 2) * 12 + (3,), "24 months at most"),
    ):
        tried = try_presto(cube, view, months, training.labels, 3, fold, asked)
        assert tried is not None
        assert said in tried.told(Mix({}, {}, 1.0))["not_tried"]
        assert tried.member is None
