from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import Affine
from shapely.geometry import box

from fieldline.pipeline.imagery.resample import FileGeometry
from fieldline.pipeline.imagery.windows import (
    Places,
    box_of,
    merged_ranges,
    places_of,
    tiles_under,
    window_count,
)
from tests.pipeline.imagery.tiny_archive import CRS, X, Y, outlines, pixel_box, tiny_grid

FILE = FileGeometry(CRS, Affine(10, 0, X, 0, -10, Y), 1000, 1200)


def test_tiles_are_those_that_a_parcel_and_its_margin_lie_on() -> None:
    shapes = {"a": pixel_box(10.5, 10.5, 20.5, 20.5), "b": pixel_box(900.5, 700.5, 910.5, 710.5)}
    places = places_of(outlines(shapes), tiny_grid(1000, 1200), margin_m=300)
    found = tiles_under(places, FILE, (100, 100))
    assert found is not None
    # a reaches to pixel 50.5 and two more; b from 870.5 - 2 to 940.5 + 2, rows 670.5 - 2 to 742.5
    assert np.argwhere(found).tolist() == [
        [0, 0], [6, 8], [6, 9], [7, 8], [7, 9],
    ]  # fmt: skip
    assert window_count(found) == 2
    window = box_of(found, (100, 100), 1000, 1200)
    assert (window.col_off, window.row_off, window.width, window.height) == (0, 0, 1000, 800)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(-50, 1250), st.integers(-50, 1050), st.integers(1, 90)), min_size=1
    ),
    st.sampled_from([(64, 64), (100, 37), (256, 512)]),
)
def test_no_pixel_of_a_box_is_outside_the_tiles(
    drawn: list[tuple[int, int, int]], tile: tuple[int, int]
) -> None:
    """Marked pixel by pixel, with two around: the tiles that hold a marked one are the tiles."""
    boxes = [pixel_box(c, r, c + size, r + size).bounds for c, r, size in drawn]
    found = tiles_under(Places(CRS, np.array(boxes)), FILE, tile)
    marked = np.zeros((1000, 1200), dtype=bool)
    for column, row, size in drawn:
        marked[
            max(0, row - 2) : max(0, row + size + 2), max(0, column - 2) : max(0, column + size + 2)
        ] = True
    rows, columns = np.nonzero(marked)
    pixels = zip((rows // tile[0]).tolist(), (columns // tile[1]).tolist(), strict=True)
    expected = set(pixels)
    assert found is not None
    told = {(int(row), int(column)) for row, column in np.argwhere(found)}
    assert told == (expected or {(0, 0)})


def test_a_file_on_another_crs_gives_the_tiles_under_the_same_land() -> None:
    shapes = {"a": pixel_box(400.5, 300.5, 420.5, 320.5)}
    places = places_of(outlines(shapes), tiny_grid(1000, 1200), margin_m=0)
    degrees = FileGeometry("EPSG:4326", Affine(1e-4, 0, 10.3, 0, -1e-4, 48.25), 4000, 3000)
    found = tiles_under(places, degrees, (50, 50))
    west, south, east, north = outlines(shapes).total_bounds
    assert found is not None
    rows, columns = np.nonzero(found)
    # one hundredth of a tile is more than the two pixels of rounding that a corner may add
    assert rows.min() == int((48.25 - north) / 1e-4 - 2) // 50
    assert rows.max() == int((48.25 - south) / 1e-4 + 2) // 50
    assert columns.min() == int((west - 10.3) / 1e-4 - 2) // 50
    assert columns.max() == int((east - 10.3) / 1e-4 + 2) // 50


def test_places_that_a_file_cannot_show_leave_none() -> None:
    places = Places("EPSG:32632", np.array([[1e12, 1e12, 2e12, 2e12]]))
    polar = FileGeometry("EPSG:4326", Affine(1, 0, -180, 0, -1, 90), 180, 360)
    assert tiles_under(places, polar, (10, 10)) is None


def test_ranges_merge_where_a_request_costs_more_than_the_bytes_between() -> None:
    offsets, sizes = [1000, 1150, 5000, 0, 200], [100, 50, 900, 0, 300]
    assert merged_ranges(offsets, sizes, 50, 10**6) == [(200, 500), (1000, 1200), (5000, 5900)]
    assert merged_ranges(offsets, sizes, 49, 10**6) == [
        (200, 500), (1000, 1100), (1150, 1200), (5000, 5900),
    ]  # fmt: skip
    assert merged_ranges(offsets, sizes, 50, 400) == [
        (200, 500), (1000, 1200), (5000, 5300), (5300, 5600), (5600, 5900),
    ]  # fmt: skip
    assert merged_ranges([], [], 50, 400) == []


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 400), max_size=20, unique=True),
    st.integers(0, 30),
    st.integers(5, 200),
)
def test_every_piece_is_in_the_ranges_and_little_else(
    starts: list[int], gap: int, largest: int
) -> None:
    pieces = [(10 * start, 7) for start in starts]
    ranges = merged_ranges([s for s, _ in pieces], [n for _, n in pieces], gap, largest)
    asked = np.zeros(5000, dtype=int)
    for start, end in ranges:
        assert 0 < end - start <= largest
        asked[start:end] += 1
    assert asked.max(initial=0) <= 1
    assert all(asked[start : start + size].all() for start, size in pieces)
    # of what nobody needs, only gaps that are no longer than allowed
    needed = np.zeros(5000, dtype=bool)
    for start, size in pieces:
        needed[start : start + size] = True
    edges = np.flatnonzero(np.diff(np.pad((asked > 0) & ~needed, 1).astype(int)))
    assert (edges[1::2] - edges[::2] <= gap).all()


def test_boxes_end_at_the_countys_grid() -> None:
    shapes = {"a": pixel_box(1, 1, 3, 3)}
    places = places_of(outlines(shapes), tiny_grid(50, 50), margin_m=5000)
    assert places.boxes[0] == pytest.approx(box(X, Y - 500, X + 500, Y).bounds)
