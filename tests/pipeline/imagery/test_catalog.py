from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fieldline.pipeline.imagery import catalog as module
from fieldline.pipeline.imagery.catalog import collection_ids, find_items
from fieldline.pipeline.records.errors import UserError

VERSION = {"stac_version": "1.0.0"}


def link(rel: str, href: Any) -> dict[str, Any]:
    return {"rel": rel, "href": href}


def write(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def folder(path: Path, name: str, *links: Any, **more: Any) -> Path:
    return write(path, {"type": "Catalog", **VERSION, "id": name, "links": list(links), **more})


def item(name: str, collection: str | None = None) -> dict[str, Any]:
    stated = {} if collection is None else {"collection": collection}
    return {"type": "Feature", **VERSION, "id": name, "assets": {}, **stated}


def names(catalog: Path, collection: str) -> list[str]:
    return [source.name for source in find_items(catalog, collection).sources]


def test_items_are_found_in_nested_catalogs_in_catalog_order(tmp_path: Path) -> None:
    root = folder(
        tmp_path / "catalog.json", "root", link("child", "s2/collection.json"),
        link("child", "other/catalog.json"),
    )  # fmt: skip
    folder(
        tmp_path / "s2" / "collection.json", "s2", link("child", "2022/catalog.json"),
        link("item", "loose.json"), link("child", "2021/catalog.json"),
    )  # fmt: skip
    folder(tmp_path / "s2" / "2022" / "catalog.json", "2022", link("item", "b.json"))
    folder(tmp_path / "s2" / "2021" / "catalog.json", "2021", link("item", "a.json"))
    folder(tmp_path / "other" / "catalog.json", "other", link("item", "x.json"))
    assert names(root, "s2") == ["s2/loose.json", "s2/2022/b.json", "s2/2021/a.json"]
    assert names(root, "2021") == ["s2/2021/a.json"]
    assert collection_ids(root) == ["s2", "2022", "2021", "other"]


def test_a_collection_in_two_folders_is_read_from_both(tmp_path: Path) -> None:
    root = folder(
        tmp_path / "catalog.json", "root", link("child", "a/c.json"), link("child", "b/c.json")
    )
    folder(tmp_path / "a" / "c.json", "s2", link("item", "1.json"))
    folder(tmp_path / "b" / "c.json", "s2", link("item", "1.json"))
    assert names(root, "s2") == ["a/1.json", "b/1.json"]


def test_a_broken_link_costs_what_lies_behind_it_and_is_told(tmp_path: Path) -> None:
    root = folder(
        tmp_path / "catalog.json", "root", link("child", "gone/catalog.json"),
        link("child", "html.json"), link("child", "s2/collection.json"), link("child", "list.json"),
        {"rel": "child"}, link("child", 7), "no link",
    )  # fmt: skip
    folder(tmp_path / "s2" / "collection.json", "s2", link("item", "a.json"))
    (tmp_path / "html.json").write_text("<html>")
    write(tmp_path / "list.json", [])
    found = find_items(root, "s2")
    assert [source.name for source in found.sources] == ["s2/a.json"]
    assert {(lost.name, lost.reason) for lost in found.broken} == {
        ("gone/catalog.json", "absent"), ("html.json", "not_json"), ("list.json", "not_a_catalog"),
        ("catalog.json", "link_without_href"), ("catalog.json", "link_not_a_text"),
    }  # fmt: skip


def test_a_missing_collection_names_the_known_ones_and_the_lost_one(tmp_path: Path) -> None:
    root = folder(
        tmp_path / "catalog.json", "root", link("child", "gone.json"), link("child", "s2.json")
    )
    folder(tmp_path / "s2.json", "s2", link("item", "a.json"))
    with pytest.raises(UserError, match=r"gone\.json cannot be read.*\['s2'\]"):
        find_items(root, "other")


def test_a_circle_of_catalogs_ends_and_no_document_is_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(address: str) -> Any:
        read.append(Path(address).name)
        return original(address)

    original = module.read_json
    monkeypatch.setattr(module, "read_json", counted)
    root = folder(
        tmp_path / "catalog.json", "root", link("child", "s2.json"), link("child", "./s2.json")
    )
    links = [link("item", "a.json"), link("item", "./a.json"), link("child", "catalog.json")]
    folder(tmp_path / "s2.json", "s2", *links)
    write(tmp_path / "a.json", item("a"))
    (source,) = find_items(root, "s2").sources
    assert source.read()["id"] == "a"
    assert read == ["catalog.json", "s2.json", "a.json"]


def test_an_item_collection_is_an_archive(tmp_path: Path) -> None:
    members = [item("a", "s2"), item("b"), item("c", "s1"), None]
    path = write(tmp_path / "found.json", {"type": "FeatureCollection", "features": members})
    sources = find_items(path, "s2").sources
    assert [source.name for source in sources] == ["found.json#1", "found.json#2", "found.json#4"]
    assert sources[0].read() == members[0]
    assert sources[0].folder == str(tmp_path)
    assert names(path, "s1") == ["found.json#3"]
    assert collection_ids(path) == ["s2", "s1"]
    with pytest.raises(UserError, match=r"\['s1', 's2'\]"):
        find_items(path, "other")


def test_an_item_is_an_archive_of_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", item("a", "s2"))
    assert names(path, "s2") == ["a.json"]
    with pytest.raises(UserError, match=r"\['s2'\]"):
        find_items(path, "other")


def test_a_linked_item_collection_counts_to_its_catalog(tmp_path: Path) -> None:
    root = folder(tmp_path / "catalog.json", "s2", link("child", "found.json"))
    write(tmp_path / "found.json", {"type": "FeatureCollection", "features": [item("a")]})
    assert names(root, "s2") == ["found.json#1"]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "not json",
        '{"type": "Something"}',
        "[1]",
        "{}",
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}}]}',
        '{"type": "FeatureCollection", "features": null}',
        '{"type": "Feature", "geometry": null, "properties": {}}',
    ],
)
def test_a_file_that_is_no_archive_is_a_user_error(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "catalog.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=r"catalog\.json"):
        find_items(path, "tiny")


def test_a_catalog_of_stac_0_9_states_no_type(tmp_path: Path) -> None:
    document = {"stac_version": "0.9.0", "id": "s2", "links": [link("item", "a.json")]}
    assert names(write(tmp_path / "catalog.json", document), "s2") == ["a.json"]
    lonely = write(tmp_path / "lonely.json", {"stac_version": "0.9.0", "id": "s2", "links": None})
    assert names(lonely, "s2") == []
