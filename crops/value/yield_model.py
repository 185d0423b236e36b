"""The yield model: a county prior, moved only as far as crop cuts say that it pays.

Owns arrays, not files. The regression (`crops.pooling`) is judged on cuts of parcels it never saw,
with everything chosen anew without them; where that does not beat the prior by a margin the prior
stands. The same unseen errors, each in units of what the model expected of it, make the interval.

Source: Vovk et al. (2005), Lei et al. (2018) conformal prediction with normalised residuals; Barber
et al. (2021) jackknife+; Breiman et al. (1984) one-standard-error rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from fieldline.crops.series import Floats
from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.pooling import Design, Pooled, fit, prior_alone
from fieldline.crops.value.prices import Z80

_TINY = 1e-9
_Codes = NDArray[np.int64]


@dataclass(frozen=True)
class ErrorScale:
    """Variance of one cut's error: overall, times a season's, a crop's and a size's own factor.

    A bad year is not only lower but more uneven, so errors of a good year would promise too much;
    a parcel of few pixels is seen less well than a large one.
    """

    overall: float
    """Log variance of all cuts."""
    factors: dict[str, dict[str, float]]
    """Factor on it by column (`SCALES`) and group, partially pooled; 1 where nothing is known."""

    def variance(self, rows: pd.DataFrame) -> Floats:
        """Return the log variance of one observation of each row."""
        found = np.full(len(rows), self.overall)
        for column, factors in self.factors.items():
            found *= rows[column].astype(str).map(factors).fillna(1.0).to_numpy(dtype=float)
        return found


#: Columns whose groups have an error of their own, in the order in which they explain it.
SCALES = ("season", "crop", "size")


@dataclass(frozen=True)
class YieldModel:
    """A fitted model with the errors it made on parcels it had not seen."""

    pooled: Pooled
    scale: ErrorScale
    reach: float
    """Scaled error that the promised share of unseen cuts stays within, either way."""
    prior_shared: float
    """Share of the prior's squared error that cuts of one crop and season have in common."""
    cuts: dict[str, int]
    """Crop cuts by `season|crop`."""
    scores: dict[str, float | str]
    checks: dict[str, dict[str, float]]
    """Cuts and share inside the interval, by season, crop and size."""

    @property
    def skilled(self) -> bool:
        """Whether the model moves the prior at all."""
        return bool(np.any(self.pooled.coefficients != 0))

    def shift(self, rows: pd.DataFrame) -> Floats:
        """Return the predicted log(yield / prior)."""
        return self.pooled.predict(self.pooled.design.matrix(rows))

    def errors(self, rows: pd.DataFrame) -> tuple[Floats, Floats]:
        """Return log sd of the error of each row: (shared by crop and season, the parcel's own).

        Together they span the conformal interval: reach = Z80 x sqrt(shared^2 + own^2) in scale.
        """
        total, shared = self.pooled.doubt(self.pooled.design.matrix(rows))
        share = shared / (1.0 + total) if self.skilled else np.full(len(rows), self.prior_shared)
        variance = self.scale.variance(rows) * (1.0 + total) * (self.reach / Z80) ** 2
        return np.sqrt(variance * share), np.sqrt(variance * (1.0 - share))


@dataclass(frozen=True)
class _Unseen:
    """What the regression said of each cut when its parcel was left out."""

    error: Floats
    doubt: Floats


def fit_yield_model(cuts: pd.DataFrame, settings: YieldSettings) -> YieldModel:
    """Fit the model on crop cuts and measure it on parcels left out.

    Args:
        cuts: One row per crop cut: `parcel_id`, `season`, `crop`, `log_ratio` (log of yield over
            prior) and the curve features.
        settings: Folds, interval, pooling and the margin of skill.
    """
    cuts = cuts.sort_values(["season", "parcel_id"], kind="stable", ignore_index=True)
    design, target = Design.of(cuts), cuts["log_ratio"].to_numpy(dtype=float)
    inputs = design.matrix(cuts)
    unseen = _left_out(design, inputs, target, cuts["parcel_id"].astype(str).tolist(), settings)
    scores = skill_scores(target, unseen.error, settings.skill_margin)
    skilled = scores["verdict"] == "skill"
    used = unseen if skilled else _Unseen(target, np.zeros(len(target)))
    squares = used.error**2 / (1.0 + used.doubt)
    expected = variance_by_others(squares, cuts, settings.error_pool_cuts)
    scaled = np.abs(used.error) / np.sqrt(expected * (1 + used.doubt))
    reach = conformal_reach(scaled, settings.interval)
    counted = (cuts["season"].astype(str) + "|" + cuts["crop"].astype(str)).value_counts()
    return YieldModel(
        fit(design, inputs, target) if skilled else prior_alone(design),
        error_scale(squares, cuts, settings.error_pool_cuts),
        reach,
        common_share(target, cuts),
        {str(name): int(count) for name, count in counted.sort_index().items()},
        scores,
        _checks(scaled <= reach, cuts),
    )


def _left_out(
    design: Design, inputs: Floats, target: Floats, parcels: Sequence[str], settings: YieldSettings
) -> _Unseen:
    """Refit all, strengths included, without each fold's parcels and look at those."""
    error, doubt = np.zeros(len(target)), np.zeros(len(target))
    splitter = GroupKFold(min(settings.folds, len(set(parcels))))
    for train, test in splitter.split(inputs, groups=np.asarray(parcels)):
        pooled = fit(design, inputs[train], target[train])
        error[test] = target[test] - pooled.predict(inputs[test])
        doubt[test] = pooled.doubt(inputs[test])[0]
    return _Unseen(error, doubt)


