from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import pytest

from fieldline.pipeline.imagery.archive import item_id, parse_item
from fieldline.pipeline.imagery.fields import FieldError
from tests.pipeline.imagery.tiny_archive import TinyScene, read_all, write_archive

SQUARE = [[[11.0, 48.0], [12.0, 48.0], [12.0, 49.0], [11.0, 49.0], [11.0, 48.0]]]
RED = {"href": "x", "raster:bands": [{"scale": 1e-4, "offset": 0}]}


def document(**assets: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": "one",
        "geometry": {"type": "Polygon", "coordinates": SQUARE},
        "properties": {"datetime": "2021-05-10T10:00:00Z"},
        "assets": assets,
    }


def stating(place: str, value: Any) -> dict[str, Any]:
    """Return a document with one value put into a place such as `properties.datetime`."""
    item = document(B04=RED)
    *folders, name = place.split("/")
    inside = item
    for folder in folders:
        inside = inside[folder]
    inside[name] = value
    return item


def without(place: str) -> dict[str, Any]:
    item = document(B04=RED)
    *folders, name = place.split("/")
    inside = item
    for folder in folders:
        inside = inside[folder]
    del inside[name]
    return item


def test_items_of_a_collection_are_found_and_read(tmp_path: Path) -> None:
    scenes = [TinyScene("a", {"B04": [[1]]}), TinyScene("b", {"B04": [[1]]})]
    items = read_all(write_archive(tmp_path, scenes))
    assert [item.id for item in items] == ["a", "b"]
    asset = items[0].find("B04")
    assert asset is not None
    assert Path(asset.href) == tmp_path / "files" / "a_B04.tif"


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ("type", "FeatureCollection", "not_an_item"),
        ("id", "", "not_a_readable_text"),
        ("id", None, "missing"),
        ("id", ["one"], "not_a_text"),
        ("id", "half \ud800", "not_a_readable_text"),
        ("properties", None, "missing"),
        ("properties", [], "not_an_object"),
        ("assets", None, "missing"),
        ("assets", "B04.tif", "not_an_object"),
        ("geometry", None, "missing"),
        ("geometry", "POLYGON", "not_a_geometry"),
        ("geometry", {"type": "Polygon"}, "not_a_geometry"),
        ("geometry", {"type": "Polygon", "coordinates": None}, "no_area"),
        ("geometry", {"type": "Polygon", "coordinates": [[["a", "b"]] * 4]}, "not_a_geometry"),
        ("geometry", {"type": "Polygon", "coordinates": []}, "no_area"),
        ("geometry", {"type": "Polygon", "coordinates": [[[11, 48]] * 4]}, "no_area"),
        ("geometry", {"type": "Point", "coordinates": [11, 48]}, "not_a_polygon"),
        ("geometry", {"type": "LineString", "coordinates": [[11, 48], [12, 48]]}, "not_a_polygon"),
        (
            "geometry",
            {"type": "Polygon", "coordinates": [[[11, 48], [12, math.nan], [12, 49], [11, 48]]]},
            "not_numbers",
        ),
        (
            "geometry",
            {"type": "Polygon", "coordinates": [[[6e5, 5e6], [7e5, 5e6], [7e5, 6e6], [6e5, 5e6]]]},
            "not_in_degrees",
        ),
        ("bbox", [12, 48, 11, 49], "reversed"),
        ("bbox", [11, 49, 12, 48], "reversed"),
        ("bbox", [48, 11, 49, 12], "beside_the_geometry"),
        ("bbox", [11, 48, 12], "not_4_or_6_numbers"),
        ("bbox", ["11", 48, 12, 49], "not_numbers"),
        ("properties/datetime", None, "missing"),
        ("properties/datetime", "2021-02-30T10:00:00Z", "not_a_datetime"),
        ("properties/datetime", "10/05/2021", "not_a_datetime"),
        ("properties/datetime", "0001-01-01T00:00:00+08:00", "not_a_datetime"),
        ("properties/datetime", "9999-12-31T23:00:00Z", "not_a_datetime"),
        ("properties/datetime", 20210510, "not_a_datetime"),
        ("properties/datetime", ["2021-05-10T10:00:00Z"], "not_a_datetime"),
        ("properties/published", "10/05/2021", "not_a_datetime"),
        ("properties/created", "soon", "not_a_datetime"),
        ("properties/updated", 0, "not_a_datetime"),
        ("properties/end_datetime", "2021-13-01T00:00:00Z", "not_a_datetime"),
        ("properties/s2:generation_time", {}, "not_a_datetime"),
        ("properties/eo:cloud_cover", "N/A", "not_a_number"),
        ("properties/eo:cloud_cover", "12.5", "not_a_number"),
        ("properties/eo:cloud_cover", True, "not_a_number"),
        ("properties/eo:cloud_cover", math.nan, "not_a_number"),
        ("properties/eo:cloud_cover", 10**400, "not_a_number"),
        ("properties/eo:cloud_cover", [3], "not_a_number"),
        ("properties/eo:cloud_cover", 101, "not_in_0..100"),
        ("properties/eo:cloud_cover", -1, "not_in_0..100"),
        ("properties/s2:processing_baseline", [], "not_a_text"),
        ("properties/earthsearch:boa_offset_applied", "true", "not_true_or_false"),
        ("properties/proj:transform", [], "not_6_or_9_numbers"),
        ("properties/proj:transform", [10, 0, None, 0, -10, 0], "not_numbers"),
        ("properties/proj:transform", "10,0,0", "not_a_list"),
        ("properties/proj:shape", [0, 8], "not_positive"),
        ("properties/proj:epsg", "32632", "not_a_number"),
        ("properties/proj:code", 32632, "not_a_text"),
    ],
)  # fmt: skip
def test_one_wrong_value_is_named_by_its_field(place: str, value: Any, reason: str) -> None:
    with pytest.raises(FieldError) as caught:
        parse_item(stating(place, value))
    assert (caught.value.field, caught.value.reason) == (place.replace("/", "."), reason)


