"""Evaluation: the chain's own recogniser on series that it has not seen, beside plain tools.

Owns the scores with their intervals; which series are held out is `protocols.py`'s. It calls the
function that the crops_train stage calls; the series held out stand for the county's unlabelled
parcels, as they do there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.model_card import calibration_error, f1_scores, macro_f1
from fieldline.crops.recognise.features import View
from fieldline.crops.recognise.folds import Training
from fieldline.crops.recognise.forest import Labels
from fieldline.crops.recognise.peers import peers
from fieldline.crops.recognise.places import Places
from fieldline.crops.recognise.points import Points
from fieldline.crops.recognise.presto_member import step_months
from fieldline.crops.recognise.protocols import Protocol, Split, splits, with_rare_joined
from fieldline.crops.recognise.recogniser import Answers, fit_recogniser
from fieldline.crops.recognise.sets import BANDS, area_band
from fieldline.crops.series import Floats
from fieldline.crops.settings import ClassifySettings

_DRAWS = 200
_INTERVAL = (2.5, 97.5)
OURS, PLAIN = "fieldline", "fieldline_by_label_shares"


@dataclass(frozen=True)
class Scored:
    """What every model said of the series that a split held out."""

    split: Split
    truth: Labels
    band: NDArray[np.int64]
    """Area band of each series."""
    models: dict[str, Floats]
    answers: Answers
    inside: NDArray[np.bool_]
    """Prediction sets, (series, classes)."""
    shares: dict[str, float]
    seconds: float


def training_of(
    points: Points, rows: NDArray[np.int64], settings: ClassifySettings, view: View = "full"
) -> Training:
    """Return some series as a model's training, with their folds' places.

    Args:
        points: Series.
        rows: Those to learn from.
        settings: Folds and blocks.
        view: `shape` where the model is to answer for series of another processing chain.
    """
    ids = [str(row) for row in rows]
    places = Places.of_points(ids, points.lonlat[rows])
    groups, word = places.groups(settings.folds, settings.block_m)
    present = np.unique(points.labels[rows])
    return Training(
        points.of(rows), np.searchsorted(present, points.labels[rows]), groups,
        ["file"] * len(rows), tuple(points.classes[at] for at in present), {}, view,
        points.area_m2[rows], word, step_months(points.grid, points.cube.values.shape[1]),
    )  # fmt: skip


def run_split(points: Points, split: Split, settings: ClassifySettings, *, beside: bool) -> Scored:
    """Fit on a split's labels, answer for what it holds out.

    Args:
        points: Series.
        split: Rows to learn and to answer.
        settings: Settings of the classify stage.
        beside: Whether the plain tools answer too.
    """
    begun = time.perf_counter()
    training = training_of(points, split.train, settings)
    test = points.of(split.test)
    stride = -(-len(split.test) // max(settings.population, 1))
    population = points.of(split.test[::stride]) if settings.population else None
    fitted = fit_recogniser(training, population, settings)
    model = fitted.model
    answers = model.predict(test)
    seconds = time.perf_counter() - begun
    count = len(points.classes)
    present = np.asarray([points.classes.index(name) for name in model.classes])
    band = area_band(points.area_m2[split.test])
    inside = np.zeros((len(split.test), count), dtype=bool)
    inside[:, present] = model.sets.members(answers.probabilities, band)
    models = {OURS: answers.probabilities, PLAIN: model.told(test).plain}
    models = {name: _wide(found, present, count) for name, found in models.items()}
    if beside:
        labels = points.labels[split.train]
        models |= dict(peers(training.cube, labels, test, count, split.seed))
    shares = dict(zip(model.classes, model.shares.tolist(), strict=True))
    truth = points.labels[split.test]
    return Scored(split, truth, band, models, answers, inside, shares, seconds)


def _wide(found: Floats, present: NDArray[np.int64], count: int) -> Floats:
    full = np.zeros((len(found), count))
    full[:, present] = found
    return full


def evaluate(
    points: Points,
    protocol: Protocol,
    settings: ClassifySettings,
    *,
    seeds: int,
    beside: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return all figures of a protocol.

    Args:
        points: Labelled series.
        protocol: What is held out.
        settings: Settings of the classify stage.
        seeds: Draws.
        beside: Whether plain tools are scored in the same run.
        say: Called with a sentence after each split.

    Returns:
        Scores by model with 95 % bootstrap intervals over series and draws, by zone where zones
        are held out, per class, confusion, sets, refusal, and each split's own numbers.
    """
    least = 2 * settings.min_labels_per_class
    points = with_rare_joined(points, least)
    done: list[Scored] = []
    for split in splits(points, protocol, seeds, settings.folds):
        done.append(run_split(points, split, settings, beside=beside))
        right = (done[-1].models[OURS].argmax(axis=1) == done[-1].truth).mean()
        say(
            f"{split.name or 'draw'} seed {split.seed}: {len(split.train)} labels, accuracy "
            f"{right:.4f} on {len(split.test)} series, {done[-1].seconds:.0f} s"
        )
    draws = _by_draw(done)
    counts = np.bincount(points.labels, minlength=len(points.classes))
    return {
        "protocol": {"kind": protocol.kind, "size": protocol.size, "holdout": protocol.holdout},
        "seeds": seeds,
        "series": len(points.labels),
        "classes": dict(zip(points.classes, counts.tolist(), strict=True)),
        "remarks": list(points.remarks),
        "models": {name: scores(draws, name) for name in done[0].models},
        "parts": {
            part: {name: scores(_by_draw(mine), name) for name in mine[0].models}
            for part, mine in _by_part(done).items() if protocol.holdout
        },
        "by_class": _by_class(draws, points.classes),
        "confusion": _confusion(draws, len(points.classes)),
        "told": told(done, settings),
        "told_by_class": told_by_class(done, points.classes, settings),
        "by_area": dict(_by_area(done)),
        "splits": [_of_split(one) for one in done],
        "settings": settings.model_dump(mode="json"),
    }  # fmt: skip


