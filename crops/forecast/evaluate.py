"""Evaluate: how a county forecast does on years or counties it never saw, beside naive ones.

Owns the splits, the figures and their intervals. Every split chooses and fits anew; naive
forecasts are reckoned in the same run on the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.crops.forecast.county_years import CountyYears, joined
from fieldline.crops.forecast.levels import NAIVE, Levels
from fieldline.crops.forecast.model import CountyForecast, Unseen, fit_forecast, story
from fieldline.crops.series import Floats
from fieldline.pipeline.records.errors import UserError

_DRAWS = 1000
_SEED = 41
_ENDS = (0.025, 0.975)
_COUNTY_FOLDS = 5
_OTHER_UNIT = 5.0
"""Ratio of two tables' usual yields that no season makes, as in `slips`."""


def evaluate_later(
    train: CountyYears, test: CountyYears, baselines: Sequence[str], reference: str = ""
) -> dict[str, Any]:
    """Return the figures on later rows, learnt from `train` alone.

    Args:
        train: County-years with yields.
        test: Other county-years with yields, at least one year of them after the last of `train`.
        baselines: Naive forecasts beside it, of `NAIVE`.
        reference: The one that stands where nothing is shown to be better; empty: the usual one.

    Raises:
        UserError: A row of `test` is one of `train`, or none is later.
    """
    both = joined(train, test)
    learnt, rows = both.part(np.arange(len(train))), both.part(np.arange(len(train), len(both)))
    keys = set(zip(learnt.county.tolist(), learnt.year.tolist(), strict=True))
    again = sum(key in keys for key in zip(rows.county.tolist(), rows.year.tolist(), strict=True))
    if again:
        raise UserError(
            f"{again} rows of the test table are rows of the training table",
            "leave them out of one of the two",
        )
    _refuse_other_scale(learnt, rows)
    rows = replace(rows, remarks=(*(f"training table: {said}" for said in train.remarks),
                                  *test.remarks, *_new_counties(learnt, rows)))  # fmt: skip
    later = bool((rows.year > learnt.year.max()).all())
    model = fit_forecast(learnt, "later" if later else "year", reference)
    said = _said(model, rows, both if later else learnt)
    return _figures(rows, said, baselines) | {"model": story(model)}


def _new_counties(learnt: CountyYears, rows: CountyYears) -> list[str]:
    """Return what is to be said of counties that the training table does not know."""
    asked = np.unique(rows.county)
    new = asked[~np.isin(asked, learnt.county)]
    if not len(new):
        return []
    return [
        f"{len(new)} of {len(asked)} counties are not in the training table (first {new[0]}): "
        "their mean is that of all counties"
    ]


def _refuse_other_scale(learnt: CountyYears, rows: CountyYears) -> None:
    """Refuse yields of another size than those learnt: no season makes them, a unit does.

    Raises:
        UserError: Their medians, or those of the earlier years that a table tells, lie five times
            apart.
    """
    sizes = {"the training table's yields": learnt.target, "the test table's yields": rows.target}
    for name, table in (("training", learnt), ("test", rows)):
        sizes[f"the {name} table's earlier yields (yield-1, ...)"] = table.lags
    usual = {name: float(np.median(told)) for name, values in sizes.items()
             if len(told := values[np.isfinite(values)])}  # fmt: skip
    least, most = min(usual, key=usual.__getitem__), max(usual, key=usual.__getitem__)
    if usual[most] >= _OTHER_UNIT * usual[least]:
        raise UserError(
            f"{most} are {usual[most]:.3g} in the median and {least} {usual[least]:.3g}: they are "
            "in different units",
            "state each table's unit in its column's name, such as `yield (kg/ha)`, or convert one",
        )


def evaluate_left_out(
    table: CountyYears, unseen: Unseen, baselines: Sequence[str], reference: str = ""
) -> dict[str, Any]:
    """Return the figures on each year, or each fifth of the counties, learnt from all others.

    Args:
        table: County-years with yields.
        unseen: `year` or `county`.
        baselines: Naive forecasts beside it, of `NAIVE`.
        reference: The one that stands where nothing is shown to be better; empty: the usual one.

    Raises:
        UserError: There are not three years (or five counties).
    """
    groups = table.year if unseen == "year" else _county_folds(table)
    least = 3 if unseen == "year" else _COUNTY_FOLDS
    if len(np.unique(groups)) < least:
        many = "years" if unseen == "year" else "counties"
        raise UserError(f"the table has fewer than {least} {many} to leave out", "give more")
    said: dict[str, Floats] = {}
    choices = []
    for group in np.unique(groups):
        test = groups == group
        model = fit_forecast(table.part(~test), unseen, reference)
        choices.append(story(model) | {"left_out": int(group)})
        for name, values in _said(model, table.part(test), table.part(~test)).items():
            said.setdefault(name, np.full(len(table), np.nan))[test] = values
    return _figures(table, said, baselines) | {"models": choices}


