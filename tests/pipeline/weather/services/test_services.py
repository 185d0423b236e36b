"""Files of weather services, as each writes them, and the one table that comes of all of them."""

from __future__ import annotations

import datetime as dt
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.io import netcdf_file

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.weather.daily import load_weather
from fieldline.pipeline.weather.services.detect import read_service
from fieldline.pipeline.weather.sources import read_weather

FIRST = dt.date(2024, 4, 1)
SEASON = Season(start=FIRST, end=dt.date(2024, 4, 3), as_of=dt.date(2024, 4, 3))
PLACES = pd.DataFrame({"lon": [115.9], "lat": [33.2]}, index=["p1"])
#: The same three days in every service's own words: the second has no rain gauge.
LOW, HIGH, MEAN, RAIN = [5.0, 6.0, 7.0], [15.0, 16.0, 18.0], [10.0, 11.5, 12.0], [0.0, None, 4.5]
WIND_10M, SUN = [2.0, 3.0, 4.0], [18.0, 19.0, 20.0]

POWER_CSV = """-BEGIN HEADER-
NASA/POWER Source Native Resolution Daily Data
Dates (month/day/year): 04/01/2024 through 04/03/2024 in LST
Location: latitude  33.2   longitude 115.9
The value for missing source data that cannot be computed is: -999
parameter(s):
T2M_MIN         MERRA-2 Temperature at 2 Meters Minimum (C)
T2M_MAX         MERRA-2 Temperature at 2 Meters Maximum (C)
T2M             MERRA-2 Temperature at 2 Meters (C)
PRECTOTCORR     MERRA-2 Precipitation Corrected (mm/day)
ALLSKY_SFC_SW_DWN     CERES SYN1deg All Sky Surface Shortwave Downward Irradiance (kW-hr/m^2/day)
WS10M           MERRA-2 Wind Speed at 10 Meters (m/s)
-END HEADER-
YEAR,DOY,T2M_MIN,T2M_MAX,T2M,PRECTOTCORR,ALLSKY_SFC_SW_DWN,WS10M
2024,92,5,15,10,0,5.0,2
2024,93,6,16,11.5,-999,5.277778,3
2024,94,7,18,12,4.5,5.555556,4
"""
OPEN_METEO_CSV = """latitude,longitude,elevation,utc_offset_seconds,timezone,timezone_abbreviation
33.2,115.9,30.0,28800,Asia/Shanghai,CST

time,temperature_2m_min (°C),temperature_2m_max (°C),temperature_2m_mean (°C),\
precipitation_sum (mm),shortwave_radiation_sum (MJ/m²),wind_speed_10m_mean (km/h)
2024-04-01,5,15,10,0,18,7.2
2024-04-02,6,16,11.5,,19,10.8
2024-04-03,7,18,12,4.5,20,14.4
"""


def power_json() -> dict[str, Any]:
    days = ["20240401", "20240402", "20240403"]
    names = {"T2M_MIN": LOW, "T2M_MAX": HIGH, "T2M": MEAN, "PRECTOTCORR": RAIN,
             "ALLSKY_SFC_SW_DWN": SUN, "WS10M": WIND_10M}  # fmt: skip
    units = {"PRECTOTCORR": "mm/day", "ALLSKY_SFC_SW_DWN": "MJ/m^2/day", "WS10M": "m/s"}
    series = {
        name: {day: -999.0 if value is None else value
               for day, value in zip(days, values, strict=True)}
        for name, values in names.items()
    }  # fmt: skip
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [115.9, 33.2, 30.0]},
        "properties": {"parameter": series},
        "header": {"fill_value": -999.0},
        "parameters": {name: {"units": units.get(name, "C")} for name in names},
    }


def open_meteo_json() -> dict[str, Any]:
    units = {"time": "iso8601", "precipitation_sum": "mm", "shortwave_radiation_sum": "MJ/m²",
             "wind_speed_10m_mean": "m/s"}  # fmt: skip
    daily = {
        "time": ["2024-04-01", "2024-04-02", "2024-04-03"],
        "temperature_2m_min": LOW, "temperature_2m_max": HIGH, "temperature_2m_mean": MEAN,
        "precipitation_sum": RAIN, "shortwave_radiation_sum": SUN, "wind_speed_10m_mean": WIND_10M,
    }  # fmt: skip
    return {
        "latitude": 33.2, "longitude": 115.9, "utc_offset_seconds": 28800,
        "daily_units": {name: units.get(name, "°C") for name in daily}, "daily": daily,
    }  # fmt: skip


