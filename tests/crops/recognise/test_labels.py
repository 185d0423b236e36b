import csv
import datetime as dt
from importlib.resources import files

import pandas as pd
import pytest

from fieldline.crops.recognise.labels import (
    LabelledSeries,
    code_map,
    read_labelled,
    read_survey_table,
    survey_labels,
)
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import crops


def test_unknown_crops_and_late_surveys_are_counted(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(
        "parcel_id,crop,surveyed_on\n1,maize,2024-05-01\n2,unicorn,2024-05-01\n"
        "3,rice,2024-12-01\n1,rice,2024-06-01\n"
    )
    found = survey_labels(path, dt.date(2024, 9, 30))
    assert found.crop == {"1": "rice"}
    assert found.refused == {"after_as_of": 1, "unknown_crop": 1, "repeated": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [("parcel_id,surveyed_on\n1,2024-05-01\n", "lacks the columns \\['crop'\\]"),
     ("parcel_id,crop,surveyed_on\n1,maize,1.5.24\n", "not ISO 8601")],
)  # fmt: skip
def test_bad_survey_tables_are_refused(tmp_path, text, message):
    path = tmp_path / "s.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_survey_table(path)


def test_every_mapped_code_is_a_known_crop():
    assert set(code_map("codes_bavaria_iacs.csv").values()) - {""} <= set(crops())
    with (files("fieldline") / "data" / "codes_bavaria_iacs.csv").open(encoding="utf-8") as handle:
        assert all(row["source"] for row in csv.DictReader(handle))


def test_dates_of_other_years_move_into_the_season_and_codes_must_be_known(tmp_path, season):
    path = tmp_path / "l.csv"
    rows = {"sample_id": ["a", "a"], "crop": "maize", "B04": 0.1, "B08": 0.4}
    pd.DataFrame(rows | {"date": ["2019-10-11", "2020-06-01"]}).to_csv(path, index=False)
    series, labels = read_labelled(LabelledSeries(path), season)
    assert labels == ["maize"]
    # 365-day years: two leap days lie between, at most two days of drift
    assert series.day.tolist() == pytest.approx([10, 243], abs=2)
    pd.DataFrame(rows | {"date": "2019-10-11", "crop": "115"}).to_csv(path, index=False)
    with pytest.raises(UserError, match="115"):
        read_labelled(LabelledSeries(path), season)
    mapped = LabelledSeries(path, codes="codes_bavaria_iacs.csv")
    assert read_labelled(mapped, season)[1] == ["winter_wheat"]
