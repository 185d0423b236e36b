import numpy as np
import pytest

from fieldline.crops.growth.seasons import Seasons, measure
from fieldline.crops.settings import GrowSettings
from tests.crops.conftest import double_logistic
from tests.crops.growth.test_curves import points_of

SETTINGS = GrowSettings()
DAYS = np.arange(0, 365, 5)


def seen(*series) -> Seasons:
    return measure(points_of(*series), 5, SETTINGS)


def cut_crop(day=DAYS, cut=250.0) -> np.ndarray:
    """A crop that stands at .85 from day 150 until it is cut, bare land of .15 otherwise."""
    return np.where(day < 100, 0.15, np.where(day < cut, 0.85, 0.15))


def test_a_cut_lies_between_the_last_standing_and_the_first_bare_date():
    found = seen((DAYS, cut_crop(cut=252.0)))
    assert found.of_main(found.harvests.last_standing).tolist() == [250.0]
    assert found.of_main(found.harvests.first_bare).tolist() == [255.0]
    # the line from .85 to .15 passes the bare level, .15 + .2 x .7, after .8 of the five days
    assert found.of_main(found.harvests.day) == pytest.approx([254.0], abs=0.1)
    assert found.of_main(found.ends) == found.of_main(found.harvests.day)
    assert found.of_main(found.progress()).tolist() == [1.0]
    assert found.standing.tolist() == [0]


@pytest.mark.parametrize("clouds", [1, 2], ids=["one date", "two dates"])
def test_a_missed_cloud_on_the_last_dates_is_no_harvest(clouds):
    values = np.where(DAYS < 100, 0.15, 0.85)
    cloudy = values.copy()
    cloudy[-clouds:] = 0.25
    clean, dimmed = seen((DAYS, values)), seen((DAYS, cloudy))
    for found in (clean, dimmed):
        assert np.isnan(found.of_main(found.harvests.day)).all()
        assert np.isnan(found.of_main(found.cycles.end)).all()
        assert found.of_main(found.progress()) == pytest.approx([0.0], abs=0.05)
        assert found.standing.tolist() == [1]
        assert found.cycles.per_parcel(1).tolist() == [1]


def test_bare_land_counts_as_harvested_once_it_stayed_bare_for_a_fortnight():
    dates = []
    for days_after in (5, 9, 14, 30):
        day = np.append(np.arange(0, 250, 5), [250, 250 + days_after])
        found = seen((day, cut_crop(day)))
        dates.append(found.of_main(found.harvests.first_bare)[0])
    assert np.isnan(dates[:2]).all()
    assert dates[2:] == [250.0, 250.0]


def test_a_meadow_that_is_cut_and_stands_again_is_not_harvested():
    day = np.arange(0, 240, 15)
    values = np.where(day < 60, 0.2, 0.85)
    values[9] = 0.38
    found = seen((day, values))
    assert np.isnan(found.harvests.day).all()


def test_green_land_is_not_bare_however_little_of_its_amplitude_is_left():
    # falls from .95 to .45 and stays: the right-hand share alone would call .5 bare
    values = np.where(DAYS < 100, 0.2, np.where(DAYS < 200, 0.95, 0.45))
    found = seen((DAYS, values))
    assert np.isnan(found.harvests.day).all()


def test_the_bare_level_follows_the_land_after_the_harvest_and_not_the_spring():
    # green in spring already: with the mean of both sides .51 would have been bare
    day = np.arange(0, 240, 10)
    values = np.interp(day, [0, 60, 120, 160, 200, 239], [0.5, 0.8, 0.8, 0.5, 0.15, 0.15])
    found = seen((day, values))
    assert found.of_main(found.harvests.first_bare).tolist() == [190.0]


def test_the_next_crop_confirms_that_the_one_before_it_is_gone():
    first = double_logistic(DAYS, 60, 150, high=0.8)
    second = double_logistic(DAYS, 200, 300, low=0.0, high=0.5)
    found = seen((DAYS, first + second))
    assert found.cycles.per_parcel(1).tolist() == [2]
    days = found.harvests.day
    assert 150 <= days[0] <= 175
    assert 300 <= days[1] <= 325
    # between the two only two days look bare: too few alone, enough with a crop that follows
    kept = (DAYS <= 155) | (DAYS >= 195) | np.isin(DAYS, [170, 175])
    assert np.isfinite(seen((DAYS[kept], (first + second)[kept])).harvests.day[0])


def test_a_day_after_the_next_peak_is_not_the_first_crops_harvest():
    line = np.interp(DAYS, [0, 50, 100, 110, 120, 200, 300, 320, 364],
                     [0.2, 0.85, 0.85, 0.45, 0.45, 0.85, 0.85, 0.15, 0.15])  # fmt: skip
    found = seen((DAYS, line))
    assert found.cycles.per_parcel(1).tolist() == [2]
    assert np.isnan(found.harvests.day[0])
    assert 300 < found.harvests.day[1] <= 320
