import datetime as dt

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.recognise.label_tables import LabelledSeries
from fieldline.crops.recognise.points import read_polygons
from fieldline.pipeline.records.errors import UserError
from tests.crops.conftest import bands_of, observation_frame


@pytest.fixture
def county(tmp_path, write_observations):
    """Six parcels on 20 dates; the third date of each is cloudy."""
    days = 10 * np.arange(20)
    curves = {
        f"P{number}": (days, 0.2 + 0.5 * np.exp(-(((days / 10 - 6 - 6 * (number % 2)) / 3) ** 2)))
        for number in range(6)
    }
    frame = observation_frame(curves, dt.date(2024, 3, 1))
    frame.loc[frame["datetime"].dt.day_of_year == 81, "valid_fraction"] = np.float32(0.1)
    write_observations(frame, tmp_path / "observations.parquet")
    survey = ["parcel_id,crop,surveyed_on"]
    survey += [f"P{n},{('maize', 'soybean')[n % 2]},2024-07-01" for n in range(4)]
    survey += ["P4,dragon fruit of the moon,2024-07-01", "P9,maize,2024-07-01"]
    (tmp_path / "survey.csv").write_text("\n".join(survey) + "\n")
    return tmp_path


def test_surveyed_parcels_carry_their_crops_and_a_crop_of_no_table_is_other_land(county) -> None:
    source = LabelledSeries(county / "observations.parquet", "observations",
                            survey=county / "survey.csv")  # fmt: skip
    points = read_polygons(source, 10)
    assert [points.classes[at] for at in points.labels] == [
        "maize",
        "soybean",
        "maize",
        "soybean",
        "other",
    ]
    assert points.cube.clear_dates.tolist() == [19] * 5
    red = points.cube.bands.index("B04")
    expected = bands_of(np.asarray(0.7))["B04"]
    assert points.cube.values[0, 6, red] == pytest.approx(expected, rel=1e-5)


def test_a_county_without_a_survey_or_with_another_countys_is_refused(county) -> None:
    table = county / "observations.parquet"
    with pytest.raises(UserError, match="holds no crops: give the season's survey by --survey"):
        read_polygons(LabelledSeries(table, "observations"), 10)
    (county / "survey.csv").write_text("parcel_id,crop,surveyed_on\nX1,maize,2024-07-01\n")
    with pytest.raises(UserError, match=r"no parcel of .* was observed"):
        read_polygons(LabelledSeries(table, "observations", survey=county / "survey.csv"), 10)
    pd.DataFrame({"a": [1]}).to_parquet(county / "other.parquet")
    with pytest.raises(UserError, match="lacks the columns parcel_id, datetime, valid_fraction"):
        read_polygons(LabelledSeries(county / "other.parquet", "observations",
                                     survey=county / "survey.csv"), 10)  # fmt: skip
