"""What a results folder holds, and what is said of one half written or of another version."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from fieldline.desk.app.places import NotHereError, Place, Shelf, StageName
from fieldline.pipeline.records.errors import UserError

STAGES = tuple(StageName(name, name.title()) for name in ("intake", "scenes", "observe"))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    for place in ("2023/A", "2024/A", "2024/B"):
        folder = tmp_path / place
        (folder / "outcomes").mkdir(parents=True)
        pd.DataFrame({"parcel_id": ["p1"]}).to_parquet(folder / "parcels.parquet")
    (tmp_path / "2024" / "empty").mkdir()
    (tmp_path / "2024" / "A" / "outcomes" / "intake.parquet").touch()
    return Shelf(tmp_path, STAGES, {"A": "Aland"})


def test_a_county_is_there_from_the_moment_its_parcels_are_read(shelf: Shelf) -> None:
    assert [(p.key, p.title) for p in shelf.places()] == [
        ("2024/B", "B"), ("2024/A", "Aland"), ("2023/A", "Aland"),
    ]  # fmt: skip


def test_a_running_county_says_what_comes_next(shelf: Shelf) -> None:
    place = shelf.place("2024", "A")
    assert [stage.name for stage in place.done()] == ["intake"]
    following = place.next_stage()
    assert following is not None
    assert following.title == "Scenes"


@pytest.mark.parametrize(
    ("season", "county"),
    [("2024", "empty"), ("..", "2024"), ("2024/A", ""), ("2024", "../2023/A"), ("", "A")],
)
def test_a_name_that_was_not_found_is_never_a_path(shelf: Shelf, season: str, county: str) -> None:
    with pytest.raises(NotHereError, match="hold no county"):
        shelf.place(season, county)


def test_a_half_written_table_is_one_sentence(shelf: Shelf) -> None:
    place = shelf.place("2024", "A")
    whole = place.path("parcels").read_bytes()
    place.path("crops").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"crops\.parquet is half written.*run the county again"):
        place.table("crops", ["parcel_id"])


def test_a_table_of_another_version_names_the_column_it_lacks(shelf: Shelf) -> None:
    with pytest.raises(UserError, match="no column 'farmer_id': it was made by another version"):
        shelf.place("2024", "A").table("parcels", ["parcel_id", "farmer_id"])


def test_a_table_that_is_not_there_has_no_row_of_anything(shelf: Shelf) -> None:
    assert shelf.place("2024", "A").record("crops", "parcel_id", "p1") is None


def test_the_version_changes_with_the_files_alone(shelf: Shelf) -> None:
    place: Place = shelf.place("2024", "A")
    before = place.version(["parcels", "crops"])
    assert place.version(["crops", "parcels"]) == before
    pd.DataFrame({"parcel_id": ["p1", "p2"]}).to_parquet(place.path("crops"))
    assert place.version(["parcels", "crops"]) != before
