"""The same posting on a real PostgreSQL server: migration, locking, kill and audit."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import textwrap
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from fieldline.lending.decision.case import Case, policy_hash
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.row import decision_row
from fieldline.lending.portfolio.lines import lines_on
from fieldline.lending.portfolio.population import of_shelf
from fieldline.lending.settings import PolicySettings
from fieldline.lending.store import posting as postings
from fieldline.lending.store import reviews
from fieldline.lending.store.closing import expire
from fieldline.lending.store.database import AUDIT, METADATA, OFFERS, RUNS, open_database, posting
from fieldline.lending.store.posting import Posted, Shelf, post
from fieldline.lending.store.replays import replay_stored
from fieldline.lending.store.reviews import Wish
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table
from tests.lending.store.judged import constant, judged

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


SHELF = Shelf("A", "2024", "season-line")


def of_farmers(case: Case, count: int) -> pd.DataFrame:
    cases = [
        judged(case).model_copy(update={"farmer_id": f"F{n}", "household_id": f"H{n}"})
        for n in range(count)
    ]
    return pd.DataFrame([decision_row(c, decide_case(c), policy_hash(c.policy)) for c in cases])


def post_with_model(engine: sa.Engine, frame: pd.DataFrame, shelf: Shelf, case: Case) -> Posted:
    assert case.risk.pd is not None
    assert case.risk.challenger is not None
    model = constant(case.risk.pd, case.risk.challenger)
    return post(engine, frame, shelf, PolicySettings(), model=model)


@pytest.fixture
def kept(database: str, case: Case) -> sa.Engine:
    """A store that holds five live offers, one superseded, and a person's act."""
    engine = open_database(database)
    post_with_model(engine, of_farmers(case, 5), SHELF, case)
    asked = case.farmer.model_copy(update={"requested_minor": 100_000})
    other = of_farmers(case.model_copy(update={"farmer": asked}), 1)
    frame = pd.concat([other, of_farmers(case, 5).iloc[1:]])
    live = post_with_model(engine, frame, SHELF, case).live
    wish = Wish("Ann", "approve", "seen", Decimal(600))
    reviews.decide(engine, live[0]["offer_id"], wish, today=dt.date(2024, 10, 1))
    return engine


_TABLES = ("audit", "decisions", "documents", "offers", "reviews", "runs")


_REFUSED = (
    *(f"DELETE FROM {table}" for table in _TABLES),
    *(f"TRUNCATE {table} CASCADE" for table in _TABLES),
    "UPDATE audit SET payload = '{}'", "UPDATE decisions SET policy = 'x'",
    "UPDATE documents SET body = 'x'", "UPDATE reviews SET limit_minor = 1",
    "UPDATE runs SET approved = 0", "UPDATE offers SET limit_minor = 1",
    "UPDATE offers SET status = 'live' WHERE status = 'superseded'",
    "UPDATE offers SET status = 'superseded', limit_minor = 1 WHERE status = 'live'",
    "UPDATE offers SET status = 'signed' WHERE status = 'live'",
    "INSERT INTO runs SELECT * FROM runs ON CONFLICT (seq) DO UPDATE SET approved = 0",
    "INSERT INTO offers (seq, offer_id, county, season, farmer_id, household_id, product,"
    " access, currency, limit_minor, annual_rate, tenor_days, day_basis, valid_from, valid_to,"
    " reason_codes, reasons, reasons_zh, decision_id, status)"
    " SELECT seq + 100, offer_id, county, season, 'F', household_id, product,"
    " access, currency, limit_minor, annual_rate, tenor_days, day_basis, valid_from, valid_to,"
    " reason_codes, reasons, reasons_zh, decision_id, 'superseded' FROM offers",
)  # fmt: skip


def test_the_guards_refuse_what_changes_a_row(kept: sa.Engine) -> None:
    for change in _REFUSED:
        refused = pytest.raises(sa.exc.DBAPIError, match=r"append-only|only closed")
        with refused, posting(kept) as connection:
            connection.exec_driver_sql(change)
    assert verify(kept).problems == ()


