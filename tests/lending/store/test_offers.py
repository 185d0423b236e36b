from __future__ import annotations

import csv
import io
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import sqlalchemy as sa

from fieldline.lending.settings import PolicySettings
from fieldline.lending.store.database import (
    AUDIT,
    DECISIONS,
    LAND,
    LIVE,
    OFFERS,
    RUNS,
    open_database,
    posting,
    reading,
)
from fieldline.lending.store.forgotten import forget
from fieldline.lending.store.offers import csv_text, offers_csv, queue_csv
from fieldline.lending.store.posting import Shelf, post
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table
from tests.lending.conftest import pseudonym

SHELF = Shelf("T", "2024", "season-line")


@pytest.fixture
def decided(county: Any, loans: Any) -> Any:
    """A county with two approvals, one review and one decline."""
    county.loans = loans
    county.add("a", "ann", width=200)
    county.add("b", "bob", x=1000)
    county.add("c", "cat", x=2000, yield_t_ha=None)
    for farmer in ("ann", "bob", "cat"):
        county.apply(farmer)
    county.refused["eve"] = ["too_cloudy"]
    county.decide()
    return county


def count(engine: sa.Engine, table: sa.Table) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


def test_every_farmer_in_is_a_row_out(decided: Any) -> None:
    database = decided.path("db.sqlite")
    posted = decided.offers(database)
    rows = list(
        csv.DictReader(io.StringIO(decided.path("offers.csv").read_text(encoding="utf-8-sig")))
    )
    assert len(rows) == posted.written == 4
    assert sorted(row["access"] for row in rows) == ["approve", "approve", "decline", "review"]
    for row in rows:
        assert bool(row["limit"]) == bool(row["annual_rate"]) == (row["access"] == "approve")
        assert (row["valid_from"], row["valid_to"]) == ("2024-09-30", "2024-10-30")
    outcomes = read_table(decided.path("outcomes_offers.parquet"))
    assert sorted(outcomes["outcome"]) == ["no_offer", "no_offer", "ok", "ok"]
    queue = list(
        csv.DictReader(io.StringIO(decided.path("queue.csv").read_text(encoding="utf-8-sig")))
    )
    assert [row["reason_codes"] for row in queue] == ["review_not_valued"]


def test_the_parcels_of_a_posting_stand_beside_its_offers(decided: Any) -> None:
    decided.offers(decided.path("db.sqlite"))
    engine = open_database(decided.path("db.sqlite"))
    with reading(engine) as connection:
        rows = connection.execute(sa.select(LAND).order_by(LAND.c.parcel_id)).all()
    engine.dispose()
    drawn = gpd.read_parquet(decided.path("parcels.parquet")).sort_values("parcel_id")
    assert [(row.county, row.season) for row in rows] == [("T", "2024")] * 3
    assert [row.farmer_id for row in rows] == drawn["farmer_id"].tolist()
    kept = shapely.from_wkb([row.outline for row in rows])
    assert shapely.equals_exact(kept, drawn.geometry.array, 0).all()


def test_no_later_posting_enters_the_land_of_an_erased_farmer(decided: Any, tmp_path: Path) -> None:
    vault = tmp_path / "vault.sqlite"
    posted = decided.offers(decided.path("db.sqlite"), vault=vault)
    assert not vault.exists()
    engine = open_database(decided.path("db.sqlite"))
    assert forget(engine, pseudonym("ann")).outlines == 1
    with sqlite3.connect(vault) as register:
        register.execute("CREATE TABLE vault_erased (farmer_id TEXT, erased_at TEXT)")
        register.execute("INSERT INTO vault_erased VALUES (?, '')", [pseudonym("ann")])
    again = decided.offers(decided.path("db.sqlite"), vault=vault)
    with reading(engine) as connection:
        left = set(connection.scalars(sa.select(LAND.c.farmer_id)))
    engine.dispose()
    assert left == {pseudonym("bob"), pseudonym("cat")}
    assert (again.written, again.live) == (0, posted.live)


def test_the_file_equals_the_table(decided: Any) -> None:
    decided.offers(decided.path("db.sqlite"))
    rows = list(
        csv.DictReader(io.StringIO(decided.path("offers.csv").read_text(encoding="utf-8-sig")))
    )
    with sqlite3.connect(decided.path("db.sqlite")) as connection:
        connection.row_factory = sqlite3.Row
        table = connection.execute("SELECT * FROM offers WHERE status = 'live'").fetchall()
    by_id = {row["offer_id"]: row for row in table}
    assert set(by_id) == {row["offer_id"] for row in rows}
    for row in rows:
        stored = by_id[row["offer_id"]]
        for name in ("farmer_id", "access", "reasons", "reasons_zh", "decision_id", "valid_to"):
            assert row[name] == stored[name]
        limit = stored["limit_minor"]
        assert row["limit"] == ("" if limit is None else f"{limit / 100:.2f}")


