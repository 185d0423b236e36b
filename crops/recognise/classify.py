"""The classify stage: one crop, a probability, a prediction set, or an honest "cannot tell".

Owns `crops.parquet` and the classifier's card. Labels are surveys of this season and of earlier
ones, laid on the season's own clock, and labelled series of other parcels; truth is never read. The
one idea: training is small and whole, prediction streams, and a parcel is answered only where
cross-validation on unseen villages says that such an answer is usually right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fieldline.crops.inputs import LABELLED, SURVEY
from fieldline.crops.model_card import (
    calibration_error,
    class_report,
    content_hash,
    macro_f1,
    write_card,
)
from fieldline.crops.recognise.ensemble import (
    Labels,
    Matrix,
    Members,
    Unseen,
    best_blend,
    blend,
    conformal_threshold,
    cross_predict,
    fit_members,
    fit_temperature,
    warm,
)
from fieldline.crops.recognise.features import Cube, View, features, jitter
from fieldline.crops.recognise.labels import (
    LabelledSeries,
    SeasonLabels,
    survey_labels,
)
from fieldline.crops.recognise.training import (
    Clock,
    Training,
    county_clock,
    fold_groups,
    gather_training,
    rows_of,
)
from fieldline.crops.schemas import CROPS
from fieldline.crops.series import (
    ClearSeries,
    Floats,
    iter_clear,
    ndvi,
    stopped_parcels,
)
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.outcomes import Outcome, detail, write_outcomes
from fieldline.pipeline.records.reference import crops
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import BatchWriter, Column

STAGE = "classify"
#: Answer for land that behaves like none of the crops that were learnt.
_UNLIKE: dict[str, Any] = {"crop": None, "cannot_tell": True, "prediction_set": []}


@dataclass(frozen=True)
class CropModel:
    """A fitted, calibrated crop model."""

    members: Members
    classes: tuple[str, ...]
    view: View
    bands: tuple[str, ...]
    share: float
    """Part of the boosting member in the blend."""
    temperature: float
    threshold: float
    """Least probability that puts a class into the prediction set."""
    name: str

    def predict(self, cube: Cube) -> Floats:
        """Return calibrated class probabilities of parcels with clear dates, (parcels, classes)."""
        boosted, voted = self.members.predict(features(cube, self.view))
        return warm(blend(boosted, voted, self.share), self.temperature)


def run_classify(
    *,
    observations: Path,
    parcels: Path,
    survey: Path | None,
    earlier_observations: Sequence[Path] = (),
    earlier_surveys: Sequence[Path] = (),
    labelled_series: Path | None = None,
    labelled_format: str = "long",
    labelled_fields: Path | None = None,
    label_codes: str | None = None,
    table_columns: Mapping[str, Mapping[str, str]] = {},
    seasons: Sequence[Season],
    clear_dates: ClearSettings,
    settings: ClassifySettings,
    out: Path,
    card: Path,
    outcomes: Path,
    previous: Sequence[Path] = (),
    threads: int = 1,
) -> None:
    """Write `crops.parquet`, the model card and the stage's outcomes.

    Args:
        observations: `observations.parquet` of this season.
        parcels: `parcels.parquet`; its villages group the folds.
        survey: Survey table of this season, if any.
        earlier_observations: `observations.parquet` of every earlier season, oldest first.
        earlier_surveys: Survey table of every earlier season, oldest first, or none at all.
        labelled_series: Labelled series of other parcels, if any.
        labelled_format: `long` or `bavaria_halfmonth`.
        labelled_fields: Polygons that belong to that series, where kept apart.
        label_codes: Table of `data/` that maps the series' crop codes.
        table_columns: The lender's own column names by table and Fieldline name.
        seasons: All of these seasons, oldest first; the last is decided, and nothing after its
            as-of date is learnt or read.
        clear_dates: What a clear date is and how many a parcel needs to be classified.
        settings: Settings of the stage.
        out: Where the crops go.
        card: Where the model card goes.
        outcomes: Where outcomes go.
        previous: Outcome files of earlier stages; parcels they stopped are left out.
        threads: Threads for training; the result does not depend on it.
    """
    *past, season = seasons
    surveyed = zip(earlier_observations, earlier_surveys, past, strict=False)
    own = table_columns.get(SURVEY.name, {})
    earlier = [SeasonLabels(*part, columns=own) for part in surveyed]
    labelled = (
        None
        if labelled_series is None
        else LabelledSeries(
            labelled_series,
            labelled_format,
            labelled_fields,
            label_codes,
            table_columns.get(LABELLED.name, {}),
        )
    )
    settings = settings.model_copy(update={"threads": threads})
    stopped = stopped_parcels(previous)
    clock = county_clock(observations, labelled, season, clear_dates, settings.step_days, stopped)
    known = survey_labels(survey, season.as_of, own)
    training = gather_training(
        clock,
        observations,
        known.crop,
        earlier,
        labelled,
        fold_groups(parcels, settings.folds),
        settings,
        stopped,
    )
    fitted = None if training is None else _fit(training, settings)
    model = None if fitted is None else fitted[0]
    story: dict[str, Any] = {} if training is None or fitted is None else fitted[1]
    write_card(_card(training, story, model, clock, settings, known.refused), card)
    classes = () if model is None else model.classes
    schema = CROPS.with_columns([
        Column(f"p_{name}", pa.float64(), f"Calibrated probability of {name}", nullable=True,
               minimum=0, maximum=1) for name in classes
    ])  # fmt: skip
    results: list[Outcome] = []
    with BatchWriter(schema, out) as writer:
        for batch in iter_clear(observations, season, clear_dates.min_valid_fraction, stopped):
            rows = _answers(batch, clock, model, known.crop, settings)
            writer.write(pd.DataFrame(rows, columns=schema.names))
            results.extend(_outcome(row, model) for row in rows)
    write_outcomes(results, outcomes)


def _on_one_thread(settings: ClassifySettings) -> ClassifySettings:
    """Return the settings under which a model is known: results do not depend on its threads."""
    return settings.model_copy(update={"threads": 1})


def _fit(training: Training, settings: ClassifySettings) -> tuple[CropModel, dict[str, Any]]:
    rows = features(training.cube, training.view)

    def expand(chosen: NDArray[np.int64], random: np.random.Generator) -> tuple[Matrix, Labels]:
        part = rows_of(training.cube, chosen)
        copies = [jitter(part, random, settings) for _ in range(settings.augment)]
        inputs = [rows[chosen], *(features(copy, training.view) for copy in copies)]
        return np.concatenate(inputs), np.tile(training.labels[chosen], 1 + settings.augment)

    unseen = cross_predict(training.labels, training.groups, rows, expand, settings)
    share = best_blend(unseen, training.labels)
    mixed = blend(unseen.boosted, unseen.voted, share)
    temperature = fit_temperature(mixed, training.labels)
    calibrated = warm(mixed, temperature)
    threshold = conformal_threshold(calibrated, training.labels, settings.set_coverage)
    everything = np.arange(len(training.labels))
    inputs, targets = expand(everything, np.random.default_rng(settings.seed))
    members = fit_members(inputs, targets, len(training.classes), settings)
    name = "crop-ensemble-" + content_hash(
        rows.tobytes(),
        training.labels.tobytes(),
        _on_one_thread(settings).model_dump_json().encode(),
    )
    model = CropModel(
        members, training.classes, training.view, training.cube.bands, share, temperature,
        threshold, name,
    )  # fmt: skip
    return model, _scores(training, rows, unseen, mixed, calibrated, model, settings)


def _scores(
    training: Training,
    rows: Matrix,
    unseen: Unseen,
    mixed: Floats,
    calibrated: Floats,
    model: CropModel,
    settings: ClassifySettings,
) -> dict[str, Any]:
    truth, count = training.labels, len(training.classes)
    guess = calibrated.argmax(axis=1)
    sets = calibrated >= model.threshold
    told = calibrated.max(axis=1) >= settings.cannot_tell_below
    return {
        "unseen_villages": {
            "macro_f1": macro_f1(truth, guess, count),
            "accuracy": float((guess == truth).mean()),
            "by_class": class_report(truth, guess, training.classes, settings.seed),
            "by_origin": {
                name: float((guess == truth)[np.asarray(training.origin) == name].mean())
                for name in sorted(set(training.origin))
            },
            "told": float(told.mean()),
            "accuracy_when_told": float((guess == truth)[told].mean()) if told.any() else None,
        },
        "members": {
            "boosting_macro_f1": macro_f1(truth, unseen.boosted.argmax(axis=1), count),
            "extra_trees_macro_f1": macro_f1(truth, unseen.voted.argmax(axis=1), count),
            "share_of_boosting": model.share,
        },
        "baselines": _baselines(rows, truth, unseen.fold, count),
        "calibration": {
            "temperature": model.temperature,
            "ece_before": calibration_error(mixed, truth),
            "ece_after": calibration_error(calibrated, truth),
        },
        "prediction_sets": {
            "target": settings.set_coverage,
            "coverage": float(sets[np.arange(len(truth)), truth].mean()),
            "mean_size": float(sets.sum(axis=1).mean()),
        },
    }


def _baselines(
    rows: Matrix, truth: Labels, fold: NDArray[np.int64], count: int
) -> dict[str, float]:
    """Score the majority class and the nearest class centroid on the same folds."""
    common, nearest = np.zeros_like(truth), np.zeros_like(truth)
    for number in np.unique(fold):
        train, test = fold != number, fold == number
        common[test] = np.bincount(truth[train]).argmax()
        spread = rows[train].std(axis=0) + 1e-6
        present = np.unique(truth[train])
        centres = np.stack([rows[train & (truth == c)].mean(axis=0) for c in present]) / spread
        apart = ((rows[test, None, :] / spread - centres[None]) ** 2).sum(axis=2)
        nearest[test] = present[apart.argmin(axis=1)]
    return {
        "majority_macro_f1": macro_f1(truth, common, count),
        "nearest_centroid_macro_f1": macro_f1(truth, nearest, count),
    }


def _card(
    training: Training | None,
    story: dict[str, Any],
    model: CropModel | None,
    clock: Clock,
    settings: ClassifySettings,
    refused: dict[str, int],
) -> dict[str, Any]:
    base: dict[str, Any] = {
        "model": "" if model is None else model.name,
        "task": "crop of a parcel and season",
        "as_of": clock.season.as_of.isoformat(),
        "clear_dates": clock.clear.model_dump(mode="json"),
        "settings": _on_one_thread(settings).model_dump(mode="json"),
        "survey_rows_refused": refused,
    }
    if training is None:
        return base | {"trained": False, "reason": "fewer than two crops have enough labels"}
    return base | story | {
        "trained": True,
        "data": {
            "labels": len(training.labels),
            "by_origin": {n: training.origin.count(n) for n in sorted(set(training.origin))},
            "classes": list(training.classes),
            "too_few_labels": training.rare,
            "bands": list(training.cube.bands),
            "view": training.view,
        },
        "split": f"{settings.folds} folds grouped by village (farm where unknown)",
    }  # fmt: skip


def _answers(
    batch: ClearSeries,
    clock: Clock,
    model: CropModel | None,
    surveyed: dict[str, str],
    settings: ClassifySettings,
) -> list[dict[str, Any]]:
    cube = clock.cube(batch)
    needed = clock.clear.min_dates
    able = np.flatnonzero(cube.clear_dates >= needed)
    found: dict[int, Floats] = {}
    if model is not None and len(able):
        found = dict(zip(able.tolist(), model.predict(rows_of(cube, able)), strict=True))
    strange = _strange(cube, model, settings)
    few = {
        at: detail(clear_dates=int(dates), needed=needed)
        for at, dates in enumerate(cube.clear_dates)
        if dates < needed
    }
    rows = [
        _answer(parcel, found.get(at), few.get(at, ""), model, surveyed, settings)
        for at, parcel in enumerate(batch.parcel_ids)
    ]
    return [
        row | _UNLIKE | {"reason": strange[at]} if at in strange and not row["surveyed"] else row
        for at, row in enumerate(rows)
    ]


def _strange(cube: Cube, model: CropModel | None, settings: ClassifySettings) -> dict[int, str]:
    """Return the parcels that behave like no annual crop, with their numbers.

    A model that learnt annual crops alone has no word for a wood, a village or a greenhouse and
    would call each of them some crop.
    """
    if model is None or not all(crops()[name].annual for name in model.classes):
        return {}
    curves = ndvi({name: cube.values[:, :, at] for at, name in enumerate(cube.bands)})
    peak, low = curves.max(axis=1), curves.min(axis=1)
    found = np.flatnonzero((peak < settings.min_peak) | (low > settings.max_bare))
    return {int(at): detail(ndvi_peak=float(peak[at]), ndvi_low=float(low[at])) for at in found}


def _answer(
    parcel: str,
    chances: Floats | None,
    few_dates: str,
    model: CropModel | None,
    surveyed: dict[str, str],
    settings: ClassifySettings,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "parcel_id": parcel, "crop": None, "probability": None, "cannot_tell": True, "reason": "",
        "prediction_set": [], "surveyed": parcel in surveyed,
        "model": "" if model is None else model.name,
    }  # fmt: skip
    if model is not None:
        shown = [None] * len(model.classes) if chances is None else chances.tolist()
        row |= {f"p_{name}": value for name, value in zip(model.classes, shown, strict=True)}
    if parcel in surveyed:
        crop = surveyed[parcel]
        return row | {"crop": crop, "probability": 1.0, "cannot_tell": False,
                      "prediction_set": [crop], "model": "survey"}  # fmt: skip
    if model is None:
        return row | {"reason": "no labels to learn from"}
    if chances is None:
        return row | {"reason": few_dates}
    return row | _judged(chances, model, settings)


def _judged(chances: Floats, model: CropModel, settings: ClassifySettings) -> dict[str, Any]:
    order = np.argsort(-chances, kind="stable")
    top = int(order[0])
    plausible = [model.classes[c] for c in order if chances[c] >= model.threshold or c == top]
    sure = bool(chances[top] >= settings.cannot_tell_below)
    return {
        "crop": model.classes[top] if sure else None,
        "probability": float(chances[top]),
        "cannot_tell": not sure,
        "reason": "" if sure else detail(top=model.classes[top], probability=float(chances[top])),
        "prediction_set": plausible,
    }


def _outcome(row: dict[str, Any], model: CropModel | None) -> Outcome:
    if not row["cannot_tell"]:
        return Outcome(STAGE, row["parcel_id"], "", detail=f"crop={row['crop']}")
    if model is None:
        return Outcome(STAGE, row["parcel_id"], "", "no_labels")
    code = "too_few_dates" if row["reason"].startswith("clear_dates") else "cannot_tell"
    return Outcome(STAGE, row["parcel_id"], "", code, row["reason"])
