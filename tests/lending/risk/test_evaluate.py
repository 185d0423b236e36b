from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from fieldline.lending.risk.boosting import folds_of
from fieldline.lending.risk.default_model import Loans, fit_pd
from fieldline.lending.risk.evaluate import evaluate_table, figures_of
from fieldline.lending.risk.features import Feature
from fieldline.lending.risk.table import CreditTable
from fieldline.lending.settings import RiskSettings
from fieldline.pipeline.records.errors import UserError

QUICK = RiskSettings(trees=30, search=0, folds=3)


def table(count: int = 400, bad: int | None = None) -> CreditTable:
    rng = np.random.default_rng(1)
    x = rng.normal(size=count)
    defaulted = (rng.random(count) < 1 / (1 + np.exp(1 - 1.5 * x))).astype(float)
    if bad is not None:
        defaulted = (np.arange(count) < bad).astype(float)
    town = rng.integers(0, 3, count).astype(float)
    frame = pd.DataFrame({"x": x, "town": town})
    loans = Loans(frame, defaulted, np.arange(count).astype("str"), np.full(count, "all"))
    features = (Feature("x", 1, "x", "x"), Feature("town", 0, "town", "town", ("a", "b", "c")))
    return CreditTable(loans, features, {}, ())


def test_figures_are_of_rows_that_no_fold_had_seen() -> None:
    given = table()
    loans = given.loans
    said = np.empty(400)
    for train, test in folds_of(loans.defaulted, loans.households, 3, QUICK.seed):
        model = fit_pd(loans.part(train), QUICK, given.features)
        said[test] = model.probability(loans.values[test])
    found = evaluate_table(given, QUICK, folds=3)["models"]["boosting"]["auc"]
    assert found["value"] == pytest.approx(roc_auc_score(loans.defaulted, said))
    assert found["low"] < found["value"] < found["high"]


def test_the_interval_of_a_figure_that_noise_lifts_stands_around_it() -> None:
    """Rows drawn anew add their own noise to a calibration error: its draws lay above it."""
    rng = np.random.default_rng(2)
    said = rng.uniform(0.05, 0.5, 300)
    found = figures_of((rng.random(300) < said).astype(float), [said])
    for figure in found.values():
        low, high = figure["value"] - figure["low"], figure["high"] - figure["value"]
        assert 0.5 < low / high < 2


def test_peers_are_held_against_on_the_same_folds() -> None:
    found = evaluate_table(table(), QUICK, folds=3)
    gap = found["auc_against_peers"]["boosting - xgboost_defaults"]["value"]
    models = found["models"]
    ours, theirs = models["boosting"]["auc"]["value"], models["xgboost_defaults"]["auc"]["value"]
    assert gap == pytest.approx(ours - theirs)


def test_a_peer_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fieldline.lending.risk.peers.find_spec", lambda _: None)
    found = evaluate_table(table(), QUICK, folds=3)
    assert "optbinning" not in found["models"]
    assert found["peers_absent"] == ["optbinning is not installed: pip install 'fieldline[peers]'"]


def test_a_table_that_cannot_be_split_is_refused_with_its_numbers() -> None:
    with pytest.raises(UserError, match=r"has 5 defaults among 400 rows.*3 folds need 6"):
        evaluate_table(table(bad=5), QUICK, folds=3)
