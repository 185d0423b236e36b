from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyarrow.parquet as pq
import pytest
from shapely.geometry import box

from fieldline.pipeline.imagery.archive import SceneItem
from fieldline.pipeline.imagery.area import ParcelArea
from fieldline.pipeline.imagery.scene_days import group_by_solar_day, read_scene_days, solar_day
from fieldline.pipeline.imagery.settings import MaskSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.choosing import RED, choose, choose_from, outcomes
from tests.pipeline.imagery.tiny_archive import (
    SEASON,
    TinyScene,
    write_archive,
)


def test_every_item_gets_one_outcome(tmp_path: Path) -> None:
    scenes = [
        TinyScene("good", RED, properties={"eo:cloud_cover": 10.0}),
        TinyScene("early", RED, day=dt.date(2021, 2, 28)),
        TinyScene("late", RED, day=dt.date(2021, 10, 1)),
        TinyScene("cloudy", RED, properties={"eo:cloud_cover": 90.0}),
        TinyScene("elsewhere", RED, corner=(700_000.0, 5_340_000.0)),
        TinyScene("blue_only", {"B02": [[1]]}),
        TinyScene("silent", RED, radiometry={"nodata": 0}),
        TinyScene("no_words", RED, radiometry=None),
    ]
    out = choose(tmp_path, scenes, max_cloud_percent=80)
    assert outcomes(tmp_path) == {
        "good": "ok",
        "early": "scene_outside_season",
        "late": "scene_outside_season",
        "cloudy": "scene_too_cloudy",
        "elsewhere": "scene_outside_county",
        "blue_only": "scene_missing_band",
        "silent": "scene_no_radiometry",
        "no_words": "scene_no_radiometry",
    }
    assert [day.scene_id for day in read_scene_days(out)] == ["good"]


def test_nothing_known_after_the_as_of_date_is_used(tmp_path: Path) -> None:
    season = Season(start=SEASON.start, end=SEASON.end, as_of=dt.date(2021, 6, 1))
    scenes = [
        TinyScene("before", RED, day=dt.date(2021, 5, 30)),
        TinyScene("planted_future", RED, day=dt.date(2021, 6, 2)),
        TinyScene(
            "composite",
            RED,
            day=dt.date(2021, 5, 15),
            properties={
                "start_datetime": "2021-04-20T00:00:00Z",
                "end_datetime": "2021-06-06T00:00:00Z",
            },
        ),
    ]
    out = choose(tmp_path, scenes, season)
    assert outcomes(tmp_path)["planted_future"] == "scene_after_as_of"
    assert outcomes(tmp_path)["composite"] == "scene_after_as_of"
    assert [day.scene_id for day in read_scene_days(out)] == ["before"]


def test_configured_defaults_stand_in_for_silent_metadata(tmp_path: Path) -> None:
    shifted = {"B04": [[1500, 1600], [1700, 1800]]}
    scenes = [TinyScene("silent", shifted, radiometry={"nodata": 0})]
    out = choose(tmp_path, scenes, default_scale=1e-4, default_offset=-0.1)
    radiometry = read_scene_days(out)[0].items[0].assets["B04"].radiometry
    assert (radiometry.scale, radiometry.offset) == (1e-4, -0.1)


def test_a_missing_mask_asset_is_a_missing_band(tmp_path: Path) -> None:
    choose(tmp_path, [TinyScene("bare", RED)], mask=MaskSettings(kind="scl"))
    assert outcomes(tmp_path) == {"bare": "scene_missing_band"}


def test_a_broken_document_costs_one_scene(tmp_path: Path) -> None:
    catalog = write_archive(tmp_path / "archive", [TinyScene("good", RED), TinyScene("bad", RED)])
    (tmp_path / "archive" / "tiny" / "bad" / "bad.json").write_text("<html>503</html>")
    out = choose_from(tmp_path, catalog)
    assert outcomes(tmp_path) == {"good": "ok", "bad.json": "scene_invalid_item"}
    assert len(read_scene_days(out)) == 1


def test_an_item_listed_twice_counts_once(tmp_path: Path) -> None:
    catalog = write_archive(tmp_path / "archive", [TinyScene("a", RED), TinyScene("b", RED)])
    folder = tmp_path / "archive" / "tiny"
    text = (folder / "b" / "b.json").read_text().replace('"id": "b"', '"id": "a"')
    (folder / "b" / "b.json").write_text(text)
    out = choose_from(tmp_path, catalog)
    assert outcomes(tmp_path) == {"a": "ok", "a#2": "scene_duplicate"}
    assert read_scene_days(out)[0].scene_id == "a"


