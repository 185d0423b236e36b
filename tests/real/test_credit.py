"""The default model on two public credit tables, against the reference of the data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldline.lending.risk.evaluate import evaluate_table
from fieldline.lending.risk.table import Question, read_credit_table
from fieldline.lending.settings import RiskSettings

pytestmark = pytest.mark.realdata


def test_german_credit_as_served(real_data: Path) -> None:
    path = real_data / "credit" / "german_credit_1000.csv"
    table = read_credit_table(path, Question("creditability", "bad"))
    models = evaluate_table(table, RiskSettings(search=1))["models"]
    assert models["boosting"]["auc"]["value"] >= 0.785
    assert models["scorecard"]["auc"]["value"] >= 0.78
    error = models["boosting"]["ece"]
    assert error["value"] <= 0.02 + error["by_chance"]
    assert models["boosting"]["auc"]["value"] >= models["xgboost_defaults"]["auc"]["value"]


@pytest.mark.long
def test_taiwan_default_as_served(real_data: Path) -> None:
    path = real_data / "credit" / "taiwan_default_30000.csv"
    table = read_credit_table(path, Question("target", "1", drop=("_is_test",)))
    assert table.left_out["id"] == "numbers its rows"
    models = evaluate_table(table, RiskSettings())["models"]
    assert models["boosting"]["auc"]["value"] >= 0.78
    assert models["scorecard"]["auc"]["value"] >= 0.768
    assert models["boosting"]["ece"]["value"] <= 0.02
