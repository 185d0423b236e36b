"""Schemas of weather.parquet, climate.parquet and weather_cells.parquet."""

from __future__ import annotations

import pyarrow as pa

from fieldline.pipeline.records.tables import Column, TableSchema

WEATHER = TableSchema(
    "weather",
    (
        Column("cell_id", pa.string(), "Weather cell"),
        Column("date", pa.date32(), "Local day"),
        Column("tmin_c", pa.float32(), "Minimum air temperature at 2 m", "Cel", nullable=True, minimum=-80, maximum=50),
        Column("tmax_c", pa.float32(), "Maximum air temperature at 2 m", "Cel", nullable=True, minimum=-70, maximum=60),
        Column("tmean_c", pa.float32(), "Mean air temperature at 2 m", "Cel", nullable=True),
        Column("precip_mm", pa.float32(), "Precipitation; null where it was not measured", "mm", nullable=True, minimum=0, maximum=1000),
        Column("radiation_mj_m2", pa.float32(), "Global radiation", "MJ/m2", nullable=True, minimum=0),
        Column("et0_mm", pa.float32(), "Reference evapotranspiration", "mm", nullable=True),
        Column("wind_m_s", pa.float32(), "Wind speed at 2 m", "m/s", nullable=True, minimum=0),
        Column("provenance", pa.string(), "`observed`, `filled` where any value was, or `missing` where nothing is known of the day"),
        Column("filled", pa.string(), "Variables whose value was filled, joined by commas"),
        Column("derived", pa.string(), "Variables computed from the others (FAO-56), joined by commas"),
        Column("source", pa.string(), "Weather service, or `table` for a table of the lender's"),
    ),
    key=("cell_id", "date"),
)  # fmt: skip

CLIMATE = TableSchema(
    "climate",
    (
        Column("cell_id", pa.string(), "Weather cell"),
        Column("date", pa.date32(), "Local day before the season"),
        Column("tmin_c", pa.float32(), "Minimum air temperature at 2 m", "Cel", nullable=True, minimum=-80, maximum=50),
        Column("tmax_c", pa.float32(), "Maximum air temperature at 2 m", "Cel", nullable=True, minimum=-70, maximum=60),
        Column("precip_mm", pa.float32(), "Precipitation; null where it was not measured", "mm", nullable=True, minimum=0, maximum=1000),
        Column("et0_mm", pa.float32(), "Reference evapotranspiration", "mm", nullable=True),
        Column("wind_m_s", pa.float32(), "Wind speed at 2 m", "m/s", nullable=True, minimum=0),
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
