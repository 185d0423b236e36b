"""Outlines and pictures of the report's map."""

from __future__ import annotations

import tracemalloc
from typing import ClassVar

import geopandas as gpd
import numpy as np
import pytest
import shapely
from rasterio.windows import Window
from shapely.geometry import box

from fieldline.desk.report import backdrop
from fieldline.desk.report.backdrop import MOST_PIXELS, shown_windows
from fieldline.desk.report.map import path_of
from fieldline.pipeline.imagery.grid import grid_around
from fieldline.pipeline.imagery.settings import GridSettings, SceneSettings

UTM = "EPSG:32650"


def test_an_outline_is_told_in_steps_from_the_maps_corner() -> None:
    field = box(1000, 2000, 1030, 2020.04)
    # From (1030, 2000): 1030 right of the corner, 3000 below; then up, left, down.
    assert path_of(field, (0, 5000)) == "M1030,3000l0,-20 -30,0 0,20Z"
    hole = field.difference(box(1010, 2005, 1015, 2010))
    assert path_of(hole, (0, 5000)).count("M") == 2


def test_rounded_steps_do_not_add_up() -> None:
    line = [(k * 0.26, (k % 2) * 0.26) for k in range(200)]
    ring = shapely.Polygon([*line, (60, 90)])
    steps = path_of(ring, (0, 100)).split("l")[1].rstrip("Z").split(" ")
    across = sum(float(step.split(",")[0]) for step in steps)
    assert abs(across - 60) <= 0.1


def windows_of(*boxes: shapely.Polygon) -> tuple[list[object], int]:
    parcels = gpd.GeoDataFrame(geometry=list(boxes), crs=UTM)
    grid = grid_around(tuple(parcels.total_bounds), UTM, GridSettings(margin_m=100))
    return list(shown_windows(parcels, grid)), grid.width * grid.height


def test_a_county_close_together_is_one_picture() -> None:
    windows, pixels = windows_of(*(box(x, 0, x + 50, 50) for x in range(0, 5000, 700)))
    assert [w.width * w.height for w in windows] == [pixels]  # type: ignore[attr-defined]


def test_scattered_parcels_have_a_sharp_picture_each() -> None:
    """Two neighbours and one 60 km away: two pictures at 10 m, not one of 36 million pixels."""
    near, neighbour, far = box(0, 0, 50, 50), box(300, 0, 350, 50), box(60000, 60000, 60050, 60050)
    windows, pixels = windows_of(near, neighbour, far)
    assert pixels > 36_000_000
    sizes = sorted(w.width * w.height for w in windows)  # type: ignore[attr-defined]
    # 250 m of land around each, cut where the grid ends 100 m beyond the outermost parcel.
    assert len(sizes) == 2
    assert 40 * 40 <= sizes[0] <= 46 * 46
    assert 70 * 40 <= sizes[1] <= 76 * 46


class Ramp:
    """A day whose pixel is its row, its column and 0; it remembers what was asked of it at once."""

    asked: ClassVar[list[int]] = []

    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> Ramp:
        return self

    def __exit__(self, *_: object) -> None: ...

    def read(self, window: Window) -> np.ndarray:
        height, width = int(window.height), int(window.width)
        self.asked.append(height * width)
        rows = np.arange(height)[:, None] + window.row_off + np.zeros((1, width))
        columns = np.arange(width)[None] + window.col_off + np.zeros((height, 1))
        return np.stack([rows, columns, 0 * rows]).astype(np.float32)


def along_a_diagonal(count: int) -> tuple[list[Window], object]:
    """Parcels 400 m apart from one corner of the county to the other: one group of its size."""
    parcels = gpd.GeoDataFrame(
        geometry=[box(400 * n, 400 * n, 400 * n + 80, 400 * n + 80) for n in range(count)], crs=UTM
    )
    grid = grid_around(tuple(parcels.total_bounds), UTM, GridSettings(margin_m=100))
    return list(shown_windows(parcels, grid)), grid


def test_a_county_far_across_is_read_in_the_memory_of_its_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """23 million pixels of three bands would be 276 MB; the budget of 3 million is 36 MB."""
    monkeypatch.setattr(backdrop, "DayReader", Ramp)
    monkeypatch.setattr(Ramp, "asked", [])
    windows, grid = along_a_diagonal(120)
    assert sum(w.width * w.height for w in windows) > 22_000_000
    step = backdrop._thinning(windows)
    tracemalloc.start()
    read = backdrop._read(None, grid, windows, step, SceneSettings())  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(pixels[0].size for pixels in read) <= MOST_PIXELS
    assert max(Ramp.asked) <= 512 * 512
    assert peak < 80e6
    # Every pixel kept is the one in `step` that a read of the whole window would have kept.
    for pixels, window in zip(read, windows, strict=True):
        rows = np.arange(window.row_off, window.row_off + window.height, step)
        columns = np.arange(window.col_off, window.col_off + window.width, step)
        assert (pixels[0] == rows[:, None]).all()
        assert (pixels[1] == columns[None]).all()


def test_thousands_of_small_windows_keep_within_the_budget() -> None:
    """Of 53 x 53 pixels a third is 18 x 18: what is rounded up counts."""
    windows = [Window(60 * n, 0, 53, 53) for n in range(9000)]
    step = backdrop._thinning(windows)
    assert 9000 * (-(-53 // step)) ** 2 <= MOST_PIXELS < 9000 * (-(-53 // (step - 1))) ** 2


def test_days_are_compared_on_a_few_blocks_spread_over_the_county() -> None:
    windows, _ = along_a_diagonal(245)
    compared = backdrop._spread(windows)
    assert len(compared) == 12
    assert all(w.width * w.height <= 512 * 512 for w in compared)
    assert compared[0].row_off == windows[0].row_off
    assert compared[-1].row_off + compared[-1].height == windows[0].row_off + windows[0].height
    small = [Window(0, 0, 40, 40), Window(90, 0, 50, 50)]
    assert backdrop._spread(small) == [small[1], small[0]]
