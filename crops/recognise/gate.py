"""Gate: whether a crop model may take the place of the one that serves.

Owns the questions that an approval answers, each with its numbers, measured on labelled series that
the model has not learnt from, or, where there are none, on its own labels while their places were
held out. A damaged folder is refused before any question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fieldline.crops.model_card import f1_scores, macro_f1
from fieldline.crops.recognise.forest import Labels
from fieldline.crops.recognise.model_folder import StoredModel
from fieldline.crops.recognise.points import Points
from fieldline.pipeline.records.errors import UserError

MOST_LOSS = 0.02
"""Precision, recall or macro-F1 that a model may lose against the one that serves: less is noise of
one sample; assumption."""
FEWEST = 30
"""Series from which a class is judged on its own."""


@dataclass(frozen=True)
class Held:
    """How a model did on labelled series."""

    macro_f1: float
    majority_macro_f1: float
    by_class: Mapping[str, Mapping[str, float]]
    """Precision, recall and number of series by class."""

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {"macro_f1": self.macro_f1, "majority_macro_f1": self.majority_macro_f1,
                "by_class": {name: dict(row) for name, row in self.by_class.items()}}  # fmt: skip


def measure(stored: StoredModel, points: Points) -> Held:
    """Return how a model does on labelled series.

    Raises:
        UserError: The series lack a band of the model, or stand on other steps.
    """
    model, cube = stored.model, points.cube
    lacking = [band for band in model.bands if band not in cube.bands]
    if lacking:
        raise UserError(
            f"the model takes {', '.join(model.bands)} and the series have no "
            f"{', '.join(lacking)}", "give series with these bands"
        )  # fmt: skip
    wanted = stored.steps
    if cube.values.shape[1] != wanted:
        raise UserError(
            f"the series have {cube.values.shape[1]} dates and the model takes {wanted}",
            "give series on the same dates",
        )
    at = [cube.bands.index(band) for band in model.bands]
    cube = replace(cube, values=cube.values[..., at], bands=model.bands)
    names = sorted({*model.classes, *points.classes})
    said = model.predict(cube).probabilities.argmax(axis=1)
    guess = np.asarray([names.index(name) for name in model.classes], dtype=np.int64)[said]
    truth = np.asarray([names.index(name) for name in points.classes], dtype=np.int64)[
        points.labels
    ]
    precision, recall, _ = f1_scores(truth, guess, len(names))
    counts = np.bincount(truth, minlength=len(names))
    rows = {
        name: {"series": int(counts[at]), "precision": float(np.nan_to_num(precision[at])),
               "recall": float(recall[at])}
        for at, name in enumerate(names) if counts[at]
    }  # fmt: skip
    return Held(macro_f1(truth, guess, len(names)), _majority(truth, len(names)), rows)


def held_by_card(card: Mapping[str, Any]) -> Held:
    """Return how a model did on its own labels while their places were held out."""
    held = card["held_out"]
    return Held(held["macro_f1"], card["baselines"]["majority_macro_f1"], {})


def _majority(truth: Labels, count: int) -> float:
    return macro_f1(truth, np.full_like(truth, np.bincount(truth).argmax()), count)


def objections(new: Held, serving: Held | None, learnt_from_it: bool) -> Iterator[str]:
    """Yield why a model may not serve.

    Args:
        new: How it did.
        serving: How the model did that serves today, on the same series.
        learnt_from_it: Whether the series are those that it learnt from.
    """
    if learnt_from_it:
        yield "the series are those that the model learnt from: they judge nothing"
    if new.macro_f1 <= new.majority_macro_f1 + MOST_LOSS:
        yield (f"macro-F1 {new.macro_f1:.3f} has no skill over the commonest class "
               f"({new.majority_macro_f1:.3f})")  # fmt: skip
    if serving is None:
        return
    if new.macro_f1 < serving.macro_f1 - MOST_LOSS:
        yield f"macro-F1 falls from {serving.macro_f1:.3f} to {new.macro_f1:.3f}"
    for name, before in serving.by_class.items():
        after = new.by_class[name]
        if before["series"] < FEWEST:
            continue
        for measured in ("precision", "recall"):
            if after[measured] < before[measured] - MOST_LOSS:
                yield (f"{measured} of {name} falls from {before[measured]:.3f} to "
                       f"{after[measured]:.3f} on {before['series']} series")  # fmt: skip
