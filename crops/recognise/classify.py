"""The classify stage: one crop, a probability, a prediction set, or an honest "cannot tell".

Owns `crops.parquet` and the classifier's card. Labels are surveys of this season and of earlier
ones, laid on the season's own clock, and labelled series of other parcels; truth is never read. The
one idea: training is small and whole, prediction streams, and a parcel is answered only where
cross-validation on unseen villages says that such an answer is usually right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

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
from fieldline.crops.recognise.features import Cube, View, cube_of, features, jitter
from fieldline.crops.recognise.labels import (
    LabelledSeries,
    SeasonLabels,
    read_labelled,
    survey_labels,
)
from fieldline.crops.schemas import CROPS
from fieldline.crops.series import (
    ClearSeries,
    Floats,
    band_names,
    iter_clear,
    known_until,
    ndvi,
    stopped_parcels,
)
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.outcomes import Outcome, detail, write_outcomes
from fieldline.pipeline.records.reference import crops
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import BatchWriter, Column, read_table

STAGE = "classify"
#: Answer for land that behaves like none of the crops that were learnt.
_UNLIKE: dict[str, Any] = {"crop": None, "cannot_tell": True, "prediction_set": []}


@dataclass(frozen=True)
class Training:
    """Labelled parcels on the season's clock."""

    cube: Cube
    labels: Labels
    groups: list[str]
    origin: list[str]
    """Season or file that each label comes from."""
    classes: tuple[str, ...]
    rare: dict[str, int]
    """Crops with too few labels to learn, with their counts."""
    view: View


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


