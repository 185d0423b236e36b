"""The photographs of a county in the account of its inputs: an outcome each, or no word at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest
import yaml

from fieldline.crops.settings import PhotoSettings
from fieldline.pipeline.records.outcomes import Outcome, write_outcomes
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import read_table
from fieldline.workflows.config.load import load_config
from fieldline.workflows.inputs.county_tables import photo_files
from fieldline.workflows.inputs.stage import run_inputs
from fieldline.workflows.inputs.tables import TABLES
from tests.crops.recognise.photos.drawn import SEASON, parcels, photograph


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """One that stands, one elsewhere, one of last year, one that is no file, one of a stranger."""
    photograph(tmp_path / "Wang Fang.jpg")
    photograph(tmp_path / "far.jpg", at=(900.0, 50.0), seed=1)
    photograph(tmp_path / "old.jpg", local="2023:06:15 12:00:00", seed=2)
    photograph(tmp_path / "other.jpg", seed=3)
    path = tmp_path / "photos.csv"
    rows = [
        "地块编号,照片",
        "a,Wang Fang.jpg",
        "a,far.jpg",
        "a,old.jpg",
        "a,none.jpg",
        "z,other.jpg",
    ]
    path.write_bytes("\n".join(rows).encode("gbk"))
    return path


def account(folder: Path, photos: Path | None) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Run the stage on photographs alone; return files, rows and outcomes."""
    write_outcomes([Outcome("intake", name, "") for name in "ab"], folder / "intake.parquet")
    pd.DataFrame({"farmer_id": ["f"]}).to_parquet(folder / "farmers.parquet")
    run_inputs(
        **{name: None for name in TABLES if name != "photos"}, photos=photos,
        parcels=folder / "intake.parquet", farmers=folder / "farmers.parquet",
        outlines=parcels(folder / "parcels.parquet"), season=SEASON, currency="CNY",
        county="T", offer_valid_days=30,
        table_columns={}, layouts={}, privacy=PrivacySettings(), photo_settings=PhotoSettings(),
        out=folder / "inputs.parquet", out_rows=folder / "rows.parquet",
        outcomes=folder / "outcomes.parquet",
    )  # fmt: skip
    names = ("inputs.parquet", "rows.parquet", "outcomes.parquet")
    files, rows, outcomes = (read_table(folder / name) for name in names)
    return files, rows, outcomes


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELDLINE_PSEUDONYM_KEY", hashlib.sha256(b"a key of tests").hexdigest())


def test_each_photo_has_an_outcome_with_its_numbers(table: Path, tmp_path: Path, key: None) -> None:
    files, rows, outcomes = account(tmp_path, table)
    told = outcomes.set_index("parcel_id").loc[lambda t: t.index.str.startswith("photos:")]
    assert told["outcome"].to_dict() == {
        "photos:photos.csv": "input_rows_refused", "photos:photos.csv:1": "ok",
        "photos:photos.csv:2": "photo_elsewhere", "photos:photos.csv:3": "photo_other_season",
        "photos:photos.csv:4": "photo_not_found", "photos:photos.csv:5": "input_unmatched",
    }  # fmt: skip
    assert told.loc["photos:photos.csv:1", "detail"].startswith("distance_m=0 within_m=100")
    assert told.loc["photos:photos.csv:2", "detail"].startswith("distance_m=800 within_m=100")
    assert files[["rows", "used", "refused", "unmatched", "set_aside"]].iloc[0].tolist() == [
        5, 1, 2, 1, 1
    ]  # fmt: skip
    assert rows["code"].tolist() == [
        "photo_elsewhere", "photo_other_season", "photo_not_found", "input_unmatched"
    ]  # fmt: skip


def test_no_file_name_of_a_photo_is_repeated(table: Path, tmp_path: Path, key: None) -> None:
    """People name photographs after people."""
    for frame in account(tmp_path, table):
        text = frame.to_csv()
        assert "Wang" not in text
        assert "far.jpg" not in text


def test_a_county_without_photos_hears_nothing_of_them(tmp_path: Path, key: None) -> None:
    files, rows, outcomes = account(tmp_path, None)
    assert not len(files)
    assert not len(rows)
    absent = {name for name, one in TABLES.items() if not one.optional}
    assert set(outcomes["parcel_id"]) == absent
    assert set(outcomes["outcome"]) == {"input_absent"}


def test_a_changed_photo_is_looked_at_again(table: Path, tmp_path: Path) -> None:
    """Snakemake reruns the stage whose parameters changed; the table itself did not."""
    season = {name: str(day) for name, day in SEASON.model_dump().items()}
    inputs = {"parcels": "p.geojson", "catalog": "stac:earth-search", "photos": str(table)}
    document = {"county": {"C1": {"title": "C1", "inputs": inputs, "seasons": {"2024": season}}}}
    config_file = tmp_path / "county.yaml"

    def files() -> list[str]:
        config_file.write_text(yaml.safe_dump(document))
        return photo_files(load_config([config_file]), "C1", "2024")

    before = files()
    assert [bool(state) for state in before] == [True, True, True, False, True]
    assert files() == before
    photograph(tmp_path / "none.jpg", seed=4)
    assert [a == b for a, b in zip(files(), before, strict=True)] == [True] * 3 + [False, True]
    table.write_text("parcel,nothing\n1,2\n")
    assert "has no column" in files()[0]
    del inputs["photos"]
    assert files() == []
