from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio import Affine
from rasterio.windows import Window
from shapely.geometry import box

from fieldline.pipeline.imagery.grid import Grid
from fieldline.pipeline.imagery.mosaic import SceneReadError, read_day, read_readable
from fieldline.pipeline.imagery.resample import FileGeometry, lookup
from fieldline.pipeline.imagery.scene_days import SceneDay, group_by_solar_day
from fieldline.pipeline.imagery.settings import MaskSettings
from tests.pipeline.imagery.tiny_archive import (
    AS_DRAWN,
    CRS,
    NO_MASK,
    TinyScene,
    X,
    Y,
    read_all,
    tiny_grid,
    write_archive,
)

NAN = np.nan
PLAIN = {"scale": 1e-4, "offset": 0.0}


def day_of(folder: Path, *scenes: TinyScene) -> SceneDay:
    (day,) = group_by_solar_day(read_all(write_archive(folder, scenes)))
    return day


def read(day: SceneDay, grid: Grid, *bands: str, mask: MaskSettings = NO_MASK) -> np.ndarray:
    return read_day(day, grid, Window(0, 0, grid.width, grid.height), bands, mask)


def test_numbers_become_reflectance_and_zero_becomes_missing(tmp_path: Path) -> None:
    radiometry = {"nodata": 0, "scale": 1e-4, "offset": -0.1}
    scene = TinyScene("a", {"B04": [[1000, 1500], [0, 11000]]}, radiometry=radiometry)
    block = read(day_of(tmp_path, scene), tiny_grid(2, 2), "B04")
    np.testing.assert_allclose(block[0], [[0.0, 0.05], [NAN, 1.0]], atol=1e-7)


def test_missing_in_one_band_is_missing_in_all(tmp_path: Path) -> None:
    scene = TinyScene("a", {"B04": [[500, 0]], "B08": [[0, 4000]], "B02": [[100, 100]]})
    block = read(day_of(tmp_path, scene), tiny_grid(1, 2), "B04", "B08", "B02")
    assert np.isnan(block).all()


def test_nan_and_infinity_of_float_files_are_missing(tmp_path: Path) -> None:
    values = np.array([[0.25, np.nan, np.inf, 0.5]], dtype="float32")
    scene = TinyScene("a", {"B04": values}, radiometry={"scale": 1.0, "offset": 0.0})
    block = read(day_of(tmp_path, scene), tiny_grid(1, 4), "B04")
    np.testing.assert_array_equal(block[0], np.float32([[0.25, NAN, NAN, 0.5]]))


def test_nodata_of_the_file_itself_counts_too(tmp_path: Path) -> None:
    day = day_of(tmp_path, TinyScene("a", {"B04": [[500, 65535]]}))
    with rasterio.open(tmp_path / "files" / "a_B04.tif", "r+") as file:
        file.nodata = 65535
    np.testing.assert_allclose(read(day, tiny_grid(1, 2), "B04")[0], [[0.05, NAN]], atol=1e-7)


def other_mask(*clear: int) -> MaskSettings:
    return MaskSettings(kind="values", asset="SCL", clear=clear, dilation_m=0)


@pytest.mark.parametrize(
    ("mask", "clear"),
    [
        (NO_MASK, [True, True, True, True]),
        (AS_DRAWN, [True, False, False, True]),
        (
            MaskSettings(kind="values", asset="SCL", clear=(9,), dilation_m=0),
            [False, True, False, False],
        ),
        (
            MaskSettings(kind="values", asset="SCL", clear=(0, 4), dilation_m=0),
            [True, False, False, False],
        ),
    ],
    ids=["none", "scl", "values", "mask nodata is never clear"],
)
def test_masks(tmp_path: Path, mask: MaskSettings, clear: list[bool]) -> None:
    """Scene classes: vegetation 4, high cloud 9, mask nodata 0, water 6."""
    scene = TinyScene("a", {"B04": [[500, 500, 500, 500]], "SCL": [[4, 9, 0, 6]]})
    block = read(day_of(tmp_path, scene), tiny_grid(1, 4), "B04", mask=mask)
    assert (~np.isnan(block[0, 0])).tolist() == clear


def test_neighbouring_tiles_join(tmp_path: Path) -> None:
    left = TinyScene("left", {"B04": [[100, 200]]})
    right = TinyScene("right", {"B04": [[300, 400]]}, corner=(X + 20, Y), hour=11)
    block = read(day_of(tmp_path, left, right), tiny_grid(2, 5), "B04")
    np.testing.assert_allclose(block[0], [[0.01, 0.02, 0.03, 0.04, NAN], [NAN] * 5], atol=1e-7)


def test_a_window_is_a_cut_of_the_whole(tmp_path: Path) -> None:
    day = day_of(tmp_path, TinyScene("a", {"B04": np.arange(1, 31).reshape(5, 6)}))
    grid = tiny_grid(5, 6)
    part = read_day(day, grid, Window(2, 1, 3, 2), ("B04",), NO_MASK)
    np.testing.assert_array_equal(part, read(day, grid, "B04")[:, 1:3, 2:5])


