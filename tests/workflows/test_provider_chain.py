"""A county of the docs' five lines, run by the command line against the API on loopback."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import yaml

from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.having_accounts import SECRETS, copernicus, point_to
from tests.pipeline.imagery.pulling import scenes_of, told
from tests.pipeline.imagery.tiny_archive import CRS, pixel_box, write_archive
from tests.services import oauth, s3
from tests.services.sentinel_hub import COLLECTION
from tests.services.stac_api import StacApi, serving
from tests.workflows.conftest import ROOT, run_in


def page() -> dict[str, Any]:
    text = (ROOT / "docs" / "connect-imagery.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found is not None
    document: dict[str, Any] = yaml.safe_load(found[1])
    return document


def write_county(folder: Path, root: str, collection: str) -> Path:
    """Write the page's configuration, pointed to loopback, and its outlines."""
    document = page()
    county = document["county"]["MINE"]
    county["scenes"] = {"collection": collection, "bands": ["B02", "B04"]}
    county["inputs"]["catalog"] = root
    season = county["seasons"].pop("2024")
    days = {"start": "2021-03-01", "end": "2021-09-30", "as_of": "2021-09-30"}
    county["seasons"]["2024"] = {**season, **days}
    shapes = [pixel_box(2.3, 2.6, 31.5, 29.2), pixel_box(60.1, 54, 91.7, 93.3)]
    names = {"parcel_id": ["a", "b"], "farmer_id": ["7", "8"]}
    outlines = gpd.GeoDataFrame(names, geometry=shapes, crs=CRS).to_crs("EPSG:4326")
    outlines.to_file(folder / "outlines.geojson")
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({**document, "results": "results"}), encoding="utf-8")
    return path


@pytest.mark.slow
def test_the_five_lines_of_the_page_observe_a_county(tmp_path: Path, real_keys: None) -> None:
    assert page()["county"]["MINE"]["inputs"]["catalog"] == "stac:earth-search"
    write_archive(tmp_path / "archive", scenes_of(6))
    program = [sys.executable, "-m", "fieldline.workflows.cli", "run", "-c", "mine.yaml"]
    with serving(StacApi(tmp_path / "archive")) as api:
        write_county(tmp_path, api.root, "unknown")
        refused = run_in(tmp_path, program)
        assert refused.returncode == 2
        assert "holds no collection 'unknown': set scenes.collection to one of ['tiny']." in (
            refused.stderr
        )
        made = tmp_path / "results" / "2024" / "MINE"
        assert not (made / "scenes.parquet").exists()
        write_county(tmp_path, api.root, "tiny")
        # Two bands are enough to observe; without near infrared the crops' sentence ends the run.
        first = run_in(tmp_path, program)
        assert "no near-infrared band" in first.stderr
        assert api.sent > 0
        chosen = told(made / "outcomes" / "scenes.parquet")
        assert {code for code, _ in chosen.values()} == {"ok"}
        observed = read_table(made / "observations.parquet")
        assert observed.groupby("parcel_id").size().tolist() == [6, 6]
        api.reset()
        run_in(tmp_path, [*program, "--from", "scenes"])
        assert api.asked("/search") > 0
        assert api.sent == 0
        assert read_table(made / "observations.parquet").equals(observed)


def steps(provider: str) -> str:
    """Return the page's lines of shell that end in a first run from a provider."""
    text = (ROOT / "docs" / "connect-imagery.md").read_text(encoding="utf-8")
    found = [
        block for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if provider in block
    ]
    assert len(found) == 1
    return str(found[0])


KEYS = {
    "<client id>": oauth.CLIENT, "<client secret>": oauth.SECRET,
    "<access key>": s3.ACCESS_KEY, "<secret key>": s3.SECRET_KEY,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "provider", ["sentinelhub:cdse", pytest.param("stac:cdse", marks=pytest.mark.long)]
)
def test_five_lines_lead_from_an_account_to_a_county_observed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    script = steps(provider)
    assert len(script.splitlines()) == 5
    for place, key in KEYS.items():
        script = script.replace(place, f"'{key}'")
    monkeypatch.setenv("FIELDLINE_PSEUDONYM_KEY", "9f2c41aa7be04d51b6f8c0de37a15b24")
    monkeypatch.setenv("FIELDLINE_VAULT_KEY", "c41f0a7e935db268e07d5f13a94b82c6")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    write_archive(tmp_path / "archive", scenes_of(6), COLLECTION)
    with copernicus(tmp_path / "archive") as on:
        on.hub.folder = on.stac.collection = COLLECTION
        point_to(on, monkeypatch, tmp_path)
        write_county(tmp_path, "stac:earth-search", COLLECTION)
        ran = run_in(tmp_path, ["bash", "-e", "-c", script])
    assert "no near-infrared band" in ran.stderr  # the crops' sentence: two bands were asked for
    assert re.search(r"\b6\b.* scenes", ran.stdout)
    made = tmp_path / "results" / "2024" / "MINE"
    observed = read_table(made / "observations.parquet")
    assert observed.groupby("parcel_id").size().tolist() == [6, 6]
    said = f"{ran.stdout}{ran.stderr}".encode()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    everything = said + b"".join(path.read_bytes() for path in files)
    for secret in SECRETS:
        assert secret.encode() not in everything


@pytest.mark.slow
def test_a_run_without_the_account_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDLINE_PSEUDONYM_KEY", "9f2c41aa7be04d51b6f8c0de37a15b24")
    monkeypatch.setenv("FIELDLINE_VAULT_KEY", "c41f0a7e935db268e07d5f13a94b82c6")
    monkeypatch.setenv("FIELDLINE_ACCOUNTS", str(tmp_path / "accounts.toml"))
    write_county(tmp_path, "sentinelhub:planet", COLLECTION)
    program = [sys.executable, "-m", "fieldline.workflows.cli", "run", "-c", "mine.yaml"]
    refused = run_in(tmp_path, program)
    assert refused.returncode == 2
    assert "sentinelhub:planet needs an account: client_id and client_secret" in refused.stderr
    assert not (tmp_path / "results" / "2024" / "MINE" / "scenes.parquet").exists()
