"""Champion and challenger against outside tools, and what a season of few defaults may say."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from fieldline.lending.portfolio.champions import (
    Known,
    auc_difference,
    figures_of,
    held_against,
    loans_known,
    wilson,
)
from fieldline.lending.portfolio.population import of_shelf
from fieldline.lending.risk.default_model import Loans, PdModel, fit_pd
from fieldline.lending.risk.features import FEATURES, NAMES, of_loans
from fieldline.lending.settings import PolicySettings, RiskSettings
from fieldline.lending.store.database import open_database
from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.config.load import load_config

SMALL = RiskSettings(trees=12, depth=4, folds=2, search=0, min_child_weight=1.0, learning_rate=0.5)
Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (31, 613), (10, 10)])
def test_the_interval_of_a_share_is_wilsons(hits: int, count: int) -> None:
    outside = binomtest(hits, count).proportion_ci(method="wilson")
    share, low, high = wilson(hits, count)
    assert (share, low, high) == pytest.approx((hits / count, outside.low, outside.high), abs=1e-4)


def pairs(bad: Any, score: Any) -> float:
    """Return an AUC by looking at every pair of a bad and a good loan."""
    gaps = np.subtract.outer(score[bad > 0], score[bad == 0])
    return float(((gaps > 0) + 0.5 * (gaps == 0)).mean())


def test_the_difference_of_two_auc_is_that_of_resampling() -> None:
    rng = np.random.default_rng(8)
    bad = (rng.random(600) < 0.5).astype(float)
    first = bad + rng.normal(scale=1.2, size=600)
    second = np.round(first + rng.normal(scale=0.8, size=600), 1)  # with ties
    gap, error = auc_difference(bad, first, second)
    assert gap == pytest.approx(roc_auc_score(bad, first) - roc_auc_score(bad, second))
    drawn = []
    for _ in range(500):
        rows = rng.integers(0, 600, 600)
        drawn.append(pairs(bad[rows], first[rows]) - pairs(bad[rows], second[rows]))
    assert error == pytest.approx(np.std(drawn), rel=0.12)
    assert auc_difference(bad, first, first) == (0, 0)


def test_calibration_is_told_by_what_was_observed_and_few_defaults_tell_nothing() -> None:
    bad = np.repeat([1.0, 0.0], [30, 270])  # .10 observed, by Wilson .071 to .139
    for said, verdict in ((0.1, "calibrated"), (0.06, "predicted_too_low"),
                          (0.15, "predicted_too_high")):  # fmt: skip
        found = figures_of("2024", "boosting", "held_out", bad, np.full(300, said), 20)
        assert (found.calibration, found.predicted) == (verdict, pytest.approx(said))
        assert found.auc is not None
        assert found.auc[0] == 0.5
        assert found.brier[0] == pytest.approx(0.1 * (1 - said) ** 2 + 0.9 * said**2)
    few = figures_of("2024", "boosting", "held_out", bad[20:], np.full(280, 0.1), 20)
    assert (few.auc, few.calibration, few.defaults) == (None, "too_few_defaults_to_tell", 10)


@pytest.fixture(scope="module")
def random_loans() -> Loans:
    """Loans whose default nothing tells of."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(size=(900, len(NAMES))), columns=list(NAMES))
    bad = (rng.random(900) < 0.3).astype(float)
    homes = np.array([f"H{i // 2}" for i in range(900)])
    return Loans(table, bad, homes, np.repeat(["2021", "2022", "2023"], 300), 365)


def test_loans_learnt_from_are_judged_by_models_without_their_household(
    random_loans: Loans,
) -> None:
    learnt = fit_pd(random_loans, SMALL, FEATURES)
    by_heart = roc_auc_score(random_loans.defaulted, learnt.probability(random_loans.values))
    every = np.ones(900, dtype=bool)
    figures, duels = held_against(Known(random_loans, every), learnt, SMALL, 20)
    told = {(one.season, one.model): one for one in figures}
    assert list(dict.fromkeys(one.season for one in figures)) == ["2021", "2022", "2023", "all"]
    whole = told["all", "boosting"]
    assert whole.auc is not None
    assert by_heart > 0.75
    assert whole.auc[1] < 0.5 < whole.auc[2]
    assert {one.split for one in figures} == {"held_out"}
    assert duels[-1].verdict == "no_difference_shown"
    # The same loans, not learnt from: the stored model itself speaks.
    figures, _ = held_against(Known(random_loans, ~every), learnt, SMALL, 20)
    later = {(one.season, one.model): one for one in figures}["all", "boosting"]
    assert later.split == "out_of_time"
    assert later.auc is not None
    assert later.auc[0] == pytest.approx(by_heart)


