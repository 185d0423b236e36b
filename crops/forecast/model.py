"""The county forecast: a naive level, moved by the season as far as unseen years say that it pays.

Owns the choice and the interval. The level is learnt on what the forecast is for (later years,
years between known ones, counties never seen), how far the season moves it on each year left out;
where that does not beat the level alone by a margin, the level stands. The same unseen errors, each
year with one voice, make the interval, whose ends leave a tenth of an unseen year outside each.
How levels are weighed is `weights`'s, and when that may replace the naive one `guard`'s.

Source: Bergmeir & Benitez (2012) on forward validation; Barber et al. (2021) jackknife+.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from fieldline.crops.forecast.county_years import CountyYears
from fieldline.crops.forecast.effects import Departures, Effects, fit_effects, ridge
from fieldline.crops.forecast.guard import (
    LIKELY,
    guarded_weights,
    pays,
    standard_error,
    unseen_errors,
)
from fieldline.crops.forecast.levels import LEVELS, NAIVE, Levels
from fieldline.crops.series import Floats
from fieldline.pipeline.records.errors import UserError

Unseen = Literal["later", "year", "county"]
"""What a forecast is for: a later year, a year between known ones, or a county never seen."""
REFERENCE: Mapping[Unseen, str] = {"later": "last5", "year": "mean", "county": "mean"}
"""The naive level that stands where nothing better is shown: named before any yield is read. A
year between known ones has the mean of its neighbours, a later one the last of them."""
DOUBTS = (0.02, 0.06, 0.2, 0.6)
_OF_FEW = "mean"
"""Level of what is too little to choose by."""
_MEAN, _TREND = (tuple(float(name == one) for name in LEVELS) for one in (_OF_FEW, "trend"))
_FIRST_YEARS = 4
"""Years that the first forward fit has at least."""
_LEAST_YEARS = 3
"""Fewer years than this choose nothing: the mean stands."""
_FOLDS = 5
_POOL = 8.0
"""Years' worth of all counties in the spread of one."""
_OUTSIDE = 0.2
_LEVELS = np.linspace(0.5, 0.998, 250)


@dataclass(frozen=True)
class Choice:
    """A level and how the season moves it."""

    weights: tuple[float, ...]
    """How much each level of `LEVELS` counts; of sum one."""
    doubt: float | None = None
    """Ridge penalty as a share of the rows; None where the season moves nothing."""
    hinges: bool = False


@dataclass(frozen=True)
class Forecast:
    """What is forecast of rows, in the table's unit."""

    q10: Floats
    q50: Floats
    q90: Floats


@dataclass(frozen=True)
class CountyForecast:
    """A fitted forecast."""

    choice: Choice
    past: CountyYears
    effects: Effects | None
    unseen_rmse: dict[str, float]
    """Error on what was left out, of the choice (`chosen`) and of each naive level."""
    gain: tuple[float, float]
    """What the season takes off the squared error of years that did not choose how, as a share, and
    its standard error; zeros without covariates."""
    reach: float
    """Half of the 80 % interval, in spreads of the county's unseen error."""
    spread: dict[str, float]
    """Spread of the unseen error by county."""
    new_spread: float
    """The same of a county that is not known: how far counties differ comes to it."""
    reference: str = "mean"
    """The naive level that stands where nothing is shown to be better."""

    @property
    def skilled(self) -> bool:
        """Whether the season moves the forecast."""
        return self.choice.doubt is not None

    @property
    def plain(self) -> bool:
        """Whether the forecast is the reference itself."""
        return not self.skilled and self.choice.weights[LEVELS.index(self.reference)] == 1.0

    def predict(self, rows: CountyYears, history: CountyYears | None = None) -> Forecast:
        """Forecast rows.

        Args:
            rows: Counties and years; yields are not read.
            history: Years known by then beyond those that the forecast learnt from.
        """
        levels = Levels.of(self.past, history)
        moved = _moved(levels.naive(rows), self.effects, rows)
        middle = moved @ np.array(self.choice.weights)
        spread = pd.Series(rows.county).map(self.spread).fillna(self.new_spread).to_numpy(float)
        half = self.reach * spread
        return Forecast(np.maximum(middle - half, 0.0), np.maximum(middle, 0.0), middle + half)