@dataclass(frozen=True)
class _Draw:
    """All that one draw held out, its folds or zones together."""

    truth: Labels
    models: dict[str, Floats]
    inside: NDArray[np.bool_]


def _by_draw(done: list[Scored]) -> list[_Draw]:
    seeds = sorted({one.split.seed for one in done})
    found = []
    for seed in seeds:
        mine = [one for one in done if one.split.seed == seed]
        found.append(_Draw(
            np.concatenate([one.truth for one in mine]),
            {name: np.concatenate([one.models[name] for one in mine]) for name in mine[0].models},
            np.concatenate([one.inside for one in mine]),
        ))  # fmt: skip
    return found


def _by_part(done: list[Scored]) -> dict[str, list[Scored]]:
    names = dict.fromkeys(one.split.name for one in done)
    return {name: [one for one in done if one.split.name == name] for name in names}


def scores(draws: list[_Draw], name: str) -> dict[str, Any]:
    """Return accuracy, macro-F1 and calibration error of a model: means over draws.

    Intervals hold 95 of 100 bootstrap draws of the series held out, the mean over draws each time.
    """
    measures: dict[str, Callable[[Labels, Floats], float]] = {
        "accuracy": lambda t, p: float((p.argmax(axis=1) == t).mean()),
        "macro_f1": lambda t, p: macro_f1(t, p.argmax(axis=1), p.shape[1]),
        "ece": lambda t, p: calibration_error(p, t),
    }
    random = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for measure, score in measures.items():
        values = [score(draw.truth, draw.models[name]) for draw in draws]
        again = []
        for draw in draws:
            rows = random.integers(0, len(draw.truth), (_DRAWS, len(draw.truth)))
            again.append([score(draw.truth[r], draw.models[name][r]) for r in rows])
        low, high = np.percentile(np.mean(again, axis=0), _INTERVAL)
        found[measure] = {
            "value": float(np.mean(values)), "low": float(low), "high": float(high),
            "draws": values,
        }  # fmt: skip
    return found


