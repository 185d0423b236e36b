from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from exactextract import exact_extract
from pyproj import Transformer
from rasterio import Affine
from rasterio.windows import Window
from scipy.ndimage import gaussian_filter

from fieldline.pipeline.imagery.averaging import Average, TurnedGridError, placement
from fieldline.pipeline.imagery.coverage import build_weights
from fieldline.pipeline.imagery.grid import Grid
from fieldline.pipeline.imagery.mosaic import SceneReadError, read_day
from fieldline.pipeline.imagery.resample import FileGeometry, Lookup
from fieldline.pipeline.imagery.scene_days import SceneDay, group_by_solar_day
from fieldline.pipeline.imagery.settings import MaskSettings
from fieldline.pipeline.imagery.spots import Spots
from tests.pipeline.imagery.tiny_archive import (
    CRS,
    NO_MASK,
    TinyScene,
    X,
    Y,
    outlines,
    pixel_box,
    read_all,
    tiny_grid,
    write_archive,
)

NAN = np.nan


def day_of(folder: Path, scene: TinyScene) -> SceneDay:
    (day,) = group_by_solar_day(read_all(write_archive(folder, [scene])))
    return day


def red(day: SceneDay, shape: tuple[int, int], mask: MaskSettings = NO_MASK) -> np.ndarray:
    return read_day(day, tiny_grid(*shape), Window(0, 0, shape[1], shape[0]), ("B04",), mask)[0]


def test_a_file_shifted_by_a_quarter_pixel_is_weighed_by_hand(tmp_path: Path) -> None:
    """Grid pixels are 3/4 of one file pixel and 1/4 of the next; a half and more must be there."""
    scene = TinyScene("a", {"B04": [[100, 200, 0, 400]]}, corner=(X - 2.5, Y))
    block = red(day_of(tmp_path, scene), (1, 4))
    np.testing.assert_allclose(block, [[0.0125, 0.02, NAN, 0.04]], atol=1e-7)


def test_coarse_and_fine_pixels_that_do_not_nest_are_weighed(tmp_path: Path) -> None:
    """Pixels of 15 m: 10 m lie in the first, 5 + 5 m on two, 10 m in the second."""
    scene = TinyScene("a", {"B04": [[100, 400]]}, resolution=15.0)
    np.testing.assert_allclose(
        red(day_of(tmp_path, scene), (1, 3)), [[0.01, 0.025, 0.04]], atol=1e-7
    )


def test_a_cloud_of_another_grid_hides_every_pixel_that_it_touches(tmp_path: Path) -> None:
    """A quarter of the first pixel is cloud, three quarters of the second."""
    bands = {"B04": [[100] * 4], "SCL": [[4, 9, 4, 4]]}
    scene = TinyScene("a", bands, corner=(X - 2.5, Y))
    block = red(day_of(tmp_path, scene), (1, 3), MaskSettings(kind="scl", dilation_m=0))
    np.testing.assert_allclose(block, [[NAN, NAN, 0.01]], atol=1e-7)


@pytest.mark.parametrize(
    ("crs", "size", "mean"), [("EPSG:3857", 15.0, 0.004), ("EPSG:32633", 10.0, 0.006)]
)
def test_a_chip_of_another_projection_is_weighed_as_four_hundred_points_in_each_pixel_say(
    tmp_path: Path, crs: str, size: float, mean: float
) -> None:
    """Mercator and the neighbouring zone, whose axes lie 3.4 degrees askew."""
    values = np.random.default_rng(1).integers(100, 9000, (20, 20))
    corner = Transformer.from_crs(CRS, crs, always_xy=True).transform(X + 60, Y - 70)
    scene = TinyScene("a", {"B04": values}, crs=crs, resolution=size, corner=corner)
    found = red(day_of(tmp_path, scene), (30, 30))
    offsets = (np.arange(20) + 0.5) / 2
    x = X + (10 * np.arange(30)[:, None] + offsets).ravel()
    y = Y - (10 * np.arange(30)[:, None] + offsets).ravel()
    moved = Transformer.from_crs(CRS, crs, always_xy=True).transform(*np.meshgrid(x, y))
    column = np.floor((moved[0] - corner[0]) / size).astype(int)
    row = np.floor((corner[1] - moved[1]) / size).astype(int)
    inside = (column >= 0) & (column < 20) & (row >= 0) & (row < 20)
    points = np.where(inside, values[row.clip(0, 19), column.clip(0, 19)] * 1e-4, 0.0)
    known, total = (part.reshape(30, 20, 30, 20).sum((1, 3)) for part in (inside, points))
    sure = np.abs(known / 400 - 0.5) > 0.05
    whole = known == 400
    assert whole.sum() > 200
    assert np.array_equal(~np.isnan(found)[sure], (known / 400 > 0.5)[sure])
    assert np.abs(found[whole] - total[whole] / 400).max() < 0.015
    assert np.abs(found[whole] - total[whole] / 400).mean() < mean


