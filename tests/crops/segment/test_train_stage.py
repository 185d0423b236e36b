"""Which network serves a county: the approved one, the one just trained, or the one that ships."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pytest

from fieldline.crops.networks.folder import approve, read_network, weights_of, write_network
from fieldline.crops.segment import train_stage
from fieldline.crops.segment.learn import module_of
from fieldline.crops.segment.pairs import KIND
from fieldline.crops.segment.shipped import shipped_network
from fieldline.crops.segment.train_stage import run_fields_train
from fieldline.crops.settings import SegmentSettings
from fieldline.pipeline.imagery.settings import GridSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table
from tests.crops.segment.conftest import SCENES, SEASON
from tests.crops.segment.farmland import BANDS

torch = pytest.importorskip("torch")
QUICK = SegmentSettings(threads=1, pseudo_steps=0, steps=1)


def _run(county: Path, settings: SegmentSettings = QUICK, outlines: Path | None = None) -> str:
    run_fields_train(
        scenes=county / "scenes.parquet", parcels=county / "parcels.parquet", outlines=outlines,
        grid=GridSettings(margin_m=200.0), scene_settings=SCENES, settings=settings, season=SEASON,
        out=county / "m/manifest.json", outcomes=county / "o.parquet",
    )  # fmt: skip
    (row,) = read_table(county / "o.parquet").to_dict("records")
    return f"{row['outcome']} {row['detail']}"


def _network(folder: Path) -> str:
    from fieldline.crops.segment.network import Architecture, PairNetwork

    torch.manual_seed(0)
    config = {"kind": KIND, "bands": list(BANDS), "width": 8}
    return write_network(folder, config, weights_of(PairNetwork(Architecture(4, 8))), {})


def test_without_outlines_the_network_that_ships_serves(county: Path) -> None:
    version = shipped_network().version
    assert _run(county) == f"ok network={version} origin=shipped"
    assert read_network(county / "m", KIND).version == version


def test_an_approved_network_serves_and_one_that_nobody_approved_does_not(county: Path) -> None:
    version = _network(county / "net")
    asked = SegmentSettings(model=county / "net", threads=1)
    with pytest.raises(UserError, match="is not approved"):
        _run(county, asked)
    approve(county / "net", read_network(county / "net", KIND), by="ann", figures={})
    assert _run(county, asked, county / "drawn.geojson") == f"ok network={version} origin=approved"
    assert read_network(county / "m", KIND).version == version


def test_outlines_teach_a_network_that_is_judged_on_the_easternmost(
    county: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_stage, "objections", lambda network: [])
    # Of sixteen squares twelve lie on the county's grid: eight teach and four, the east, judge.
    said = _run(county, outlines=county / "drawn.geojson")
    network = read_network(county / "m", KIND)
    assert said.startswith(f"ok network={network.version} origin=trained learnt=8 held=4 iou=")
    assert network.version != shipped_network().version
    assert network.card["data"]["fields"] == [8]
    assert network.card["start"] == shipped_network().version
    assert [one["version"] for one in network.card["lineage"]] == [shipped_network().version]
    assert not module_of(network).complete
    assert network.card["evaluation"]["network"][0]["iou"]["fields"] == 4
    again = (county / "m/weights.safetensors").read_bytes()
    _run(county, outlines=county / "drawn.geojson")
    assert (county / "m/weights.safetensors").read_bytes() == again


def test_a_network_that_learnt_from_every_field_says_so_wherever_it_serves(
    county: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_stage, "objections", lambda network: [])
    complete = QUICK.model_copy(update={"outlines_complete": True})
    assert _run(county, complete, county / "drawn.geojson").startswith("ok ")
    assert module_of(read_network(county / "m", KIND)).complete


def test_a_trained_network_that_the_gate_refuses_leaves_the_one_that_ships(
    county: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_stage, "objections", lambda network: ["it is worse"])
    said = _run(county, outlines=county / "drawn.geojson")
    version = shipped_network().version
    assert said == f"fields_train_refused held=4 network={version} origin=shipped; it is worse"
    assert read_network(county / "m", KIND).version == version


def test_a_handful_of_outlines_teaches_nothing(county: Path) -> None:
    few = gpd.read_file(county / "drawn.geojson").iloc[:11]
    few.to_file(county / "few.geojson")
    said = _run(county, outlines=county / "few.geojson")
    assert said.startswith("fields_train_few outlines=11 network=")


def test_outlines_of_another_land_are_refused_by_the_name_of_their_setting(county: Path) -> None:
    drawn = gpd.read_file(county / "drawn.geojson")
    drawn.geometry = drawn.translate(5.0, 0.0)
    drawn.to_file(county / "far.geojson")
    with pytest.raises(UserError, match="lies where the scenes are"):
        _run(county, outlines=county / "far.geojson")


def test_where_networks_cannot_run_the_folder_holds_none(
    county: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _run(county, SegmentSettings(enabled=False)).startswith("segment_off")
    monkeypatch.setattr(train_stage, "networks_installed", lambda: False)
    assert _run(county).startswith("segment_no_networks")
    assert json.loads((county / "m/manifest.json").read_text())["version"] is None
