"""Risk: the probability of default, learnt from finished loans and never from less.

Owns training and the served model: boosted trees that are monotone where the sign of a feature is
known, a calibration fitted out of fold, and a scorecard as challenger. A model is one JSON document
whose hash is its version. How it did on loans that it had not seen is `lending.risk.card`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xgboost as xgb

from fieldline.lending.risk.boosting import (
    Growth,
    chosen,
    fit_trees,
    folds_of,
    margins,
    matrix,
    owners,
)
from fieldline.lending.risk.calibration import Calibration, fit_calibration
from fieldline.lending.risk.features import Feature
from fieldline.lending.risk.scorecard import Scorecard, fit_scorecard
from fieldline.lending.settings import RiskSettings
from fieldline.pipeline.records.canonical import content_hash

Floats = npt.NDArray[np.float64]

NAME = "pd"
_RANGE = (0.01, 0.99)
"""Quantiles between which the loans behind the model lie."""


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
    calibration: Calibration
    challenger: Scorecard
    cohort: dict[str, dict[str, float | None]]
    """By feature: mean `contribution` and `median` over repaid loans, what an approved farmer looks
    like; `low` and `high` (1 and 99 %) over all loans, beyond which the model has seen little."""
    growth: dict[str, Any]
    """How the trees grew."""
    card: dict[str, Any]
    version: str
    """Content hash of trees, calibration, scorecard and cohort."""
    loan_days: int | None = None
    """Tenor within which its probability is meant; None for the product's own."""

    @property
    def label(self) -> str:
        """Name and version as written into decisions."""
        return f"{NAME}:{self.version}"

    @property
    def names(self) -> list[str]:
        """Columns that a feature table must have."""
        return [feature.name for feature in self.features]

    def predict(self, table: pd.DataFrame) -> list[Prediction]:
        """Predict every row of a feature table (columns as in `features`, NaN where unknown)."""
        values = table[self.names].to_numpy("float64")
        if not len(values):
            return []
        odds = margins(self.booster, values, self.features)
        parts, bias = _contributions(self.booster, values, self.features, odds)
        probability = self.calibration.probability(odds)
        other = self.challenger.probability(values)
        return [
            Prediction(
                round(float(probability[i]), 6),
                round(float(other[i]), 6),
                float(odds[i]),
                float(bias[i]),
                {name: float(parts[i, j]) for j, name in enumerate(self.names)},
            )
            for i in range(len(values))
        ]

    def probability(self, values: Floats) -> Floats:
        """Return the calibrated probability of (rows, features), not rounded."""
        return self.calibration.probability(margins(self.booster, values, self.features))

    def to_dict(self) -> dict[str, Any]:
        """Return the model as the JSON document that is stored."""
        return {**_content(self), "card": self.card, "version": self.version}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> PdModel:
        """Read a stored model back, of this format or of the first."""
        booster = xgb.Booster()
        booster.load_model(bytearray(content["trees"], "utf-8"))
        booster.set_param({"nthread": 1})
        return cls(
            features=tuple(_feature(feature) for feature in content["features"]),
            booster=booster,
            calibration=_calibration(content),
            challenger=Scorecard.from_dict(content["challenger"]),
            cohort=content["cohort"],
            growth=content.get("growth", {}),
            card=content["card"],
            version=content["version"],
            loan_days=content.get("loan_days"),
        )


def _feature(content: dict[str, Any]) -> Feature:
    return Feature(**{**content, "levels": tuple(content.get("levels", ()))})


def _calibration(content: dict[str, Any]) -> Calibration:
    """Return the calibration; documents of the first format hold a slope and a shift."""
    if "calibration" in content:
        return Calibration.from_dict(content["calibration"])
    return Calibration("logistic", (content["slope"], content["shift"]))


def content_version(content: dict[str, Any]) -> str:
    """Return the version that a model's document should carry: the hash of what it serves."""
    served = {name: part for name, part in content.items() if name not in ("card", "version")}
    return content_hash(served, 16)


def _content(model: PdModel) -> dict[str, Any]:
    return {
        "name": NAME,
        "features": [_feature_row(feature) for feature in model.features],
        "trees": bytes(model.booster.save_raw("json")).decode("utf-8"),
        "calibration": model.calibration.to_dict(),
        "challenger": model.challenger.to_dict(),
        "cohort": model.cohort,
        "growth": model.growth,
        "loan_days": model.loan_days,
    }


def _feature_row(feature: Feature) -> dict[str, Any]:
    row = dict(vars(feature))
    levels = row.pop("levels")
    return {**row, "levels": list(levels)} if levels else row


def _contributions(
    booster: xgb.Booster, values: Floats, features: Sequence[Feature], odds: Floats
) -> tuple[Floats, Floats]:
    """Return each feature's part of the margins, and the rest.

    The trees' own margin keeps every sign; the 32-bit parts sum to it but for their rounding, which
    the bias takes.
    """
    parts = booster.predict(matrix(values, features), pred_contribs=True).astype("float64")
    owned = np.zeros((len(values), len(features)))
    for column, owner in enumerate(owners(features)):
        owned[:, owner] += parts[:, column]
    return owned, odds - owned.sum(axis=1)


