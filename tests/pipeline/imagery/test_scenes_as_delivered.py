"""Archives as people have them: wrong values, mixed types, broken links, ids that stand twice."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from fieldline.pipeline.imagery.scene_days import read_scene_days
from tests.pipeline.imagery.choosing import RED, choose, choose_from, edit, outcomes, told
from tests.pipeline.imagery.tiny_archive import TinyScene, write_archive


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("properties__eo:cloud_cover", "N/A", "field=properties.eo:cloud_cover value=N/A"),
        ("properties__published", "10/05/2021", "field=properties.published value=10/05/2021"),
        ("properties__proj:transform", [], "field=properties.proj:transform value=[]"),
        ("assets__B04__raster:bands", [None], "field=assets.B04.raster:bands.0 value=null"),
        (
            "assets__B04__raster:bands__0__nodata",
            "none given",
            "field=assets.B04.raster:bands.0.nodata value=none_given",
        ),
        ("assets__B04__href", None, "field=assets.B04.href value=null"),
        ("properties", None, "field=properties value=null"),
        ("geometry", None, "field=geometry value=null"),
        ("bbox", [12.0, 49.0, 11.0, 48.0], "field=bbox value=[12.0,_49.0,_11.0,_48.0]"),
    ],
)
def test_one_wrong_value_costs_one_scene_and_is_named(
    tmp_path: Path, place: str, value: Any, words: str
) -> None:
    archive = tmp_path / "archive"
    catalog = write_archive(archive, [TinyScene("good", RED), TinyScene("bad", RED)])
    edit(archive, "bad", **{place: value})
    out = choose_from(tmp_path, catalog)
    code, said = told(tmp_path)["bad"]
    assert code == "scene_invalid_item"
    assert said.startswith(f"{words} reason=")
    assert said.endswith(" document=tiny/bad/bad.json")
    assert [day.scene_id for day in read_scene_days(out)] == ["good"]


def test_a_wrong_value_of_an_asset_that_nobody_needs_does_no_harm(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    catalog = write_archive(archive, [TinyScene("a", {**RED, "B08": [[1, 2], [3, 4]]})])
    edit(archive, "a", assets__B08={"href": None, "raster:bands": [{"nodata": "none"}]})
    choose_from(tmp_path, catalog)
    assert outcomes(tmp_path) == {"a": "ok"}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("properties__s2:tile_id", "7"),
        ("properties__proj:shape", None),
        ("properties__instruments", {"name": "msi"}),
        ("properties__s2:processing_baseline", 5.1),
        ("assets__B04__raster:bands__0__nodata", "nan"),
        ("assets__B04__roles", "data"),
        ("assets__B04__eo:bands", None),
        ("assets__thumbnail", {"href": 7}),
        ("stac_extensions", None),
        ("stac_version", "0.9.0"),
        ("collection", 7),
        ("links", None),
        ("bbox", None),
    ],
)
def test_types_that_differ_between_items_do_not_stop_the_writing(
    tmp_path: Path, place: str, value: Any
) -> None:
    archive = tmp_path / "archive"
    mixed = {"s2:tile_id": 7, "proj:shape": [2, 2], "instruments": ["msi"],
             "s2:processing_baseline": "05.10"}  # fmt: skip
    scenes = [TinyScene(name, RED, properties=dict(mixed)) for name in "ab"]
    catalog = write_archive(archive, scenes)
    edit(archive, "b", **{place: value})
    out = choose_from(tmp_path, catalog)
    assert outcomes(tmp_path) == {"a": "ok", "b": "ok"}
    (day,) = read_scene_days(out)
    assert day.scene_id == "a+b"
    assert {item.baseline for item in day.items} == {"05.10"}


def test_of_usable_items_with_one_id_the_newest_wins(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    catalog = write_archive(archive, [TinyScene(name, RED) for name in "abcd"])
    del_radiometry = {"assets__B04__raster:bands": None}
    edit(archive, "a", **{**del_radiometry, "properties__updated": "2024-01-01T00:00:00Z"})
    edit(archive, "b", id="a", properties__updated="2022-01-01T00:00:00Z")
    edit(archive, "c", id="a", properties__updated="2023-01-01T00:00:00Z")
    edit(archive, "d", id="a", **{"properties__eo:cloud_cover": "?"})
    out = choose_from(tmp_path, catalog)
    assert outcomes(tmp_path) == {
        "a#2": "scene_no_radiometry", "a#3": "scene_duplicate", "a": "ok",
        "a#4": "scene_invalid_item",
    }  # fmt: skip
    (day,) = read_scene_days(out)
    assert Path(day.items[0].assets["B04"].href).name == "c_B04.tif"


def test_a_newer_item_published_after_the_as_of_date_does_not_hide_the_older(
    tmp_path: Path,
) -> None:
    archive = tmp_path / "archive"
    catalog = write_archive(archive, [TinyScene("a", RED), TinyScene("b", RED)])
    late = "2022-01-01T00:00:00Z"
    edit(archive, "b", id="a", properties__updated=late, properties__published=late)
    choose_from(tmp_path, catalog)
    assert outcomes(tmp_path) == {"a": "ok", "a#2": "scene_after_as_of"}


def test_broken_documents_of_one_file_name_are_no_duplicates(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    catalog = write_archive(archive, [TinyScene(name, RED) for name in "ab"])
    collection = archive / "tiny" / "collection.json"
    text = collection.read_text()
    for name in "ab":
        (archive / "tiny" / name / "item.json").write_text("")
        text = text.replace(f"{name}/{name}.json", f"{name}/item.json")
    collection.write_text(text)
    choose_from(tmp_path, catalog)
    assert told(tmp_path) == {
        "item.json": ("scene_invalid_item", "document=tiny/a/item.json reason=empty"),
        "item.json#2": ("scene_invalid_item", "document=tiny/b/item.json reason=empty"),
    }


def test_a_number_sign_in_an_id_takes_no_other_items_name(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    catalog = write_archive(archive, [TinyScene(name, RED) for name in "abc"])
    edit(archive, "b", id="a")
    edit(archive, "c", id="a#2")
    choose_from(tmp_path, catalog)
    assert outcomes(tmp_path) == {"a": "ok", "a#3": "scene_duplicate", "a#2": "ok"}


def test_a_broken_child_link_is_an_outcome_and_the_rest_goes_on(tmp_path: Path) -> None:
    catalog = write_archive(tmp_path / "archive", [TinyScene("good", RED)])
    document = json.loads(catalog.read_text())
    document["links"].insert(0, {"rel": "child", "href": "./2020/collection.json"})
    catalog.write_text(json.dumps(document))
    choose_from(tmp_path, catalog)
    assert told(tmp_path)["2020/collection.json"] == ("scene_broken_link", "reason=absent")
    assert outcomes(tmp_path)["good"] == "ok"


def test_an_item_collection_serves_as_the_catalog(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    write_archive(archive, [TinyScene("a", RED), TinyScene("b", RED, day=dt.date(2021, 6, 1))])
    documents = [json.loads((archive / "tiny" / n / f"{n}.json").read_text()) for n in "ab"]
    for document in documents:
        document["assets"]["B04"]["href"] = f"files/{document['id']}_B04.tif"
    path = archive / "found.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [*documents, {}]}))
    out = choose_from(tmp_path, path)
    assert outcomes(tmp_path) == {"a": "ok", "b": "ok", "found.json#3": "scene_invalid_item"}
    assert all(Path(d.items[0].assets["B04"].href).exists() for d in read_scene_days(out))


def test_an_offset_in_the_numbers_already_is_not_taken_off_again(tmp_path: Path) -> None:
    """0.05 with the flag; without it 500 would be -0.05, which no field is: refused and said."""
    shifted = {"nodata": 0, "scale": 1e-4, "offset": -0.1}
    flag = "earthsearch:boa_offset_applied"
    numbers = {"applied": (500, True), "flag_lies": (500, False), "not_applied": (1500, False)}
    scenes = [
        TinyScene(name, {"B04": [[dn] * 2] * 2}, radiometry=shifted, properties={flag: applied})
        for name, (dn, applied) in numbers.items()
    ]
    out = choose(tmp_path, scenes)
    said = told(tmp_path)
    assert said["applied"][1].endswith("offset_applied=true stated_offset=-0.1")
    assert said["flag_lies"] == (
        "scene_offset_conflict", "band=B04 offset=-0.1 negative=1 darkest=-0.05",
    )  # fmt: skip
    offsets = {
        item.id: item.assets["B04"].radiometry.offset
        for day in read_scene_days(out)
        for item in day.items
    }
    assert offsets == {"applied": 0.0, "not_applied": -0.1}
