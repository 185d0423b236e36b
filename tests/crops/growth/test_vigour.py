from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.growth.grow import run_grow
from fieldline.crops.growth.stress import daily_degree_days
from fieldline.crops.growth.thermal import ThermalClock
from fieldline.crops.growth.thresholds import thresholds
from fieldline.crops.growth.vigour import thermal_norms
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.settings import Season
from tests.crops.conftest import observation_frame

START = dt.date(2023, 3, 1)
LENGTH = 214
#: A spring that warms by a tenth of a degree a day: 20 days earlier are not 20 days warmer.
TMIN = 4.0 + 0.1 * np.minimum(np.arange(LENGTH), 120)
TMAX = TMIN + 10


def season(as_of: dt.date) -> Season:
    return Season(start=START, end=START + dt.timedelta(LENGTH - 1), as_of=as_of)


def degree_days(crop: str) -> np.ndarray:
    return np.cumsum(daily_degree_days(TMIN, TMAX, thresholds()[crop]))


def canopy(sown: int, vigour: float = 1.0) -> np.ndarray:
    """NDVI by day of a maize whose whole course depends on degree days since sowing."""
    total = degree_days("maize")
    since = total - total[sown]
    up = 1 / (1 + np.exp(-(since - 400) / 60))
    down = 1 / (1 + np.exp(-(since - 1500) / 60))
    return np.asarray(0.15 + 0.65 * vigour * (up - down))


def write_weather(folder: Path, parcels: list[str], gone: slice = slice(0, 0)) -> None:
    days = [START + dt.timedelta(day) for day in range(LENGTH)]
    low, high = TMIN.copy(), TMAX.copy()
    low[gone] = high[gone] = np.nan
    pd.DataFrame({"cell_id": "c", "date": days, "tmin_c": low, "tmax_c": high}).to_parquet(
        folder / "weather.parquet"
    )
    pd.DataFrame({"parcel_id": parcels, "cell_id": "c", "distance_m": 0.0}).to_parquet(
        folder / "cells.parquet"
    )


def grown(folder, curves, as_of, write_observations, *, crop="maize", name="growth", earlier=()):
    """Run the stage on curves that were seen every five days; `earlier` holds a folder."""
    told = season(as_of)
    days = np.arange(0, LENGTH, 5)
    frame = observation_frame({k: (days, v[days]) for k, v in curves.items()}, START)
    write_observations(frame, folder / "observations.parquet")
    pd.DataFrame({"parcel_id": list(curves), "crop": crop}).to_parquet(folder / "crops.parquet")
    before = season(told.end)
    run_grow(
        observations=folder / "observations.parquet", crops=folder / "crops.parquet",
        season=told, clear_dates=ClearSettings(min_valid_fraction=0.5, min_dates=5),
        settings=GrowSettings(), out=folder / f"{name}.parquet", out_share=None,
        outcomes=folder / "o.parquet", weather=folder / "weather.parquet",
        weather_cells=folder / "cells.parquet", seasons=[*[before for _ in earlier], told],
        earlier_growth=[p / "growth.parquet" for p in earlier],
        earlier_crops=[p / "crops.parquet" for p in earlier],
        earlier_weather=[p / "weather.parquet" for p in earlier],
        earlier_cells=[p / "cells.parquet" for p in earlier],
    )  # fmt: skip
    outcomes = pd.read_parquet(folder / "o.parquet").set_index("parcel_id")
    return pd.read_parquet(folder / f"{name}.parquet").set_index("parcel_id"), outcomes


def county() -> dict[str, np.ndarray]:
    """Twenty fields sown within eight days, of slightly different vigour, in no order."""
    return {
        f"f{n:02d}": canopy(40 + n * 7 % 9, 0.94 + 0.006 * (n * 3 % 20)) for n in range(20)
    }  # fmt: skip


def test_a_field_sown_twenty_days_late_is_behind_by_the_calendar_and_not_by_thermal_time(
    tmp_path, write_observations
):
    curves = county() | {"late": canopy(64), "weak": canopy(44, 0.7)}
    write_weather(tmp_path, list(curves))
    growth, outcomes = grown(
        tmp_path, curves, START + dt.timedelta(125), write_observations
    )  # fmt: skip
    assert growth.loc["late", "green_up"] >= growth.loc["f00", "green_up"] + dt.timedelta(10)
    assert growth.loc["late", "anomaly"] < -3  # what it has by now, against the others' by now
    assert abs(growth.loc["late", "vigour"]) < 0.7
    assert 0.3 < growth.loc["late", "vigour_percentile"] < 0.7
    assert growth.loc["weak", "vigour"] < -3
    assert growth.loc["weak", "vigour_percentile"] < 0.05
    assert set(outcomes["outcome"]) == {"ok"}
    # Degree days by hand, from green-up to the last look.
    first = (growth.loc["late", "green_up"] - START).days
    total = degree_days("maize")
    assert growth.loc["late", "thermal_time"] == pytest.approx(
        total[124] - total[first - 1], abs=15
    )


