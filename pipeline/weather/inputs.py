"""Tables of weather that a lender hands over: daily values and the places of their cells.

Owns their declarations alone; `pipeline.inputs` reads them and `daily` decides what counts. A value
that cannot be is missing and stops no row, so the limits are `series`' and not the columns'.
"""

from __future__ import annotations

from fieldline.pipeline.inputs.schema import InputColumn, InputSchema
from fieldline.pipeline.weather.series import LIMITS

#: What weather services write where nothing was measured (NOAA, DWD, NASA POWER, CMA).
_MISSING = (-999.0, -9999.0, -99999.0, -999.9, -99.9, -99.0, 9999.0, 9999.9, 99999.0, 32766.0,
            32744.0, 999999.0)  # fmt: skip
#: What observers write for rain that was too little to measure, and where they measured nothing.
_TRACE = {"t": 0.0, "tr": 0.0, "trace": 0.0, "微量": 0.0, "m": float("nan")}


def _measured(
    name: str, text: str, unit: str, quantity: str, *, required: bool = False
) -> InputColumn:
    low, high = LIMITS[name]
    told = f"{text}; outside {low:g} to {high:g} it counts as missing"
    return InputColumn(
        name, "number", told, unit=unit, required=required, quantity=quantity, missing=_MISSING,
        words=_TRACE if name == "precip_mm" else {"m": float("nan")},
    )  # fmt: skip


WEATHER = InputSchema(
    "weather",
    "the daily weather",
    (
        InputColumn("cell_id", "id", "Weather cell or station; its place stands in "
                    "inputs.weather_cells"),
        InputColumn("parcel_id", "id", "Parcel, where the weather is by parcel and not by cell"),
        InputColumn("date", "date", "Local day; one row a day", required=True, needed=True),
        _measured("tmin_c", "Minimum air temperature at 2 m", "°C", "temperature"),
        _measured("tmax_c", "Maximum air temperature at 2 m", "°C", "temperature"),
        _measured("tmean_c", "Mean air temperature at 2 m", "°C", "temperature"),
        _measured("precip_mm", "Precipitation", "mm", "length", required=True),
        _measured("radiation_mj_m2", "Global radiation", "MJ/m2", "radiation"),
        _measured("et0_mm", "Reference evapotranspiration", "mm", "length"),
        _measured("wind_m_s", "Wind speed at 2 m", "m/s", "speed"),
    ),
    key=("cell_id", "date"),
    joins="cell_id",
)  # fmt: skip

CELLS = InputSchema(
    "weather_cells",
    "the places of the weather cells",
    (
        InputColumn("cell_id", "id", "Weather cell or station", required=True, needed=True),
        InputColumn("lon", "number", "Longitude (WGS84)", unit="degrees", required=True,
                    needed=True, minimum=-180.0, maximum=180.0, quantity="degrees"),
        InputColumn("lat", "number", "Latitude (WGS84)", unit="degrees", required=True,
                    needed=True, minimum=-90.0, maximum=90.0, quantity="degrees"),
    ),
    key=("cell_id",),
)  # fmt: skip
