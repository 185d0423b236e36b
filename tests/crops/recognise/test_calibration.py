import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldline.crops.model_card import calibration_error, class_report, macro_f1
from fieldline.crops.recognise.calibration import (
    best_mix,
    blend,
    fit_temperature,
    log_loss,
    warm,
)


def test_blend_by_hand():
    # geometric mean: sqrt(.8 x .4) to sqrt(.2 x .6) is 1.63299 to 1, hence .62020
    mixed = blend([np.array([[0.8, 0.2]]), np.array([[0.4, 0.6]])], [1.0, 1.0])
    assert mixed[0] == pytest.approx([0.62020, 0.37980], abs=1e-5)


def test_the_mix_is_chosen_after_each_member_is_calibrated():
    """The shy member orders rows better; only its timid numbers lose before calibration."""
    generator = np.random.default_rng(2)
    truth = generator.integers(0, 2, 1500)
    signed = np.where(truth == 1, 1.0, -1.0)
    good = signed * 1.6 + generator.normal(0, 1.0, 1500)
    poor = signed * 0.8 + generator.normal(0, 1.0, 1500)
    members = {
        "shy": np.stack([1 / (1 + np.exp(0.1 * good)), 1 / (1 + np.exp(-0.1 * good))], axis=1),
        "bold": np.stack([1 / (1 + np.exp(1.6 * poor)), 1 / (1 + np.exp(-1.6 * poor))], axis=1),
    }
    assert log_loss(members["shy"], truth) > log_loss(members["bold"], truth)
    choices = [{"shy": 0.0, "bold": 1.0}, {"shy": 1.0, "bold": 0.0}]
    mix = best_mix(members, truth, choices)
    assert mix.weights == {"shy": 1.0, "bold": 0.0}
    assert mix.temperatures["shy"] < 0.2


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
