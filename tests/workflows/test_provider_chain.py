"""A county of the docs' five lines, run by the command line against the API on loopback."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import yaml

from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.pulling import scenes_of, told
from tests.pipeline.imagery.tiny_archive import CRS, pixel_box, write_archive
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