@pytest.mark.parametrize("place", ["id", "properties", "assets", "geometry", "properties/datetime"])
def test_a_field_that_must_be_there_is_named_where_it_is_not(place: str) -> None:
    with pytest.raises(FieldError, match="missing") as caught:
        parse_item(without(place))
    assert caught.value.field == place.replace("/", ".")


@pytest.mark.parametrize("nothing", [None, 7, "x", [], [{}]])
def test_what_is_no_object_is_no_item(nothing: Any) -> None:
    with pytest.raises(FieldError, match="not_an_object"):
        parse_item(nothing)


def test_two_spellings_of_the_projection_must_agree() -> None:
    item = document(B04=RED)
    item["properties"] |= {"proj:epsg": 32632, "proj:code": "EPSG:32632"}
    assert parse_item(item).id == "one"
    item["properties"]["proj:code"] = "EPSG:32650"
    with pytest.raises(FieldError, match="contradicts_proj:epsg_32632"):
        parse_item(item)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("bbox", None),
        ("bbox", [11, 48, 0, 12, 49, 9]),
        ("links", None),
        ("links", "none"),
        ("stac_version", None),
        ("properties/eo:cloud_cover", None),
        ("properties/proj:transform", None),
        ("properties/proj:epsg", None),
        ("properties/published", None),
        ("properties/platform", {"not": "needed"}),
        ("properties/instruments", "msi"),
        ("assets/thumbnail", None),
    ],
)
def test_what_is_null_or_not_needed_does_no_harm(place: str, value: Any) -> None:
    assert parse_item(stating(place, value)).id == "one"


@pytest.mark.parametrize(
    ("stated", "hour"),
    [
        ("2021-05-10T10:00:00Z", 10),
        ("2021-05-10T18:00:00+08:00", 10),
        ("2021-05-10T10:00:00", 10),
        ("2021-05-10T10:00:00.123456789Z", 10),
        ("2021-05-10", 0),
    ],
)
def test_times_are_read_in_every_iso_form_and_without_a_zone_as_utc(stated: str, hour: int) -> None:
    moment = parse_item(stating("properties/datetime", stated)).datetime.replace(microsecond=0)
    assert moment == dt.datetime(2021, 5, 10, hour, tzinfo=dt.UTC)


def test_a_composite_without_a_datetime_counts_from_its_start() -> None:
    item = stating("properties/datetime", None)
    item["properties"] |= {
        "start_datetime": "2021-05-01T00:00:00Z", "end_datetime": "2021-06-01T00:00:00Z",
    }  # fmt: skip
    found = parse_item(item)
    assert found.datetime.date() == dt.date(2021, 5, 1)
    assert found.known_since.date() == dt.date(2021, 6, 1)
    item["properties"]["end_datetime"] = "2021-04-30T00:00:00Z"
    with pytest.raises(FieldError, match=r"end_datetime.*before_start_datetime"):
        parse_item(item)


def test_an_item_is_known_after_its_last_day_and_its_publication() -> None:
    item = stating("properties/end_datetime", "2021-06-01T00:00:00Z")
    assert parse_item(item).known_since.date() == dt.date(2021, 6, 1)
    item["properties"]["published"] = "2022-01-01T00:00:00Z"
    assert parse_item(item).known_since.date() == dt.date(2022, 1, 1)


def test_a_footprint_that_crosses_itself_is_mended() -> None:
    bow = [[[11, 48], [12, 49], [12, 48], [11, 49], [11, 48]]]
    found = parse_item(stating("geometry", {"type": "Polygon", "coordinates": bow})).footprint
    assert found.is_valid
    assert found.area == pytest.approx(0.5)


def test_a_bbox_over_the_antimeridian_is_not_reversed() -> None:
    ring = [[[179, 0], [180, 0], [180, 1], [179, 1], [179, 0]]]
    item = stating("geometry", {"type": "Polygon", "coordinates": ring})
    item["bbox"] = [179, 0, -179, 1]
    assert parse_item(item).id == "one"


def test_a_number_may_be_an_id() -> None:
    assert item_id({"id": 7}) == "7"


