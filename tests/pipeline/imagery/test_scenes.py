from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import pytest

from fieldline.pipeline.imagery.scenes import read_scene_days, run_scenes, solar_day
from fieldline.pipeline.imagery.settings import MaskSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.tiny_archive import (
    SEASON,
    TinyScene,
    pixel_box,
    scene_settings,
    write_archive,
    write_parcels,
)

RED = {"B04": [[500, 600], [700, 800]]}


def choose(folder: Path, scenes: list[TinyScene], season: Season = SEASON, **changes: Any) -> Path:
    """Run the stage over a tiny archive; return scenes.parquet."""
    catalog = write_archive(folder / "archive", scenes)
    return choose_from(folder, catalog, season, **changes)


def choose_from(folder: Path, catalog: Path, season: Season = SEASON, **changes: Any) -> Path:
    parcels = write_parcels(folder / "parcels.parquet", {"p": pixel_box(0.2, 0.2, 1.4, 1.8)})
    out = folder / "results" / "scenes.parquet"
    run_scenes(
        catalog=catalog,
        parcels=parcels,
        season=season,
        scenes=scene_settings("B04", **changes),
        out=out,
        outcomes=folder / "results" / "outcomes.parquet",
    )
    return out


def outcomes(folder: Path) -> dict[str, str]:
    frame = read_table(folder / "results" / "outcomes.parquet")
    return dict(zip(frame["parcel_id"], frame["outcome"], strict=True))


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
    scenes = [TinyScene("silent", RED, radiometry={"nodata": 0})]
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
