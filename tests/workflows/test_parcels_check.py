"""`fieldline parcels check`: what is wrong first, then totals, then what was read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fieldline.workflows.checks import check_parcels
from tests.pipeline.parcels.bad_parcels import Row, polygon, square, write_geojson


@pytest.fixture
def village(tmp_path: Path) -> Path:
    """Return 30 good rows, 25 without an outline and one with an unknown crop."""
    path = tmp_path / "village.geojson"
    good = [Row(f"good-{i}", "ok", polygon(square(11 + 0.01 * i, 48.05))) for i in range(30)]
    empty = [Row(f"empty-{i}", "empty_geometry", None) for i in range(25)]
    crop = Row("crop", "unknown_crop", polygon(square(11.4, 48.05)), declared_crop="grapefruit")
    write_geojson([*good[:29], crop, *empty, good[29]], path)
    return path


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")


def test_what_is_wrong_comes_first_and_good_rows_not_at_all(
    village: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_parcels([village], [], None, as_json=False, every_row=False) == 3
    lines = shown(capsys)
    rows = [line for line in lines if line[:1].isdigit()]
    assert rows[0].startswith("31 empty-0 empty_geometry")
    assert "Draw the field" in rows[0]
    # 20 of 25 equal ones, then the note; the rest is counted.
    assert [line.split()[1] for line in rows[:21]] == [f"empty-{i}" for i in range(20)] + ["crop"]
    assert not any("good-" in line for line in lines)
    assert "5 more rows of these outcomes: --all shows every row" in lines
    totals = [
        line.split()[:3] for line in lines if line.split()[2:3] in (["stop"], ["continue"], ["ok"])
    ]
    assert totals == [
        ["empty_geometry", "25", "stop"], ["unknown_crop", "1", "continue"], ["ok", "30", "ok"],
    ]  # fmt: skip
    assert lines[-1].startswith("village.geojson: 56 rows, columns parcel_id, farmer_id")
    assert lines[-1].endswith("WGS 84 (EPSG:4326)")


def test_all_shows_every_row(village: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_parcels([village], [], None, as_json=False, every_row=True)
    lines = shown(capsys)
    assert sum("good-" in line for line in lines) == 30
    assert sum("empty-" in line for line in lines) == 25


def test_json_lists_every_row_in_file_order(
    village: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check_parcels([village], [], None, as_json=True, every_row=False)
    rows = json.loads(capsys.readouterr().out)
    assert [row["row"] for row in rows] == list(range(1, 57))
    assert rows[29]["outcome"] == "unknown_crop"


def test_two_files_and_their_countys_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, south in (("dong", 48.05), ("xi", 48.06), ("nan", 48.07)):
        write_geojson([Row("1", "ok", polygon(square(11.0, south)))], tmp_path / f"{name}.geojson")
    (tmp_path / "catalog.json").write_text("{}")
    config = tmp_path / "county.yaml"
    config.write_text(
        """
counties: [C]
seasons: ["2024"]
county:
  C:
    title: C
    inputs:
      parcels: [dong.geojson, xi.geojson, nan.geojson]
      parcel_prefixes: {dong.geojson: D, nan: N}
      catalog: catalog.json
    seasons:
      "2024": {start: 2024-01-01, end: 2024-12-31, as_of: 2024-12-31}
"""
    )
    files = [tmp_path / "dong.geojson", tmp_path / "xi.geojson"]
    assert check_parcels(files, [config], "C", as_json=True, every_row=False) == 0
    assert [row["parcel_id"] for row in json.loads(capsys.readouterr().out)] == ["D1", "1"]