def fit_forecast(
    past: CountyYears, unseen: Unseen = "later", reference: str = ""
) -> CountyForecast:
    """Choose and fit a forecast.

    Args:
        past: County-years with yields.
        unseen: What will be forecast; the same is left out to choose.
        reference: Naive level that stands unless another is shown to be better; empty: the one of
            `REFERENCE`.

    Raises:
        UserError: There are not two years, or too few to judge any level but the mean and another
            one is named.
    """
    if len(np.unique(past.year)) < 2:
        raise UserError(
            "the yields are of one year: nothing can be said of another", "give more years"
        )
    folds = list(_folds(past, unseen))
    if len(folds) < 2 or len(np.unique(past.year)) < _LEAST_YEARS:
        if reference not in ("", _OF_FEW):
            raise UserError(
                f"{len(np.unique(past.year))} years of {len(np.unique(past.county))} counties are "
                f"too few for the reference {reference!r}: no error of it can be seen",
                "give more (four years before a later one, three around another, two counties), or "
                f"leave --reference out: the county {_OF_FEW} stands",
            )
        return _of_few(past)
    season, gain = _season(past, unseen)
    named = reference or REFERENCE[unseen]
    moved, naive = (np.full((len(past), len(LEVELS)), np.nan) for _ in range(2))
    voices = np.full(len(past), -1)
    for place, (train, test) in enumerate(folds):
        learnt, rows = past.part(train), past.part(test)
        levels = Levels.of(learnt).naive(rows)
        naive[test] = np.column_stack([levels[name] for name in LEVELS])
        moved[test] = _moved(levels, _effects(learnt, season), rows)
        voices[test] = place
    errors, with_season = (
        [values[test] - past.target[test][:, None] for _, test in folds]
        for values in (naive, moved)
    )
    weights = guarded_weights(errors, with_season, LEVELS.index(named), forward=unseen == "later")
    said = dict(zip(NAIVE, naive.T, strict=False)) | {"chosen": moved @ weights}
    seen = voices >= 0
    error, counties = (past.target - said["chosen"])[seen], past.county[seen]
    spread, usual = _spreads(error, counties)
    scaled = error / pd.Series(counties).map(spread).to_numpy(dtype=float)
    return CountyForecast(
        replace(season, weights=tuple(weights.tolist())), past, _effects(past, season),
        {name: _by_voice((past.target - values)[seen], voices[seen])
         for name, values in said.items()},
        gain, _reach(scaled, voices[seen]), spread,
        usual if unseen == "county" else float(np.hypot(usual, _between(past))), named,
    )  # fmt: skip


def _by_voice(error: Floats, voices: npt.NDArray[np.int64]) -> float:
    """Return the root of the mean squared error, each part with one voice."""
    return float(np.sqrt(pd.Series(error**2).groupby(voices).mean().mean()))


def _season(past: CountyYears, unseen: Unseen) -> tuple[Choice, tuple[float, float]]:
    """Choose how far the season moves a level, on each year (or counties) left out.

    Of the choices whose error lies within a standard error of the least, the one in the middle by
    its doubt wins: more doubt forgets droughts, less of it learns one county's chance.
    """
    alone = Choice(_TREND)
    if not len(past.covariates.columns):
        return alone, (0.0, 0.0)
    squares: dict[Choice, list[float]] = {}
    for train, test in _folds(past, "year" if unseen == "later" else unseen):
        learnt, rows = past.part(train), past.part(test)
        levels = Levels.of(learnt)
        left = rows.target - levels.naive(rows)["trend"]
        squares.setdefault(alone, []).append(float(np.mean(left**2)))
        unexplained = learnt.target - levels.naive(learnt)["trend"]
        usual = Departures.of(learnt)
        bent, ahead = (usual.features(part, hinges=True) for part in (learnt, rows))
        for hinges in (False, True):
            count = bent.shape[1] if hinges else len(usual.names)  # straight ones stand first
            centre, slopes = ridge(bent[:, :count], unexplained, DOUBTS)
            for doubt, slope in zip(DOUBTS, slopes, strict=True):
                error = float(np.mean((left - (ahead[:, :count] - centre) @ slope) ** 2))
                squares.setdefault(Choice(_TREND, doubt, hinges), []).append(error)
    return _worth(squares, alone)


