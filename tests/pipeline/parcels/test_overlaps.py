"""Overlap of outlines, against areas that can be worked out by hand."""

from __future__ import annotations

import time
from itertools import combinations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from fieldline.pipeline.parcels import overlaps
from fieldline.pipeline.parcels.overlaps import overlapping_pairs


def test_a_quarter_shifted_square() -> None:
    # 4 x 4 squares shifted by 3: common 1 x 4 = 4, share 4/16, IoU 4/28; neighbours only touch.
    squares = np.array([shapely.box(0, 0, 4, 4), shapely.box(3, 0, 7, 4), shapely.box(7, 0, 11, 4)])
    pairs = overlapping_pairs(squares, 0.2)
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([0], [1])
    assert pairs.smaller_share[0] == pytest.approx(0.25)
    assert pairs.iou[0] == pytest.approx(4 / 28)
    assert pairs.area[0] == 4
    assert pairs.width[0] == pytest.approx(2 * 4 / 10)  # a strip of 1 x 4 has a perimeter of 10
    assert len(overlapping_pairs(squares, 0.26)) == 0


def test_neighbours_who_only_touch_share_no_ground() -> None:
    corners = ((0, 0), (10, 0), (20, 10))
    squares = np.array([shapely.box(x, y, x + 10, y + 10) for x, y in corners])
    assert len(overlapping_pairs(squares)) == 0


def test_no_outline_and_one_outline_have_no_pairs() -> None:
    for shapes in ([], [shapely.box(0, 0, 1, 1)]):
        pairs = overlapping_pairs(np.array(shapes, dtype=object))
        assert (len(pairs), pairs.width.tolist()) == (0, [])


corner = st.integers(0, 60)
#: Four-sided outlines, their corners pulled off a box, so that boxes overlap where outlines do not.
outline = st.tuples(corner, corner, *[st.integers(1, 15)] * 8).map(
    lambda n: shapely.Polygon([
        (n[0] - n[2], n[1] - n[3]), (n[0] + n[4], n[1] - n[5]),
        (n[0] + n[6], n[1] + n[7]), (n[0] - n[8], n[1] + n[9]),
    ])
)  # fmt: skip


@given(st.lists(outline, max_size=12), st.sampled_from([0.0, 0.05, 0.2, 0.9]))
@pytest.mark.parametrize("chunk", [2, 100_000])
def test_the_tree_finds_what_comparing_all_pairs_finds(
    chunk: int, outlines: list[shapely.Polygon], share: float
) -> None:
    want = []
    for (i, one), (j, other) in combinations(enumerate(outlines), 2):
        common = one.intersection(other)
        smaller = min(one.area, other.area)
        if common.area > 0 and common.area >= share * smaller:
            iou, width = common.area / one.union(other).area, 2 * common.area / common.length
            want.append((i, j, common.area, common.area / smaller, iou, width))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlaps, "_CHUNK", chunk)
        pairs = overlapping_pairs(np.array(outlines, dtype=object), share)
    columns = (pairs.first, pairs.second, pairs.area, pairs.smaller_share, pairs.iou, pairs.width)
    found = list(zip(*(column.tolist() for column in columns), strict=True))
    assert [row[:4] for row in found] == [row[:4] for row in want]
    assert np.allclose([row[4:] for row in found], [row[4:] for row in want])


def test_twenty_thousand_outlines_take_seconds() -> None:
    low = np.random.default_rng(5).uniform(0, 7000, (20_000, 2))
    shapes = shapely.box(low[:, 0], low[:, 1], low[:, 0] + 48, low[:, 1] + 48)
    start = time.perf_counter()
    pairs = overlapping_pairs(shapes)
    assert time.perf_counter() - start < 10
    # 20,000 squares of 48 m on 7 km: a pair's corners lie within 48 m in x and y, 96**2 / 7000**2
    assert len(pairs) == pytest.approx(20_000**2 / 2 * (96 / 7000) ** 2, rel=0.03)
