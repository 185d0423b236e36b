from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError
from rasterio.windows import Window
from scipy.ndimage import distance_transform_edt

from fieldline.pipeline.imagery.masks import mask_classes, spread
from fieldline.pipeline.imagery.mosaic import DayReader, overpasses
from fieldline.pipeline.imagery.scene_days import SceneDay, group_by_solar_day
from fieldline.pipeline.imagery.settings import MaskSettings
from tests.pipeline.imagery.tiny_archive import (
    AS_DRAWN,
    TinyScene,
    X,
    Y,
    read_all,
    tiny_grid,
    write_archive,
)

NAN = np.nan
OLD, NEW = {"s2:processing_baseline": "02.14"}, {"s2:processing_baseline": "05.10"}
DATATAKE = {"s2:datatake_id": "GS2A_20210510T101031_030725_N05.10"}


def day_of(folder: Path, *scenes: TinyScene) -> SceneDay:
    (day,) = group_by_solar_day(read_all(write_archive(folder, scenes)))
    return day


def red(day: SceneDay, shape: tuple[int, int], mask: MaskSettings = AS_DRAWN) -> np.ndarray:
    with DayReader(day, tiny_grid(*shape), ("B04",), mask) as reader:
        return reader.read(Window(0, 0, shape[1], shape[0]))[0]


def same_pass(classes: dict[str, list[int]], **properties: Any) -> list[TinyScene]:
    """Two tiles of one overpass over the same four pixels, red 0.01 and 0.02."""
    (first, ours), (second, theirs) = classes.items()
    return [
        TinyScene(first, {"B04": [[100] * 4], "SCL": [ours]}, properties={**OLD, **properties}),
        TinyScene(second, {"B04": [[200] * 4], "SCL": [theirs]}, properties={**NEW, **properties}),
    ]


def test_tiles_of_one_overpass_are_clear_only_where_each_that_speaks_says_so(
    tmp_path: Path,
) -> None:
    """Vegetation 4, cloud 9, nodata 0: the newer tile's number is taken, unless it has none.

    Dark ground 2 and snow 11 are no cloud that spreads, and no clear ground either.
    """
    scenes = same_pass({"old": [4, 9, 4, 4], "new": [4, 4, 9, 0]})
    np.testing.assert_allclose(red(day_of(tmp_path, *scenes), (1, 4)), [[0.02, NAN, NAN, 0.01]])
    scenes = same_pass({"old": [4, 4, 2, 11], "new": [2, 11, 4, 4]})
    assert np.isnan(red(day_of(tmp_path / "other", *scenes), (1, 4))).all()


def test_of_two_products_of_one_image_the_newer_ones_mask_speaks(tmp_path: Path) -> None:
    """What was reprocessed to cloud is cloud, to clear is clear; absent: the old one."""
    scenes = same_pass({"old": [4, 9, 4, 4], "new": [9, 4, 4, 0]}, **DATATAKE,
                       **{"s2:mgrs_tile": "32UPU"})  # fmt: skip
    np.testing.assert_allclose(red(day_of(tmp_path, *scenes), (1, 4)), [[NAN, 0.02, 0.02, 0.01]])


def test_another_overpass_of_the_day_fills_what_a_cloud_hid(tmp_path: Path) -> None:
    """The sister satellite 50 minutes later: its clouds have moved on."""
    first, second = same_pass({"old": [4, 9, 9, 4], "new": [9, 9, 4, 4]})
    second.hour = first.hour + 1
    np.testing.assert_allclose(
        red(day_of(tmp_path, first, second), (1, 4)), [[0.01, NAN, 0.02, 0.02]]
    )


def test_items_within_a_quarter_of_an_hour_are_one_overpass(tmp_path: Path) -> None:
    scenes = [TinyScene(name, {"B04": [[1]]}) for name in ("a", "b", "c", "d")]
    minutes = {"a": 0, "b": 14, "c": 27, "d": 60}
    items = [
        item for scene in group_by_solar_day(read_all(write_archive(tmp_path, scenes)))
        for item in scene.items
    ]  # fmt: skip
    for item in items:
        moved = item.datetime + dt.timedelta(minutes=minutes[item.id])
        object.__setattr__(item, "datetime", moved)
    assert [[item.id for item in group] for group in overpasses(items)] == [["a", "b", "c"], ["d"]]


