"""The classify stage: one crop, a probability, a prediction set, or an honest "cannot tell".

Owns `crops.parquet` and the stage's outcomes; what answers is a sealed model of `crops_train`.
Truth is never read. The one idea: prediction streams, and a parcel is answered only where it is
like something that was labelled and such an answer is usually right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fieldline.crops.inputs import SURVEY
from fieldline.crops.model_card import write_card
from fieldline.crops.radar_series import RadarTable, iter_beside
from fieldline.crops.recognise.clock import (
    Clock,
    county_clock,
    model_clock,
    model_radar,
    refuse_other_season,
)
from fieldline.crops.recognise.crop_card import served_card
from fieldline.crops.recognise.features import Cube, rows_of
from fieldline.crops.recognise.forest import Matrix
from fieldline.crops.recognise.labels import SurveyLabels, survey_labels
from fieldline.crops.recognise.model_folder import read_run_model
from fieldline.crops.recognise.next_survey import (
    SurveyList,
    of_model,
    of_none,
    write_survey_list,
)
from fieldline.crops.recognise.places import parcel_places
from fieldline.crops.recognise.recogniser import Answers, Recogniser, settled
from fieldline.crops.recognise.sets import area_band
from fieldline.crops.recognise.train_stage import home
from fieldline.crops.recognise.training import crops_by_parcel, gather_population
from fieldline.crops.schemas import CROPS
from fieldline.crops.series import ClearSeries, Ints, ndvi, stopped_parcels
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.outcomes import OUTCOMES, Outcome, detail, outcome_frame
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
    radar: RadarTable | None = None
    """The county's radar, where the model takes any."""


def run_classify(
    *,
    observations: Path,
    parcels: Path,
    model: Path,
    survey: Path | None,
    radar: Path | None = None,
    table_columns: Mapping[str, Mapping[str, str]] = {},
    county: str,
    season: Season,
    clear_dates: ClearSettings,
    settings: ClassifySettings,
    out: Path,
    card: Path,
    out_next: Path,
    outcomes: Path,
    previous: Sequence[Path] = (),
) -> None:
    """Write the crops, the list to survey next, the card of the model as it served, and outcomes.

    Args:
        observations: `observations.parquet` of this season.
        parcels: `parcels.parquet`, for the parcels' areas.
        model: `manifest.json` of the model's folder.
        survey: Survey table of this season, if any: a surveyed parcel carries its label.
        radar: `observations_sentinel1.parquet`, read where the model takes radar.
        table_columns: The lender's own column names by table and Fieldline name.
        county: The county; a model that learnt elsewhere gets this one's class shares first.
        season: Season; nothing after its as-of date is read.
        clear_dates: What a clear date is and how many a parcel needs to be classified.
        settings: Settings of the stage.
        out: Where the crops go.
        card: Where the model card goes.
        out_next: Where the list of parcels to survey next goes.
        outcomes: Where outcomes go.
        previous: Outcome files of earlier stages; parcels they stopped are left out.

    Raises:
        UserError: The model's folder is damaged or cannot answer here.
    """
    stopped = stopped_parcels(previous)
    known = survey_labels(survey, season.as_of, table_columns.get(SURVEY.name, {}))
    places = parcel_places(parcels)
    area = dict(zip(places.parcel_ids, places.area_m2.tolist(), strict=True))
    stored, story = read_run_model(model, settings)
    if stored is None:
        clock = county_clock(observations, None, season, clear_dates, settings.step_days, stopped)
        served = _Served(None, "", clock, known, area, settings)
        told: dict[str, Any] = {}
    else:
        refuse_other_season(stored.grid, stored.model.bands, observations, season, str(model))
        table = model_radar(stored.grid, stored.model.bands, radar, season, str(model))
        clock = model_clock(stored.grid, stored.model.bands, season, clear_dates)
        here = stored.grid.get("home") == home(county, season)
        serving = stored.model if here else _moved(stored.model, clock, observations, known,
                                                   settings, stopped, table)  # fmt: skip
        served = _Served(serving, model_name(stored.version), clock, known, area, settings, table)
        told = {"learnt_at": stored.grid.get("home"), "learnt_here": here,
                "as_of": season.as_of.isoformat()}  # fmt: skip
    write_card(served_card(story, served.name, served.model, told), card)
    labelled = None if served.model is None else served.model.novelty.space.labelled
    survey_list = SurveyList(settings.survey_next, labelled)
    _answer_all(served, observations, stopped, survey_list, out, outcomes)
    write_survey_list(survey_list.chosen(), places, out_next)


