"""The classify stage: one crop, a probability, a prediction set, or an honest "cannot tell".

Owns `crops.parquet` and the stage's outcomes. Labels are surveys of this season and of earlier
ones, laid on the season's own clock, and labelled series of other parcels; truth is never read. The
one idea: training is small and whole, prediction streams, and a parcel is answered only where it is
like something that was labelled and such an answer is usually right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fieldline.crops.inputs import LABELLED, SURVEY
from fieldline.crops.model_card import content_hash, write_card
from fieldline.crops.recognise.crop_card import crop_card
from fieldline.crops.recognise.features import Cube, rows_of
from fieldline.crops.recognise.label_tables import LabelledSeries
from fieldline.crops.recognise.labels import (
    SeasonLabels,
    SurveyLabels,
    survey_labels,
)
from fieldline.crops.recognise.places import parcel_places
from fieldline.crops.recognise.recogniser import Answers, Fitted, Recogniser, fit_recogniser
from fieldline.crops.recognise.sets import area_band
from fieldline.crops.recognise.training import (
    Clock,
    Gathered,
    county_clock,
    crops_by_parcel,
    gather_population,
    gather_training,
)
from fieldline.crops.schemas import CROPS
from fieldline.crops.series import ClearSeries, Ints, iter_clear, ndvi, stopped_parcels
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.outcomes import Outcome, detail, write_outcomes
from fieldline.pipeline.records.reference import crops
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import BatchWriter, Column

STAGE = "classify"
#: Answer for land that behaves like nothing that was learnt.
_UNLIKE: dict[str, Any] = {"crop": None, "cannot_tell": True, "prediction_set": []}


@dataclass(frozen=True)
class _Served:
    """What answers the parcels of a run."""

    model: Recogniser | None
    name: str
    clock: Clock
    surveyed: SurveyLabels
    area_m2: Mapping[str, float]
    settings: ClassifySettings


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
        parcels: `parcels.parquet`; its villages or outlines group the folds.
        survey: Survey table of this season, if any.
        earlier_observations: `observations.parquet` of every earlier season, oldest first.
        earlier_surveys: Survey table of every earlier season, oldest first, or none at all.
        labelled_series: Labelled series of other parcels, if any.
        labelled_format: `long` or `bavaria_halfmonth`.
        labelled_fields: Polygons that belong to that series, where kept apart: near ones share a
            fold.
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
    places = parcel_places(parcels)
    gathered = gather_training(
        clock, observations, known, earlier, labelled, places, settings, stopped
    )
    fitted = _fit(gathered, clock, observations, known, settings, stopped)
    name = "" if fitted is None else model_name(fitted, settings)
    write_card(crop_card(gathered, fitted, name, clock, settings, known.refused), card)
    area = dict(zip(places.parcel_ids, places.area_m2.tolist(), strict=True))
    model = None if fitted is None else fitted.model
    served = _Served(model, name, clock, known, area, settings)
    _answer_all(served, observations, stopped, out, outcomes)


def _fit(
    gathered: Gathered, clock: Clock, observations: Path, known: SurveyLabels,
    settings: ClassifySettings, stopped: frozenset[str],
) -> Fitted | None:  # fmt: skip
    training = gathered.training
    if training is None:
        return None
    population = gather_population(
        clock, observations, crops_by_parcel(known), settings.population, stopped
    )
    here = set(training.origin) == {str(clock.season.start)}
    return fit_recogniser(training, population, settings, of_this_county=here)


def model_name(fitted: Fitted, settings: ClassifySettings) -> str:
    """Return the name of a fitted model: it changes with labels, population and settings."""
    model = fitted.model
    alone = settings.model_copy(update={"threads": 1}).model_dump_json()
    return "crop-ensemble-" + content_hash(
        fitted.rows.tobytes(), "|".join(model.classes).encode(), model.shares.tobytes(),
        alone.encode(),
    )  # fmt: skip


def _answer_all(
    served: _Served, observations: Path, stopped: frozenset[str], out: Path, outcomes: Path
) -> None:
    classes = () if served.model is None else served.model.classes
    schema = CROPS.with_columns([
        Column(f"p_{name}", pa.float64(), f"Calibrated probability of {name}", nullable=True,
               minimum=0, maximum=1) for name in classes
    ])  # fmt: skip
    results: list[Outcome] = []
    clear = served.clock.clear.min_valid_fraction
    with BatchWriter(schema, out) as writer:
        for batch in iter_clear(observations, served.clock.season, clear, stopped):
            rows = _answers(batch, served)
            writer.write(pd.DataFrame(rows, columns=schema.names))
            results.extend(_outcome(row, served.model) for row in rows)
    write_outcomes(results, outcomes)


def _answers(batch: ClearSeries, served: _Served) -> list[dict[str, Any]]:
    cube = served.clock.cube(batch)
    needed = served.clock.clear.min_dates
    able = np.flatnonzero(cube.clear_dates >= needed)
    judged: dict[int, dict[str, Any]] = {}
    if served.model is not None and len(able):
        area = [served.area_m2.get(batch.parcel_ids[at], np.nan) for at in able]
        part = rows_of(cube, able)
        found = _judged(served.model, part, area_band(np.asarray(area)), served.settings)
        judged = dict(zip(able.tolist(), found, strict=True))
    few = {
        at: detail(clear_dates=int(dates), needed=needed)
        for at, dates in enumerate(cube.clear_dates)
        if dates < needed
    }
    return [
        _answer(parcel, judged.get(at), few.get(at, ""), served)
        for at, parcel in enumerate(batch.parcel_ids)
    ]


def _judged(
    model: Recogniser, cube: Cube, band: Ints, settings: ClassifySettings
) -> list[dict[str, Any]]:
    """Return what the model says of parcels with enough clear dates."""
    said = model.predict(cube)
    inside = model.sets.members(said.probabilities, band)
    unlike = _unlike(cube, model, said, settings)
    rows = []
    for at, chances in enumerate(said.probabilities):
        order = np.argsort(-chances, kind="stable")
        top = int(order[0])
        sure = bool(chances[top] >= settings.cannot_tell_below)
        row = {f"p_{name}": float(p) for name, p in zip(model.classes, chances, strict=True)} | {
            "crop": model.classes[top] if sure else None,
            "probability": float(chances[top]),
            "cannot_tell": not sure,
            "reason": "" if sure else detail(top=model.classes[top],
                                             probability=float(chances[top])),
            "prediction_set": [model.classes[c] for c in order if inside[at, c]],
        }  # fmt: skip
        rows.append(row | _UNLIKE | {"reason": unlike[at]} if at in unlike else row)
    return rows


def _unlike(
    cube: Cube, model: Recogniser, said: Answers, settings: ClassifySettings
) -> dict[int, str]:
    """Return the parcels that are like nothing that was learnt, with their numbers.

    A model that learnt annual crops alone has no word for a wood, a village or a greenhouse and
    would call each of them some crop.
    """
    found = {int(at): detail(unlike_any_label=float(said.strangeness[at]),
                             limit=float(model.novelty.limit))
             for at in np.flatnonzero(said.refused)}  # fmt: skip
    if not all(crops()[name].annual for name in model.classes):
        return found
    curves = ndvi({name: cube.values[:, :, at] for at, name in enumerate(cube.bands)})
    peak, low = curves.max(axis=1), curves.min(axis=1)
    bare = np.flatnonzero((peak < settings.min_peak) | (low > settings.max_bare))
    return found | {
        int(at): detail(ndvi_peak=float(peak[at]), ndvi_low=float(low[at])) for at in bare
    }


def _answer(
    parcel: str, judged: dict[str, Any] | None, few_dates: str, served: _Served
) -> dict[str, Any]:
    model, known = served.model, served.surveyed
    row: dict[str, Any] = {
        "parcel_id": parcel, "crop": None, "probability": None, "cannot_tell": True, "reason": "",
        "prediction_set": [], "surveyed": parcel in known.crop, "model": served.name,
    }  # fmt: skip
    if model is not None:
        row |= {f"p_{name}": None for name in model.classes} | (judged or {})
    if parcel in known.crop:
        crop = known.crop[parcel]
        return row | {"crop": crop, "probability": 1.0, "cannot_tell": False, "reason": "",
                      "prediction_set": [crop], "model": "survey"}  # fmt: skip
    if parcel in known.unknown:
        return row | _UNLIKE | {"reason": detail(surveyed_crop="not in the crop table")}
    if model is None:
        return row | {"reason": "no labels to learn from"}
    return row if judged is not None else row | {"reason": few_dates}


def _outcome(row: dict[str, Any], model: Recogniser | None) -> Outcome:
    if not row["cannot_tell"]:
        return Outcome(STAGE, row["parcel_id"], "", detail=f"crop={row['crop']}")
    if model is None:
        return Outcome(STAGE, row["parcel_id"], "", "no_labels")
    code = "too_few_dates" if row["reason"].startswith("clear_dates") else "cannot_tell"
    return Outcome(STAGE, row["parcel_id"], "", code, row["reason"])
