import datetime as dt

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.growth.grow import run_grow
from fieldline.crops.growth.norms import county_norms
from fieldline.crops.growth.seasons import measure
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.settings import Season
from tests.crops.conftest import double_logistic, observation_frame
from tests.crops.growth.test_curves import points_of

SETTINGS = GrowSettings()
CLEAR = ClearSettings(min_valid_fraction=0.5, min_dates=5)


def run(folder, frame, season, write_observations, name="growth", clear=CLEAR, crops=None):
    write_observations(frame, folder / "observations.parquet")
    ids = sorted(set(frame["parcel_id"]))
    told = pd.DataFrame({"parcel_id": ids, "crop": crops or ["maize"] * len(ids)})
    told.to_parquet(folder / "crops.parquet")
    run_grow(
        observations=folder / "observations.parquet", crops=folder / "crops.parquet",
        season=season, clear_dates=clear,
        settings=SETTINGS, out=folder / f"{name}.parquet", out_share=folder / "share.parquet",
        outcomes=folder / f"{name}_o.parquet",
    )  # fmt: skip
    growth = pd.read_parquet(folder / f"{name}.parquet").set_index("parcel_id")
    return growth, pd.read_parquet(folder / f"{name}_o.parquet").set_index("parcel_id")


def test_dates_of_a_double_logistic_are_found_within_a_step():
    day = np.arange(0, 360, 5)
    found = measure(points_of((day, double_logistic(day, 150, 240))), 5, SETTINGS)
    # a logistic of width 6 passes a quarter of its height at rise - 6 ln 3
    assert found.cycles.start[0] == pytest.approx(150 - 6 * np.log(3), abs=3)
    assert found.cycles.end[0] == pytest.approx(240 + 6 * np.log(0.85 / 0.15), abs=4)
    assert found.progress()[0] == 1.0


def test_what_is_written_of_two_crops_in_one_season(tmp_path, season, write_observations):
    days = np.arange(2, 364, 5)
    ndvi = double_logistic(days, 60, 150) + double_logistic(days, 200, 300, low=0.0, high=0.4)
    frame = observation_frame({"a": (days, ndvi)}, season.start)
    growth, _ = run(tmp_path, frame, season, write_observations)
    row = growth.loc["a"]
    assert row["cycles"] == 2
    assert row["sos"] == row["cycle_sos"][0]
    assert row["harvest_date"] == row["cycle_harvest"][0] == row["eos"]
    assert row["harvest_after"] < row["harvest_date"] <= row["harvest_before"]
    starts = [(day - season.start).days for day in row["cycle_sos"]]
    assert starts == pytest.approx([60 - 6 * np.log(3), 200 - 6 * np.log(3)], abs=4)
    assert row["cycle_integral"][0] == pytest.approx(row["integral"])
    assert row["cycle_integral"][1] < row["cycle_integral"][0]
    share = pd.read_parquet(tmp_path / "share.parquet")
    assert share[share["crop"] == "maize"]["harvested"].iloc[-1] == 1.0


def test_heading_is_told_of_small_grains_alone(tmp_path, season, write_observations):
    days = np.arange(2, 364, 5)
    ndvi = double_logistic(days, 150, 240)
    frame = observation_frame({"a": (days, ndvi), "b": (days, ndvi)}, season.start)
    growth, _ = run(tmp_path, frame, season, write_observations, crops=["winter_wheat", "maize"])
    # the plateau of this curve is symmetric about day 195
    wanted = season.start + dt.timedelta(days=195 + SETTINGS.heading_after_middle)
    assert abs((growth.loc["a", "heading_date"] - wanted).days) <= 2
    assert pd.isna(growth.loc["b", "heading_date"])
    assert 0 < growth.loc["a", "heading_sd_days"] < 15


def test_too_few_dates_make_no_curve_and_evergreen_no_cycle(tmp_path, season, write_observations):
    days = np.arange(5, 360, 10)
    frame = observation_frame(
        {
            "crop": (days, double_logistic(days, 150, 240)),
            "few": (days[:4], np.full(4, 0.5)),
            "forest": (days, np.full(len(days), 0.8)),
        },
        season.start,
    )
    growth, outcomes = run(tmp_path, frame, season, write_observations)
    assert outcomes["outcome"].to_dict() == {
        "crop": "ok", "few": "too_few_dates", "forest": "no_crop_cycle",
    }  # fmt: skip
    assert len(growth.loc["few", "curve"]) == 0
    assert pd.isna(growth.loc["few", "peak"])
    assert growth.loc["forest", "cycles"] == 0
    assert growth.loc["crop", "pos"] == pd.Timestamp(season.start + dt.timedelta(195)).date() or (
        abs((growth.loc["crop", "pos"] - (season.start + dt.timedelta(195))).days) <= 20
    )