def test_a_spreadsheet_reads_the_files_as_unicode_and_runs_nothing(decided: Any) -> None:
    for parcel in decided.parcels:
        parcel["village"] = "=HYPERLINK(1)"
    decided.write()
    decided.offers(decided.path("db.sqlite"))
    for name in ("offers.csv", "queue.csv"):
        content = decided.path(name).read_bytes()
        assert content.startswith(b"\xef\xbb\xbf")
        assert content.count(b"\xef\xbb\xbf") == 1
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
        assert {row["village"] for row in rows if row["parcels"]} == {"'=HYPERLINK(1)"}


def test_an_offer_tells_where_the_land_lies_and_what_the_county_lacks(
    decided: Any, name_of: Any
) -> None:
    decided.absent = {"weather": "there are no hazard indices", "registry": "nothing is held"}
    decided.offers(decided.path("db.sqlite"))
    first = decided.path("offers.csv").read_text(encoding="utf-8-sig")
    rows = {row["farmer_id"]: row for row in csv.DictReader(io.StringIO(first))}
    own: dict[str, list[Any]] = {}
    for parcel in decided.parcels:
        own.setdefault(name_of(parcel["farmer"]), []).append(parcel)
    for farmer, row in rows.items():
        land = sorted(own.get(farmer, []), key=lambda parcel: parcel["parcel_id"])
        assert row["parcels"] == " | ".join(parcel["parcel_id"] for parcel in land)
        assert row["village"] == ("v" if land else "")
        if land:
            areas = [float(area) for area in row["parcel_areas_m2"].split(" | ")]
            assert len(areas) == len(land)
            assert float(row["area_mu"]) == pytest.approx(sum(areas) * 15 / 10_000, abs=0.006)
            assert float(row["area_ha"]) == pytest.approx(sum(areas) / 10_000, abs=0.00006)
        assert row["absent_inputs"] == (
            "registry: nothing is held | weather: there are no hazard indices"
        )
    # what stands beside an offer is no term of it
    decided.absent = {}
    again = decided.offers(decided.path("db.sqlite"))
    assert (again.written, again.superseded) == (0, 0)


def test_a_rerun_writes_nothing(decided: Any) -> None:
    database = decided.path("db.sqlite")
    decided.offers(database)
    before, bytes_before = (
        decided.path("offers.csv").read_text(encoding="utf-8-sig"),
        database.read_bytes(),
    )
    again = decided.offers(database)
    assert (again.written, again.superseded, again.withdrawn) == (0, 0, 0)
    assert decided.path("offers.csv").read_text(encoding="utf-8-sig") == before
    assert database.read_bytes() == bytes_before


def test_changed_inputs_supersede_and_keep_the_old_offer(decided: Any) -> None:
    database = decided.path("db.sqlite")
    first = decided.offers(database)
    decided.applications[0]["annual_debt_service"] = "500"
    decided.decide()
    changed = decided.offers(database)
    assert (changed.written, changed.superseded) == (1, 1)
    decided.applications[0]["annual_debt_service"] = "0"
    decided.decide()
    back = decided.offers(database)
    assert (back.written, back.superseded) == (1, 1)
    assert [r["offer_id"] for r in back.live] == [r["offer_id"] for r in first.live]
    engine = open_database(database)
    with engine.connect() as connection:
        status = list(connection.scalars(sa.select(OFFERS.c.status).order_by(OFFERS.c.seq)))
    assert status.count(LIVE) == 4
    assert status.count("superseded") == 2
    assert count(engine, RUNS) == 3
    assert verify(engine).problems == ()


def test_a_farmer_who_left_is_withdrawn(decided: Any) -> None:
    engine = open_database(decided.path("db.sqlite"))
    frame = read_table(decided.path("decisions.parquet"))
    post(engine, frame, SHELF, PolicySettings())
    posted = post(engine, frame.iloc[1:], SHELF, PolicySettings())
    assert (posted.written, posted.withdrawn, len(posted.live)) == (0, 1, 3)


