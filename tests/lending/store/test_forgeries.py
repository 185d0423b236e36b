"""What somebody who can write to the database may try, and the sentence that names it.

A forger here has the file, its schema and this source, removes every guard first and puts it back
afterwards; the lender's key and the anchors are elsewhere. Eight forgeries are those of a review by
which the store of the first release was tried, and found one.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldline.lending.store.anchors import Anchor, take_anchor
from fieldline.lending.store.audit import GENESIS, entry_hash, take_over
from fieldline.lending.store.database import open_database, posting
from fieldline.lending.store.signer import Signer
from fieldline.lending.store.verify import AuditReport, verify

LENDER = Signer("lender", b"k" * 32)
FORGER = Signer("forger", b"f" * 32)

Forge = Callable[[sqlite3.Connection], Any]


def sql(*statements: str) -> Forge:
    """Return the forgery that runs statements."""

    def run(connection: sqlite3.Connection) -> None:
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, statement

    return run


def chain(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return what the entries say."""
    rows = connection.execute("SELECT payload FROM audit ORDER BY seq").fetchall()
    return [json.loads(payload) for (payload,) in rows]


def rechained(
    connection: sqlite3.Connection, events: list[dict[str, Any]], key: Signer | None = None
) -> None:
    """Make the chain anew so that it follows by its own hashes, seals kept, removed or forged."""
    previous = GENESIS
    connection.execute("DELETE FROM audit")
    for seq, event in enumerate(events, start=1):
        payload = json.dumps(event, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        entry = entry_hash(seq, previous, payload)
        connection.execute(
            "INSERT OR REPLACE INTO audit VALUES (?, ?, ?, ?, ?)",
            (seq, payload, previous, entry, key.seal(entry) if key else None),
        )
        previous = entry


def ten_times_the_limit(connection: sqlite3.Connection, key: Signer | None = None) -> None:
    """Change a live limit, its entry and the whole chain after it."""
    from fieldline.lending.store.audit import row_hash

    cursor = connection.execute(
        "SELECT * FROM offers WHERE status = 'live' AND access = 'approve' ORDER BY seq DESC"
    )
    names = [column[0] for column in cursor.description]
    row = dict(zip(names, cursor.fetchone(), strict=True))
    row["limit_minor"] *= 10
    connection.execute(
        "UPDATE offers SET limit_minor = ? WHERE seq = ?", (row["limit_minor"], row["seq"])
    )
    events = chain(connection)
    event = next(e for e in reversed(events) if e.get("offer_id") == row["offer_id"])
    event["terms"] = row_hash(row, event["fields"])
    rechained(connection, events, key)


def forgotten_offer(connection: sqlite3.Connection) -> None:
    """Remove a live offer, its decision and its entry, and follow again."""
    offer, decision = connection.execute(
        "SELECT offer_id, decision_id FROM offers WHERE status = 'live' ORDER BY seq DESC"
    ).fetchone()
    connection.execute("DELETE FROM offers WHERE offer_id = ?", (offer,))
    connection.execute("DELETE FROM decisions WHERE decision_id = ?", (decision,))
    rechained(connection, [e for e in chain(connection) if e.get("offer_id") != offer])


def cut_tail(connection: sqlite3.Connection) -> None:
    """Remove the last posting with all that it wrote: what is left was true once."""
    events = chain(connection)
    last = max(n for n, event in enumerate(events) if event.get("event") == "run")
    written = [e for e in events[last:] if e["event"] == "offer"]
    closed = [e["offer_id"] for e in events[last:] if e["event"] == "closed"]
    connection.execute("DELETE FROM audit WHERE seq > ?", (last,))
    for event in written:
        connection.execute("DELETE FROM offers WHERE offer_id = ?", (event["offer_id"],))
        connection.execute("DELETE FROM decisions WHERE decision_id = ?", (event["decision_id"],))
    for offer in closed:
        connection.execute("UPDATE offers SET status = 'live' WHERE offer_id = ?", (offer,))
    connection.execute("DELETE FROM runs WHERE seq = (SELECT max(seq) FROM runs)")
    for label in events[last].get("documents", {}):
        connection.execute("DELETE FROM documents WHERE label = ?", (label,))


def emptied(connection: sqlite3.Connection) -> None:
    for table in ("audit", "offers", "decisions", "runs", "documents", "reviews"):
        connection.execute(f"DELETE FROM {table}")


def one_entry_more(connection: sqlite3.Connection) -> None:
    """Add an entry that closes an offer, as the store would."""
    (offer,) = connection.execute("SELECT offer_id FROM offers WHERE status = 'live'").fetchone()
    connection.execute("UPDATE offers SET status = 'withdrawn' WHERE offer_id = ?", (offer,))
    seq, previous = connection.execute(
        "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    payload = json.dumps({"event": "closed", "offer_id": offer, "status": "withdrawn"})
    entry = entry_hash(seq + 1, previous, payload)
    connection.execute(
        "INSERT INTO audit VALUES (?, ?, ?, ?, NULL)", (seq + 1, payload, previous, entry)
    )


def said_by_another(connection: sqlite3.Connection) -> None:
    events = chain(connection)
    events[-1]["by"] = "somebody else"
    rechained(connection, events)


def at_another_time(connection: sqlite3.Connection) -> None:
    events = chain(connection)
    events[-1]["at"] = "2020-01-01T00:00:00+00:00"
    rechained(connection, events)


LIVE = "(SELECT seq FROM offers WHERE status = 'live' AND access = 'approve' ORDER BY seq LIMIT 1)"
REVIEWED: dict[str, tuple[Forge, str]] = {
    "a live approved offer deleted": (
        sql(f"DELETE FROM offers WHERE seq = {LIVE}"), "was removed after posting",
    ),
    "every live offer withdrawn": (
        sql("UPDATE offers SET status = 'withdrawn' WHERE status = 'live'"),
        "is withdrawn against the chain",
    ),
    "the last posting cut off": (cut_tail, "entries were cut off"),
    "ten times the limit and the chain made anew": (
        ten_times_the_limit, "not sealed by this key",
    ),
    "a superseded offer changed": (
        sql("UPDATE offers SET limit_minor = 1 WHERE seq = "
            "(SELECT max(seq) FROM offers WHERE status = 'superseded')"),
        "was changed after posting",
    ),
    "all superseded offers deleted": (
        sql("DELETE FROM offers WHERE status = 'superseded'"), "was removed after posting",
    ),
    "a run changed": (
        sql("UPDATE runs SET approved = approved + 1 WHERE seq = 1"), "was changed or",
    ),
    "model, policy and day of decisions overwritten": (
        sql("UPDATE decisions SET pd_model = 'pd:x', policy = 'y', as_of = '2020-01-01'"),
        "was changed beside its trace",
    ),
}  # fmt: skip

OURS: dict[str, tuple[Forge, str]] = {
    "a live limit changed": (
        sql(f"UPDATE offers SET limit_minor = 999900 WHERE seq = {LIVE}"),
        "was changed after posting",
    ),
    "a rate changed": (
        sql(f"UPDATE offers SET annual_rate = '0.01' WHERE seq = {LIVE}"),
        "was changed after posting",
    ),
    "a last day moved": (
        sql(f"UPDATE offers SET valid_to = '2030-01-01' WHERE seq = {LIVE}"),
        "was changed after posting",
    ),
    "an offer given to another farmer": (
        sql(f"UPDATE offers SET farmer_id = 'F-forger' WHERE seq = {LIVE}"),
        "was changed after posting",
    ),
    "the words of a reason changed": (
        sql(f"UPDATE offers SET reasons_zh = '无' WHERE seq = {LIVE}"),
        "was changed after posting",
    ),
    "an offer renamed": (
        sql(f"UPDATE offers SET offer_id = 'forged' WHERE seq = {LIVE}"),
        "offer forged was never posted",
    ),
    "an offer added": (
        sql("INSERT INTO offers (seq, offer_id, county, season, farmer_id, household_id,"
            " product, access, currency, limit_minor, annual_rate, tenor_days, day_basis,"
            " valid_from, valid_to, reason_codes, reasons, reasons_zh, decision_id, status)"
            " SELECT seq + 1000, 'added', county, season, 'F-new', household_id,"
            " product, access, currency, limit_minor, annual_rate, tenor_days, day_basis,"
            " valid_from, valid_to, reason_codes, reasons, reasons_zh, decision_id, status"
            f" FROM offers WHERE seq = {LIVE}"),
        "offer added was never posted",
    ),
    "a withdrawn offer revived": (
        sql("UPDATE offers SET status = 'live' WHERE status = 'withdrawn'"),
        "is live against the chain",
    ),
    "a superseded offer of the first release called withdrawn": (
        sql("UPDATE offers SET status = 'withdrawn' WHERE seq = "
            "(SELECT min(seq) FROM offers WHERE status = 'superseded')"),
        "is withdrawn against the chain",
    ),
    "an offer called signed": (
        sql(f"UPDATE offers SET status = 'signed' WHERE seq = {LIVE}"),
        "is signed against the chain",
    ),
    "a decision given to another farmer": (
        sql("UPDATE decisions SET farmer_id = 'F-other' WHERE decision_id = "
            f"(SELECT decision_id FROM offers WHERE seq = {LIVE})"),
        "was changed beside its trace",
    ),
    "a new decision's model overwritten": (
        sql("UPDATE decisions SET pd_model = 'pd:x' WHERE decision_id = "
            "(SELECT decision_id FROM offers ORDER BY seq DESC LIMIT 1)"),
        "was changed beside its trace",
    ),
    "a trace changed by a blank": (
        sql("UPDATE decisions SET trace = trace || ' '"), "was changed or removed after posting",
    ),
    "two traces swapped": (
        sql("UPDATE decisions SET trace = (SELECT trace FROM decisions AS other "
            "WHERE other.decision_id <> decisions.decision_id LIMIT 1)"),
        "was changed or removed after posting",
    ),
    "a decision deleted": (
        sql("DELETE FROM decisions WHERE decision_id = (SELECT min(decision_id) FROM decisions)"),
        "was changed or removed after posting",
    ),
    "a decision added": (
        sql("INSERT INTO decisions SELECT 'stray', farmer_id, as_of, policy, pd_model, trace "
            "FROM decisions LIMIT 1"),
        "decision stray belongs to no offer",
    ),
    "a run deleted": (sql("DELETE FROM runs WHERE seq = 1"), "was changed or removed"),
    "a run added": (
        sql("INSERT INTO runs SELECT seq + 100, 'r', county, season, product, as_of, farmers, "
            "approved, written FROM runs LIMIT 1"),
        "run r was changed or added",
    ),
    "a run dated back": (
        sql("UPDATE runs SET as_of = '2020-01-01' WHERE seq = (SELECT max(seq) FROM runs)"),
        "was changed or",
    ),
    "an entry changed": (
        sql("UPDATE audit SET payload = replace(payload, 'offer', 'other') WHERE seq = 3"),
        "entry 3 was changed",
    ),
    "an entry deleted": (sql("DELETE FROM audit WHERE seq = 5"), "entry 5 is missing"),
    "the first entry deleted": (sql("DELETE FROM audit WHERE seq = 1"), "entry 1 is missing"),
    "two entries swapped": (
        sql("UPDATE audit SET seq = -1 WHERE seq = 3", "UPDATE audit SET seq = 3 WHERE seq = 4",
            "UPDATE audit SET seq = 4 WHERE seq = -1"),
        "entry 3 does not follow",
    ),
    "an entry added": (one_entry_more, "not sealed by this key"),
    "every seal removed": (
        sql("UPDATE audit SET seal = NULL"), "the head of the chain is not sealed by this key",
    ),
    "a seal exchanged": (
        sql("UPDATE audit SET seal = (SELECT seal FROM audit ORDER BY seq DESC LIMIT 1) "
            "WHERE seal IS NOT NULL"),
        "is not this key's",
    ),
    "the chain made anew under the forger's key": (
        lambda connection: ten_times_the_limit(connection, FORGER), "not sealed by this key",
    ),
    "an offer removed with all its entries": (forgotten_offer, "not sealed by this key"),
    "an act put under another name": (said_by_another, "not sealed by this key"),
    "an act moved in time": (at_another_time, "before the entry before it"),
    "everything removed": (emptied, "entries were cut off"),
    "a policy changed": (
        sql("UPDATE documents SET body = replace(body, '1.25', '1.05') "
            "WHERE label LIKE 'policy:%'"),
        "document policy:",
    ),
    "a table removed": (
        sql("DELETE FROM documents WHERE label LIKE 'table:crops.csv:%'"),
        "document table:crops.csv:",
    ),
    "a model slipped in": (
        sql("INSERT INTO documents VALUES ('model:pd:forged', '{}')"),
        "document model:pd:forged was never entered",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, first_store: Callable[[Path], Any]) -> Path:
    """A store of the first release that today's code went on with under a key: 13 decisions of the
    first, and 11 that superseded eleven of them."""
    store = first_store(tmp_path_factory.mktemp("store") / "store.sqlite")
    with posting(store.engine) as connection:
        take_over(connection, LENDER)
    cases = [
        case.model_copy(update={"policy": case.policy.model_copy(update={"seed": 1})})
        for case in store.live_cases()
    ]
    assert store.post(cases, by=LENDER).superseded == 11
    store.engine.dispose()
    return Path(store.path)


@pytest.fixture
def anchor(original: Path) -> Anchor:
    """The anchor that the lender keeps elsewhere."""
    engine = open_database(original)
    found = take_anchor(engine, LENDER)
    engine.dispose()
    return found


@pytest.fixture
def forged(original: Path, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A copy of the store in the forger's hands, its guards away and put back at the end."""
    path = Path(shutil.copy(original, tmp_path / "forged.sqlite"))
    connection = sqlite3.connect(path)
    guards = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall()
    for name, _ in guards:
        connection.execute(f"DROP TRIGGER {name}")
    yield connection
    connection.close()


def audited(
    connection: sqlite3.Connection, original: Path, by: Signer, *anchors: Anchor
) -> AuditReport:
    """Put the guards of the original back, then verify."""
    with sqlite3.connect(original) as source:
        for (text,) in source.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'"):
            connection.execute(text)
    connection.commit()
    (_, _, path) = connection.execute("PRAGMA database_list").fetchone()
    engine = open_database(path)
    try:
        return verify(engine, by, anchors)
    finally:
        engine.dispose()


def test_the_store_as_it_was_written_has_no_problem(original: Path, anchor: Anchor) -> None:
    report = verify(open_database(original), LENDER, [anchor])
    assert report.problems == ()
    assert (report.posted, report.closed, report.live) == (24, 13, 11)
    assert (report.keyed, report.anchors) == ("sealed", 1)


@pytest.mark.parametrize("name", [*REVIEWED, *OURS])
def test_every_forgery_is_named(
    forged: sqlite3.Connection, original: Path, anchor: Anchor, name: str
) -> None:
    forge, problem = {**REVIEWED, **OURS}[name]
    forge(forged)
    report = audited(forged, original, LENDER, anchor)
    assert any(problem in found for found in report.problems), report.problems


NEEDS = {
    "the last posting cut off": "anchor",
    "everything removed": "anchor",
    "ten times the limit and the chain made anew": "key or anchor",
    "an offer removed with all its entries": "key or anchor",
    "an act put under another name": "key or anchor",
    "the chain made anew under the forger's key": "key or anchor",
    "an entry added": "key",
    "every seal removed": "key",
    "a seal exchanged": "key",
}
"""What a forgery is only found with; all others are found by anybody who can read."""


@pytest.mark.parametrize("name", [*REVIEWED, *OURS])
def test_what_is_found_without_key_and_anchor(
    forged: sqlite3.Connection, original: Path, name: str
) -> None:
    {**REVIEWED, **OURS}[name][0](forged)
    report = audited(forged, original, Signer("anybody"))
    assert bool(report.problems) == (name not in NEEDS), report.problems


@pytest.mark.parametrize("name", [name for name in NEEDS if "anchor" in NEEDS[name]])
def test_an_anchor_alone_finds_a_chain_made_anew_or_cut(
    forged: sqlite3.Connection, original: Path, anchor: Anchor, name: str
) -> None:
    {**REVIEWED, **OURS}[name][0](forged)
    assert audited(forged, original, Signer("anybody"), anchor).problems


ALLOWED = {
    "an offer added", "a decision added", "a run added", "a model slipped in",
    "every live offer withdrawn", "an entry added",
}  # fmt: skip
"""What a posting does too: adding rows and closing live offers. The chain finds these."""


@pytest.mark.parametrize("name", sorted({*REVIEWED, *OURS} - ALLOWED))
def test_the_guards_refuse_what_changes_a_row(original: Path, tmp_path: Path, name: str) -> None:
    path = Path(shutil.copy(original, tmp_path / "guarded.sqlite"))
    with sqlite3.connect(path) as connection, pytest.raises(sqlite3.IntegrityError) as refused:
        {**REVIEWED, **OURS}[name][0](connection)
    assert "append-only" in str(refused.value) or "only closed" in str(refused.value)


def test_a_guard_that_is_gone_is_named(forged: sqlite3.Connection, original: Path) -> None:
    forged.commit()
    (_, _, path) = forged.execute("PRAGMA database_list").fetchone()
    problems = verify(open_database(path), LENDER).problems
    assert len(problems) == 18
    assert "guard offers_no_DELETE is missing" in problems
