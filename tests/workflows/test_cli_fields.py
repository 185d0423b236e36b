"""The commands of field polygons, as a person calls them, on a tiny archive of squares."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pytest
from typer.testing import CliRunner

from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.cli import app
from tests.crops.segment.farmland import checks, outlines, write_archive

pytest.importorskip("torch")
FAST = ["--pseudo-steps", "1", "--steps", "1"]


@pytest.fixture
def area(tmp_path: Path) -> Path:
    image, ids = checks(64, 16, 2)
    write_archive(tmp_path, image)
    drawn = outlines(ids)
    drawn.iloc[:8].to_crs(4326).to_file(tmp_path / "train.geojson")
    drawn.iloc[8:].to_file(tmp_path / "validation.gpkg")
    return tmp_path


def _run(*words: object) -> str:
    said = CliRunner().invoke(app, ["fields", *map(str, words)])
    if said.exception is not None and not isinstance(said.exception, SystemExit):
        raise said.exception
    return said.output


def test_evaluate_holds_the_network_and_a_plain_watershed_against_the_same_fields(
    area: Path,
) -> None:
    out = area / "out.json"
    _run("evaluate", "--catalog", area / "catalog.json", "--train", area / "train.geojson",
         "--validation", area / "validation.gpkg", "--json", out, "--seeds", 2, *FAST)  # fmt: skip
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["train_fields"] == 8
    assert [run["seed"] for run in found["network"]] == [1, 2]
    for run in (found["watershed"], *found["network"]):
        assert run["fields"] == 8
        assert len(run["iou_by_field"]) == 8
        assert 0 < run["iou"]["value"] <= 1
    mean = sum(run["iou"]["value"] for run in found["network"]) / 2
    assert found["pooled"]["iou"]["mean"] == pytest.approx(mean)
    # Squares of one colour each: the plain watershed sees nearly all of them.
    assert found["watershed"]["iou"]["value"] > 0.8


def test_the_network_that_ships_finds_squares_that_it_never_saw(area: Path) -> None:
    out = area / "fields.parquet"
    said = _run("predict", "--catalog", area / "catalog.json", "--out", out)
    assert "fields" in said
    found = gpd.read_parquet(out).to_crs(32632)
    truth = outlines(checks(64, 16, 2)[1])
    best = [found.intersection(square).area.max() / square.area for square in truth.geometry]
    assert sum(best) / len(best) > 0.7


@pytest.mark.parametrize(("dates", "covers"), [(1, {""}), (2, {""}), (3, {"bare"})])
def test_one_date_or_two_call_no_land_bare(dates: int, covers: set[str], tmp_path: Path) -> None:
    """Soil throughout: near infrared as bright as red, and brighter than water."""
    image, _ = checks(64, 16, dates)
    image[:, 2:] = (image[:, 2:3] + 0.15) * 0.8
    catalog = write_archive(tmp_path, image)
    _run("predict", "--catalog", catalog, "--out", tmp_path / "fields.parquet")
    assert set(gpd.read_parquet(tmp_path / "fields.parquet")["cover"]) == covers


def test_the_gate_approves_what_beats_the_watershed_and_refuses_worse_and_damaged(
    area: Path,
) -> None:
    common = ["--catalog", area / "catalog.json", "--train", area / "train.geojson"]
    with_card = [*common, "--validation", area / "validation.gpkg", *FAST]
    _run("train", *with_card, "--fresh", "--out", area / "weak")
    said = CliRunner().invoke(app, ["fields", "gate", str(area / "weak")])
    assert said.exit_code == 3
    assert "is below the plain watershed's" in said.output
    _run("train", *common, *FAST, "--out", area / "unjudged")
    assert "no evaluation" in _run("gate", area / "unjudged")
    weights = area / "weak" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"weights\.safetensors is damaged"):
        _run("gate", area / "weak")


def test_what_cannot_be_meant_is_a_sentence(area: Path, tmp_path: Path) -> None:
    catalog, drawn = area / "catalog.json", area / "train.geojson"
    far = gpd.read_file(drawn)
    far.geometry = far.geometry.translate(5, 5)
    far.to_file(tmp_path / "far.geojson")
    with pytest.raises(UserError, match=r"no polygon of .* lies where the scenes are"):
        _run("evaluate", "--catalog", catalog, "--validation", tmp_path / "far.geojson")
    with pytest.raises(UserError, match="has the bands B11"):
        _run("evaluate", "--catalog", catalog, "--validation", area / "validation.gpkg",
             "--train", drawn, "--band", "B11", *FAST)  # fmt: skip
    with pytest.raises(UserError, match="holds the polygons that are learnt from"):
        _run("evaluate", "--catalog", catalog, "--validation", drawn, "--train", drawn, *FAST)
    with pytest.raises(UserError, match="nothing to judge"):
        _run("evaluate", "--catalog", catalog, "--validation", drawn, "--fresh")
    with pytest.raises(UserError, match="1 catalogs and 0 files of polygons"):
        _run("train", "--catalog", catalog, "--out", area / "new")
    with pytest.raises(UserError, match="'many' is no area"):
        _run("train", "--simulated", "many", "--out", area / "new")
    with pytest.raises(UserError, match="give auto, cpu or cuda"):
        _run("evaluate", "--catalog", catalog, "--validation", drawn, "--device", "tpu")
