from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from rasterio.shutil import copy

from fieldline.pipeline.imagery.county_plan import CountyPlan
from fieldline.pipeline.imagery.scenes import plan_scenes
from fieldline.pipeline.imagery.settings import BudgetSettings, SceneSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season
from tests.pipeline.imagery.pulling import QUICK, SCENES, choose, files_of
from tests.pipeline.imagery.tiny_archive import (
    GRID,
    SEASON,
    TinyScene,
    outlines,
    pixel_box,
    scene_settings,
    write_archive,
    write_parcels,
)
from tests.services.stac_api import Fault, StacApi, serving

SIZE, TILE = 1500, 128
VILLAGES = {
    "a": pixel_box(20.3, 10.6, 31.5, 29.2), "b": pixel_box(240.1, 14.0, 251.7, 33.3),
    "z": pixel_box(1320.1, 1114.0, 1331.7, 1133.3),
}  # fmt: skip


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four scenes in tiles whose compressed sizes differ from tile to tile."""
    folder = tmp_path_factory.mktemp("planned")
    scenes = []
    for number in range(4):
        draw = np.random.default_rng(number)
        spread = draw.integers(2, 9000, (12, 12)).repeat(TILE, 0).repeat(TILE, 1)[:SIZE, :SIZE]
        numbers = 1 + (draw.random((2, SIZE, SIZE)) * spread).astype("uint16")
        classes = draw.integers(4, 6, (SIZE, SIZE), dtype="uint8")
        day = dt.date(2021, 5, 10) + dt.timedelta(days=10 * number)
        bands = {"B02": numbers[0], "B04": numbers[1], "SCL": classes}
        properties = {"eo:cloud_cover": 20.0 * number}
        scenes.append(TinyScene(f"S2_{number}", bands, day=day, properties=properties))
    write_archive(folder, scenes)
    for path in (folder / "files").glob("*.tif"):
        whole = path.rename(path.with_suffix(".whole"))
        copy(whole, path, driver="COG", blocksize=TILE, compress="deflate")
        whole.unlink()
    return folder


@pytest.fixture
def api(archive: Path) -> Iterator[StacApi]:
    with serving(StacApi(archive)) as service:
        yield service


def planned(folder: Path, remote: str | None, **changes: Any) -> CountyPlan:
    given: dict[str, Any] = {"season": SEASON, "scenes": SCENES, "grid": GRID, "pull": QUICK}
    return plan_scenes(
        remote=remote, folder=(folder / "results").resolve(),
        **{"catalog": None, "outlines": outlines(VILLAGES), **given, **changes},
    )  # fmt: skip


def test_the_bytes_and_requests_planned_are_those_that_a_pull_then_takes(
    tmp_path: Path, api: StacApi
) -> None:
    plan = planned(tmp_path, api.root)
    assert api.sent == plan.looked.bytes
    assert (len(plan.scenes), api.asked(r"\.tif")) == (4, plan.looked.requests)
    assert not list((tmp_path / "results").rglob("*.tif"))
    parcels = write_parcels(tmp_path / "villages.parquet", VILLAGES)
    api.reset()
    choose(tmp_path, api.root, parcels=parcels)
    assert plan.to_come.bytes > 4 * plan.looked.bytes
    assert api.sent == plan.to_come.bytes
    assert api.asked(r"\.tif") == plan.to_come.requests
    # and a pull without a look takes no more than both together
    api.reset()
    choose(tmp_path / "other", api.root, parcels=parcels)
    assert api.sent == pytest.approx(plan.to_come.bytes + plan.looked.bytes, rel=0.05)


def test_what_is_there_is_told_apart_from_what_is_to_come(tmp_path: Path, api: StacApi) -> None:
    before = planned(tmp_path, api.root)
    parcels = write_parcels(tmp_path / "villages.parquet", VILLAGES)
    results = choose(tmp_path, api.root, parcels=parcels)
    lost = results / "scenes/S2_2/B04.tif"
    lost.unlink()
    held = sum(path.stat().st_size for path in results.rglob("*.tif"))
    after = planned(tmp_path, api.root)
    assert [scene.files_there for scene in after.scenes] == [3, 3, 2, 3]
    assert [scene.bytes_to_come > 0 for scene in after.scenes] == [False, False, True, False]
    assert sum(scene.bytes_there for scene in after.scenes) == pytest.approx(held, rel=0.05)
    assert after.looked.requests == 1
    first = {scene.id: scene for scene in before.scenes}["S2_2"]
    assert 0 < after.to_come.bytes < first.bytes_to_come


def test_a_plan_counts_tiles_windows_and_what_is_left_out(tmp_path: Path, api: StacApi) -> None:
    settings = SCENES.model_copy(update={"max_cloud_percent": 50.0})
    plan = planned(tmp_path, api.root, scenes=settings)
    assert plan.left_out == {"scene_too_cloudy": 1}
    assert [(s.id, s.date, s.cloud_percent) for s in plan.scenes] == [
        ("S2_0", "2021-05-10", 0.0), ("S2_1", "2021-05-20", 20.0), ("S2_2", "2021-05-30", 40.0),
    ]  # fmt: skip
    # with 300 m and two pixels around, cut to the grid: a lies in columns 18..64: one tile; b in
    # 208..284: the two beside it; z in columns 1288..1334, rows 1082..1136: one. Three files.
    assert {(scene.tiles, scene.windows, scene.files) for scene in plan.scenes} == {(12, 2, 3)}


def test_requests_for_jpeg_2000_are_never_more_than_planned(tmp_path: Path) -> None:
    """Each step of 64 KiB is asked for once at most."""
    numbers = np.random.default_rng(5).integers(1, 9000, (1000, 1000), dtype="uint16")
    write_archive(tmp_path / "archive", [TinyScene("S2_0", {"B04": numbers})])
    path = tmp_path / "archive/files/S2_0_B04.tif"
    whole = path.rename(path.with_suffix(".whole"))
    how = {"CODEC": "JP2", "QUALITY": "100", "REVERSIBLE": "YES"}
    copy(whole, path, driver="JP2OpenJPEG", BLOCKXSIZE="128", BLOCKYSIZE="128", **how)
    shapes = {"a": pixel_box(20.3, 10.6, 31.5, 29.2), "z": pixel_box(940.1, 914.0, 951.7, 933.3)}
    one = scene_settings("B04")
    with serving(StacApi(tmp_path / "archive")) as api:
        plan = planned(tmp_path, api.root, scenes=one, outlines=outlines(shapes))
        scene = plan.scenes[0]
        assert (scene.bound_files, scene.rendered_files, scene.faults) == (1, 0, ())
        assert plan.to_come.bytes == path.stat().st_size - plan.looked.bytes
        assert plan.to_come.requests <= -(-path.stat().st_size // (64 * 1024))
        api.reset()
        parcels = write_parcels(tmp_path / "parcels.parquet", shapes)
        limits = BudgetSettings(requests=plan.to_come.requests, bytes=plan.to_come.bytes)
        enough = QUICK.model_copy(update={"budget": limits})
        choose(tmp_path, api.root, parcels=parcels, scenes=one, pull=enough)
        assert 1 < api.asked(r"\.tif") <= plan.to_come.requests


def test_files_whose_header_is_refused_count_as_a_whole_and_are_said(
    tmp_path: Path, api: StacApi
) -> None:
    api.faults = [Fault("403", path=r"S2_1_B04")]
    served, size = api.items, 123_456

    def items() -> list[dict[str, Any]]:
        found = served()
        found[1]["assets"]["B04"]["file:size"] = size
        return found

    api.items = items  # type: ignore[method-assign]
    plan = planned(tmp_path, api.root)
    assert [scene.faults for scene in plan.scenes] == [(), ("http_403",), (), ()]
    assert [scene.bound_files for scene in plan.scenes] == [0, 0, 0, 0]
    assert [scene.unknown_files for scene in plan.scenes] == [0, 0, 0, 0]
    assert plan.scenes[1].bytes_to_come > size
    api.items = served  # type: ignore[method-assign]
    assert planned(tmp_path, api.root).scenes[1].unknown_files == 1


def test_an_archives_files_are_there_and_nothing_is_fetched(tmp_path: Path, archive: Path) -> None:
    plan = planned(tmp_path, None, catalog=archive / "catalog.json")
    sizes = sum(path.stat().st_size for path in (archive / "files").glob("*.tif"))
    assert sum(scene.bytes_there for scene in plan.scenes) == sizes
    assert (plan.to_come.bytes, plan.to_come.requests, plan.money) == (0, 0, 0)
    assert files_of(tmp_path) == {}


def test_a_season_that_nothing_is_known_of_has_no_scene(tmp_path: Path, api: StacApi) -> None:
    later = Season(start=dt.date(2031, 1, 1), end=dt.date(2031, 5, 1), as_of=dt.date(2031, 5, 1))
    plan = planned(tmp_path, api.root, season=later)
    assert (plan.scenes, plan.to_come.bytes) == ((), 0)


def test_a_county_without_a_parcel_is_one_sentence(tmp_path: Path, api: StacApi) -> None:
    empty = outlines(VILLAGES).iloc[:0]
    with pytest.raises(UserError, match="the county has no accepted parcel"):
        planned(tmp_path, api.root, outlines=empty)


@pytest.mark.slow
def test_ten_thousand_items_are_opened_and_planned_in_seconds(tmp_path: Path) -> None:
    """Ten bands and a mask each, one item collection as a search saves it."""
    folder = tmp_path / "big"
    folder.mkdir()
    band = {"raster:bands": [{"nodata": 0, "scale": 1e-4, "offset": 0.0}]}
    (folder / "one.tif").write_bytes(b"II*\0")
    bands = [*SceneSettings().bands, "SCL"]
    box = [10.3, 48.1, 11.7, 49.1]
    ring = [[10.3, 48.1], [11.7, 48.1], [11.7, 49.1], [10.3, 49.1], [10.3, 48.1]]
    features = [
        {
            "type": "Feature", "stac_version": "1.0.0", "id": f"S2_{number}",
            "collection": "sentinel-2-l2a", "bbox": box, "links": [],
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": {
                "datetime": f"2021-{4 + number % 5:02d}-{1 + number % 28:02d}T10:00:00Z",
                "eo:cloud_cover": number % 100, "s2:processing_baseline": "05.00",
            },
            "assets": {name: {"href": "./one.tif", **band} for name in bands},
        }
        for number in range(10_000)
    ]  # fmt: skip
    catalog = folder / "items.json"
    catalog.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    shapes = gpd.GeoDataFrame(
        {"parcel_id": ["a"]}, geometry=[outlines(VILLAGES).geometry.iloc[0]], crs="EPSG:4326"
    )
    start = time.process_time()
    plan = planned(tmp_path, None, catalog=catalog, outlines=shapes, scenes=SceneSettings())
    took = time.process_time() - start
    assert len(plan.scenes) == 10_000
    print(f"10,000 items: {took:.1f} s of processor time")
    assert took < 10  # five where the processor is not shared
