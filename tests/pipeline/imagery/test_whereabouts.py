"""Results that moved away from their scenes: told before a date counts as lost."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from fieldline.pipeline.imagery.scene_days import read_scene_days
from fieldline.pipeline.imagery.whereabouts import need_some_file
from fieldline.pipeline.records.errors import UserError
from tests.pipeline.imagery.choosing import RED, choose
from tests.pipeline.imagery.tiny_archive import TinyScene


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return choose(tmp_path, [TinyScene("a", RED), TinyScene("b", RED)])


def test_scenes_where_they_were_pass_and_one_of_them_is_enough(table: Path) -> None:
    need_some_file(read_scene_days(table), table)
    (day,) = read_scene_days(table)
    Path(day.items[0].assets["B04"].href).unlink()
    need_some_file(read_scene_days(table), table)


def test_results_moved_away_from_their_scenes_are_told_with_a_file_that_is_not_there(
    table: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "another" / "place" / table.name
    moved.parent.mkdir(parents=True)
    shutil.copy(table, moved)
    with pytest.raises(UserError, match=r"none of the \d+ files .* is there, such as .*B04"):
        need_some_file(read_scene_days(moved), moved)


def test_what_lies_at_a_provider_is_not_asked_for(table: Path) -> None:
    (day,) = read_scene_days(table)
    asset = day.items[0].assets["B04"]
    far = dataclasses.replace(asset, href="https://archive.invalid/B04.tif")
    item = dataclasses.replace(day.items[0], assets={"B04": far})
    need_some_file([dataclasses.replace(day, items=(item,))], table)


def test_no_scenes_are_none_that_are_lost(table: Path) -> None:
    need_some_file([], table)
