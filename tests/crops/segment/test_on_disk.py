"""Rasters in files: zeros of the size asked for, whose room is there before they are written to."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fieldline.crops.segment.on_disk import raster_on_disk

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
