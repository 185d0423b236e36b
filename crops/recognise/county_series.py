"""Labelled series of a county's own run: its observations joined to a survey table.

Owns the way from `observations.parquet` and a survey to the frame that evaluations read, so that a
lender can ask of its own county what public series are asked. What an evaluation does with it is
not known here.
"""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pyarrow.parquet as pq

from fieldline.crops.recognise.label_tables import LabelledSeries
from fieldline.crops.recognise.labels import OTHER, survey_labels
from fieldline.crops.series import band_names
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.errors import UserError

LAYOUT = "observations"
_YEAR = dt.timedelta(days=365)
_KEYS = ("parcel_id", "datetime", "valid_fraction")


def county_frame(source: LabelledSeries) -> tuple[pd.DataFrame, list[str]]:
    """Return the clear observations of surveyed parcels with their crops.

    Args:
        source: `table` is an `observations.parquet`, `survey` the survey of its season; visits up
            to a year after the last image count, for this judges a model after the season.

    Returns:
        Columns sample_id, crop, date and the bands as reflectance; and the names of the bands.

    Raises:
        UserError: No survey is given, the table is no table of observations, or no surveyed parcel
            was observed.
    """
    if source.survey is None:
        raise UserError(f"{source.table} holds no crops", "give the season's survey by --survey")
    names = pq.read_schema(source.table).names
    lacking = [name for name in _KEYS if name not in names]
    bands = list(band_names(source.table))
    if lacking or not bands:
        raise UserError(
            f"{source.table} lacks the columns {', '.join(lacking) or 'B04_mean'} of observations",
            "give the observations.parquet of a run",
        )
    frame = pd.read_parquet(source.table, columns=[*_KEYS, *(f"{band}_mean" for band in bands)])
    labels = survey_labels(source.survey, frame["datetime"].max().date() + _YEAR)
    crops = labels.crop | dict.fromkeys(labels.unknown, OTHER)
    clear = frame["valid_fraction"] >= ClearSettings().min_valid_fraction
    mine = frame[clear & frame["parcel_id"].isin(crops)]
    if mine.empty:
        raise UserError(
            f"no parcel of {source.survey} was observed in {source.table}",
            "give the survey and the observations of one season",
        )
    found = mine.rename(columns={f"{band}_mean": band for band in bands})
    found = found.rename(columns={"parcel_id": "sample_id", "datetime": "date"})
    return found.assign(crop=found["sample_id"].map(crops)), bands