def test_what_is_missing_is_null_and_named(tmp_path, write_observations):
    curves = county()
    write_weather(tmp_path, [name for name in curves if name != "f03"], slice(100, 102))
    growth, outcomes = grown(tmp_path, curves, START + dt.timedelta(125), write_observations)
    assert growth["vigour"].isna().all()  # two days of the growing season have no weather
    assert growth["thermal_time"].isna().all()
    assert set(outcomes["outcome"]) == {"vigour_unknown"}
    assert outcomes["detail"].str.contains("weather").all()
    # The same days are missing before anything came up: nothing is lost but the field of no cell.
    write_weather(tmp_path, [name for name in curves if name != "f03"], slice(10, 12))
    growth, outcomes = grown(tmp_path, curves, START + dt.timedelta(125), write_observations)
    assert growth.index[growth["vigour"].isna()].tolist() == ["f03"]
    assert outcomes["outcome"].value_counts().to_dict() == {"ok": 19, "vigour_unknown": 1}


def test_too_few_fields_of_a_crop_make_no_norm(tmp_path, write_observations):
    curves = dict(list(county().items())[:7])
    write_weather(tmp_path, list(curves))
    growth, outcomes = grown(tmp_path, curves, START + dt.timedelta(125), write_observations)
    assert growth["vigour"].isna().all()
    assert growth["thermal_time"].notna().all()
    assert outcomes["detail"].str.contains("norm").all()


def test_norms_against_a_plain_loop() -> None:
    rng = np.random.default_rng(4)
    means = rng.normal(0.5, 0.1, (60, 12))
    reach = rng.integers(0, 13, 60)
    means[np.arange(12) >= reach[:, None]] = np.nan
    crops = np.array(["a", "b", None], dtype=object)[rng.integers(0, 3, 60)]
    found = thermal_norms(means, crops, 8)
    for row in range(60):
        peers = [p for p in range(60) if crops[p] == crops[row] and crops[row] is not None]
        steps = [s for s in range(12) if sum(reach[p] > s for p in peers) >= 8 and reach[row] > s]
        if len(steps) < 4 or reach[row] < 4:
            assert np.isnan(found["vigour"][row])
            continue
        values = np.array([means[p, steps[-1]] for p in peers if reach[p] > steps[-1]])
        middle = np.median(values)
        spread = 1.4826 * np.median(np.abs(values - middle))
        own = means[row, steps[-1]]
        assert found["vigour"][row] == pytest.approx((own - middle) / spread)
        below = (values < own).sum() + (values == own).sum() / 2
        assert found["vigour_percentile"][row] == pytest.approx(below / len(values))


def test_thermal_time_between_days_is_the_sum_of_the_days_between() -> None:
    cap = thresholds()["winter_wheat"].upper_c
    low, high = np.array([5.0, 6, np.nan, 9, 12]), np.array([15.0, 20, np.nan, 25, 30])
    clock = ThermalClock({"c": low}, {"c": high}, {"p": "c"}, 5)
    rows = clock.rows(["p", "unknown"], np.array(["winter_wheat", None], dtype=object))
    between = rows.between(np.array([0.0, 0.0]), np.array([0.0, 1, 2, 3]))
    assert between[0, :3] == pytest.approx([0, 10, 23])  # means above 0 degrees
    assert np.isnan(between[0, 3])
    assert np.isnan(between[1, 1:]).all()
    assert np.isnan(rows.between(np.array([0.0, np.nan]), np.array([[np.nan], [1.0]]))).all()
    # After the gap all is known again: 17, and then (12 + 30) / 2 within the limit of the crop.
    later = rows.between(np.array([3.0, 3.0]), np.array([2.0, 4, 5]))[0]
    assert np.isnan(later[0])
    assert later[1:] == pytest.approx([17, 17 + (12 + min(30, cap)) / 2])


def test_the_curve_goes_on_as_that_of_earlier_fields_and_no_earlier_season_foretells_nothing(
    tmp_path, write_observations
):
    before, now = tmp_path / "before", tmp_path / "now"
    before.mkdir()
    now.mkdir()
    past = {f"p{n:02d}": canopy(30 + n, 0.9 + 0.005 * (n * 7 % 40)) for n in range(40)}
    write_weather(before, list(past))
    grown(before, past, START + dt.timedelta(LENGTH - 1), write_observations)
    curves = {f"f{n:02d}": canopy(38 + n, 0.92 + 0.01 * (n * 3 % 12)) for n in range(12)}
    write_weather(now, list(curves))
    as_of = START + dt.timedelta(110)
    alone, _ = grown(now, curves, as_of, write_observations, name="alone")
    assert alone["forecast_q50"].isna().all()
    growth, _ = grown(now, curves, as_of, write_observations, earlier=[before])
    inside = total = 0
    for name, row in growth.iterrows():
        last = (row["curve_start"] - START).days + 5 * (len(row["curve"]) - 1)
        days = last + 5 * np.arange(1, len(row["forecast_q50"]) + 1)
        assert days[-1] > LENGTH - 6  # to the season's end
        truth = curves[name][days]
        # Where the curve stands today is far from where it ends.
        assert np.abs(row["forecast_q50"] - truth).mean() < 0.04 < np.ptp(truth) / 10
        inside += int(((row["forecast_q10"] <= truth) & (truth <= row["forecast_q90"])).sum())
        total += len(days)
    assert inside / total > 0.6
