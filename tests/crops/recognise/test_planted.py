"""What a ring loses to land that is not its own crop."""

from __future__ import annotations

import numpy as np
import pytest

from fieldline.crops.recognise.pixels import RingPixels, depth_of
from fieldline.crops.recognise.planted import Planted, planted, ring_noise, shows_cycle
from fieldline.crops.settings import FieldsSettings

SETTINGS = FieldsSettings()
BINS = np.arange(24)
WHEAT = np.interp(BINS, [0, 6, 12, 16, 23], [0.2, 0.3, 0.85, 0.2, 0.2])
MAIZE = np.interp(BINS, [0, 14, 18, 22, 23], [0.2, 0.2, 0.85, 0.3, 0.2])
ROAD = np.full(24, 0.1)
FOREST = np.full(24, 0.8)
MEADOW = 0.6 + 0.1 * np.sin(BINS)
REACH = 5


def land(rows: int, columns: int, curve: np.ndarray) -> np.ndarray:
    """A ring's land with enough other land around it, all of one curve."""
    return np.tile(curve, (rows + 2 * REACH, columns + 2 * REACH, 1)).astype(float)


def ring(curves: np.ndarray, coverage: np.ndarray | None = None, bins: int = 24) -> RingPixels:
    """A ring over all but the outer `REACH` pixels."""
    share = np.zeros(curves.shape[:2])
    whole = tuple(n - 2 * REACH for n in share.shape)
    share[REACH:-REACH, REACH:-REACH] = np.ones(whole) if coverage is None else coverage
    return RingPixels("a", share, depth_of(share), curves, bins)


def field(
    rows: int = 10, columns: int = 10, crop: np.ndarray = WHEAT, around: np.ndarray = ROAD
) -> np.ndarray:
    curves = land(rows, columns, around)
    curves[REACH:-REACH, REACH:-REACH] = crop
    return curves


def share_of(
    curves: np.ndarray, coverage: np.ndarray | None = None, *, over: bool = True
) -> Planted:
    return planted(ring(curves, coverage), SETTINGS, over=over)


@pytest.mark.parametrize("around", [ROAD, FOREST, MAIZE], ids=["road", "forest", "neighbour"])
def test_an_honest_ring_keeps_every_pixel(around: np.ndarray) -> None:
    assert share_of(field(around=around)) == Planted(pytest.approx(1.0), "unmixed")


@pytest.mark.parametrize("other", [ROAD, FOREST, MAIZE], ids=["road", "forest", "neighbour"])
def test_a_ring_drawn_over_other_land_loses_what_it_covers(other: np.ndarray) -> None:
    curves = field(around=other)
    curves[REACH:-REACH, -REACH - 3 : -REACH] = other
    assert share_of(curves).share == pytest.approx(0.7, abs=0.01)


def test_a_paler_neighbour_is_as_foreign_as_one_beyond_it() -> None:
    # A mixture of core and the palest land explains the meadow just as well: it is no half crop.
    pale = (WHEAT + ROAD) / 2
    curves = field(around=pale)
    curves[:3] = ROAD
    curves[REACH:-REACH, -REACH - 3 : -REACH] = pale
    assert share_of(curves).share == pytest.approx(0.7, abs=0.01)


def test_land_that_differs_from_pixel_to_pixel_and_stays_flat_is_no_field() -> None:
    # Roofs of .2 beside gardens of .7, as in a village: flat over the year. Each lies .25 from the
    # middle of both.
    curves = field()
    roofs = np.indices((10, 10)).sum(axis=0) % 2 == 0
    village = np.where(roofs[..., None], np.full(24, 0.2), 0.7 + 0.05 * np.sin(BINS))
    curves[REACH:-REACH, REACH:-REACH] = village
    assert share_of(curves).method == "uneven"
    assert share_of(curves, over=False).method != "uneven"
    # A crop as patchy that greens up and ripens as one is a field.
    patchy = WHEAT * np.where(roofs[..., None], 0.7, 1.0)
    curves[REACH:-REACH, REACH:-REACH] = patchy
    assert share_of(curves).method == "unmixed"
    # And a meadow as flat whose pixels are alike is green.
    curves[REACH:-REACH, REACH:-REACH] = MEADOW
    assert share_of(curves).method == "green"


