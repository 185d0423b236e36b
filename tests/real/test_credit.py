"""The generic trainer on two public credit tables, against the reference of the data folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fieldline.lending.risk.default_model import Loans, cross_predict
from fieldline.lending.risk.features import Feature
from fieldline.lending.risk.metrics import auc, calibration_error, calibration_noise
from fieldline.lending.settings import RiskSettings

pytestmark = pytest.mark.realdata

GERMAN = RiskSettings(trees=400, depth=2, learning_rate=0.04, min_child_weight=1, subsample=0.6)
TAIWAN = RiskSettings(trees=150, depth=4, learning_rate=0.06, min_child_weight=20, folds=3)


def learn_from(table: pd.DataFrame, bad: pd.Series[Any]) -> tuple[Loans, tuple[Feature, ...]]:
    """Turn any table into features without a known sign; texts become one column per value."""
    wide = pd.get_dummies(table, dtype="float64").astype("float64")
    wide.columns = [f"f{i}" for i in range(wide.shape[1])]
    rows = np.arange(len(wide)).astype("str")
    loans = Loans(wide, bad.to_numpy("float64"), rows, np.full(len(wide), "all"))
    return loans, tuple(Feature(name, 0, name, name) for name in wide.columns)


def held_out(loans: Loans, features: tuple[Feature, ...], settings: RiskSettings) -> Any:
    values = loans.table.to_numpy()
    return cross_predict(values, loans.defaulted, loans.households, features, settings)


def test_german_credit(real_data: Path) -> None:
    frame = pd.read_csv(real_data / "credit" / "german_credit_1000.csv")
    bad = frame.pop("creditability") == "bad"
    loans, features = learn_from(frame, bad)
    found = held_out(loans, features, GERMAN)
    assert auc(loans.defaulted, found.probability) >= 0.785
    assert auc(loans.defaulted, found.challenger) >= 0.785
    error = calibration_error(loans.defaulted, found.probability)
    assert error <= 0.02 + calibration_noise(found.probability)


@pytest.mark.slow
def test_taiwan_default(real_data: Path) -> None:
    frame = pd.read_csv(real_data / "credit" / "taiwan_default_30000.csv")
    frame = frame.drop(columns=["id", "_is_test"])
    bad = frame.pop("target") == 1
    loans, features = learn_from(frame, bad)
    found = held_out(loans, features, TAIWAN)
    assert auc(loans.defaulted, found.probability) >= 0.78
    assert auc(loans.defaulted, found.challenger) >= 0.765
    assert calibration_error(loans.defaulted, found.probability) <= 0.02
