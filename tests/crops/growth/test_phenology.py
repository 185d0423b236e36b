import numpy as np
import pytest

from fieldline.crops.growth.curves import Curves, smooth_curves
from fieldline.crops.growth.cycles import CycleRules
from fieldline.crops.growth.phenology import Cycles, date_sd, find_cycles, peak_sd
from tests.crops.conftest import double_logistic
from tests.crops.growth.test_curves import points_of

RULES = CycleRules(0.4, 0.2, 0.25, 0.15, 40)


def drawn(*corners: tuple[float, float]) -> np.ndarray:
    days = np.arange(0, corners[-1][0] + 1, 5.0)
    return np.interp(days, [c[0] for c in corners], [c[1] for c in corners])


def curves_of(*lines: np.ndarray, first: int = 0) -> Curves:
    length = max(len(line) for line in lines) + first
    values = np.full((len(lines), length), np.nan)
    for row, line in enumerate(lines):
        values[row, first : first + len(line)] = line
    last = np.array([first + len(line) - 1 for line in lines])
    return Curves(5, values, np.full(len(lines), first), last, np.zeros(len(lines)))


def cycles_of(*corners: tuple[float, float], first: int = 0) -> Cycles:
    return find_cycles(curves_of(drawn(*corners), first=first), RULES)


def test_start_and_end_are_a_quarter_up_and_fifteen_hundredths_down():
    cycles = cycles_of((0, 0.2), (100, 0.8), (200, 0.2))
    assert cycles.start == pytest.approx([25.0])
    assert cycles.peak_day.tolist() == [100.0]
    assert cycles.end == pytest.approx([185.0])
    assert cycles.amplitude == pytest.approx([0.6])
    assert cycles.base == pytest.approx([0.2])
    # .45 in 75 days up, .51 in 85 days down
    assert cycles.rise_rate == pytest.approx([0.006])
    assert cycles.fall_rate == pytest.approx([0.006])


def test_integral_of_the_triangle_by_hand():
    whole = 0.6 * 200 / 2
    tails = 25 * 0.15 / 2 + 15 * 0.09 / 2
    assert cycles_of((0, 0.2), (100, 0.8), (200, 0.2)).integral == pytest.approx([whole - tails])


def test_each_side_has_its_own_base():
    cycles = cycles_of((0, 0.0), (100, 0.8), (200, 0.4))
    assert cycles.start == pytest.approx([25.0])
    assert cycles.end == pytest.approx([100 + 0.85 * 100])
    assert cycles.base == pytest.approx([0.2])


def test_two_crops_are_two_cycles_and_the_larger_is_the_main_one():
    cycles = cycles_of((0, 0.2), (60, 0.6), (100, 0.2), (180, 0.9), (280, 0.2))
    assert cycles.peak_day.tolist() == [60.0, 180.0]
    assert cycles.start == pytest.approx([15.0, 100 + 0.25 * 80])
    assert cycles.end == pytest.approx([60 + 0.85 * 40, 180 + 0.85 * 100])
    assert cycles.main(1).tolist() == [1]


def test_a_rise_without_a_fall_stands_and_has_neither_peak_nor_end():
    cycles = cycles_of((0, 0.2), (100, 0.8))
    assert len(cycles) == 1
    assert cycles.start == pytest.approx([25.0])
    assert np.isnan(cycles.end).all()
    assert np.isnan(cycles.peak_day).all()
    assert cycles.peak == pytest.approx([0.8])


def test_a_flat_top_peaks_in_its_middle_as_its_mirror_image_does():
    cycles = cycles_of((0, 0.2), (60, 0.8), (90, 0.8), (150, 0.2))
    assert cycles.peak_day.tolist() == [75.0]
    uneven = [drawn((0, 0.2), (60, 0.8), (85, 0.8), (190, 0.2))]
    uneven.append(uneven[0][::-1])
    days = find_cycles(curves_of(*uneven), RULES).peak_day
    assert days.sum() == pytest.approx(190.0)
    assert days[0] == pytest.approx(72.5)
    # Two dates of one NDVI, sixty days apart: the curve may not rise above them.
    seen = points_of(([0, 30, 60, 120, 150, 180], [0.2, 0.3, 0.8, 0.8, 0.3, 0.2]))
    assert find_cycles(smooth_curves(seen, 5, 3.16), RULES).peak_day.tolist() == [90.0]


def test_a_peak_is_dated_once_the_curve_has_left_it_by_a_tenth():
    rising = ((0, 0.2), (100, 0.8))
    assert np.isnan(cycles_of(*rising, (110, 0.75)).peak_day).all()
    assert cycles_of(*rising, (110, 0.73)).peak_day.tolist() == [100.0]


def test_evergreen_and_bare_land_have_no_cycle():
    assert len(cycles_of((0, 0.75), (100, 0.85), (200, 0.75))) == 0
    assert len(cycles_of((0, 0.1), (100, 0.35), (200, 0.1))) == 0


