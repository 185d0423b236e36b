"""Units of weather: those that a heading states, those that it does not, and one cell's alone."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.weather.daily import load_weather
from fieldline.pipeline.weather.series import Series
from fieldline.pipeline.weather.sources import read_weather, weather_problems

DAYS = 200
START = dt.date(2024, 1, 1)
END = START + dt.timedelta(DAYS - 1)
PLACES = pd.DataFrame({"lon": [11.0], "lat": [48.5]}, index=["p1"])


def table(cell: str = "c1", rain: float = 1.0, warm: float = 0.0, wind: float = 2.5) -> str:
    """Return days of 5 and 15 degrees, 6 mm of rain on every second, without a header."""
    lines = [
        f"{cell},{START + dt.timedelta(day)},{5 + warm},{15 + warm},{6 * rain * (day % 2):g},{wind}"
        for day in range(DAYS)
    ]
    return "\n".join(lines) + "\n"


def written(folder: Path, text: str, rain: str = "precip_mm", rest: str = "") -> Path:
    header = f"cell_id,date,tmin_c,tmax_c,{rain},wind_m_s\n"
    (folder / "w.csv").write_text((rest or header) + text, encoding="utf-8")
    (folder / "cells.csv").write_text("cell_id,lon,lat\nc1,11,48.5\nc2,11.1,48.5\nc3,11.2,48.5\n")
    return folder / "w.csv"


def load(path: Path, columns: dict[str, str] | None = None) -> Series:
    season = Season(start=START, end=END, as_of=END)
    return load_weather(
        path, path.parent / "cells.csv", PLACES, season, {"weather": columns or {}}
    )[0]


@pytest.mark.parametrize(
    ("header", "cells", "name", "is_worth"),
    [
        ("precipitation (in)", "1", "precip_mm", 25.4),
        ("Rainfall inches", "0.5", "precip_mm", 12.7),
        ('"rain ("")"', "1", "precip_mm", 25.4),
        ("rain (cm)", "1.2", "precip_mm", 12),
        ("rain (m)", "0.012", "precip_mm", 12),
        ("Niederschlag (l/m²)", "7", "precip_mm", 7),
        ("precipitation (kg m-2)", "7", "precip_mm", 7),
        ("tmax (°F)", "50", "tmax_c", 10),
        ("TMAX_F", "14", "tmax_c", -10),
        ("tmax (K)", "283.15", "tmax_c", 10),
        ("wind speed (km/h)", "18", "wind_m_s", 5),
        ("wind speed (mph)", "10", "wind_m_s", 4.4704),
        ("wind speed (knots)", "9", "wind_m_s", 4.63),
        ("radiation (kWh/m2)", "5", "radiation_mj_m2", 18),
        ("radiation (langley)", "500", "radiation_mj_m2", 20.92),
        ("et0 (in)", "0.2", "et0_mm", 5.08),
    ],
)
def test_a_unit_in_the_heading_is_converted_and_told(
    tmp_path: Path, header: str, cells: str, name: str, is_worth: float
) -> None:
    """An inch is 25.4 mm, a mile 1609.344 m, a knot 1852 m an hour, a kilowatt hour 3.6 MJ."""
    rest = {"tmin_c": "-20", "tmax_c": "20", "precip_mm": "3"} | {name: cells}
    names = [header if column == name else column for column in rest]
    lines = [f"c1,{START + dt.timedelta(day)},{','.join(rest.values())}" for day in range(DAYS)]
    path = written(tmp_path, "\n".join(lines), rest=f"cell_id,date,{','.join(names)}\n")
    series = load(path)
    assert np.unique(series.values[name]) == pytest.approx([is_worth])
    told = " ".join(read_weather(path, {}).remarks)
    plain = header.strip('"').replace('""', '"')
    assert (f"column {plain!r} states" in told) is (cells != "7"), told


def test_a_mapped_heading_keeps_its_unit(tmp_path: Path) -> None:
    path = written(tmp_path, table(rain=0.04), "Wx Total [in]")
    series = load(path, {"precip_mm": "Wx Total [in]"})
    assert series.values["precip_mm"].max() == pytest.approx(0.24 * 25.4)


def test_a_trace_of_rain_is_none_and_m_is_missing(tmp_path: Path) -> None:
    """NOAA writes T where the gauge was wet and M where nobody looked."""
    lines = table().splitlines()
    lines[0] = lines[0].replace(",0,", ",T,")
    lines[1] = lines[1].replace(",6,", ",M,")
    series = load(written(tmp_path, "\n".join(lines)))
    rain = series.values["precip_mm"][:, 0]
    assert rain[0] == 0
    assert np.isnan(rain[1])
    assert rain[3] == 6
    assert series.bad.tolist() == [0]


@pytest.mark.parametrize(
    ("rain", "looks"), [(1 / 25.4, "inches"), (0.1, "centimetres"), (10, "tenths")]
)
def test_rain_that_no_field_has_is_refused_where_no_unit_is_stated(
    tmp_path: Path, rain: float, looks: str
) -> None:
    with pytest.raises(UserError, match=rf"column 'PRCP': a wet day brings .*{looks}.*rain \(in\)"):
        load(written(tmp_path, table(rain=rain), "PRCP"))
    told = read_weather(written(tmp_path, table(rain=rain)), {}).remarks
    assert any(looks in sentence and "taken as it says" in sentence for sentence in told)


def test_wind_in_kilometres_an_hour_is_refused_where_no_unit_is_stated(tmp_path: Path) -> None:
    header = "cell_id,date,tmin_c,tmax_c,precip_mm,wind speed\n"
    with pytest.raises(UserError, match=r"'wind speed': its usual day has 10.8, .*km/h"):
        load(written(tmp_path, table(wind=10.8), rest=header))
    told = " ".join(read_weather(written(tmp_path, table(wind=3), rest=header), {}).remarks)
    assert "columns without a unit are taken in: wind speed m/s" in told


FAHRENHEIT = table("c2").replace(",5.0,15.0,", ",41,59,")
KELVIN = table("c2").replace(",5.0,15.0,", ",278.2,288.2,")


@pytest.mark.parametrize(
    ("other", "name"),
    [(FAHRENHEIT, "tmax_c"), (KELVIN, "tmax_c"), (table("c2", rain=0.04), "precip_mm")],
)
def test_a_cell_in_another_unit_than_the_others_does_not_count(
    tmp_path: Path, other: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path, table("c1") + other + table("c3", rain=0.5, warm=-10))
    values = load(path).values
    assert np.isnan(values[name]).all(axis=0).tolist() == [False, True, False]
    left = "precip_mm" if name == "tmax_c" else "tmax_c"
    assert not np.isnan(values[left]).any()
    assert "1 cells are in another unit than those of most others" in caplog.text
    assert "(c2)" in caplog.text
    told = weather_problems(read_weather(path, {}), "cell_id", ["c1", "c2", "c3"], END)
    rows = {problem.row for problem in told if problem.code == "input_other_unit"}
    assert rows == set(range(DAYS + 1, 2 * DAYS + 1))


def test_of_two_cells_that_differ_so_much_neither_counts(tmp_path: Path) -> None:
    values = load(written(tmp_path, table("c1", rain=0.2) + table("c2", rain=5))).values
    assert np.isnan(values["precip_mm"]).all()
    assert not np.isnan(values["tmax_c"]).any()


def test_a_mountain_and_its_lee_are_believed(tmp_path: Path) -> None:
    """19 degrees and a quarter of the rain lie between a valley and a pass 2,900 m above it."""
    rows = table("c1", rain=2, warm=-19) + table("c2", rain=0.5) + table("c3", rain=0.5, warm=3)
    values = load(written(tmp_path, rows)).values
    assert not any(np.isnan(values[name]).any() for name in ("tmin_c", "tmax_c", "precip_mm"))


def test_hours_of_some_days_are_refused(tmp_path: Path) -> None:
    """Equal rows count once, so that a day's 24 shares of rain would become one."""
    late = table().splitlines()
    hours = [line.replace(",5.0", f" {hour:02d}:00,5.0", 1) for line in late for hour in range(24)]
    rest = table().splitlines()[:150] + hours[150 * 24 :]
    with pytest.raises(UserError, match=r"holds 24 rows for a cell and day.*50 of 200 days"):
        load(written(tmp_path, "\n".join(rest)))


def test_a_unit_that_changes_in_the_middle_is_refused_with_its_day(tmp_path: Path) -> None:
    lines = table().splitlines()
    late = [line.replace(",5.0,15.0,", ",41,59,") for line in lines[120:]]
    rest = [line.replace(",5.0,15.0,", f",{5 + day // 10},{15 + day // 10},")
            for day, line in enumerate(lines)]  # fmt: skip
    says = r"a mean of 10 and the ten from 2024-04-30 one of 50, which looks like two units"
    with pytest.raises(UserError, match=says):
        load(written(tmp_path, "\n".join(lines[:120] + late)))
    load(written(tmp_path, "\n".join(rest[:60] + rest[120:])))  # a gap of two months in spring
