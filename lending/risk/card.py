"""Card: how a default model did on loans that it had not seen, and on what terms.

Owns the cross-validation, in which choice, fit and calibration are all done again without the loans
that are held out, and what the card says of default, maturity and selection. `train_pd` is the one
way to a model with a card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldline.lending.risk.boosting import folds_of
from fieldline.lending.risk.default_model import (
    NAME,
    Loans,
    PdModel,
    fit_pd,
    least_households,
)
from fieldline.lending.risk.features import FEATURES, Feature
from fieldline.lending.risk.metrics import figures
from fieldline.lending.settings import RiskSettings

Floats = npt.NDArray[np.float64]

_NO_SKILL_Z = 1.645
"""One-sided 95 %: a model ranks at all when its AUC is this many errors above one half."""


@dataclass(frozen=True)
class HeldOut:
    """Probabilities of loans that the model which gave them had not seen in any way."""

    probability: Floats
    challenger: Floats


def cross_predict(loans: Loans, features: Sequence[Feature], settings: RiskSettings) -> HeldOut:
    """Predict every loan by a model without its household.

    Args:
        loans: Finished loans; columns as `features`.
        features: Features with their signs.
        settings: Model, folds, seed.
    """
    probability, other = np.empty(len(loans.defaulted)), np.empty(len(loans.defaulted))
    for train, test in folds_of(loans.defaulted, loans.households, settings.folds, settings.seed):
        model = fit_pd(loans.part(train), settings, features)
        unseen = loans.values[test]
        probability[test] = model.probability(unseen)
        other[test] = model.challenger.probability(unseen)
    return HeldOut(probability, other)


def train_pd(
    loans: Loans, settings: RiskSettings, features: tuple[Feature, ...] = FEATURES
) -> PdModel:
    """Train the default model on all loans and evaluate the way it was trained.

    Args:
        loans: Finished loans (`too_little` is empty for them).
        settings: Model, folds, seed.
        features: Features with their signs; columns of `loans.table`.

    Returns:
        The served model, trained on all loans, with the card of its cross-validation.
    """
    names = [feature.name for feature in features]
    known = replace(loans, table=loans.table[names])
    return replace(fit_pd(known, settings, features), card=_card(known, features, settings))


def _card(loans: Loans, features: tuple[Feature, ...], settings: RiskSettings) -> dict[str, Any]:
    held_out = cross_predict(loans, features, settings)
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
        "last_season_held_out": _last_season(loans, features, settings),
        "has_skill": has_skill(model),
    }


def has_skill(model: dict[str, Any]) -> bool:
    """Return whether figures show that a model ranks better than chance (one-sided 95 %)."""
    area, error = model["auc"], model["auc_standard_error"]
    return bool(area is not None and area - _NO_SKILL_Z * error > 1 / 2)


def _by_season(loans: Loans, held_out: HeldOut) -> dict[str, Any]:
    return {
        str(season): figures(loans.defaulted[rows], held_out.probability[rows])
        for season in sorted(set(loans.seasons))
        for rows in (loans.seasons == season,)
    }


def _last_season(
    loans: Loans, features: tuple[Feature, ...], settings: RiskSettings
) -> dict[str, Any] | None:
    """Train on all seasons but the last and test on the last; None where that cannot be done."""
    last = max(loans.seasons)
    past, new = loans.part(loans.seasons != last), loans.part(loans.seasons == last)
    bad = past.defaulted.sum()
    if min(bad, len(past.defaulted) - bad) < settings.min_defaults:
        return None
    if least_households(past.defaulted, past.households) < settings.folds:
        return None
    said = fit_pd(past, settings, features).probability(new.values)
    return {"season": str(last), **figures(new.defaulted, said)}
