from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from fieldline.pipeline.imagery.archive import (
    item_hrefs,
    known_since,
    parse_item,
    read_document,
    relative_href,
)
from fieldline.pipeline.imagery.radiometry import baseline_of, baseline_order, radiometry_of
from fieldline.pipeline.records.errors import ProviderError, UserError
from tests.pipeline.imagery.tiny_archive import TinyScene, write_archive


def document(**assets: Any) -> dict[str, Any]:
    return {
        "id": "one",
        "geometry": {"type": "Point", "coordinates": [11.0, 48.0]},
        "properties": {"datetime": "2021-05-10T10:00:00Z"},
        "assets": assets,
    }


def test_items_of_a_collection_are_found_and_read(tmp_path: Path) -> None:
    scenes = [TinyScene("a", {"B04": [[1]]}), TinyScene("b", {"B04": [[1]]})]
    catalog = write_archive(tmp_path, scenes)
    items = [parse_item(read_document(href)) for href in item_hrefs(catalog, "tiny")]
    assert [item.id for item in items] == ["a", "b"]
    asset = items[0].find("B04")
    assert asset is not None
    assert Path(asset.href) == tmp_path / "files" / "a_B04.tif"


def test_unknown_collection_names_the_known_ones(tmp_path: Path) -> None:
    catalog = write_archive(tmp_path, [TinyScene("a", {"B04": [[1]]})])
    with pytest.raises(UserError, match=r"\['tiny'\]"):
        list(item_hrefs(catalog, "other"))


@pytest.mark.parametrize("text", [None, "not json", '{"type": "Something"}', "[1]"])
def test_a_file_that_is_no_catalog_is_a_user_error(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "catalog.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=r"catalog\.json"):
        list(item_hrefs(path, "tiny"))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"type": "Feature"}', "<html>busy</html>"])
def test_a_broken_item_is_a_provider_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "item.json"
    path.write_text(text)
    with pytest.raises(ProviderError):
        read_document(str(path))


@pytest.mark.parametrize(
    ("assets", "band", "expected"),
    [
        ({"B04": {"href": "x"}}, "B04", "B04"),
        ({"red": {"href": "x"}}, "B04", "red"),
        ({"r": {"href": "x", "eo:bands": [{"name": "B04"}]}}, "B04", "r"),
        ({"r": {"href": "x", "bands": [{"eo:common_name": "red"}]}}, "B04", "r"),
        ({"nir": {"href": "x"}, "nir08": {"href": "y"}}, "B8A", "nir08"),
        ({"scl": {"href": "x"}}, "SCL", "scl"),
        ({"B03": {"href": "x"}}, "B04", None),
    ],
)
def test_bands_are_found_by_key_alias_or_stated_name(
    assets: dict[str, Any], band: str, expected: str | None
) -> None:
    found = parse_item(document(**assets)).find(band)
    assert (found.key if found else None) == expected


def test_a_name_shared_by_two_assets_says_nothing() -> None:
    shared = [{"name": "B04"}]
    item = parse_item(
        document(a={"href": "x", "eo:bands": shared}, b={"href": "y", "eo:bands": shared})
    )
    assert item.find("B04") is None


@pytest.mark.parametrize(
    ("asset", "expected"),
    [
        ({"raster:bands": [{"scale": 1e-4, "offset": -0.1, "nodata": 0}]}, (1e-4, -0.1, 0.0)),
        ({"bands": [{"raster:scale": 1e-4, "raster:offset": 0, "nodata": 0}]}, (1e-4, 0.0, 0.0)),
        ({"raster:scale": 2e-5, "raster:offset": -0.2}, (2e-5, -0.2, None)),
        ({"raster:bands": [{"nodata": 0}]}, (None, None, 0.0)),
        ({}, (None, None, None)),
    ],
)
def test_radiometry_in_every_spelling(asset: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = radiometry_of(asset)
    assert (found.scale, found.offset, found.nodata) == expected


def test_baselines_sort_by_number_with_unknown_first() -> None:
    names = ["05.10", None, "02.14", "05.09", "99.99", "04.00"]
    found = sorted(names, key=baseline_order)
    assert found == [None, "99.99", "02.14", "04.00", "05.09", "05.10"]
    assert baseline_of({"s2:processing_baseline": "05.10"}) == "05.10"
    assert baseline_of({}) is None


def test_a_composite_is_known_only_after_its_last_day() -> None:
    composite = document()
    composite["properties"] |= {"end_datetime": "2021-06-01T00:00:00Z"}
    assert known_since(composite).date() == dt.date(2021, 6, 1)
    composite["properties"] |= {"published": "2022-01-01T00:00:00Z"}
    assert known_since(composite).date() == dt.date(2022, 1, 1)


def test_addresses_are_kept_relative_to_the_artifact(tmp_path: Path) -> None:
    file = tmp_path / "archive" / "a.tif"
    assert relative_href(str(file), tmp_path / "results") == "../archive/a.tif"
    assert relative_href("https://host/a.tif", tmp_path) == "https://host/a.tif"
    kept = parse_item(document(B04={"href": "../archive/a.tif"}), tmp_path / "results")
    assert Path(kept.assets["B04"].href) == file
