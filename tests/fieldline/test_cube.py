"""The cube against the files read by rasterio alone, on threads and on a scheduler's workers.

All scenes lie on the county's grid, so the expected pixels are the files' own numbers: the first
of a day that no item of it calls cloudy, in the order of baselines, newest first.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import rasterio
from rasterio.windows import Window

import fieldline
from fieldline.pipeline.imagery import cube as module
from fieldline.pipeline.imagery.coverage import block_sums, build_weights, moments
from fieldline.pipeline.imagery.grid import county_grid
from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.records.tables import read_rows, read_table
from tests.fieldline.seasons import BANDS, SETTINGS, SHAPES, observed_season
from tests.pipeline.imagery.tiny_archive import (
    GRID,
    SEASON,
    TinyScene,
    X,
    Y,
    outlines,
    write_parcels,
)

xr = pytest.importorskip("xarray")
distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")

EDGE = 90


def scene(number: int, day: int, shift: int = 0, left: int = 0) -> TinyScene:
    """Return a scene of random pixels and clouds; `left` pixels further east than the county."""
    made = np.random.default_rng(number)
    bands: dict[str, Any] = {b: made.integers(100, 5000, (EDGE, EDGE)) + shift for b in BANDS}
    bands["SCL"] = made.choice([4, 5, 9], (EDGE, EDGE))
    offset = -0.1 if shift else 0.0
    return TinyScene(
        f"S{number}", bands, day=dt.date(2021, 5, day), corner=(X + 10 * left, Y),
        radiometry={"nodata": 0, "scale": 1e-4, "offset": offset},
        properties={"s2:processing_baseline": "05.00" if shift else "03.01"},
    )  # fmt: skip


SCENES = [scene(1, 10), scene(2, 12), scene(3, 12, shift=1000, left=30), scene(4, 20)]
DAYS = [["S1"], ["S3", "S2"], ["S4"]]
"""Scenes of each day, newest baseline first."""


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a county whose scenes were chosen and observed."""
    return observed_season(tmp_path_factory.mktemp("cube"), SCENES)


def expected(base: Path, band: str) -> np.ndarray[Any, Any]:
    """Return (time, y, x) of a band, from the files and arithmetic alone."""
    by_name = {one.name: one for one in SCENES}
    shape = (EDGE, EDGE)
    cube = np.full((len(DAYS), *shape), np.nan)
    cloudy = np.zeros(cube.shape, dtype=bool)
    for index, names in enumerate(DAYS):
        for name in names:
            numbers, classes = (
                rasterio.open(base / "archive" / "files" / f"{name}_{asset}.tif").read(1)
                for asset in (band, "SCL")
            )
            left = round((by_name[name].corner[0] - X) / 10)
            offset = by_name[name].radiometry["offset"]  # type: ignore[index]
            seen = numbers * 1e-4 + offset
            cloudy[index, :, left:] |= classes[:, : EDGE - left] == 9
            place = cube[index, :, left:]
            part = seen[:, : EDGE - left]
            place[np.isnan(place)] = part[np.isnan(place)]
    return np.where(cloudy, np.nan, cube)


@pytest.mark.parametrize("chunks", [None, {"time": 2, "y": 40, "x": 33}])
def test_the_cube_holds_the_files_pixels(county: Path, chunks: dict[str, int] | None) -> None:
    cube = fieldline.open_cube(county, chunks=chunks)
    assert cube["B04"].dims == ("time", "y", "x")
    assert cube["B04"].dtype == np.float32
    for band in BANDS:
        wanted = expected(county.parents[2], band)
        np.testing.assert_allclose(cube[band].to_numpy(), wanted, atol=1e-6)
    np.testing.assert_array_equal(cube["clear"].to_numpy(), np.isfinite(wanted))
    assert cube["scene_id"].to_numpy().tolist() == ["S1", "S3+S2", "S4"]
    assert cube["baseline"].to_numpy().tolist() == ["03.01", "05.00+03.01", "03.01"]
    if chunks:
        assert cube["B04"].chunks[0] == (2, 1)
        assert max(cube["B04"].chunks[1]) == 40


def test_sums_over_parcels_are_what_was_observed(county: Path) -> None:
    """Coverage-weighted means of the cube are the means that the observe stage stored."""
    frame = outlines(SHAPES)
    grid = county_grid(frame, GRID)
    cube = fieldline.open_cube(county)
    stack = np.stack([cube[band].to_numpy() for band in BANDS], axis=1)
    weights = build_weights(frame.to_crs(grid.crs), grid)
    (block,) = weights.blocks([Window(0, 0, grid.width, grid.height)])
    stored = read_table(county / "observations.parquet")
    for index, moment in enumerate(cube["time"].to_numpy()):
        mean, _ = moments(block_sums(block, block.of(stack[index][:, *block.window.toslices()])))
        rows = stored[stored["datetime"].dt.tz_localize(None) == moment]
        np.testing.assert_allclose(mean[:, 0], rows["B04_mean"].astype(float), rtol=1e-6)
        np.testing.assert_allclose(mean[:, 1], rows["B08_mean"].astype(float), rtol=1e-6)


