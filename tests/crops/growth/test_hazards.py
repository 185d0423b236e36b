import datetime as dt

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.growth.hazards import (
    CellWeather,
    Thresholds,
    degree_index,
    drought_index,
    flood_index,
    growing_degree_days,
    indices,
    joint_index,
    longest_run,
    loss_index,
    run_hazards,
    thresholds,
    water_year,
)
from fieldline.crops.settings import HazardSettings
from fieldline.pipeline.records.reference import crops

LIMITS = Thresholds(8, 30, 35, 0, 400, 0.5, 1.0, 0, 0, 8)
IRRIGATED = Thresholds(8, 30, 35, 0, 400, 0.5, 1.0, 240, 0, 8)
SETTINGS = HazardSettings()


def weather(days=10, tmin=10.0, tmax=20.0, rain=0.0, et0=5.0) -> CellWeather:
    return CellWeather(*(np.full(days, float(v)) for v in (tmin, tmax, rain, et0)))


def test_degree_days_hold_both_extremes_within_the_limits():
    assert growing_degree_days(weather(), LIMITS) == pytest.approx(10 * (15 - 8))
    assert growing_degree_days(weather(1, tmin=2, tmax=40), LIMITS) == pytest.approx(19 - 8)


def test_longest_run():
    assert longest_run(np.array([1, 1, 0, 1, 1, 1, 0], dtype=bool)) == 3
    assert longest_run(np.array([], dtype=bool)) == 0


def drought(days: CellWeather, limits: Thresholds = LIMITS) -> float:
    return drought_index(water_year(days, limits, SETTINGS), limits, SETTINGS)


def test_the_scale_runs_from_an_ordinary_loss_to_a_lost_crop():
    found = [loss_index(loss, SETTINGS) for loss in (0.0, 0.1, 0.8, 1.0)]
    assert found == pytest.approx([0.0, 0.0, 100.0, 100.0])
    assert loss_index(0.45, SETTINGS) == pytest.approx(50.0)


def test_drought_is_zero_while_the_bucket_lasts_and_rises_after():
    # 120 mm full, half of it free of stress, 4.5 mm used a day: 14 days without stress
    assert water_year(weather(14), LIMITS, SETTINGS).deficit == pytest.approx(0.0, abs=1e-12)
    assert drought(weather(60)) > 30
    assert drought(weather(60, rain=5.0)) == 0.0


def test_irrigation_carries_a_crop_through_a_dry_spring_but_not_through_any():
    # 240 mm and the bucket's 120 mm serve 4.5 mm a day for more than 60 days
    assert drought(weather(60), IRRIGATED) == 0.0
    assert 0.0 < drought(weather(150), IRRIGATED) < drought(weather(150))
    dry = HazardSettings(irrigation_share=0)
    assert water_year(weather(60), IRRIGATED, dry) == water_year(weather(60), LIMITS, dry)


def test_flood_counts_the_days_of_standing_water_after_the_first_three():
    rain = np.zeros(30)
    rain[5] = 240.0  # fills nothing (full bucket), stands 210 mm, falls 30 mm a day: 7 wet days
    wet = CellWeather(np.zeros(30), np.zeros(30), rain, np.zeros(30))
    water = water_year(wet, LIMITS, SETTINGS)
    assert water.wet_days == 7 - SETTINGS.aeration_lag_days
    # 4 of 8 days that cost the crop: half of the 80 % loss
    assert flood_index(water, LIMITS, SETTINGS) == pytest.approx(loss_index(0.4, SETTINGS))
    assert flood_index(water_year(weather(), LIMITS, SETTINGS), LIMITS, SETTINGS) == 0.0


def test_paddy_rice_stands_in_water():
    assert water_year(weather(60, rain=34.0), thresholds()["rice"], SETTINGS).wet_days == 0


def test_frost_and_heat_are_degree_days_of_harm():
    assert degree_index(np.array([2.0, -5.0, 43.0]), 0.01, SETTINGS) == pytest.approx(50.0)
    assert degree_index(np.array([500.0]), 0.01, SETTINGS) == 100.0


def test_an_ordinary_season_has_no_hazard():
    season = weather(120, tmin=14, tmax=29, rain=4.0, et0=4.0)
    for crop, limits in thresholds().items():
        found = indices(season, limits, SETTINGS, np.ones(120, dtype=bool))
        assert found["hazard_index"] == 0.0, crop


def test_joint_index_combines_independent_losses():
    assert joint_index([50.0, 50.0, 0.0]) == pytest.approx(75.0)
    assert joint_index([0.0, 0.0]) == 0.0


def test_every_threshold_names_a_known_crop():
    assert set(thresholds()) - {"default"} <= set(crops())


