"""Where a ring's own land ends when the land beside it carries the same crop."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fieldline.crops.recognise.planted import planted
from fieldline.crops.recognise.ring_cut import _core_side, other_land
from fieldline.crops.ring_settings import CutSettings
from fieldline.crops.settings import FieldsSettings
from tests.crops.recognise.test_planted import (
    MEADOW,
    REACH,
    ROAD,
    WHEAT,
    field,
    land,
    ring,
    share_of,
)

VERGE = 0.85 * WHEAT + 0.15 * ROAD
"""A strip of grass or a track that a pixel shows in part: .05 (RMS NDVI) from the crop."""
COLUMN = REACH + 7


def test_a_neighbours_field_of_the_same_crop_ends_at_the_verge() -> None:
    curves = land(10, 10, WHEAT)
    curves[:REACH], curves[-REACH:], curves[:, :REACH] = ROAD, ROAD, ROAD
    curves[:, COLUMN] = VERGE
    found = share_of(curves)
    # Seven columns of ten are its own; the verge may count or not.
    assert found.method == "unmixed"
    assert 0.7 <= found.share <= 0.8


def test_a_track_through_ones_own_field_costs_no_more_than_itself() -> None:
    curves = field()
    curves[:, COLUMN] = VERGE
    found = share_of(curves)
    assert found.share >= 0.9


def test_a_border_in_a_meadow_that_was_mown_in_parts_says_nothing() -> None:
    curves = land(10, 10, MEADOW)
    curves[:REACH], curves[-REACH:], curves[:, :REACH] = ROAD, ROAD, ROAD
    curves[:, COLUMN] = 0.85 * MEADOW + 0.15 * ROAD
    assert share_of(curves).share >= 0.9


def test_a_ring_too_narrow_for_a_core_and_an_edge_is_not_cut() -> None:
    curves = land(10, 10, WHEAT)
    curves[:REACH], curves[-REACH:], curves[:, :REACH] = ROAD, ROAD, ROAD
    curves[:, COLUMN] = VERGE
    shares = [
        planted(ring(curves), FieldsSettings(cut=CutSettings(least_depth=depth)), over=True).share
        for depth in (5, 6)  # the middle of ten pixels lies five deep
    ]
    assert shares[0] < 0.9 < shares[1]


def test_without_any_border_the_same_crop_beside_cannot_be_told() -> None:
    curves = land(10, 10, WHEAT)
    curves[:REACH], curves[-REACH:], curves[:, :REACH] = ROAD, ROAD, ROAD
    assert share_of(curves).share == pytest.approx(1.0)


def test_other_land_amid_ones_own_is_no_land_of_others() -> None:
    curves = field()
    curves[REACH + 6 : REACH + 9, REACH + 6 : REACH + 9] = ROAD
    pixels = ring(curves)
    inside = pixels.coverage > 0
    beyond = ~inside
    where = inside, inside & (pixels.depth >= 3), beyond
    assert not other_land(pixels, WHEAT, where, 0.06, CutSettings()).any()
    # The same patch one pixel further out comes to the edge of the ring.
    curves[REACH + 7 : REACH + 10, REACH + 7 : REACH + 10] = ROAD
    theirs = other_land(ring(curves), WHEAT, where, 0.06, CutSettings())
    assert theirs[REACH + 7 : REACH + 10, REACH + 7 : REACH + 10].all()


def test_the_cut_is_the_cheapest_of_all() -> None:
    rng = np.random.default_rng(3)
    pairs = [*itertools.pairwise(range(9)), *((a, a + 3) for a in range(6))]
    one, other = (np.asarray(ends) for ends in zip(*pairs, strict=True))
    for _ in range(20):
        cost = rng.uniform(0, 3, len(pairs))
        core, outside = rng.uniform(0, 2, (2, 9))

        def price(
            kept: np.ndarray, cost: np.ndarray = cost, core: np.ndarray = core,
            outside: np.ndarray = outside,
        ) -> float:  # fmt: skip
            cut = cost[kept[one] != kept[other]].sum()
            return float(cut + core[~kept].sum() + outside[kept].sum())

        least = min(price(np.asarray(kept)) for kept in itertools.product([False, True], repeat=9))
        assert price(_core_side((one, other, cost), core, outside)) == pytest.approx(
            least, abs=0.02
        )
