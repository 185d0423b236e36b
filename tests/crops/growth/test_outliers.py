import numpy as np
import pytest

from fieldline.crops.growth.curves import Points
from fieldline.crops.growth.outliers import OutlierRules, believable

LASTING = 14


def points(*series: tuple[list[int], list[float]]) -> Points:
    parcel = np.concatenate([np.full(len(day), n) for n, (day, _) in enumerate(series)])
    day = np.concatenate([np.asarray(day) for day, _ in series]).astype(np.int64)
    values = np.concatenate([np.asarray(v, dtype=float) for _, v in series])
    return Points(len(series), parcel.astype(np.int64), day, values, np.ones(len(day)))


def stands(day, values, drop=0.1, reach=30, sudden=2.0) -> list[bool]:
    """Which observations of one parcel stand; no end is doubted unless a sudden fall is given."""
    rules = OutlierRules(drop, reach, sudden, LASTING)
    return believable(points((list(day), list(values))), rules).tolist()


def test_missed_cloud_is_a_spike_and_harvest_is_not():
    day, values = [0, 5, 10, 15, 20, 25], [0.8, 0.8, 0.4, 0.8, 0.2, 0.2]
    assert stands(day, values) == [True, True, False, True, True, True]


@pytest.mark.parametrize(
    ("day", "middle", "drop", "kept"),
    [
        pytest.param([0, 10, 20], 0.5, 0.125, False, id="a quarter under both"),
        pytest.param([0, 10, 20], 0.5, 0.25, True, id="exactly the drop is none"),
        pytest.param([0, 30, 60], 0.5, 0.125, False, id="both neighbours just in reach"),
        pytest.param([200, 210, 220], 0.5, 0.125, False, id="late in the season as early in it"),
        pytest.param([0, 31, 61], 0.5, 0.125, True, id="the one before out of reach"),
        pytest.param([0, 30, 61], 0.5, 0.125, True, id="the one behind out of reach"),
    ],
)
def test_a_spike_is_deeper_than_the_drop_between_two_near_neighbours(day, middle, drop, kept):
    assert stands(day, [0.75, middle, 0.75], drop) == [True, kept, True]


def test_a_spike_lies_under_the_line_and_under_both_neighbours():
    def middle(day, values, drop):
        return stands(day, values, drop)[1]

    # on day 10 the line from .5 to .8 on day 30 stands at .6
    assert not middle([0, 10, 30], [0.5, 0.45, 0.8], 0.1)
    assert middle([0, 10, 30], [0.5, 0.45, 0.8], 0.2)
    assert middle([0, 10, 30], [0.5, 0.52, 0.8], 0.05)
    assert middle([0, 10, 20], [0.5, 0.5, 1.0], 0.1)
    # two images of one day: the line is the other image's value
    assert not middle([0, 0, 1], [0.8, 0.3, 0.8], 0.2)
    assert stands([0, 1], [0.9, 0.1]) == [True, True]


def test_two_missed_clouds_in_a_row_fall_and_come_back_within_a_fortnight():
    values = [0.8, 0.8, 0.3, 0.25, 0.8, 0.8]
    assert stands([0, 5, 10, 15, 20, 25], values) == [True, True, False, False, True, True]
    # rice cut, and the next crop green 40 days later: no cloud
    assert all(stands([0, 10, 20, 30, 50, 60], [0.8, 0.8, 0.3, 0.3, 0.8, 0.8]))


def test_a_parcel_is_not_judged_by_its_neighbours_in_the_table():
    two = points(([0, 5, 10], [0.8, 0.8, 0.8]), ([0, 5, 10], [0.2, 0.2, 0.2]))
    again = points(([0, 5, 10], [0.2, 0.2, 0.2]), ([0, 5, 10], [0.8, 0.8, 0.8]))
    rules = OutlierRules(0.1, 30, 0.3, LASTING)
    assert believable(two, rules).all()
    assert believable(again, rules).all()


@pytest.mark.parametrize(
    ("day", "values", "kept"),
    [
        ([0, 5, 10], [0.85, 0.85, 0.25], 2),
        ([0, 5, 10, 15], [0.85, 0.85, 0.25, 0.25], 2),
        ([0, 5, 10, 19], [0.85, 0.85, 0.25, 0.25], 4),
        ([0, 5, 10], [0.85, 0.85, 0.6], 3),
        ([0, 5, 25], [0.85, 0.85, 0.25], 3),
    ],
    ids=["one cloud", "two clouds", "it lasted a fortnight", "it ripens", "not seen for a while"],
)
def test_a_sudden_fall_at_the_end_waits_until_it_has_lasted(day, values, kept):
    assert stands(day, values, sudden=0.3) == [n < kept for n in range(len(day))]
