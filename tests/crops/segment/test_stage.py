"""The segment stage on a tiny archive: polygons, evidence, and what stops it."""

from __future__ import annotations

import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import box

from fieldline.crops.segment import stage
from fieldline.crops.segment.shipped import shipped_folder
from fieldline.crops.segment.stage import run_segment
from fieldline.crops.settings import SegmentSettings
from fieldline.pipeline.imagery.settings import GridSettings, MaskSettings, SceneSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table
from tests.crops.segment.conftest import SCENES, SEASON, green_squares, make_county
from tests.crops.segment.farmland import EPSG, LEFT, TOP, outlines


def _run(
    county: Path,
    settings: SegmentSettings,
    scenes: SceneSettings = SCENES,
    network: Path | None = None,
) -> str:
    run_segment(
        scenes=county / "scenes.parquet", parcels=county / "parcels.parquet",
        network=(network or shipped_folder()) / "manifest.json",
        grid=GridSettings(margin_m=200.0), scene_settings=scenes, settings=settings, season=SEASON,
        out=county / "f.parquet", out_rings=county / "r.parquet", outcomes=county / "o.parquet",
    )  # fmt: skip
    (row,) = read_table(county / "o.parquet").to_dict("records")
    return str(row["outcome"])


def test_the_network_that_ships_finds_the_squares(county: Path) -> None:
    pytest.importorskip("torch")
    assert _run(county, SegmentSettings(threads=1)) == "ok"
    fields = gpd.read_parquet(county / "f.parquet")
    assert len(fields) >= 4
    assert set(fields["cover"]) <= {"crop", "green"}
    rings = read_table(county / "r.parquet")
    assert rings["parcel_id"].tolist() == ["P1", "P2"]
    assert (rings["field_share"] > 0.75).all()
    assert (rings["undrawn"] < 0.25).all()
    assert rings["field_id"].nunique() == 2
    assert (rings["own_area_m2"] > 0.75 * 240**2).all()
    assert (rings["foreign_area_m2"] + rings["open_area_m2"] < 0.25 * 240**2).all()


def test_without_torch_the_stage_says_so_and_writes_empty_files(county: Path, monkeypatch) -> None:
    monkeypatch.setattr(stage, "networks_installed", lambda: False)
    assert _run(county, SegmentSettings()) == "segment_no_networks"
    assert len(gpd.read_parquet(county / "f.parquet")) == 0
    assert len(read_table(county / "r.parquet")) == 0


def test_switched_off_and_bands_that_the_network_does_not_know_are_outcomes(county: Path) -> None:
    pytest.importorskip("torch")
    assert _run(county, SegmentSettings(enabled=False)) == "segment_off"
    only = SceneSettings(collection="tiny", bands=("B04", "B08"), mask=MaskSettings(kind="none"))
    assert _run(county, SegmentSettings(threads=1), only) == "segment_no_bands"


def test_a_county_of_one_parcel_of_one_pixel_has_its_row(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pixel = box(LEFT + 300, TOP - 310, LEFT + 310, TOP - 300)
    drawn = gpd.GeoDataFrame(geometry=[pixel], crs=EPSG).to_crs(4326)
    make_county(tmp_path, green_squares()[0], drawn)
    assert _run(tmp_path, SegmentSettings(threads=1)) == "ok"
    (row,) = read_table(tmp_path / "r.parquet").to_dict("records")
    assert row["own_area_m2"] == pytest.approx(100, rel=0.01)
    assert row["undrawn"] > 0.9


def test_a_season_without_a_clear_pixel_is_an_outcome_and_no_field(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    image, ids = green_squares()
    make_county(tmp_path, np.full_like(image, np.nan), outlines(ids).to_crs(4326).iloc[[5]])
    assert _run(tmp_path, SegmentSettings(threads=1)) == "segment_nothing_seen"
    assert len(read_table(tmp_path / "r.parquet")) == 0


def test_a_damaged_network_stops_the_stage_with_its_file(county: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    shutil.copytree(shipped_folder(), tmp_path / "net")
    weights = tmp_path / "net/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"weights\.safetensors is damaged"):
        _run(county, SegmentSettings(threads=1), network=tmp_path / "net")


def test_scenes_that_lie_elsewhere_now_stop_the_stage_and_leave_what_was_seen(
    county: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    assert _run(county, SegmentSettings(threads=1)) == "ok"
    files = ("f.parquet", "r.parquet", "o.parquet", "parcels.parquet", "scenes.parquet")
    (tmp_path / "deeper" / "results").mkdir(parents=True)
    for name in files:
        shutil.copy(county / name, tmp_path / "deeper" / "results" / name)
    seen = (tmp_path / "deeper/results/f.parquet").read_bytes()
    with pytest.raises(UserError, match=r"none of the \d+ files .* is there.*run --from scenes"):
        _run(tmp_path / "deeper" / "results", SegmentSettings(threads=1))
    assert (tmp_path / "deeper/results/f.parquet").read_bytes() == seen
