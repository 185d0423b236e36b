"""Two villages far apart: what lies between them is not fetched, and nothing else changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy
from rasterio.windows import Window

from fieldline.crops.recognise.fields import run_fields
from fieldline.crops.settings import FieldsSettings
from fieldline.pipeline.imagery.pull import cover_of
from fieldline.pipeline.imagery.settings import MaskSettings
from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.pulling import QUICK, choose, files_of, observe, told
from tests.pipeline.imagery.tiny_archive import (
    CRS,
    GRID,
    SEASON,
    TinyScene,
    outlines,
    pixel_box,
    scene_settings,
    tiny_grid,
    write_archive,
    write_parcels,
)
from tests.services.stac_api import StacApi, serving

SIZE, TILE = 4200, 256
#: 40 km apart on a diagonal, each of a few parcels with edges inside pixels.
VILLAGES = {
    "a": pixel_box(20.3, 10.6, 31.5, 29.2), "b": pixel_box(40.1, 14.0, 51.7, 33.3),
    "y": pixel_box(4100.3, 2900.6, 4111.5, 2909.2), "z": pixel_box(4120.1, 2914.0, 4131.7, 2933.3),
}  # fmt: skip


def tile(path: Path, **options: object) -> None:
    """Rewrite a file in tiles, as providers lay scenes out."""
    whole = path.with_suffix(".whole")
    path.rename(whole)
    layout = {"tiled": True, "blockxsize": TILE, "blockysize": TILE, "compress": "zstd"}
    copy(whole, path, driver="GTiff", **{**layout, **options})
    whole.unlink()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("villages")
    scenes = []
    for number in range(2):
        numbers = np.random.default_rng(number).integers(1, 9000, (2, SIZE, SIZE), dtype="uint16")
        half = SIZE // 2
        classes = np.full((half, half), 4, dtype=np.uint8)
        classes[: 12 + number, :20] = 9
        bands = {"B02": numbers[0], "B04": numbers[1], "B08": numbers[0].T, "SCL": classes}
        day = dt.date(2021, 5, 10) + dt.timedelta(days=10 * number)
        scene = TinyScene(f"S2_{number}", bands, day=day, band_resolution={"SCL": 20.0})
        scenes.append(scene)
    write_archive(folder, scenes)
    for path in (folder / "files").glob("*.tif"):
        tile(path)
    return folder


@pytest.fixture
def api(archive: Path) -> Iterator[StacApi]:
    with serving(StacApi(archive)) as service:
        yield service


def villages(folder: Path) -> Path:
    return write_parcels(folder / "parcels.parquet", VILLAGES)


def test_land_between_villages_is_not_fetched_and_observations_are_the_archives(
    tmp_path: Path, archive: Path, api: StacApi
) -> None:
    choose(tmp_path / "disk", None, archive / "catalog.json", parcels=villages(tmp_path / "disk"))
    choose(tmp_path / "api", api.root, parcels=villages(tmp_path / "api"))
    sizes = {path.name: path.stat().st_size for path in (archive / "files").glob("*.tif")}
    # 2 x 1 and 1 x 1 of 17 x 17 tiles of the bands, 1 and 1 of 9 x 9 of the classes, and headers
    assert api.sent < sum(sizes.values()) / 60
    first = read_table(observe(tmp_path / "disk") / "observations.parquet")
    second = read_table(observe(tmp_path / "api") / "observations.parquet")
    assert len(first) == 8
    assert first["B04_mean"].notna().all()
    assert first.equals(second)
    assert told(tmp_path / "disk/results/observed.parquet") == told(
        tmp_path / "api/results/observed.parquet"
    )


def test_planted_land_and_its_neighbours_are_seen_as_in_the_archive(
    tmp_path: Path, archive: Path, api: StacApi
) -> None:
    found = {}
    for name, remote in (("disk", None), ("api", api.root)):
        folder = tmp_path / name
        parcels = villages(folder)
        measured = gpd.read_parquet(parcels)
        measured.assign(**{"metrics:area": measured.to_crs(CRS).area}).to_parquet(parcels)
        catalog = None if remote else archive / "catalog.json"
        results = choose(folder, remote, catalog, parcels=parcels, scenes=WITH_NEAR_INFRARED)
        run_fields(
            scenes=results / "scenes.parquet", parcels=parcels, grid=GRID,
            scene_settings=WITH_NEAR_INFRARED, settings=FieldsSettings(min_bins=2), season=SEASON,
            out=results / "fields.parquet", outcomes=results / "fields_said.parquet",
        )  # fmt: skip
        found[name] = read_table(results / "fields.parquet")
    assert len(found["disk"]) == 4
    assert found["disk"].equals(found["api"])


WITH_NEAR_INFRARED = scene_settings("B04", "B08", mask=MaskSettings(kind="scl"))


def test_a_copy_holds_compressed_tiles_as_they_were_and_nothing_elsewhere(
    tmp_path: Path, archive: Path, api: StacApi
) -> None:
    results = choose(tmp_path, api.root, parcels=villages(tmp_path))
    path = results / "scenes/S2_1/B04.tif"
    with rasterio.open(path) as part, rasterio.open(archive / "files/S2_1_B04.tif") as whole:
        assert part.transform == whole.transform
        assert (part.height, part.width) == (3072, SIZE)  # rows to the last village's tile
        assert part.compression.name == whole.compression.name == "zstd"
        for row, column in ((0, 0), (11, 16)):
            window = Window(TILE * column, TILE * row, TILE, TILE)
            assert np.array_equal(part.read(1, window=window), whole.read(1, window=window))
        between = part.read(1, window=Window(1000, 1000, 500, 500))
        assert not between.any()
        stored = [
            (row, column)
            for row, column in np.ndindex(12, 17)
            if part.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=1)
        ]
        # the first village with 300 m around reaches pixel 82, the second begins at 4069 and 2869
        assert stored == [(0, 0), (11, 15), (11, 16)]


def test_a_file_that_could_not_say_what_is_absent_is_fetched_with_the_land_between(
    tmp_path: Path, archive: Path
) -> None:
    """Without nodata and without a mask a missing tile would read as reflectance."""
    with serving(StacApi(archive)) as api:
        bare = scene_settings("B04")
        for item in api.items():
            assert item["assets"]["B04"]["raster:bands"][0].pop("nodata") == 0
        served = api.items
        api.items = lambda: [_without_nodata(item) for item in served()]  # type: ignore[method-assign]
        results = choose(tmp_path, api.root, parcels=villages(tmp_path), scenes=bare)
    with rasterio.open(results / "scenes/S2_1/B04.tif") as part:
        assert part.read(1, window=Window(1000, 1000, 500, 500)).all()


@pytest.mark.parametrize("jp2", [False, True])
def test_a_nodata_that_the_numbers_cannot_be_means_that_no_pixel_is_missing(
    tmp_path: Path, jp2: bool
) -> None:
    """-9999 of an unsigned band: absent tiles would read as zero, which is reflectance here."""
    numbers = np.random.default_rng(5).integers(1, 4000, (700, 700), dtype="uint16")
    radiometry = {"scale": 1e-4, "offset": 0.0, "nodata": -9999}
    scene = TinyScene("S2_0", {"B04": numbers}, radiometry=radiometry)
    write_archive(tmp_path / "archive", [scene])
    path = tmp_path / "archive/files/S2_0_B04.tif"
    if jp2:
        whole = path.rename(path.with_suffix(".whole"))
        lossless = {"CODEC": "JP2", "QUALITY": "100", "REVERSIBLE": "YES"}
        copy(whole, path, driver="JP2OpenJPEG", BLOCKXSIZE="128", BLOCKYSIZE="128", **lossless)
    else:
        tile(path, blockxsize=128, blockysize=128)
    shapes = {"a": pixel_box(10.5, 20.5, 30.5, 40.5), "b": pixel_box(600.5, 610.5, 640.5, 650.5)}
    parcels = write_parcels(tmp_path / "parcels.parquet", shapes)
    given: dict[str, Any] = {"parcels": parcels, "scenes": scene_settings("B04")}
    with serving(StacApi(tmp_path / "archive")) as api:
        results = choose(tmp_path, api.root, **given)
        api.reset()
        choose(tmp_path, api.root, **given)
        assert api.sent == 0
    assert told(results / "chosen.parquet")["S2_0"][0] == "ok"
    with rasterio.open(results / "scenes/S2_0/B04.tif") as part:
        assert part.nodata is None
        assert np.array_equal(part.read(1)[10:660, 10:650], numbers[10:660, 10:650])


def _without_nodata(item: dict) -> dict:  # type: ignore[type-arg]
    for asset in item["assets"].values():
        asset["raster:bands"][0].pop("nodata")
    return item


def test_a_parcel_more_inside_the_same_tiles_costs_no_byte(tmp_path: Path, api: StacApi) -> None:
    results = choose(tmp_path, api.root, parcels=villages(tmp_path))
    before = files_of(results)
    api.reset()
    more = {**VILLAGES, "c": pixel_box(60.5, 60.5, 70.5, 70.5)}
    choose(tmp_path, api.root, parcels=write_parcels(tmp_path / "more.parquet", more))
    assert api.sent == 0
    assert files_of(results) == before
    further = {**VILLAGES, "d": pixel_box(2000.5, 60.5, 2010.5, 70.5)}
    choose(tmp_path, api.root, parcels=write_parcels(tmp_path / "further.parquet", further))
    assert api.sent > 0


@pytest.mark.parametrize(
    "layout",
    [
        {"compress": "lzw", "predictor": "2"}, {"compress": "deflate"}, {"compress": "none"},
        {"endianness": "BIG", "compress": "deflate"}, {"compress": "lerc_zstd"},
        {"driver": "JP2OpenJPEG", "CODEC": "JP2", "QUALITY": "100", "REVERSIBLE": "YES"},
    ],
    ids=lambda layout: "-".join(map(str, layout.values())),
)  # fmt: skip
def test_every_layout_gives_the_pixels_of_the_original(
    tmp_path: Path, layout: dict[str, str]
) -> None:
    numbers = np.random.default_rng(5).integers(1, 4000, (700, 700), dtype="uint16")
    scene = TinyScene("S2_0", {"B04": numbers})
    write_archive(tmp_path / "archive", [scene])
    path = tmp_path / "archive/files/S2_0_B04.tif"
    if layout.get("driver"):
        whole = path.rename(path.with_suffix(".whole"))
        jp2 = {"BLOCKXSIZE": "128", "BLOCKYSIZE": "128"}
        copy(whole, path, **{**layout, **jp2})
    else:
        tile(path, **{"blockxsize": 128, "blockysize": 128, **layout})
    shapes = {"a": pixel_box(10.5, 20.5, 30.5, 40.5), "b": pixel_box(600.5, 610.5, 640.5, 650.5)}
    parcels = write_parcels(tmp_path / "parcels.parquet", shapes)
    with serving(StacApi(tmp_path / "archive")) as api:
        settings = QUICK.model_copy(update={"margin_m": 50})
        results = choose(
            tmp_path, api.root, parcels=parcels, scenes=scene_settings("B04"), pull=settings
        )
    assert told(results / "chosen.parquet")["S2_0"][0] == "ok"
    with rasterio.open(results / "scenes/S2_0/B04.tif") as part:
        assert part.transform.c == 600_000
        read = part.read(1)
    assert np.array_equal(read[15:46, 5:36], numbers[15:46, 5:36])
    assert np.array_equal(read[605:655, 595:645], numbers[605:655, 595:645])
    assert not read[300:330, 300:330].any()


@pytest.mark.parametrize(
    ("margin", "kind", "reach"), [(20, "scl", 60), (90, "scl", 90), (20, "none", 20)]
)
def test_land_is_fetched_as_far_as_a_cloud_reaches(margin: float, kind: Any, reach: float) -> None:
    """A parcel of 30 x 40 pixels of 10 m, with a dilation of 60 m around it."""
    parcels = outlines({"a": pixel_box(100, 200, 130, 240)})
    scenes = scene_settings("B04", mask=MaskSettings(kind=kind, dilation_m=60))
    settings = QUICK.model_copy(update={"margin_m": margin})
    (box,) = cover_of(parcels, tiny_grid(1000, 1000), settings, scenes).places.boxes
    assert box[2] - box[0] == pytest.approx(300 + 2 * reach, abs=1)
    assert box[3] - box[1] == pytest.approx(400 + 2 * reach, abs=1)
