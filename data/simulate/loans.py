"""Finished loans of earlier years, whose outcomes follow from income shocks.

Owns the loan history. Each loan carries the features a lender knew (the definitions of the profile
table) and an outcome drawn from what the lender did not know: the year's weather and price, shared
by all, and the household's own luck. Off-farm earnings are such an unknown.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from data.simulate.settings import SimulateSettings

Floats = npt.NDArray[np.float64]

_YEARS = 5
_TENOR = dt.timedelta(days=330)
_MARGIN_PER_HA = 9_500.0
_SHARED_SD, _OWN_SD = 0.14, 0.30
_SLOPE = {
    "cover": -1.5,
    "shock": -1.9,
    "late": 0.95,
    "stability": -1.4,
    "hazard": 0.022,
    "conflict": 0.8,
}


def _intercept(score: Floats, rate: float) -> float:
    """Return the shift that makes the mean default probability equal the rate."""
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if expit(score + middle).mean() < rate else (low, middle)
    return (low + high) / 2


def loan_history(settings: SimulateSettings) -> pd.DataFrame:
    """Draw the loan history with the columns of the contract, money in currency units.

    Returns:
        One row per loan, sorted by `loan_id`; `defaulted` is 0 or 1.
    """
    count, rng = settings.loan_history.loans, np.random.default_rng([settings.seed, 6])
    first = next(iter(settings.seasons.values())).start
    year = rng.integers(0, _YEARS, count)
    farmer = rng.integers(0, max(count * 2 // 3, 1), count)
    area = np.exp(rng.normal(np.log(0.7), 0.75, count)).clip(0.05, 12)
    heads = rng.integers(1, 7, count)
    q50 = area * _MARGIN_PER_HA * np.exp(rng.normal(0, 0.35, count))
    q10 = q50 * rng.uniform(0.45, 0.82, count)
    need = heads * settings.loan_history.need_per_head
    debt = np.where(rng.random(count) < 0.45, 0, rng.gamma(1.5, 1500, count))
    principal = np.maximum(q50 * rng.uniform(0.25, 0.95, count), 1000).round(-2)
    prior = rng.poisson(1.3, count)
    late = rng.binomial(prior, 0.12)
    stability = np.clip(rng.beta(7, 2.2, count), 0, 1)
    hazard = np.clip(rng.gamma(2.2, 9, count), 0, 100)
    conflicts = (rng.random(count) < 0.08).astype(int)
    shared = rng.normal(0, _SHARED_SD, _YEARS)[year]
    shock = shared + rng.normal(0, _OWN_SD, count) - 0.004 * (hazard - hazard.mean())
    cover = np.log((q50 + 0.15 * q10) / (principal * 0.5 + debt + 0.02 * need))
    score = _score(cover, shock, late, stability, hazard, conflicts)
    chance = expit(score + _intercept(score, settings.loan_history.default_rate))
    defaulted = rng.random(count) < chance
    out = [first.replace(year=first.year - _YEARS + int(y), month=11) for y in year]
    out = [
        day + dt.timedelta(days=int(d))
        for day, d in zip(out, rng.integers(0, 60, count), strict=True)
    ]
    overrun = np.where(defaulted, rng.integers(91, 200, count), -rng.integers(0, 30, count))
    return pd.DataFrame(
        {
            "loan_id": [f"L{i + 1:07d}" for i in range(count)],
            "farmer_id": [f"P{i + 1:07d}" for i in farmer],
            "household_id": [f"Q{i * 6 // 7 + 1:07d}" for i in farmer],
            "season": [str(day.year + 1) for day in out],
            "disbursed_on": [day.isoformat() for day in out],
            "due_on": [(day + _TENOR).isoformat() for day in out],
            "closed_on": _closed(out, overrun),
            "principal": principal.round(2),
            "currency": "CNY",
            "evidence_area_ha": area.round(4),
            "income_q10": q10.round(2),
            "income_q50": q50.round(2),
            "debt_service": debt.round(2),
            "household_need": need,
            "stability": stability.round(4),
            "hazard_index": hazard.round(2),
            "conflicts": conflicts,
            "prior_loans": prior,
            "prior_late": late,
            "thin_file": (prior == 0).astype(int),
            "defaulted": defaulted.astype(int),
        }
    )


def _closed(out: list[dt.date], overrun: npt.NDArray[np.int64]) -> list[str]:
    days = zip(out, overrun, strict=True)
    return [(day + _TENOR + dt.timedelta(days=int(extra))).isoformat() for day, extra in days]


def _score(
    cover: Floats, shock: Floats, late: npt.NDArray[np.int64], stability: Floats, hazard: Floats,
    conflicts: npt.NDArray[np.int64],
) -> Floats:  # fmt: skip
    return np.asarray(
        _SLOPE["cover"] * cover
        + _SLOPE["shock"] * shock
        + _SLOPE["late"] * np.minimum(late, 2)
        + _SLOPE["stability"] * stability
        + _SLOPE["hazard"] * hazard
        + _SLOPE["conflict"] * conflicts
    )
