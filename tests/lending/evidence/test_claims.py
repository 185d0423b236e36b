from __future__ import annotations

import time

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import box

from fieldline.lending.evidence.claims import (
    Overlap,
    counted_twice,
    disputed,
    disputed_area,
    overlaps,
    rivals,
)
from fieldline.lending.settings import EvidenceSettings

RULES = EvidenceSettings()


def squares(*corners: tuple[float, float, float, float]) -> np.ndarray:
    return np.array([box(*corner) for corner in corners], dtype=object)


def test_half_overlap_of_two_squares() -> None:
    (pair,) = overlaps(squares((0, 0, 100, 100), (50, 0, 150, 100)))
    assert (pair.first, pair.second) == (0, 1)
    assert pair.area_m2 == 5000
    assert pair.iou == pytest.approx(5000 / 15000)
    assert pair.share == 0.5
    assert pair.width_m == pytest.approx(2 * 5000 / 300)


def test_neighbours_who_only_touch_share_no_ground() -> None:
    assert overlaps(squares((0, 0, 10, 10), (10, 0, 20, 10), (20, 10, 30, 20))) == []


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param((0, 0, 45, 45), (42, 0, 87, 45), False, id="3 m along a common edge"),
        pytest.param((0, 0, 10, 200), (7, 0, 17, 200), False, id="3 m of a 10 m strip is 30 %"),
        pytest.param((0, 0, 4, 200), (0, 0, 4, 200), True, id="a narrow strip claimed whole"),
        pytest.param((0, 0, 100, 100), (70, 70, 170, 170), False, id="a corner under both limits"),
        pytest.param((0, 0, 100, 100), (40, 40, 60, 60), True, id="a small parcel inside"),
        pytest.param((0, 0, 100, 100), (88, 0, 188, 100), True, id="12 m deep: IoU .064"),
    ],
)
def test_disputed(first: tuple[float, ...], second: tuple[float, ...], expected: bool) -> None:
    found = overlaps(squares(first, second))  # type: ignore[arg-type]
    assert [disputed(pair, RULES) for pair in found] == [expected]


def test_own_parcels_are_counted_twice_but_are_no_rivals() -> None:
    pairs = overlaps(squares((0, 0, 100, 100), (50, 0, 150, 100), (50, 0, 150, 100)))
    assert counted_twice(pairs, ["ann", "ann", "bob"], RULES) == {1: 5000}
    assert rivals(pairs, ["ann", "ann", "bob"], RULES) == {0: [2], 1: [2], 2: [0, 1]}


corner = st.integers(0, 60)
side = st.integers(5, 40)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(corner, corner, side, side), max_size=9))
def test_pairs_equal_brute_force(rows: list[tuple[int, int, int, int]]) -> None:
    shapes = squares(*[(x, y, x + w, y + h) for x, y, w, h in rows])
    expected = {
        (i, j): shapes[i].intersection(shapes[j]).area
        for i in range(len(shapes))
        for j in range(i + 1, len(shapes))
        if shapes[i].intersection(shapes[j]).area > 0
    }
    assert {(p.first, p.second): p.area_m2 for p in overlaps(shapes)} == expected


def test_twenty_thousand_parcels_take_seconds() -> None:
    rng = np.random.default_rng(5)
    low = rng.uniform(0, 7000, (20_000, 2))
    shapes = shapely.box(low[:, 0], low[:, 1], low[:, 0] + 48, low[:, 1] + 48)
    start = time.perf_counter()
    pairs = overlaps(shapes)
    assert time.perf_counter() - start < 10
    sample = shapes[pairs[0].first].intersection(shapes[pairs[0].second]).area
    assert pairs[0].area_m2 == pytest.approx(sample)


@pytest.mark.parametrize(
    ("iou", "share", "width", "expected"),
    [
        pytest.param(0.05, 0.0, 9.0, True, id="the IoU from which ground is claimed"),
        pytest.param(0.0, 0.2, 9.0, True, id="the share from which ground is claimed"),
        pytest.param(0.0499, 0.1999, 9.0, False, id="neither"),
        pytest.param(0.05, 0.2, 5.0, True, id="as thick as a phone errs"),
        pytest.param(0.05, 0.2, 4.999, False, id="thinner than a phone errs"),
        pytest.param(0.05, 0.5, 1.0, True, id="thin, and half of the smaller parcel"),
        pytest.param(0.05, 0.4999, 1.0, False, id="thin, and less than half of it"),
    ],
)
def test_every_threshold_counts_itself(
    iou: float, share: float, width: float, expected: bool
) -> None:
    assert disputed(Overlap(0, 1, 100.0, iou, share, width), RULES) is expected


def test_disputed_ground_is_what_others_claim_of_a_parcel() -> None:
    # 50 x 100 m of the first with bob's, the whole of the second with bob's; ann's own do not count
    pairs = overlaps(squares((0, 0, 100, 100), (50, 0, 150, 100), (50, 0, 150, 100)))
    found = disputed_area(pairs, ["ann", "ann", "bob"], RULES)
    assert found == {0: 5000, 1: 10_000, 2: 15_000}
    edge = overlaps(squares((0, 0, 45, 45), (42, 0, 87, 45)))
    assert disputed_area(edge, ["ann", "bob"], RULES) == {}
    assert counted_twice(edge, ["ann", "ann"], RULES) == {}


def test_half_a_square_metre_is_shared_ground_too() -> None:
    (pair,) = overlaps(squares((0, 0, 10, 10), (9.5, 9, 20, 20)))
    assert pair.area_m2 == 0.5
