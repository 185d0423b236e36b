"""Offsets held against pixels.

Expected verdicts follow from the numbers: 500 is reflectance 0.05 without an offset and -0.05 with
one of -0.1; 1500 is 0.15 and 0.05.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fieldline.pipeline.imagery.area import ParcelArea
from fieldline.pipeline.imagery.offsets import SAMPLED_PARCELS, OffsetConflict, offset_conflict
from fieldline.pipeline.imagery.settings import MaskSettings
from tests.pipeline.imagery.tiny_archive import (
    NO_MASK,
    TinyScene,
    outlines,
    pixel_box,
    read_all,
    scene_settings,
    write_archive,
)

SHIFTED = {"nodata": 0, "scale": 1e-4, "offset": -0.1}
PLAIN = {"nodata": 0, "scale": 1e-4, "offset": 0}
FLAG = "earthsearch:boa_offset_applied"
WHOLE = {"p": pixel_box(0, 0, 40, 40)}


def conflict(
    folder: Path, scene: TinyScene, *bands: str, mask: MaskSettings = NO_MASK, shapes: Any = WHOLE
) -> OffsetConflict | None:
    (item,) = read_all(write_archive(folder, [scene]))
    parcels = ParcelArea(outlines(shapes)).sample(item.footprint, SAMPLED_PARCELS)
    return offset_conflict(item, parcels, scene_settings(*bands, mask=mask))


def scene(
    number: Any, radiometry: dict[str, Any], flag: bool | None = None, baseline: str = "05.00",
    **bands: Any,
) -> TinyScene:  # fmt: skip
    stated = {} if flag is None else {FLAG: flag}
    values = {"B04": np.full((40, 40), 1) * number, **bands}
    properties = {"s2:processing_baseline": baseline, **stated}
    return TinyScene("a", values, radiometry=radiometry, properties=properties)


@pytest.mark.parametrize("baseline", ["03.01", "05.00"])
@pytest.mark.parametrize(
    ("number", "radiometry", "flag", "believed"),
    [
        (500, SHIFTED, False, False),
        (500, SHIFTED, None, False),
        (500, SHIFTED, True, True),
        (500, PLAIN, True, True),
        (500, PLAIN, None, True),
        (500, PLAIN, False, True),
        (1500, SHIFTED, False, True),
        (1500, SHIFTED, None, True),
        (1500, SHIFTED, True, False),
        (1500, PLAIN, True, True),
        (1500, PLAIN, None, True),
    ],
)
def test_an_offset_is_believed_where_the_pixels_bear_it_out(
    tmp_path: Path, number: int, radiometry: dict[str, Any], flag: bool | None, believed: bool,
    baseline: str,
) -> None:  # fmt: skip
    found = conflict(tmp_path, scene(number, radiometry, flag, baseline), "B04")
    assert (found is None) is believed


@pytest.mark.parametrize(("baseline", "believed"), [("04.00", False), ("03.01", True)])
def test_an_unshifted_product_has_no_offset_to_leave_out(
    tmp_path: Path, baseline: str, believed: bool
) -> None:
    """Flag false and offset 0: right before 04.00, from then on the pixels decide."""
    bright = scene(1500, PLAIN, False, baseline)
    assert (conflict(tmp_path, bright, "B04") is None) is believed


def test_a_conflict_tells_its_numbers(tmp_path: Path) -> None:
    values = np.full((40, 40), 1500)
    values[:10] = 500
    found = conflict(tmp_path, scene(1, SHIFTED, B04=values), "B04")
    assert found is not None
    assert (found.band, found.offset) == ("B04", -0.1)
    assert found.negative == pytest.approx(0.25)
    assert found.darkest == pytest.approx(-0.05)


def test_less_than_a_quarter_below_zero_is_no_conflict(tmp_path: Path) -> None:
    values = np.full((40, 40), 1500)
    values[:9] = 500
    assert conflict(tmp_path, scene(1, SHIFTED, B04=values), "B04") is None


def test_few_pixels_cannot_show_that_nothing_is_dark(tmp_path: Path) -> None:
    """Twenty by twenty pixels of bare soil at 0.15 are nothing unusual."""
    shapes = {"p": pixel_box(0.1, 0.1, 19.9, 19.9)}
    bright = scene(1500, SHIFTED, True)
    assert conflict(tmp_path / "small", bright, "B04", shapes=shapes) is None
    assert conflict(tmp_path / "large", bright, "B04") is not None


def test_a_dark_hundredth_clears_a_bright_scene(tmp_path: Path) -> None:
    values = np.full((40, 40), 1500)
    values[0, :20] = 400
    assert conflict(tmp_path, scene(1, SHIFTED, True, B04=values), "B04") is None


def test_the_darker_band_decides(tmp_path: Path) -> None:
    """Soil is 0.15 in red and 0.08 in blue: blue shows the second subtraction, red does not."""
    soil = scene(1500, SHIFTED, B02=np.full((40, 40), 800))
    assert conflict(tmp_path / "red", soil, "B04") is None
    found = conflict(tmp_path / "both", soil, "B02", "B04")
    assert found is not None
    assert found.band == "B02"
    dark = scene(500, SHIFTED, B02=np.full((40, 40), 1500))
    assert conflict(tmp_path / "second", dark, "B02", "B04") is not None


def test_only_clear_land_is_asked(tmp_path: Path) -> None:
    """Clouds (9) hide it; over water (6) reflectance may truly be below zero."""
    classes = np.full((40, 40), 9)
    scl = MaskSettings(kind="scl")
    hidden = scene(500, SHIFTED, SCL=classes)
    assert conflict(tmp_path / "cloud", hidden, "B04", mask=scl) is None
    water = scene(500, SHIFTED, SCL=np.full((40, 40), 6))
    assert conflict(tmp_path / "water", water, "B04", mask=scl) is None
    classes[5:10] = 4
    assert conflict(tmp_path / "land", scene(500, SHIFTED, SCL=classes), "B04", mask=scl)


def test_only_parcels_are_asked(tmp_path: Path) -> None:
    values = np.full((40, 40), 500)
    values[:20, :20] = 1500
    shapes = {"p": pixel_box(0, 0, 15, 15)}
    assert conflict(tmp_path, scene(1, SHIFTED, B04=values), "B04", shapes=shapes) is None


def test_missing_pixels_say_nothing(tmp_path: Path) -> None:
    values = np.zeros((40, 40))
    values[0, 0] = 1500
    assert conflict(tmp_path, scene(1, SHIFTED, B04=values), "B04") is None


@pytest.mark.parametrize("damage", ["missing", "html"])
def test_a_file_that_cannot_be_read_is_left_to_the_observation(tmp_path: Path, damage: str) -> None:
    (item,) = read_all(write_archive(tmp_path, [scene(500, SHIFTED)]))
    path = tmp_path / "files" / "a_B04.tif"
    path.unlink()
    if damage == "html":
        path.write_text("<html>")
    parcels = list(outlines(WHOLE).geometry)
    assert offset_conflict(item, parcels, scene_settings("B04")) is None


def test_parcels_are_sampled_evenly_through_the_county() -> None:
    shapes = {f"p{n:03d}": pixel_box(n, 0, n + 0.5, 1) for n in range(100)}
    area = ParcelArea(outlines(shapes))
    everywhere = outlines({"all": pixel_box(0, 0, 100, 1)}).geometry.iloc[0]
    found = area.sample(everywhere, 4)
    frame = outlines(shapes)
    assert [frame.geometry.geom_equals(one).to_numpy().nonzero()[0][0] for one in found] == [
        0, 33, 66, 99,
    ]  # fmt: skip
    assert len(area.sample(everywhere, 1000)) == 100
    many = ParcelArea(outlines({f"p{n:03d}": pixel_box(n, 0, n + 0.5, 1) for n in range(600)}))
    few = outlines({"six": pixel_box(10, 0, 15.9, 1)}).geometry.iloc[0].buffer(-1e-7)
    assert len(many.sample(few, 16)) == 6
    assert area.sample(pixel_box(0, 0, 1, 1), 4) == []
