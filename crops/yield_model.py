"""The yield model: a county prior, moved only as far as crop cuts say that it pays.

Owns arrays, not files. The model is a ridge regression of log(yield / prior) on season and crop
shifts and on how a parcel's curve differs from its crop's norm. Its strength is chosen by
cross-validation on crop cuts of other parcels, and "no strength at all" is one of the choices, so
it falls back to the naive prior where it has no skill.

Source: Hoerl & Kennard (1970) ridge; Vovk et al. (2005), Lei et al. (2018) conformal prediction
with normalised residuals; Gelman & Hill (2007) partial pooling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from crops.prices import Z80
from crops.series import Floats
from crops.settings import YieldSettings

#: Strengths tried, weakest penalty first; infinity is the prior itself.
PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0, float("inf"))
CURVE_FEATURES = ("anomaly", "peak_step", "length_step", "drought_step", "heat_step", "flood_step")
_TINY = 1e-9


@dataclass(frozen=True)
class Design:
    """Columns of the regression, fixed by the crop cuts."""

    shifts: tuple[str, ...]
    """`season` and `season|crop` groups, each with its own partially pooled shift."""

    def matrix(self, rows: pd.DataFrame) -> Floats:
        """Return (rows, columns): shifts as 0/1, curve features as they are (missing: 0)."""
        season = rows["season"].astype(str)
        both = season + "|" + rows["crop"].astype(str)
        member = [((season == s) | (both == s)).to_numpy(dtype=float) for s in self.shifts]
        curve = rows[list(CURVE_FEATURES)].astype(float).fillna(0.0).to_numpy()
        return np.column_stack([*member, curve])


@dataclass(frozen=True)
class YieldModel:
    """A fitted model with the errors it made on parcels it had not seen."""

    design: Design
    coefficients: Floats
    penalty: float
    crop_sd: dict[str, float]
    """Log sd of the error by crop, pooled towards all crops."""
    pooled_sd: float
    lower: float
    upper: float
    """Quantiles of the scaled error that bound the interval."""
    cuts: dict[str, int]
    """Crop cuts by `season|crop`."""
    scores: dict[str, float | str]

    def shift(self, rows: pd.DataFrame) -> Floats:
        """Return the predicted log(yield / prior)."""
        return np.asarray(self.design.matrix(rows) @ self.coefficients)

    def sd(self, crop: str) -> float:
        """Return the log sd of the error for a crop."""
        return self.crop_sd.get(crop, self.pooled_sd)


def fit_yield_model(cuts: pd.DataFrame, settings: YieldSettings) -> YieldModel:
    """Fit the model on crop cuts and measure it on parcels left out.

    Args:
        cuts: One row per crop cut: `parcel_id`, `season`, `crop`, `log_ratio` (log of yield over
            prior) and the curve features.
        settings: Folds and interval.
    """
    cuts = cuts.sort_values(["season", "parcel_id"], kind="stable", ignore_index=True)
    season = cuts["season"].astype(str)
    names = sorted(set(season) | set(season + "|" + cuts["crop"].astype(str)))
    design = Design(tuple(names))
    inputs, target = design.matrix(cuts), cuts["log_ratio"].to_numpy(dtype=float)
    folds = _folds(cuts["parcel_id"].astype(str).tolist(), settings.folds)
    unseen = {p: _unseen(inputs, target, folds, p) for p in PENALTIES}
    errors = {p: float(np.sqrt(np.mean((target - u) ** 2))) for p, u in unseen.items()}
    penalty = min(PENALTIES, key=lambda p: (errors[p], -p))
    left = target - unseen[penalty]
    crops = cuts["crop"].astype(str).to_numpy()
    crop_sd, pooled = _pooled_sd(left, crops)
    scaled = left / np.asarray([crop_sd[crop] for crop in crops])
    tail = (1.0 - settings.interval) / 2
    counted = (season + "|" + cuts["crop"].astype(str)).value_counts()
    return YieldModel(
        design,
        _ridge(inputs, target, penalty),
        penalty,
        crop_sd,
        pooled,
        conformal_quantile(scaled, tail),
        -conformal_quantile(-scaled, tail),
        {str(name): int(count) for name, count in counted.items()},
        _scores(errors, penalty, left, scaled, tail),
    )


def _folds(groups: Sequence[str], count: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    splitter = GroupKFold(min(count, len(set(groups))))
    return list(splitter.split(np.zeros(len(groups)), groups=np.asarray(groups)))


def _unseen(
    inputs: Floats,
    target: Floats,
    folds: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
    penalty: float,
) -> Floats:
    guess = np.zeros(len(target))
    for train, test in folds:
        guess[test] = inputs[test] @ _ridge(inputs[train], target[train], penalty)
    return guess


def _ridge(inputs: Floats, target: Floats, penalty: float) -> Floats:
    if np.isinf(penalty):
        return np.zeros(inputs.shape[1])
    gram = inputs.T @ inputs + penalty * np.eye(inputs.shape[1])
    return np.asarray(np.linalg.solve(gram, inputs.T @ target))


def _pooled_sd(left: Floats, crops: NDArray[Any]) -> tuple[dict[str, float], float]:
    """Return error sd by crop, pooled with `_POOL` cuts' worth of all crops, and of all crops."""
    overall = float(np.mean(left**2)) + _TINY
    found = {}
    for crop in np.unique(crops):
        own = left[crops == crop]
        found[str(crop)] = float(np.sqrt((np.sum(own**2) + _POOL * overall) / (len(own) + _POOL)))
    return found, float(np.sqrt(overall))


#: Weight of all crops in a crop's error, in crop cuts (partial pooling).
_POOL = 8.0


def conformal_quantile(scores: Floats, level: float) -> float:
    """Return the lower conformal quantile: at most `level` of new scores fall below it.

    With n scores the floor((n + 1) x level)-th smallest serves; below one, the smallest does.
    """
    rank = int(np.floor((len(scores) + 1) * level))
    return float(np.sort(scores)[max(rank - 1, 0)])


def _scores(
    errors: dict[float, float], penalty: float, left: Floats, scaled: Floats, tail: float
) -> dict[str, float | str]:
    naive = errors[float("inf")]
    skill = 1.0 - (errors[penalty] / max(naive, _TINY)) ** 2
    low, high = np.quantile(scaled, [tail, 1 - tail])
    return {
        "rmse_log_prior": naive,
        "rmse_log_model": errors[penalty],
        "skill_over_prior": skill,
        "verdict": "skill" if skill > 0 else "no skill over the county prior",
        "bias_log": float(left.mean()),
        "scaled_error_low": float(low),
        "scaled_error_high": float(high),
    }


def shared_sd(years_sd: float, own_sd: float, cuts: int) -> float:
    """Return what is still unknown of a shared shock once cuts of this season were seen.

    Normal prior of `years_sd`, each cut a look with error `own_sd` (posterior standard deviation).
    """
    return float(years_sd * np.sqrt(own_sd**2 / (own_sd**2 + cuts * years_sd**2 + _TINY)))


def interval_sd(low: float, high: float) -> float:
    """Return the log sd that spans from the lower to the upper 80 % bound."""
    return (high - low) / (2 * Z80)
