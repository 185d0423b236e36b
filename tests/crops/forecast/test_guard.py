from __future__ import annotations

import numpy as np
import pytest

from fieldline.crops.forecast.evaluate import evaluate_left_out
from fieldline.crops.forecast.guard import (
    LIKELY,
    SURELY,
    guarded_weights,
    pays,
    unseen_errors,
)
from fieldline.crops.forecast.levels import LEVELS, NAIVE, Levels
from fieldline.crops.forecast.model import REFERENCE, fit_forecast
from tests.crops.forecast.made import made


@pytest.mark.parametrize("margin", [LIKELY, SURELY])
def test_a_choice_pays_by_so_many_standard_errors_of_the_parts_gaps(margin: float) -> None:
    # Gaps of mean 0 and standard deviation 2: four parts leave the mean unsure by 1.
    usual = np.array([5.0, 5.0, 5.0, 5.0])
    gaps = np.sqrt(3) * np.array([1, 1, -1, -1])
    assert gaps.std(ddof=1) == pytest.approx(2.0)
    assert not pays(usual, usual - (gaps + margin - 0.001), margin)
    assert pays(usual, usual - (gaps + margin + 0.001), margin)
    assert not pays(usual[:2], usual[:2] - 3, margin)  # two parts show nothing


def test_what_is_chosen_is_judged_on_the_part_that_did_not_choose_it() -> None:
    # The first is the best on parts 2 and 3, the second on the others: each part's own favourite
    # is never the one that the other two choose.
    squares = np.array([[9.0, 1.0, 2.0], [1.0, 4.0, 4.0]])
    assert unseen_errors(squares).tolist() == [9.0, 4.0, 4.0]


def test_what_is_not_better_leaves_the_named_level_alone_to_the_digit() -> None:
    """County means are the best there is where yields only jump about them."""
    found = made(25, 12, 3, shock=0.6).with_covariates([])
    said = evaluate_left_out(found, "year", NAIVE)
    assert said["verdict"] == "no skill: the forecast is the naive mean itself"
    assert said["figures"]["forecast"] == said["figures"]["mean"]
    model = fit_forecast(found, "year")
    assert model.plain
    naive = Levels.of(found).naive(found)["mean"]
    assert model.predict(found).q50.tolist() == np.maximum(naive, 0).tolist()


@pytest.mark.parametrize("named", NAIVE)
def test_the_level_that_stands_is_the_one_that_was_named(named: str) -> None:
    errors = [np.random.default_rng(seed).normal(0, 1, (20, 4)) for seed in range(6)]
    place = LEVELS.index(named)
    for part in errors:
        part[:, [other for other in range(4) if other != place]] += 9  # the others are bad
    weights = guarded_weights(errors, errors, place, forward=False)
    assert weights.tolist() == np.eye(4)[place].tolist()


def test_a_trend_that_every_part_shows_replaces_the_mean() -> None:
    found = made(25, 14, 5, slope=0.4, shock=0.1).with_covariates([])
    model = fit_forecast(found, "year")
    assert model.reference == REFERENCE["year"] == "mean"
    assert not model.plain
    weights = dict(zip(LEVELS, model.choice.weights, strict=True))
    assert weights["trend"] + weights["drift"] > 0.8
    assert model.unseen_rmse["chosen"] < 0.4 * model.unseen_rmse["mean"]
    assert fit_forecast(found, "year", "trend").reference == "trend"


def test_unlike_errors_are_averaged_and_those_of_an_average_left_alone() -> None:
    rng = np.random.default_rng(8)
    alone = 0
    for _ in range(30):
        parts = [rng.normal(0, 1, (3, 4)) + rng.normal(0, 1, (1, 4)) for _ in range(5)]
        alone += guarded_weights(parts, parts, 0, forward=True)[0] == 1.0
    # An average of four unlike errors has a quarter of their square: it pays in most draws.
    assert alone < 15
    shared = 0
    for _ in range(30):
        parts = [rng.normal(0, 1, (30, 1)) + rng.normal(0, 0.1, (30, 4)) for _ in range(5)]
        for part in parts:
            part[:, 0] = part[:, 1:].mean(axis=1)  # the reference is their average already
        shared += guarded_weights(parts, parts, 0, forward=True)[0] == 1.0
    assert shared >= 24  # a twentieth is let through by chance
