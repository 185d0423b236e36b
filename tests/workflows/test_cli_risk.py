"""The commands of the default model, as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.cli import app


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    income = rng.lognormal(9, 0.5, 240)
    bad = rng.random(240) < 1 / (1 + np.exp(1 + 2 * (np.log(income) - 9)))
    frame = pd.DataFrame({"no": np.arange(240), "income": income.round(), "bad": bad})
    path = tmp_path / "loans.csv"
    frame.replace({"bad": {True: "yes", False: "no"}}).to_csv(path, index=False)
    return path


def test_evaluate_writes_figures_beside_plain_tools(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    command = ["risk", "evaluate", str(file), "--target", "bad", "--positive", "yes"]
    said = CliRunner().invoke(app, [*command, "--folds", "3", "--json", str(out)])
    assert said.exit_code == 0, said.output
    assert "left out  no: numbers its rows" in said.output
    found = json.loads(out.read_text(encoding="utf-8"))
    assert (found["rows"], found["columns"], found["folds"]) == (240, 1, 3)
    assert {"boosting", "scorecard", "xgboost_defaults"} <= set(found["models"])


def test_train_writes_a_folder_that_the_gate_refuses_for_other_features(
    file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "model"
    command = ["risk", "train", str(file), "--target", "bad", "--positive", "yes"]
    said = CliRunner().invoke(app, [*command, "--decreasing", "income", "--out", str(out)])
    assert said.exit_code == 0, said.output
    refused = CliRunner().invoke(app, ["risk", "gate", str(out)])
    assert refused.exit_code == 3
    assert "refused: it learnt other features than profiles have (income, ...)" in refused.output


def test_both_signs_of_one_column_are_refused(file: Path) -> None:
    command = ["risk", "evaluate", str(file), "--target", "bad", "--positive", "yes"]
    said = CliRunner().invoke(app, [*command, "--increasing", "income", "--decreasing", "income"])
    assert isinstance(said.exception, UserError)
    assert "'income' is given both signs" in str(said.exception)