def test_twenty_metre_bands_keep_their_area(tmp_path: Path) -> None:
    scene = TinyScene(
        "a",
        {"B04": [[1, 2, 3, 4], [5, 6, 7, 8]], "B11": [[100, 200]]},
        band_resolution={"B11": 20.0},
    )
    block = read(day_of(tmp_path, scene), tiny_grid(2, 4), "B04", "B11")
    np.testing.assert_allclose(block[1], [[0.01, 0.01, 0.02, 0.02]] * 2, atol=1e-7)


def test_lattice_of_projected_centres_is_exact_to_a_hundredth_of_a_pixel() -> None:
    """Across a UTM zone border, 512 pixels wide, against every centre projected by itself."""
    grid = Grid("EPSG:32632", Affine(10, 0, 700_000, 0, -10, 5_340_000), 512, 512)
    file = FileGeometry("EPSG:32633", Affine(0.05, 0, 240_000, 0, -0.05, 5_350_000), 10**6, 10**6)
    window = Window(0, 0, 512, 512)
    found = lookup(file, grid, window)
    assert found is not None
    rows, columns = np.mgrid[0:512:37, 0:512:37]
    x, y = 700_005.0 + 10.0 * columns.ravel(), 5_339_995.0 - 10.0 * rows.ravel()
    moved_x, moved_y = rasterio.warp.transform("EPSG:32632", "EPSG:32633", x, y)
    exact_columns = (np.array(moved_x) - 240_000) / 0.05
    exact_rows = (5_350_000 - np.array(moved_y)) / 0.05
    got_columns = found.columns[rows.ravel(), columns.ravel()] + found.source.col_off
    got_rows = found.rows[rows.ravel(), columns.ravel()] + found.source.row_off
    assert np.abs(got_columns + 0.5 - exact_columns).max() * 0.05 < 0.1
    assert np.abs(got_rows + 0.5 - exact_rows).max() * 0.05 < 0.1


def test_south_up_files_are_read_upright(tmp_path: Path) -> None:
    day = day_of(tmp_path, TinyScene("a", {"B04": [[100], [200]]}))
    path = tmp_path / "files" / "a_B04.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=2, width=1, count=1, dtype="uint16", crs=CRS,
        transform=Affine(10, 0, X, 0, 10, Y - 20),
    ) as file:  # fmt: skip
        file.write(np.array([[200], [100]], "uint16"), 1)
    np.testing.assert_allclose(read(day, tiny_grid(2, 1), "B04")[0], [[0.01], [0.02]], atol=1e-7)


@pytest.mark.parametrize("damage", ["missing", "html", "truncated"])
def test_a_damaged_file_is_an_error_never_nodata(tmp_path: Path, damage: str) -> None:
    rng = np.random.default_rng(0)
    day = day_of(tmp_path, TinyScene("a", {"B04": rng.integers(1, 9999, (64, 64))}))
    path = tmp_path / "files" / "a_B04.tif"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "html":
        path.write_text("<html>Service Unavailable</html>")
    else:
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(SceneReadError, match="scene a, asset B04"):
        read(day, tiny_grid(64, 64), "B04")


def test_a_hidden_window_opens_no_band(tmp_path: Path) -> None:
    """Where the mask shows nothing clear, bands are not even opened."""
    day = day_of(tmp_path, TinyScene("a", {"B04": [[500]], "SCL": [[9]]}))
    (tmp_path / "files" / "a_B04.tif").unlink()
    block = read(day, tiny_grid(1, 1), "B04", mask=AS_DRAWN)
    assert np.isnan(block).all()


def test_items_beside_the_window_are_not_opened(tmp_path: Path) -> None:
    near = TinyScene("near", {"B04": [[100]]})
    far = TinyScene("far", {"B04": [[100]]}, corner=(X + 5_000, Y), day=dt.date(2021, 5, 10))
    day = day_of(tmp_path, near, far)
    (tmp_path / "files" / "far_B04.tif").unlink()
    assert read(day, tiny_grid(1, 1), "B04")[0, 0, 0] == pytest.approx(0.01)


def rewrite(path: Path, values: np.ndarray, **profile: Any) -> None:
    """Write one file of another kind over a band's."""
    bands = values if values.ndim == 3 else values[np.newaxis]
    options = {
        "driver": "GTiff", "height": bands.shape[1], "width": bands.shape[2], "dtype": bands.dtype,
        "count": bands.shape[0], "crs": CRS, "transform": Affine(10, 0, X, 0, -10, Y), **profile,
    }  # fmt: skip
    with rasterio.open(path, "w", **{k: v for k, v in options.items() if v is not None}) as file:
        file.write(bands)


NUMBERS = np.array([[100, 200], [300, 400]], "uint16")
LOCAL = (
    'ENGCRS["walked",EDATUM["here"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],UNIT["metre",1]]'
)