def test_a_wet_patch_within_a_field_costs_nothing() -> None:
    curves = field()
    curves[REACH + 3 : REACH + 6, REACH + 3 : REACH + 6] = MAIZE
    assert share_of(curves).share == pytest.approx(1.0)


def test_a_road_through_the_field_costs_its_own_ground() -> None:
    curves = field()
    curves[:, REACH + 6 : REACH + 8] = ROAD
    assert share_of(curves).share == pytest.approx(0.8, abs=0.01)


def test_two_crops_of_one_field_are_both_planted() -> None:
    curves = field()
    curves[REACH:-REACH, -REACH - 4 : -REACH] = MAIZE
    # Maize grows beyond one short stretch of the edge as well: that alone makes it no neighbour's.
    curves[:REACH, -REACH - 4 : -REACH - 2] = MAIZE
    assert share_of(curves).share == pytest.approx(1.0)


def test_an_uneven_field_is_measured_by_its_own_unevenness() -> None:
    rng = np.random.default_rng(5)
    even, uneven = field(), field()
    inner = (slice(REACH, -REACH), slice(REACH, -REACH))
    uneven[inner] += 0.09 * rng.choice([-1, 1], (10, 10, 1))
    noise = [
        ring_noise(ring(curves), WHEAT, ring(curves).coverage > 0, SETTINGS)
        for curves in (even, uneven)
    ]
    assert noise == [SETTINGS.noise, SETTINGS.noise_most]
    assert share_of(uneven).share == pytest.approx(1.0, abs=0.01)


def test_a_pixel_of_the_edge_mixed_by_the_blur_loses_nothing() -> None:
    curves = field()
    curves[REACH, REACH:-REACH] = 0.7 * WHEAT + 0.3 * ROAD
    assert share_of(curves).share == pytest.approx(1.0)


def test_an_edge_pixel_covered_by_half_loses_nothing_while_half_of_it_is_planted() -> None:
    coverage = np.ones((10, 10))
    coverage[0] = 0.5
    curves = field()
    curves[REACH, REACH:-REACH] = (WHEAT + ROAD) / 2
    assert share_of(curves, coverage).share == pytest.approx(1.0)


def test_a_ring_on_bare_land_shows_no_crop_once_the_season_is_over() -> None:
    assert share_of(field(crop=ROAD, around=WHEAT)) == Planted(0.0, "bare")


def test_a_crop_that_is_not_yet_up_is_not_yet_seen() -> None:
    assert share_of(field(crop=ROAD, around=WHEAT), over=False) == Planted(None, "early")


@pytest.mark.parametrize("crop", [FOREST, MEADOW], ids=["forest", "meadow"])
def test_land_green_all_season_has_an_area_and_is_called_green(crop: np.ndarray) -> None:
    assert share_of(field(crop=crop)) == Planted(pytest.approx(1.0), "green")
    assert share_of(field(crop=crop), over=False).method == "unmixed"


def test_a_meadow_drawn_over_a_road_loses_the_road() -> None:
    curves = field(crop=MEADOW)
    curves[REACH:-REACH, -REACH - 3 : -REACH] = ROAD
    assert share_of(curves) == Planted(pytest.approx(0.7, abs=0.01), "green")


def test_a_ring_below_the_core_size_is_judged_as_a_whole() -> None:
    assert share_of(field(1, 3)) == Planted(1.0, "whole")


def test_a_ring_whose_surroundings_were_never_clear_has_no_share() -> None:
    curves = field(around=np.full(24, np.nan))
    assert share_of(curves) == Planted(None, "alone")


def test_a_ring_without_clear_dates_is_unknown_not_empty() -> None:
    assert planted(ring(field(), bins=1), SETTINGS, over=True) == Planted(None, "none")


def test_a_crop_cycle_needs_a_peak_a_rise_and_bare_land() -> None:
    assert shows_cycle(np.stack([WHEAT, MAIZE, ROAD, FOREST]), SETTINGS).tolist() == [1, 1, 0, 0]


def test_a_least_noise_above_the_most_is_refused() -> None:
    assert FieldsSettings(noise=0.2, noise_most=0.2).noise == 0.2
    with pytest.raises(ValueError, match=r"noise 0\.3 lies above noise_most 0\.12"):
        FieldsSettings(noise=0.3)
