"""What stands on a polygon, from reflectances a person can turn into NDVI in the head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rasterio.windows import Window

from fieldline.crops.segment.cover import Greenness, covers_of
from fieldline.crops.settings import SegmentSettings
from fieldline.pipeline.imagery.grid import Grid, grid_around
from fieldline.pipeline.imagery.settings import GridSettings

SETTINGS = SegmentSettings()


def _means(*rows: tuple[float, float, float]) -> np.ndarray:
    return np.array(rows).T


def test_each_cover_by_its_greenest_least_green_and_near_infrared() -> None:
    means = _means((0.8, 0.1, 0.3), (0.9, 0.6, 0.4), (0.9, 0.6, 0.2), (0.2, 0.1, 0.2),
                   (0.1, 0.0, 0.03), (np.nan, np.nan, np.nan))  # fmt: skip
    over = ["crop", "green", "wood", "bare", "water", ""]
    assert covers_of(means, 6, SETTINGS, over=True).tolist() == over


def test_land_that_is_not_yet_green_is_not_yet_bare() -> None:
    means = _means((0.2, 0.1, 0.2), (0.1, 0.0, 0.03))
    assert covers_of(means, 2, SETTINGS, over=False).tolist() == ["", "water"]


def test_a_crop_that_was_not_yet_seen_bare_is_no_wood() -> None:
    # Young wheat in April: never under .4 so far, near infrared of .22.
    means = _means((0.6, 0.45, 0.22), (0.6, 0.37, 0.22))
    assert covers_of(means, 2, SETTINGS, over=False).tolist() == ["green", "crop"]
    assert covers_of(means, 2, SETTINGS, over=True).tolist() == ["wood", "wood"]


def test_without_red_and_near_infrared_nothing_is_told(tmp_path: Path) -> None:
    green = Greenness(_grid(), ("B02", "B03"), tmp_path)
    green.add(Window(0, 0, 2, 2), np.ones((1, 2, 2, 2), np.float32), 0)
    assert green.of_labels(np.ones((4, 4), np.int32)) is None
    assert covers_of(None, 3, SETTINGS, over=True).tolist() == ["", "", ""]


def _grid() -> Grid:
    edges = (600_000.0, 5_699_980.0, 600_020.0, 5_700_000.0)
    return grid_around(edges, "EPSG:32632", GridSettings(margin_m=0.0))


def test_a_region_has_the_means_of_its_own_clear_pixels_over_all_dates(tmp_path: Path) -> None:
    # Two dates, red .1 throughout; near infrared .3 then .9 on the left: NDVI .5 then .8.
    block = np.full((2, 2, 4, 4), 0.1, np.float32)
    block[:, 1] = np.array([0.3, 0.9], np.float32)[:, None, None]
    block[:, :, :, 2:] = np.nan
    green = Greenness(_grid(), ("B04", "B08"), tmp_path)
    # The core is the middle of the block; of the core the right column was never clear.
    green.add(Window(0, 0, 2, 2), block, 1)
    labels = np.array([[1, 1, 2, 2]] * 4, np.int32)
    high, low, nir = green.of_labels(labels)
    assert high[1] == pytest.approx(0.8)
    assert low[1] == pytest.approx(0.5)
    assert nir[1] == pytest.approx(0.6)
    assert np.isnan(high[2])