AS_OF = dt.date(2023, 6, 30)


@pytest.fixture(scope="module")
def model(loans: pd.DataFrame) -> PdModel:
    """A model of the loans that were due by 2022."""
    old = loans[loans["season"] != "2023"]
    learnt = loans_known(old, of_loans(old, PolicySettings()), np.ones(len(old)))
    return fit_pd(learnt.loans, SMALL, FEATURES)


@pytest.fixture
def judged(posted: Any, tmp_path: Path, loans: pd.DataFrame, model: PdModel) -> pd.DataFrame:
    """The posted county with finished loans, and a model that learnt from those due by 2023."""
    config = load_config([tmp_path / "bank.yaml"])
    path = config.input_paths("SIM001", "2024", "loan_history")[0]
    path.parent.mkdir(parents=True)
    late = loans["season"] == "2023"
    days = {name: loans[name].where(~late, "2023-12-01") for name in ("due_on", "closed_on")}
    table = loans.assign(**days)
    table.to_csv(path, index=False)
    card = {"as_of": AS_OF.isoformat(), "settings": SMALL.model_dump(mode="json")}
    folder = posted.path("models")
    folder.mkdir()
    (folder / "pd.json").write_text(json.dumps({"card": card, "model": model.to_dict()}))
    return table


def test_models_are_told_by_season_learnt_or_later(
    judged: pd.DataFrame, fieldline: Run, tmp_path: Path
) -> None:
    code, said, _ = fieldline("portfolio", "models", "--of", "SIM001/2024", "--json",
                              "--on", "2024-10-15", "--out", str(tmp_path / "out"))  # fmt: skip
    assert code == 0
    told = json.loads(said)
    rows = {(row["season"], row["model"]): row for row in told["figures"]}
    counts = judged.groupby("season")["defaulted"].agg(["size", "sum"])
    for season, split in (("2021", "held_out"), ("2022", "held_out"), ("2023", "out_of_time")):
        row = rows[season, "boosting"]
        assert row["split"] == split
        assert [row["loans"], row["defaults"]] == counts.loc[season].tolist()
        assert rows[season, "scorecard"]["loans"] == row["loans"]
    assert told["models"][0]["loans_learnt_from"] == int(counts["size"][["2021", "2022"]].sum())
    assert (tmp_path / "out" / "duels.csv").exists()


def test_drift_is_told_against_loans_and_refused_without_either(
    judged: pd.DataFrame, fieldline: Run, posted: Any
) -> None:
    code, said, _ = fieldline("portfolio", "drift", "--of", "SIM001/2024", "--against", "loans",
                              "--on", "2024-10-15", "--json")  # fmt: skip
    told = json.loads(said)
    assert code == 0
    assert [row["farmers"] for row in told["populations"]] == [3, len(judged)]
    # Three farmers tell nothing, however far they lie.
    assert {row["verdict"] for row in told["drift"]} <= {"too_few_to_tell", "steady"}
    refused = {
        ("drift", "--of", "SIM001/2024", "--against", "SIM001/2019"):
            "the store holds no decision of county SIM001, season 2019",
        ("drift", "--of", "SIM001", "--against", "loans"): "--of 'SIM001' names no run",
        ("drift", "--of", "MARS/2024", "--against", "loans"): "no decision of county MARS",
        ("models", "--of", "SIM001/2023"): "the run of SIM001/2023 holds no trained model",
        ("models", "--of", "SIM001/2024", "--on", "2020-01-01"): "2020-01-01",
    }  # fmt: skip
    for words, sentence in refused.items():
        code, out, error = fieldline("portfolio", *words)
        assert (code, out, error.count("\n")) == (2, "", 1)
        assert sentence in error
    path = posted.path("models") / "pd.json"
    other = json.loads(path.read_text())
    other["model"]["features"][0]["name"] = "shoe_size"
    for content, sentence in ((json.dumps(other), "learnt from 'shoe_size'"),
                              ("{", "pd.json is damaged")):  # fmt: skip
        path.write_text(content)
        code, out, error = fieldline("portfolio", "models", "--of", "SIM001/2024")
        assert (code, out, error.count("\n")) == (2, "", 1)
        assert sentence in error


def test_a_population_is_the_last_decision_of_each_applicant(posted: Any, tmp_path: Path) -> None:
    engine = open_database(tmp_path / "results" / "fieldline.sqlite")
    found = of_shelf(engine, "SIM001", "2024")
    engine.dispose()
    assert len(found.table) == 3
    assert set(found.table.columns) == {*NAMES, "score"}
    assert found.table["prior_loans"].tolist() == [0.0] * 3
    with pytest.raises(UserError, match="season 2030"):
        of_shelf(engine, "SIM001", "2030")
