from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio import Affine

from fieldline.pipeline.imagery.tile_table import TileTable, read_tile_table

LAYOUTS: dict[str, dict[str, Any]] = {
    "tiles": {"tiled": True, "blockxsize": 64, "blockysize": 32, "compress": "deflate"},
    "one tile": {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "lzw"},
    "big-endian": {"tiled": True, "blockxsize": 64, "blockysize": 64, "endianness": "BIG"},
    "bigtiff": {"tiled": True, "blockxsize": 64, "blockysize": 64, "bigtiff": "YES"},
    "predictor": {
        "tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "zstd", "predictor": 2,
    },
    "strips": {"blockysize": 7, "compress": "deflate"},
}  # fmt: skip


def write(path: Path, layout: dict[str, Any], driver: str = "GTiff") -> Path:
    numbers = np.random.default_rng(1).integers(0, 500, (150, 200)).astype("uint16")
    with rasterio.open(
        path, "w", driver=driver, height=150, width=200, count=1, dtype="uint16",
        crs="EPSG:32632", transform=Affine(10, 0, 6e5, 0, -10, 5e6), **layout,
    ) as file:  # fmt: skip
        file.write(numbers, 1)
    return path


def table_of(path: Path) -> TileTable | None:
    data = path.read_bytes()
    return read_tile_table(lambda start, count: data[start : start + count])


def assert_as_gdal_says(path: Path) -> TileTable:
    found = table_of(path)
    assert found is not None
    with rasterio.open(path) as file:
        assert (found.height, found.width, found.tile) == (150, 200, file.block_shapes[0])
        for row, column in np.ndindex(found.offsets.shape):
            place = f"{column}_{row}"
            offset = file.get_tag_item(f"BLOCK_OFFSET_{place}", "TIFF", bidx=1)
            size = file.get_tag_item(f"BLOCK_SIZE_{place}", "TIFF", bidx=1)
            assert found.offsets[row, column] == int(offset or 0)
            assert found.sizes[row, column] == int(size or 0)
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_tile_lies_where_gdal_says(tmp_path: Path, layout: str) -> None:
    assert_as_gdal_says(write(tmp_path / "a.tif", LAYOUTS[layout]))


def test_a_cogs_table_is_that_of_its_full_size(tmp_path: Path) -> None:
    # 64-pixel tiles of 150 x 200: overviews of 75 x 100 and less follow in the same file
    path = write(tmp_path / "a.tif", {"blocksize": 64, "compress": "deflate"}, "COG")
    assert assert_as_gdal_says(path).offsets.shape == (3, 4)


def test_what_has_no_table_that_could_be_right_has_none(tmp_path: Path) -> None:
    data = write(tmp_path / "a.tif", LAYOUTS["tiles"]).read_bytes()
    for wrong in (b"", b"II", b"PK\3\4" + data[4:], data[:40], data[:4] + b"\xff" * 4 + data[8:]):
        assert read_tile_table(lambda start, count, w=wrong: w[start : start + count]) is None
    jp2 = write(tmp_path / "a.jp2", {"QUALITY": "100", "REVERSIBLE": "YES"}, "JP2OpenJPEG")
    assert table_of(jp2) is None
