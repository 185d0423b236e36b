"""A Zarr cube as an archive: the same observations as from the same pixels in files.

The cubes are written by xarray, which the reader does not write with; what is expected comes from
an archive of GeoTIFFs, or from numbers that a person sets into the store.
"""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fieldline
from fieldline.pipeline.imagery.observe import run_observe
from fieldline.pipeline.imagery.scenes import plan_scenes, run_scenes
from fieldline.pipeline.imagery.settings import MaskSettings, PullSettings, SceneSettings
from fieldline.pipeline.records.errors import UserError
from tests.fieldline.seasons import BANDS, SETTINGS, SHAPES, observed_season
from tests.pipeline.imagery.tiny_archive import (
    EAGER,
    GRID,
    SEASON,
    TinyScene,
    outlines,
    scene_settings,
    write_parcels,
)

zarr = pytest.importorskip("zarr")
xr = pytest.importorskip("xarray")

from fieldline.pipeline.imagery.cubes import store as module  # noqa: E402
from tests.pipeline.imagery.cubes.tiny_cube import as_bands, store, tiny_cube  # noqa: E402

EDGE = 90
DAYS = (10, 12, 20, 25)


def scenes(**changes: Any) -> list[TinyScene]:
    """Return dates of random fields, a tenth of their pixels missing and a third clouds."""
    made = []
    for day in DAYS:
        draw = np.random.default_rng(day)
        gone = draw.random((EDGE, EDGE)) < 0.1
        bands: dict[str, Any] = {
            band: np.where(gone, 0, draw.integers(100, 5000, (EDGE, EDGE))) for band in BANDS
        }
        bands["SCL"] = draw.choice([4, 5, 9], (EDGE, EDGE))
        made.append(TinyScene(f"S{day}", bands, day=dt.date(2021, 5, day), **changes))
    return made


def observed(
    base: Path, catalog: Path, settings: SceneSettings = SETTINGS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose and observe a cube; return observations, and outcomes of scenes by item."""
    folder = base / "county"
    parcels = write_parcels(folder / "parcels.parquet", SHAPES)
    run_scenes(
        catalog=catalog, parcels=parcels, season=SEASON, scenes=settings, grid=GRID,
        out=folder / "scenes.parquet", outcomes=folder / "outcomes" / "scenes.parquet",
    )  # fmt: skip
    run_observe(
        scenes=folder / "scenes.parquet", parcels=parcels, grid=GRID, scene_settings=settings,
        settings=EAGER, out=folder / "observations.parquet",
        outcomes=folder / "outcomes" / "observe.parquet",
    )  # fmt: skip
    told = pd.read_parquet(folder / "outcomes" / "scenes.parquet").set_index("parcel_id")
    return pd.read_parquet(folder / "observations.parquet"), told


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Return what is observed from files."""
    folder = observed_season(tmp_path_factory.mktemp("files"), scenes())
    return pd.read_parquet(folder / "observations.parquet")


Change = Callable[[Any], Any]
LAYOUTS: dict[str, Change] = {
    "a variable for each band": lambda cube: cube,
    "a band dimension": as_bands,
    "south to north": lambda cube: cube.isel(y=slice(None, None, -1)),
    "east to west": lambda cube: cube.isel(x=slice(None, None, -1)),
    "time last": lambda cube: cube.transpose("y", "x", "time"),
    "other names": lambda cube: cube.rename(time="t"),
    "dates not in order": lambda cube: cube.isel(time=[2, 0, 3, 1]),
    "EPSG code among the attributes": lambda cube: cube.drop_vars("spatial_ref").assign_attrs(
        {"proj:epsg": 32632}
    ),
    "EPSG code of a variable": lambda cube: cube.drop_vars("spatial_ref").assign(
        B08=cube["B08"].drop_vars("spatial_ref").assign_attrs({"proj:code": "EPSG:32632"})
    ),
    "EPSG code as a coordinate": lambda cube: cube.drop_vars("spatial_ref").assign_coords(
        {"proj:epsg": 32632}
    ),
}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_cube_is_observed_as_the_same_pixels_in_files(
    tmp_path: Path, expected: pd.DataFrame, name: str, version: int
) -> None:
    cube = LAYOUTS[name](tiny_cube(scenes()))
    found, told = observed(tmp_path, store(cube, tmp_path / "cube.zarr", version))
    assert set(told["outcome"]) == {"ok"}
    assert sorted(told.index) == sorted(f"S{day}" for day in DAYS)
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("inside", ["", "cube.zarr"])
@pytest.mark.parametrize("version", [2, 3])
def test_a_cube_in_a_zip_is_observed_as_the_one_in_a_folder(
    tmp_path: Path, expected: pd.DataFrame, version: int, inside: str
) -> None:
    path = store(tiny_cube(scenes()), tmp_path / "in" / "cube.zarr", version)
    root = path if not inside else path.parent
    packed = Path(shutil.make_archive(str(tmp_path / "cube"), "zip", root))
    shutil.rmtree(path)
    found, told = observed(tmp_path, packed)
    assert set(told["outcome"]) == {"ok"}
    pd.testing.assert_frame_equal(found, expected)


def test_reflectance_in_floats_is_taken_as_it_is(tmp_path: Path, expected: pd.DataFrame) -> None:
    """Unpacked by xarray, missing pixels NaN: the same means, to the rounding of 32 bits."""
    packed = store(tiny_cube(scenes()), tmp_path / "packed.zarr")
    cube = xr.open_zarr(packed).load().drop_encoding()
    cube = cube.assign({band: cube[band].astype("float32") for band in BANDS})
    cube["SCL"] = cube["SCL"].fillna(0).astype("uint8")
    found, _ = observed(tmp_path, store(cube, tmp_path / "cube.zarr"))
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4, atol=1e-6)


