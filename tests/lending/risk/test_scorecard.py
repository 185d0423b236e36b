from __future__ import annotations

import json

import numpy as np
import pytest

from fieldline.lending.risk.features import Feature
from fieldline.lending.risk.scorecard import Scorecard, fit_scorecard


def named(*names: str) -> tuple[Feature, ...]:
    return tuple(Feature(name, 0, name, name) for name in names)


def test_no_coefficient_contradicts_its_evidence() -> None:
    rng = np.random.default_rng(3)
    first = rng.normal(size=1500)
    twin = first + rng.normal(scale=0.05, size=1500)
    bad = (rng.random(1500) < 1 / (1 + np.exp(2 - first))).astype(float)
    table = np.column_stack([first, twin, rng.normal(size=1500)])
    card = fit_scorecard(table, bad, named("first", "twin", "noise"), 6)
    assert min(card.coefficients) >= 0
    again = Scorecard.from_dict(json.loads(json.dumps(card.to_dict())))
    assert np.array_equal(again.probability(table), card.probability(table))


def test_a_feature_alone_keeps_the_rates_of_its_bins() -> None:
    # 400 loans of rate .1 and 400 of rate .4; the intercept and one coefficient near 1 say so again
    values = np.repeat([0.0, 1.0], 400)
    bad = np.concatenate([np.arange(400) < 40, np.arange(400) < 160]).astype(float)
    card = fit_scorecard(values[:, None], bad, named("x"), 4)
    assert card.probability(np.array([[0.0], [1.0]])) == pytest.approx([0.1, 0.4], abs=0.005)
    assert bad.mean() == pytest.approx(card.probability(values[:, None]).mean(), abs=1e-3)


def test_a_feature_that_says_nothing_has_no_weight() -> None:
    rng = np.random.default_rng(5)
    table = np.column_stack([rng.normal(size=600), np.full(600, 7.0), np.full(600, np.nan)])
    bad = (rng.random(600) < 1 / (1 + np.exp(1 - table[:, 0]))).astype(float)
    card = fit_scorecard(table, bad, named("x", "constant", "empty"), 5)
    assert card.coefficients[0] > 0
    assert card.coefficients[1:] == (0.0, 0.0)


def test_special_values_survive_storage() -> None:
    rng = np.random.default_rng(6)
    amount = np.where(rng.random(900) < 0.1, -9999.0, rng.uniform(0, 50, 900))
    bad = (rng.random(900) < np.where(amount < 0, 0.6, 0.15)).astype(float)
    card = fit_scorecard(amount[:, None], bad, named("x"), 5)
    assert list(card.binnings[0].special) == [-9999.0]
    again = Scorecard.from_dict(json.loads(json.dumps(card.to_dict())))
    assert again.probability(np.array([[-9999.0]])) == card.probability(np.array([[-9999.0]]))
    assert again.probability(np.array([[-9999.0]]))[0] > 0.4
