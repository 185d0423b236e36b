"""Season effects: how much a season that was unlike a county's others moves its yield.

Owns the features and their ridge solutions; owns no level and no interval. Covariates count as
departures from the county's own mean, with hinges on both sides where asked, because a drought
takes more than a wet year gives. Slopes are shared by all counties.

Source: Hoerl & Kennard (1970); Schlenker & Roberts (2009) on effects that bend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.crops.forecast.county_years import CountyYears
from fieldline.crops.series import Floats

_FURTHEST = 4.0
"""Standard deviations beyond which a departure counts no further."""
_BEND = 0.5
"""Standard deviations on either side where a hinge begins."""
_TINY = 1e-9


@dataclass(frozen=True)
class Departures:
    """Turns covariates into departures from each county's own mean, in standard deviations."""

    names: tuple[str, ...]
    usual: pd.DataFrame
    """Mean by county, drawn to the overall one by one year's worth."""
    overall: Floats
    spread: Floats
    """Standard deviation about the county's own mean; infinite for what never changes there."""

    @classmethod
    def of(cls, past: CountyYears) -> Departures:
        """Return the departures that past years define."""
        table = past.covariates.reset_index(drop=True).astype(float)
        overall = table.mean().to_numpy()
        usual = _usual(table, past.county, overall)
        within = (table - table.groupby(past.county).transform("mean")).std(ddof=0).to_numpy()
        still = within <= _TINY * (table.std(ddof=0).to_numpy() + _TINY)  # soil: no season's
        return cls(tuple(map(str, table)), usual, overall, np.where(still, np.inf, within))

    def features(self, rows: CountyYears, *, hinges: bool) -> Floats:
        """Return (rows, features); what was not measured departs by nothing.

        What is usual in a county that was never learnt from is the mean of the rows given of it:
        its weather is known where its yields are not.
        """
        table = rows.covariates[list(self.names)].reset_index(drop=True).astype(float)
        place = self.usual.index.get_indexer(pd.Index(rows.county.astype(object)))
        usual = self.usual.to_numpy(dtype=float)[place]
        if (place < 0).any():
            own = _usual(table, rows.county, self.overall).reindex(rows.county[place < 0])
            usual[place < 0] = own.to_numpy(dtype=float)
        values = table.to_numpy(dtype=float)
        far = np.clip((values - usual) / self.spread, -_FURTHEST, _FURTHEST)
        far = np.nan_to_num(far, nan=0.0)
        if not hinges:
            return np.asarray(far)
        return np.hstack([far, np.maximum(far - _BEND, 0), np.maximum(-far - _BEND, 0)])


@dataclass(frozen=True)
class Effects:
    """Fitted slopes."""

    departures: Departures
    hinges: bool
    centre: Floats
    slopes: Floats

    def __call__(self, rows: CountyYears) -> Floats:
        """Return what the season adds to each row's level."""
        return (self.departures.features(rows, hinges=self.hinges) - self.centre) @ self.slopes


def _usual(table: pd.DataFrame, county: npt.NDArray[np.str_], overall: Floats) -> pd.DataFrame:
    by = table.groupby(county)
    return (by.sum() + overall) / (by.count() + 1)


def ridge(
    features: Floats, unexplained: Floats, doubts: Sequence[float]
) -> tuple[Floats, list[Floats]]:
    """Return the mean of features, and their slopes at several strengths of doubt.

    Args:
        features: (rows, features).
        unexplained: Yield less the county's own trend.
        doubts: Ridge penalties as shares of the rows.
    """
    centre = features.mean(axis=0)
    far = features - centre
    gram, pull = far.T @ far, far.T @ (unexplained - unexplained.mean())
    eye = np.eye(len(gram)) * len(features)
    return centre, [np.linalg.solve(gram + doubt * eye, pull) for doubt in doubts]


def fit_effects(past: CountyYears, unexplained: Floats, doubt: float, *, hinges: bool) -> Effects:
    """Fit slopes.

    Args:
        past: County-years with yields.
        unexplained: Yield less the county's own trend.
        doubt: Ridge penalty as a share of the rows.
        hinges: Whether effects may bend.
    """
    departures = Departures.of(past)
    features = departures.features(past, hinges=hinges)
    centre, slopes = ridge(features, unexplained, [doubt])
    return Effects(departures, hinges, centre, slopes[0])