def write_grid(
    path: Path, name: str, unit: str, days: list[list[float]], since: str = "days since 2024-04-01",
    first: int = 0,
) -> None:  # fmt: skip
    """Write a variable on two cells, 115.8 and 115.9 E on 33.2 N."""
    with netcdf_file(path, "w") as file:
        for dimension, size in (("time", len(days)), ("lat", 2), ("lon", 2)):
            file.createDimension(dimension, size)
        time = file.createVariable("time", "i4", ("time",))
        time[:], time.units, time.calendar = first + np.arange(len(days)), since, "standard"
        for axis, values in (("lat", [33.3, 33.2]), ("lon", [115.8, 115.9])):
            along = file.createVariable(axis, "f8", (axis,))
            along[:], along.units = values, "degrees_north" if axis == "lat" else "degrees_east"
        numbers = np.full((len(days), 2, 2), -9999.0, "f4")
        numbers[:, 1, :] = np.array(days, "f4")
        field = file.createVariable(name, "f4", ("time", "lat", "lon"))
        field[:], field.units, field._FillValue = numbers, unit, np.float32(-9999)


def agera5(path: Path) -> None:
    """Write a zip as the Climate Data Store gives it: a file for each variable."""
    gap = -9999.0
    kelvin = {"Min": LOW, "Max": HIGH, "Mean": MEAN}
    grids = {
        f"Temperature_Air_2m_{part}_24h": ("K", [v + 273.15 for v in values])
        for part, values in kelvin.items()
    } | {
        "Precipitation_Flux": ("mm d-1", [gap if v is None else v for v in RAIN]),
        "Solar_Radiation_Flux": ("J m-2 d-1", [v * 1e6 for v in SUN]),
        "Wind_Speed_10m_Mean": ("m s-1", WIND_10M),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, (unit, values) in grids.items():
            file = path.with_name(f"{name}.nc")
            write_grid(file, name, unit, [[99.0 if v > 0 else v, v] for v in values])
            archive.write(file, file.name)


def delivered(folder: Path, kind: str) -> Path:
    name = {"power.csv": POWER_CSV, "open_meteo.csv": OPEN_METEO_CSV}
    made = {"power.json": power_json, "open_meteo.json": open_meteo_json}
    path = folder / kind
    if kind in name:
        path.write_text(name[kind], encoding="utf-8")
    elif kind in made:
        path.write_text(json.dumps(made[kind]()))
    else:
        agera5(path)
    return path


@pytest.mark.parametrize(
    "kind", ["power.csv", "power.json", "open_meteo.csv", "open_meteo.json", "agera5.zip"]
)
def test_every_service_gives_the_same_table_in_our_units(tmp_path: Path, kind: str) -> None:
    series, positions, source = load_weather(delivered(tmp_path, kind), None, PLACES, SEASON, {})
    cell = next(n for n, c in enumerate(series.cells) if c == "+33.2000+115.9000")
    found = {name: values[:, cell].tolist() for name, values in series.values.items()}
    assert found["tmin_c"] == pytest.approx(LOW, abs=2e-5)
    assert found["tmax_c"] == pytest.approx(HIGH, abs=2e-5)
    assert found["tmean_c"] == pytest.approx(MEAN, abs=2e-5)
    assert found["precip_mm"] == pytest.approx([0.0, np.nan, 4.5], nan_ok=True)
    assert found["radiation_mj_m2"] == pytest.approx(SUN, abs=1e-4)
    assert found["wind_m_s"] == pytest.approx([0.748 * speed for speed in WIND_10M])
    assert np.isnan(found["et0_mm"]).all()
    assert positions.loc["+33.2000+115.9000"].tolist() == pytest.approx([115.9, 33.2])
    assert source == {"p": "power", "o": "open-meteo", "a": "agera5"}[kind[0]]


def test_a_region_of_power_and_a_list_of_open_meteo_are_cells_of_their_own(tmp_path: Path) -> None:
    header, rows = POWER_CSV.split("YEAR,")
    lines = ("YEAR," + rows).splitlines()
    both = [f"LAT,LON,{lines[0]}"]
    both += [f"{lat},115.9,{line}" for lat in (33.2, 33.7) for line in lines[1:]]
    (tmp_path / "p.csv").write_text(header + "\n".join(both) + "\n")
    first, second = open_meteo_json(), open_meteo_json() | {"latitude": 33.7}
    (tmp_path / "o.json").write_text(json.dumps([first, second]))
    for name in ("p.csv", "o.json"):
        service = read_service(tmp_path / name)
        assert service is not None
        assert service.places["lat"].tolist() == [33.2, 33.7]
        assert len(service.cells) == 6


def test_era5_land_is_named_by_its_files_and_sums_metres(tmp_path: Path) -> None:
    write_grid(tmp_path / "2m_temperature_daily-min.nc", "t2m", "K", [[0, 278.15], [0, 279.15]])
    write_grid(tmp_path / "total_precipitation_daily-sum.nc", "tp", "m", [[0, 0.0045]], first=1)
    with zipfile.ZipFile(tmp_path / "era5.zip", "w") as archive:
        for file in tmp_path.glob("*.nc"):
            archive.write(file, file.name)
    series, _, source = load_weather(tmp_path / "era5.zip", None, PLACES, SEASON, {})
    cell = series.cells.index("+33.2000+115.9000")
    assert source == "era5-land"
    assert series.values["tmin_c"][:2, cell] == pytest.approx([5, 6], abs=1e-4)
    assert series.values["precip_mm"][:2, cell] == pytest.approx([np.nan, 4.5], nan_ok=True)


def test_a_variable_that_is_not_delivered_is_no_column(tmp_path: Path) -> None:
    document = open_meteo_json()
    del document["daily"]["precipitation_sum"]
    (tmp_path / "o.json").write_text(json.dumps(document))
    table = read_weather(tmp_path / "o.json", {})
    assert "precip_mm" not in table.headers
    assert table.frame["precip_mm"].isna().all()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("o.csv", OPEN_METEO_CSV.replace("(mm)", "(furlong)"), "precipitation_sum is in furlong"),
        ("p.csv", POWER_CSV.replace("DOY,", "MO,DY,HR,"), "not of daily values"),
        ("p.csv", POWER_CSV.replace("Location:", "Somewhere").replace("latitude", "x"), "where it"),
        ("p.csv", POWER_CSV.replace("2024,93", "2024,ninety"), "its rows are not"),
        ("o.json", '{"latitude": 33, "longitude": 115, "hourly": {}}', "no daily values"),
        ("o.json", "{", "is no JSON"),
        ("n.nc", "text", "cannot be read as NetCDF"),
        ("n.zip", "text", "is no zip file"),
    ],
)
def test_what_a_service_does_not_write_is_one_sentence(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=said):
        read_service(tmp_path / name)


def test_a_grid_of_a_continent_is_to_be_cut_first(tmp_path: Path) -> None:
    with netcdf_file(tmp_path / "n.nc", "w") as file:
        for dimension, size in (("time", 1), ("lat", 60), ("lon", 60)):
            file.createDimension(dimension, size)
            axis = file.createVariable(dimension, "f8", (dimension,))
            axis[:] = np.arange(size)
            axis.units = {"time": "days since 2024-01-01"}.get(dimension, f"degrees_{dimension}")
        field = file.createVariable("Precipitation_Flux", "f4", ("time", "lat", "lon"))
        field[:], field.units = np.zeros((1, 60, 60)), "mm d-1"
    with pytest.raises(UserError, match="3600 cells"):
        read_service(tmp_path / "n.nc")


def test_a_lenders_own_table_is_no_service(tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text("cell_id,date,tmin_c,tmax_c,precip_mm\nc,2024-04-01,1,2,0\n")
    assert read_service(tmp_path / "w.csv") is None
