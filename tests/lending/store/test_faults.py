"""What is wrong with a database is said in one sentence, and nothing half-written stays."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fieldline.lending.store import database as databases
from fieldline.lending.store.database import AUDIT, open_database, posting
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.errors import UserError


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('0099')")


def text(path: Path) -> None:
    path.write_text("farmer_id,limit\n" * 300)


def short_text(path: Path) -> None:
    path.write_text("x")


def folder(path: Path) -> None:
    path.mkdir()


def other_program(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE offers (price INTEGER)")


def damaged(path: Path) -> None:
    open_database(path).dispose()
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (newer, r"written by a newer version of Fieldline \(tables of version 0099, known up to"),
        (text, "is no database: name another file"),
        (short_text, "is no database: name another file"),
        (folder, "cannot be opened .*: name a file in a folder that can be written to"),
        (other_program, "holds tables of another program .*: name an empty database"),
        (damaged, "is damaged .*: restore it from a backup"),
    ],
)
def test_a_file_that_is_not_ours_is_said_and_left_alone(
    tmp_path: Path, make: Any, sentence: str
) -> None:
    path = tmp_path / "db.sqlite"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(UserError, match=sentence) as found:
        open_database(path)
    assert "\n" not in str(found.value)
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://host/name", r"database mysql://\.\.\. cannot be used"),
        ("nonsense://", r"database nonsense://\.\.\. cannot be used"),
        ("postgresql://me:secret@127.0.0.1:1/none", r"me:\*\*\*@127.0.0.1:1/none cannot be opened"),
    ],
)
def test_a_wrong_url_is_said_without_its_password(url: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as found:
        open_database(url)
    assert "secret" not in str(found.value)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"folder .*file of the database cannot be made"):
        open_database(tmp_path / "file" / "db.sqlite")


def test_a_locked_database_is_said_and_the_next_posting_goes_on(
    old_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "_WAIT_SECONDS", 0.05)
    holder = sqlite3.connect(old_store.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(UserError, match=r"held by another program .*: wait until that has ended"):
        open_database(old_store.path)
    holder.execute("ROLLBACK")
    assert verify(open_database(old_store.path)).problems == ()


def changed_cases(old_store: Any) -> list[Any]:
    cases = old_store.live_cases()
    return [
        case.model_copy(update={"policy": case.policy.model_copy(update={"seed": 1})})
        for case in cases
    ]


def test_a_read_only_database_is_read_but_not_posted_to(old_store: Any) -> None:
    cases = changed_cases(old_store)
    old_store.engine = open_database(f"sqlite:///file:{old_store.path}?mode=ro&uri=true")
    assert verify(old_store.engine).entries == 17
    with pytest.raises(UserError, match=r"is read-only .*: allow writing to the file"):
        old_store.post(cases)


def test_a_full_disk_leaves_the_old_offers_and_the_next_run_goes_on(old_store: Any) -> None:
    cases, before = changed_cases(old_store), old_store.live_rows()
    pages = {"most": 36}  # the old store holds 35 pages of 4 KiB

    def small_disk(connection: Any, _: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages['most']}")

    old_store.engine.dispose()
    sa.event.listen(old_store.engine, "connect", small_disk)
    with pytest.raises(UserError, match=r"has no room left .*: free space on its disk"):
        old_store.post(cases)
    assert old_store.live_rows() == before
    assert verify(old_store.engine).problems == ()
    old_store.engine.dispose()
    pages["most"] = 1_000_000
    assert old_store.post(cases).superseded == 11
    assert verify(old_store.engine).problems == ()


def test_a_store_that_lost_a_column_is_said(old_store: Any) -> None:
    old_store.execute("ALTER TABLE offers DROP COLUMN day_basis")
    with pytest.raises(UserError, match=r"lacks a table or column .*: restore it from a backup"):
        verify(old_store.engine)


def test_a_broken_rule_of_the_tables_keeps_its_name(old_store: Any) -> None:
    with pytest.raises(sa.exc.IntegrityError), posting(old_store.engine) as connection:
        connection.execute(sa.insert(AUDIT), {"seq": 1, "payload": "", "previous": "", "hash": ""})
