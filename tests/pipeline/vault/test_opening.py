"""Opening a vault: made once, refused under another key, old ones taken over."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.vault.access import access_log
from fieldline.pipeline.vault.opening import check_keys, open_vault
from fieldline.pipeline.vault.persons import Person, find_person, persons_of, store_persons
from fieldline.pipeline.vault.verify import verify_vault
from tests.pipeline.vault.conftest import DEMO, OTHER_MASTER, PEOPLE, REAL, WANG, opened, raw

OLD_TABLE = """
CREATE TABLE persons (
    county TEXT NOT NULL, season TEXT NOT NULL, farmer_id TEXT NOT NULL, farmer_ref TEXT NOT NULL,
    name TEXT, phone TEXT, id_number TEXT, PRIMARY KEY (county, season, farmer_id)
) WITHOUT ROWID
"""


def old_vault(path: Path, rows: list[tuple[str | None, ...]]) -> None:
    """Write a vault as 0.2 did."""
    with sqlite3.connect(path) as connection:
        connection.execute(OLD_TABLE)
        connection.executemany("INSERT INTO persons VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def test_what_was_stored_is_found_by_the_next_process(address: str) -> None:
    with opened(address) as vault:
        store_persons(vault, "C1", "2024", PEOPLE)
    check_keys(address, REAL)
    with open_vault(address, REAL) as vault:
        assert find_person(vault, WANG.farmer_id) == WANG
        assert list(persons_of(vault, "C1", "2024")) == PEOPLE


def test_only_its_owner_opens_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "vault.sqlite"
    with opened(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with open_vault(path, REAL):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_master_key_is_refused_and_nothing_is_written(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(address) as vault:
        store_persons(vault, "C1", "2024", PEOPLE)
    before = raw(address, "SELECT * FROM vault_meta ORDER BY 1")
    monkeypatch.setenv("FIELDLINE_VAULT_KEY", OTHER_MASTER)
    for look in (lambda: check_keys(address, REAL), opened(address).__enter__):
        with pytest.raises(
            UserError, match=r"is sealed under the master key \w{12}, the key given"
        ):
            look()
    assert raw(address, "SELECT * FROM vault_meta ORDER BY 1") == before
    assert OTHER_MASTER not in str(before)


def test_another_pseudonym_key_is_refused_before_anything_is_written(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(address) as vault:
        store_persons(vault, "C1", "2024", PEOPLE)
    before = raw(address, "SELECT * FROM vault_access")
    monkeypatch.setenv("FIELDLINE_PSEUDONYM_KEY", OTHER_MASTER)
    for look in (lambda: check_keys(address, REAL), opened(address).__enter__):
        with pytest.raises(UserError, match="every farmer would become somebody else"):
            look()
    assert raw(address, "SELECT * FROM vault_access") == before


def test_looking_needs_no_pseudonym_key(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(address) as vault:
        store_persons(vault, "C1", "2024", PEOPLE)
    monkeypatch.delenv("FIELDLINE_PSEUDONYM_KEY")
    with open_vault(address, REAL) as vault:
        assert find_person(vault, WANG.farmer_id) == WANG


def test_a_vault_of_simulated_counties_passes_to_the_lenders_own_key(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIELDLINE_VAULT_KEY")
    with opened(address, DEMO) as vault:
        store_persons(vault, "SIM", "2024", PEOPLE)
    monkeypatch.setenv("FIELDLINE_VAULT_KEY", OTHER_MASTER)
    with opened(address, REAL) as vault:
        assert list(persons_of(vault, "SIM", "2024")) == PEOPLE
        assert verify_vault(vault).problems == ()
    monkeypatch.delenv("FIELDLINE_VAULT_KEY")
    with pytest.raises(UserError, match="the key given is the published one of simulated"):
        opened(address, DEMO).__enter__()


def test_looking_makes_no_vault(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite"
    check_keys(path, REAL)
    with pytest.raises(UserError, match="there is no vault at"):
        open_vault(path, REAL).__enter__()
    assert not path.exists()


def test_a_file_of_another_kind_is_one_sentence_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite"
    path.write_text("this is not a database, and it is long enough to be looked at " * 20)
    before = path.read_bytes()
    for create in (True, False):
        with pytest.raises(UserError, match="is no database: name another file in `vault`"):
            open_vault(path, REAL, create=create).__enter__()
    assert path.read_bytes() == before
    with sqlite3.connect(tmp_path / "other.sqlite") as connection:
        connection.execute("CREATE TABLE persons (id INTEGER)")
    with pytest.raises(UserError, match="is no vault: run the chain or correct `vault`"):
        open_vault(tmp_path / "other.sqlite", REAL).__enter__()


def test_a_cut_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite"
    people = [Person(f"F{i:016x}", f"P{i}", f"Name {i}") for i in range(500)]
    with opened(path) as vault:
        store_persons(vault, "C1", "2024", people)
    whole = path.read_bytes()
    for share in (0.9, 0.5, 0.1):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(UserError, match=r"is damaged .*: restore it from a backup"):  # noqa: SIM117
            with open_vault(path, REAL) as vault:
                list(persons_of(vault, "C1", "2024"))


def test_a_server_that_is_down_is_one_sentence_without_the_password() -> None:
    address = "postgresql://bank:s3cret@127.0.0.1:1/vault"
    with pytest.raises(UserError, match="cannot be opened") as caught:
        check_keys(address, REAL)
    assert "s3cret" not in str(caught.value)


def test_a_vault_of_a_newer_version_is_refused(address: str) -> None:
    with opened(address):
        pass
    raw(address, "UPDATE vault_meta SET value = '99' WHERE name = 'format'")
    with pytest.raises(UserError, match="is of format 99, this version knows format 1"):
        opened(address).__enter__()


def test_an_old_vault_is_sealed_and_no_byte_of_a_name_stays(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite"
    hide = pseudonymiser(REAL)
    persons = [
        Person(hide(f"P-{i}"), f"Ref-{i:05d}", f"Name-{i:05d}", f"138{i:08d}") for i in range(300)
    ]
    persons = [Person(hide(p.farmer_ref), p.farmer_ref, p.name, p.phone) for p in persons]
    rows = [("C1", s, *vars(p).values()) for s in ("2023", "2024") for p in persons]
    old_vault(path, rows)
    assert b"Name-00007" in path.read_bytes()
    with opened(path) as vault:
        for season in ("2023", "2024"):
            found = list(persons_of(vault, "C1", season))
            assert found == sorted(persons, key=lambda person: person.farmer_id)
        assert [e["act"] for e in access_log(vault)] == ["store", "store", "take_over"]
        assert verify_vault(vault).problems == ()
    content = path.read_bytes()
    assert not [p for p in persons for text in (p.name, p.phone, p.farmer_ref)
                if str(text).encode() in content]  # fmt: skip
    assert raw(str(path), "SELECT name FROM sqlite_master WHERE name = 'persons'") == []


def test_an_old_vault_of_another_pseudonym_key_is_refused_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite"
    old_vault(path, [("C1", "2024", "F0123456789abcdef", "P-1", "Wang", None, None)])
    with pytest.raises(UserError, match="from another key than the one given"):
        opened(path).__enter__()
    assert raw(str(path), "SELECT name FROM persons") == [("Wang",)]


def test_an_old_vault_under_the_published_key_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite"
    farmer = pseudonymiser(PrivacySettings(demo_key=True))("P-1")
    old_vault(path, [("C1", "2024", farmer, "P-1", "Wang", None, None)])
    with opened(path) as vault:
        assert find_person(vault, farmer) == Person(farmer, "P-1", "Wang")
