from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fieldline.lending.risk.metrics import (
    auc,
    auc_error,
    brier,
    calibration_error,
    calibration_noise,
    figures,
)


def test_auc_by_hand() -> None:
    # pairs (bad, good): (.8,.1) (.8,.4) (.35,.1) won, (.35,.4) lost
    assert auc(np.array([0.0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])) == 0.75
    assert auc(np.array([1.0, 0, 0]), np.array([0.5, 0.5, 0.2])) == 0.75


def test_auc_equals_scikit_learn_with_ties() -> None:
    rng = np.random.default_rng(1)
    truth, score = rng.integers(0, 2, 400).astype(float), rng.integers(0, 20, 400) / 20
    assert auc(truth, score) == pytest.approx(roc_auc_score(truth, score))


def test_auc_error_is_the_scatter_of_its_exponential_model() -> None:
    # scores of mean 3 against mean 1: area 3 / (3 + 1)
    rng = np.random.default_rng(6)
    truth = np.repeat([1.0, 0.0], [60, 80])
    areas = [
        auc(truth, np.concatenate([rng.exponential(3, 60), rng.exponential(1, 80)]))
        for _ in range(1500)
    ]
    assert np.mean(areas) == pytest.approx(0.75, abs=0.005)
    assert auc_error(0.75, 60, 80) == pytest.approx(np.std(areas), rel=0.05)


def test_brier_and_calibration_by_hand() -> None:
    truth = np.array([0.0, 1, 1, 1])
    said = np.array([0.2, 0.2, 0.9, 0.9])
    assert brier(truth, said) == pytest.approx((0.04 + 0.64 + 0.01 + 0.01) / 4)
    assert calibration_error(truth, said, bins=2) == pytest.approx((0.3 * 2 + 0.1 * 2) / 4)


def test_calibration_noise_is_what_perfect_models_show() -> None:
    rng = np.random.default_rng(2)
    said = rng.uniform(0.02, 0.4, 2000)
    drawn = [calibration_error((rng.random(2000) < said).astype(float), said) for _ in range(200)]
    assert calibration_noise(said) == pytest.approx(np.mean(drawn), rel=0.1)


def test_one_class_has_no_auc() -> None:
    assert figures(np.zeros(5), np.full(5, 0.1))["auc"] is None
