"""Pseudonyms and the vault."""

from __future__ import annotations

import hashlib
import hmac
import multiprocessing
import sqlite3
import stat
from pathlib import Path

import pytest

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.privacy import DEMO_KEY, pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.vault import Person, find_person, store_persons

DEMO = PrivacySettings(demo_key=True)
KEY = "5d0c1e7f92ab4836d7e1f05b9c3a6284"


def test_a_pseudonym_is_the_keyed_hash_of_the_reference() -> None:
    digest = hmac.new(DEMO_KEY, b"farmer:P-1", hashlib.sha256).hexdigest()
    assert pseudonymiser(DEMO)("P-1") == f"F{digest[:16]}"
    assert pseudonymiser(DEMO)(" P-1 ") == pseudonymiser(DEMO)("P-1")


def test_households_and_farmers_cannot_be_linked_by_equal_references() -> None:
    household = pseudonymiser(DEMO, "household")("P-1")
    assert household.startswith("H")
    assert household[1:] != pseudonymiser(DEMO)("P-1")[1:]


def test_another_key_gives_another_pseudonym(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELDLINE_PSEUDONYM_KEY", KEY)
    assert pseudonymiser(PrivacySettings())("P-1") != pseudonymiser(DEMO)("P-1")


@pytest.mark.parametrize("key", [None, "", "short", KEY[:-1]])
def test_without_a_real_key_nothing_starts(
    monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    monkeypatch.delenv("FIELDLINE_PSEUDONYM_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("FIELDLINE_PSEUDONYM_KEY", key)
    with pytest.raises(UserError, match="openssl rand") as error:
        pseudonymiser(PrivacySettings())
    assert not key or key not in str(error.value)


def test_the_vault_is_its_owners_alone_and_idempotent(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite"
    people = [Person("F1", "P-1", "王小明", "138", None), Person("F2", "P-2")]
    for _ in range(2):
        store_persons(path, "C1", "2023", people)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert find_person(path, "F1") == people[0]
    assert find_person(path, "F9") is None
    count = sqlite3.connect(path).execute("SELECT count(*) FROM persons").fetchone()
    assert count == (2,)


def test_a_person_who_left_the_input_leaves_the_vault(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite"
    store_persons(path, "C1", "2023", [Person("F1", "P-1"), Person("F2", "P-2")])
    store_persons(path, "C2", "2023", [Person("F1", "P-1")])
    store_persons(path, "C1", "2023", [Person("F2", "P-2")])
    rows = sqlite3.connect(path).execute("SELECT county, farmer_id FROM persons ORDER BY 1")
    assert rows.fetchall() == [("C1", "F2"), ("C2", "F1")]


def _store_county(arguments: tuple[Path, int]) -> None:
    path, number = arguments
    people = [Person(f"F{number}-{i}", f"P{i}") for i in range(200)]
    for _ in range(5):
        store_persons(path, f"C{number}", "2023", people)


def test_counties_may_write_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite"
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(_store_county, [(path, number) for number in range(4)], chunksize=1)
    count = sqlite3.connect(path).execute("SELECT count(*) FROM persons").fetchone()
    assert count == (800,)


def test_a_file_that_is_no_vault_is_a_user_error(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite"
    path.write_text("this is not a database, and it is long enough to be looked at " * 20)
    with pytest.raises(UserError, match="vault"):
        store_persons(path, "C1", "2023", [Person("F1", "P-1")])
