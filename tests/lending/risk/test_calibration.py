from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from fieldline.lending.risk.boosting import folds_of
from fieldline.lending.risk.calibration import (
    Calibration,
    fit_beta,
    fit_calibration,
    fit_isotonic,
    fit_logistic,
)


def drawn(chance: np.ndarray, seed: int = 4) -> np.ndarray:
    return (np.random.default_rng(seed).random(len(chance)) < chance).astype(float)


def chosen(margin: np.ndarray, truth: np.ndarray) -> Calibration:
    groups = np.arange(len(truth)).astype("str")
    return fit_calibration(margin, truth, folds_of(truth, groups, 5, 1))


def test_logistic_undoes_a_known_distortion() -> None:
    odds = np.random.default_rng(4).normal(-2, 1.2, 40_000)
    found = fit_logistic(odds * 2 + 1, drawn(1 / (1 + np.exp(-odds))))
    assert found.parameters == pytest.approx((0.5, -0.5), abs=0.05)


def test_beta_undoes_a_distortion_that_no_slope_can() -> None:
    odds = np.random.default_rng(4).normal(-1, 1.5, 60_000)
    said = 1 / (1 + np.exp(-odds))
    truth = said**1.6 / (said**1.6 + (1 - said) ** 0.5)
    found = fit_beta(odds, drawn(truth))
    assert found.parameters == pytest.approx((1.6, 0.5, 0.0), abs=0.06)


def test_isotonic_gives_the_rates_of_steps_and_promises_nothing_for_sure() -> None:
    margin = np.repeat([-2.0, 0.0, 2.0], 100)
    truth = np.concatenate([np.zeros(100), np.arange(100) < 30, np.arange(100) < 80])
    found = fit_isotonic(margin, truth.astype(float))
    ends = found.probability(np.array([-50.0, -2.0, 0.0, 2.0, 50.0]))
    assert ends == pytest.approx([1 / 302, 1 / 302, 0.3, 0.8, 0.8])


@pytest.mark.parametrize("way", [fit_logistic, fit_beta, fit_isotonic])
def test_every_form_rises_throughout_and_survives_storage(
    way: Callable[[np.ndarray, np.ndarray], Calibration],
) -> None:
    margin = np.random.default_rng(1).normal(0, 1, 3000)
    found = way(margin, drawn(0.5 - 0.3 * np.tanh(margin)))
    again = Calibration.from_dict(json.loads(json.dumps(found.to_dict())))
    grid = np.linspace(-6, 6, 200)
    assert (np.diff(found.probability(grid)) >= 0).all()
    assert np.array_equal(again.probability(grid), found.probability(grid))


def test_the_logistic_form_stays_where_it_is_right() -> None:
    odds = np.random.default_rng(2).normal(-1, 1, 3000)
    assert chosen(odds, drawn(1 / (1 + np.exp(-odds)))).kind == "logistic"


def test_a_free_curve_is_chosen_where_loans_ask_for_it() -> None:
    odds = np.random.default_rng(2).uniform(-3, 3, 20_000)
    steps = np.select([odds < -1, odds < 1.5], [0.05, 0.15], 0.7)
    assert chosen(odds, drawn(steps)).kind == "isotonic"
    assert chosen(odds[:500], drawn(steps[:500])).kind != "isotonic"
