from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rasterio.shutil import copy

from fieldline.pipeline.imagery.radar import run_radar
from fieldline.pipeline.imagery.settings import RadarSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.pulling import QUICK
from tests.pipeline.imagery.tiny_archive import (
    EAGER,
    GRID,
    SEASON,
    TinyScene,
    pixel_box,
    write_archive,
    write_parcels,
)
from tests.services.stac_api import StacApi, serving

RADAR = RadarSettings(collection="tiny", bands=("vv",))
POWER = {"scale": 1.0, "offset": 0.0, "unit": "linear", "nodata": -32768}
DECIBELS = {"scale": 0.01, "offset": 0.0, "unit": "dB", "nodata": -32768}
FIELD = {"p": pixel_box(0, 0, 2, 2)}


def scene(
    name: str, values: Any, orbit: str | None = "ascending", unit: Any = None, **more: Any
) -> TinyScene:
    properties = {} if orbit is None else {"sat:orbit_state": orbit}
    numbers = np.array(values, dtype="float32")
    return TinyScene(name, {"vv": numbers}, properties=properties, radiometry=unit or POWER, **more)


def observe(
    folder: Path, scenes: list[TinyScene], radar: RadarSettings = RADAR, **more: Any
) -> tuple[pd.DataFrame, dict[str, tuple[str, str]]]:
    catalog = write_archive(folder / "archive", scenes)
    parcels = write_parcels(folder / "parcels.parquet", FIELD)
    run_radar(**{
        "catalog": catalog, "parcels": parcels, "season": SEASON, "radar": radar, "grid": GRID,
        "settings": EAGER, "out": folder / "observations_sentinel1.parquet",
        "out_scenes": folder / "scenes_sentinel1.parquet", "outcomes": folder / "o.parquet", **more,
    })  # fmt: skip
    told = read_table(folder / "o.parquet")
    pairs = zip(told["outcome"], told["detail"], strict=True)
    outcomes = dict(zip(told["parcel_id"], pairs, strict=True))
    return read_table(folder / "observations_sentinel1.parquet"), outcomes


def test_power_is_averaged_and_written_in_decibels_by_hand(tmp_path: Path) -> None:
    """0.01, 0.01, 0.1, 0.28: mean 0.1 is -10 dB; the mean of their decibels is -13.9."""
    rows, _ = observe(tmp_path, [scene("a", [[0.01, 0.01], [0.1, 0.28]])])
    row = rows.iloc[0]
    assert row["vv_mean"] == pytest.approx(-10.0, abs=1e-5)
    assert row["vv_cv"] == pytest.approx(np.std([0.01, 0.01, 0.1, 0.28]) / 0.1, abs=1e-5)
    assert (row["orbit"], row["valid_fraction"]) == ("ascending", 1.0)


def test_decibels_are_turned_to_power_before_they_are_averaged(tmp_path: Path) -> None:
    """-20, -20, -10 dB and a pixel that is missing: 10 log10((0.01 + 0.01 + 0.1) / 3)."""
    values = [[-2000, -2000], [-1000, -32768]]
    row = observe(tmp_path, [scene("a", values, unit=DECIBELS)])[0].iloc[0]
    assert row["vv_mean"] == pytest.approx(10 * np.log10(0.12 / 3), abs=1e-4)
    assert row["valid_fraction"] == pytest.approx(0.75, abs=1e-5)


def test_orbits_of_one_day_are_two_rows_and_slices_of_one_orbit_one(tmp_path: Path) -> None:
    """Morning and evening of 10 May, and two slices of the evening that share the parcel."""
    scenes = [
        scene("morning", [[0.1, 0.1], [0.1, 0.1]], "descending", hour=5),
        scene("evening-1", [[0.2, 0.2]], "ascending", hour=17),
        scene("evening-2", [[0.2, 0.2], [0.4, 0.4]], "ascending", hour=17),
    ]
    rows, _ = observe(tmp_path, scenes)
    assert rows["orbit"].tolist() == ["descending", "ascending"]
    assert rows["scene_id"].tolist() == ["morning", "evening-1+evening-2"]
    assert rows["vv_mean"].to_numpy() == pytest.approx(
        [10 * np.log10(0.1), 10 * np.log10(0.3)], abs=1e-5
    )


@pytest.mark.parametrize(
    ("item", "radar", "expected"),
    [
        ({"orbit": None}, {}, ("scene_no_orbit", "stated=nothing")),
        ({"orbit": "sideways"}, {}, ("scene_no_orbit", "stated=sideways")),
        ({"orbit": None}, {"orbit": "mixed"}, ("ok", "")),
        ({"unit": {"scale": 1.0, "offset": 0.0}}, {}, ("scene_no_unit", "bands=vv")),
        ({"unit": {"scale": 1.0, "offset": 0.0}}, {"quantity": "power"}, ("ok", "")),
    ],
)
def test_what_an_item_does_not_say_is_not_guessed(
    tmp_path: Path, item: dict[str, Any], radar: dict[str, Any], expected: tuple[str, str]
) -> None:
    settings = RADAR.model_copy(update=radar)
    rows, told = observe(tmp_path, [scene("a", [[0.1, 0.1], [0.1, 0.1]], **item)], settings)
    assert told["a"][0] == expected[0]
    assert expected[1] in told["a"][1]
    assert len(rows) == (expected[0] == "ok")


