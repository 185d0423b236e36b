"""Labelled series of a county's own run: its observations joined to a survey table.

Owns the way from `observations.parquet` and a survey to the frame that evaluations read, so that a
lender can ask of its own county what public series are asked. What an evaluation does with it is
not known here.
"""

from __future__ import annotations

import datetime as dt

import pandas as pd

from fieldline.crops.recognise.label_tables import LabelledSeries
from fieldline.crops.recognise.labels import OTHER, survey_labels
from fieldline.crops.series import observed_bands
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
    bands = list(observed_bands(source.table))
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
