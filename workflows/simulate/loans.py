"""Finished loans of earlier years, whose outcomes follow from income shocks.

Owns the loan history. Each loan carries the features a lender knew (the definitions of the profile
table) and an outcome drawn from what the lender did not know: the year's weather and price, shared
by all, and the household's own luck.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from fieldline.workflows.simulate import papers
from fieldline.workflows.simulate.markets import in_currency
from fieldline.workflows.simulate.settings import SimulateSettings

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_YEARS = 5
#: The simulated lender's loans run as long as its season line does today.
_TENOR = dt.timedelta(days=365)
_SHARED_SD, _OWN_SD = 0.14, 0.30
#: What profiles of the simulated county look like (a test holds the two together): log land area,
#: poor year's loss of income, stability, and how many parcels were found to differ.
_LAND_HA, _LAND_LOG_SD = 0.55, 0.85
_SPREAD_LEAST, _SPREAD_SHAPE, _SPREAD_SCALE, _SPREAD_MOST = 0.28, 1.4, 0.16, 1.4
_PARCELS_MOST, _DIFFERING = 6, 0.12
#: Hazards come by years: in each a share of the farmers is hit, and how hard is drawn for each.
_HIT_SHARES, _HIT_SHAPE, _HIT_SCALE = (0.2, 0.85), 1.6, 18.0
_LATE, _PRIOR, _UNKNOWN = 0.12, 1.25, 0.1
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


@dataclass(frozen=True)
class Borrowers:
    """What the lender knew of each loan, arrays of shape (loans,), money in yuan."""

    year: Ints
    area: Floats
    q50: Floats
    q10: Floats
    need: Ints
    debt: Floats
    off_farm: Floats
    stability: Floats
    hazard: Floats
    conflicts: Ints
    prior: Ints
    late: Ints
    thin: npt.NDArray[np.bool_]


def _borrowers(settings: SimulateSettings, rng: np.random.Generator) -> Borrowers:
    count = settings.loan_history.loans
    year = rng.integers(0, _YEARS, count)
    area = np.exp(rng.normal(np.log(_LAND_HA), _LAND_LOG_SD, count)).clip(0.05, 12)
    heads = rng.integers(1, 7, count)
    q50 = area * papers.MARGIN_PER_HA * np.exp(rng.normal(0, 0.35, count))
    spread = _SPREAD_LEAST + rng.gamma(_SPREAD_SHAPE, _SPREAD_SCALE, count)
    hit = rng.random(count) < rng.uniform(*_HIT_SHARES, _YEARS)[year]
    hazard = np.where(hit, rng.gamma(_HIT_SHAPE, _HIT_SCALE, count), 0.0)
    prior = rng.poisson(_PRIOR, count)
    thin = (prior == 0) & (rng.random(count) < _UNKNOWN)
    shares = papers.debt_shares(count, settings, rng)
    off_farm = papers.off_farm_income(heads, area, settings, rng)
    return Borrowers(
        year=year,
        area=area,
        q50=q50,
        q10=q50 * (1 - np.minimum(spread, _SPREAD_MOST)),
        need=heads * settings.loan_history.need_per_head,
        debt=shares * (q50 + off_farm),
        off_farm=off_farm,
        stability=np.where(thin, np.nan, np.clip(rng.beta(7, 2.2, count), 0, 1)),
        hazard=np.minimum(hazard, 100.0),
        conflicts=rng.binomial(rng.integers(1, _PARCELS_MOST + 1, count), _DIFFERING),
        prior=prior,
        late=rng.binomial(prior, _LATE),
        thin=thin,
    )


def loan_history(settings: SimulateSettings) -> pd.DataFrame:
    """Draw the loan history with the columns of the contract, money in the settings' currency.

    Returns:
        One row per loan, sorted by `loan_id`; `defaulted` is 0 or 1.
    """
    count, rng = settings.loan_history.loans, np.random.default_rng([settings.seed, 6])
    first = next(iter(settings.seasons.values())).start
    known = _borrowers(settings, rng)
    farmer = rng.integers(0, max(count * 2 // 3, 1), count)
    principal = np.maximum(known.q50 * rng.uniform(0.25, 0.95, count), 500).round(-2)
    score = _score(known, principal, rng)
    chance = expit(score + _intercept(score, settings.loan_history.default_rate))
    defaulted = rng.random(count) < chance
    start = [first.replace(year=first.year - _YEARS + int(y), month=11) for y in known.year]
    later = rng.integers(0, 60, count)
    out = [day + dt.timedelta(days=int(d)) for day, d in zip(start, later, strict=True)]
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
            # Whole yuan: a coin of any currency of the tests states them exactly.
            "principal": in_currency(principal, settings),
            "currency": settings.currency,
            "evidence_area_ha": known.area.round(4),
            "income_q10": in_currency(known.q10.round(), settings),
            "income_q50": in_currency(known.q50.round(), settings),
            "debt_service": in_currency(known.debt.round(), settings),
            "household_need": in_currency(known.need, settings),
            "off_farm_income": in_currency(known.off_farm, settings),
            "stability": known.stability.round(4),
            "hazard_index": known.hazard.round(2),
            "conflicts": known.conflicts,
            "prior_loans": known.prior,
            "prior_late": known.late,
            "thin_file": known.thin.astype(int),
            "defaulted": defaulted.astype(int),
        }
    )


def _closed(out: list[dt.date], overrun: npt.NDArray[np.int64]) -> list[str]:
    days = zip(out, overrun, strict=True)
    return [(day + _TENOR + dt.timedelta(days=int(extra))).isoformat() for day, extra in days]


def _score(known: Borrowers, principal: Floats, rng: np.random.Generator) -> Floats:
    """Return the log-odds of default but for their level: cash over claims, luck and habits."""
    shared = rng.normal(0, _SHARED_SD, _YEARS)[known.year]
    shock = shared + rng.normal(0, _OWN_SD, len(principal)) - 0.004 * known.hazard
    cash = 0.5 * known.q50 + 0.5 * np.maximum(known.q10, 0) + 0.3 * known.off_farm
    cover = np.log((cash + 500) / (0.5 * principal + known.debt + 0.1 * known.need + 500))
    steady = np.where(known.thin, np.nanmean(known.stability), known.stability)
    return np.asarray(
        _SLOPE["cover"] * cover
        + _SLOPE["shock"] * shock
        + _SLOPE["late"] * np.minimum(known.late, 2)
        + _SLOPE["stability"] * steady
        + _SLOPE["hazard"] * known.hazard
        + _SLOPE["conflict"] * np.minimum(known.conflicts, 2)
    )