def test_pixels_finer_than_a_fifth_of_the_grid_are_averaged(tmp_path: Path) -> None:
    """25 pixels of 2 m under each of the grid, and a hole over more than half of the last."""
    values = np.random.default_rng(2).integers(100, 9000, (10, 15))
    values[5:, 10:13] = 0
    block = red(day_of(tmp_path, TinyScene("a", {"B04": values}, resolution=2.0)), (2, 3))
    means = values.reshape(2, 5, 3, 5).mean((1, 3)) * 1e-4
    means[1, 2] = NAN
    np.testing.assert_allclose(block, means, rtol=1e-6)


def test_parcels_on_a_shifted_file_have_nearly_exactextracts_means(tmp_path: Path) -> None:
    """Twenty parcels of 25 m: a mean error of 1 %, where the nearest pixel gives 2 %."""
    rng = np.random.default_rng(3)
    values = gaussian_filter(rng.uniform(500, 9000, (40, 40)), 1.0)
    scene = TinyScene("a", {"B04": values.astype(int)}, corner=(X - 4, Y + 3))
    corners = rng.uniform(2, 34, (20, 2))
    shapes = {f"p{n}": pixel_box(x, y, x + 2.5, y + 2.5) for n, (x, y) in enumerate(corners)}
    grid = tiny_grid(38, 38)
    block = red(day_of(tmp_path, scene), (38, 38))
    parcels = outlines(shapes).to_crs(CRS)
    weights = build_weights(parcels, grid).matrix
    file = str(tmp_path / "files" / "a_B04.tif")
    truth = exact_extract(file, parcels, ["mean"], output="pandas")["mean"].to_numpy() * 1e-4

    def error(pixels: np.ndarray) -> float:
        means = (weights @ pixels.ravel()) / weights.sum(axis=1)
        return float(np.abs(means / truth - 1).mean())

    nearest = (values.astype(int) * 1e-4)[:38, :38]
    assert error(np.nan_to_num(block)) < 0.01
    assert error(nearest) > 0.02


def test_files_that_fit_are_picked_and_others_weighed() -> None:
    grid, window = tiny_grid(8, 8), Window(0, 0, 8, 8)
    fits = [(10.0, X, Y), (20.0, X - 20, Y + 40), (10.0, X + 30, Y)]
    for size, left, top in fits:
        file = FileGeometry(CRS, Affine(size, 0, left, 0, -size, top), 8, 8)
        assert isinstance(placement(file, grid, Spots(window)), Lookup)
    for size, left in [(10.0, X + 1), (15.0, X), (5.0, X)]:
        file = FileGeometry(CRS, Affine(size, 0, left, 0, -size, Y), 99, 99)
        assert isinstance(placement(file, grid, Spots(window)), Average)
    elsewhere = FileGeometry(CRS, Affine(10, 0, X + 985, 0, -10, Y), 8, 8)
    assert placement(elsewhere, grid, Spots(window)) is None


def test_neighbouring_zones_are_weighed_and_a_turned_file_is_refused(tmp_path: Path) -> None:
    grid = Grid("EPSG:32632", Affine(10, 0, 700_000, 0, -10, 5_340_000), 64, 64)
    zone = FileGeometry("EPSG:32633", Affine(10, 0, 250_000, 0, -10, 5_345_000), 2000, 2000)
    assert isinstance(placement(zone, grid, Spots(Window(0, 0, 64, 64))), Average)
    turned = FileGeometry(CRS, Affine(9, 4, X, 4, -9, Y), 8, 8)
    with pytest.raises(TurnedGridError):
        placement(turned, tiny_grid(4, 4), Spots(Window(0, 0, 4, 4)))
    assert str(SceneReadError("a", "B04", "turned_grid")) == "scene a, asset B04: turned_grid"