def test_a_cut_meadow_is_one_canopy_and_wheat_with_maize_after_it_two_crops():
    meadow = ((0, 0.6), (50, 0.85), (60, 0.55), (110, 0.85), (120, 0.55), (200, 0.8))
    assert len(cycles_of(*meadow)) == 0
    sown = ((0, 0.2), (50, 0.85), (60, 0.55), (110, 0.8), (160, 0.2))
    cycles = cycles_of(*sown)
    assert cycles.peak_day.tolist() == [50.0]
    assert cycles.end == pytest.approx([110 + (0.8 - 0.2 - 0.15 * 0.65) / 0.6 * 50])
    assert len(cycles_of((0, 0.2), (50, 0.85), (60, 0.3), (110, 0.8), (160, 0.2))) == 2


@pytest.mark.parametrize("first", [0, 12, 36])
def test_a_crop_seen_from_its_middle_is_one_whenever_the_season_began(first):
    cycles = cycles_of((0, 0.6), (60, 0.8), (100, 0.8), (160, 0.2), first=first)
    assert len(cycles) == 1
    assert np.isnan(cycles.start).all()
    assert cycles.base == pytest.approx([0.2])
    assert cycles.end - 5 * first == pytest.approx([100 + 0.85 * 60])


def test_a_fall_that_begins_with_the_record_is_another_seasons_crop():
    assert len(cycles_of((0, 0.8), (60, 0.2), (200, 0.2))) == 0
    # the same with the next crop after it: only that one is of this season
    cycles = cycles_of((0, 0.8), (40, 0.2), (140, 0.8), (240, 0.2))
    assert cycles.peak_day.tolist() == [140.0]


def test_a_record_that_begins_within_the_rise_has_no_start():
    assert np.isnan(cycles_of((0, 0.55), (50, 0.85), (120, 0.2)).start).all()
    # seen turning, or nearly bare: a start
    assert np.isfinite(cycles_of((0, 0.6), (20, 0.55), (70, 0.85), (140, 0.2)).start).all()
    assert np.isfinite(cycles_of((0, 0.45), (50, 0.85), (120, 0.2)).start).all()


def test_parcels_do_not_change_each_other():
    days = np.arange(0, 365, 5.0)
    lines = [double_logistic(days, 60 + 5 * n, 200 + 3 * n) for n in range(20)]
    together = find_cycles(curves_of(*lines), RULES)
    for n, line in enumerate(lines):
        alone = find_cycles(curves_of(line), RULES)
        for name in ("start", "peak_day", "end", "integral"):
            assert getattr(together, name)[n] == getattr(alone, name)[0]


def test_nothing_seen_gives_no_cycles():
    nothing = Curves(5, np.full((2, 4), np.nan), np.full(2, -1), np.full(2, -1), np.zeros(2))
    cycles = find_cycles(nothing, RULES)
    assert len(cycles) == 0
    assert cycles.main(2).tolist() == [-1, -1]


def test_the_standard_deviation_of_a_date_is_its_gap_and_its_noise():
    curves = curves_of(drawn((0, 0.2), (100, 0.8), (200, 0.2)))
    curves = Curves(5, curves.values, curves.first, curves.last, np.array([0.03]))
    cycles = find_cycles(curves, RULES)
    seen = points_of((np.array([0, 20, 40, 100, 150, 200]), np.full(6, 0.5)))
    # start on day 25 lies in a gap of 20 days, on a slope of .006 a day
    wanted = np.hypot(20 / np.sqrt(12), 0.03 / 0.006)
    assert date_sd(curves, cycles, seen, cycles.start) == pytest.approx([wanted])
    # the top 0.03 is passed in 5 days on each side: the grid days 95, 100 and 105
    assert peak_sd(curves, cycles) == pytest.approx([15 / np.sqrt(12)])


def test_dates_lie_within_the_spread_that_is_told_of_them():
    """Simulated seasons with gaps and noise; what is known beforehand is the double logistic."""
    from fieldline.crops.growth.curves import smooth_curves

    generator = np.random.default_rng(7)
    series, starts, ends = [], [], []
    for _ in range(400):
        day = np.sort(generator.choice(365, 30, replace=False))
        rise, fall = generator.uniform(100, 140), generator.uniform(220, 260)
        ndvi = double_logistic(day, rise, fall, width=10.0) + generator.normal(0, 0.03, 30)
        series.append((day, ndvi))
        starts.append(rise - 10 * np.log(3))
        ends.append(fall + 10 * np.log(0.85 / 0.15))
    points = points_of(*series)
    curves = smooth_curves(points, 5, 3.16)
    cycles = find_cycles(curves, RULES)
    main = cycles.main(400)
    for dates, truth in ((cycles.start, starts), (cycles.end, ends)):
        off = np.abs(dates - np.asarray(truth)[cycles.parcel])[main]
        within = off <= 1.2816 * date_sd(curves, cycles, points, dates)[main]
        assert 0.7 <= within.mean() <= 0.95
