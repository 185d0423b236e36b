"""The crop model's card: what it learnt from, how it did where it had not looked, what it refuses.

Owns the card's content, and what is added where the model serves; the scores themselves are
`model_card.py`'s. Every figure is of labels held
out with their whole place; the levels of the prediction sets are measured on folds that set none of
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.model_card import (
    bootstrap_interval,
    calibration_error,
    class_report,
    macro_f1,
)
from fieldline.crops.recognise.clock import Clock
from fieldline.crops.recognise.folds import Training
from fieldline.crops.recognise.forest import Labels, Matrix
from fieldline.crops.recognise.recogniser import Fitted, Recogniser
from fieldline.crops.recognise.series_member import NETWORK
from fieldline.crops.recognise.sets import coverage_report, held_out_members
from fieldline.crops.recognise.shares import reweighted
from fieldline.crops.recognise.training import Gathered
from fieldline.crops.series import Floats
from fieldline.crops.settings import ClassifySettings


def crop_card(
    gathered: Gathered,
    fitted: Fitted | None,
    clock: Clock,
    settings: ClassifySettings,
    refused: dict[str, int],
) -> dict[str, Any]:
    """Return the card of a run.

    Args:
        gathered: Labels that were used and that were not.
        fitted: The model; None where nothing could be learnt.
        clock: Grid of the season.
        settings: Settings of the stage.
        refused: Survey rows left out, by outcome code.
    """
    training = gathered.training
    base: dict[str, Any] = {
        "task": "crop of a parcel and season",
        "as_of": clock.season.as_of.isoformat(),
        "clear_dates": clock.clear.model_dump(mode="json"),
        "settings": settings.model_copy(update={"threads": 1}).model_dump(mode="json"),
        "survey_rows_refused": refused,
        "labels_of_unknown_crops": gathered.unknown,
        "labels_left_out_by_code_table": gathered.left_out,
        "photographs": "not looked at: no photo model ships, no accuracy on any is claimed",
    }
    if training is None or fitted is None:
        return base | {"trained": False, "reason": gathered.reason, "counts": gathered.counts}
    folds = len(np.unique(fitted.unseen.fold))
    return base | model_story(training, fitted, settings) | {
        "trained": True,
        "data": {
            "labels": len(training.labels),
            "by_origin": {n: training.origin.count(n) for n in sorted(set(training.origin))},
            "classes": list(training.classes),
            "too_few_labels": training.rare,
            "bands": list(training.cube.bands),
            "view": training.view,
        },
        "split": f"{folds} folds; grouped by {training.block}",
    }  # fmt: skip


def model_story(training: Training, fitted: Fitted, settings: ClassifySettings) -> dict[str, Any]:
    """Return how a fitted model did on its own labels while they were held out."""
    truth, count, model = training.labels, len(training.classes), fitted.model
    plain, band, fold = model.held.plain, model.held.band, fitted.unseen.fold
    shifted = reweighted(plain, model.shares / model.learnt)
    inside = held_out_members(shifted, truth, band, fold, settings.set_coverage)
    raw = {name: macro_f1(truth, p.argmax(axis=1), count)
           for name, p in fitted.unseen.members.items()}  # fmt: skip
    return {
        "held_out": _held_out(training, plain, settings),
        "members": {
            "macro_f1": raw, "weights": model.mix.weights, "temperatures": model.mix.temperatures,
            "jittered_copies": fitted.copies, "series_network": _network_said(fitted, settings),
        } | ({} if fitted.presto is None else {"presto": fitted.presto.told(model.mix)}),
        "baselines": baselines(fitted.rows, truth, fold, count),
        "calibration": {
            "temperature": model.mix.temperature, "ece": calibration_error(plain, truth),
        },
        "class_shares": class_shares(model),
        "refusal": {
            "known_lost": settings.refuse_known, "limit": model.novelty.limit,
            "scores": sorted(model.novelty.known),
        },
        "prediction_sets": {"target": settings.set_coverage}
        | dict(coverage_report(inside, truth, band, training.classes)),
    }  # fmt: skip


def class_shares(model: Recogniser) -> dict[str, Any]:
    """Return the shares of the classes among labels and in the county."""
    return {
        "parcels": model.counted,
        "trust": model.trust,
        "labels": dict(zip(model.classes, model.learnt.tolist(), strict=True)),
        "county": dict(zip(model.classes, model.shares.tolist(), strict=True)),
    }


def served_card(
    card: Mapping[str, Any], name: str, model: Recogniser | None, told: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the card of a model where it served.

    Args:
        card: The card of its folder.
        name: What the answers call it; empty where there is none.
        model: The model with the shares of the county that it served.
        told: Where it learnt, whether it was approved, and settings of the answers.
    """
    found = {**card, "model": name, "served": dict(told)}
    return found if model is None else found | {"class_shares": class_shares(model)}


def _network_said(fitted: Fitted, settings: ClassifySettings) -> str:
    """Say whether the series network answers, and why not."""
    if fitted.model.networks is not None:
        begun = ", pre-trained on unlabelled series" if fitted.pretrained else ""
        return f"{len(fitted.model.networks.members)} networks, one per fold{begun}"
    if NETWORK in fitted.unseen.members:
        return "trained and given no weight by the folds"
    return "off by settings" if settings.network == "never" else "torch is not installed"


def _held_out(training: Training, plain: Floats, settings: ClassifySettings) -> dict[str, Any]:
    truth, count = training.labels, len(training.classes)
    guess = plain.argmax(axis=1)
    right = guess == truth
    told = plain.max(axis=1) >= settings.cannot_tell_below
    origin = np.asarray(training.origin)
    return {
        "macro_f1": macro_f1(truth, guess, count),
        "macro_f1_interval": bootstrap_interval(
            lambda rows: macro_f1(truth[rows], guess[rows], count), len(truth), settings.seed
        ),
        "accuracy": float(right.mean()),
        "accuracy_interval": bootstrap_interval(
            lambda rows: float(right[rows].mean()), len(truth), settings.seed
        ),
        "by_class": class_report(truth, guess, training.classes, settings.seed),
        "by_origin": {name: float(right[origin == name].mean()) for name in sorted(set(origin))},
        "told": float(told.mean()),
        "accuracy_when_told": float(right[told].mean()) if told.any() else None,
    }


def baselines(rows: Matrix, truth: Labels, fold: NDArray[np.int64], count: int) -> dict[str, float]:
    """Score the majority class and the nearest class centroid on the same folds."""
    common, nearest = np.zeros_like(truth), np.zeros_like(truth)
    for number in np.unique(fold):
        train, test = fold != number, fold == number
        if not train.any():
            continue
        common[test] = np.bincount(truth[train]).argmax()
        nearest[test] = nearest_centroid(rows[train], truth[train], rows[test])
    return {
        "majority_macro_f1": macro_f1(truth, common, count),
        "nearest_centroid_macro_f1": macro_f1(truth, nearest, count),
    }


def nearest_centroid(train: Matrix, labels: Labels, test: Matrix) -> Labels:
    """Return the class whose mean is nearest, each feature by its own spread."""
    spread = train.std(axis=0) + 1e-6
    present = np.unique(labels)
    centres = np.stack([train[labels == c].mean(axis=0) for c in present]) / spread
    apart = np.stack([((test / spread - centre) ** 2).sum(axis=1) for centre in centres], axis=1)
    return np.asarray(present[apart.argmin(axis=1)])
