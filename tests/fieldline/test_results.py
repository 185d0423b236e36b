"""The public API on a county of two parcels: every figure can be read off the fixture."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

import fieldline
from fieldline import County, Trace, UserError
from fieldline.decisions import with_units


@pytest.fixture
def county(results: Path) -> County:
    return fieldline.open(results).county("C1", season=2024)


def test_importing_fieldline_loads_no_library() -> None:
    code = "import fieldline, sys; print({'pandas', 'numpy', 'pyarrow'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_every_public_name_can_be_found_and_used() -> None:
    names = [name for name in dir(fieldline) if not name.startswith("_")]
    assert {"open", "open_county", "replay", "County", "Parcel", "UserError"} <= set(names)
    assert all(getattr(fieldline, name) is not None for name in names)
    assert fieldline.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="has no attribute 'opne'"):
        fieldline.opne  # type: ignore[attr-defined]  # noqa: B018


def test_results_list_seasons_and_counties(results: Path) -> None:
    counties = fieldline.open(results).counties
    assert counties.to_dict("list") == {
        "season": ["2023", "2024"],
        "county": ["C1", "C1"],
        "parcels": [2, 2],
        "decided": [False, True],
        "simulated": [None, None],
    }


def test_the_one_decided_season_needs_no_name(results: Path) -> None:
    assert fieldline.open(results).county("C1").season == "2024"
    shutil.rmtree(results / "2024")
    assert fieldline.open(results).county("C1").season == "2023"


def test_several_seasons_want_a_name(results: Path) -> None:
    shutil.copytree(results / "2024", results / "2025")
    with pytest.raises(UserError, match="holds the seasons 2024, 2025 of C1"):
        fieldline.open(results).county("C1")


def test_a_county_opens_by_its_own_folder(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(results / "2024" / "C1")
    county = fieldline.open_county(".")
    assert (county.id, county.season) == ("C1", "2024")


def test_parcels_are_a_map_in_lon_lat(county: County) -> None:
    parcels = county.parcels
    assert list(parcels["parcel_id"]) == ["a", "b"]
    assert parcels.crs.to_epsg() == 4326
    assert tuple(parcels.total_bounds.round(6)) == (115.0, 33.0, 115.003, 33.001)


def test_observations_carry_indices_and_clear_dates(county: County) -> None:
    seen = county.parcel("a").observations
    # (0.4 - 0.1) / (0.4 + 0.1) = 0.6; (0.3 - 0.2) / (0.3 + 0.2) = 0.2, but only 40 % was clear
    assert seen["NDVI"].round(6).tolist()[:2] == [0.6, 0.2]
    assert pd.isna(seen["NDVI"].iloc[2])
    assert seen["clear"].tolist() == [True, False, False]
    assert [str(day) for day in seen["datetime"].dt.date] == [
        "2024-05-01",
        "2024-05-06",
        "2024-05-11",
    ]
    assert county.parcel("b").observations["NDVI"].round(6).tolist() == [0.0, 0.5, 0.8]


def test_one_parcel_is_read_without_the_others(county: County) -> None:
    path = county.folder / "observations.parquet"
    other = pq.read_metadata(path).row_group(1)
    first = min(other.column(k).dictionary_page_offset or 1e9 for k in range(other.num_columns))
    content = bytearray(path.read_bytes())
    content[first : first + other.column(0).total_compressed_size] = bytes(
        other.column(0).total_compressed_size
    )
    path.write_bytes(content)
    with pytest.raises(OSError):  # noqa: PT011  the other parcel's rows are spoilt
        pq.read_table(path)
    assert len(county.parcel("a").observations) == 3


def test_the_curve_has_its_dates(county: County) -> None:
    curve = county.parcel("a").curve
    assert curve["date"].dt.strftime("%m-%d").tolist() == ["05-01", "05-06", "05-11"]
    assert curve["ndvi"].tolist() == [0.25, 0.5, 0.75]
    assert county.parcel("a").phenology.to_dict() == {
        "sos": None,
        "pos": dt.date(2024, 5, 11),
        "eos": None,
        "harvest_date": None,
    }


def test_a_decision_is_in_currency_units(county: County) -> None:
    decision = county.decision("F1")
    assert decision.limit == Decimal("12300.50")
    assert decision.caps["need"] is None
    assert decision.caps["capacity"] == Decimal("0.01")
    assert decision.caps["policy"] == Decimal(300_000)
    assert decision.currency == "CNY"
    assert decision == county.decision(decision.decision_id) == county.parcel("a").decision
    assert "CNY 12,300.50" in decision._repr_html_()


def test_money_columns_stand_beside_their_minor_units(county: County) -> None:
    frame = county.decisions
    columns = list(frame.columns)
    assert columns.index("limit") == columns.index("limit_minor") + 1
    assert frame["limit"].tolist() == [Decimal("12300.50")]
    assert frame["limit_need"].tolist() == [None]
    assert "trace" not in columns
    assert "limit" not in county.table("decisions").columns


def test_units_keep_what_is_missing_missing() -> None:
    frame = pd.DataFrame({"price_minor": [250.0, None], "currency": ["EUR", "EUR"]}, index=[7, 9])
    assert with_units(frame)["price"].to_dict() == {7: Decimal("2.5"), 9: None}
    assert list(frame.columns) == ["price_minor", "currency"]


def test_a_trace_reads_like_a_dictionary_and_replays(county: County) -> None:
    trace = county.trace("F1")
    assert trace["case"]["farmer_id"] == "F1"
    assert trace.case["parcels"][0]["declared_crop"] == "maize"
    assert trace.decision_id == trace.result["decision_id"] == county.decision("F1").decision_id
    assert fieldline.replay(trace).access == fieldline.replay(trace.text).access == "approve"


def test_a_changed_trace_does_not_replay(county: County) -> None:
    text = county.trace("F1").text.replace('"access":"approve"', '"access":"decline"')
    with pytest.raises(UserError, match="does not replay"):
        fieldline.replay(Trace(text))


def test_other_tables_join_by_parcel_and_by_farmer(county: County) -> None:
    frame = county.join("crops", "decisions").set_index("parcel_id")
    assert frame.loc["a", "crop"] == "maize"
    assert frame.loc["a", "access"] == "approve"
    assert pd.isna(frame.loc["b", "access"])
    assert frame.geometry.notna().all()


def test_what_is_there_is_said(county: County, results: Path) -> None:
    assert "parcels 2" in repr(county)
    assert "1 approve, 0 review, 0 decline as of 2024-09-30" in county._repr_html_()
    assert "scenes none yet" in repr(county)
    assert "observations 3, 1 clear" in repr(county.parcel("a"))
    assert "cannot be told" in repr(county.parcel("b"))
    assert "2023" in repr(fieldline.open(results))
    earlier = fieldline.open(results).county("C1", "2023")
    assert "decisions none (a season kept for its history" in repr(earlier)


def test_outcomes_of_an_unfinished_run_come_from_its_stages(county: County) -> None:
    finished = county.outcomes
    (county.folder / "outcomes.parquet").unlink()
    assert not county.decided
    assert len(finished) == 3
    assert len(county.outcomes) == 4
    assert county.parcel("b").outcomes["outcome"].tolist() == ["too_few_dates"]


MISSING: list[tuple[Callable[[County], Any], str]] = [
    (lambda c: fieldline.open(c.folder / "no"), "is no folder"),
    (lambda c: fieldline.open(c.folder), "open it with fieldline.open_county"),
    (lambda c: fieldline.open(c.folder / "outcomes"), "holds no county"),
    (lambda c: fieldline.open_county(c.folder.parent), "holds no parcels.parquet"),
    (
        lambda c: fieldline.open(c.folder.parents[1]).county("C2"),
        r"give one that is there \('C1'\)",
    ),
    (lambda c: fieldline.open(c.folder.parents[1]).county("C1", "2020"), r"there \(2023, 2024\)"),
    (lambda c: c.parcel("aa"), "no parcel 'aa': did you mean 'a'"),
    (lambda c: c.parcel("zz"), r"give one that is there \('a', 'b'\)"),
    (lambda c: c.parcel("c"), r"refused at intake \(empty_geometry row=3\)"),
    (lambda c: c.decision("F9"), r"no decision under 'F9': give one that is there \('F1'\)"),
    (lambda c: c.trace("F9"), "no decision under 'F9'"),
    (lambda c: c.parcel("b").decision, "farmer F2 of parcel b was not decided"),
    (lambda c: c.parcel("b").curve, r"no row in growth \(grow: too_few_dates clear_dates=3"),
    (lambda c: c.yields, r"has no yields.parquet \(it holds crops, decisions, growth"),
    (lambda c: c.overview(), "has no fields.parquet"),
    (lambda c: c.join("observations"), "has not one row per parcel or farmer"),
    (lambda c: c.to_gis("map.shp"), "end it with .gpkg"),
    (lambda c: c.to_gis(c.folder / "map.gpkg"), "lies inside the results"),
    (lambda c: fieldline.replay("{}"), "is no trace of a decision"),
    (lambda c: fieldline.replay("no json"), "is no trace of a decision"),
]


@pytest.mark.parametrize(("ask", "told"), MISSING, ids=[told[:30] for _, told in MISSING])
def test_what_is_missing_is_told_in_a_sentence(
    county: County, ask: Callable[[County], Any], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        ask(county)
