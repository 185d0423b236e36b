"""Risk: the probability of default, learnt from finished loans and never from less.

Owns training, calibration, evaluation and the served model: boosted trees that are monotone where
the sign of a feature is known, a logistic calibration fitted out of fold, and a scorecard as
challenger. A model is one JSON document whose hash is its version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xgboost as xgb
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from sklearn.model_selection import StratifiedGroupKFold

from fieldline.lending.risk.features import FEATURES, Feature
from fieldline.lending.risk.metrics import figures
from fieldline.lending.risk.scorecard import Scorecard, fit_scorecard
from fieldline.lending.settings import RiskSettings
from fieldline.pipeline.records.canonical import content_hash

Floats = npt.NDArray[np.float64]

NAME = "pd"
_RANGE = (0.01, 0.99)
"""Quantiles between which the loans behind the model lie."""
_NO_SKILL_Z = 1.645
"""One-sided 95 %: a model ranks at all when its AUC is this many errors above one half."""


@dataclass(frozen=True)
class Prediction:
    """What the model says of one applicant."""

    pd: float
    """Calibrated probability of default, rounded to 1e-6 so that it is exact in a trace."""
    challenger: float
    """The scorecard's probability, calibrated by its own fit."""
    margin: float
    """Log-odds of the boosted trees before calibration."""
    bias: float
    """Part of the margin that is the same for everybody (but for 32-bit rounding)."""
    contributions: dict[str, float]
    """Part of the margin by feature; with the bias they sum to it (TreeSHAP)."""


