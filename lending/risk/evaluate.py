"""Evaluate: how the default model does on a table, beside plain tools on the very same folds.

Owns the folds, the figures and their intervals. Every fold chooses, fits and calibrates anew
without the rows that it is tested on, with the settings that a county is served with.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn
import xgboost as xgb

from fieldline.lending.risk.boosting import folds_of
from fieldline.lending.risk.default_model import Loans, fit_pd, least_households
from fieldline.lending.risk.metrics import auc, brier, calibration_error, calibration_noise, ks
from fieldline.lending.risk.peers import ABSENT, peers
from fieldline.lending.risk.table import CreditTable
from fieldline.lending.settings import RiskSettings
from fieldline.pipeline.records.errors import UserError

Floats = npt.NDArray[np.float64]
Said = dict[str, Floats]

_DRAWS = 300
"""Bootstrap draws behind an interval."""
_ENDS = (0.025, 0.975)
_FIGURES: dict[str, Callable[[Floats, Floats], float]] = {
    "auc": auc, "ks": ks, "brier": brier, "ece": calibration_error,
}  # fmt: skip
_RAISED = frozenset({"ks", "ece"})
"""Figures that noise lifts, and rows drawn anew once more: their draws lie above the value."""
_AGAINST = (("boosting", "xgboost_defaults"), ("scorecard", "optbinning"))


def evaluate_table(
    table: CreditTable, settings: RiskSettings, *, folds: int = 5, seeds: int = 1
) -> dict[str, Any]:
    """Return the figures of boosting, scorecard and peers on rows that none of them had seen.

    Args:
        table: What `lending.risk.table.read_credit_table` returns.
        settings: As served.
        folds: Folds that share no group.
        seeds: How often the folds are drawn anew; figures are means over them.

    Raises:
        UserError: The table has too few rows of one kind.
    """
    enough_for(table.loans, folds)
    runs = [_predictions(table, settings, folds, settings.seed + place) for place in range(seeds)]
    said = [run[0] for run in runs]
    defaulted = table.loans.defaulted
    names = list(said[0])
    models = {name: figures_of(defaulted, [run[name] for run in said]) for name in names}
    pairs = [pair for pair in _AGAINST if pair[1] in names]
    return {
        "rows": len(defaulted),
        "defaults": int(defaulted.sum()),
        "columns": len(table.features),
        "left_out": table.left_out,
        "remarks": list(table.remarks),
        "folds": folds,
        "seeds": seeds,
        "models": models,
        "auc_against_peers": {
            f"{ours} - {peer}": _difference(
                defaulted, [run[ours] for run in said], [run[peer] for run in said]
            )
            for ours, peer in pairs
        },
        "peers_absent": [] if "optbinning" in names else [ABSENT],
        "chosen": runs[0][1],
        "versions": {"xgboost": xgb.__version__, "scikit-learn": sklearn.__version__},
    }


def enough_for(loans: Loans, folds: int) -> None:
    """Refuse a table that cannot be split.

    Raises:
        UserError: Fewer groups of one kind than two per fold.
    """
    least = least_households(loans.defaulted, loans.households)
    if least < 2 * folds:
        bad = int(loans.defaulted.sum())
        raise UserError(
            f"the table has {bad} defaults among {len(loans.defaulted)} rows, in {least} groups of "
            f"the rarer kind; {folds} folds need {2 * folds}",
            "give more rows, or fewer folds",
        )


def _predictions(
    table: CreditTable, settings: RiskSettings, folds: int, seed: int
) -> tuple[Said, list[dict[str, Any]]]:
    loans, features = table.loans, table.features
    others = peers()
    said = {name: np.empty(len(loans.defaulted)) for name in ("boosting", "scorecard", *others)}
    grown: list[dict[str, Any]] = []
    for train, test in folds_of(loans.defaulted, loans.households, folds, seed):
        seen = loans.part(train)
        model = fit_pd(seen, settings, features)
        said["boosting"][test] = model.probability(loans.values[test])
        said["scorecard"][test] = model.challenger.probability(loans.values[test])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, peer in others.items():
                said[name][test] = peer(seen, loans.table.iloc[test], features)
        grown.append({**model.growth, "calibration": model.calibration.kind})
    return said, grown


def figures_of(defaulted: Floats, said: list[Floats]) -> dict[str, Any]:
    """Return the figures of predictions with their intervals.

    Args:
        defaulted: Outcome by row.
        said: Probabilities by row, one array a draw of the folds; figures are means over them.
    """
    found: dict[str, Any] = {}
    for name, figure in _FIGURES.items():
        low, high = _interval(
            partial(_on_rows, figure, defaulted, said[0]), defaulted, raised=name in _RAISED
        )
        value = float(np.mean([figure(defaulted, one) for one in said]))
        found[name] = {"value": value, "low": low, "high": high}
    found["ece"]["by_chance"] = calibration_noise(said[0])
    return found


def _on_rows(
    figure: Callable[[Floats, Floats], float],
    defaulted: Floats,
    said: Floats,
    rows: npt.NDArray[np.int64],
) -> float:
    return figure(defaulted[rows], said[rows])


def _difference(defaulted: Floats, ours: list[Floats], theirs: list[Floats]) -> dict[str, float]:
    gaps = [auc(defaulted, a) - auc(defaulted, b) for a, b in zip(ours, theirs, strict=True)]
    low, high = _interval(
        lambda rows: auc(defaulted[rows], ours[0][rows]) - auc(defaulted[rows], theirs[0][rows]),
        defaulted,
    )
    return {"value": float(np.mean(gaps)), "low": low, "high": high}


def _interval(
    figure: Callable[[npt.NDArray[np.int64]], float], defaulted: Floats, *, raised: bool = False
) -> tuple[float, float]:
    """Return the 95 % interval of a figure over rows drawn with replacement, of each kind apart.

    Args:
        figure: Of rows.
        defaulted: Outcome by row.
        raised: Whether the draws are moved by what they lie above the figure of all rows on
            average, at most to 0.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, percentile interval;
    estimate of bias, chapter 10.
    """
    rng = np.random.default_rng(0)
    kinds = [np.flatnonzero(defaulted == kind) for kind in (0, 1)]
    drawn = [
        figure(np.concatenate([rng.choice(rows, len(rows)) for rows in kinds]))
        for _ in range(_DRAWS)
    ]
    bias = float(np.mean(drawn)) - figure(np.arange(len(defaulted))) if raised else 0.0
    low, high = np.quantile(drawn, _ENDS) - bias
    return (max(0.0, float(low)), float(high)) if raised else (float(low), float(high))
