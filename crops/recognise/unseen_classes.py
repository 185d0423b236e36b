"""Classes left out: how well other land is known for such when nobody labelled it.

Owns the test that learns all classes but one and asks for it; how a split is run is
`evaluate.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from fieldline.crops.recognise.evaluate import OURS, run_split
from fieldline.crops.recognise.points import Points
from fieldline.crops.recognise.protocols import Protocol, Split, splits, with_rare_joined
from fieldline.crops.series import Floats
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.records.errors import UserError

_SURE = 0.8


def leave_classes_out(
    points: Points, protocol: Protocol, settings: ClassifySettings, *, seeds: int
) -> dict[str, Any]:
    """Return how well each class is known for other land when nobody labelled it.

    Returns:
        By class: AUROC of the strangeness against the known classes, share refused, share of the
        known refused, and the share that is told as some crop at .8 or more, with what was told
        so if nothing were refused.
    """
    points = with_rare_joined(points, 2 * settings.min_labels_per_class)
    if len(points.classes) < 3:
        raise UserError("two classes leave none to learn", "give series of three classes or more")
    found: dict[str, Any] = {}
    for at, name in enumerate(points.classes):
        rows = [
            _left_out(points, at, replace(split, train=split.train[points.labels[split.train]
                                                                   != at]), settings)
            for split in splits(points, protocol, seeds, settings.folds)
        ]  # fmt: skip
        found[name] = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    means = {key: float(np.mean([row[key] for row in found.values()]))
             for key in next(iter(found.values()))}  # fmt: skip
    return {"by_class": found, "mean": means}


def _left_out(
    points: Points, at: int, split: Split, settings: ClassifySettings
) -> Mapping[str, float]:
    one = run_split(points, split, settings, beside=False)
    strange = one.truth == at
    top = one.models[OURS].max(axis=1)
    sure = top >= _SURE
    refused = one.answers.refused
    return {
        "auroc": auroc(one.answers.strangeness, strange),
        "refused": float(refused[strange].mean()),
        "known_refused": float(refused[~strange].mean()),
        "told_surely": float((sure & ~refused)[strange].mean()),
        "told_surely_without_refusal": float(sure[strange].mean()),
    }


def auroc(score: Floats, positive: NDArray[np.bool_]) -> float:
    """Return the chance that a positive row scores above a negative one (Mann-Whitney)."""
    ranks = rankdata(score)
    many, few = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * few))
