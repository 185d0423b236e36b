"""Labels: which crop grew where, from surveys of this county and from labelled series elsewhere.

Owns the readers of survey tables and labelled series; it fits nothing. The one idea: a label is a
series of clear observations with a crop code, whatever file it came from, and a label that was not
known at the as-of date does not exist.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from fieldline.crops.inputs import SURVEY
from fieldline.crops.radar_series import RadarTable
from fieldline.crops.recognise.label_tables import (
    LabelledSeries,
    code_map,
    outline_places,
    radar_bands,
    read_frame,
)
from fieldline.crops.series import ClearSeries, Floats, known_until
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import Problem, counted, problems_of, without
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import crop_named
from fieldline.pipeline.records.settings import Season

_LOG = logging.getLogger(__name__)
_YEAR = dt.timedelta(days=365)
#: Class of land whose crop no table knows.
OTHER = "other"
#: Columns of a crop cut: what is wrong with them says nothing about the crop that was seen.
_CUT = ("yield_t_ha", "measured_on")


@dataclass(frozen=True)
class SeasonLabels:
    """A season whose survey labels may be learnt from."""

    observations: Path
    """Its `observations.parquet`."""
    survey: Path
    """Its survey table."""
    season: Season
    """Its dates."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """The survey's own column names by Fieldline's."""
    radar: RadarTable | None = None
    """Its radar, where the model takes any."""


@dataclass(frozen=True)
class SurveyLabels:
    """Crops by parcel that were known at a date."""

    crop: dict[str, str]
    refused: dict[str, int] = field(default_factory=dict)
    """Rows left out, by code of `data/outcome_codes.csv`."""
    unknown: frozenset[str] = frozenset()
    """Parcels whose surveyed crop no table knows: they teach the class `other`, and what stands
    there is not known."""


@dataclass(frozen=True)
class Samples:
    """Labelled series on a season's clock."""

    series: ClearSeries
    """One "parcel" per sample."""
    crops: list[str]
    """Crop code of each sample; `other` where no table knows it."""
    lonlat: Floats
    """(samples, 2) degrees; NaN where the source does not say."""
    area_m2: Floats
    """Area of each sample's polygon; NaN where the source does not say."""
    unknown: dict[str, int]
    """Samples by written crop that no table knows."""
    left_out: dict[str, int]
    """Samples by written crop that the code table leaves out."""
    radar: ClearSeries | None = None
    """Backscatter of the same samples on dates of its own, decibels; None where there is none."""


def read_survey(path: Path, columns: Mapping[str, str] | None = None) -> InputTable:
    """Read a survey table.

    Raises:
        UserError: The table cannot be read or lacks a column.
    """
    return read_input(path, SURVEY, Reading(columns=columns or {}, place="inputs"))


def survey_problems(
    frame: pd.DataFrame, problems: Iterable[Problem], as_of: dt.date
) -> list[Problem]:
    """Return why rows of a survey are no labels at the as-of date.

    Args:
        frame: All rows.
        problems: Their problems so far; such rows are not looked at again, unless it is the crop
            cut alone that is wrong.
        as_of: Knowledge date.

    Returns:
        Visits after it; earlier visits of a parcel, because the last one counts; and visits of one
        day that name different crops, because nobody can say which is right.
    """
    good = without(frame, (problem for problem in problems if problem.column not in _CUT))
    late = good["surveyed_on"] > pd.Timestamp(as_of)
    days = good.loc[late, "surveyed_on"].dt.date
    found = problems_of(days, "surveyed_on", "input_after_as_of")
    known = good[~late]
    for _, part in known[known["parcel_id"].duplicated(keep=False)].groupby("parcel_id"):
        last = part["surveyed_on"] == part["surveyed_on"].max()
        crops = part.loc[last, "crop"]
        found += problems_of(part.loc[~last, "crop"], "crop", "input_repeated")
        if (crops != crops.iloc[0]).any():
            found += problems_of(crops, "crop", "input_contradicted")
        else:
            found += problems_of(crops.iloc[:-1], "crop", "input_repeated")
    return found


def survey_labels(
    path: Path | None, as_of: dt.date, columns: Mapping[str, str] | None = None
) -> SurveyLabels:
    """Return the surveyed crops that were known at the as-of date."""
    if path is None:
        return SurveyLabels({})
    table = read_survey(path, columns)
    bad = [problem for problem in table.problems if problem.column not in _CUT]
    bad += survey_problems(table.frame, bad, as_of)
    kept = without(table.frame, bad)
    if table.problems or bad:
        _LOG.warning("%s: rows left out: %s", path, counted([*bad, *table.problems]))
    labels = dict(zip(kept["parcel_id"], kept["crop"], strict=True))
    refused = Counter({problem.row: problem.code for problem in bad}.values())
    unknown = _of_unknown_crops(table, bad, as_of) - set(labels)
    return SurveyLabels(labels, dict(sorted(refused.items())), unknown)


def _of_unknown_crops(
    table: InputTable, problems: Iterable[Problem], as_of: dt.date
) -> frozenset[str]:
    """Return the parcels of visits that are good but for a crop that no table knows."""
    crop = {p.row for p in problems if p.code == "input_unknown_crop"}
    other = {p.row for p in problems if p.code != "input_unknown_crop"}
    rows = table.frame.iloc[[row - 1 for row in sorted(crop - other)]]
    known = rows[rows["surveyed_on"] <= pd.Timestamp(as_of)]
    return frozenset(known["parcel_id"].dropna().astype(str))


