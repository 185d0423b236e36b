"""What GDAL reads of a file of which only some ranges are there: the pixels of the whole file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio import Affine
from rasterio.windows import Window

from fieldline.pipeline.imagery import layout as layouts
from fieldline.pipeline.imagery.range_store import RangeStore
from fieldline.pipeline.imagery.remote_file import RemoteFile
from fieldline.pipeline.imagery.settings import PullSettings
from fieldline.pipeline.imagery.stand_in import stand_in
from fieldline.pipeline.imagery.web import WebError, patient_session
from tests.pipeline.imagery.tiny_archive import TinyScene, write_archive
from tests.services.stac_api import Fault, StacApi, serving

SIZE, TILE = 600, 128
LAYOUTS: dict[str, dict[str, Any]] = {
    "cog": {"driver": "COG", "blocksize": TILE, "compress": "deflate"},
    "jpeg tables": {"tiled": True, "compress": "jpeg", "dtype": "uint8"},
    "lerc": {"tiled": True, "compress": "lerc"},
    "strips": {"blockysize": TILE, "blockxsize": SIZE, "compress": "lzw"},
    "bigtiff": {"tiled": True, "bigtiff": "YES", "compress": "zstd"},
    "plain": {"tiled": True},
    "jp2": {"driver": "JP2OpenJPEG", "CODEC": "JP2", "QUALITY": "100", "REVERSIBLE": "YES"},
    "jp2 in parts": {
        "driver": "JP2OpenJPEG",
        "CODEC": "JP2",
        "QUALITY": "100",
        "RESOLUTIONS": 3,
        "TLM": "YES",
    },
}


def write(folder: Path, kind: str) -> Path:
    write_archive(folder, [TinyScene("a", {"B04": [[5, 6], [7, 8]]})])
    how = {"dtype": "uint16", "blockxsize": TILE, "blockysize": TILE, **LAYOUTS[kind]}
    if how.get("driver") == "COG":
        how = {k: v for k, v in how.items() if k not in ("blockxsize", "blockysize")}
    numbers = np.random.default_rng(3).integers(1, 250, (SIZE, SIZE)).astype(how["dtype"])
    path = folder / "files" / "big.tif"
    with rasterio.open(
        path, "w", height=SIZE, width=SIZE, count=1, crs="EPSG:32632",
        transform=Affine(10, 0, 6e5, 0, -10, 5e6), nodata=0, **how,
    ) as file:  # fmt: skip
        file.write(numbers, 1)
    path.with_name("big.tif.aux.xml").unlink(missing_ok=True)  # what lies beside it does not travel
    return path


@contextmanager
def remote_of(path: Path) -> Iterator[tuple[StacApi, RemoteFile]]:
    folder = path.parent.parent
    with serving(StacApi(folder)) as api, patient_session(PullSettings(attempts=1)) as session:
        address = f"http://127.0.0.1:{api.port}/files/{path.name}"
        with RangeStore(folder / ".big.parts") as store:
            yield api, RemoteFile(session, lambda: address, store)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_tile_reads_the_same_whatever_lies_outside_its_ranges(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that was not laid down is filled with rubbish: whoever reads it fails, or reads wrong."""

    @contextmanager
    def spoiled(remote: RemoteFile, ranges: Any) -> Iterator[Path]:
        ranges = list(ranges)
        with stand_in(remote, ranges) as path:
            data = np.frombuffer(path.read_bytes(), dtype="uint8").copy()
            free = np.ones(len(data), dtype=bool)
            for start, end in ranges:
                free[start:end] = False
            assert not data[free].any()
            data[free] = 0xA5
            path.write_bytes(data.tobytes())
            yield path

    path = write(tmp_path, kind)
    monkeypatch.setattr(layouts, "stand_in", spoiled)
    with remote_of(path) as (_, remote), rasterio.open(path) as whole:
        layout = layouts.read_layout(remote)
        tiles = np.zeros((-(-SIZE // layout.tile[0]), -(-SIZE // layout.tile[1])), dtype=bool)
        tiles[3, -1] = True
        (window,) = layouts.runs(tiles, layout.tile, SIZE, SIZE)
        with layout.reading(remote, tiles) as file:
            assert np.array_equal(file.read(1, window=window), whole.read(1, window=window))
        assert (layout.nodata, layout.geometry.transform) == (whole.nodata, whole.transform)
    assert not list(tmp_path.glob(".big.tif*"))  # the file that stood in is gone


@pytest.mark.parametrize("kind", ["jp2", "lerc"])
def test_bytes_of_a_tile_that_do_not_come_are_a_fault_and_no_zeros(
    tmp_path: Path, kind: str
) -> None:
    path = write(tmp_path, kind)
    with remote_of(path) as (api, remote):
        layout = layouts.read_layout(remote)
        tiles = np.zeros((5, 5), dtype=bool)
        tiles[4, 4] = True
        api.faults = [Fault("404", path="big")]
        with pytest.raises(WebError, match="http_404"), layout.reading(remote, tiles) as file:
            file.read(1, window=Window(512, 512, 88, 88))
    assert not list(tmp_path.glob(".big.tif*"))