def test_no_scene_is_an_empty_table_not_a_failure(tmp_path: Path) -> None:
    out = choose(tmp_path, [TinyScene("late", RED, day=dt.date(2021, 12, 1))])
    assert read_scene_days(out) == []
    with pytest.raises(UserError, match="run the scenes stage"):
        read_scene_days(tmp_path / "absent.parquet")


def test_a_day_is_ordered_by_baseline_then_cloud_then_id(tmp_path: Path) -> None:
    def scene(name: str, baseline: str | None, cloud: float, hour: int = 10) -> TinyScene:
        stated = {} if baseline is None else {"s2:processing_baseline": baseline}
        return TinyScene(name, RED, hour=hour, properties={"eo:cloud_cover": cloud, **stated})

    scenes = [
        scene("unknown", None, 0.0),
        scene("old", "02.14", 0.0, hour=9),
        scene("new_cloudy", "05.10", 50.0),
        scene("new_b", "05.10", 5.0),
        scene("new_a", "05.10", 5.0),
        scene("newish", "05.09", 0.0),
    ]
    (day,) = read_scene_days(choose(tmp_path, scenes))
    assert day.scene_id == "new_a+new_b+new_cloudy+newish+old+unknown"
    assert day.datetime.hour == 9
    assert day.without("new_a").scene_id.startswith("new_b+")


def test_solar_days_follow_the_sun_not_utc() -> None:
    evening = dt.datetime(2021, 5, 10, 22, 30, tzinfo=dt.UTC)
    assert solar_day(evening, 0.0) == dt.date(2021, 5, 10)
    assert solar_day(evening, 105.0) == dt.date(2021, 5, 11)
    assert solar_day(dt.datetime(2021, 5, 10, 2, tzinfo=dt.UTC), -90.0) == dt.date(2021, 5, 9)


def test_the_artifact_does_not_know_where_it_lies(tmp_path: Path) -> None:
    """The same archive and results, moved as a whole, give the same bytes and still open."""
    scenes = [TinyScene("a", RED), TinyScene("b", RED, day=dt.date(2021, 6, 1))]
    first = choose(tmp_path / "one", scenes)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    moved = tmp_path / "two" / "results" / "scenes.parquet"
    before = moved.read_bytes()
    again = choose_from(tmp_path / "two", tmp_path / "two" / "archive" / "catalog.json")
    assert again.read_bytes() == before == first.read_bytes()
    href = read_scene_days(moved)[0].items[0].assets["B04"].href
    assert Path(href).is_relative_to(tmp_path / "two")
    assert Path(href).exists()


def test_the_first_and_last_day_and_the_as_of_day_itself_count(tmp_path: Path) -> None:
    scenes = [TinyScene("first", RED, day=SEASON.start), TinyScene("last", RED, day=SEASON.end)]
    choose(tmp_path, scenes)
    assert outcomes(tmp_path) == {"first": "ok", "last": "ok"}
    early = Season(start=SEASON.start, end=SEASON.end, as_of=dt.date(2021, 6, 1))
    known = [
        TinyScene("today", RED, day=dt.date(2021, 6, 1), hour=23),
        TinyScene("tomorrow", RED, day=dt.date(2021, 6, 2), hour=0),
    ]
    choose(tmp_path / "early", known, early)
    assert outcomes(tmp_path / "early") == {"today": "ok", "tomorrow": "scene_after_as_of"}


def test_the_cloud_limit_itself_and_an_unknown_cloud_pass(tmp_path: Path) -> None:
    scenes = [
        TinyScene("at", RED, properties={"eo:cloud_cover": 80.0}),
        TinyScene("above", RED, properties={"eo:cloud_cover": 80.1}),
        TinyScene("unknown", RED),
    ]
    choose(tmp_path, scenes, max_cloud_percent=80)
    assert outcomes(tmp_path) == {"at": "ok", "above": "scene_too_cloudy", "unknown": "ok"}


def test_an_outcome_tells_its_numbers(tmp_path: Path) -> None:
    scenes = [
        TinyScene("early", RED, day=dt.date(2021, 2, 28)),
        TinyScene("blue_only", {"B02": [[1]]}),
        TinyScene("silent", RED, radiometry=None),
    ]
    choose(tmp_path, scenes)
    frame = read_table(tmp_path / "results" / "outcomes.parquet").set_index("parcel_id")
    assert frame["detail"].to_dict() == {
        "blue_only": "bands=B04", "early": "date=2021-02-28", "silent": "bands=B04",
    }  # fmt: skip


def test_every_further_item_of_the_same_name_is_numbered(tmp_path: Path) -> None:
    catalog = write_archive(tmp_path / "archive", [TinyScene(name, RED) for name in "abc"])
    for name in "bc":
        path = tmp_path / "archive" / "tiny" / name / f"{name}.json"
        path.write_text(path.read_text().replace(f'"id": "{name}"', '"id": "a"'))
    choose_from(tmp_path, catalog)
    assert outcomes(tmp_path) == {"a": "ok", "a#2": "scene_duplicate", "a#3": "scene_duplicate"}


