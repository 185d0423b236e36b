"""Every place of an item set to every kind of odd value: nothing stops, nothing is lost.

The items stand in one item collection beside a good one; each must have exactly one outcome, and
those that are chosen must be readable by the stage that follows.
"""

from __future__ import annotations

import copy
import datetime as dt
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldline.pipeline.imagery.catalog import find_items
from fieldline.pipeline.imagery.observe import run_observe
from fieldline.pipeline.imagery.scene_days import read_scene_days
from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.settings import MaskSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.tiny_archive import (
    EAGER,
    GRID,
    SEASON,
    TinyScene,
    pixel_box,
    scene_settings,
    write_archive,
    write_parcels,
)

ODD: list[Any] = [
    None, "", "N/A", "12", 0, -1, 1e300, 10**400, math.nan, True, [], [None], {}, {"a": None},
    "\ud800", "2021-02-30T00:00:00Z", "x" * 5000, [[[]]],
]  # fmt: skip
PROPERTIES: dict[str, Any] = {
    "eo:cloud_cover": 3.0,
    "s2:processing_baseline": "05.00",
    "earthsearch:boa_offset_applied": False,
    "proj:epsg": 32632,
    "proj:shape": [2, 2],
    "proj:transform": [10.0, 0.0, 600_000.0, 0.0, -10.0, 5_340_000.0],
    "published": "2021-05-11T00:00:00Z",
    "created": "2021-05-11T00:00:00Z",
    "updated": "2021-05-11T00:00:00Z",
    "processing:datetime": "2021-05-11T00:00:00Z",
    "start_datetime": "2021-05-10T00:00:00Z",
    "end_datetime": "2021-05-10T00:00:00Z",
}
SCENE = TinyScene(
    "good",
    {"B04": [[1500, 1600], [1700, 1800]], "SCL": [[4, 4], [4, 5]]},
    properties=PROPERTIES,
    radiometry={"nodata": 0, "scale": 1e-4, "offset": -0.1},
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the places of a document, its inner ones included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, below in inner:
        yield (*at, key)
        if isinstance(below, dict | list):
            yield from places(below, (*at, key))


def changed(document: Any, at: tuple[Any, ...], value: Any, *, delete: bool = False) -> Any:
    result = copy.deepcopy(document)
    inside = result
    for key in at[:-1]:
        inside = inside[key]
    if delete:
        del inside[at[-1]]
    else:
        inside[at[-1]] = value
    return result


def choose(folder: Path, catalog: Path) -> dict[str, tuple[str, str]]:
    run_scenes(
        catalog=catalog, parcels=folder / "parcels.parquet", season=SEASON,
        scenes=scene_settings("B04", mask=MaskSettings(kind="scl")),
        out=folder / "scenes.parquet", outcomes=folder / "outcomes.parquet",
    )  # fmt: skip
    frame = read_table(folder / "outcomes.parquet")
    pairs = zip(frame["outcome"], frame["detail"], strict=True)
    return dict(zip(frame["parcel_id"], pairs, strict=True))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_parcels(tmp_path / "parcels.parquet", {"p": pixel_box(0.2, 0.2, 1.4, 1.8)})
    write_archive(tmp_path / "archive", [SCENE])
    return tmp_path / "archive"


def test_any_value_anywhere_costs_at_most_its_own_scene(tmp_path: Path, archive: Path) -> None:
    good = json.loads((archive / "tiny" / "good" / "good.json").read_text())
    for key in ("B04", "SCL"):
        good["assets"][key]["href"] = f"files/good_{key}.tif"
    odd = [changed(good, at, None, delete=True) for at in places(good)]
    odd += [changed(good, at, value) for at in places(good) for value in ODD]
    for number, document in enumerate(odd):
        if document.get("id") == "good":
            document["id"] = f"odd{number}"
    features = [good, *odd]
    (archive / "all.json").write_text(
        json.dumps({"type": "FeatureCollection", "features": features})
    )
    told = choose(tmp_path, archive / "all.json")
    assert len(odd) > 1000
    assert told["good"][0] == "ok"
    named = [feature.get("collection") for feature in features]
    assert len(told) == sum(not isinstance(n, str) or n in ("", "tiny") for n in named)
    refused = {name: words for name, (code, words) in told.items() if code == "scene_invalid_item"}
    assert len(refused) > 300
    assert all(words.startswith("field=") for words in refused.values())
    chosen = {name for name, (code, _) in told.items() if code == "ok"}
    days = read_scene_days(tmp_path / "scenes.parquet")
    assert {item.id for day in days for item in day.items} == chosen


def test_what_was_chosen_of_odd_items_can_be_observed(tmp_path: Path, archive: Path) -> None:
    good = json.loads((archive / "tiny" / "good" / "good.json").read_text())
    for key in ("B04", "SCL"):
        good["assets"][key]["href"] = f"files/good_{key}.tif"
    asset_places = [at for at in places(good) if at[0] == "assets"]
    odd = [changed(good, at, value) for at in asset_places for value in ODD]
    for number, document in enumerate(odd):
        document["id"] = f"odd{number}"
        moment = dt.datetime(2021, 4, 1, tzinfo=dt.UTC) + dt.timedelta(hours=6 * number)
        document["properties"] = {**PROPERTIES, "datetime": moment.isoformat()}
    (archive / "all.json").write_text(json.dumps({"type": "FeatureCollection", "features": odd}))
    told = choose(tmp_path, archive / "all.json")
    run_observe(
        scenes=tmp_path / "scenes.parquet", parcels=tmp_path / "parcels.parquet", grid=GRID,
        scene_settings=scene_settings("B04", mask=MaskSettings(kind="scl")), settings=EAGER,
        out=tmp_path / "observations.parquet", outcomes=tmp_path / "observed.parquet",
    )  # fmt: skip
    rows = read_table(tmp_path / "observations.parquet")
    assert sum(code == "ok" for code, _ in told.values()) > 40
    assert rows["B04_mean"].dropna().between(0.05, 0.18).all()
    assert len(rows) > 20
    lost = read_table(tmp_path / "observed.parquet")["outcome"]
    assert set(lost) == {"ok", "scene_unreadable"}


@pytest.mark.parametrize("name", ["catalog.json", "tiny/collection.json"])
def test_any_value_anywhere_in_a_catalog_is_a_sentence_at_worst(archive: Path, name: str) -> None:
    document = json.loads((archive / name).read_text())
    sentences: list[str] = []
    for at in places(document):
        for value in ODD:
            (archive / name).write_text(json.dumps(changed(document, at, value)))
            try:
                found = find_items(archive / "catalog.json", "tiny")
            except UserError as error:
                sentences.append(str(error))
            else:
                assert len(found.sources) <= 1
    assert sentences
    assert all("catalog.json" in sentence for sentence in sentences)