@dataclass(frozen=True)
class Clock:
    """The grid that all series of a run share."""

    season: Season
    steps: int
    step_days: int
    first_step: int
    last_step: int
    """Steps between which the county itself was observed: labels say nothing outside them."""
    bands: tuple[str, ...]
    clear: ClearSettings

    def cube(self, series: ClearSeries) -> Cube:
        """Bring a batch onto the grid, without steps that the county itself lacks."""
        cube = cube_of(series, self.bands, self.steps, self.step_days)
        return replace(cube, values=cube.values[:, self.first_step : self.last_step + 1])


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
    earlier = [SeasonLabels(*part) for part in surveyed]
    labelled = (
        None
        if labelled_series is None
        else LabelledSeries(labelled_series, labelled_format, labelled_fields, label_codes)
    )
    settings = settings.model_copy(update={"threads": threads})
    stopped = stopped_parcels(previous)
    clock = _clock(observations, labelled, season, clear_dates, settings.step_days, stopped)
    known = survey_labels(survey, season.as_of)
    training = _training(
        clock,
        observations,
        known.crop,
        earlier,
        labelled,
        _groups(parcels, settings.folds),
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


def _clock(
    observations: Path,
    labelled: LabelledSeries | None,
    season: Season,
    clear: ClearSettings,
    step_days: int,
    stopped: frozenset[str],
) -> Clock:
    first, last = known_until(season), 0
    for batch in iter_clear(observations, season, clear.min_valid_fraction, stopped):
        if len(batch.day):
            first, last = min(first, int(batch.day.min())), max(last, int(batch.day.max()))
    bands = band_names(observations)
    if labelled is not None:
        other = set(read_labelled(labelled, season)[0].bands)
        bands = tuple(name for name in bands if name in other)
    steps = known_until(season) // step_days + 1
    return Clock(season, steps, step_days, first // step_days, last // step_days, bands, clear)


def _groups(parcels: Path, folds: int) -> dict[str, str]:
    """Return the fold group of each parcel: the widest unit that there are enough of."""
    frame = read_table(parcels, ["parcel_id", "farmer_id", "village"])
    village = frame["village"].astype("object").where(frame["village"].notna(), frame["farmer_id"])
    units = (village, frame["farmer_id"], frame["parcel_id"])
    group = next((unit for unit in units if unit.nunique() >= folds), frame["parcel_id"])
    return dict(zip(frame["parcel_id"], group.astype(str), strict=True))


def _training(
    clock: Clock,
    observations: Path,
    labels: dict[str, str],
    earlier: Sequence[SeasonLabels],
    labelled: LabelledSeries | None,
    groups: dict[str, str],
    settings: ClassifySettings,
    stopped: frozenset[str],
) -> Training | None:
    parts: list[tuple[Cube, list[str], list[str], str]] = []
    sources = [(observations, labels, clock.season, stopped)]
    for former in earlier:
        found = survey_labels(former.survey, clock.season.as_of).crop
        sources.append((former.observations, found, former.season, frozenset()))
    for path, named, season, without in sources:
        for batch in iter_clear(path, season, clock.clear.min_valid_fraction, without):
            chosen = [p for p in batch.parcel_ids if p in named]
            cube = _rows_of(clock.cube(batch), [batch.parcel_ids.index(p) for p in chosen])
            villages = [groups.get(p, p) for p in chosen]
            parts.append((cube, [named[p] for p in chosen], villages, str(season.start)))
    if labelled is not None:
        series, crops_of = read_labelled(labelled, clock.season)
        parts.append((clock.cube(series), crops_of, list(series.parcel_ids), labelled.table.name))
    view: View = "full" if labelled is None else "shape"
    return _assemble(parts, view, clock.clear.min_dates, settings)


def _rows_of(cube: Cube, rows: Sequence[int] | NDArray[np.int64]) -> Cube:
    at = np.asarray(rows, dtype=np.int64)
    return replace(cube, values=cube.values[at], clear_dates=cube.clear_dates[at])


def _assemble(
    parts: list[tuple[Cube, list[str], list[str], str]],
    view: View,
    min_dates: int,
    settings: ClassifySettings,
) -> Training | None:
    parts = [part for part in parts if part[1]]
    if not parts:
        return None
    codes = np.asarray([crop for part in parts for crop in part[1]])
    groups = [group for part in parts for group in part[2]]
    origin = [part[3] for part in parts for _ in part[1]]
    cube = Cube(
        np.concatenate([part[0].values for part in parts]),
        parts[0][0].bands,
        np.concatenate([part[0].clear_dates for part in parts]),
    )
    usable = cube.clear_dates >= min_dates
    names, counts = np.unique(codes[usable], return_counts=True)
    common = tuple(str(n) for n in names[counts >= settings.min_labels_per_class])
    rare = {str(n): int(c) for n, c in zip(names, counts, strict=True) if n not in common}
    kept = _at_most(np.flatnonzero(usable & np.isin(codes, common)), codes, settings)
    if len(common) < 2:
        return None
    return Training(
        _rows_of(cube, kept),
        np.searchsorted(np.asarray(common), codes[kept]),
        [groups[row] for row in kept],
        [origin[row] for row in kept],
        common,
        rare,
        view,
    )


def _at_most(
    rows: NDArray[np.int64], codes: NDArray[np.str_], settings: ClassifySettings
) -> NDArray[np.int64]:
    """Draw no more than the configured number of labels of each class: training time stays flat."""
    random = np.random.default_rng(settings.seed)
    chosen = []
    for code in np.unique(codes[rows]):
        of_class = rows[codes[rows] == code]
        if len(of_class) > settings.max_labels_per_class:
            of_class = random.choice(of_class, settings.max_labels_per_class, replace=False)
        chosen.append(of_class)
    return np.sort(np.concatenate(chosen)) if chosen else rows


def _on_one_thread(settings: ClassifySettings) -> ClassifySettings:
    """Return the settings under which a model is known: results do not depend on its threads."""
    return settings.model_copy(update={"threads": 1})


def _fit(training: Training, settings: ClassifySettings) -> tuple[CropModel, dict[str, Any]]:
    rows = features(training.cube, training.view)

    def expand(chosen: NDArray[np.int64], random: np.random.Generator) -> tuple[Matrix, Labels]:
        part = _rows_of(training.cube, chosen)
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
        found = dict(zip(able.tolist(), model.predict(_rows_of(cube, able)), strict=True))
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