def item(name: str, moment: dt.datetime, *, west: float, east: float, **more: Any) -> SceneItem:
    return SceneItem(
        name, moment, box(west, -60, east, 80), cloud_cover=more.get("cloud"), baseline=None,
        assets={}, origin=None,
    )  # fmt: skip


def test_one_longitude_midway_serves_the_whole_county() -> None:
    # from 0 to 180 degrees: 90, six hours ahead
    for hour, day in ((12, 10), (17, 10), (18, 11), (23, 11)):
        moment = dt.datetime(2021, 5, 10, hour, tzinfo=dt.UTC)
        items = [item("a", moment, west=0, east=10), item("b", moment, west=100, east=180)]
        (found,) = group_by_solar_day(items)
        assert found.date == dt.date(2021, 5, day)
        assert found.scene_id == "a+b"
    assert group_by_solar_day([]) == []


def test_days_follow_each_other_and_an_unknown_cloud_is_a_full_one() -> None:
    late, early = (dt.datetime(2021, 5, d, 10, tzinfo=dt.UTC) for d in (20, 10))
    items = [
        item("b", late, west=0, east=1, cloud=100.0),
        item("a", late, west=0, east=1),
        item("c", late, west=0, east=1, cloud=99.0),
        item("d", early, west=0, east=1),
    ]
    assert [day.scene_id for day in group_by_solar_day(items)] == ["d", "c+a+b"]


def test_a_county_lies_at_the_middle_of_its_parcels() -> None:
    parcels = gpd.GeoDataFrame(geometry=[box(10, 40, 12, 41), box(18, 44, 20, 48)], crs=4326)
    assert ParcelArea(parcels).longitude == 15
    assert ParcelArea(parcels).touches(box(11, 40.5, 30, 50))
    assert not ParcelArea(parcels).touches(box(13, 40, 17, 48))
    assert ParcelArea(parcels.iloc[:0]).longitude == 0


def test_chosen_items_are_kept_in_order_of_time_with_their_own_radiometry(tmp_path: Path) -> None:
    words = {"spatial_resolution": 10.0, "scale": 1e-4, "offset": 0.0}
    scenes = [
        TinyScene("a", RED, day=dt.date(2021, 6, 1), radiometry=words),
        TinyScene("b", {**RED, "B08": [[1, 2], [3, 4]]}, day=dt.date(2021, 5, 1), radiometry=words),
    ]
    out = choose(tmp_path, scenes, default_offset=-0.1)
    table = pq.read_table(out)
    assert table.column("id").to_pylist() == ["b", "a"]
    band = table.column("assets").to_pylist()[1]["B04"]["raster:bands"]
    assert band == [{"scale": 1e-4, "offset": 0.0}]
    assert set(table.column("assets").to_pylist()[0]) == {"B04"}
    links = table.column("links").to_pylist()[0]
    assert [link["rel"] for link in links] == ["self"]
    assert links[0]["href"] == "../archive/tiny/b/b.json"


def test_a_broken_document_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    catalog = write_archive(tmp_path / "archive", [TinyScene(name, RED) for name in "ab"])
    folder = tmp_path / "archive" / "tiny"
    (folder / "a" / "a.json").write_text("<html>503</html>")
    document = json.loads((folder / "b" / "b.json").read_text())
    document["geometry"] = {"type": "Polygon", "coordinates": []}
    (folder / "b" / "b.json").write_text(json.dumps(document))
    choose_from(tmp_path, catalog)
    frame = read_table(tmp_path / "results" / "outcomes.parquet").set_index("parcel_id")
    assert set(frame["outcome"]) == {"scene_invalid_item"}
    assert frame["detail"].to_dict() == {
        "a.json": "document=tiny/a/a.json reason=not_json",
        "b": 'field=geometry value={"type":_"Polygon",_"coordinates":_[]} reason=no_area '
        "document=tiny/b/b.json",
    }  # fmt: skip


def test_a_real_county_takes_no_simulated_scene(tmp_path: Path) -> None:
    scenes = [
        TinyScene("real", RED),
        TinyScene("made", RED, day=dt.date(2021, 6, 1), properties={"fieldline:simulated": True}),
    ]
    with pytest.raises(UserError, match=r"1 scenes such as made say that they are simulated"):
        choose(tmp_path, scenes)
    assert not (tmp_path / "results" / "scenes.parquet").exists()
    choose(tmp_path, scenes, simulated=True)
    assert outcomes(tmp_path) == {"real": "ok", "made": "ok"}