def test_only_the_parcels_own_season_counts(tmp_path, season):
    days = [season.start + dt.timedelta(i) for i in range(365)]
    frame = pd.DataFrame({"cell_id": "c", "date": days, "tmin_c": 10.0, "tmax_c": 20.0,
                          "precip_mm": 3.0, "et0_mm": 2.0})  # fmt: skip
    frame.loc[110:115, "tmin_c"] = -8.0
    frame.loc[10:15, "tmin_c"] = -8.0
    frame.to_parquet(tmp_path / "w.parquet")
    ids = ["frosted", "safe", "early", "unseen", "far"]
    pd.DataFrame({"parcel_id": ids[:4], "cell_id": "c"}).to_parquet(tmp_path / "cells.parquet")
    after = [season.start + dt.timedelta(i) for i in range(366)]
    growth = pd.DataFrame({"parcel_id": ids, "sos": [after[5], after[120], after[5], None, None]})
    growth["pos"] = [after[150], after[180], after[190], None, None]
    growth["eos"] = [after[200], after[220], after[220], None, None]
    growth.to_parquet(tmp_path / "g.parquet")
    pd.DataFrame({"parcel_id": ids, "crop": "winter_wheat"}).to_parquet(tmp_path / "c.parquet")
    run_hazards(
        weather=tmp_path / "w.parquet", weather_cells=tmp_path / "cells.parquet",
        growth=tmp_path / "g.parquet", crops=tmp_path / "c.parquet", season=season,
        settings=SETTINGS, out=tmp_path / "h.parquet", outcomes=tmp_path / "o.parquet",
    )  # fmt: skip
    rows = pd.read_parquet(tmp_path / "h.parquet").set_index("parcel_id")
    # 6 days x 6 degrees under -2 within 60 days of the peak, at 4 % a degree-day: the crop is lost;
    # sown later, or 75 days from its peak, it is untouched
    assert rows["frost"].dropna().to_dict() == {
        "frosted": 100.0, "safe": 0.0, "early": 0.0, "unseen": 100.0,
    }  # fmt: skip
    assert rows.loc["safe", "gdd"] == pytest.approx(101 * 15)
    codes = pd.read_parquet(tmp_path / "o.parquet").set_index("parcel_id")["outcome"].to_dict()
    assert codes == {"frosted": "ok", "safe": "ok", "early": "ok", "unseen": "no_growing_season",
                     "far": "no_weather_index"}  # fmt: skip


def test_bare_land_is_not_harmed_before_its_crop_is_up_nor_wheat_before_its_peak(tmp_path, season):
    days = [season.start + dt.timedelta(i) for i in range(165)]
    frame = pd.DataFrame({"cell_id": "c", "date": days, "tmin_c": 10.0, "tmax_c": 20.0,
                          "precip_mm": 3.0, "et0_mm": 2.0})  # fmt: skip
    frame.loc[110:115, "tmin_c"] = -8.0
    frame.to_parquet(tmp_path / "w.parquet")
    ids = ["bare", "told", "rising", "ended"]
    pd.DataFrame({"parcel_id": ids, "cell_id": "c"}).to_parquet(tmp_path / "cells.parquet")
    growth = pd.DataFrame({"parcel_id": ids, "sos": [None, None, days[40], days[40]]})
    growth["pos"] = [None, None, days[150], days[150]]
    growth["eos"] = [None, None, None, days[160]]
    growth.to_parquet(tmp_path / "g.parquet")
    crop = [None, "maize", "winter_wheat", "winter_wheat"]
    pd.DataFrame({"parcel_id": ids, "crop": crop}).to_parquet(tmp_path / "c.parquet")

    def frost(as_of: dt.date) -> tuple[dict[str, float], dict[str, str]]:
        run_hazards(
            weather=tmp_path / "w.parquet", weather_cells=tmp_path / "cells.parquet",
            growth=tmp_path / "g.parquet", crops=tmp_path / "c.parquet",
            season=season.model_copy(update={"as_of": as_of}), settings=SETTINGS,
            out=tmp_path / "h.parquet", outcomes=tmp_path / "o.parquet",
        )  # fmt: skip
        rows = pd.read_parquet(tmp_path / "h.parquet").set_index("parcel_id")
        told = pd.read_parquet(tmp_path / "o.parquet").set_index("parcel_id")["outcome"]
        return rows["frost"].to_dict(), told.to_dict()

    early, codes = frost(days[-1])
    assert early == {"bare": 0.0, "told": 100.0, "rising": 0.0, "ended": 100.0}
    assert (codes["bare"], codes["told"]) == ("not_yet_grown", "no_growing_season")
    late, codes = frost(season.end)
    assert late == {"bare": 100.0, "told": 100.0, "rising": 100.0, "ended": 100.0}
    assert codes["bare"] == "no_growing_season"