@dataclass(frozen=True)
class PdModel:
    """A trained default model and its card."""

    features: tuple[Feature, ...]
    booster: xgb.Booster
    slope: float
    """Calibrated log-odds = slope x margin + shift; the slope is positive."""
    shift: float
    challenger: Scorecard
    cohort: dict[str, dict[str, float | None]]
    """By feature: mean `contribution` and `median` over repaid loans, what an approved farmer looks
    like; `low` and `high` (1 and 99 %) over all loans, beyond which the model has seen little."""
    card: dict[str, Any]
    version: str
    """Content hash of trees, calibration, scorecard and cohort."""

    @property
    def label(self) -> str:
        """Name and version as written into decisions."""
        return f"{NAME}:{self.version}"

    def predict(self, table: pd.DataFrame) -> list[Prediction]:
        """Predict every row of a feature table (columns as in `features`, NaN where unknown)."""
        names = [feature.name for feature in self.features]
        values = table[names].to_numpy("float64")
        if not len(values):
            return []
        parts = self.booster.predict(_matrix(values, names), pred_contribs=True).astype("float64")
        # The trees' own margin keeps every sign; the 32-bit parts sum to it but for their rounding,
        # which the bias takes.
        odds = margins(self.booster, values, self.features)
        parts[:, -1] = odds - parts[:, :-1].sum(axis=1)
        probability = expit(self.slope * odds + self.shift)
        other = self.challenger.probability(values)
        return [
            Prediction(
                round(float(probability[i]), 6),
                round(float(other[i]), 6),
                float(odds[i]),
                float(parts[i, -1]),
                {name: float(parts[i, j]) for j, name in enumerate(names)},
            )
            for i in range(len(values))
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the model as the JSON document that is stored."""
        return {**_content(self), "card": self.card, "version": self.version}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> PdModel:
        """Read a stored model back."""
        booster = xgb.Booster()
        booster.load_model(bytearray(content["trees"], "utf-8"))
        booster.set_param({"nthread": 1})
        return cls(
            features=tuple(Feature(**feature) for feature in content["features"]),
            booster=booster,
            slope=content["slope"],
            shift=content["shift"],
            challenger=Scorecard.from_dict(content["challenger"]),
            cohort=content["cohort"],
            card=content["card"],
            version=content["version"],
        )


def _content(model: PdModel) -> dict[str, Any]:
    return {
        "name": NAME,
        "features": [vars(feature) for feature in model.features],
        "trees": bytes(model.booster.save_raw("json")).decode("utf-8"),
        "slope": model.slope,
        "shift": model.shift,
        "challenger": model.challenger.to_dict(),
        "cohort": model.cohort,
    }


def _matrix(values: Floats, names: Sequence[str], label: Floats | None = None) -> xgb.DMatrix:
    return xgb.DMatrix(values, label=label, feature_names=list(names), nthread=1)


def fit_trees(
    values: Floats, defaulted: Floats, features: Sequence[Feature], settings: RiskSettings
) -> xgb.Booster:
    """Fit boosted trees that never contradict a known sign.

    Source: Chen and Guestrin (2016), XGBoost; monotone constraints of that library.
    """
    params = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_depth": settings.depth,
        "eta": settings.learning_rate,
        "min_child_weight": settings.min_child_weight,
        "subsample": settings.subsample,
        "lambda": settings.l2,
        "monotone_constraints": tuple(feature.sign for feature in features),
        "seed": settings.seed,
        "nthread": 1,
    }
    names = [feature.name for feature in features]
    return xgb.train(params, _matrix(values, names, defaulted), num_boost_round=settings.trees)


def margins(booster: xgb.Booster, values: Floats, features: Sequence[Feature]) -> Floats:
    """Return log-odds of default before calibration."""
    matrix = _matrix(values, [feature.name for feature in features])
    return booster.predict(matrix, output_margin=True).astype("float64")


def fit_calibration(margin: Floats, defaulted: Floats) -> tuple[float, float]:
    """Return slope and shift of the logistic calibration of margins.

    Source: Platt (1999), with his smoothed targets. The slope is held positive, so that the
    calibrated probability keeps every monotone constraint.
    """
    bad = defaulted.sum()
    high, low = (bad + 1) / (bad + 2), 1 / (len(defaulted) - bad + 2)
    target = np.where(defaulted > 0, high, low)

    def loss(parameters: Floats) -> float:
        odds = np.exp(parameters[0]) * margin + parameters[1]
        return float(-np.mean(target * log_expit(odds) + (1 - target) * log_expit(-odds)))

    found = minimize(loss, np.zeros(2), method="BFGS").x
    return round(float(np.exp(found[0])), 9), round(float(found[1]), 9)


@dataclass(frozen=True)
class OutOfFold:
    """Predictions for loans that the model that made them had not seen."""

    margin: Floats
    probability: Floats
    """Calibrated by the other folds' out-of-fold margins."""
    challenger: Floats


def cross_predict(
    values: Floats,
    defaulted: Floats,
    groups: npt.NDArray[Any],
    features: Sequence[Feature],
    settings: RiskSettings,
) -> OutOfFold:
    """Predict every loan from folds without its household.

    Args:
        values: (loans, features), NaN where unknown.
        defaulted: 1 for default.
        groups: Household of each loan.
        features: Features with their signs.
        settings: Model and folds.
    """
    names = tuple(feature.name for feature in features)
    folds = list(_folds(defaulted, groups, settings))
    margin, other = np.empty(len(values)), np.empty(len(values))
    for train, test in folds:
        booster = fit_trees(values[train], defaulted[train], features, settings)
        margin[test] = margins(booster, values[test], features)
        card = fit_scorecard(values[train], defaulted[train], names, settings.bins)
        other[test] = card.probability(values[test])
    probability = np.empty(len(values))
    for train, test in folds:
        slope, shift = fit_calibration(margin[train], defaulted[train])
        probability[test] = expit(slope * margin[test] + shift)
    return OutOfFold(margin, probability, other)


def _folds(
    defaulted: Floats, groups: npt.NDArray[Any], settings: RiskSettings
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    splitter = StratifiedGroupKFold(settings.folds, shuffle=True, random_state=settings.seed)
    return list(splitter.split(np.zeros((len(defaulted), 1)), defaulted, groups))


@dataclass(frozen=True)
class Loans:
    """Finished loans, ready to learn from."""

    table: pd.DataFrame
    """Features, one row per loan."""
    defaulted: Floats
    households: npt.NDArray[Any]
    seasons: npt.NDArray[Any]
    """Season or year of each loan, for the split by time; sortable text."""


def too_little(loans: Loans, settings: RiskSettings) -> str:
    """Return why these loans cannot train a model, empty where they can."""
    count, bad = len(loans.defaulted), int(loans.defaulted.sum())
    if count < settings.min_loans:
        return f"loans={count} needed={settings.min_loans}"
    if min(bad, count - bad) < settings.min_defaults:
        return f"defaults={bad} loans={count} needed={settings.min_defaults}"
    least = _least_households(loans.defaulted, loans.households)
    if least < settings.folds:
        return f"households={least} needed={settings.folds}"
    return ""


def _least_households(defaulted: Floats, households: npt.NDArray[Any]) -> int:
    """Return how many households defaulted or repaid, whichever is less.

    Households are never split between learning and testing, so each fold needs one of both kinds.
    """
    return min(len(np.unique(households[defaulted == kind])) for kind in (0, 1))


def train_pd(
    loans: Loans, settings: RiskSettings, features: tuple[Feature, ...] = FEATURES
) -> PdModel:
    """Train, calibrate and evaluate the default model.

    Args:
        loans: Finished loans (`too_little` is empty for them).
        settings: Model, folds, seed.
        features: Features with their signs; columns of `loans.table`.

    Returns:
        The served model, trained on all loans, with the card of its cross-validation.
    """
    values = loans.table[[feature.name for feature in features]].to_numpy("float64")
    held_out = cross_predict(values, loans.defaulted, loans.households, features, settings)
    booster = fit_trees(values, loans.defaulted, features, settings)
    slope, shift = fit_calibration(held_out.margin, loans.defaulted)
    names = tuple(feature.name for feature in features)
    model = PdModel(
        features=features,
        booster=booster,
        slope=slope,
        shift=shift,
        challenger=fit_scorecard(values, loans.defaulted, names, settings.bins),
        cohort=_cohort(booster, values, loans.defaulted, names),
        card=_card(loans, values, held_out, features, settings),
        version="",
    )
    content = _content(model)
    return PdModel(**{**vars(model), "version": content_hash(content, 16)})


def _cohort(
    booster: xgb.Booster, values: Floats, defaulted: Floats, names: Sequence[str]
) -> dict[str, dict[str, float | None]]:
    repaid = values[defaulted == 0]
    quantile = {name: _ends(values[:, j], repaid[:, j]) for j, name in enumerate(names)}
    parts = booster.predict(_matrix(repaid, names), pred_contribs=True)
    mean = parts.astype("float64").mean(axis=0)
    cohort: dict[str, dict[str, float | None]] = {}
    for j, name in enumerate(names):
        cohort[name] = {"contribution": float(mean[j]), **quantile[name]}
    return cohort


def _ends(values: Floats, repaid: Floats) -> dict[str, float | None]:
    known, good = values[~np.isnan(values)], repaid[~np.isnan(repaid)]
    if not len(known) or not len(good):
        return {"low": None, "median": None, "high": None}
    low, high = np.quantile(known, _RANGE).tolist()
    return {"low": low, "median": float(np.median(good)), "high": high}


def population_shift(model: PdModel, applicants: pd.DataFrame) -> dict[str, Any]:
    """Return how far applicants lie from the loans that the model learnt from, by feature.

    Args:
        model: A trained model.
        applicants: Feature table of the applicants.

    Returns:
        Median of loans and of applicants, and the share of applicants outside the middle 98 % of
        loans: a large share says that the two are not on one scale and the model guesses.
    """
    found: dict[str, Any] = {}
    for name, usual in model.cohort.items():
        known = applicants[name].dropna()
        low, high = usual["low"], usual["high"]
        if low is None or high is None or known.empty:
            continue
        outside = float(((known < low) | (known > high)).mean())
        median = float(known.median())
        found[name] = {"loans": usual["median"], "applicants": median, "outside": outside}
    return found


def _card(
    loans: Loans,
    values: Floats,
    held_out: OutOfFold,
    features: tuple[Feature, ...],
    settings: RiskSettings,
) -> dict[str, Any]:
    rate = np.full(len(loans.defaulted), loans.defaulted.mean())
    model = figures(loans.defaulted, held_out.probability)
    return {
        "model": NAME,
        "target": "defaulted",
        "split": f"{settings.folds} folds grouped by household",
        "boosting": model,
        "scorecard": figures(loans.defaulted, held_out.challenger),
        "baseline_constant_rate": figures(loans.defaulted, rate),
        "by_season": _by_season(loans, held_out),
        "last_season_held_out": _last_season(loans, values, features, settings),
        "has_skill": _has_skill(model),
    }


def _has_skill(model: dict[str, Any]) -> bool:
    area, error = model["auc"], model["auc_standard_error"]
    return bool(area is not None and area - _NO_SKILL_Z * error > 1 / 2)


def _by_season(loans: Loans, held_out: OutOfFold) -> dict[str, Any]:
    return {
        str(season): figures(loans.defaulted[rows], held_out.probability[rows])
        for season in sorted(set(loans.seasons))
        for rows in (loans.seasons == season,)
    }


def _last_season(
    loans: Loans, values: Floats, features: tuple[Feature, ...], settings: RiskSettings
) -> dict[str, Any] | None:
    """Train on all seasons but the last and test on the last; None where that cannot be done."""
    last = max(loans.seasons)
    past = loans.seasons != last
    bad = loans.defaulted[past].sum()
    if min(bad, past.sum() - bad) < settings.min_defaults:
        return None
    truth, groups = loans.defaulted[past], loans.households[past]
    if _least_households(truth, groups) < settings.folds:
        return None
    inner = cross_predict(values[past], truth, groups, features, settings)
    slope, shift = fit_calibration(inner.margin, truth)
    booster = fit_trees(values[past], truth, features, settings)
    margin = margins(booster, values[~past], features)
    return {"season": str(last), **figures(loans.defaulted[~past], expit(slope * margin + shift))}
