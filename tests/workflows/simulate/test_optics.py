import numpy as np
import pytest
import shapely

from fieldline.pipeline.imagery.settings import S2_BANDS
from fieldline.workflows.simulate import atmosphere, optics, render
from fieldline.workflows.simulate.archive import digital_numbers
from fieldline.workflows.simulate.land import FIELD, Land
from fieldline.workflows.simulate.settings import SkySettings

RED, NIR = S2_BANDS.index("B04"), S2_BANDS.index("B08")


def _ndvi(reflectance: np.ndarray) -> np.ndarray:
    return (reflectance[..., NIR] - reflectance[..., RED]) / (
        reflectance[..., NIR] + reflectance[..., RED]
    )


def test_band_responses_sum_to_one_and_peak_at_their_centre() -> None:
    weights = optics.band_weights()
    assert weights.sum(axis=1) == pytest.approx(np.ones(10))
    assert 400 + weights[RED].argmax() == 665


def test_ndvi_rises_with_leaf_area_and_falls_with_pigment() -> None:
    lai, ones = np.array([0.0, 0.6, 2.4, 4.8]), np.ones(4)
    ndvi = _ndvi(optics.canopies(optics.GRASS, lai, ones, 0.4 * ones, 30.0))
    assert (np.diff(ndvi) > 0).all()
    assert ndvi[0] < 0.25
    assert ndvi[-1] > 0.85
    yellow = _ndvi(optics.canopies(optics.GRASS, lai, 0.2 * ones, 0.4 * ones, 30.0))
    assert (yellow[2:] < ndvi[2:]).all()


def test_table_agrees_with_prosail_between_its_nodes() -> None:
    table = optics.canopies(optics.TREE, np.array([2.9]), np.array([0.8]), np.array([0.5]), 45.0)
    direct = optics.canopy(optics.TREE, 2.9, 0.8, 0.5, 45.0)
    assert table[0] == pytest.approx(direct, abs=0.012)


def test_sun_is_high_in_june_and_low_in_december() -> None:
    # At solar noon the zenith angle is latitude minus declination: 33 - 23.4.
    assert optics.sun_position(172, 33.0, 12.0)[0] == pytest.approx(33 - 23.4, abs=0.1)
    assert optics.sun_position(355, 33.0, 12.0)[0] == pytest.approx(33 + 23.4, abs=0.1)
    assert optics.sun_position(172, 33.0, 9.0)[1] < 180


def _square(west: float, south: float, edge: float) -> Land:
    box = shapely.box(west, south, west + edge, south + edge)
    return Land(np.array([box], dtype=object), np.array([FIELD]), np.array([0]))


def test_coverage_of_a_field_smaller_than_a_pixel() -> None:
    # 5 m x 5 m in the middle of the south-west pixel of a 2 x 2 grid covers a quarter of it.
    weights = render.coverage(_square(2.5, 2.5, 5.0), 2)
    assert weights.toarray().ravel() == pytest.approx([0, 0, 0.25, 0])


def test_mixed_pixel_is_the_area_weighted_mean() -> None:
    canvas = render.prepare(_square(0.0, 0.0, 15.0), 4, np.random.default_rng(0))
    flat = render.Canvas(4, canvas.weights, canvas.verge, np.zeros(16), np.ones(16), canvas.fields)
    bands = len(S2_BANDS)
    image = render.surface_image(
        flat, np.full((1, bands), 0.4), np.zeros((1, bands)), np.full(bands, 0.2)
    )
    # Blur keeps the mean: 2.25 of 16 pixels are field.
    assert image.mean() == pytest.approx((2.25 * 0.4 + 13.75 * 0.2) / 16, abs=0.005)


def test_coarse_bands_are_constant_over_two_pixels() -> None:
    image = np.random.default_rng(1).random((10, 8, 8))
    before = image.copy()
    render.coarsen(image)
    assert (image[NIR] == before[NIR]).all()
    swir = S2_BANDS.index("B11")
    assert (image[swir, 0::2] == image[swir, 1::2]).all()
    assert image[swir, 0, 0] == pytest.approx(before[swir, :2, :2].mean())


def test_clouds_cover_about_the_wanted_share() -> None:
    skies = [
        atmosphere.draw_sky(200, 0.5, (45.0, 180.0), np.random.default_rng(s)) for s in range(12)
    ]
    draws = [(sky.opacity > 0.12).mean() for sky in skies]
    assert 0.35 < np.mean(draws) < 0.65


def test_shadows_lie_away_from_the_sun() -> None:
    # Sun in the south at 45 degrees: the shadow lies north (smaller rows) by the cloud's height.
    sky = atmosphere.draw_sky(400, 0.15, (45.0, 180.0), np.random.default_rng(4))
    cloud, shadow = sky.opacity > 0.5, sky.shadow > 0.5
    shifts = np.arange(-280, 281, 5)
    match = [(np.roll(cloud, shift, axis=0) & shadow).sum() for shift in shifts]
    assert -265 <= shifts[int(np.argmax(match))] <= -65
    assert not (cloud & shadow).any()


def test_scene_classes_miss_thin_cloud() -> None:
    surface = np.full((10, 1, 3), 0.2)
    sky = atmosphere.Sky(np.array([[0.05, 0.5, 0.9]]), np.zeros((1, 3)), 0.0)
    classes = atmosphere.classify(surface, sky, SkySettings())
    assert classes.tolist() == [[atmosphere.BARE, atmosphere.CLOUD_MEDIUM, atmosphere.CLOUD_HIGH]]


def test_digital_numbers_keep_zero_for_nodata_and_shift_by_a_thousand() -> None:
    values = np.array([-0.01, 0.0, 0.1234])
    assert digital_numbers(values, False).tolist() == [1, 1, 1234]
    assert digital_numbers(values, True).tolist() == [900, 1000, 2234]
