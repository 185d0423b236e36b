"""Partially pooled regression: group shifts and curve slopes, each shrunk as far as the data say.

Owns the design, the ridge solution and how unsure it is; owns no interval and no file. Shifts (of a
season, a crop, and a crop in a season) and slopes have a strength each, in "observations' worth of
doubt"; leave-one-out error chooses both, and "no strength at all" is one of the choices.

Source: Hoerl & Kennard (1970) ridge; Gelman & Hill (2007) partial pooling; Allen (1974) PRESS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fieldline.crops.series import Floats

CURVE_FEATURES = ("anomaly", "peak_step", "length_step", "drought_step", "heat_step", "flood_step")
_NONE = float("inf")


@dataclass(frozen=True)
class Strength:
    """Ridge penalties: a shift with n observations keeps n / (n + penalty) of their mean."""

    shift: float
    """Penalty of the group shifts; infinity leaves them out."""
    curve: float
    """Penalty of the curve slopes; infinity leaves them out."""


#: Strengths tried, a factor of four apart; the last is the prior itself.
STRENGTHS = tuple(
    Strength(shift, curve)
    for shift in (1.0, 4.0, 16.0, 64.0, _NONE)
    for curve in (4.0, 16.0, 64.0, _NONE)
)
PRIOR_ALONE = STRENGTHS[-1]


def groups(rows: pd.DataFrame) -> tuple[pd.Series, ...]:
    """Return the groups that each row shares a shift with: season, crop, crop in season."""
    season, crop = rows["season"].astype(str), rows["crop"].astype(str)
    return season, crop, season + "|" + crop


@dataclass(frozen=True)
class Design:
    """Columns of the regression, fixed by the observations."""

    shifts: tuple[str, ...]
    """Names of the groups that were observed."""

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Design:
        """Return the design whose shifts are the groups of these rows."""
        return cls(tuple(sorted(set(pd.concat(groups(rows))))))

    def matrix(self, rows: pd.DataFrame) -> Floats:
        """Return (rows, columns): shifts as 0/1, curve features as they are (missing: 0)."""
        names = pd.Index(self.shifts)
        member = np.zeros((len(rows), len(names)))
        for group in groups(rows):
            column = names.get_indexer(pd.Index(group))
            known = np.flatnonzero(column >= 0)
            member[known, column[known]] = 1.0
        curve = rows[list(CURVE_FEATURES)].astype(float).fillna(0.0).to_numpy()
        return np.column_stack([member, curve])

    def penalties(self, strength: Strength) -> Floats:
        """Return the penalty of each column."""
        return np.repeat([strength.shift, strength.curve], [len(self.shifts), len(CURVE_FEATURES)])


@dataclass(frozen=True)
class Pooled:
    """A fitted regression and how unsure it is of itself."""

    design: Design
    strength: Strength
    coefficients: Floats
    covariance: Floats
    """Posterior covariance of the coefficients where one observation has variance 1."""

    def predict(self, inputs: Floats) -> Floats:
        """Return the prediction for rows of `design.matrix`."""
        return np.asarray(inputs @ self.coefficients)

    def doubt(self, inputs: Floats) -> tuple[Floats, Floats]:
        """Return the prediction's variance (of all columns, of the shifts alone).

        In units of one observation's variance. A group never observed has its full prior variance.
        """
        count = len(self.design.shifts)
        shifts = inputs[:, :count]
        never = (_GROUPINGS - shifts.sum(axis=1)) / self.strength.shift
        shared = _quadratic(shifts, self.covariance[:count, :count]) + never
        return _quadratic(inputs, self.covariance) + never, shared


_GROUPINGS = 3


def _quadratic(rows: Floats, matrix: Floats) -> Floats:
    return np.asarray(np.einsum("ij,jk,ik->i", rows, matrix, rows))


def fit(design: Design, inputs: Floats, target: Floats) -> Pooled:
    """Fit with the strength whose leave-one-out error is least (in a tie, the stronger penalty)."""
    tried = [(strength, _covariance(design, inputs, strength)) for strength in STRENGTHS]
    errors = [_left_out(inputs, target, covariance) for _, covariance in tried]
    best = min(reversed(range(len(tried))), key=errors.__getitem__)
    strength, covariance = tried[best]
    return Pooled(design, strength, covariance @ (inputs.T @ target), covariance)


def prior_alone(design: Design) -> Pooled:
    """Return the regression that moves nothing."""
    columns = len(design.shifts) + len(CURVE_FEATURES)
    return Pooled(design, PRIOR_ALONE, np.zeros(columns), np.zeros((columns, columns)))


def _covariance(design: Design, inputs: Floats, strength: Strength) -> Floats:
    penalties = design.penalties(strength)
    used = np.flatnonzero(np.isfinite(penalties))
    covariance = np.zeros((len(penalties), len(penalties)))
    part = inputs[:, used]
    covariance[np.ix_(used, used)] = np.linalg.inv(part.T @ part + np.diag(penalties[used]))
    return covariance


def _left_out(inputs: Floats, target: Floats, covariance: Floats) -> float:
    """Return the mean squared leave-one-out error, in closed form (PRESS)."""
    pull = inputs @ covariance
    leverage = np.einsum("ij,ij->i", pull, inputs)
    return float(np.mean(((target - pull @ (inputs.T @ target)) / (1.0 - leverage)) ** 2))