@pytest.mark.parametrize(
    ("asset", "field", "reason"),
    [
        ({"raster:bands": [RED]}, "href", "missing"),
        ({"href": None}, "href", "missing"),
        ({"href": 7}, "href", "not_a_text"),
        ({"href": " "}, "href", "not_a_readable_text"),
        ({"href": "a\x00.tif"}, "href", "not_a_readable_text"),
        ({**RED, "raster:bands": [None]}, "raster:bands.0", "not_an_object"),
        ({**RED, "raster:bands": "none"}, "raster:bands", "not_a_list"),
        ({**RED, "raster:bands": [{}, {}]}, "raster:bands", "not_one_band"),
        ({**RED, "eo:bands": [{}, {}]}, "eo:bands", "not_one_band"),
        ({**RED, "eo:bands": ["B04"]}, "eo:bands.0", "not_an_object"),
        ({**RED, "eo:bands": [{"name": 4}]}, "eo:bands.0.name", "not_a_text"),
        ({**RED, "bands": 1}, "bands", "not_a_list"),
    ],
)
def test_what_is_wrong_with_an_asset_is_kept_with_it(
    asset: dict[str, Any], field: str, reason: str
) -> None:
    found = parse_item(document(B04=asset)).find("B04")
    assert found is not None
    assert found.fault is not None
    assert (found.fault.field, found.fault.reason) == (f"assets.B04.{field}", reason)


def test_a_wrong_asset_is_still_found_by_its_stated_name() -> None:
    asset = {"href": "x", "eo:bands": [{"name": "B04"}], "raster:bands": [None]}
    found = parse_item(document(r=asset)).find("B04")
    assert found is not None
    assert found.fault is not None


@pytest.mark.parametrize(
    ("assets", "band", "expected"),
    [
        ({"B04": {"href": "x"}}, "B04", "B04"),
        ({"red": {"href": "x"}}, "B04", "red"),
        ({"B4": {"href": "x"}}, "B04", "B4"),
        ({"b04": {"href": "x"}}, "B04", "b04"),
        ({"B04_60m": {"href": "x"}, "B04_10m": {"href": "y"}}, "B04", "B04_10m"),
        ({"SCL_20m": {"href": "x"}}, "SCL", "SCL_20m"),
        ({"B8A_20m": {"href": "x"}}, "B8A", "B8A_20m"),
        ({"B8A": {"href": "x"}}, "B08", None),
        ({"r": {"href": "x", "eo:bands": [{"name": "B04"}]}}, "B04", "r"),
        ({"r": {"href": "x", "eo:bands": [{"name": "B4"}]}}, "B04", "r"),
        ({"r": {"href": "x", "bands": [{"eo:common_name": "red"}]}}, "B04", "r"),
        ({"nir": {"href": "x"}, "nir08": {"href": "y"}}, "B8A", "nir08"),
        ({"scl": {"href": "x"}}, "SCL", "scl"),
        ({"B03": {"href": "x"}}, "B04", None),
        # near infrared of Landsat, not Sentinel-2's red edge
        ({"B5": {"href": "x", "eo:bands": [{"name": "B5", "common_name": "nir08"}]}}, "B05", None),
        ({"B4": {"href": "x", "eo:bands": [{"name": "B4", "common_name": "red"}]}}, "B04", "B4"),
        # one file of three bands is none of them
        ({"all": {"href": "x", "eo:bands": [{"name": "B02"}, {"name": "B04"}]}}, "B04", None),
        # both colour and original under one name: the asset called red is meant
        (
            {
                "red": {"href": "x", "eo:bands": [{"common_name": "red"}]},
                "red-jp2": {"href": "y", "eo:bands": [{"common_name": "red"}]},
            },
            "B04",
            "red",
        ),
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


def test_bands_numbered_as_before_stac_0_9_are_found() -> None:
    item = document(r={"href": "x", "eo:bands": [1]})
    item["properties"]["eo:bands"] = [{"name": "B03"}, {"name": "B04"}]
    found = parse_item(item).find("B04")
    assert found is not None
    assert found.key == "r"


def test_the_newest_is_told_by_its_pixels_then_baseline_then_document() -> None:
    def order(**properties: Any) -> Any:
        item = document(B04=RED)
        item["properties"] |= {key.replace("__", ":"): value for key, value in properties.items()}
        return parse_item(item).versions.order

    old, new = "2022-01-01T00:00:00Z", "2023-01-01T00:00:00Z"
    assert order(processing__datetime=old) < order(processing__datetime=new)
    assert order(s2__generation_time=old) < order(processing__datetime=new)
    assert order(s2__processing_baseline="02.14") < order(s2__processing_baseline="05.10")
    assert order(updated=old) < order(updated=new)
    reprocessed = order(s2__processing_baseline="05.10", updated=old)
    assert order(s2__processing_baseline="02.14", updated=new) < reprocessed


def test_addresses_start_from_the_folder_given(tmp_path: Path) -> None:
    kept = parse_item(document(B04={"href": "../archive/a.tif"}), tmp_path / "results")
    assert Path(kept.assets["B04"].href) == tmp_path / "archive" / "a.tif"
