"""Items as public catalogs lay them out, over the same ground: equal reflectance from all of them.

The documents name assets, bands and radiometry as each catalog documents them; the ground is one
array of reflectances, written as each catalog's digital numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.windows import Window

from fieldline.pipeline.imagery.bands import spellings
from fieldline.pipeline.imagery.mosaic import read_day
from fieldline.pipeline.imagery.scene_days import read_scene_days
from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.settings import SceneSettings
from tests.pipeline.imagery.choosing import told
from tests.pipeline.imagery.tiny_archive import (
    AS_DRAWN,
    SEASON,
    TinyScene,
    pixel_box,
    tiny_grid,
    write_band,
    write_parcels,
)

EDGE = 40
GROUND = np.random.default_rng(7).integers(100, 5000, (3, EDGE, EDGE)) / 10000
GROUND[:, 0, :5] = np.nan
BANDS = ("B04", "B08", "B8A")
CLASSES = np.full((EDGE, EDGE), 4)
PRODUCT = "S2A_MSIL2A_20210510T101031_N0500_R022_T32UPU_20230601T000000"
Layout = tuple[str, dict[str, Any], dict[str, dict[str, Any]], float, float]
"""Id, properties, fields of each asset, and scale and offset of the file's numbers."""


def earth_search_v1() -> Layout:
    names = {"B04": "red", "B08": "nir", "B8A": "nir08"}
    stated = {"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": -0.1}
    assets = {
        key: {"eo:bands": [{"name": key, "common_name": key}], "raster:bands": [stated]}
        for key in names.values()
    }
    flag = {"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "05.00"}
    return "S2A_32UPU_20210510_0_L2A", flag, {**assets, "scl": {}}, 1e-4, -0.1


def earth_search_v1_harmonised() -> Layout:
    name, properties, assets, _, _ = earth_search_v1()
    return name, {**properties, "earthsearch:boa_offset_applied": True}, assets, 1e-4, 0.0


def earth_search_v0() -> Layout:
    names = {"B04": "red", "B08": "nir", "B8A": "nir08"}
    assets = {key: {"eo:bands": [{"name": key, "common_name": c}]} for key, c in names.items()}
    flag = {
        "sentinel:boa_offset_applied": True, "sentinel:processing_baseline": "05.00",
        "constellation": "sentinel-2",
    }  # fmt: skip
    return "S2A_32UPU_20210510_1_L2A", flag, {**assets, "SCL": {}}, 1e-4, 0.0


def copernicus_data_space() -> Layout:
    stated = {"raster:scale": 0.0001, "raster:offset": -0.1, "nodata": 0}
    names = {"B04_10m": "red", "B08_10m": "nir", "B8A_20m": "nir08", "B04_20m": "red"}
    assets = {
        key: {**stated, "bands": [{"name": key[:3], "eo:common_name": common}]}
        for key, common in names.items()
    }
    return PRODUCT, {"processing:version": "05.00"}, {**assets, "SCL_20m": {}}, 1e-4, -0.1


def planetary_computer() -> Layout:
    names = {"B04": "red", "B08": "nir", "B8A": "rededge"}
    assets = {key: {"eo:bands": [{"name": key, "common_name": c}]} for key, c in names.items()}
    properties = {"s2:processing_baseline": "05.00", "platform": "Sentinel-2A"}
    name = "S2A_MSIL2A_20210510T101031_R022_T32UPU_20230601T000000"
    return name, properties, {**assets, "SCL": {}}, 1e-4, -0.1


def planetary_computer_old_baseline() -> Layout:
    name, properties, assets, _, _ = planetary_computer()
    return name, {**properties, "s2:processing_baseline": "03.00"}, assets, 1e-4, 0.0


def sentinel_hub() -> Layout:
    stated = {"raster:bands": [{"scale": 1.0, "offset": 0.0, "data_type": "float32"}]}
    return "sh", {"constellation": "sentinel-2"}, {**dict.fromkeys(BANDS, stated), "SCL": {}}, 1, 0


def theia() -> Layout:
    stated = {"raster:bands": [{"scale": 0.0001, "offset": 0, "nodata": 0}]}
    names = ("FRE_B4", "FRE_B8", "FRE_B8A")
    return "SENTINEL2A_20210510", {}, {**dict.fromkeys(names, stated), "SCL": {}}, 1e-4, 0.0


def stated_once_for_the_item() -> Layout:
    properties = {"raster:scale": 0.0001, "raster:offset": -0.1, "raster:nodata": 0}
    return "own", properties, {**{band: {} for band in BANDS}, "SCL": {}}, 1e-4, -0.1


LAYOUTS: list[Callable[[], Layout]] = [
    earth_search_v1, earth_search_v1_harmonised, earth_search_v0, copernicus_data_space,
    planetary_computer, planetary_computer_old_baseline, sentinel_hub, theia,
    stated_once_for_the_item,
]  # fmt: skip


def write_item(folder: Path, layout: Layout) -> Path:
    """Write one item of a layout with its files; return its document."""
    name, properties, assets, scale, offset = layout
    scene = TinyScene(name, {})
    documents = {}
    for key, fields in assets.items():
        band = next((b for b in BANDS if key.lower() in spellings(b)), None)
        values: Any = CLASSES
        if band is not None:
            values = numbers(BANDS.index(band), scale, offset)
            # A coarser copy is there too, and is not to be read.
            values = np.full_like(values, 9999) if key == "B04_20m" else values
        write_band(folder / f"{key}.tif", values, scene, 10)
        documents[key] = {"href": f"./{key}.tif", **fields}
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "tiny",
        "geometry": {
            "type": "Polygon", "coordinates": [[[9, 47], [12, 47], [12, 49], [9, 49], [9, 47]]],
        },
        "properties": {"datetime": "2021-05-10T10:10:31Z", **properties},
        "assets": documents, "links": [],
    }  # fmt: skip
    path = folder / "item.json"
    path.write_text(json.dumps(item))
    return path


