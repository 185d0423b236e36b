"""The same posting on a real PostgreSQL server: migration, locking, kill and audit."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fieldline.lending.settings import PolicySettings
from fieldline.lending.store import posting as postings
from fieldline.lending.store.database import AUDIT, METADATA, OFFERS, RUNS, open_database, posting
from fieldline.lending.store.posting import Shelf, post
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def server(postgres_binaries: Path) -> Iterator[str]:
    """A throw-away server on loopback; yields its URL without the database name."""
    # Not below pytest's own folder: each test run closes that one to other users again.
    folder = Path(tempfile.mkdtemp(prefix="fieldline-postgres-"))
    port = str(20_000 + os.getpid() % 20_000)
    run = _as_postgres(folder)
    data, log = str(folder / "data"), str(folder / "log")
    run(postgres_binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "-N")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"
    control = postgres_binaries / "pg_ctl"
    run(control, "-D", data, "-l", log, "-o", options, "-w", "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}"
    finally:
        run(control, "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


def _as_postgres(folder: Path) -> Any:
    """Return a runner; PostgreSQL refuses to run as root, so root hands the folder over."""
    prefix: list[str] = []
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        prefix = ["runuser", "-u", "postgres", "--"]

    def run(*command: Any) -> None:
        subprocess.run(
            [*prefix, *map(str, command)],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            timeout=120,
        )

    return run


@pytest.fixture
def database(server: str, request: pytest.FixtureRequest) -> str:
    """A fresh database; yields its URL."""
    name = f"t{abs(hash(request.node.name)) % 10**8}"
    engine = sa.create_engine(
        f"{server}/postgres".replace("postgresql:", "postgresql+pg8000:"),
        isolation_level="AUTOCOMMIT",
    )
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{server}/{name}"


@pytest.fixture
def decisions(county: Any, loans: Any, copies_of: Any) -> Path:
    """Decisions of 500 farmers."""
    county.loans = loans
    county.add("a", "ann", width=200)
    county.apply("ann")
    path: Path = county.path("many.parquet")
    copies_of(county.decide().iloc[0], 500).to_parquet(path)
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
    assert post(engine, frame, shelf, PolicySettings()).written == 500
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
    from fieldline.lending.store.posting import Shelf, post
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
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    engine = open_database(database)
    assert count(engine, OFFERS) == 1000
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
    assert count(engine, OFFERS) == 500
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
    log = postings._log

    def cut(connection: sa.Connection, *rest: Any) -> Any:
        pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
        with killer.connect() as other:
            other.execute(sa.text(f"SELECT pg_terminate_backend({pid})"))
        return log(connection, *rest)

    monkeypatch.setattr(postings, "_log", cut)
    with pytest.raises(UserError, match=r"was stopped|cannot be opened"):
        post(engine, frame, Shelf("A", "2024", "season-line"), PolicySettings())
    monkeypatch.undo()
    assert count(killer, OFFERS) == count(killer, AUDIT) == 0
    killer.dispose()
    assert post(engine, frame, Shelf("A", "2024", "season-line"), PolicySettings()).written == 500
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
