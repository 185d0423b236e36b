"""A county's products as STAC, validated by pystac's own schemas and followed back to a file.

pystac knows the core schemas; those of the extensions would be fetched, so their fields are
compared with the tables here.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pystac
import pytest
import rasterio
from pystac.validation import validate_dict
from typer.testing import CliRunner

from fieldline.desk.report.stac import write_stac
from fieldline.pipeline.imagery.lineage import read_lineage
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table
from fieldline.workflows.cli import app
from tests.fieldline.seasons import observed_season
from tests.pipeline.imagery.tiny_archive import SEASON, TinyScene

EDGE = 90


def scene(name: str, day: int, **properties: object) -> TinyScene:
    bands = {band: np.full((EDGE, EDGE), 1500) for band in ("B04", "B08")}
    bands["SCL"] = np.full((EDGE, EDGE), 4)
    stated = {"nodata": 0, "scale": 1e-4, "offset": -0.1}
    properties = {"s2:processing_baseline": "05.10", **properties}
    return TinyScene(
        name, bands, day=dt.date(2021, 5, day), radiometry=stated, properties=dict(properties)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return observed_season(tmp_path_factory.mktemp("stac"), [scene("A", 10), scene("B", 20)])


def test_the_collection_and_its_items_are_valid(folder: Path) -> None:
    collection = pystac.Collection.from_file(str(write_stac(folder)))
    items = list(collection.get_items())
    assert sorted(Path(i.get_self_href() or "").stem for i in items) == [
        "observations", "parcels", "scenes",
    ]  # fmt: skip
    for document in (collection, *items):
        validate_dict(document.to_dict(transform_hrefs=False), extensions=[])
    assert collection.extent.temporal.to_dict() == {
        "interval": [["2021-05-10T10:00:00Z", "2021-05-20T10:00:00Z"]]
    }


def test_an_item_says_its_columns_software_and_mask(folder: Path) -> None:
    write_stac(folder)
    item = json.loads((folder / "stac" / "observations.json").read_text())
    stored = pq.read_table(folder / "observations.parquet")
    told = item["properties"]
    assert told["table:row_count"] == stored.num_rows == 4
    assert [column["name"] for column in told["table:columns"]] == stored.column_names
    assert told["table:columns"][5] == {
        "name": "valid_fraction", "type": "float", "description": "Clear share of the parcel",
    }  # fmt: skip
    assert told["processing:software"].keys() == {"fieldline"}
    assert told["fieldline:mask"] == {
        "kind": "scl", "asset": "SCL", "clear": [4, 5, 6, 7], "snow": [11], "dilation_m": 0.0,
    }  # fmt: skip
    asset = item["assets"]["data"]["href"]
    assert (folder / "stac" / asset).resolve() == (folder / "observations.parquet").resolve()


def test_a_row_leads_to_item_baseline_offset_mask_and_version(folder: Path) -> None:
    """From one row to the digital numbers that it is the mean of, by what the files say alone."""
    table = folder / "observations.parquet"
    row = read_table(table).iloc[0]
    assert (row["scene_id"], row["baseline"]) == ("A", "05.10")
    assert row["offset"] == pytest.approx(-0.1)
    write_stac(folder)
    links = json.loads((folder / "stac" / "observations.json").read_text())["links"]
    origins = [link["href"] for link in links if link["rel"] == "derived_from"]
    documents = [json.loads((folder / "stac" / href).read_text()) for href in origins]
    (origin,) = [d for d in documents if d["id"] == row["scene_id"]]
    place = folder / "stac" / origins[documents.index(origin)]
    asset = origin["assets"]["B04"]
    with rasterio.open(place.parent / asset["href"]) as file:
        number = float(file.read(1).mean())
    scale = asset["raster:bands"][0]["scale"]
    assert number * scale + float(row["offset"]) == pytest.approx(row["B04_mean"], abs=1e-6)
    lineage = read_lineage(table)
    assert lineage.mask.clear == (4, 5, 6, 7)
    assert lineage.software.startswith("fieldline ")


def test_the_documents_are_the_same_wherever_the_work_folder_lies(
    folder: Path, tmp_path: Path
) -> None:
    write_stac(folder)
    shutil.copytree(folder.parents[2], tmp_path / "copy")
    again = write_stac(tmp_path / "copy" / folder.relative_to(folder.parents[2]))
    for path in sorted((folder / "stac").iterdir()):
        assert (again.parent / path.name).read_bytes() == path.read_bytes()


def test_simulated_products_say_so(tmp_path: Path) -> None:
    made = observed_season(
        tmp_path, [scene("A", 10, **{"fieldline:simulated": True})], simulated=True
    )
    collection = json.loads(write_stac(made).read_text())
    assert collection["fieldline:simulated"] is True
    assert collection["description"].startswith("Simulated")


def test_a_season_without_scenes_is_one_sentence(tmp_path: Path) -> None:
    short = SEASON.model_copy(update={"end": SEASON.start, "as_of": SEASON.start})
    made = observed_season(tmp_path, [scene("A", 10)], season=short)
    with pytest.raises(UserError, match="holds no scene: see outcomes/scenes"):
        write_stac(made)
    assert not (made / "stac").exists()


def test_the_command_prints_where_the_collection_lies(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "own.yaml"
    season = "{start: 2021-01-01, end: 2021-12-31, as_of: 2021-12-31}"
    config.write_text(
        f"results: {folder.parents[1]}\ncounties: [T]\nseasons: ['2021']\n"
        "county: {T: {title: T, inputs: {parcels: p, catalog: c}, "
        f"seasons: {{'2021': {season}}}}}}}\n",
        encoding="utf-8",
    )
    given = ["stac", "--county", "T", "--season", "2021", "--config", str(config)]
    said = CliRunner().invoke(app, given)
    assert said.exit_code == 0, said.output
    assert "".join(said.output.split()).endswith("2021/T/stac/collection.json")