def _worth(
    squares: Mapping[Choice, Sequence[float]], alone: Choice
) -> tuple[Choice, tuple[float, float]]:
    """Return the choice, and what choosing takes off the error of parts that did not choose."""
    found = {choice: np.asarray(errors) for choice, errors in squares.items()}
    best = min(found, key=lambda choice: float(found[choice].mean()))
    chosen = unseen_errors(np.array(list(found.values())))
    gaps, usual = found[alone] - chosen, float(found[alone].mean()) or 1.0
    told = float(gaps.mean()) / usual, standard_error(gaps) / usual
    if best == alone or not pays(found[alone], chosen, LIKELY):
        return alone, told
    near = [
        choice for choice, errors in found.items()
        if choice.doubt is not None
        and float((errors - found[best]).mean()) <= standard_error(errors - found[best])
    ]  # fmt: skip
    near.sort(key=lambda choice: (choice.doubt or 0.0, not choice.hinges))
    return near[len(near) // 2], told


def _folds(
    past: CountyYears, unseen: Unseen
) -> Iterator[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    """Yield (fit, left out) as what will be forecast lies to what is known."""
    if unseen == "county":
        names, number = np.unique(past.county, return_inverse=True)
        for fold in range(min(_FOLDS, len(names))):
            yield number % _FOLDS != fold, number % _FOLDS == fold
        return
    years = np.unique(past.year)
    for place, year in enumerate(years):
        if unseen == "year" or place >= min(_FIRST_YEARS, max(2, len(years) - 3)):
            yield (past.year < year if unseen == "later" else past.year != year), past.year == year


def _effects(past: CountyYears, season: Choice) -> Effects | None:
    if season.doubt is None:
        return None
    unexplained = past.target - Levels.of(past).naive(past)["trend"]
    return fit_effects(past, unexplained, season.doubt, hinges=season.hinges)


def _moved(naive: Mapping[str, Floats], effects: Effects | None, rows: CountyYears) -> Floats:
    """Return (rows, levels), each level with what the season adds."""
    levels = np.column_stack([naive[name] for name in LEVELS])
    return levels if effects is None else levels + effects(rows)[:, None]


def _spreads(error: Floats, counties: npt.NDArray[np.str_]) -> tuple[dict[str, float], float]:
    """Return the spread of each county's error, drawn to all counties', and theirs."""
    overall = float(np.mean(error**2)) or np.finfo(float).tiny
    by = pd.Series(error**2).groupby(counties)
    pooled = ((by.sum() + _POOL * overall) / (by.count() + _POOL)) ** 0.5
    return {str(name): float(value) for name, value in pooled.items()}, float(np.sqrt(overall))


def _between(past: CountyYears) -> float:
    """Return the standard deviation of counties' means: what a county never seen may be off by."""
    means = Levels.of(past).mean
    return float(means.std(ddof=1)) if len(means) > 1 else float(past.target.std())


def _reach(scaled: Floats, voices: npt.NDArray[np.int64]) -> float:
    """Return how many spreads either way hold all but a tenth of an unseen year's counties.

    Years differ as a whole, so a quantile of all known years' errors leaves more than its share of
    a new year outside. Each year is therefore held against the quantile of the others, and the
    level is taken at which a fifth falls outside on average. Both sides count as one: a dozen years
    cannot tell a level that rises from years that happened to be good.
    """
    parts = [np.sort(np.abs(scaled[voices == name])) for name in np.unique(voices)]
    outside = np.zeros(len(_LEVELS))
    for place, part in enumerate(parts):
        limits = _quantiles([other for at, other in enumerate(parts) if at != place], _LEVELS)
        outside += 1 - np.searchsorted(part, limits, side="right") / len(part)
    level = _LEVELS[int(np.argmin(np.abs(outside / len(parts) - _OUTSIDE)))]
    return float(_quantiles(parts, np.array([level]))[0])


def _quantiles(parts: Sequence[Floats], levels: Floats) -> Floats:
    """Return quantiles of errors in which every part has one voice."""
    values = np.concatenate(parts)
    weights = np.concatenate([np.full(len(part), 1 / len(part)) for part in parts])
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) - weights[order] / 2
    return np.interp(levels * len(parts), reached, values[order])


def _of_few(past: CountyYears) -> CountyForecast:
    """Return the county mean with an interval of Student's t: too few years to choose by."""
    mean = Levels.of(past).naive(past)["mean"]
    years = len(np.unique(past.year))
    spread, usual = _spreads(past.target - mean, past.county)
    reach = float(stats.t.ppf(0.9, years - 1)) * float(np.sqrt((years + 1) / (years - 1)))
    rmse = float(np.sqrt(np.mean((past.target - mean) ** 2)))
    return CountyForecast(
        Choice(_MEAN), past, None, {"chosen": rmse, "mean": rmse}, (0.0, 0.0), reach,
        dict.fromkeys(spread, usual), float(np.hypot(usual, _between(past))),
    )  # fmt: skip


def story(model: CountyForecast) -> dict[str, object]:
    """Return what a card says of a forecast."""
    return {
        "choice": dataclasses.asdict(model.choice)
        | {"weights": dict(zip(LEVELS, model.choice.weights, strict=True))},
        "reference": model.reference,
        "is_the_reference": model.plain,
        "skill": model.skilled,
        "unseen_rmse": model.unseen_rmse,
        "gain_of_season": {"value": model.gain[0], "standard_error": model.gain[1]},
        "reach": model.reach,
        "years": [int(model.past.year.min()), int(model.past.year.max())],
        "counties": len(np.unique(model.past.county)),
        "rows": len(model.past),
        "covariates": list(map(str, model.past.covariates)),
    }
