from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from exactextract import exact_extract
from pyproj import Transformer
from rasterio import Affine
from rasterio.windows import Window
from scipy.ndimage import gaussian_filter

from fieldline.pipeline.imagery import placements as module
from fieldline.pipeline.imagery.averaging import Average, placement
from fieldline.pipeline.imagery.mosaic import DayReader
from fieldline.pipeline.imagery.observe import run_observe, tile_corner
from fieldline.pipeline.imagery.placements import Placements
from fieldline.pipeline.imagery.resample import FileGeometry
from fieldline.pipeline.imagery.scene_days import group_by_solar_day
from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.settings import MaskSettings, ObserveSettings
from fieldline.pipeline.imagery.spots import Spots
from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.tiny_archive import (
    AS_DRAWN,
    CRS,
    GRID,
    SEASON,
    TinyScene,
    X,
    Y,
    outlines,
    pixel_box,
    read_all,
    scene_settings,
    tiny_grid,
    write_archive,
    write_parcels,
)

ZONE = "EPSG:32633"
"""The next zone: a tile on the border comes in it too."""
EDGE = 150
SHAPES = {
    f"p{n:02d}": pixel_box(x, y, x + 3.5, y + 2.5)
    for n, (x, y) in enumerate(np.random.default_rng(3).uniform(8, 110, (40, 2)))
}


def other_zone(number: int, cloudy: bool) -> TinyScene:
    """Return a scene of the next zone over the whole of the shapes."""
    rng = np.random.default_rng(number)
    red = gaussian_filter(rng.uniform(500, 9000, (EDGE, EDGE)), 2.0)
    classes = np.where(rng.random((EDGE, EDGE)) < (0.01 if cloudy else 0.0), 9, 4)
    x, y = Transformer.from_crs(CRS, ZONE, always_xy=True).transform(X, Y)
    corner = (round(x - 250, -1), round(y + 250, -1))
    return TinyScene(
        f"s{number}", {"B04": red, "SCL": classes}, crs=ZONE, corner=corner,
        day=dt.date(2021, 5, 1) + dt.timedelta(days=5 * number),
        properties={"proj:transform": [10.0, 0.0, corner[0], 0.0, -10.0, corner[1]]},
    )  # fmt: skip


def observed(folder: Path, scenes: list[TinyScene], mask: MaskSettings) -> pd.DataFrame:
    chosen = scene_settings("B04", mask=mask)
    catalog = write_archive(folder / "archive", scenes)
    parcels = write_parcels(folder / "parcels.parquet", SHAPES)
    run_scenes(
        catalog=catalog, parcels=parcels, season=SEASON, scenes=chosen,
        out=folder / "scenes.parquet", outcomes=folder / "scene_outcomes.parquet",
    )  # fmt: skip
    run_observe(
        scenes=folder / "scenes.parquet", parcels=parcels, grid=GRID, scene_settings=chosen,
        settings=ObserveSettings(block_pixels=64), out=folder / "observations.parquet",
        outcomes=folder / "outcomes.parquet",
    )  # fmt: skip
    return read_table(folder / "observations.parquet")


def test_parcels_have_exactextracts_means_of_a_file_of_the_next_zone(tmp_path: Path) -> None:
    """Exactextract weighs the file's own pixels; averages on the county's grid differ by a hair."""
    found = observed(tmp_path, [other_zone(0, cloudy=False)], AS_DRAWN)
    file = str(tmp_path / "archive" / "files" / "s0_B04.tif")
    truth = exact_extract(file, outlines(SHAPES).to_crs(ZONE), ["mean"], output="pandas")["mean"]
    assert len(found) == len(SHAPES)
    assert (found["valid_fraction"] > 0.999).all()
    off = np.abs(found["B04_mean"].to_numpy() / (truth.to_numpy() * 1e-4) - 1)
    assert off.mean() < 0.005
    assert off.max() < 0.02


def test_dates_are_observed_together_as_they_are_alone_and_weighed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def counted(*arguments: object) -> object:
        calls.append(arguments)
        return placement(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "placement", counted)
    scenes = [other_zone(n, cloudy=True) for n in range(3)]
    alone = [observed(tmp_path / scene.name, [scene], AS_DRAWN) for scene in scenes]
    one_date = len(calls) / 3
    together = observed(tmp_path / "together", scenes, AS_DRAWN)
    assert len(calls) == 4 * one_date
    assert 0 < together["valid_fraction"].mean() < 0.99
    keys = ["parcel_id", "datetime"]
    expected = pd.concat(alone).sort_values(keys).reset_index(drop=True)
    pd.testing.assert_frame_equal(together.sort_values(keys).reset_index(drop=True), expected)


def test_what_does_not_fit_is_weighed_each_time_and_other_cells_are_other_weights() -> None:
    grid, window = tiny_grid(8, 8), Window(0, 0, 8, 8)
    file = FileGeometry(CRS, Affine(10, 0, X + 2.5, 0, -10, Y), 9, 9)
    whole, corner = Spots(window), Spots(window, np.array([0, 1, 8, 9]))
    kept, full = Placements(), Placements(100)
    first = kept.of(file, grid, whole)
    assert isinstance(first, Average)
    assert kept.of(file, grid, Spots(Window(0, 0, 8, 8))) is first
    assert kept.of(file, grid, corner) is not first
    assert kept.of(file, grid, Spots(window, np.array([0, 1, 8, 9]))) is kept.of(file, grid, corner)
    assert full.of(file, grid, whole) is not full.of(file, grid, whole)
    kept.clear()
    assert kept.of(file, grid, whole) is not first


def test_chosen_cells_are_weighed_as_they_are_in_the_whole_window(tmp_path: Path) -> None:
    items = read_all(write_archive(tmp_path, [other_zone(0, cloudy=True)]))
    (day,) = group_by_solar_day(items)
    grid, window = tiny_grid(100, 90), Window(3, 5, 80, 70)
    cells = np.flatnonzero(np.random.default_rng(1).random(80 * 70) < 0.2)
    with DayReader(day, grid, ("B04",), AS_DRAWN) as reader:
        chosen, whole = reader.look(window, cells), reader.look(window)
    assert 0 < np.isnan(chosen.values).mean() < 0.5
    np.testing.assert_array_equal(chosen.values, whole.values.reshape(1, -1)[:, cells])


def test_blocks_follow_the_tiles_of_the_grids_own_zone(tmp_path: Path) -> None:
    own = TinyScene(
        "own", {"B04": np.ones((20, 20))}, day=dt.date(2021, 6, 1), corner=(X - 70, Y + 30),
        properties={"proj:transform": [10.0, 0.0, X - 70, 0.0, -10.0, Y + 30]},
    )  # fmt: skip
    days = group_by_solar_day(read_all(write_archive(tmp_path, [other_zone(0, cloudy=False), own])))
    assert tile_corner(days, tiny_grid(8, 8)) == (-3, -7)
    assert tile_corner(days[:1], tiny_grid(8, 8)) == (0, 0)