@pytest.mark.parametrize(
    ("values", "profile", "reason"),
    [
        (NUMBERS, {"crs": None}, "no_crs"),
        (NUMBERS, {"transform": None}, "no_geotransform"),
        (NUMBERS, {"crs": LOCAL}, "crs_unknown"),
        (NUMBERS.astype("complex64"), {}, "complex_numbers"),
        (np.stack([NUMBERS] * 3), {}, "several_bands"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_file_that_is_no_band_on_a_map_is_named_and_says_why(
    tmp_path: Path, values: np.ndarray, profile: dict[str, Any], reason: str
) -> None:
    day = day_of(tmp_path, TinyScene("a", {"B04": NUMBERS}))
    rewrite(tmp_path / "files" / "a_B04.tif", values, **profile)
    with pytest.raises(SceneReadError) as caught:
        read(day, tiny_grid(2, 2), "B04")
    assert (caught.value.item_id, caught.value.asset, caught.value.reason) == ("a", "B04", reason)


def test_a_rotated_file_is_read_by_its_own_axes(tmp_path: Path) -> None:
    """Turned by a quarter: the file's columns run south and its rows run east."""
    day = day_of(tmp_path, TinyScene("a", {"B04": NUMBERS}))
    turned = Affine(0, 10, X, -10, 0, Y)
    rewrite(tmp_path / "files" / "a_B04.tif", NUMBERS, transform=turned)
    block = read(day, tiny_grid(2, 2), "B04")
    np.testing.assert_allclose(block[0], [[0.01, 0.03], [0.02, 0.04]], atol=1e-7)


def test_a_nodata_of_nan_is_missing(tmp_path: Path) -> None:
    day = day_of(tmp_path, TinyScene("a", {"B04": NUMBERS}))
    values = np.array([[0.25, np.nan], [np.inf, 0.5]], "float32") * 1e4
    rewrite(tmp_path / "files" / "a_B04.tif", values, nodata=np.nan)
    block = read(day, tiny_grid(2, 2), "B04")
    np.testing.assert_allclose(block[0], [[0.25, NAN], [NAN, 0.5]], atol=1e-6)


def test_a_mask_of_one_bit_is_read_as_zero_and_one(tmp_path: Path) -> None:
    day = day_of(tmp_path, TinyScene("a", {"B04": NUMBERS, "clm": NUMBERS}, radiometry=PLAIN))
    cloudy = np.array([[0, 1], [1, 0]], "uint8")
    rewrite(tmp_path / "files" / "a_clm.tif", cloudy, nbits=1)
    mask = MaskSettings(kind="values", asset="clm", clear=(0,), dilation_m=0)
    block = read(day, tiny_grid(2, 2), "B04", mask=mask)
    np.testing.assert_allclose(block[0], [[0.01, NAN], [NAN, 0.04]], atol=1e-7)


def test_a_mask_smaller_than_its_bands_hides_what_it_does_not_cover(tmp_path: Path) -> None:
    scene = TinyScene("a", {"B04": NUMBERS, "SCL": [[4]]})
    block = read(day_of(tmp_path, scene), tiny_grid(2, 2), "B04", mask=AS_DRAWN)
    np.testing.assert_allclose(block[0], [[0.01, NAN], [NAN, NAN]], atol=1e-7)


def test_an_alpha_channel_is_no_second_band(tmp_path: Path) -> None:
    day = day_of(tmp_path, TinyScene("a", {"B04": NUMBERS}))
    both = np.stack([NUMBERS, np.full_like(NUMBERS, 65535)])
    rewrite(tmp_path / "files" / "a_B04.tif", both, photometric="MINISBLACK", alpha="YES")
    block = read(day, tiny_grid(2, 2), "B04")
    np.testing.assert_allclose(block[0], NUMBERS * 1e-4, atol=1e-7)


def test_a_footprint_around_the_world_does_not_hide_its_file(tmp_path: Path) -> None:
    """West of the zone's middle, where the projected edges of the world do not reach."""
    day = day_of(tmp_path, TinyScene("a", {"B04": NUMBERS}, corner=(X - 200_000, Y)))
    (item,) = day.items
    world = replace(day, items=(replace(item, footprint=box(-180, -90, 180, 90)),))
    block = read(world, Grid(CRS, Affine(10, 0, X - 200_000, 0, -10, Y), 2, 2), "B04")
    np.testing.assert_allclose(block[0], NUMBERS * 1e-4, atol=1e-7)


def test_a_picture_goes_on_without_an_item_that_cannot_be_read(tmp_path: Path) -> None:
    scenes = [TinyScene("a", {"B04": NUMBERS}), TinyScene("b", {"B04": NUMBERS * 2}, hour=11)]
    day, grid = day_of(tmp_path, *scenes), tiny_grid(2, 2)
    (tmp_path / "files" / "a_B04.tif").unlink()
    window = Window(0, 0, 2, 2)
    block = read_readable(day, grid, window, ("B04",), NO_MASK)
    np.testing.assert_allclose(block[0], NUMBERS * 2e-4, atol=1e-7)
    (tmp_path / "files" / "b_B04.tif").unlink()
    assert np.isnan(read_readable(day, grid, window, ("B04",), NO_MASK)).all()