@pytest.mark.parametrize(
    ("clear", "outcome"),
    [
        (ClearSettings(min_dates=5), "too_few_dates"),
        (ClearSettings(min_dates=4), "no_crop_cycle"),
        (ClearSettings(min_dates=4, min_valid_fraction=0.95), "too_few_dates"),
    ],
)
def test_four_dates_of_nine_tenths_are_enough_where_the_run_says_so(
    tmp_path, season, write_observations, clear, outcome
):
    frame = observation_frame({"p": (np.arange(5, 45, 10), np.full(4, 0.5))}, season.start)
    frame["valid_fraction"] = np.float32(0.9)
    _, outcomes = run(tmp_path, frame, season, write_observations, clear=clear)
    assert outcomes["outcome"].to_dict() == {"p": outcome}


def test_in_season_nothing_after_the_as_of_date_is_read(tmp_path, write_observations):
    early = Season(start=dt.date(2022, 10, 1), end=dt.date(2023, 9, 30), as_of=dt.date(2023, 5, 15))
    days = np.arange(5, 360, 10)
    truth = double_logistic(days, 150, 260)
    planted = np.where(days > (early.as_of - early.start).days, 0.99, truth)
    first, _ = run(tmp_path, observation_frame({"a": (days, truth)}, early.start), early,
                   write_observations)  # fmt: skip
    second, _ = run(tmp_path, observation_frame({"a": (days, planted)}, early.start), early,
                    write_observations, "planted")  # fmt: skip
    assert pd.isna(first.loc["a", "harvest_date"])
    assert 0.0 <= first.loc["a", "harvest_progress"] < 0.5
    pd.testing.assert_frame_equal(first, second)


def test_same_input_gives_same_bytes(tmp_path, season, write_observations):
    days = np.arange(5, 360, 10)
    frame = observation_frame({"a": (days, double_logistic(days, 150, 240))}, season.start)
    run(tmp_path, frame, season, write_observations, "one")
    run(tmp_path, frame, season, write_observations, "two")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_norms_by_hand():
    integral = pd.Series([10.0, 12, 14, 16, 100, 50], index=list("abcdef"))
    crops = pd.Series(["maize"] * 5 + ["rice"], index=list("abcdef"))
    norms = county_norms(integral, crops, 3)
    # median 14, absolute deviations 4 2 0 2 86: their median 2
    assert norms.loc["a", "anomaly"] == pytest.approx(-4 / (2 * 1.4826))
    assert norms.loc["e", "percentile"] == pytest.approx(0.9)
    assert norms.loc["f"].isna().all()


def test_a_group_of_exactly_the_least_size_has_a_norm_and_a_smaller_one_has_none():
    integral = pd.Series([10.0, 12, 17, 1, 2], index=list("abcde"))
    crops = pd.Series(["maize"] * 3 + ["rice"] * 2, index=list("abcde"))
    norms = county_norms(integral, crops, 3)
    # median 12, absolute deviations 2 0 5: their median 2
    assert norms.loc["c", "anomaly"] == pytest.approx(5 / (2 * 1.4826))
    assert norms["percentile"].tolist()[:3] == pytest.approx([0.5 / 3, 1.5 / 3, 2.5 / 3])
    assert norms.loc[["d", "e"]].isna().all(axis=None)


def test_one_parcel_and_equal_parcels_have_no_norm():
    # a group of one, and one without spread, cannot say what is usual
    integral = pd.Series([10.0, 7, 7, 7], index=list("abcd"))
    crops = pd.Series(["maize", "rice", "rice", "rice"], index=list("abcd"))
    assert county_norms(integral, crops, 1).isna().all(axis=None)


def test_a_spread_below_one_is_a_spread():
    integral = pd.Series([1.0, 1.25, 1.5], index=list("abc"))
    norms = county_norms(integral, pd.Series(["maize"] * 3, index=list("abc")), 3)
    # median 1.25, absolute deviations .25 0 .25: their median .25
    assert norms["anomaly"].tolist() == pytest.approx([-1 / 1.4826, 0, 1 / 1.4826])