def crop_cuts(path: Path, as_of: dt.date, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return the crop cuts of a survey that were known at the as-of date, the last by parcel.

    Returns:
        `parcel_id`, `crop`, `yield_t_ha`.
    """
    good = read_survey(path, columns).good
    known = good[(good["measured_on"] <= pd.Timestamp(as_of)) & good["yield_t_ha"].notna()]
    last = known.sort_values("measured_on", kind="stable").drop_duplicates("parcel_id", keep="last")
    return last[["parcel_id", "crop", "yield_t_ha"]].sort_index(ignore_index=True)


def read_labelled(source: LabelledSeries, season: Season) -> Samples:
    """Read labelled series onto the season's clock.

    Args:
        source: Table, layout and code map.
        season: Dates are moved by whole years into this season; dates after its knowable part are
            left out.

    Raises:
        UserError: Unknown layout, missing column or no crop that a table knows.
    """
    frame, bands = read_frame(source)
    return samples_of(frame, bands, source, season)


def samples_of(
    frame: pd.DataFrame, bands: list[str], source: LabelledSeries, season: Season
) -> Samples:
    """Lay a frame of labelled series on the season's clock, as `read_labelled` does."""
    named, unknown, left_out = _named(frame, source)
    series, crops = _series(named, bands, season)
    lonlat, area = _where(named, series.parcel_ids, source)
    radar = radar_bands(named)
    beside = _series(named, radar, season)[0] if radar else None
    return Samples(series, crops, lonlat, area, unknown, left_out, beside)


def _where(
    frame: pd.DataFrame, samples: Sequence[str], source: LabelledSeries
) -> tuple[Floats, Floats]:
    """Return where samples lie and how large they are: by outlines, by lon and lat, or unknown."""
    if source.fields is not None:
        return outline_places(source.fields, samples)
    unknown = np.full(len(samples), np.nan)
    if not {"lon", "lat"} <= set(frame.columns):
        return np.full((len(samples), 2), np.nan), unknown
    first = frame.drop_duplicates("sample_id").set_index("sample_id")
    return first.loc[list(samples), ["lon", "lat"]].to_numpy(np.float64), unknown


def _named(
    frame: pd.DataFrame, source: LabelledSeries
) -> tuple[pd.DataFrame, dict[str, int], dict[str, int]]:
    """Return the rows by crop code, and how many samples bear a name that no table knows.

    A name that the code table maps to an empty crop is left out by that table's decision, and a
    sample that bears several crops because nobody can say which is right. A table of labels none of
    which is known is refused: it is the wrong table. So is one all of whose samples bear several.
    """
    written = frame["crop"]
    mapping: Mapping[str, str | None]
    if source.codes is None:
        mapping = {name: crop_named(name) for name in written.unique()}
        place, remedy = "data/crops.csv", "name a code table in inputs.label_codes"
    else:
        mapping = code_map(source.codes)
        place = f"data/{source.codes}"
        remedy = "add a row per code (an empty crop leaves it out)"
    samples = frame.drop_duplicates("sample_id")["crop"].value_counts()
    unknown = {str(n): int(c) for n, c in samples.items() if mapping.get(str(n)) is None}
    if unknown and len(unknown) == written.nunique():
        raise UserError(
            f"{source.table} holds crops {sorted(unknown)[:9]} that {place} lacks", remedy
        )
    if unknown:
        _LOG.warning("%s: crops that %s lacks teach `%s`: %s", source.table, place, OTHER, unknown)
    left_out = {str(n): int(c) for n, c in samples.items() if mapping.get(str(n)) == ""}
    codes = written.map({name: mapping.get(name) or "" for name in written.unique()})
    codes = codes.where(~written.isin(unknown), OTHER)
    named, several = _of_one_crop(frame.assign(crop=codes))
    if several and named.empty:
        raise UserError(
            f"{source.table}: all {sum(several.values())} samples bear several crops",
            "give each season of a field its own sample_id",
        )
    return named[named["crop"] != ""], unknown, left_out | several


def _of_one_crop(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rows of samples that bear one crop, and how many bear several, by all of them."""
    each = frame[["sample_id", "crop"]].drop_duplicates().sort_values("crop", kind="stable")
    more = each[each.duplicated("sample_id", keep=False)]
    counts: dict[str, int] = {}
    for _, crops in more.groupby("sample_id")["crop"]:
        named = " or ".join(name or "left out" for name in crops)
        counts[named] = counts.get(named, 0) + 1
    return frame[~frame["sample_id"].isin(more["sample_id"])], counts


def _series(frame: pd.DataFrame, bands: list[str], season: Season) -> tuple[ClearSeries, list[str]]:
    days = (frame["date"].dt.tz_localize(None) - pd.Timestamp(season.start)).dt.days
    day = days.to_numpy(np.int64) % _YEAR.days
    values = frame[bands].to_numpy(np.float64)
    keep = np.isfinite(values).all(axis=1) & (day <= known_until(season))
    samples = frame["sample_id"].to_numpy(dtype=str)
    ids, codes = np.unique(samples, return_inverse=True)
    rows = np.flatnonzero(keep)
    rows = rows[np.lexsort((day[rows], codes[rows]))]
    label = dict(zip(samples, frame["crop"], strict=True))
    series = ClearSeries(
        tuple(str(name) for name in ids),
        codes[rows].astype(np.int64),
        day[rows],
        np.ones(len(rows)),
        {band: values[rows, column] for column, band in enumerate(bands)},
    )
    return series, [label[name] for name in series.parcel_ids]
