from __future__ import annotations

from dataclasses import replace

import numpy as np

from fieldline.lending.risk.boosting import CANDIDATES, chosen, clearly_best, log_loss, stated
from fieldline.lending.risk.features import Feature
from fieldline.lending.settings import RiskSettings


def test_another_growth_is_chosen_only_beyond_luck() -> None:
    usual, other, worse = (replace(stated(RiskSettings()), trees=n) for n in (500, 100, 50))
    base, noise = np.linspace(0.2, 0.8, 400), np.tile([-1.0, 1.0], 200)
    # a spread of 1 over 400 loans: a standard error of .05, twice which is .10
    lucky = {usual: base, other: base - 0.09 + noise, worse: base + 0.5}
    assert clearly_best(lucky, usual) == usual
    better = {usual: base, other: base - 0.11 + noise, worse: base + 0.5}
    assert clearly_best(better, usual) == other
    assert clearly_best({usual: base, worse: base + 0.5}, usual) == usual


def test_loans_that_tell_nothing_grow_few_trees() -> None:
    # every tree fits luck, which all held-out loans show: fewer rounds lose less beyond doubt
    rng = np.random.default_rng(8)
    values, luck = rng.normal(size=(600, 3)), (rng.random(600) < 0.3).astype(float)
    features = tuple(Feature(f"x{i}", 0, "", "") for i in range(3))
    found = chosen(values, luck, np.arange(600), features, RiskSettings(search=1))
    assert found == replace(CANDIDATES[0], trees=50)


def test_log_loss_by_hand() -> None:
    # chances of 1/2 and 3/4 (log-odds of ln 3): -(ln 1/2 + ln 3/4) / 2
    margin = np.array([0.0, np.log(3.0)])
    assert log_loss(np.array([0.0, 1.0]), margin) == -(np.log(0.5) + np.log(0.75)) / 2
