"""Schema of observations.parquet."""

from __future__ import annotations

import pyarrow as pa

from fieldline.pipeline.records.tables import Column, TableSchema

_TIME = pa.timestamp("us", tz="UTC")

#: Band columns `{band}_mean` and `{band}_std` (surface reflectance 0..1) are appended per run.
OBSERVATIONS = TableSchema(
    "observations",
    (
        Column("parcel_id", pa.string(), "Parcel"),
        Column("datetime", _TIME, "Acquisition time of the solar day's first scene"),
        Column("scene_id", pa.string(), "STAC item ids, joined by + where a day was mosaicked"),
        Column("baseline", pa.string(), "Processing baseline of the item", nullable=True),
        Column("offset", pa.float32(), "Radiometric offset applied to DN x scale"),
        Column("valid_fraction", pa.float32(), "Clear share of the parcel", minimum=0, maximum=1),
        Column(
            "effective_pixels", pa.float32(), "Sum of clear coverage fractions", "pixel", minimum=0
        ),
        Column(
            "snow_fraction",
            pa.float32(),
            "Share of the parcel under snow, which is not clear; null where the mask knows no snow",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
    ),
    key=("parcel_id", "datetime"),
)


def band_columns(bands: tuple[str, ...]) -> list[Column]:
    """Return the mean and standard deviation columns of the given bands."""
    return [
        Column(f"{band}_{statistic}", pa.float32(), f"{text} of {band} reflectance", nullable=True)
        for band in bands
        for statistic, text in (("mean", "Coverage-weighted mean"), ("std", "Standard deviation"))
    ]
