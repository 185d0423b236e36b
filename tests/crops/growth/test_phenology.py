import numpy as np
import pytest

from fieldline.crops.growth.curves import Curve
from fieldline.crops.growth.phenology import CycleRules, find_cycles, harvest_day, main_cycle

RULES = CycleRules(0.4, 0.2, 0.25, 0.15, 60)


def triangle(*corners: tuple[float, float]) -> Curve:
    days = np.arange(0, corners[-1][0] + 1, 5.0)
    values = np.interp(days, [c[0] for c in corners], [c[1] for c in corners])
    return Curve(0, 5, values, 1.0)


def test_start_and_end_are_a_quarter_up_and_fifteen_hundredths_down():
    cycle = main_cycle(find_cycles(triangle((0, 0.2), (100, 0.8), (200, 0.2)), RULES))
    assert cycle.start == pytest.approx(25.0)
    assert cycle.peak_day == 100.0
    assert cycle.end == pytest.approx(185.0)
    assert cycle.amplitude == pytest.approx(0.6)
    assert cycle.base == pytest.approx(0.2)


def test_integral_of_the_triangle_by_hand():
    cycle = main_cycle(find_cycles(triangle((0, 0.2), (100, 0.8), (200, 0.2)), RULES))
    whole = 0.6 * 200 / 2
    tails = 25 * 0.15 / 2 + 15 * 0.09 / 2
    assert cycle.integral == pytest.approx(whole - tails)


def test_each_side_has_its_own_base():
    cycle = main_cycle(find_cycles(triangle((0, 0.0), (100, 0.8), (200, 0.4)), RULES))
    assert cycle.start == pytest.approx(25.0)
    assert cycle.end == pytest.approx(100 + 0.85 * 100)
    assert cycle.base == pytest.approx(0.2)


def test_two_crops_are_two_cycles_and_the_larger_is_the_main_one():
    curve = triangle((0, 0.2), (60, 0.6), (100, 0.2), (180, 0.9), (280, 0.2))
    cycles = find_cycles(curve, RULES)
    assert [cycle.peak_day for cycle in cycles] == [60.0, 180.0]
    assert main_cycle(cycles).peak_day == 180.0


def test_a_fall_that_is_not_seen_has_no_end():
    cycle = main_cycle(find_cycles(triangle((0, 0.2), (100, 0.8)), RULES))
    assert cycle.end is None
    assert harvest_day(np.array([0, 50, 100]), np.array([0.2, 0.5, 0.8]), cycle, 0.2) is None


def test_evergreen_and_bare_land_have_no_cycle():
    assert find_cycles(triangle((0, 0.75), (100, 0.85), (200, 0.75)), RULES) == []
    assert find_cycles(triangle((0, 0.1), (100, 0.35), (200, 0.1)), RULES) == []


def test_a_fall_at_the_start_of_the_season_is_another_crop():
    assert find_cycles(triangle((0, 0.8), (60, 0.2), (200, 0.2)), RULES) == []


def test_a_late_record_may_miss_the_rise():
    seen = triangle((0, 0.7), (20, 0.8), (100, 0.2))
    late = Curve(150, 5, seen.values, 1.0)
    assert find_cycles(seen, RULES) == []
    cycle = main_cycle(find_cycles(late, RULES))
    assert cycle.start is None
    assert cycle.base == pytest.approx(0.2)


def test_harvest_lies_between_the_last_standing_and_the_first_bare_date():
    cycle = main_cycle(find_cycles(triangle((0, 0.2), (100, 0.8), (200, 0.2)), RULES))
    day = np.array([90, 100, 150, 160, 170])
    assert harvest_day(day, np.array([0.7, 0.8, 0.6, 0.25, 0.22]), cycle, 0.2) == 155.0