_FORGERIES = {
    "DELETE FROM offers WHERE status = 'live'": "was removed after posting",
    "UPDATE offers SET status = 'withdrawn' WHERE status = 'live'": "is withdrawn against",
    "UPDATE offers SET limit_minor = 1 WHERE status = 'superseded'": "was changed after posting",
    "DELETE FROM offers WHERE status = 'superseded'": "was removed after posting",
    "UPDATE runs SET approved = approved + 1": "was changed or removed",
    "UPDATE decisions SET as_of = '2020-01-01'": "was changed beside its trace",
    "UPDATE decisions SET trace = trace || ' '": "was changed or removed after posting",
    "UPDATE documents SET body = body || ' '": "was changed after it was entered",
    "UPDATE reviews SET limit_minor = 1": "was changed after it was entered",
    "DELETE FROM reviews": "was removed after it was entered",
    "UPDATE audit SET payload = '{}' WHERE seq = 2": "entry 2 was changed",
    "DELETE FROM audit WHERE seq > 2": "was never posted",
}


def test_a_forgery_is_named(kept: sa.Engine) -> None:
    with kept.begin() as connection:
        for table in _TABLES:
            connection.exec_driver_sql(f"CREATE TABLE true_{table} AS TABLE {table}")
    for change, problem in _FORGERIES.items():
        with kept.begin() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            connection.exec_driver_sql(change)
        problems = verify(kept).problems
        assert any(problem in found for found in problems), (change, problems)
        with kept.begin() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            for table in _TABLES:
                connection.exec_driver_sql(f"DELETE FROM {table}")
                connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM true_{table}")
        assert verify(kept).problems == ()


def test_a_guard_that_was_switched_off_is_named(kept: sa.Engine) -> None:
    with kept.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE runs DISABLE TRIGGER runs_no_change")
    assert verify(kept).problems == ("guard runs_no_change is missing",)


def test_lines_elsewhere_expiry_and_a_persons_act(kept: sa.Engine, case: Case) -> None:
    shelf = Shelf("B", "2024", "season-line")
    elsewhere = post_with_model(kept, of_farmers(case, 5), shelf, case).live
    assert [row["limit_minor"] for row in elsewhere] == [340_000, None, None, None, None]
    assert expire(kept, dt.date(2024, 10, 31), today=dt.date(2024, 11, 1)) == 10
    report = verify(kept)
    assert (report.posted, report.closed, report.live, report.problems) == (11, 11, 0, ())
    assert replay_stored(kept).problems == {}


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


_INSIDE = """
    import sys, time
    import pandas as pd
    from fieldline.lending.settings import PolicySettings
    from fieldline.lending.store import posting
    from fieldline.lending.store.database import open_database
    log = posting._log
    def wait(*given):
        events = log(*given)
        print("inside", flush=True)
        time.sleep(120)
        return events
    posting._log = wait
    frame = pd.read_parquet(sys.argv[2])
    posting.post(
        open_database(sys.argv[1]), frame, posting.Shelf(*sys.argv[3:]), PolicySettings()
    )
"""


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_a_writer_killed_after_its_rows_and_before_its_entries_leaves_what_stood(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, case: Case
) -> None:
    url = request.getfixturevalue("database") if kind == "postgresql" else str(tmp_path / "db")
    engine = open_database(url)
    post(engine, of_farmers(case, 3), SHELF, PolicySettings())
    before = verify(engine)
    engine.dispose()
    file = tmp_path / "decisions"
    other = case.model_copy(update={"parcels_declared": 2})
    read_back = of_farmers(other, 40)
    read_back.to_parquet(file)
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_INSIDE), url, str(file), *vars(SHELF).values()],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "inside\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    engine = open_database(url)
    after = verify(engine)
    assert (after.head, after.live, after.problems) == (before.head, 3, ())
    posted = post(engine, read_back, SHELF, PolicySettings())
    assert (posted.written, posted.superseded) == (40, 3)
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


def test_the_lines_that_run_are_told_of_a_server_too(database: str, case: Case) -> None:
    engine = open_database(database)
    others = [case.model_copy(update={"farmer_id": f"F{n}", "household_id": f"H{n}"})
              for n in range(505)]  # fmt: skip
    frame = pd.DataFrame([decision_row(c, decide_case(c), policy_hash(c.policy)) for c in others])
    post(engine, frame, Shelf("A", "2024", "season-line"), case.policy)
    day = dt.date(2024, 10, 15)
    found = lines_on(engine, day, ["A"])
    assert [line.farmer_id for line in found] == sorted(f"F{n}" for n in range(505))
    assert {line.exposure_minor for line in found} == {440_000}
    assert len(of_shelf(engine, "A", "2024").table) == 505
    assert lines_on(engine, day, ["B"]) == []
    engine.dispose()
