"""The crops_train stage: a model folder for a county and season, apart from any answer.

Owns what stands in `models/crops`: a model that learnt from the county's own labels, or the
approved one that the configuration names, checked against the county and copied as it is. Truth is
never read. The one idea: whatever answers is a sealed version before it answers, so a run that is
repeated, another county and an audit all ask the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fieldline.crops.inputs import LABELLED, SURVEY
from fieldline.crops.radar_series import RadarTable, radar_table
from fieldline.crops.recognise.clock import (
    Clock,
    county_clock,
    model_radar,
    refuse_other_season,
    usual_gap,
)
from fieldline.crops.recognise.crop_card import crop_card
from fieldline.crops.recognise.label_tables import LabelledSeries
from fieldline.crops.recognise.labels import SeasonLabels, SurveyLabels, survey_labels
from fieldline.crops.recognise.model_folder import (
    approved_crop_model,
    copy_crop_model,
    write_crop_model,
    write_no_model,
)
from fieldline.crops.recognise.places import parcel_places
from fieldline.crops.recognise.recogniser import Fitted, fit_recogniser
from fieldline.crops.recognise.training import (
    Gathered,
    crops_by_parcel,
    gather_population,
    gather_training,
)
from fieldline.crops.series import stopped_parcels
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.imagery.settings import ClearSettings, RadarSettings
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season

STAGE = "crops_train"
ABOUT = "model:crops"
"""What the stage's one outcome is about."""
_RADAR = RadarSettings()


@dataclass(frozen=True)
class _Sources:
    """What a county's own model may learn from."""

    observations: Path
    parcels: Path
    survey: SurveyLabels
    earlier: list[SeasonLabels]
    labelled: LabelledSeries | None
    stopped: frozenset[str]
    radar: RadarTable | None
    """This season's radar where the model takes it."""


def run_crops_train(
    *,
    observations: Path,
    parcels: Path,
    survey: Path | None,
    radar: Path | None = None,
    earlier_observations: Sequence[Path] = (),
    earlier_surveys: Sequence[Path] = (),
    earlier_radar: Sequence[Path] = (),
    labelled_series: Path | None = None,
    labelled_format: str = "long",
    labelled_fields: Path | None = None,
    label_codes: str | None = None,
    table_columns: Mapping[str, Mapping[str, str]] = {},
    county: str,
    seasons: Sequence[Season],
    clear_dates: ClearSettings,
    settings: ClassifySettings,
    radar_settings: RadarSettings = _RADAR,
    out: Path,
    outcomes: Path,
    previous: Sequence[Path] = (),
    threads: int = 1,
) -> None:
    """Write the folder of the model that serves, and the stage's outcome.

    Args:
        observations: `observations.parquet` of this season.
        parcels: `parcels.parquet`; its villages or outlines group the folds.
        survey: Survey table of this season, if any.
        radar: `observations_sentinel1.parquet` of this season, empty where there is no radar.
        earlier_observations: `observations.parquet` of every earlier season, oldest first.
        earlier_surveys: Survey table of every earlier season, oldest first, or none at all.
        earlier_radar: Their `observations_sentinel1.parquet`, oldest first.
        labelled_series: Labelled series of other parcels, if any.
        labelled_format: `long` or `bavaria_halfmonth`.
        labelled_fields: Polygons that belong to that series, where kept apart: near ones share a
            fold.
        label_codes: Table of `data/` that maps the series' crop codes.
        table_columns: The lender's own column names by table and Fieldline name.
        county: The county: with its season the home of a model that learns here.
        seasons: All of these seasons, oldest first; the last is decided, and nothing after its
            as-of date is learnt or read.
        clear_dates: What a clear date is and how many a parcel needs to be classified.
        settings: Settings of the classifier.
        radar_settings: From which optical gap on a county's own model takes its radar too.
        out: `manifest.json` of the folder.
        outcomes: Where the outcome goes.
        previous: Outcome files of earlier stages; parcels they stopped are left out.
        threads: Threads for training; the result does not depend on it.

    Raises:
        UserError: The approved model is absent, damaged, not approved, or cannot answer here.
    """
    *past, season = seasons
    settings = settings.model_copy(update={"threads": threads})
    if settings.model is not None:
        told = _copy_approved(settings.model, observations, radar, season, settings, out.parent)
    else:
        own = table_columns.get(SURVEY.name, {})
        earlier = zip(earlier_observations, earlier_surveys, past, strict=False)
        columns = table_columns.get(LABELLED.name, {})
        labelled = None if labelled_series is None else LabelledSeries(
            labelled_series, labelled_format, labelled_fields, label_codes, columns
        )  # fmt: skip
        sources = _Sources(
            observations, parcels, survey_labels(survey, season.as_of, own),
            [SeasonLabels(*part, columns=own) for part in earlier], labelled,
            stopped_parcels(previous), radar_table(radar, season),
        )  # fmt: skip
        clock = county_clock(
            observations, labelled, season, clear_dates, settings.step_days, sources.stopped
        )
        sources, why = _with_radar(sources, clock, earlier_radar, radar_settings.gap_days)
        if sources.radar is not None:
            clock = clock.beside(sources.radar)
        told = _learn(sources, clock, home(county, season), settings, out.parent)
        told = " ".join(part for part in (told, why) if part)
    write_outcomes([Outcome(STAGE, ABOUT, "", OK, told)], outcomes)


