from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import Affine
from shapely import affinity
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.imagery.cell_shares import cell_shares
from fieldline.pipeline.imagery.grid import Grid
from tests.pipeline.imagery.tiny_archive import CRS, X, Y, pixel_box, tiny_grid

EDGE = 40
GRID = Grid(CRS, Affine(10, 0, X, 0, -10, Y), EDGE, EDGE)


def shares_of(*shapes: BaseGeometry, grid: Grid = GRID) -> list[dict[tuple[int, int], float]]:
    """Share by (row, column), one dictionary for each shape."""
    found = cell_shares(np.array(shapes, dtype=object), grid)
    ends = np.cumsum(found.counts)
    return [
        {divmod(int(c), grid.width): float(s) for c, s in zip(*part, strict=True)}
        for first, last in zip(ends - found.counts, ends, strict=True)
        for part in [(found.cells[first:last], found.shares[first:last])]
    ]


@pytest.mark.parametrize(
    ("shape", "shares"),
    [
        (pixel_box(1, 2, 3, 3), {(2, 1): 1.0, (2, 2): 1.0}),
        (pixel_box(0.75, 0.5, 1.5, 1), {(0, 0): 0.125, (0, 1): 0.25}),
        # Legs of two pixels: half of the square of four, the diagonal through two of them.
        (Polygon([(X, Y), (X, Y - 20), (X + 20, Y - 20)]), {(0, 0): 0.5, (1, 0): 1, (1, 1): 0.5}),
        (pixel_box(0, 0, 2, 1).difference(pixel_box(0.5, 0, 1, 0.5)), {(0, 0): 0.75, (0, 1): 1.0}),
        (
            MultiPolygon([pixel_box(0, 0, 0.5, 0.5), pixel_box(0.5, 0.5, 1, 1)]),
            {(0, 0): 0.5},
        ),
        (pixel_box(0, 0, 5, 5).difference(pixel_box(1, 1, 4, 4)),
         {(r, c): 1.0 for r in range(5) for c in range(5) if {r, c} & {0, 4}}),
        (Polygon(), {}),
        (Polygon([(X, Y), (X + 20, Y - 20), (X + 40, Y - 40), (X, Y)]), {}),
        (box(X - 100, Y + 10, X - 50, Y + 50), {}),
    ],
    ids=["whole cells", "parts", "triangle", "notch", "two parts", "hole", "empty", "flat", "away"],
)  # fmt: skip
def test_worked_by_hand(shape: BaseGeometry, shares: dict[tuple[int, int], float]) -> None:
    (found,) = shares_of(shape, grid=tiny_grid(8, 8))
    assert found == shares


@st.composite
def stars(draw: st.DrawFn) -> BaseGeometry:
    """Stars of 3 to 20 corners, some with a hole, some of two parts, some over the grid's edge."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    count = draw(st.integers(3, 20))
    angle = np.sort(rng.uniform(0, 2 * np.pi, count)) + np.arange(count) * 1e-3
    ring = rng.uniform(0.4, 1.0, count)[:, np.newaxis] * np.column_stack(
        [np.cos(angle), np.sin(angle)]
    )
    star: BaseGeometry = Polygon(ring * draw(st.sampled_from([4.0, 30.0, 120.0]))).buffer(0)
    if draw(st.booleans()):
        star = star.difference(affinity.scale(star, 0.5, 0.5, origin=(0, 0)))
    if draw(st.booleans()):
        star = star.union(affinity.translate(star, *rng.uniform(-150, 150, 2)))
    if draw(st.booleans()):
        star = affinity.rotate(star, 90, origin=(0, 0))
    return affinity.translate(star, X + rng.uniform(0, 400), Y - rng.uniform(0, 400))


@settings(max_examples=50)
@given(shapes=st.lists(stars(), min_size=1, max_size=4))
def test_every_share_is_that_of_exactextract(shapes: list[BaseGeometry]) -> None:
    left, bottom, right, top = GRID.bounds
    frame = gpd.GeoDataFrame(geometry=shapes, crs=CRS)
    words = frame.crs.to_wkt()
    empty = NumPyRasterSource(np.zeros((EDGE, EDGE)), left, bottom, right, top, srs_wkt=words)
    peer = exact_extract(empty, frame, ["cell_id", "coverage"], output="pandas")
    found = cell_shares(frame.geometry.to_numpy(), GRID)
    for index, part in enumerate(
        np.split(np.arange(found.cells.size), np.cumsum(found.counts)[:-1])
    ):
        ours, theirs = np.zeros((2, EDGE * EDGE))
        ours[found.cells[part]] = found.shares[part]
        theirs[peer["cell_id"][index].astype(int)] = peer["coverage"][index]
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@settings(max_examples=60)
@given(shape=stars())
def test_shares_add_up_to_the_area_inside_the_grid(shape: BaseGeometry) -> None:
    found = cell_shares(np.array([shape]), GRID)
    inside = shapely.intersection(shape, box(*GRID.bounds)).area / 100
    assert found.shares.sum(dtype=float) == pytest.approx(inside, abs=1e-5)
    assert (np.diff(found.cells) > 0).all()


@settings(max_examples=40)
@given(shapes=st.lists(stars(), min_size=2, max_size=5))
def test_a_polygon_alone_and_turned_around_has_the_same_bytes(shapes: list[BaseGeometry]) -> None:
    """Blocks of parcels hang on it: no share depends on another polygon or on the ring's sense."""
    together = cell_shares(np.array(shapes), GRID)
    alone = [cell_shares(np.array([shapely.reverse(shape)]), GRID) for shape in shapes]
    assert together.counts.tolist() == [int(part.counts[0]) for part in alone]
    assert together.shares.tobytes() == b"".join(part.shares.tobytes() for part in alone)
    assert together.cells.tobytes() == b"".join(part.cells.tobytes() for part in alone)


def test_a_polygon_larger_than_a_portion_is_filled() -> None:
    """120,000 corners on a circle of 100 km: more pieces of edges than are worked at once."""
    angle = np.linspace(0, 2 * np.pi, 120_000, endpoint=False)
    wide = Grid(CRS, Affine(100, 0, X, 0, -100, Y), 2000, 2000)
    ring = np.column_stack([X + 1e5 + 9e4 * np.cos(angle), Y - 1e5 + 9e4 * np.sin(angle)])
    circle = Polygon(ring)
    found = cell_shares(np.array([circle, pixel_box(0, 0, 10, 10)]), wide)
    assert found.counts[1] == 1
    assert found.shares[-1] == 1.0
    assert found.shares[:-1].sum(dtype=float) == pytest.approx(circle.area / 1e4, rel=1e-9)


def test_a_coordinate_that_is_not_finite_takes_its_own_polygon_alone() -> None:
    broken = Polygon([(X, Y), (X, Y - 20), (np.inf, Y - 20)])
    assert shares_of(broken, pixel_box(0, 0, 1, 1)) == [{}, {(0, 0): 1.0}]
