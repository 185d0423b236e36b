"""What the default model learns from and what it judges are on one scale, end to end."""

from __future__ import annotations

import json

import pandas as pd

from fieldline.lending.risk.features import of_loans, of_profiles
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.tables import read_table
from tests.workflows.conftest import ChainRun

#: Loose on purpose: one season of one small county may be dry; another definition is far beyond.
MOST_OUTSIDE = 0.2


def test_applicants_lie_within_the_loans_that_the_model_learnt_from(tiny_run: ChainRun) -> None:
    card = json.loads((tiny_run.folder / "models" / "pd.json").read_text(encoding="utf-8"))["card"]
    outside = {name: row["outside"] for name, row in card["population_shift"].items()}
    assert max(outside.values()) < MOST_OUTSIDE, outside


def test_the_middle_applicant_is_an_ordinary_borrower(tiny_run: ChainRun) -> None:
    history = pd.read_csv(tiny_run.simulated / "SIM001" / "loan_history.csv")
    loans = of_loans(history, PolicySettings())
    profiles = read_table(tiny_run.folder / "profiles.parquet")
    judged = profiles[(profiles["level"] == "farmer") & (profiles["parcels_valued"] > 0)]
    applicants = of_profiles(judged)
    for name in loans.columns:
        # One weather cell holds the season's drought, frost and flood at once: hazards run high.
        low, high = loans[name].quantile([0.02, 0.98] if name == "hazard_index" else [0.1, 0.9])
        assert low <= applicants[name].median() <= high, name
