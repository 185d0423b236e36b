"""County level: what a county's yield of a crop will be in a year, and how far it may stray.

Owns the two ways to say it. Alone, a county's own last years give a mean and Student's t, its
spread drawn to what counties usually have: few years promise little. The more years it has, the
more its own errors on years that were left out say how far the next may stray. Among other counties
the forecast of `crops.forecast` speaks, moved by the season where that paid in unseen years. Which
rows were known is `priors`'s.

Source: Gelman et al. (2013), Bayesian Data Analysis, 3.3 (normal data, scaled inverse chi-square);
Vovk et al. (2005) on conformal intervals.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from fieldline.crops.forecast.county_years import CountyYears
from fieldline.crops.forecast.model import CountyForecast, fit_forecast, story
from fieldline.crops.series import Floats
from fieldline.crops.value.prices import Z80

USUAL_YEARS = 3.0
"""Years' worth of the usual spread in a county's own (chosen on CY-Bench's counties: after 2, 3 and
5 known years 8 to 10 % of the next ones lie below the lower tenth)."""
FEW_UNSEEN, MANY_UNSEEN = 5, 20
"""Left-out years of a county that say nothing yet of how far its next year strays, and that say it
by themselves. Between them they say their part, so that no further year throws the interval about:
one lost harvest of ten is no part of what eight in ten stay within."""
_FIRST_MEAN = 3
"""Years that the first of those means has at least."""
_INSIDE = 0.8
LEAST_YEARS = 8
"""Fewer years of a table than this choose no forecast among counties."""
MANY_YEARS = 15
"""With fewer years a forecast that knows nothing of the season is no surer than the county's years
alone."""
_NO_ERRORS: Floats = np.empty(0)
_FURTHEST = 0.05
"""Share of the forecast that its lower tenth is at least, and of a mean at which a lost year
stands in logs: a lognormal has no zero, and to a lender a twentieth is as lost as nothing."""


@dataclass(frozen=True)
class Outlook:
    """What is expected of a county's yield in one year."""

    t_ha: float
    log_sd: float
    """Log sd of the lognormal whose lower tenth is that of the prediction."""
    told: dict[str, Any] = field(default_factory=dict)
    """What a card says of it."""


def unseen_errors(values: Floats, years: int) -> Floats:
    """Return the log of each year's yield over the mean of the years before it, where it has one.

    Args:
        values: Yields of a county's known years, oldest first, t/ha.
        years: How many years form a mean; the first years have fewer, three at least.
    """
    told = range(_FIRST_MEAN, len(values))
    means = [values[max(0, place - years) : place].mean() for place in told]
    logs = [
        np.log(max(now / mean, _FURTHEST))
        for now, mean in zip(values[_FIRST_MEAN:], means, strict=True)
        if mean > 0
    ]
    return np.array(logs)


def _logs(values: Floats) -> Floats:
    """Return the logs of a county's yields, of which one at least is above zero."""
    floored: Floats = np.maximum(values, _FURTHEST * values.mean())
    return np.log(floored)


def alone(values: Floats, usual_sd: float, unseen: Floats = _NO_ERRORS) -> Outlook:
    """Return the outlook of a county of which nothing but its own last years is known.

    With up to `FEW_UNSEEN` errors the spread is that of the years and `USUAL_YEARS` years of the
    usual spread; the interval is of Student's t with as many degrees of freedom, because the spread
    itself is known no better, and widened by the error of the mean. From `MANY_UNSEEN` on it is
    conformal: the errors of the same mean on years that it was not made of, either way. Between
    them its log reach goes from the one to the other by equal steps.

    Args:
        values: Yields of the last known years, t/ha; one at least above zero.
        usual_sd: Log sd between the years of a usual county.
        unseen: Log errors of such means in this county (`unseen_errors`).
    """
    mean, count = float(values.mean()), len(values)
    told = {"method": "mean of the county's last years", "years": count, "skill": False}
    logs = _logs(values)
    freedom = USUAL_YEARS + count - 1
    squares = float(((logs - logs.mean()) ** 2).sum())
    spread = np.sqrt((USUAL_YEARS * usual_sd**2 + squares) / freedom)
    times = float(stats.t.ppf(0.9, freedom)) * np.sqrt(1 + 1 / count)
    # The mean lies above the median, from which the lower tenth is reckoned.
    reach = float(spread * times + np.log(mean) - logs.mean())
    weight = min((len(unseen) - FEW_UNSEEN) / (MANY_UNSEEN - FEW_UNSEEN), 1.0)
    if weight > 0:
        # A rank rounded up, as is usual, would leave the worst year out at a stroke.
        own = float(np.quantile(np.abs(unseen), _INSIDE, method="weibull"))
        reach += weight * (own - reach)
        told |= {"left_out_years": len(unseen), "left_out_weight": round(weight, 2)}
    return Outlook(mean, reach / Z80, told)


def usual_spread(others: CountyYears, documented: float) -> float:
    """Return the log sd between the years of other counties, drawn to the documented one."""
    squares, freedom = USUAL_YEARS * documented**2, USUAL_YEARS
    for county in np.unique(others.county):
        yields = others.target[others.county == county]
        if not yields.any():
            continue
        own = _logs(yields)
        squares += float(((own - own.mean()) ** 2).sum())
        freedom += len(own) - 1
    return float(np.sqrt(squares / freedom))


def among(
    past: CountyYears, county: str, year: int, own: Outlook, season: CountyYears | None
) -> Outlook:
    """Return the outlook of a county in a table of many.

    Args:
        past: County-years with yields that were known.
        county: The county, which has known years.
        year: The year that is asked for.
        own: The outlook of its own years alone.
        season: One row of that county and year with what was measured of the season; None where
            nothing was.
    """
    row = _bare(county, year) if season is None else season
    measured = [str(name) for name in row.covariates if np.isfinite(row.covariates[name].iloc[0])]
    model = fit_forecast(past.with_covariates(measured))
    said = model.predict(row.with_covariates(measured), past)
    middle = max(float(said.q50[0]), _FURTHEST)
    low = max(float(said.q10[0]), _FURTHEST * middle)
    sd = float(np.log(middle / low)) / Z80 * _few_years(past, county)
    if len(np.unique(past.year)) < MANY_YEARS and not model.skilled:
        sd = max(sd, own.log_sd)
    return Outlook(middle, sd, _told(model))


def _few_years(past: CountyYears, county: str) -> float:
    """Return what a level of fewer years than the table's adds to its error."""
    own, all_years = int((past.county == county).sum()), len(np.unique(past.year))
    return float(np.sqrt((1 + 1 / max(own, 1)) / (1 + 1 / all_years)))


def _bare(county: str, year: int) -> CountyYears:
    return CountyYears.of_columns([county], [year], [np.nan])


def _told(model: CountyForecast) -> dict[str, Any]:
    best = min(error for name, error in model.unseen_rmse.items() if name != "chosen")
    return {
        "method": "forecast among counties", **story(model),
        "unseen_rmse_of_best_naive": best,
        "skill_over_naive": 1 - (model.unseen_rmse["chosen"] / best) ** 2 if best else 0.0,
    }  # fmt: skip