def _with_radar(
    sources: _Sources, clock: Clock, earlier: Sequence[Path], gap_days: int
) -> tuple[_Sources, str]:
    """Return the sources with the radar that the model takes, and what is told of it.

    A county without radar has nothing to tell. Half of the parcels must have an optical gap that is
    long enough for radar to know more of; every season that teaches must have its own radar; and
    other people's series, which compare by their course alone, bring none.
    """
    table = sources.radar
    if table is None:
        return sources, ""
    gap = usual_gap(sources.observations, clock.season, clock.clear, sources.stopped)
    labels = [
        replace(one, radar=radar_table(path, one.season, table.orbit))
        for one, path in zip(sources.earlier, earlier, strict=False)
    ]
    whole = len(labels) == len(sources.earlier) and all(
        one.radar is not None and one.radar.bands == table.bands for one in labels
    )
    why = (
        "labelled_series" if sources.labelled is not None
        else "gaps_short" if gap <= gap_days
        else "" if whole else "earlier_season_without"
    )  # fmt: skip
    if why:
        told = detail(radar="not_taken", because=why, usual_gap_days=gap, needed=gap_days)
        return replace(sources, radar=None), told
    told = detail(radar=table.orbit, usual_gap_days=gap, needed=gap_days)
    return replace(sources, earlier=labels), told


def home(county: str, season: Season) -> str:
    """Return the county and season whose labels and unlabelled parcels a model learnt from."""
    return f"{county} {season.start}"


def _copy_approved(
    folder: Path, observations: Path, radar: Path | None, season: Season,
    settings: ClassifySettings, out: Path,
) -> str:  # fmt: skip
    found = approved_crop_model(folder, settings)
    refuse_other_season(found.grid, found.model.bands, observations, season, str(folder))
    model_radar(found.grid, found.model.bands, radar, season, str(folder))
    copy_crop_model(folder, out)
    return detail(model=found.version, learnt_at=found.grid.get("home", "none"), approved="yes")


def _learn(
    sources: _Sources, clock: Clock, where: str, settings: ClassifySettings, out: Path
) -> str:
    places = parcel_places(sources.parcels)
    gathered = gather_training(
        clock, sources.observations, sources.survey, sources.earlier, sources.labelled, places,
        settings, sources.stopped, sources.radar,
    )  # fmt: skip
    fitted = _fit(gathered, clock, sources, settings)
    card = crop_card(gathered, fitted, clock, settings, sources.survey.refused)
    if fitted is None:
        write_no_model(out, card)
        return detail(model="none", reason=gathered.reason)
    grid: dict[str, Any] = {**clock.grid(), "home": where}
    version = write_crop_model(out, fitted.model, grid, card)
    return detail(model=version, learnt_at=where, approved="no")


def _fit(
    gathered: Gathered, clock: Clock, sources: _Sources, settings: ClassifySettings
) -> Fitted | None:
    training = gathered.training
    if training is None:
        return None
    population = gather_population(
        clock, sources.observations, crops_by_parcel(sources.survey), settings.population,
        sources.stopped, sources.radar,
    )  # fmt: skip
    here = set(training.origin) == {str(clock.season.start)}
    return fit_recogniser(training, population, settings, of_this_county=here)