def skill_scores(target: Floats, error: Floats, margin: float) -> dict[str, float | str]:
    """Compare unseen errors with the prior's; skill is a gain of `margin` standard errors.

    Args:
        target: log(yield / prior) of each cut: the prior's error.
        error: The model's error on the same cut, its parcel left out.
        margin: Standard errors of the mean gain that the gain must exceed.
    """
    gain = target**2 - error**2
    unsure = float(gain.std(ddof=1) / np.sqrt(len(gain)))
    skilled = float(gain.mean()) > margin * unsure
    return {
        "rmse_log_prior": float(np.sqrt(np.mean(target**2))),
        "rmse_log_model": float(np.sqrt(np.mean(error**2))),
        "skill_over_prior": float(gain.mean() / max(float(np.mean(target**2)), _TINY)),
        "skill_standard_error": unsure / max(float(np.mean(target**2)), _TINY),
        "median_abs_log_prior": float(np.median(np.abs(target))),
        "median_abs_log_model": float(np.median(np.abs(error))),
        "bias_log": float(error.mean()),
        "verdict": "skill" if skilled else "no skill over the county prior",
    }


def error_scale(squares: Floats, cuts: pd.DataFrame, pool: float) -> ErrorScale:
    """Return the variance and its factors, each pooled with `pool` cuts' worth of the rest.

    Args:
        squares: Squared error of each cut, its doubt divided out.
        cuts: Groups of each cut, columns `SCALES`.
        pool: Cuts' worth of the factor 1 in each factor.
    """
    coded = [pd.factorize(cuts[column].astype(str), sort=True) for column in SCALES]
    overall, factors = _factors(squares, np.ones(len(squares)), [c for c, _ in coded], pool)
    return ErrorScale(overall, {
        column: dict(zip(map(str, names), values.tolist(), strict=True))
        for column, (_, names), values in zip(SCALES, coded, factors, strict=True)
    })  # fmt: skip


def _factors(
    squares: Floats, cuts: Floats, coded: Sequence[_Codes], pool: float
) -> tuple[float, list[Floats]]:
    """Return the variance and its factors from sums of squares and numbers of cuts."""
    overall = float(squares.sum() / cuts.sum()) + _TINY
    left, factors = squares / overall, []
    for codes in coded:
        total, count = np.bincount(codes, left), np.bincount(codes, cuts)
        factors.append(np.asarray((total + pool) / (count + pool)))
        left = left / factors[-1][codes]
    return overall, factors


def variance_by_others(squares: Floats, cuts: pd.DataFrame, pool: float) -> Floats:
    """Return the variance expected of each cut by the other cuts: its own error must not help.

    Cuts that no group tells apart are one sum, so that a cut costs what the groups do.

    Args:
        squares: As of `error_scale`.
        cuts: As there.
        pool: As there.
    """
    coded = [pd.factorize(cuts[column].astype(str), sort=True)[0] for column in SCALES]
    cells, cell = np.unique(np.stack(coded), axis=1, return_inverse=True)
    alike: list[_Codes] = list(cells)
    sums: Floats = np.asarray(np.bincount(cell, squares), dtype=float)
    counts = np.bincount(cell).astype(float)
    expected = np.zeros(len(squares))
    for row, (own, square) in enumerate(zip(cell, squares, strict=True)):
        others, left = sums.copy(), counts.copy()
        others[own], left[own] = max(0.0, others[own] - square), left[own] - 1.0
        overall, factors = _factors(others, left, alike, pool)
        of_row = [values[code] for values, code in zip(factors, cells[:, own], strict=True)]
        expected[row] = overall * float(np.prod(of_row))
    return expected


def conformal_reach(scaled: Floats, level: float) -> float:
    """Return the conformal quantile of absolute scaled errors: `level` of new ones stay within.

    With n errors the ceil((n + 1) x level)-th smallest serves, at most the largest.
    """
    rank = int(np.ceil((len(scaled) + 1) * level - _TINY))
    return float(np.sort(scaled)[min(rank, len(scaled)) - 1])


def common_share(error: Floats, cuts: pd.DataFrame) -> float:
    """Return the share of the squared error that two cuts of one crop and season have in common.

    Mean product of pairs over the mean square, 0 to 1: an intraclass correlation about zero.
    """
    group = [cuts["season"].astype(str), cuts["crop"].astype(str)]
    by: pd.DataFrame = (
        pd.DataFrame({"one": error, "two": error**2})
        .groupby([part.to_numpy() for part in group])
        .agg(total=("one", "sum"), squares=("two", "sum"), count=("one", "size"))
    )
    pairs = float((by["count"] * (by["count"] - 1)).sum())
    if pairs == 0:
        return 0.0
    product = float((by["total"] ** 2 - by["squares"]).sum()) / pairs
    return float(np.clip(product / (float(np.mean(error**2)) + _TINY), 0.0, 1.0))


def _checks(inside: NDArray[np.bool_], cuts: pd.DataFrame) -> dict[str, dict[str, float]]:
    return {
        str(name): {"cuts": len(part), "inside": float(part.mean())}
        for column in SCALES
        for name, part in pd.Series(inside).groupby(cuts[column].astype(str).to_numpy())
    }