def _county_folds(table: CountyYears) -> npt.NDArray[np.int64]:
    names, place = np.unique(table.county, return_inverse=True)
    return np.asarray(place % min(_COUNTY_FOLDS, len(names)), dtype=np.int64)


def _said(model: CountyForecast, rows: CountyYears, history: CountyYears) -> dict[str, Floats]:
    forecast = model.predict(rows, history)
    naive = Levels.of(model.past, history).naive(rows)
    return {"q10": forecast.q10, "forecast": forecast.q50, "q90": forecast.q90, **naive}


def _figures(
    rows: CountyYears, said: dict[str, Floats], baselines: Sequence[str]
) -> dict[str, Any]:
    names = ["forecast", *baselines]
    draws = _draws(rows)
    models = {
        name: {
            "rmse": _interval(rows.target, said[name], draws),
            "nrmse_percent": 100 * _rmse(rows.target - said[name]) / float(rows.target.mean()),
            "bias": float((said[name] - rows.target).mean()),
        }
        for name in names
    }
    skill = {name: _skill(rows.target, said["forecast"], said[name], draws) for name in baselines}
    by_year = {
        str(year): {
            "rows": int(at.sum()),
            **{name: _rmse((rows.target - said[name])[at]) for name in names},
            **_tails(rows.target[at], said["q10"][at], said["q90"][at]),
        }
        for year in np.unique(rows.year)
        for at in [rows.year == year]
    }
    best = min(baselines, key=lambda name: _rmse(rows.target - said[name]))
    return {
        "rows": len(rows), "counties": len(np.unique(rows.county)),
        "years": [int(rows.year.min()), int(rows.year.max())],
        "left_out": rows.left_out, "remarks": list(rows.remarks), "unit": rows.unit,
        "figures": models, "skill_over": skill, "interval_80": _tails(
            rows.target, said["q10"], said["q90"]
        ),
        "by_year": by_year, "best_baseline": best,
        "verdict": _verdict(said, skill, best),
    }  # fmt: skip


def _verdict(said: dict[str, Floats], skill: dict[str, dict[str, float]], best: str) -> str:
    """Return over which baselines the whole interval of the skill lies above nothing."""
    itself = [name for name in NAIVE if np.array_equal(said[name], said["forecast"])]
    if itself:
        return f"no skill: the forecast is the naive {itself[0]} itself"
    beaten = [name for name, figure in skill.items() if figure["low"] > 0]
    if len(beaten) == len(skill):
        return "skill over every baseline"
    if skill[best]["high"] < 0:
        return "worse than the best baseline"
    return f"skill over {', '.join(beaten)} alone" if beaten else "no skill over any baseline"


def _tails(target: Floats, low: Floats, high: Floats) -> dict[str, float]:
    below, above = float((target < low).mean()), float((target > high).mean())
    return {"inside": 1 - below - above, "below_q10": below, "above_q90": above}


def _rmse(error: Floats) -> float:
    return float(np.sqrt(np.mean(error**2)))


def _draws(rows: CountyYears) -> list[npt.NDArray[np.int64]]:
    """Return rows drawn anew: whole years where there are three, else whole counties."""
    years = len(np.unique(rows.year)) > 2
    place = pd.factorize(rows.year if years else rows.county)[0]
    members = [np.flatnonzero(place == one) for one in range(place.max() + 1)]
    rng = np.random.default_rng(_SEED)
    return [
        np.concatenate([members[one] for one in rng.integers(0, len(members), len(members))])
        for _ in range(_DRAWS)
    ]


def _interval(target: Floats, said: Floats, draws: list[npt.NDArray[np.int64]]) -> dict[str, float]:
    error = target - said
    low, high = np.quantile([_rmse(error[rows]) for rows in draws], _ENDS)
    return {"value": _rmse(error), "low": float(low), "high": float(high)}


def _skill(
    target: Floats, ours: Floats, theirs: Floats, draws: list[npt.NDArray[np.int64]]
) -> dict[str, float]:
    """Return the share of a baseline's squared error that the forecast takes off."""
    first, second = (target - ours) ** 2, (target - theirs) ** 2
    shares = [1 - first[rows].mean() / second[rows].mean() for rows in draws]
    low, high = np.quantile(shares, _ENDS)
    return {
        "value": float(1 - first.mean() / second.mean()), "low": float(low), "high": float(high),
    }  # fmt: skip


def checked_baselines(names: str) -> list[str]:
    """Return the baselines that a list by commas names.

    Raises:
        UserError: One is unknown, or none is named.
    """
    found = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    for name in found:
        checked_reference(name)
    if not found:
        raise UserError("no baseline is named", f"name some of {', '.join(NAIVE)}")
    return found


def checked_reference(name: str) -> str:
    """Return the naive forecast that is named; empty where none is.

    Raises:
        UserError: It is unknown.
    """
    if name and name not in NAIVE:
        raise UserError(f"there is no baseline {name!r}", f"name some of {', '.join(NAIVE)}")
    return name
