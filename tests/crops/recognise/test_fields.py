import numpy as np
import pytest

from fieldline.crops.recognise.fields import other_curves, own_share, planted, shows_cycle
from fieldline.crops.recognise.pixels import RingPixels
from fieldline.crops.settings import FieldsSettings

SETTINGS = FieldsSettings()
BINS = np.arange(24)
WHEAT = np.interp(BINS, [0, 6, 12, 16, 23], [0.2, 0.3, 0.85, 0.2, 0.2])
MAIZE = np.interp(BINS, [0, 14, 18, 22, 23], [0.2, 0.2, 0.85, 0.3, 0.2])
ROAD = np.full(24, 0.1)
FOREST = np.full(24, 0.8)


def ring(inside: list[np.ndarray], around: list[np.ndarray], coverage=None) -> RingPixels:
    count = len(inside)
    whole = np.ones(count) if coverage is None else np.asarray(coverage, dtype=float)
    depth = np.where(np.arange(count) < max(count // 2, 1), 2.0, 1.0) * (whole >= 1)
    return RingPixels("a", whole, depth, np.stack(inside), np.stack(around), 24)


def test_honest_ring_keeps_every_pixel():
    found = planted(ring([WHEAT] * 12, [MAIZE, ROAD, FOREST]), SETTINGS)
    assert found.share == pytest.approx(1.0)
    assert found.method == "unmixed"


@pytest.mark.parametrize("other", [ROAD, FOREST, MAIZE], ids=["road", "forest", "neighbour"])
def test_overdrawn_quarter_is_lost(other):
    found = planted(ring([WHEAT] * 9 + [other] * 3, [other] * 5), SETTINGS)
    assert found.share == pytest.approx(0.75, abs=0.01)


def test_mixed_pixel_counts_by_its_share():
    half = (WHEAT + ROAD) / 2
    found = planted(ring([WHEAT] * 9 + [half], [ROAD] * 5), SETTINGS)
    assert found.share == pytest.approx(9.5 / 10, abs=0.01)


def test_edge_pixel_covered_by_half_loses_nothing_when_half_of_it_is_planted():
    half = (WHEAT + ROAD) / 2
    found = planted(ring([WHEAT] * 6 + [half] * 4, [ROAD] * 5, [1] * 6 + [0.5] * 4), SETTINGS)
    assert found.share == pytest.approx(1.0)


def test_ring_on_forest_or_village_shows_no_crop():
    for land in (FOREST, ROAD):
        found = planted(ring([land] * 12, [WHEAT] * 3), SETTINGS)
        assert (found.share, found.method) == (0.0, "cycle")


def test_ring_below_the_core_size_is_judged_as_a_whole():
    found = planted(ring([WHEAT] * 3, [ROAD]), SETTINGS)
    assert (found.share, found.method) == (1.0, "whole")


def test_ring_without_clear_dates_is_unknown_not_empty():
    pixels = ring([WHEAT] * 5, [ROAD])
    dark = RingPixels("a", pixels.coverage, pixels.depth, pixels.curves, pixels.around, 1)
    assert planted(dark, SETTINGS).share is None


def test_crop_cycle_needs_a_peak_a_rise_and_bare_land():
    assert shows_cycle(np.stack([WHEAT, MAIZE, ROAD, FOREST]), SETTINGS).tolist() == [1, 1, 0, 0]


def test_neighbours_that_look_the_same_explain_nothing():
    others = other_curves(np.stack([WHEAT + 0.02, WHEAT - 0.03]), WHEAT, SETTINGS)
    assert len(others) == 0
    assert own_share(np.stack([WHEAT, MAIZE]), WHEAT, others, SETTINGS).tolist() == [1.0, 1.0]
