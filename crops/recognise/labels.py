"""Labels: which crop grew where, from surveys of this county and from labelled series elsewhere.

Owns the readers of survey tables and labelled series; it fits nothing. The one idea: a label is a
series of clear observations with a crop code, whatever file it came from, and a label that was not
known at the as-of date does not exist.
"""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from fieldline.crops.series import ClearSeries, known_until
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import crops
from fieldline.pipeline.records.settings import Season

_YEAR = dt.timedelta(days=365)
#: Columns of the half-monthly Bavarian table by Sentinel-2 band name.
_HALFMONTH = {f"B{n}_mean": f"B{n:02d}" for n in (2, 3, 4, 5, 6, 7, 8, 11, 12)} | {
    "B8A_mean": "B8A"
}
_DN_SCALE = 1e-4
#: The table's dates (15th and last of the month) close the half month that they average.
_HALF_OF_HALF_MONTH = pd.Timedelta(days=7)


@dataclass(frozen=True)
class SeasonLabels:
    """A season whose survey labels may be learnt from."""

    observations: Path
    """Its `observations.parquet`."""
    survey: Path
    """Its survey table."""
    season: Season
    """Its dates."""


@dataclass(frozen=True)
class LabelledSeries:
    """Labelled series of other parcels (`CountyInputs.labelled_series` and its companions)."""

    table: Path
    """The series."""
    layout: str = "long"
    """`long` or `bavaria_halfmonth`."""
    fields: Path | None = None
    """Polygons that belong to it; only their count is checked."""
    codes: str | None = None
    """Table of `data/` with columns code, crop that maps foreign codes."""


@dataclass(frozen=True)
class SurveyLabels:
    """Crops by parcel that were known at a date."""

    crop: dict[str, str]
    refused: dict[str, int] = field(default_factory=dict)
    """Rows left out, by reason."""


def read_survey_table(path: Path) -> pd.DataFrame:
    """Read a survey CSV with its dates.

    Raises:
        UserError: The file or one of its columns is missing, or a date cannot be read.
    """
    try:
        frame = pd.read_csv(path, dtype={"parcel_id": str, "crop": str})
    except FileNotFoundError as error:
        raise UserError(f"survey {path} does not exist", "correct inputs.survey") from error
    needed = ("parcel_id", "crop", "surveyed_on")
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise UserError(
            f"survey {path} lacks the columns {missing}; it has {list(frame.columns)}",
            "rename its columns",
        )
    for name in ("surveyed_on", "measured_on"):
        if name in frame.columns:
            frame[name] = _dates(frame[name], path)
    return frame


def _dates(values: pd.Series, path: Path) -> pd.Series:
    try:
        return pd.to_datetime(values, format="ISO8601")
    except ValueError as error:
        raise UserError(
            f"survey {path} has a date in column {values.name} that is not ISO 8601: {error}",
            "write dates as 2024-05-31",
        ) from error


def survey_labels(path: Path | None, as_of: dt.date) -> SurveyLabels:
    """Return the surveyed crops that were known at the as-of date."""
    if path is None:
        return SurveyLabels({})
    frame = read_survey_table(path)
    known = (frame["surveyed_on"] <= pd.Timestamp(as_of)).to_numpy(dtype=bool)
    named = frame["crop"].isin(list(crops())).to_numpy(dtype=bool)
    repeated = frame["parcel_id"].duplicated(keep="last").to_numpy(dtype=bool)
    kept = frame[known & named & ~repeated]
    refused = {
        "after_as_of": int((~known).sum()),
        "unknown_crop": int((known & ~named).sum()),
        "repeated": int((known & named & repeated).sum()),
    }
    labels = dict(zip(kept["parcel_id"], kept["crop"], strict=True))
    return SurveyLabels(labels, {name: count for name, count in refused.items() if count})


def code_map(table: str) -> dict[str, str]:
    """Read a table of `data/` that maps foreign crop codes to crop codes.

    Raises:
        UserError: The table does not exist.
    """
    try:
        with (files("fieldline") / "data" / table).open(encoding="utf-8") as handle:
            return {row["code"]: row["crop"] for row in csv.DictReader(handle)}
    except FileNotFoundError as error:
        raise UserError(f"data/{table} does not exist", "correct inputs.label_codes") from error


def read_labelled(source: LabelledSeries, season: Season) -> tuple[ClearSeries, list[str]]:
    """Read labelled series onto the season's clock.

    Args:
        source: Table, layout and code map.
        season: Dates are moved by whole years into this season; dates after its knowable part are
            left out.

    Returns:
        The series (one "parcel" per sample) and the crop of each sample.

    Raises:
        UserError: Unknown layout, missing column or a code that the map does not name.
    """
    if source.layout == "bavaria_halfmonth":
        frame, bands = _read_halfmonth(source.table)
    elif source.layout == "long":
        frame, bands = _read_long(source.table)
    else:
        raise UserError(f"labelled series layout {source.layout!r} is unknown", "use long")
    if source.codes is not None:
        frame["crop"] = _mapped(frame["crop"], code_map(source.codes), source)
        frame = frame[frame["crop"] != ""]
    _refuse_unknown(frame["crop"], source)
    return _series(frame, bands, season)


def _read_halfmonth(path: Path) -> tuple[pd.DataFrame, list[str]]:
    raw = pd.read_parquet(path)
    frame = pd.DataFrame(
        {
            "sample_id": raw["id"].map("{:06d}".format),
            "crop": raw["NC"].astype(int).astype(str),
            "date": pd.to_datetime(raw["Date"]) - _HALF_OF_HALF_MONTH,
        }
    )
    for column, band in _HALFMONTH.items():
        frame[band] = raw[column].to_numpy(np.float64) * _DN_SCALE
    return frame, list(_HALFMONTH.values())


def _read_long(path: Path) -> tuple[pd.DataFrame, list[str]]:
    raw = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    fixed = ["sample_id", "crop", "date"]
    missing = [name for name in fixed if name not in raw.columns]
    if missing:
        raise UserError(f"{path} lacks the columns {missing}", "rename its columns")
    bands = [name for name in raw.columns if name not in fixed]
    frame = raw.assign(
        sample_id=raw["sample_id"].astype(str),
        crop=raw["crop"].astype(str),
        date=pd.to_datetime(raw["date"], format="ISO8601"),
    )
    return frame, bands


def _mapped(codes: pd.Series, mapping: dict[str, str], source: LabelledSeries) -> pd.Series:
    unknown = sorted(set(codes) - set(mapping))
    if unknown:
        raise UserError(
            f"{source.table} holds crop codes {unknown} that data/{source.codes} does not name",
            "add a row per code (an empty crop leaves it out)",
        )
    return codes.map(mapping)


def _refuse_unknown(codes: pd.Series, source: LabelledSeries) -> None:
    unknown = sorted(set(codes) - set(crops()))
    if unknown:
        raise UserError(
            f"{source.table} holds crops {unknown} that data/crops.csv does not name",
            "name a code table in inputs.label_codes",
        )


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
