from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import Affine
from rasterio.windows import Window
from shapely import affinity
from shapely.geometry import MultiPolygon, box
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.imagery.coverage import (
    CoverageWeights,
    block_sums,
    build_weights,
    moments,
)
from fieldline.pipeline.imagery.grid import Grid, iter_windows
from tests.pipeline.imagery.tiny_archive import CRS, X, Y, pixel_box, tiny_grid

THREE = np.arange(1.0, 10.0).reshape(1, 3, 3).astype(np.float32)
"""1 2 3 / 4 5 6 / 7 8 9: exactextract's own example raster."""


def weights_of(*shapes: BaseGeometry, grid: Grid) -> CoverageWeights:
    names = [f"p{i}" for i in range(len(shapes))]
    frame = gpd.GeoDataFrame({"parcel_id": names}, geometry=list(shapes), crs=CRS)
    return build_weights(frame, grid)


def statistics(
    weights: CoverageWeights, values: np.ndarray, block: int = 512
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clear pixels, mean and standard deviation, summed over blocks as the stage does."""
    sums = np.zeros((len(weights.parcel_ids), 1 + 2 * len(values)))
    for part in weights.blocks(iter_windows(weights.grid, block)):
        sums[part.rows] += block_sums(part, part.of(values[:, *part.window.toslices()]))
    return sums[:, 0], *moments(sums)


@pytest.mark.parametrize(
    ("shape", "pixels", "mean", "variance"),
    [
        (pixel_box(0, 0, 3, 3), 9.0, 5.0, 60 / 9),
        (pixel_box(0.5, 0.5, 2.5, 2.5), 4.0, 5.0, 5.0),
        (pixel_box(1, 1, 2, 2), 1.0, 5.0, 0.0),
        (pixel_box(0.25, 0.25, 0.75, 0.75), 0.25, 1.0, 0.0),
        (pixel_box(0.9, 0.0, 1.1, 0.5), 0.1, 1.5, 0.25),
        (
            MultiPolygon([pixel_box(0, 0, 1, 1), pixel_box(2, 2, 3, 3)]),
            2.0,
            5.0,
            16.0,
        ),
        (pixel_box(0, 0, 3, 3).difference(pixel_box(1, 1, 2, 2)), 8.0, 5.0, 60 / 8),
    ],
    ids=["all", "half-edges", "one", "quarter-pixel", "two-slivers", "two-parts", "hole"],
)
def test_three_by_three_by_hand(
    shape: BaseGeometry, pixels: float, mean: float, variance: float
) -> None:
    clear, means, deviations = statistics(weights_of(shape, grid=tiny_grid(3, 3)), THREE)
    assert clear[0] == pytest.approx(pixels, abs=1e-6)
    assert means[0, 0] == pytest.approx(mean, abs=1e-6)
    assert deviations[0, 0] ** 2 == pytest.approx(variance, abs=1e-5)


def test_what_is_not_clear_has_no_weight() -> None:
    values = THREE.copy()
    values[:, 1, :] = np.nan
    clear, means, _ = statistics(weights_of(pixel_box(0, 0, 3, 2), grid=tiny_grid(3, 3)), values)
    assert clear[0] == pytest.approx(3.0)
    assert means[0, 0] == pytest.approx(2.0)


def test_nothing_clear_gives_no_number() -> None:
    values = np.full((2, 3, 3), np.nan, dtype=np.float32)
    clear, means, deviations = statistics(
        weights_of(pixel_box(0, 0, 3, 3), grid=tiny_grid(3, 3)), values
    )
    assert clear[0] == 0
    assert np.isnan(means).all()
    assert np.isnan(deviations).all()


def test_whole_parcel_is_counted_even_beside_the_grid() -> None:
    weights = weights_of(pixel_box(-1, 0, 1, 1), pixel_box(50, 50, 51, 51), grid=tiny_grid(3, 3))
    assert weights.pixels.tolist() == [1.0, 0.0]


def test_crs_mismatch_is_refused() -> None:
    frame = gpd.GeoDataFrame({"parcel_id": ["p"]}, geometry=[box(0, 0, 1, 1)], crs="EPSG:4326")
    with pytest.raises(ValueError, match="EPSG:4326"):
        build_weights(frame, tiny_grid(3, 3))


def test_no_parcels_give_no_rows() -> None:
    frame = gpd.GeoDataFrame({"parcel_id": []}, geometry=[], crs=CRS)
    weights = build_weights(frame, tiny_grid(3, 3))
    assert weights.matrix.shape == (0, 9)
    assert weights.blocks([Window(0, 0, 3, 3)]) == []


def test_a_block_holds_its_own_cells_only() -> None:
    weights = weights_of(pixel_box(0, 0, 2, 1), pixel_box(2, 2, 3, 3), grid=tiny_grid(3, 3))
    (part,) = weights.blocks([Window(1, 0, 2, 2)])
    assert part.rows.tolist() == [0]
    assert part.matrix.toarray().tolist() == [[1.0]]
    assert part.window == Window(1, 0, 1, 1)
    assert weights.blocks([Window(0, 1, 2, 2)]) == []
    quarters = [Window(c, r, w, h) for r, h in ((0, 2), (2, 1)) for c, w in ((0, 2), (2, 1))]
    parts = weights.blocks(quarters)
    assert [p.rows.tolist() for p in parts] == [[0], [1]]
    assert [p.window for p in parts] == [Window(0, 0, 2, 1), Window(2, 2, 1, 1)]


def test_compact_block_keeps_sums() -> None:
    weights = weights_of(pixel_box(0, 0, 2, 1), grid=tiny_grid(3, 3))
    (part,) = weights.blocks([Window(0, 0, 3, 3)])
    assert part.window == Window(0, 0, 2, 1)
    assert part.cells.tolist() == [0, 1]
    values = part.of(THREE[:, *part.window.toslices()])
    assert block_sums(part, values).tolist() == [[2.0, 3.0, 5.0]]


@st.composite
def rotated_parcels(draw: st.DrawFn) -> list[BaseGeometry]:
    """Rectangles from a tenth of a pixel to twenty pixels long, at any angle."""
    number = st.floats(0, 1, width=32)
    shapes = []
    for _ in range(draw(st.integers(1, 6))):
        long = 1.0 + 199.0 * draw(number)
        wide = max(1.0, long * draw(number))
        x, y = X + 400 * draw(number), Y - 400 * draw(number)
        shape = box(x - long / 2, y - wide / 2, x + long / 2, y + wide / 2)
        shapes.append(affinity.rotate(shape, 180 * draw(number)))
    return shapes


@settings(max_examples=60)
@given(shapes=rotated_parcels(), block=st.sampled_from([7, 16, 64]), seed=st.integers(0, 999))
def test_equal_to_exactextract(shapes: list[BaseGeometry], block: int, seed: int) -> None:
    """Mean, deviation and count agree with the peer on uint16-like numbers, holes included."""
    grid = Grid(CRS, Affine(10, 0, X - 100, 0, -10, Y + 100), 60, 60)
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 12_000, (1, 60, 60)).astype(np.float32)
    values[0, rng.random((60, 60)) < 0.2] = np.nan
    weights = weights_of(*shapes, grid=grid)
    clear, means, deviations = statistics(weights, values, block)
    left, bottom, right, top = grid.bounds
    peer = exact_extract(
        NumPyRasterSource(np.ma.masked_invalid(values[0].astype(float)), left, bottom, right, top),
        [{"type": "Feature", "properties": {}, "geometry": s.__geo_interface__} for s in shapes],
        ["count", "mean", "stdev"],
    )
    for row, feature in enumerate(peer):
        expected = feature["properties"]
        assert clear[row] == pytest.approx(expected["count"], abs=1e-4)
        if expected["count"] > 0:
            assert means[row, 0] == pytest.approx(expected["mean"], abs=0.01)
            assert deviations[row, 0] == pytest.approx(expected["stdev"], abs=0.01)
