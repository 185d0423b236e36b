"""Weather files as services and spreadsheets write them, and what is refused of a whole file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.weather.daily import load_weather
from fieldline.pipeline.weather.series import Series, check_values
from fieldline.pipeline.weather.sources import read_weather, weather_key, weather_problems

START, END = dt.date(2024, 4, 1), dt.date(2024, 4, 30)
SEASON = Season(start=START, end=END, as_of=END)
PLACES = pd.DataFrame({"lon": [115.9], "lat": [33.2]}, index=["p1"])
HEADER = "cell_id,date,tmin_c,tmax_c,precip_mm\n"


def rows(
    cell: str = "c1", days: int = 30, form: str = "%Y-%m-%d", values: str = "5.5,15.5,0.5"
) -> str:
    return "".join(f"{cell},{START + dt.timedelta(i):{form}},{values}\n" for i in range(days))


def load(folder: Path, text: str, cells: str = "c1,115.9,33.2", encoding: str = "utf-8") -> Series:
    (folder / "w.csv").write_bytes(text.encode(encoding))
    (folder / "cells.csv").write_text(f"cell_id,lon,lat\n{cells}\n")
    return load_weather(folder / "w.csv", folder / "cells.csv", PLACES, SEASON, {})[0]


def test_dates_in_mixed_forms_are_all_read(tmp_path: Path) -> None:
    lines = rows().splitlines()
    late = [line.replace("2024-04-", "2024/4/") for line in lines[20:]]
    series = load(tmp_path, HEADER + "\n".join([*lines[:20], *late]) + "\n")
    assert series.values["tmax_c"][:, 0].tolist() == [15.5] * 30
    assert series.bad.tolist() == [0]


def test_dates_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    text = HEADER + rows(days=28) + "c1,2024-04-31,5,15,0\nc1,soon,5,15,0\n"
    series = load(tmp_path, text)
    assert np.isnan(series.values["tmax_c"][:, 0]).sum() == 2
    assert series.bad.tolist() == [2]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_a_chinese_station_file_keeps_its_leading_zeros(tmp_path: Path, encoding: str) -> None:
    text = "区站号;日期;最低气温(℃);最高气温(℃);20-20时降水量(毫米)\n" + "".join(
        f"058221;2024年4月{day}日;５，５;15,5;0,5\n" for day in range(1, 31)
    )
    series = load(tmp_path, text, "058221,115.9,33.2", encoding)
    assert series.cells == ["058221"]
    assert [set(series.values[n][:, 0]) for n in ("tmin_c", "tmax_c", "precip_mm")] == [
        {5.5}, {15.5}, {0.5},
    ]  # fmt: skip


def test_tenths_are_converted_where_the_header_says_so(tmp_path: Path) -> None:
    text = "站号,日期,最低气温(0.1℃),最高气温(0.1℃),降水量(0.1mm)\n" + rows(values="55,155,32766")
    series = load(tmp_path, text)
    assert set(series.values["tmax_c"][:, 0]) == {15.5}
    assert np.isnan(series.values["precip_mm"]).all()


@pytest.mark.parametrize(
    "code", ["-999", "-9999", "-999.0", "32766", "9999.9", "-", "", "NaN", "-99.9"]
)
def test_missing_codes_are_missing_and_no_bad_values(tmp_path: Path, code: str) -> None:
    series = load(tmp_path, HEADER + rows(days=29) + f"c1,2024-04-30,5.5,{code},0.5\n")
    check_values(series)
    assert np.isnan(series.values["tmax_c"][:, 0]).tolist() == [False] * 29 + [True]
    assert series.bad.tolist() == [0]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (
            "278.6,288.6,0.5",
            r"30 of 30 values of column 'tmin_c' cannot be tmin_c in °C, such as .*kelvin",
        ),
        ("155,255,0.5", r"column 'tmin_c' cannot be tmin_c in °C, such as .*tenths"),
        ("5.5,15.5,-7", r"column 'precip_mm' cannot be precip_mm in mm, such as -7"),
    ],
)
def test_another_unit_is_refused(tmp_path: Path, values: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        load(tmp_path, HEADER + rows(values=values))


def year(temperature: float, low: float, rain: float, sun: float) -> pd.DataFrame:
    """Return a year of a mid-latitude station: warmest in July, rain on every third day."""
    day = np.arange(365)
    mean = temperature - 11 * np.cos(2 * np.pi * (day - 15) / 365)
    days = pd.Timestamp("2023-01-01") + pd.to_timedelta(day, "D")
    return pd.DataFrame({
        "cell_id": "c1", "date": days.date, "tmin_c": (mean - low).round(2),
        "tmax_c": (mean + low).round(2),
        "precip_mm": (np.where(day % 3 == 0, 1 + day % 7, 0) * rain).round(6),
        "radiation_mj_m2": ((12 - 9 * np.cos(2 * np.pi * (day + 10) / 365)) * sun).round(3),
    })  # fmt: skip


FAHRENHEIT = year(9, 5, 1, 1).assign(
    tmin_c=lambda f: f["tmin_c"] * 1.8 + 32, tmax_c=lambda f: f["tmax_c"] * 1.8 + 32
)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (FAHRENHEIT, r"'tmin_c': half of its days have a mean above 48\.., which looks like Fahr"),
        (year(9, 5, 0.001, 1), r"'precip_mm': its wettest of 122 wet days has 0\.007, .* metres"),
        (
            year(9, 5, 1, 1 / 3.6),
            r"'radiation_mj_m2': the sunniest of its 365 days has 5\.83, .*kWh",
        ),
        (
            year(9, -5, 1, 1),
            r"'tmin_c': the minimum lies above the maximum on 365 of 365 days.*excha",
        ),
    ],
)
def test_another_unit_that_hides_among_possible_values_is_refused(
    tmp_path: Path, frame: pd.DataFrame, says: str
) -> None:
    """Half a year of Fahrenheit lies within what degrees Celsius may be."""
    with pytest.raises(UserError, match=says):
        load(tmp_path, frame.to_csv(index=False))


@pytest.mark.parametrize(
    "frame", [year(9, 5, 1, 1), year(29, 9, 1, 1), year(-4, 6, 1, 0.8), year(22, 8, 0, 1.3)]
)
def test_places_of_any_climate_are_believed(tmp_path: Path, frame: pd.DataFrame) -> None:
    """A temperate station, a hot one, one of the far north, and a desert without rain."""
    load(tmp_path, frame.to_csv(index=False))
    trace = frame.assign(precip_mm=np.where(np.arange(365) % 4 == 0, 0.01, 0) + frame["precip_mm"])
    load(tmp_path, trace.to_csv(index=False))


def test_a_few_impossible_values_stop_nothing(tmp_path: Path) -> None:
    series = load(tmp_path, HEADER + rows(days=9, values="278.6,288.6,0.5"))
    check_values(series)
    assert np.isnan(series.values["tmax_c"]).all()
    assert series.bad.tolist() == [18]


def test_hours_are_refused(tmp_path: Path) -> None:
    text = HEADER + "".join(
        f"c1,{START + dt.timedelta(day)} {hour:02d}:00,5.{hour},15,0.1\n"
        for day in range(30)
        for hour in range(24)
    )
    with pytest.raises(UserError, match="holds 24 rows for a cell and day, so it is not daily"):
        load(tmp_path, text)


def test_ids_that_match_no_cell_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none of its 1 cell_id \(such as '58221'\).*'058221'"):
        load(tmp_path, HEADER + rows("58221"), "058221,115.9,33.2")


def test_rows_of_other_cells_are_left_out(tmp_path: Path) -> None:
    assert load(tmp_path, HEADER + rows("c1") + rows("c9")).cells == ["c1"]


def test_weather_by_parcel_counts_where_no_cells_are_given(tmp_path: Path) -> None:
    lines = [f"x,{line}" for line in rows("p1").splitlines()]
    (tmp_path / "w.csv").write_text(
        "station,parcel_id,date,tmin_c,tmax_c,precip_mm\n" + "\n".join(lines)
    )
    series, positions, _ = load_weather(tmp_path / "w.csv", None, PLACES, SEASON, {})
    assert (series.cells, positions.loc["p1", "lon"]) == (["p1"], 115.9)


def test_own_column_names_are_mapped(tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text("c,d,lo,hi,r\n" + rows(values="5.5,15.5,1.5"))
    (tmp_path / "cells.csv").write_text("c;o;n\nc1;115,9;33,2\n")
    own = {
        "weather": {"cell_id": "c", "date": "d", "tmin_c": "lo", "tmax_c": "hi", "precip_mm": "r"},
        "weather_cells": {"cell_id": "c", "lon": "o", "lat": "n"},
    }
    series, positions, _ = load_weather(
        tmp_path / "w.csv", tmp_path / "cells.csv", PLACES, SEASON, own
    )
    assert series.values["tmin_c"][0, 0] == 5.5
    assert positions.loc["c1"].tolist() == [115.9, 33.2]


def test_what_does_not_count_is_told_by_row(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text(
        HEADER + "c1,2024-04-01,5,15,0\nc1,2024-04-01,5,15,0\nc1,2024-04-02,5,15,0\n"
        "c1,2024-04-02,5,16,0\nc1,2024-04-03,20,15,0\nc1,2024-04-04,5,99,0\nc1,2024-05-01,5,15,0\n"
        "c9,2024-04-01,5,15,0\nc9,2024-04-02,5,15,0\nc1,2024-04-05,-999,15,wet\n"
    )
    table = read_weather(path, {})
    assert [(p.row, p.column, p.code) for p in table.problems] == [
        (10, "precip_mm", "input_not_a_number"),
    ]  # fmt: skip
    problems = weather_problems(table, weather_key(table, path), ["c1"], END)
    assert [(p.row, p.column, p.code) for p in problems] == [
        (1, "date", "input_repeated"), (3, "date", "input_contradicted"),
        (4, "date", "input_contradicted"), (5, "tmin_c", "input_out_of_range"),
        (6, "tmax_c", "input_out_of_range"), (7, "date", "input_after_as_of"),
        (8, "cell_id", "input_unmatched"),
    ]  # fmt: skip
