"""Training: from a county's finished loans to a model folder, apart from any decision.

Owns the stage `risk_train`: which loans are old enough to learn from, what the card says of
default, maturity, selection and balance, and what stands in where there is too little.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from fieldline.lending.inputs import LOANS
from fieldline.lending.risk.card import train_pd
from fieldline.lending.risk.default_model import Loans, too_little
from fieldline.lending.risk.expert import TABLE, expert_card
from fieldline.lending.risk.features import of_loans
from fieldline.lending.risk.folder import MODEL, write_model
from fieldline.lending.risk.gate import approved
from fieldline.lending.risk.term import days_of_loans
from fieldline.lending.rows import PAST_DUE_DAYS
from fieldline.lending.settings import PolicySettings, RiskSettings
from fieldline.lending.sources import read_loans
from fieldline.pipeline.inputs.read import Reading
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes

TERMS = {
    "default": f"{PAST_DUE_DAYS} days past due",
    "horizon": "the loan's own tenor (median in loan_days)",
    "maturity": (
        f"loans learnt from fell due {PAST_DUE_DAYS} days or more before the as-of date, so that "
        "each had the time to default; younger ones are left out whatever became of them"
    ),
    "selection": (
        "learnt from loans that were granted; no outcome is inferred for refused applicants, whose "
        "risk the model therefore knows less of (features unlike any loan go to a person)"
    ),
    "balance": "loans are learnt from as they are, neither weighted nor drawn anew by outcome",
}
"""What a probability of the model means."""

Learnt = tuple[dict[str, Any] | None, dict[str, Any]]


def mature(history: pd.DataFrame, as_of: dt.date) -> pd.Series[bool]:
    """Return which loans had the time to default by a date.

    Args:
        history: Loan history with `due_on` and `ended_on`.
        as_of: Knowledge date.
    """
    due = history["due_on"].fillna(history["ended_on"])
    return due + pd.Timedelta(days=PAST_DUE_DAYS) <= pd.Timestamp(as_of)


def learn(
    history: pd.DataFrame | None, *, as_of: dt.date, risk: RiskSettings, policy: PolicySettings
) -> Learnt:
    """Return the served document and the card of what a loan history teaches.

    Args:
        history: What `lending.sources.read_loans` returns, or None.
        as_of: Knowledge date.
        risk: Model settings.
        policy: Rule of the household need, shared with the profile.
    """
    if history is None:
        return _instead(f"loans=0 needed={risk.min_loans}", risk, {})
    old = history[mature(history, as_of)].reset_index(drop=True)
    card = {
        "terms": TERMS,
        "as_of": as_of.isoformat(),
        "loans_too_young": len(history) - len(old),
        "data": _fingerprint(old),
    }
    loans = Loans(
        of_loans(old, policy),
        old["defaulted"].to_numpy("float64"),
        old["household_id"].astype("str").to_numpy("str"),
        old["season"].astype("str").to_numpy("str"),
        days_of_loans(old),
    )
    problem = too_little(loans, risk)
    if problem:
        return _instead(problem, risk, card)
    model = train_pd(loans, risk)
    skill = "" if model.card["has_skill"] else f"auc={model.card['boosting']['auc']:.2f}"
    told = {
        "default_rate": float(loans.defaulted.mean()), "loan_days": loans.days,
        "trained": True, "version": model.label, "used": not skill, "problem": skill,
        "growth": model.growth, "calibration": model.calibration.kind,
        "settings": risk.model_dump(mode="json"), "code": version("fieldline"),
    }  # fmt: skip
    document = replace(model, card={}).to_dict()
    return document, {**model.card, **card, **told}


def _fingerprint(loans: pd.DataFrame) -> str:
    """Return the content hash of the loans learnt from."""
    return hashlib.sha256(loans.to_csv(index=False).encode("utf-8")).hexdigest()[:16]


def _instead(problem: str, risk: RiskSettings, card: dict[str, Any]) -> Learnt:
    """Return the expert scorecard, or nothing where it may not stand in."""
    told = {"model": "pd", **card, "trained": False, "problem": problem}
    if not risk.expert:
        return None, told
    document = expert_card(risk.expert_file or TABLE).to_dict()
    label = f"{document['name']}:{document['version']}"
    points = {"stands_in": label, "stands_in_points": "policy, tested on no loan"}
    return document, {**told, **points, "version": label, "loan_days": None}


def run_risk_train(
    *,
    loan_history: Path | None,
    as_of: dt.date,
    currency: str,
    risk: RiskSettings,
    policy: PolicySettings,
    table_columns: Mapping[str, Mapping[str, str]],
    out: Path,
    outcomes: Path,
) -> None:
    """Write a model folder: the approved model that the configuration names, or a new one.

    Args:
        loan_history: Finished loans, or None.
        as_of: Knowledge date.
        currency: The county's currency.
        risk: Model settings.
        policy: Rule of the household need.
        table_columns: The lender's own column names by table.
        out: `manifest.json` of the folder.
        outcomes: outcomes/risk_train.parquet, one row for the model.

    Raises:
        UserError: The approved model is absent, damaged or not approved.
    """
    document: dict[str, Any] | None
    if risk.model:
        document, card = approved(Path(risk.model))
    else:
        history = None
        if loan_history is not None:
            reading = Reading(currency, table_columns.get(LOANS.name, {}), "inputs")
            history = read_loans(loan_history, as_of=as_of, reading=reading)
        document, card = learn(history, as_of=as_of, risk=risk, policy=policy)
    write_model(out.parent, document, card)
    used = "none" if document is None else f"{document['name']}:{document['version']}"
    told = detail(model=used, problem=card["problem"] or "none")
    write_outcomes([Outcome("risk_train", f"model:{MODEL}", "", OK, told)], outcomes)