def test_an_offset_of_the_packing_is_subtracted(tmp_path: Path, expected: pd.DataFrame) -> None:
    shifted = scenes(radiometry={"scale": 1e-4, "offset": -0.1, "nodata": 0})
    for scene in shifted:
        for band in BANDS:
            numbers = scene.bands[band]
            scene.bands[band] = np.where(numbers > 0, numbers + 1000, 0)  # type: ignore[index]
    found, _ = observed(tmp_path, store(tiny_cube(shifted), tmp_path / "cube.zarr"))
    assert set(found["offset"]) == {np.float32(-0.1)}
    pd.testing.assert_frame_equal(
        found.drop(columns="offset"), expected.drop(columns="offset"), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("version", [2, 3])
def test_what_the_notebook_cube_writes_is_read_back(tmp_path: Path, version: int) -> None:
    """Its pixels are clear ones alone, so that no mask is named; what was observed comes again."""
    folder = observed_season(tmp_path / "first", scenes())
    first = pd.read_parquet(folder / "observations.parquet")
    path = store(fieldline.open_cube(folder), tmp_path / "cube.zarr", version)
    again, told = observed(tmp_path, path, scene_settings(*BANDS))
    assert set(told["outcome"]) == {"ok"}
    seen = first.assign(snow_fraction=again["snow_fraction"])
    pd.testing.assert_frame_equal(again, seen, rtol=1e-6)
    mask = MaskSettings(kind="values", asset="clear", clear=(1,), dilation_m=0)
    third, _ = observed(tmp_path / "masked", path, scene_settings(*BANDS, mask=mask))
    pd.testing.assert_frame_equal(third, seen, rtol=1e-6)


def test_a_second_run_writes_only_what_changed(tmp_path: Path) -> None:
    path = store(tiny_cube(scenes()), tmp_path / "cube.zarr")
    first, _ = observed(tmp_path, path)
    files = sorted((tmp_path / "county" / "scenes").glob("*/*.tif"))
    assert len(files) == len(DAYS) * 3
    written = {file: file.stat().st_mtime_ns for file in files}
    observed(tmp_path, path)
    assert {file: file.stat().st_mtime_ns for file in files} == written

    stored = zarr.open_array(path / "B04")
    numbers = stored[0]
    stored[0] = np.where(numbers > 0, numbers + 100, 0)
    second, _ = observed(tmp_path, path)
    again = {file: file.stat().st_mtime_ns for file in files}
    assert {file.stem for file in files if again[file] != written[file]} == {"B04"}
    rise = (second["B04_mean"] - first["B04_mean"]).astype(float).to_numpy()
    first_day = (first["scene_id"] == "S10").to_numpy()
    assert rise[first_day] == pytest.approx(0.01, abs=1e-6)
    assert rise[~first_day] == pytest.approx(0, abs=1e-9)


def test_dates_that_share_a_chunk_are_read_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = module.CubeStore.read
    asked: list[tuple[str, tuple[int, ...]]] = []

    def counted(self: Any, layer: Any, steps: Any, window: Any) -> Any:
        asked.append((layer.key, tuple(steps)))
        return read(self, layer, steps, window)

    monkeypatch.setattr(module.CubeStore, "read", counted)
    chunks = {name: {"chunks": (3, 30, 30)} for name in (*BANDS, "SCL")}
    observed(tmp_path, store(tiny_cube(scenes()), tmp_path / "cube.zarr", encoding=chunks))
    assert sorted(asked) == [(n, s) for n in (*BANDS, "SCL") for s in ((0, 1, 2), (3,))]


def test_only_the_land_that_is_needed_is_written(tmp_path: Path) -> None:
    """Of 1,200 pixels by 1,200 the county and its surroundings take one tile of 256 by 256."""
    wide = [TinyScene("S1", {band: np.full((1200, 1200), 900) for band in BANDS})]
    path = store(tiny_cube(wide), tmp_path / "cube.zarr")
    observed(tmp_path, path, scene_settings(*BANDS))
    import rasterio

    with rasterio.open(tmp_path / "county" / "scenes" / "S1" / "B04.tif") as file:
        assert (file.height, file.width) == (256, 256)
        assert (file.read(1) == 900).all()


def test_a_date_that_cannot_be_used_costs_itself(tmp_path: Path) -> None:
    """One date without time, and one of a chunk that its codec refuses."""
    cube = tiny_cube(scenes())
    cube = cube.assign_coords(time=np.where(np.arange(4) == 1, np.datetime64("NaT"), cube["time"]))
    chunks = {name: {"chunks": (1, 90, 90)} for name in (*BANDS, "SCL")}
    path = store(cube, tmp_path / "cube.zarr", encoding=chunks)
    (path / "B04" / "c" / "2" / "0" / "0").write_bytes(b"no chunk")
    found, told = observed(tmp_path, path)
    assert told["outcome"].to_dict() == {
        "S10": "ok", "cube.zarr#1": "scene_invalid_item", "S20": "scene_unreadable",
        "S25": "ok",
    }  # fmt: skip
    assert "asset=B04 reason=" in told["detail"]["S20"]
    assert "reason=no_time" in told["detail"]["cube.zarr#1"]
    assert set(found["scene_id"]) == {"S10", "S25"}
    assert not list((tmp_path / "county" / "scenes" / "S20").glob("B04*"))


@pytest.mark.parametrize("physical", [True, False])
def test_numbers_that_no_field_reflects_are_refused(tmp_path: Path, physical: bool) -> None:
    """Digital numbers stored as floats without a packing, and one date ten times too bright."""
    made = []
    for scene in scenes():
        bands = {**scene.bands, "B02": scene.bands["B04"]}
        made.append(TinyScene(scene.name, bands, day=scene.day, radiometry=scene.radiometry))
    cube = tiny_cube(made)
    if physical:
        for band in ("B02", *BANDS):
            cube[band] = cube[band].astype("float32").drop_attrs()
    else:
        cube["B08"].values[1] = 40_000
    settings = SETTINGS.model_copy(update={"bands": ("B02", *BANDS)})
    _, told = observed(tmp_path, store(cube, tmp_path / "cube.zarr"), settings)
    refused = told[told["outcome"] == "scene_implausible"]
    assert list(refused.index) == ([f"S{day}" for day in DAYS] if physical else ["S12"])
    assert refused["detail"].str.contains("reason=too_bright").all()


def test_whole_numbers_without_a_packing_need_a_default(tmp_path: Path) -> None:
    cube = tiny_cube(scenes(radiometry=None))
    path = store(cube, tmp_path / "cube.zarr")
    _, told = observed(tmp_path / "silent", path)
    assert set(told["outcome"]) == {"scene_no_radiometry"}
    given = SETTINGS.model_copy(update={"default_scale": 1e-4, "default_offset": 0.0})
    _, told = observed(tmp_path / "given", path, given)
    assert set(told["outcome"]) == {"ok"}


def test_coordinates_along_time_are_words_of_the_items(tmp_path: Path) -> None:
    """As stackstac and odc-stac write them: cloud cover and baseline by their names of STAC."""
    cube = tiny_cube(scenes()).assign_coords(
        {
            "eo:cloud_cover": ("time", [5.0, 80.0, np.nan, 20.0]),
            "s2:processing_baseline": ("time", np.array(["05.09", "05.09", "03.01", ""], object)),
        }
    )
    given = SETTINGS.model_copy(update={"max_cloud_percent": 50})
    found, told = observed(tmp_path, store(cube, tmp_path / "cube.zarr"), given)
    assert told["outcome"].to_dict() == {
        "S10": "ok", "S12": "scene_too_cloudy", "S20": "ok", "S25": "ok",
    }  # fmt: skip
    kept = found.drop_duplicates("scene_id").set_index("scene_id")["baseline"]
    assert kept.fillna("unknown").to_dict() == {"S10": "05.09", "S20": "03.01", "S25": "unknown"}


def undecodable(cube: Any) -> Any:
    return cube.assign_coords(time=("time", np.arange(4), {"units": "days since the harvest"}))


ODD: dict[str, tuple[Change, str]] = {
    "no CRS": (lambda cube: cube.drop_vars("spatial_ref"), "states no CRS: write it with"),
    "a CRS that nobody knows": (
        lambda cube: cube.drop_vars("spatial_ref").assign_attrs(crs="of the village"),
        r"states no CRS that is known \('of the village'\)",
    ),
    "uneven rows": (
        lambda cube: cube.isel(y=[0, 1, 2, 4, 5]),
        "the coordinate y is not that of evenly spaced pixels",
    ),
    "one column": (lambda cube: cube.isel(x=[0]), "the coordinate x is not that of evenly"),
    "no coordinate of rows": (lambda cube: cube.drop_vars("y"), "the coordinate y is not that"),
    "time that is no date": (
        undecodable,
        r"time cannot be read as dates \(units 'days since the harvest'\)",
    ),
    "numbers for time": (
        lambda cube: cube.assign_coords(time=np.arange(4)),
        r"time cannot be read as dates \(units None\)",
    ),
    "no time": (lambda cube: cube.isel(time=0, drop=True), "has the dimensions x, y, and no cube"),
    "no band": (
        lambda cube: cube.drop_vars([*BANDS, "SCL"]),
        "holds no variable with numbers by time, y, x",
    ),
    "bands without names": (
        lambda cube: as_bands(cube).drop_vars("band"),
        "the dimension band does not name its bands",
    ),
    "degrees for metres": (
        lambda cube: cube.assign_coords(spatial_ref=((), 0, {"crs_wkt": "EPSG:4326"})),
        "its coordinates lie outside its CRS",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_cube_gets_one_sentence(tmp_path: Path, name: str) -> None:
    change, said = ODD[name]
    path = store(change(tiny_cube(scenes())), tmp_path / "cube.zarr")
    with pytest.raises(UserError, match=said):
        observed(tmp_path, path)
    assert not (tmp_path / "county" / "scenes.parquet").exists()


def test_a_folder_that_is_no_zarr_group_gets_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "cube.zarr").mkdir()
    with pytest.raises(UserError, match="cannot be read as a Zarr group"):
        observed(tmp_path, tmp_path / "cube.zarr")
    (tmp_path / "cube.zarr" / "zarr.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read as a Zarr group"):
        observed(tmp_path, tmp_path / "cube.zarr")


def test_without_the_extra_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    """In a process of its own: zarr cannot be unloaded from this one."""
    path = store(tiny_cube(scenes()), tmp_path / "cube.zarr")
    program = (
        "import sys; sys.modules['zarr'] = None\n"
        "from pathlib import Path\n"
        "from fieldline import UserError\n"
        "from fieldline.pipeline.imagery.sources.archive import archive_items\n"
        f"try: archive_items(Path({str(path)!r}), 'tiny')\n"
        "except UserError as error: print(error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "zarr is not installed: pip install 'fieldline[cube]'" in said.stdout


def test_a_plan_of_a_cube_tells_its_dates_and_bytes(tmp_path: Path) -> None:
    path = store(tiny_cube(scenes()), tmp_path / "cube.zarr")
    plan = plan_scenes(
        catalog=path, outlines=outlines(SHAPES), season=SEASON, scenes=SETTINGS, grid=GRID,
        pull=PullSettings(), folder=tmp_path,
    )  # fmt: skip
    assert [scene.date for scene in plan.scenes] == [f"2021-05-{day}" for day in DAYS]
    stored = sum(
        file.stat().st_size
        for band in (*BANDS, "SCL")
        for file in (path / band).rglob("*")
        if file.is_file()
    )
    told = sum(scene.bytes_there for scene in plan.scenes)
    assert stored - 4 * 3 <= told <= stored
    assert plan.to_come.bytes == 0
    assert not (tmp_path / "scenes").exists()