def test_the_grid_is_said_as_rioxarray_reads_it(county: Path) -> None:
    cube = fieldline.open_cube(county)
    assert rasterio.crs.CRS.from_wkt(cube["spatial_ref"].attrs["crs_wkt"]).to_epsg() == 32632
    numbers = [float(word) for word in cube["spatial_ref"].attrs["GeoTransform"].split()]
    assert numbers == [X, 10, 0, Y, 0, -10]
    assert (cube["x"][0], cube["y"][0]) == (X + 5, Y - 5)
    assert cube["B04"].encoding["grid_mapping"] == "spatial_ref"


def test_nothing_is_read_before_it_is_asked_for(county: Path, tmp_path: Path) -> None:
    """Files that are gone do not hinder opening; computing names the one that is missed."""
    files = county.parents[2] / "archive" / "files"
    moved = tmp_path / "S4_SCL.tif"
    (files / moved.name).rename(moved)
    try:
        cube = fieldline.open_cube(county)
        assert np.isfinite(cube["B04"][0].to_numpy()).any()
        with pytest.raises(Exception, match="scene S4, asset SCL"):
            cube["B04"][2].compute()
    finally:
        moved.rename(files / moved.name)


def test_a_part_reads_its_own_chunks_only(county: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[int, ...]] = []
    read = module.read_chunk

    def counted(*given: Any) -> Any:
        opened.append(given[2])
        return read(*given)

    monkeypatch.setattr(module, "read_chunk", counted)
    cube = fieldline.open_cube(county, chunks={"y": 45, "x": 45})
    cube["B04"][0, :10, :10].compute(scheduler="synchronous")
    assert opened == [(0, 0, 45, 45)]


def test_a_season_without_scenes_is_an_empty_cube(county: Path, tmp_path: Path) -> None:
    folder = tmp_path / "results" / "2020" / "T"
    parcels = write_parcels(folder / "parcels.parquet", SHAPES)
    run_scenes(
        catalog=county.parents[2] / "archive" / "catalog.json", parcels=parcels,
        season=SEASON.model_copy(update={"end": SEASON.start, "as_of": SEASON.start}),
        scenes=SETTINGS, out=folder / "scenes.parquet", grid=GRID,
        outcomes=folder / "outcomes" / "scenes.parquet",
    )  # fmt: skip
    assert dict(fieldline.open_cube(folder).sizes) == {"time": 0, "y": EDGE, "x": EDGE}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"bands": ["B11"]}, "hold no band 'B11': choose from B04, B08"),
        ({"chunks": {"t": 1}}, "not sizes of time, y and x"),
        ({"chunks": {"time": 0}}, "not sizes of time, y and x"),
        ({"county": "U"}, "holds no county 'U'"),
    ],
)
def test_wrong_questions_get_a_sentence(county: Path, given: dict[str, Any], said: str) -> None:
    place = county.parents[1] if "county" in given else county
    with pytest.raises(fieldline.UserError, match=said):
        fieldline.open_cube(place, **given)


def test_the_results_folder_of_one_county_is_enough(county: Path) -> None:
    assert "B08" in fieldline.open_cube(county.parents[1], bands=["B08"])


def test_without_the_extra_one_sentence_says_what_to_install(county: Path) -> None:
    """In a process of its own: xarray cannot be unloaded from this one."""
    program = (
        "import sys; sys.modules['xarray'] = None\n"
        "import fieldline\n"
        f"try: fieldline.open_cube({str(county)!r})\n"
        "except fieldline.UserError as error: print(error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "xarray is not installed: pip install 'fieldline[cube]'" in said.stdout


def test_a_scheduler_gives_what_threads_give_though_a_worker_is_killed(county: Path) -> None:
    cube = fieldline.open_cube(county, chunks={"y": 15, "x": 15})
    on_threads = cube.compute(scheduler="threads")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        first, *_ = client.run(os.getpid).values()
        running = client.compute(cube)
        time.sleep(0.2)
        assert not running.done()
        psutil.Process(first).send_signal(signal.SIGKILL)
        result = running.result(timeout=120)
    xr.testing.assert_identical(result, on_threads)


@pytest.mark.long
def test_a_worker_with_too_little_memory_spills_and_gives_the_same(county: Path) -> None:
    cube = fieldline.open_cube(county, chunks={"y": 15, "x": 15})
    bands = [cube[band] for band in BANDS]
    far = xr.concat([band.expand_dims(copy=range(120)) for band in bands], "band")
    tight = {
        "distributed.worker.memory.target": 0.02, "distributed.worker.memory.spill": 0.02,
        "distributed.worker.memory.pause": False, "distributed.worker.memory.terminate": False,
    }  # fmt: skip
    with (
        dask.config.set(tight),
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, memory_limit="400MB", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        kept = client.persist(far)
        distributed.wait(kept)
        (spilled,) = client.run(lambda dask_worker: len(dask_worker.data.slow)).values()
        result = kept.compute()
    assert spilled > 0
    xr.testing.assert_identical(result, far.compute(scheduler="threads"))


def test_what_observe_left_out_is_read_once_however_many_days(
    county: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(*given: Any) -> Any:
        read.append(str(given[0]))
        return read_rows(*given)

    monkeypatch.setattr("fieldline.cube.read_rows", counted)
    cube = fieldline.open_cube(county)
    assert cube.sizes["time"] == len(DAYS) > 1
    assert read == [str(county / "outcomes" / "observe.parquet")]
