"""What is averaged over regions strip by strip is their mean, wherever the strips are cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rasterio.windows import Window

from fieldline.crops.segment import cover, delineate
from fieldline.crops.segment.pairs import NEAR, OFFSETS
from fieldline.crops.settings import SegmentSettings
from fieldline.pipeline.imagery.grid import Grid, grid_around
from fieldline.pipeline.imagery.settings import GridSettings


@pytest.fixture
def grid() -> Grid:
    edges = (600_000.0, 5_699_880.0, 600_130.0, 5_700_000.0)
    return grid_around(edges, "EPSG:32632", GridSettings(margin_m=0.0))


@pytest.mark.parametrize("rows", [1, 5, 1000])
def test_confidence_is_the_mean_over_each_region(monkeypatch, rows: int) -> None:
    monkeypatch.setattr(delineate, "STRIP", rows)
    random = np.random.default_rng(2)
    raster = random.integers(150, 256, (len(OFFSETS), 24, 26), dtype=np.uint8)
    raster[:, 11:13] = 1
    found = delineate.regions_of(raster, SegmentSettings(least_m2=1.0), 5.0)
    assert len(found.confidence) >= 3
    for region, said in enumerate(found.confidence):
        inside = found.labels == region
        if inside.any():
            wanted = np.mean([raster[at][inside].mean() for at in NEAR]) / 255
            assert said == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("rows", [1, 5, 1000])
def test_greenness_is_the_mean_over_each_region(
    monkeypatch, tmp_path: Path, grid: Grid, rows: int
) -> None:
    monkeypatch.setattr(cover, "STRIP", rows)
    random = np.random.default_rng(3)
    block = random.uniform(0.1, 0.5, (1, 2, grid.height, grid.width)).astype(np.float32)
    block[:, :, random.random((grid.height, grid.width)) < 0.2] = np.nan
    green = cover.Greenness(grid, ("B04", "B08"), tmp_path)
    green.add(Window(0, 0, grid.width, grid.height), block, 0)
    fine = random.integers(0, 4, (grid.height, grid.width)).astype(np.int32)
    _, _, nir = green.of_labels(fine.repeat(2, axis=0).repeat(2, axis=1))
    for region in range(4):
        wanted = np.nanmean(block[0, 1][fine == region].astype(float))
        assert nir[region] == pytest.approx(wanted, rel=1e-6)
