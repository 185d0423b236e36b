"""Schemas of the pipeline's artifacts: parcels, farmers, observations, weather."""

from __future__ import annotations

import pyarrow as pa

from pipeline.tables import Column, TableSchema

_TIME = pa.timestamp("us", tz="UTC")

#: Columns of parcels.parquet besides the geometry (GeoParquet, EPSG:4326, written by geopandas).
#: `id`, `collection`, `geometry`, `bbox`, `metrics:*` and `determination:*` are fiboa/vecorel names.
PARCEL_COLUMNS: tuple[Column, ...] = (
    Column("id", pa.string(), "fiboa identifier, equal to parcel_id"),
    Column("parcel_id", pa.string(), "Parcel identifier that every other table joins by"),
    Column("collection", pa.string(), "fiboa collection: {county}_{season}"),
    Column("farmer_id", pa.string(), "Keyed pseudonym of the farmer"),
    Column("village", pa.string(), "Village or grouping unit", nullable=True),
    Column("declared_crop", pa.string(), "Declared crop, code of data/crops.csv", nullable=True),
    Column("declared_area_m2", pa.float64(), "Declared area", "m2", nullable=True, minimum=0),
    # fiboa 0.3.0 fixes float (32 bits) and nullable for these three; they are never null here.
    Column(
        "metrics:area",
        pa.float32(),
        "Area of the ring on the ellipsoid",
        "m2",
        nullable=True,
        minimum=0,
    ),
    Column(
        "metrics:perimeter", pa.float32(), "Perimeter of the ring", "m", nullable=True, minimum=0
    ),
    Column("determination:method", pa.string(), "fiboa: how the outline came about", nullable=True),
    Column("repair", pa.string(), "Repairs made at intake, empty for none"),
)

FARMERS = TableSchema(
    "farmers",
    (
        Column("farmer_id", pa.string(), "Keyed pseudonym"),
        Column("parcels_declared", pa.int32(), "Input rows that name this farmer", minimum=1),
        Column("parcels_accepted", pa.int32(), "Rows that passed intake", minimum=0),
        Column("refusals", pa.list_(pa.string()), "Outcome codes of the refused rows"),
    ),
    key=("farmer_id",),
)

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


WEATHER = TableSchema(
    "weather",
    (
        Column("cell_id", pa.string(), "Weather cell"),
        Column("date", pa.date32(), "Local day"),
        Column("tmin_c", pa.float32(), "Minimum air temperature at 2 m", "Cel", nullable=True, minimum=-80, maximum=50),
        Column("tmax_c", pa.float32(), "Maximum air temperature at 2 m", "Cel", nullable=True, minimum=-70, maximum=60),
        Column("tmean_c", pa.float32(), "Mean air temperature at 2 m", "Cel"),
        Column("precip_mm", pa.float32(), "Precipitation; null where it was not measured", "mm", nullable=True, minimum=0, maximum=1000),
        Column("radiation_mj_m2", pa.float32(), "Global radiation", "MJ/m2", nullable=True, minimum=0),
        Column("et0_mm", pa.float32(), "Reference evapotranspiration", "mm", nullable=True),
        Column("wind_m_s", pa.float32(), "Wind speed at 2 m", "m/s", nullable=True, minimum=0),
        Column("provenance", pa.string(), "`observed` or `filled`"),
    ),
    key=("cell_id", "date"),
)  # fmt: skip

WEATHER_CELLS = TableSchema(
    "weather_cells",
    (
        Column("parcel_id", pa.string(), "Parcel"),
        Column("cell_id", pa.string(), "Its weather cell"),
        Column("distance_m", pa.float64(), "Distance to the cell's point", "m", minimum=0),
    ),
    key=("parcel_id",),
)
