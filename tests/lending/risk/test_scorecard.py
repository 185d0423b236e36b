from __future__ import annotations

import json

import numpy as np
import pytest

from fieldline.lending.risk.scorecard import Scorecard, fit_binning, fit_scorecard


def test_weights_of_evidence_by_hand() -> None:
    values = np.array([1.0, 1, 1, 1, 2, 2, 2, 2])
    bad = np.array([0.0, 0, 0, 1, 0, 1, 1, 1])
    found = fit_binning(values, bad, bins=2)
    assert found.edges == [1.5]
    # with one half added to each count of three bins: 1.5, 3.5, .5 bad and 3.5, 1.5, .5 good
    assert found.woe[0] == pytest.approx(np.log(1.5 / 5.5) - np.log(3.5 / 5.5))
    assert found.woe[1] == pytest.approx(-found.woe[0])
    assert found.woe[2] == 0


def test_missing_has_its_own_weight() -> None:
    values = np.array([1.0, 2, 3, 4, np.nan, np.nan, np.nan])
    bad = np.array([0.0, 0, 0, 1, 1, 1, 1])
    found = fit_binning(values, bad, bins=2)
    assert found.transform(np.array([np.nan]))[0] == found.woe[-1] > 1


def test_no_coefficient_contradicts_its_evidence() -> None:
    rng = np.random.default_rng(3)
    first = rng.normal(size=1500)
    twin = first + rng.normal(scale=0.05, size=1500)
    bad = (rng.random(1500) < 1 / (1 + np.exp(2 - first))).astype(float)
    table = np.column_stack([first, twin, rng.normal(size=1500)])
    card = fit_scorecard(table, bad, ("first", "twin", "noise"), 6)
    assert min(card.coefficients) >= 0
    again = Scorecard.from_dict(json.loads(json.dumps(card.to_dict())))
    assert np.array_equal(again.probability(table), card.probability(table))