@dataclass(frozen=True)
class Loans:
    """Finished loans, ready to learn from."""

    table: pd.DataFrame
    """Features, one row per loan."""
    defaulted: Floats
    households: npt.NDArray[Any]
    seasons: npt.NDArray[Any]
    """Season or year of each loan, for the split by time; sortable text."""
    days: int | None = None
    """Tenor within which the defaults fell; None where unknown."""

    @property
    def values(self) -> Floats:
        """Features as (loans, features), NaN where unknown."""
        return self.table.to_numpy("float64")

    def part(self, rows: npt.NDArray[Any]) -> Loans:
        """Return some of the loans: places, or a mask."""
        places = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Loans(
            self.table.iloc[places], self.defaulted[places], self.households[places],
            self.seasons[places], self.days,
        )  # fmt: skip


def too_little(loans: Loans, settings: RiskSettings) -> str:
    """Return why these loans cannot train a model, empty where they can."""
    count, bad = len(loans.defaulted), int(loans.defaulted.sum())
    if count < settings.min_loans:
        return f"loans={count} needed={settings.min_loans}"
    if min(bad, count - bad) < settings.min_defaults:
        return f"defaults={bad} loans={count} needed={settings.min_defaults}"
    least = least_households(loans.defaulted, loans.households)
    if least < settings.folds:
        return f"households={least} needed={settings.folds}"
    return ""


def least_households(defaulted: Floats, households: npt.NDArray[Any]) -> int:
    """Return how many households defaulted or repaid, whichever is less.

    Households are never split between learning and testing, so each fold needs one of both kinds.
    """
    return min(len(np.unique(households[defaulted == kind])) for kind in (0, 1))


def out_of_fold(
    loans: Loans, features: Sequence[Feature], growth: Growth, settings: RiskSettings
) -> Floats:
    """Return the log-odds of every loan from trees that saw nothing of its household."""
    found = np.empty(len(loans.defaulted))
    for train, test in folds_of(loans.defaulted, loans.households, settings.folds, settings.seed):
        seen = loans.part(train)
        booster = fit_trees(seen.values, seen.defaulted, features, growth, settings.seed)
        found[test] = margins(booster, loans.values[test], features)
    return found


def fit_pd(loans: Loans, settings: RiskSettings, features: Sequence[Feature]) -> PdModel:
    """Fit the served model on loans: choose the growth, calibrate out of fold, fit on all.

    Args:
        loans: Finished loans (`too_little` is empty for them); columns as `features`.
        settings: Model, folds, seed.
        features: Features with their signs.

    Returns:
        The model with an empty card.
    """
    values, defaulted = loans.values, loans.defaulted
    growth = chosen(values, defaulted, loans.households, features, settings)
    margin = out_of_fold(loans, features, growth, settings)
    folds = folds_of(defaulted, loans.households, settings.folds, settings.seed)
    booster = fit_trees(values, defaulted, features, growth, settings.seed)
    model = PdModel(
        features=tuple(features),
        booster=booster,
        calibration=fit_calibration(margin, defaulted, folds),
        challenger=fit_scorecard(values, defaulted, features, settings.bins),
        cohort=_cohort(booster, values, defaulted, features),
        growth=growth.to_dict(),
        card={},
        version="",
        loan_days=loans.days,
    )
    return replace(model, version=content_version(_content(model)))


def _cohort(
    booster: xgb.Booster, values: Floats, defaulted: Floats, features: Sequence[Feature]
) -> dict[str, dict[str, float | None]]:
    repaid = values[defaulted == 0]
    odds = margins(booster, repaid, features)
    mean = _contributions(booster, repaid, features, odds)[0].mean(axis=0)
    return {
        feature.name: {"contribution": float(mean[j]), **_ends(values[:, j], repaid[:, j], feature)}
        for j, feature in enumerate(features)
    }


def _ends(values: Floats, repaid: Floats, feature: Feature) -> dict[str, float | None]:
    known, good = values[~np.isnan(values)], repaid[~np.isnan(repaid)]
    if not len(known) or not len(good) or feature.levels:
        return {"low": None, "median": None, "high": None}
    low, high = np.quantile(known, _RANGE).tolist()
    return {"low": low, "median": float(np.median(good)), "high": high}


def population_shift(
    cohort: dict[str, dict[str, float | None]], applicants: pd.DataFrame
) -> dict[str, Any]:
    """Return how far applicants lie from the loans that the model learnt from, by feature.

    Args:
        cohort: Usual values by feature, as a model keeps them.
        applicants: Feature table of the applicants.

    Returns:
        Median of loans and of applicants, and the share of applicants outside the middle 98 % of
        loans: a large share says that the two are not on one scale and the model guesses.
    """
    found: dict[str, Any] = {}
    for name, usual in cohort.items():
        known = applicants[name].dropna()
        low, high = usual["low"], usual["high"]
        if low is None or high is None or known.empty:
            continue
        outside = float(((known < low) | (known > high)).mean())
        median = float(known.median())
        found[name] = {"loans": usual["median"], "applicants": median, "outside": outside}
    return found
