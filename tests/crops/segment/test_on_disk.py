"""Rasters in files: zeros of the size asked for, whose room is there before they are written to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fieldline.crops.segment.on_disk import let_go, raster_on_disk

_OF_STAT = 512
"""Bytes of the blocks that `stat` counts."""


def test_a_raster_takes_its_room_before_a_pixel_is_written(tmp_path: Path) -> None:
    path = tmp_path / "raster.npy"
    raster = raster_on_disk(path, np.float32, (3, 200, 300))
    assert raster.shape == (3, 200, 300)
    assert not raster.any()
    assert path.stat().st_blocks * _OF_STAT >= 3 * 200 * 300 * 4


def test_what_is_written_is_read_back_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "raster.npy"
    raster = raster_on_disk(path, np.uint8, (2, 4, 5))
    raster[1, 2, 3] = 7
    raster.flush()
    assert np.load(path)[1, 2, 3] == 7
    assert np.load(path).sum() == 7


def of_files() -> float:
    """Return the MiB of files that this process holds in memory."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    told = {line.split()[0]: line.split()[1] for line in status.splitlines() if "kB" in line}
    return (int(told["RssFile:"]) + int(told["RssShmem:"])) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells it")
def test_pages_that_are_given_back_keep_what_was_written(tmp_path: Path) -> None:
    before = of_files()
    raster = raster_on_disk(tmp_path / "raster.npy", np.uint8, (8, 2000, 2000))
    raster[:] = 7
    assert of_files() - before > 25
    let_go(raster)
    assert of_files() - before < 5
    raster[3, 5] = 9
    let_go(raster)
    assert (raster[3] == 9).sum() == 2000
    assert (np.load(tmp_path / "raster.npy") == 7).sum() == 8 * 2000**2 - 2000
    held = np.ones(3)
    let_go(held)  # in memory: nothing to give back
    assert held.tolist() == [1, 1, 1]
