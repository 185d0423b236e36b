import csv
import datetime as dt
from importlib.resources import files

import geopandas as gpd
import pandas as pd
import pytest
from shapely import box

from fieldline.crops.recognise.label_tables import LabelledSeries, code_map
from fieldline.crops.recognise.labels import (
    crop_cuts,
    read_labelled,
    read_survey,
    survey_labels,
    survey_problems,
)
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import crops

AS_OF = dt.date(2024, 9, 30)
HEADER = "parcel_id,crop,surveyed_on,yield_t_ha,measured_on\n"


def test_unknown_crops_and_late_surveys_are_counted(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(
        "parcel_id,crop,surveyed_on\n1,maize,2024-05-01\n2,unicorn,2024-05-01\n"
        "3,rice,2024-12-01\n1,rice,2024-06-01\n"
    )
    found = survey_labels(path, AS_OF)
    assert found.crop == {"1": "rice"}
    assert found.refused == {
        "input_after_as_of": 1, "input_repeated": 1, "input_unknown_crop": 1,
    }  # fmt: skip


def test_a_visit_after_the_as_of_date_takes_no_earlier_one_away(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(HEADER + "1,maize,2024-05-01,,\n1,rice,2024-10-01,,\n")
    assert survey_labels(path, AS_OF).crop == {"1": "maize"}
    assert survey_labels(path, dt.date(2024, 10, 1)).crop == {"1": "rice"}


def test_the_last_visit_counts_whatever_the_order_of_the_rows(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(HEADER + "1,rice,2024-06-01,,\n1,maize,2024-05-01,,\n1,rice,2024-06-01,,\n")
    found = survey_labels(path, AS_OF)
    assert (found.crop, found.refused) == ({"1": "rice"}, {"input_repeated": 2})


def test_two_crops_on_one_day_are_no_label(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(HEADER + "1,rice,2024-06-01,,\n1,maize,2024-06-01,,\n2,rice,2024-06-01,,\n")
    found = survey_labels(path, AS_OF)
    assert (found.crop, found.refused) == ({"2": "rice"}, {"input_contradicted": 2})
    rows = survey_problems(read_survey(path).frame, [], AS_OF)
    assert [(p.row, p.value) for p in rows] == [(1, "rice"), (2, "maize")]


def test_names_blanks_and_times_as_surveyors_write_them(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(
        HEADER + "P1,Maize,2024-06-01,,\nP2,玉米,2024/6/1,7.2,2024-09-20\n"
        'P3 ,soybean,2024-09-30 09:15,,\nP4, maize,2024年6月1日,,\n"=""005""",corn,1.6.2024,,\n'
    )
    found = survey_labels(path, AS_OF)
    assert found.refused == {}
    assert found.crop == {
        "P1": "maize", "P2": "maize", "P3": "soybean", "P4": "maize", "005": "maize",
    }  # fmt: skip


def test_a_crop_cut_that_cannot_be_is_left_out_and_its_crop_kept(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(
        HEADER + "1,maize,2024-06-01,412,2024-09-20\n2,maize,2024-06-01,7.2,\n"
        "3,maize,2024-06-01,7.2,2024-09-20\n4,maize,2024-06-01,-,-\n3,maize,2024-09-21,8,2024-09-21\n"
        "5,maize,2024-06-01,6,2024-10-01\n"
    )
    assert [(p.row, p.column, p.code) for p in read_survey(path).problems] == [
        (1, "yield_t_ha", "input_implausible"), (2, "measured_on", "input_missing"),
    ]  # fmt: skip
    assert crop_cuts(path, AS_OF).to_numpy().tolist() == [["3", "maize", 8.0]]
    assert survey_labels(path, AS_OF).crop == dict.fromkeys("12345", "maize")


def test_own_column_names_are_mapped(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("no;what;when\n7;Mais;1.6.2024\n")
    own = {"parcel_id": "no", "crop": "what", "surveyed_on": "when"}
    assert survey_labels(path, AS_OF, own).crop == {"7": "maize"}


def test_a_survey_without_crops_is_refused(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("parcel_id,surveyed_on\n1,2024-05-01\n")
    with pytest.raises(
        UserError, match=r"no column crop \(columns found: parcel_id, surveyed_on\)"
    ):
        survey_labels(path, AS_OF)


@pytest.mark.parametrize(
    "table",
    ["codes_bavaria_iacs.csv", "codes_danish.csv", "codes_french_rpg.csv", "codes_usda_cdl.csv",
     "codes_worldcereal.csv"],
)  # fmt: skip
def test_foreign_codes_name_crops_of_the_table_with_a_source_and_once(table: str) -> None:
    assert set(code_map(table).values()) - {""} <= set(crops())
    with (files("fieldline") / "data" / table).open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert all(row["source"] for row in rows)
    assert len({row["code"] for row in rows}) == len(rows)


def test_the_longest_code_that_fits_counts() -> None:
    codes = code_map("codes_worldcereal.csv")
    assert codes["1101010011"] == "winter_wheat"
    assert codes["1101010012"] == "spring_wheat"
    assert codes["1106000032"] == "winter_rapeseed"
    assert codes["1106000110"] == "other"
    assert codes["2001020022"] == "grassland"
    assert codes.get("9") is None


def test_dates_of_other_years_move_into_the_season_and_codes_must_be_known(tmp_path, season):
    path = tmp_path / "l.csv"
    rows = {"sample_id": ["a", "a"], "crop": "maize", "B04": 0.1, "B08": 0.4}
    pd.DataFrame(rows | {"date": ["2019-10-11", "2020-06-01"]}).to_csv(path, index=False)
    found = read_labelled(LabelledSeries(path), season)
    series = found.series
    assert found.crops == ["maize"]
    # 365-day years: two leap days lie between, at most two days of drift
    assert series.day.tolist() == pytest.approx([10, 243], abs=2)
    pd.DataFrame(rows | {"date": "2019-10-11", "crop": "115"}).to_csv(path, index=False)
    with pytest.raises(UserError, match="115"):
        read_labelled(LabelledSeries(path), season)
    mapped = LabelledSeries(path, codes="codes_bavaria_iacs.csv")
    assert read_labelled(mapped, season).crops == ["winter_wheat"]


def test_a_sample_of_two_crops_is_left_out_and_counted(tmp_path, season):
    path = tmp_path / "l.parquet"
    dates = pd.to_datetime(["2022-04-01", "2022-06-01"] * 3)
    crops = ["maize", "wheat", "corn", "maize", "wheat", "wheat"]
    frame = pd.DataFrame({"sample_id": list("aabbcc"), "date": dates, "crop": crops})
    frame.assign(B04=0.1, B08=0.4).to_parquet(path)
    found = read_labelled(LabelledSeries(path), season)
    # corn is maize: only `a` is said to be two things
    assert found.series.parcel_ids == ("b", "c")
    assert found.crops[0] == "maize"
    assert found.left_out == {f"maize or {found.crops[1]}": 1}


def test_series_as_a_spreadsheet_saves_them(tmp_path, season):
    path = tmp_path / "l.csv"
    path.write_bytes(
        "样本编号;作物;日期;B04;B08;村\n"
        "007;玉米;2023/6/1;0,1;0,4;王村\n007;玉米;2023/6/11;0,2;-;王村\n008;?;2023/6/1;0,1;0,4;李村\n"
        "009;独角兽;2023/6/1;0,1;0,4;李村\n".encode("gb18030")
    )
    found = read_labelled(LabelledSeries(path), season)
    series = found.series
    # a question mark is a blank; a crop that no table knows teaches other land and is counted
    assert (series.parcel_ids, found.crops) == (("007", "009"), ["maize", "other"])
    assert found.unknown == {"独角兽": 1}
    assert {band: values.tolist() for band, values in series.bands.items()} == {
        "B04": [0.1] * 2, "B08": [0.4] * 2,
    }  # fmt: skip
    # 1 October 2022 to 1 June 2023: 31 + 30 + 31 + 31 + 28 + 31 + 30 + 31 days
    assert series.day.tolist() == [243] * 2


def test_samples_lie_where_their_columns_or_their_outlines_say(tmp_path, season):
    path = tmp_path / "l.csv"
    path.write_text(
        "sample_id,crop,date,lon,lat,B04,B08\n"
        "a,maize,2023-06-01,10.5,48.25,0.1,0.4\nb,maize,2023-06-01,10.75,48.5,0.1,0.4\n"
    )
    found = read_labelled(LabelledSeries(path), season)
    assert found.lonlat.tolist() == [[10.5, 48.25], [10.75, 48.5]]
    assert set(found.series.bands) == {"B04", "B08"}
    outlines = gpd.GeoDataFrame(
        {"sample_id": ["b", "a"]}, geometry=[box(8, 49, 10, 51), box(6, 47, 8, 49)], crs=4326
    )
    outlines.to_file(tmp_path / "f.gpkg")
    found = read_labelled(LabelledSeries(path, fields=tmp_path / "f.gpkg"), season)
    assert found.lonlat.tolist() == [[7.0, 48.0], [9.0, 50.0]]


def test_tables_that_are_no_labelled_series_are_refused(tmp_path, season):
    path = tmp_path / "l.csv"
    path.write_text("sample_id,crop,date\na,maize,2023-06-01\n")
    with pytest.raises(UserError, match="no column of numbers"):
        read_labelled(LabelledSeries(path), season)
    with pytest.raises(UserError, match="not a Parquet file"):
        read_labelled(LabelledSeries(path, "bavaria_halfmonth"), season)
    pd.DataFrame({"id": [1]}).to_parquet(tmp_path / "l.parquet")
    with pytest.raises(UserError, match="lacks the columns NC, Date, B2_mean"):
        read_labelled(LabelledSeries(tmp_path / "l.parquet", "bavaria_halfmonth"), season)