def _by_class(draws: list[_Draw], classes: tuple[str, ...]) -> dict[str, Any]:
    """Return precision, recall, F1 and coverage of the 90 % sets by class, means over draws."""
    rows: dict[str, Any] = {}
    parts = [f1_scores(d.truth, d.models[OURS].argmax(axis=1), len(classes)) for d in draws]
    for at, name in enumerate(classes):
        covered = [d.inside[d.truth == at, at].mean() for d in draws if (d.truth == at).any()]
        rows[name] = {
            "series": int(np.mean([(d.truth == at).sum() for d in draws])),
            "precision": float(np.mean([p[0][at] for p in parts])),
            "recall": float(np.mean([p[1][at] for p in parts])),
            "f1": float(np.mean([p[2][at] for p in parts])),
            "set_coverage": float(np.mean(covered)) if covered else None,
        }
    return rows


def _confusion(draws: list[_Draw], count: int) -> list[list[float]]:
    """Return series by true (row) and told class (column), means over draws."""
    total = np.zeros((count, count))
    for draw in draws:
        cell = draw.truth * count + draw.models[OURS].argmax(axis=1)
        total += np.bincount(cell, minlength=count * count).reshape(count, count)
    return [[float(v) for v in row] for row in total / len(draws)]


def _by_area(done: list[Scored]) -> Iterator[tuple[str, dict[str, float | int]]]:
    """Yield the coverage of the 90 % sets by area band, with the series it was measured on."""
    truth = np.concatenate([one.truth for one in done])
    inside = np.concatenate([one.inside for one in done])
    band = np.concatenate([one.band for one in done])
    hit = inside[np.arange(len(truth)), truth]
    for number in np.unique(band):
        mine = hit[band == number]
        yield BANDS[number], {"series": len(mine), "set_coverage": float(mine.mean())}


def _answered(
    done: list[Scored], settings: ClassifySettings
) -> tuple[Labels, Labels, NDArray[np.bool_]]:
    """Return true class, told class and whether it is told, of all series held out."""
    chances = np.concatenate([one.models[OURS] for one in done])
    refused = np.concatenate([one.answers.refused for one in done])
    truth = np.concatenate([one.truth for one in done])
    answered = ~refused & (chances.max(axis=1) >= settings.cannot_tell_below)
    return truth, chances.argmax(axis=1), answered


def told_by_class(
    done: list[Scored], classes: tuple[str, ...], settings: ClassifySettings
) -> dict[str, dict[str, float | None]]:
    """Return for each class the share of its series that is told, as whatever, and how much of what
    is told as that class is right; None where nothing is told as it.
    """
    truth, guess, answered = _answered(done, settings)
    found: dict[str, dict[str, float | None]] = {}
    for at, name in enumerate(classes):
        mine, so = truth == at, answered & (guess == at)
        found[name] = {
            "told": float(answered[mine].mean()) if mine.any() else None,
            "right_when_told": float(mine[so].mean()) if so.any() else None,
        }
    return found


def told(done: list[Scored], settings: ClassifySettings) -> dict[str, float | None]:
    """Return how much is answered, how often rightly, and why the rest is not."""
    truth, guess, answered = _answered(done, settings)
    refused = np.concatenate([one.answers.refused for one in done])
    inside = np.concatenate([one.inside for one in done])
    right = guess == truth
    return {
        "told": float(answered.mean()),
        "accuracy_when_told": float(right[answered].mean()) if answered.any() else None,
        "refused_as_unlike_any_label": float(refused.mean()),
        "set_coverage": float(inside[np.arange(len(truth)), truth].mean()),
        "set_size": float(inside.sum(axis=1).mean()),
    }


def _of_split(one: Scored) -> dict[str, Any]:
    return {
        "name": one.split.name, "seed": one.split.seed, "labels": len(one.split.train),
        "held_out": len(one.split.test), "county_shares": one.shares, "seconds": one.seconds,
        "accuracy": {name: float((found.argmax(axis=1) == one.truth).mean())
                     for name, found in one.models.items()},
    }  # fmt: skip
