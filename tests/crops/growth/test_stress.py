import numpy as np
import pytest

from fieldline.crops.growth.stress import (
    degree_days_above,
    dry_wind_index,
    frost_index,
    growing_degree_days,
    heat_index,
    longest_run,
)
from fieldline.crops.growth.thresholds import loss_index
from fieldline.crops.settings import HazardSettings
from tests.crops.growth.test_water import LIMITS, weather

SETTINGS = HazardSettings()


def test_degree_days_hold_both_extremes_within_the_limits():
    assert growing_degree_days(weather(), LIMITS) == pytest.approx(10 * (15 - 8))
    assert growing_degree_days(weather(1, tmin=2, tmax=40), LIMITS) == pytest.approx(19 - 8)


def test_longest_run():
    assert longest_run(np.array([1, 1, 0, 1, 1, 1, 0], dtype=bool)) == 3
    assert longest_run(np.array([], dtype=bool)) == 0


@pytest.mark.parametrize(
    ("tmin", "tmax", "threshold"), [(20, 37, 35), (20, 37, 30), (10, 20, 35), (31, 40, 30)]
)
def test_heat_is_the_area_of_the_days_course_above_the_threshold(tmin, tmax, threshold):
    hours = np.linspace(0, 24, 240_001)
    course = (tmin + tmax) / 2 + (tmax - tmin) / 2 * np.sin(2 * np.pi * hours / 24)
    wanted = np.trapezoid(np.maximum(course - threshold, 0), hours) / 24
    found = degree_days_above(np.array([float(tmin)]), np.array([float(tmax)]), threshold)
    assert found == pytest.approx([wanted], abs=1e-6)


def test_a_day_of_37_degrees_is_no_two_degree_days_above_35():
    assert degree_days_above(np.array([20.0]), np.array([37.0]), 35.0)[0] < 0.4


def test_heat_and_frost_are_degree_days_of_harm():
    hot = weather(45, tmin=36.0, tmax=36.0)
    # one degree for 45 days, each 1 % of the yield
    assert heat_index(hot, LIMITS, SETTINGS, np.ones(45)) == pytest.approx(50.0)
    assert heat_index(hot, LIMITS, SETTINGS, np.full(45, 2.0)) == 100.0
    cold = weather(20, tmin=-3.0)
    tender = np.zeros(20)
    tender[:4] = 1.0
    # 12 degree-days at 4 %
    wanted = loss_index(0.48, SETTINGS)
    assert frost_index(cold, LIMITS, SETTINGS, tender) == pytest.approx(wanted)


def test_nobody_knows_what_a_frost_did_to_a_crop_of_unknown_hardiness():
    cold = weather(20)
    cold.tmin[5] = -3.0
    tender = np.ones(20)
    tender[8] = np.nan
    assert frost_index(cold, LIMITS, SETTINGS, tender) == pytest.approx(loss_index(0.12, SETTINGS))
    tender[5] = np.nan
    assert frost_index(cold, LIMITS, SETTINGS, tender) is None


def test_dry_wind_needs_heat_dry_air_and_wind_while_grain_fills():
    filling = np.arange(20) >= 10
    # night 12, day 34 C: vapour pressure 1.40 of 5.32 kPa, a quarter; wind 2.5 at 2 m is 3.3 at 10
    hot = weather(20, tmin=12.0, tmax=34.0, wind=2.5)
    assert dry_wind_index(hot, SETTINGS, filling) == pytest.approx(loss_index(0.2, SETTINGS))
    heavy = weather(20, tmin=12.0, tmax=36.0, wind=2.5)
    assert dry_wind_index(heavy, SETTINGS, filling) == pytest.approx(loss_index(0.4, SETTINGS))
    for calm in ({"wind": 2.0}, {"tmin": 20.0}, {"tmax": 31.0}):
        days = weather(20, **{"tmin": 12.0, "tmax": 34.0, "wind": 2.5} | calm)
        assert dry_wind_index(days, SETTINGS, filling) == 0.0
    assert dry_wind_index(hot, SETTINGS, np.zeros(20, dtype=bool)) == 0.0
    assert dry_wind_index(weather(20, wind=np.nan), SETTINGS, filling) is None