def test_snow_is_no_clear_ground_and_is_told_apart(tmp_path: Path) -> None:
    """Snow 11 beside a cloud: within its reach nobody knows what lies there."""
    scene = TinyScene("a", {"B04": [[100] * 6], "SCL": [[11, 4, 4, 11, 9, 11]]})
    mask = MaskSettings(kind="scl", dilation_m=10)
    with DayReader(day_of(tmp_path, scene), tiny_grid(1, 6), ("B04",), mask) as reader:
        look = reader.look(Window(0, 0, 6, 1))
    assert look.snow.tolist() == [[True, False, False, False, False, False]]
    np.testing.assert_allclose(look.values[0], [[NAN, 0.01, 0.01, NAN, NAN, NAN]])


def test_a_cloud_reaches_as_far_as_it_is_set_also_from_beyond_window_and_tile(
    tmp_path: Path,
) -> None:
    """A cloud in the right tile's first pixel, at column 4: 20 m reach to columns 2 to 6."""
    left = TinyScene("left", {"B04": [[100] * 4], "SCL": [[4] * 4]})
    right = TinyScene(
        "right", {"B04": [[200] * 4], "SCL": [[9, 4, 4, 4]]}, corner=(X + 40, Y)
    )  # fmt: skip
    day, mask = day_of(tmp_path, left, right), MaskSettings(kind="scl", dilation_m=20)
    whole = red(day, (1, 8), mask)
    np.testing.assert_allclose(whole, [[0.01, 0.01, NAN, NAN, NAN, NAN, NAN, 0.02]])
    with DayReader(day, tiny_grid(1, 8), ("B04",), mask) as reader:
        parts = [reader.read(Window(at, 0, 2, 1))[0] for at in (0, 2, 4, 6)]
    np.testing.assert_array_equal(np.hstack(parts), whole)


@given(
    cloud=arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14))),
    radius=st.floats(0, 9),
)
@settings(max_examples=60)
def test_spread_is_what_a_distance_transform_finds(cloud: np.ndarray, radius: float) -> None:
    far = distance_transform_edt(~cloud) if cloud.any() else np.full(cloud.shape, np.inf)
    assert np.array_equal(spread(cloud, radius), far <= radius)


@pytest.mark.parametrize(
    ("mask", "clear", "snow"),
    [
        (MaskSettings(), {4, 5, 6, 7}, {11}),
        (MaskSettings(kind="omnicloudmask", asset="ocm"), {0}, set()),
        (MaskSettings(kind="fmask", asset="fmask"), {0, 1}, {3}),
        (MaskSettings(kind="scl", clear=(4, 5, 11)), {4, 5, 11}, set()),
        (MaskSettings(kind="values", asset="m", clear=(1,), snow=(2,)), {1}, {2}),
    ],
)
def test_classes_come_from_the_table_unless_they_are_set(
    mask: MaskSettings, clear: set[int], snow: set[int]
) -> None:
    assert (mask_classes(mask).clear, mask_classes(mask).snow) == (clear, snow)


def test_omnicloudmask_is_read_from_its_own_asset(tmp_path: Path) -> None:
    """0 clear, 1 thick, 2 thin, 3 shadow; the scene classes beside it are not asked."""
    bands = {"B04": [[100] * 4], "SCL": [[4] * 4], "ocm": [[0, 1, 2, 3]]}
    scene = TinyScene("a", bands, radiometry={"scale": 1e-4, "offset": 0.0})
    mask = MaskSettings(kind="omnicloudmask", asset="ocm", dilation_m=0)
    np.testing.assert_allclose(red(day_of(tmp_path, scene), (1, 4), mask), [[0.01, NAN, NAN, NAN]])


def test_a_mask_of_unknown_classes_must_say_which_are_clear() -> None:
    with pytest.raises(ValidationError, match=r"needs mask\.clear"):
        MaskSettings(kind="values", asset="clm")
