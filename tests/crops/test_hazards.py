import datetime as dt

import numpy as np
import pandas as pd
import pytest

from crops.hazards import (
    CellWeather,
    Thresholds,
    degree_index,
    drought_index,
    flood_index,
    growing_degree_days,
    joint_index,
    longest_run,
    run_hazards,
    thresholds,
)
from crops.settings import HazardSettings
from data.reference import crops

LIMITS = Thresholds(8, 30, 35, 0, 0.5, 10, 4)
SETTINGS = HazardSettings()


def weather(days=10, tmin=10.0, tmax=20.0, rain=0.0, et0=5.0) -> CellWeather:
    return CellWeather(*(np.full(days, float(v)) for v in (tmin, tmax, rain, et0)))


def test_degree_days_hold_both_extremes_within_the_limits():
    assert growing_degree_days(weather(), LIMITS) == pytest.approx(10 * (15 - 8))
    assert growing_degree_days(weather(1, tmin=2, tmax=40), LIMITS) == pytest.approx(19 - 8)


def test_longest_run():
    assert longest_run(np.array([1, 1, 0, 1, 1, 1, 0], dtype=bool)) == 3
    assert longest_run(np.array([], dtype=bool)) == 0


def test_drought_is_zero_while_the_bucket_lasts_and_rises_after():
    # 120 mm full, half of it free of stress, 4.5 mm used a day: 13 days without stress
    assert drought_index(weather(14), LIMITS, SETTINGS) == 0.0
    assert drought_index(weather(60), LIMITS, SETTINGS) > 30
    assert drought_index(weather(60, rain=5.0), LIMITS, SETTINGS) == 0.0


def test_flood_counts_days_of_heavy_three_day_rain():
    rain = np.zeros(20)
    rain[5] = 50.0  # above 3 x 10 mm for the three days from day 5
    wet = CellWeather(np.zeros(20), np.zeros(20), rain, np.zeros(20))
    assert flood_index(wet, LIMITS) == pytest.approx(75.0)
    assert flood_index(weather(), LIMITS) == 0.0


def test_frost_and_heat_are_degree_days_of_harm():
    assert degree_index(np.array([2.0, -5.0, 3.0]), 20.0) == pytest.approx(25.0)
    assert degree_index(np.array([50.0]), 20.0) == 100.0


def test_joint_index_combines_independent_losses():
    assert joint_index([50.0, 50.0, 0.0]) == pytest.approx(75.0)
    assert joint_index([0.0, 0.0]) == 0.0


def test_every_threshold_names_a_known_crop():
    assert set(thresholds()) - {"default"} <= set(crops())


def test_only_the_parcels_own_season_counts(tmp_path, season):
    days = [season.start + dt.timedelta(i) for i in range(365)]
    frame = pd.DataFrame({"cell_id": "c", "date": days, "tmin_c": 10.0, "tmax_c": 20.0,
                          "precip_mm": 3.0, "et0_mm": 2.0})  # fmt: skip
    frame.loc[10:15, "tmin_c"] = -8.0  # frost before either crop stands
    frame.to_parquet(tmp_path / "w.parquet")
    ids = ["frosted", "safe", "unseen", "far"]
    pd.DataFrame({"parcel_id": ids[:3], "cell_id": "c"}).to_parquet(tmp_path / "cells.parquet")
    begin = [season.start, season.start + dt.timedelta(100), None, season.start]
    growth = pd.DataFrame({"parcel_id": ids, "sos": begin})
    growth["eos"] = [season.start + dt.timedelta(200)] * 2 + [None, None]
    growth.to_parquet(tmp_path / "g.parquet")
    pd.DataFrame({"parcel_id": ids, "crop": "winter_wheat"}).to_parquet(tmp_path / "c.parquet")
    run_hazards(
        tmp_path / "w.parquet", tmp_path / "cells.parquet", tmp_path / "g.parquet",
        tmp_path / "c.parquet", season=season, settings=SETTINGS, out=tmp_path / "h.parquet",
        outcomes=tmp_path / "o.parquet",
    )  # fmt: skip
    rows = pd.read_parquet(tmp_path / "h.parquet").set_index("parcel_id")
    assert rows.loc["frosted", "frost"] == 100.0  # 6 days x 6 degrees under -2
    assert rows.loc["safe", "frost"] == 0.0
    assert rows.loc["safe", "gdd"] == pytest.approx(101 * 15)
    codes = pd.read_parquet(tmp_path / "o.parquet").set_index("parcel_id")["outcome"].to_dict()
    assert codes == {"frosted": "ok", "safe": "ok", "unseen": "no_growing_season",
                     "far": "no_weather_index"}  # fmt: skip
