import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldline.crops.model_card import calibration_error, class_report, macro_f1
from fieldline.crops.recognise.ensemble import (
    blend,
    conformal_threshold,
    fit_temperature,
    log_loss,
    warm,
)


def test_blend_by_hand():
    mixed = blend(np.array([[0.8, 0.2]]), np.array([[0.4, 0.6]]), 0.5)
    assert mixed[0] == pytest.approx([0.6, 0.4])


def test_temperature_softens_an_overconfident_model():
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, 2000)
    right = generator.random(2000) < 0.7  # says 0.99, is right in 70 of 100
    guess = np.where(right, truth, 1 - truth)
    said = np.where(np.arange(2)[None] == guess[:, None], 0.99, 0.01)
    temperature = fit_temperature(said, truth)
    assert temperature > 1
    softened = warm(said, temperature)
    assert softened.max() == pytest.approx(right.mean(), abs=0.01)
    assert log_loss(softened, truth) < log_loss(said, truth)


def test_conformal_threshold_by_hand():
    # nine probabilities of the truth; coverage .8 wants the 8th of the sorted scores (rank 8 of 9)
    true = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    table = np.stack([true, 1 - true], axis=1)
    assert conformal_threshold(table, np.zeros(9, dtype=int), 0.8) == pytest.approx(0.2)
    assert conformal_threshold(table[:3], np.zeros(3, dtype=int), 0.9) == 0.0


def test_sets_cover_new_rows_as_often_as_promised():
    generator = np.random.default_rng(3)
    chances = generator.dirichlet(np.ones(4), 4000)
    truth = np.array([generator.choice(4, p=row) for row in chances])
    threshold = conformal_threshold(chances[:2000], truth[:2000], 0.9)
    covered = chances[2000:][np.arange(2000), truth[2000:]] >= threshold
    assert covered.mean() == pytest.approx(0.9, abs=0.025)


@given(st.lists(st.floats(0.01, 1.0), min_size=2, max_size=6), st.floats(0.2, 5.0))
def test_warming_keeps_order_and_sum(weights, temperature):
    row = np.asarray([weights]) / sum(weights)
    warmed = warm(row, temperature)
    assert warmed.sum() == pytest.approx(1.0)
    assert (np.diff(warmed[0][np.argsort(row[0], kind="stable")]) >= -1e-12).all()


def test_scores_by_hand():
    truth, guess = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    # class 0: precision 1, recall 1/2, F1 2/3; class 1: precision 2/3, recall 1, F1 4/5
    assert macro_f1(truth, guess, 2) == pytest.approx((2 / 3 + 4 / 5) / 2)
    report = class_report(truth, guess, ["a", "b"], 0)
    assert report["b"]["precision"] == pytest.approx(2 / 3)
    assert report["a"]["recall_interval"][0] <= 0.5 <= report["a"]["recall_interval"][1]
    sure = np.array([[0.95, 0.05]] * 4)
    assert calibration_error(sure, truth) == pytest.approx(0.45)
