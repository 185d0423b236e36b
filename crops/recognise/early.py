"""Early season: what is already certain by a date.

Owns the same evaluation on series that end at one date after another, as a lender has them before
the harvest, and from which date on each class is told rightly. Everything is learnt anew for each
date: a model of the whole season cannot be asked in May.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fieldline.crops.radar_series import POLARISATIONS
from fieldline.crops.recognise.evaluate import OURS, evaluate
from fieldline.crops.recognise.points import Points
from fieldline.crops.recognise.protocols import Protocol
from fieldline.crops.settings import ClassifySettings

_FEWEST = 3
"""Steps from which a season is long enough to learn from."""
TOLD, RIGHT = 0.5, 0.9
"""A class is certain from the date on from which at least so much of it is told, and so much of
what is told as it is right, at that date and every later one; assumptions."""


def until(points: Points, step: int) -> Points:
    """Return the series as they were known after so many steps.

    Gaps were filled from both sides; a step after the last seen one keeps its value, as in a season
    that goes on, and what would have come from later dates is filled from earlier ones. Radar is
    never filled from later dates.
    """
    cube = points.cube
    seen = cube.seen[:, :step]
    last = np.where(seen, np.arange(step), -1)
    last = np.maximum.accumulate(last, axis=1)
    after = np.where(cube.seen, np.arange(cube.seen.shape[1]), cube.seen.shape[1])
    following = np.minimum.accumulate(after[:, ::-1], axis=1)[:, ::-1][:, :step]
    values = cube.values[:, :step].copy()
    late = (following >= step) & (last >= 0)
    rows, steps = np.nonzero(late)
    optical = slice(sum(name not in POLARISATIONS for name in cube.bands))  # radar comes last
    values[rows, steps, optical] = cube.values[rows, last[rows, steps], optical]
    kept = np.flatnonzero(seen.sum(axis=1) >= _FEWEST)
    return replace(
        points,
        cube=replace(cube, values=values[kept], seen=seen[kept],
                     clear_dates=seen[kept].sum(axis=1)),
        labels=points.labels[kept],
        lonlat=points.lonlat[kept],
        zone=None if points.zone is None else points.zone[kept],
        area_m2=points.area_m2[kept],
    )  # fmt: skip


def by_date(
    points: Points,
    protocol: Protocol,
    settings: ClassifySettings,
    *,
    seeds: int,
    dates: int,
    say: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Return how the model does on series that end at each of some dates.

    Args:
        points: Labelled series of a whole season.
        protocol: What is held out.
        settings: Settings of the classifier.
        seeds: Draws.
        dates: Dates, evenly over the season; the last is its end.
        say: Called with a sentence after each split.

    Returns:
        By date: steps known, day of the season where the grid tells, series with enough dates,
        accuracy and macro-F1 with intervals, share told, accuracy when told, size and coverage of
        the prediction sets, and `told_by_class`.
    """
    whole = points.cube.seen.shape[1]
    found = []
    for step in sorted({max(_FEWEST, round(whole * n / dates)) for n in range(1, dates + 1)}):
        early = until(points, step)
        run = evaluate(early, protocol, settings, seeds=seeds, beside=False, say=say)
        ours: Mapping[str, Any] = run["models"][OURS]
        days = points.grid.get("step_days")
        found.append({
            "steps": step, "day": None if days is None else step * int(days),
            "series": len(early.labels), "accuracy": ours["accuracy"],
            "macro_f1": ours["macro_f1"], **run["told"], "by_class": run["told_by_class"],
        })  # fmt: skip
    return found


def certain_from(rows: Sequence[Mapping[str, Any]]) -> dict[str, int | None]:
    """Return from which step on each class is certain; None where it is not even at the end.

    Args:
        rows: What `by_date` returned.
    """
    found: dict[str, int | None] = {}
    for name in rows[-1]["by_class"]:
        since: int | None = None
        for row in rows:
            told = row["by_class"].get(name, {"told": 0.0, "right_when_told": None})
            right = told["right_when_told"]
            sure = told["told"] >= TOLD and right is not None and right >= RIGHT
            since = (row["steps"] if since is None else since) if sure else None
        found[name] = since
    return found