def numbers(band: int, scale: float, offset: float) -> Any:
    """Return the ground as digital numbers: 0 is missing, as Sentinel-2 has it."""
    values = (np.nan_to_num(GROUND[band], nan=offset) - offset) / scale
    return values.astype(np.float32) if scale == 1 else values.round().astype(np.uint16)


def choose(folder: Path, layout: Layout, bands: tuple[str, ...] = BANDS) -> Path:
    parcels = write_parcels(folder / "parcels.parquet", {"p": pixel_box(1, 1, 38, 38)})
    scenes = SceneSettings(collection="tiny", bands=bands, mask=AS_DRAWN)
    run_scenes(
        catalog=write_item(folder, layout), parcels=parcels, season=SEASON, scenes=scenes,
        out=folder / "results" / "scenes.parquet",
        outcomes=folder / "results" / "outcomes.parquet",
    )  # fmt: skip
    return folder / "results" / "scenes.parquet"


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_every_layout_gives_the_ground(tmp_path: Path, layout: Callable[[], Layout]) -> None:
    (day,) = read_scene_days(choose(tmp_path, layout()))
    whole = Window(0, 0, EDGE, EDGE)
    seen = read_day(day, tiny_grid(EDGE, EDGE), whole, BANDS, AS_DRAWN)
    np.testing.assert_allclose(seen, GROUND, atol=2e-7)


def test_an_item_of_unknown_baseline_is_not_guessed(tmp_path: Path) -> None:
    name, properties, assets, *numbers = planetary_computer()
    del properties["s2:processing_baseline"]
    choose(tmp_path, (name, properties, assets, *numbers))
    assert told(tmp_path)[name] == ("scene_no_radiometry", "bands=B04,B08,B8A")


@pytest.mark.parametrize(
    ("name", "properties", "keys"),
    [
        ("LC08_L2SP_193026_20210510_20210518_02_T1", {}, ("SR_B2", "SR_B4", "B5", "B05")),
        ("tile", {"platform": "landsat-9"}, ("blue", "red", "B05", "SR_B5")),
        ("HLS.L30.T32UPU.2021130T101031.v2.0", {}, ("B02", "B04", "B05")),
    ],
)
def test_the_fifth_band_of_landsat_is_no_red_edge(
    tmp_path: Path, name: str, properties: dict[str, Any], keys: tuple[str, ...]
) -> None:
    assets: dict[str, dict[str, Any]] = {**{key: {} for key in keys}, "SCL": {}}
    choose(tmp_path, (name, properties, assets, 1e-4, 0.0), bands=("B05",))
    assert told(tmp_path)[name] == ("scene_missing_band", "bands=B05")


def test_near_infrared_of_landsat_is_the_narrow_one(tmp_path: Path) -> None:
    """OLI's band 5 (851-879 nm) is B8A's neighbour; the broad B08 has none."""
    stated = {"raster:bands": [{"scale": 2.75e-5, "offset": -0.2, "nodata": 0}]}
    assets = {**dict.fromkeys(("B04", "B05", "B06"), stated), "SCL": {}}
    name = "HLS.L30.T32UPU.2021130T101031.v2.0"
    for bands, expected in ((("B04", "B8A", "B11"), "ok"), (("B08",), "scene_missing_band")):
        folder = tmp_path / expected
        folder.mkdir()
        choose(folder, (name, {}, assets, 2.75e-5, -0.2), bands=bands)
        assert told(folder)[name][0] == expected


def test_a_configured_default_against_the_products_own_baseline_asks_the_pixels(
    tmp_path: Path,
) -> None:
    """All of the ground is 0.15 and brighter with offset 0: nothing dark says that it is right."""
    (tmp_path / "in").mkdir()
    document = write_item(tmp_path / "in", planetary_computer())
    for band in BANDS:
        scene = TinyScene("x", {})
        write_band(tmp_path / "in" / f"{band}.tif", np.full((EDGE, EDGE), 1500), scene, 10)
    parcels = write_parcels(tmp_path / "parcels.parquet", {"p": pixel_box(1, 1, 38, 38)})
    scenes = SceneSettings(collection="tiny", bands=BANDS, mask=AS_DRAWN, default_offset=0.0)
    run_scenes(
        catalog=document, parcels=parcels, season=SEASON, scenes=scenes,
        out=tmp_path / "results" / "scenes.parquet",
        outcomes=tmp_path / "results" / "outcomes.parquet",
    )  # fmt: skip
    ((code, words),) = told(tmp_path).values()
    assert code == "scene_offset_conflict"
    assert "darkest=0.15" in words