def test_two_live_offers_for_one_farmer_cannot_exist(decided: Any) -> None:
    decided.offers(decided.path("db.sqlite"))
    engine = open_database(decided.path("db.sqlite"))
    with engine.connect() as connection:
        row = connection.execute(sa.select(OFFERS).limit(1)).one()._asdict()
    with pytest.raises(sa.exc.IntegrityError), posting(engine) as connection:
        connection.execute(sa.insert(OFFERS), {**row, "seq": None})


def test_a_failed_posting_leaves_nothing(decided: Any, monkeypatch: Any) -> None:
    engine = open_database(decided.path("db.sqlite"))
    frame = read_table(decided.path("decisions.parquet"))

    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fieldline.lending.store.posting._log", fail)
    with pytest.raises(KeyboardInterrupt):
        post(engine, frame, SHELF, PolicySettings())
    assert count(engine, OFFERS) == count(engine, DECISIONS) == count(engine, AUDIT) == 0


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_no_spreadsheet_runs_a_cell(text: str) -> None:
    (row,) = csv.DictReader(io.StringIO(csv_text([{"name": text}], ["name"])))
    assert row["name"] == "'" + text


def test_the_largest_possible_line_waits_first() -> None:
    row = {
        "household_id": "H", "currency": "CNY", "annual_rate": None, "pd": None,
        "reason_codes": [], "reasons": [], "reasons_zh": [], "outcomes": [], "decision_id": "d",
        "limit_need_minor": 900, "limit_policy_minor": 900, "limit_exposure_minor": 900,
    }  # fmt: skip
    frame = pd.DataFrame([
        {**row, "farmer_id": "small", "access": "review", "limit_capacity_minor": 100},
        {**row, "farmer_id": "large", "access": "review", "limit_capacity_minor": 800},
        {**row, "farmer_id": "done", "access": "approve", "limit_capacity_minor": 900},
    ])  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(queue_csv(frame))))
    assert [(r["farmer_id"], r["possible_limit"]) for r in rows] == [
        ("large", "8.00"), ("small", "1.00"),
    ]  # fmt: skip


def test_an_empty_county_still_has_a_file() -> None:
    assert offers_csv([]).startswith("offer_id,county,season,farmer_id")


_CHILD = textwrap.dedent("""
    import sys
    from pathlib import Path
    from fieldline.lending.store.posting import Shelf, post
    from fieldline.lending.settings import PolicySettings
    from fieldline.lending.store.database import open_database
    from fieldline.pipeline.records.tables import read_table
    database, decisions, county = sys.argv[1:]
    frame = read_table(Path(decisions))
    print("ready", flush=True)
    sys.stdin.readline()
    post(open_database(database), frame, Shelf(county, "2024", "season-line"), PolicySettings())
    print("done", flush=True)
""")


def child(database: Path | str, decisions: Path, county: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(database), str(decisions), county],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def many(decided: Any, copies_of: Any, farmers: int) -> Path:
    """Write decisions of many farmers."""
    frame = read_table(decided.path("decisions.parquet"))
    path: Path = decided.path("many.parquet")
    copies_of(frame[frame["access"] == "approve"].iloc[0], farmers).to_parquet(path)
    return path


def test_two_counties_at_once(decided: Any, copies_of: Any) -> None:
    database, decisions = decided.path("db.sqlite"), many(decided, copies_of, 300)
    both = [child(database, decisions, county) for county in ("A", "B")]
    for process in both:
        go(process)
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    engine = open_database(database)
    assert count(engine, OFFERS) == 600
    assert count(engine, DECISIONS) == 600
    query = sa.select(sa.func.count()).where(OFFERS.c.access == "approve")
    with engine.connect() as connection:
        assert connection.scalar(query) == 300, "the second found the harvest lent on already"
    assert verify(engine).problems == ()


@pytest.mark.parametrize("delay", [0.02, 0.2])
def test_kill_leaves_all_or_nothing_and_the_rerun_completes(
    decided: Any, copies_of: Any, delay: float
) -> None:
    database, decisions = decided.path("db.sqlite"), many(decided, copies_of, 1500)
    open_database(database).dispose()
    process = child(database, decisions, "A")
    go(process)
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    engine = open_database(database)
    assert count(engine, OFFERS) in (0, 1500)
    posted = post(
        engine, read_table(decisions), Shelf("A", "2024", "season-line"), PolicySettings()
    )
    assert len(posted.live) == count(engine, OFFERS) == 1500
    assert count(engine, RUNS) == 1
    assert verify(engine).problems == ()


def test_an_unreachable_database_is_the_users_sentence() -> None:
    with pytest.raises(UserError, match="cannot be opened"):
        open_database("postgresql://nobody@127.0.0.1:1/none")