def _moved(
    model: Recogniser, clock: Clock, observations: Path, known: SurveyLabels,
    settings: ClassifySettings, stopped: frozenset[str], radar: RadarTable | None,
) -> Recogniser:  # fmt: skip
    """Return a model of elsewhere with the class shares of this county."""
    away = replace(model, novelty=model.novelty.away())
    population = gather_population(
        clock, observations, crops_by_parcel(known), settings.population, stopped, radar
    )
    return settled(away, population, settings)


def model_name(version: str) -> str:
    """Return what answers call the model of a version."""
    return f"crop-ensemble:{version}"


def _answer_all(
    served: _Served, observations: Path, stopped: frozenset[str], survey_list: SurveyList,
    out: Path, outcomes: Path,
) -> None:  # fmt: skip
    classes = () if served.model is None else served.model.classes
    schema = CROPS.with_columns([
        Column(f"p_{name}", pa.float64(), f"Calibrated probability of {name}", nullable=True,
               minimum=0, maximum=1) for name in classes
    ])  # fmt: skip
    clear = served.clock.clear.min_valid_fraction
    season, radar = served.clock.season, served.radar
    with BatchWriter(schema, out) as writer, BatchWriter(OUTCOMES, outcomes) as told:
        for batch in iter_beside(observations, season, clear, stopped, radar):
            rows = _answers(batch, served, survey_list)
            writer.write(pd.DataFrame(rows, columns=schema.names))
            blind = _without_radar(batch)
            told.write(outcome_frame(
                _outcome(row, served.model, blind=no) for row, no in zip(rows, blind, strict=True)
            ))  # fmt: skip


def _without_radar(batch: ClearSeries) -> list[bool]:
    """Tell which parcels stand at the county's mean radar because none of theirs was seen."""
    if batch.radar is None:
        return [False] * len(batch.parcel_ids)
    return [bool(dates == 0) for dates in batch.radar.clear_dates]


def _answers(batch: ClearSeries, served: _Served, survey_list: SurveyList) -> list[dict[str, Any]]:
    cube = served.clock.cube(batch)
    needed = served.clock.clear.min_dates
    able = np.flatnonzero(cube.clear_dates >= needed)
    judged: dict[int, dict[str, Any]] = {}
    told = said = None
    if served.model is not None and len(able):
        area = [served.area_m2.get(batch.parcel_ids[at], np.nan) for at in able]
        part = rows_of(cube, able)
        told = served.model.told(part)
        said = served.model.answers(told)
        found = _judged(served.model, part, said, area_band(np.asarray(area)), served.settings)
        judged = dict(zip(able.tolist(), found, strict=True))
    rows = None if told is None else told.rows
    _list_free(batch, cube, able, rows, said, served, survey_list)
    few = {
        at: detail(clear_dates=int(dates), needed=needed)
        for at, dates in enumerate(cube.clear_dates)
        if dates < needed
    }
    return [
        _answer(parcel, judged.get(at), few.get(at, ""), served)
        for at, parcel in enumerate(batch.parcel_ids)
    ]


def _list_free(
    batch: ClearSeries, cube: Cube, able: Ints, rows: Matrix | None, said: Answers | None,
    served: _Served, survey_list: SurveyList,
) -> None:  # fmt: skip
    """Hand the parcels that nobody surveyed, and that were seen often enough, to the list."""
    known = served.surveyed
    free = [
        n
        for n, at in enumerate(able)
        if batch.parcel_ids[at] not in known.crop and batch.parcel_ids[at] not in known.unknown
    ]
    ids = [batch.parcel_ids[able[n]] for n in free]
    if served.model is None or said is None or rows is None:
        survey_list.see(of_none(ids, rows_of(cube, able[free])))
    else:
        survey_list.see(of_model(ids, rows[free], served.model, said.of(free)))


def _judged(
    model: Recogniser, cube: Cube, said: Answers, band: Ints, settings: ClassifySettings
) -> list[dict[str, Any]]:
    """Return what the model says of parcels with enough clear dates."""
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


def _outcome(row: dict[str, Any], model: Recogniser | None, *, blind: bool) -> Outcome:
    if not row["cannot_tell"]:
        told = f"crop={row['crop']}" + (" radar=none_of_this_parcel" if blind else "")
        return Outcome(STAGE, row["parcel_id"], "", detail=told)
    if model is None:
        return Outcome(STAGE, row["parcel_id"], "", "no_labels")
    code = "too_few_dates" if row["reason"].startswith("clear_dates") else "cannot_tell"
    return Outcome(STAGE, row["parcel_id"], "", code, row["reason"])
