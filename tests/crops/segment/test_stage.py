"""The segment stage on a tiny archive: polygons, evidence, and what stops it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import geopandas as gpd
import pytest

from fieldline.crops.networks.folder import weights_of, write_network
from fieldline.crops.segment import stage
from fieldline.crops.segment.stage import run_segment
from fieldline.crops.settings import SegmentSettings
from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.settings import GridSettings, MaskSettings, SceneSettings
from fieldline.pipeline.parcels.fiboa import write_parcels
from fieldline.pipeline.parcels.rings import geodesic_measures
from fieldline.pipeline.parcels.schemas import PARCEL_COLUMNS
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table
from tests.crops.segment.farmland import BANDS, checks, outlines, write_archive

SEASON = Season(start=dt.date(2021, 1, 1), end=dt.date(2021, 12, 31), as_of=dt.date(2021, 12, 31))
SCENES = SceneSettings(collection="tiny", bands=BANDS, mask=MaskSettings(kind="none"))


@pytest.fixture
def county(tmp_path: Path) -> Path:
    image, ids = checks(96, 24, 3)
    catalog = write_archive(tmp_path, image)
    drawn = outlines(ids).to_crs(4326)
    drawn = drawn.iloc[[5, 6]].reset_index(drop=True)
    area, perimeter = geodesic_measures(drawn.geometry.to_numpy())
    frame = gpd.GeoDataFrame(geometry=drawn.geometry, crs=4326)

    values = {"parcel_id": ["P1", "P2"], "id": ["P1", "P2"], "metrics:area": area,
              "metrics:perimeter": perimeter}  # fmt: skip
    for column in PARCEL_COLUMNS:
        default = None if column.nullable else ("x" if str(column.type) == "string" else 1)
        frame[column.name] = values.get(column.name, [default] * 2)
    write_parcels(frame, "tiny", tmp_path / "parcels.parquet")
    run_scenes(
        catalog=catalog, parcels=tmp_path / "parcels.parquet", season=SEASON, scenes=SCENES,
        out=tmp_path / "scenes.parquet", outcomes=tmp_path / "scene_outcomes.parquet",
    )  # fmt: skip
    return tmp_path


def _run(county: Path, settings: SegmentSettings, scenes: SceneSettings = SCENES) -> str:
    run_segment(
        scenes=county / "scenes.parquet", parcels=county / "parcels.parquet",
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
    rings = read_table(county / "r.parquet")
    assert rings["parcel_id"].tolist() == ["P1", "P2"]
    assert (rings["field_share"] > 0.75).all()
    assert (rings["undrawn"] < 0.25).all()
    assert rings["field_id"].nunique() == 2


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


def test_a_network_that_nobody_approved_does_not_serve(county: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from fieldline.crops.segment.network import Architecture, PairNetwork

    torch.manual_seed(0)
    config = {"kind": "field_segmentation", "bands": list(BANDS), "width": 8}
    weights = weights_of(PairNetwork(Architecture(4, 8)))
    write_network(tmp_path / "net", config, weights, {})
    with pytest.raises(UserError, match="is not approved"):
        _run(county, SegmentSettings(model=tmp_path / "net", threads=1))
