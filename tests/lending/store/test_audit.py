from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fieldline.lending.store.audit import GENESIS, append, take_over, text_hash
from fieldline.lending.store.database import AUDIT, open_database, posting
from fieldline.lending.store.signer import Signer, signer
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.errors import UserError

NOON = dt.datetime(2024, 10, 1, 12, tzinfo=dt.UTC)
KEY = b"k" * 32


def at(*moments: dt.datetime, key: bytes | None = None) -> Signer:
    """Return a signer whose clock gives these times, one after the other."""
    times = iter(moments)
    return Signer("ann", key, lambda: next(times))


def rows(engine: sa.Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(AUDIT).order_by(AUDIT.c.seq)))


def enter(engine: sa.Engine, by: Signer, *events: dict[str, Any]) -> None:
    with posting(engine) as connection:
        append(connection, list(events), by)


def test_the_chain_by_hand(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "db.sqlite")
    enter(engine, at(NOON), {"b": 1, "a": "x"})
    enter(engine, at(NOON + dt.timedelta(minutes=1), key=None), {"c": 2})
    first, second = rows(engine)
    said = '{"a":"x","at":"2024-10-01T12:00:00+00:00","b":1,"by":"ann"}'
    assert first.payload == said
    assert first.previous == GENESIS
    assert first.hash == text_hash(f"1\n{GENESIS}\n{said}")
    assert first.seal is None
    assert second.previous == first.hash
    report = verify(engine)
    assert (report.entries, report.head, report.problems) == (2, second.hash, ())
    assert report.keyed == "unkeyed"


def test_a_seal_is_the_hmac_of_the_entry(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "db.sqlite")
    enter(engine, at(NOON, key=KEY), {"a": 1})
    (row,) = rows(engine)
    name = hmac.new(KEY, b"fieldline audit key", hashlib.sha256).hexdigest()[:8]
    mac = hmac.new(KEY, row.hash.encode(), hashlib.sha256).hexdigest()
    assert row.seal == f"{name}:{mac}"
    assert verify(engine, Signer("eve", KEY)).keyed == "sealed"
    assert verify(engine, Signer("eve")).keyed == "no key given"
    other = verify(engine, Signer("eve", b"o" * 32))
    assert (other.keyed, other.problems) == (
        "unsealed", ("the head of the chain is not sealed by this key",),
    )  # fmt: skip


def test_a_sealed_chain_goes_on_only_under_its_key(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "db.sqlite")
    enter(engine, at(NOON, key=KEY), {"a": 1})
    with pytest.raises(UserError, match="sealed and no key is given: set FIELDLINE_AUDIT_KEY"):
        enter(engine, at(NOON), {"a": 2})
    with pytest.raises(UserError, match="sealed by another key: run `fieldline audit verify`"):
        enter(engine, at(NOON, key=b"o" * 32), {"a": 2})
    assert len(rows(engine)) == 1


def test_an_unkeyed_chain_is_taken_over_by_a_key_once_it_is_verified(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "db.sqlite")
    enter(engine, at(NOON), {"a": 1})
    with pytest.raises(UserError, match="is not sealed: run `fieldline audit verify`"):
        enter(engine, at(NOON, key=KEY), {"a": 2})
    with posting(engine) as connection:
        take_over(connection, at(NOON, key=KEY))
    enter(engine, at(NOON, key=KEY), {"a": 2})
    report = verify(engine, Signer("ann", KEY))
    assert (report.entries, report.keyed, report.problems) == (3, "sealed", ())


def test_a_clock_that_moved_back_is_refused_and_two_machines_may_differ(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "db.sqlite")
    enter(engine, at(NOON), {"a": 1})
    enter(engine, at(NOON - dt.timedelta(minutes=4)), {"a": 2})
    with pytest.raises(UserError, match=r"says 2024-10-01T11:54:59\+00:00, before .*: set the clo"):
        enter(engine, at(NOON - dt.timedelta(minutes=5, seconds=1)), {"a": 3})
    assert ['"at":"2024-10-01T12:00:00' in row.payload for row in rows(engine)] == [True, True]
    assert verify(engine).problems == ()


def test_the_key_comes_from_the_environment_or_a_file_that_is_closed_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, file = "5d1f0c7ab93e4268d70b5e1c9a36f842", tmp_path / "key"
    assert signer().key is None
    file.write_text(f"{key}\n")
    file.chmod(0o644)
    with pytest.raises(UserError, match="of the audit key is open to every user"):
        signer(file)
    file.chmod(0o600)
    assert signer(file).key == key.encode()
    monkeypatch.setenv("FIELDLINE_AUDIT_KEY", key)
    assert signer().key == signer(file).key == key.encode()
    monkeypatch.setenv("FIELDLINE_AUDIT_KEY", key[::-1])
    with pytest.raises(UserError, match="hold two different keys for the audit key"):
        signer(file)
    monkeypatch.setenv("FIELDLINE_AUDIT_KEY", "short")
    with pytest.raises(UserError, match=r"FIELDLINE_AUDIT_KEY holds 5 characters, .* needs 32"):
        signer()
    monkeypatch.setenv("FIELDLINE_AUDIT_KEY", "a" * 32)
    with pytest.raises(UserError, match="holds a text that repeats itself"):
        signer()


def test_no_variable_hides_the_account_that_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    account = pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setenv("LOGNAME", "governor")
    assert signer().actor == account
    monkeypatch.setenv("FIELDLINE_ACTOR", "branch 7")
    assert signer().actor == f"branch 7 ({account})"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET payload = '{}'",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit VALUES (1, '{}', '', '', NULL)",
    ],
)
def test_the_chain_is_append_only(tmp_path: Path, change: str) -> None:
    engine = open_database(tmp_path / "db.sqlite")
    enter(engine, at(NOON), {"a": 1})
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), posting(engine) as connection:
        connection.execute(sa.text(change))
    assert len(rows(engine)) == 1
