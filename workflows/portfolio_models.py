"""What the portfolio commands on populations and models do: drift, champion and challenger.

Owns finding decisions, loans and the stored model by the configuration; the figures are
`lending.portfolio`'s.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from fieldline.lending.inputs import LOANS
from fieldline.lending.portfolio.champions import Figures, held_against, loans_known
from fieldline.lending.portfolio.drift import drift
from fieldline.lending.portfolio.population import Population, of_history, of_shelf
from fieldline.lending.risk.default_model import PdModel
from fieldline.lending.risk.features import NAMES, of_loans
from fieldline.lending.risk.training import mature
from fieldline.lending.settings import RiskSettings
from fieldline.lending.sources import read_loans
from fieldline.lending.store.database import open_existing
from fieldline.pipeline.inputs.read import Reading
from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import Config
from fieldline.workflows.portfolio import Asked, tell

LOAN_BOOK = "loans"
"""What drift may be held against besides a season: the county's finished loans."""


def tell_drift(asked: Asked, of: str, against: str) -> None:
    """Say which features and whether the score of two populations differ by more than chance."""
    config = load_config(asked.config_files)
    shelf = _shelf(of, "--of")
    engine = open_existing(config.database_url())
    try:
        group = of_shelf(engine, *shelf)
        if against == LOAN_BOOK:
            other = _loans(config, shelf, asked.day)
        else:
            other = of_shelf(engine, *_shelf(against, "--against"))
    finally:
        engine.dispose()
    names = [name for name in group.table.columns if name in other.table.columns]
    settings = config.lending.portfolio
    found = drift(
        group.table[names], other.table[names], permutations=settings.permutations,
        most_chance=settings.drift_chance, seed=settings.seed,
    )  # fmt: skip
    sizes = [
        {"group": name, "farmers": len(one.table), "models": " ".join(one.models)}
        for name, one in ((of, group), (against, other))
    ]
    rows = [
        {name: _rounded(value) for name, value in vars(one).items()} for one in found
    ]  # fmt: skip
    tell(asked, {"populations": sizes, "drift": rows})


def tell_models(asked: Asked, of: str) -> None:
    """Say how the stored boosting and scorecard did on loans whose end is known, by season."""
    config = load_config(asked.config_files)
    shelf = _shelf(of, "--of")
    stored = _model(config, shelf)
    if stored is None or "trees" not in stored["model"]:
        raise UserError(
            f"the run of {of} holds no trained model",
            "name COUNTY/SEASON whose run trained one (`models/pd.json`)",
        )
    card = stored["card"]
    model = PdModel.from_dict({**stored["model"], "card": card})
    if strange := sorted(set(model.names) - set(NAMES)):
        raise UserError(
            f"the model of {of} learnt from {strange[0]!r}, which a loan history does not hold",
            "hold it against its own table (`fieldline risk evaluate`)",
        )
    history = _history(config, shelf, asked.day)
    history = history[mature(history, asked.day)].reset_index(drop=True)
    if history.empty:
        raise UserError(
            f"no loan of {of} had the time to default by {asked.day}", "name a later day with --on"
        )
    # A card that does not say until when it learnt may have learnt from all of them.
    until = dt.date.fromisoformat(card.get("as_of") or asked.day.isoformat())
    learnt = mature(history, until)
    known = loans_known(history, of_loans(history, config.lending.policy), learnt.to_numpy())
    kept = card.get("settings", {})
    settings = RiskSettings(**{n: kept[n] for n in RiskSettings.model_fields if n in kept})
    figures, duels = held_against(
        known, model, settings, config.lending.portfolio.least_defaults
    )  # fmt: skip
    tell(asked, {
        "models": [{"run": of, "model": model.label, "as_of": until.isoformat(),
                    "loans_learnt_from": int(learnt.sum()),
                    "later_loans": int((~learnt).sum())}],
        "figures": [_figures(one) for one in figures],
        "duels": [
            {"season": one.season, "split": one.split,
             **_bounds("auc_difference", one.auc_difference), "verdict": one.verdict}
            for one in duels
        ],
    })  # fmt: skip


def _shelf(text: str, option: str) -> tuple[str, str]:
    county, _, season = text.partition("/")
    if not county or not season:
        raise UserError(f"{option} {text!r} names no run", "write it as COUNTY/SEASON: SIM001/2024")
    return county, season


def _history(config: Config, shelf: tuple[str, str], day: dt.date) -> Any:
    county, season = shelf
    if county not in config.county:
        raise UserError(f"county {county!r} is not defined", f"use one of {sorted(config.county)}")
    paths = config.input_paths(county, season, "loan_history")
    if not paths:
        raise UserError(
            f"county {county} has no finished loans",
            f"name them in county.{county}.inputs.loan_history",
        )
    here = config.county[county]
    columns = here.inputs.columns.get(LOANS.name, {})
    return read_loans(paths[0], as_of=day, reading=Reading(here.currency, columns, "inputs"))


def _loans(config: Config, shelf: tuple[str, str], day: dt.date) -> Population:
    stored = _model(config, shelf)
    history = _history(config, shelf, day)
    return of_history(history, None if stored is None else stored["model"], config.lending.policy)


def _model(config: Config, shelf: tuple[str, str]) -> dict[str, Any] | None:
    """Return card and model that a run decided by; None where it keeps none."""
    path: Path = config.results / shelf[1] / shelf[0] / "models" / "pd.json"
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(
            f"{path} is damaged ({error})", "run the season from `decide` on"
        ) from error
    return content if content.get("model") else None


def _figures(one: Figures) -> dict[str, Any]:
    return {
        "season": one.season, "model": one.model, "split": one.split, "loans": one.loans,
        "defaults": one.defaults, **_bounds("auc", one.auc), **_bounds("brier", one.brier),
        **_bounds("observed", one.observed), "predicted": _rounded(one.predicted),
        "calibration": one.calibration,
    }  # fmt: skip


def _bounds(name: str, told: tuple[float, float, float] | None) -> dict[str, Any]:
    values = (None, None, None) if told is None else told
    names = (name, f"{name}_low", f"{name}_high")
    return {key: _rounded(value) for key, value in zip(names, values, strict=True)}


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
