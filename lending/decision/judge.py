"""Judge: the default model that decides a county, or why there is none.

Owns the step from the lender's finished loans to a model and its document; how a model learns is
`lending.risk`, what it says of whom is the decision's.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fieldline.lending.risk.card import train_pd
from fieldline.lending.risk.default_model import (
    Loans,
    PdModel,
    population_shift,
    too_little,
)
from fieldline.lending.risk.features import of_loans
from fieldline.lending.risk.term import days_of_loans
from fieldline.lending.settings import PolicySettings, RiskSettings
from fieldline.lending.sources import read_loans
from fieldline.pipeline.inputs.read import Reading


@dataclass(frozen=True)
class Judge:
    """The default model, or why there is none."""

    model: PdModel | None
    problem: str = ""
    loan_days: int | None = None
    """Tenor of the loans learnt from, within which the model's defaults fell; None if unknown."""

    def document(self, applicants: pd.DataFrame) -> dict[str, Any]:
        """Return models/pd.json: card first, then everything needed to serve the model again.

        Args:
            applicants: Feature table of those who are judged, to tell how far they are from the
                loans that the model learnt from.
        """
        if self.model is None:
            return {"card": {"model": "pd", "trained": False, "problem": self.problem}}
        stored = self.model.to_dict()
        card = {
            "trained": True,
            "version": self.model.label,
            "used": not self.problem,
            "loan_days": self.loan_days,
            "population_shift": population_shift(self.model, applicants),
        }
        return {"card": {**stored.pop("card"), **card, "problem": self.problem}, "model": stored}


def train_judge(
    loan_history: Path | None,
    *,
    as_of: dt.date,
    reading: Reading,
    risk: RiskSettings,
    policy: PolicySettings,
) -> Judge:
    """Train the default model on the loans known at the as-of date.

    Args:
        loan_history: Finished loans, or None.
        as_of: Knowledge date.
        reading: The county's currency and the lender's own column names.
        risk: Model settings.
        policy: Rule of the household need, shared with the profile.
    """
    if loan_history is None:
        return Judge(None, f"loans=0 needed={risk.min_loans}")
    history = read_loans(loan_history, as_of=as_of, reading=reading)
    loans = Loans(
        of_loans(history, policy),
        history["defaulted"].to_numpy("float64"),
        history["household_id"].astype("str").to_numpy("str"),
        history["season"].astype("str").to_numpy("str"),
    )
    problem = too_little(loans, risk)
    if problem:
        return Judge(None, problem)
    model = train_pd(loans, risk)
    skill = "" if model.card["has_skill"] else f"auc={model.card['boosting']['auc']:.2f}"
    return Judge(model, skill, days_of_loans(history))
