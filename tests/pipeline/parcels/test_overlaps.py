"""Overlap of outlines, against areas that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from fieldline.pipeline.parcels.overlaps import overlapping_pairs


def test_a_quarter_shifted_square() -> None:
    # 4 x 4 squares shifted by 3: common 1 x 4 = 4, share 4/16, IoU 4/28; neighbours only touch.
    squares = np.array([shapely.box(0, 0, 4, 4), shapely.box(3, 0, 7, 4), shapely.box(7, 0, 11, 4)])
    pairs = overlapping_pairs(squares, 0.2)
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([0], [1])
    assert pairs.smaller_share[0] == pytest.approx(0.25)
    assert pairs.iou[0] == pytest.approx(4 / 28)
    assert len(overlapping_pairs(squares, 0.26).first) == 0


def test_no_outline_and_one_outline_have_no_pairs() -> None:
    assert len(overlapping_pairs(np.array([], dtype=object), 0.2).first) == 0
    assert len(overlapping_pairs(np.array([shapely.box(0, 0, 1, 1)]), 0.2).first) == 0


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 2, *[st.integers(1, 4)] * 2), max_size=12))
def test_the_tree_finds_what_comparing_all_pairs_finds(
    boxes: list[tuple[int, int, int, int]],
) -> None:
    shapes = np.array([shapely.box(x, y, x + w, y + h) for x, y, w, h in boxes], dtype=object)
    want = [
        (i, j)
        for i in range(len(shapes))
        for j in range(i + 1, len(shapes))
        if (common := shapes[i].intersection(shapes[j]).area) > 0
        and common >= 0.2 * min(shapes[i].area, shapes[j].area)
    ]
    pairs = overlapping_pairs(shapes, 0.2)
    assert list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == want
