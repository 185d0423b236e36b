"""The same posting on a real PostgreSQL server: migration, locking, kill and audit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from fieldline.lending.settings import PolicySettings
from fieldline.lending.store import offers
from fieldline.lending.store.audit import verify
from fieldline.lending.store.database import AUDIT, METADATA, OFFERS, RUNS, open_database, posting
from fieldline.lending.store.offers import Shelf, post
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table

pytestmark = pytest.mark.postgres


@pytest.fixture
def server(postgres_server: str) -> str:
    """URL of the server without the database name."""
    return postgres_server


@pytest.fixture
def database(postgres_database: str) -> str:
    """URL of a fresh database."""
    return postgres_database


@pytest.fixture
def decisions(county: Any, loans: Any) -> Path:
    """Decisions of 1,000 farmers: copies of one, each under its own name."""
    county.loans = loans
    county.add("a", "ann", width=200)
    county.apply("ann")
    frame = county.decide().reset_index(drop=True)
    rows = pd.concat([frame] * 1000, ignore_index=True)
    rows["farmer_id"] = [f"F{i:06d}" for i in range(1000)]
    rows["decision_id"] = [f"D{i:06d}" for i in range(1000)]
    path: Path = county.path("many.parquet")
    rows.to_parquet(path)
    return path


def count(engine: sa.Engine, table: sa.Table) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


def test_the_migration_is_the_schema(database: str) -> None:
    inspector = sa.inspect(open_database(database))
    for table in METADATA.sorted_tables:
        found = {column["name"] for column in inspector.get_columns(table.name)}
        assert found == {column.name for column in table.columns}
    assert {"one_live_offer"} <= {index["name"] for index in inspector.get_indexes("offers")}


def test_posting_twice_writes_once(database: str, decisions: Path) -> None:
    engine, frame = open_database(database), read_table(decisions)
    shelf = Shelf("A", "2024", "season-line")
    assert post(engine, frame, shelf, PolicySettings()).written == 1000
    again = post(engine, frame, shelf, PolicySettings())
    assert (again.written, again.superseded) == (0, 0)
    assert verify(engine).problems == ()


def test_the_chain_is_append_only(database: str) -> None:
    engine = open_database(database)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), posting(engine) as connection:
        connection.execute(sa.delete(AUDIT))


_CHILD = textwrap.dedent("""
    import sys
    from pathlib import Path
    from fieldline.lending.store.offers import Shelf, post
    from fieldline.lending.settings import PolicySettings
    from fieldline.lending.store.database import open_database
    from fieldline.pipeline.records.tables import read_table
    database, decisions, county = sys.argv[1:]
    frame = read_table(Path(decisions))
    print("ready", flush=True)
    sys.stdin.readline()
    post(open_database(database), frame, Shelf(county, "2024", "season-line"), PolicySettings())
""")


def child(database: str, decisions: Path, county: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD, database, str(decisions), county],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("\n")
    process.stdin.flush()
    return process


def test_two_counties_at_once_on_an_empty_database(database: str, decisions: Path) -> None:
    both = [child(database, decisions, county) for county in ("A", "B")]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    engine = open_database(database)
    assert count(engine, OFFERS) == 2000
    assert verify(engine).problems == ()


def test_a_killed_posting_leaves_nothing_behind(database: str, decisions: Path) -> None:
    open_database(database).dispose()
    process = child(database, decisions, "A")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    engine = open_database(database)
    post(engine, read_table(decisions), Shelf("A", "2024", "season-line"), PolicySettings())
    assert count(engine, OFFERS) == 1000
    assert count(engine, RUNS) == 1
    assert verify(engine).problems == ()


def test_a_newer_database_is_refused(database: str) -> None:
    engine = open_database(database)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(UserError, match="written by a newer version of Fieldline"):
        open_database(database)


def test_a_server_that_stops_in_a_posting_is_said_and_nothing_stays(
    database: str, decisions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, frame = open_database(database), read_table(decisions)
    killer = open_database(database)
    log = offers._log

    def cut(connection: sa.Connection, *rest: Any) -> None:
        pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
        with killer.connect() as other:
            other.execute(sa.text(f"SELECT pg_terminate_backend({pid})"))
        log(connection, *rest)

    monkeypatch.setattr(offers, "_log", cut)
    with pytest.raises(UserError, match=r"was stopped|cannot be opened"):
        post(engine, frame, Shelf("A", "2024", "season-line"), PolicySettings())
    monkeypatch.undo()
    assert count(killer, OFFERS) == count(killer, AUDIT) == 0
    killer.dispose()
    assert post(engine, frame, Shelf("A", "2024", "season-line"), PolicySettings()).written == 1000
    assert verify(engine).problems == ()


def test_a_missing_database_and_a_read_only_one_are_said(server: str, database: str) -> None:
    with pytest.raises(UserError, match=r"does not exist .*: create it or correct the URL"):
        open_database(f"{server}/nowhere")
    with open_database(database).begin() as connection:
        name = database.rpartition("/")[2]
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    engine = open_database(database)
    with pytest.raises(UserError, match="is read-only"), posting(engine) as connection:
        connection.execute(sa.delete(OFFERS))