def test_an_orbit_that_is_stated_is_not_overruled(tmp_path: Path) -> None:
    settings = RADAR.model_copy(update={"orbit": "mixed"})
    rows, _ = observe(tmp_path, [scene("a", [[0.1, 0.1], [0.1, 0.1]], "descending")], settings)
    assert rows["orbit"].tolist() == ["descending"]


def test_a_file_that_cannot_be_read_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    days = [dt.date(2021, 5, 10), dt.date(2021, 5, 22)]
    scenes = [scene(f"s{n}", [[0.1, 0.1], [0.1, 0.1]], day=day) for n, day in enumerate(days)]
    write_archive(tmp_path / "archive", scenes)
    observe(tmp_path, scenes)
    (tmp_path / "archive" / "files" / "s0_vv.tif").unlink()
    run_radar(
        catalog=tmp_path / "archive" / "catalog.json", parcels=tmp_path / "parcels.parquet",
        season=SEASON, radar=RADAR, grid=GRID, settings=EAGER, out=tmp_path / "again.parquet",
        out_scenes=tmp_path / "scenes.parquet", outcomes=tmp_path / "again_o.parquet",
    )  # fmt: skip
    told = read_table(tmp_path / "again_o.parquet")
    assert dict(zip(told["parcel_id"], told["outcome"], strict=True)) == {
        "s0": "scene_unreadable", "s1": "ok",
    }  # fmt: skip
    assert read_table(tmp_path / "again.parquet")["scene_id"].tolist() == ["s1"]


def test_a_county_without_radar_has_empty_tables(tmp_path: Path) -> None:
    rows, told = observe(tmp_path, [scene("a", [[0.1]])], RadarSettings())
    assert rows.empty
    assert told == {}
    assert read_table(tmp_path / "scenes_sentinel1.parquet").empty


def test_a_providers_radar_is_the_radar_on_disk(tmp_path: Path) -> None:
    """Float tiles with a predictor of their own, over two overpasses and 300 x 300 pixels.

    `radar.provider` goes before a provider of optical scenes that gives no radar.
    """
    power = np.random.default_rng(5).gamma(4.0, 0.02, (2, 300, 300)).astype("float32")
    power[0, 1, 1] = -32768
    days = [dt.date(2021, 5, 10), dt.date(2021, 5, 22)]
    scenes = [scene(f"s{n}", power[n], day=day) for n, day in enumerate(days)]
    on_disk, told = observe(tmp_path / "disk", scenes)
    write_archive(tmp_path / "far", scenes)
    for path in (tmp_path / "far/files").glob("*.tif"):
        whole = path.rename(path.with_suffix(".whole"))
        as_tiles = {"tiled": True, "blockxsize": 64, "blockysize": 64, "predictor": 3}
        copy(whole, path, driver="GTiff", compress="deflate", **as_tiles)
    with serving(StacApi(tmp_path / "far")) as api:
        radar = RADAR.model_copy(update={"provider": api.root})
        far = {"catalog": None, "pull": QUICK, "remote": "sentinelhub:cdse"}
        pulled, again = observe(tmp_path / "pulled", scenes, radar, **far)
        sent = api.sent
        of_scenes, _ = observe(tmp_path / "same", scenes, catalog=None, remote=api.root, pull=QUICK)
    assert len(on_disk) == 2
    assert on_disk["valid_fraction"].tolist() == [0.75, 1.0]
    assert pulled.equals(on_disk)
    assert of_scenes.equals(on_disk)
    assert again == told
    assert 0 < sent < sum(p.stat().st_size for p in (tmp_path / "far/files").glob("*.tif"))


def test_new_land_is_observed_on_the_scenes_that_are_there(tmp_path: Path) -> None:
    """The catalog is gone; what the county chose of it still tells of an outline drawn later."""
    scenes = [scene("a", [[0.1, 0.1], [0.1, 0.1]])]
    rows, told = observe(tmp_path, scenes)
    again, said = observe(tmp_path / "later", scenes, chosen=tmp_path / "scenes_sentinel1.parquet",
                          catalog=None)  # fmt: skip
    assert again.equals(rows)
    assert told == {"a": ("ok", told["a"][1])}
    assert said == {}
    assert not (tmp_path / "later/scenes_sentinel1.parquet").exists()


def test_a_service_that_renders_gives_no_radar(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gives no radar.*county\.radar\.provider"):
        observe(tmp_path, [scene("a", [[0.1]])], remote="sentinelhub:cdse")
    with pytest.raises(ValueError, match="renders reflectance and no radar"):
        RadarSettings(collection="sentinel-1-rtc", provider="sentinelhub:cdse")
    with pytest.raises(ValueError, match="no known provider"):
        RadarSettings(collection="sentinel-1-rtc", provider="stac:nobody")
