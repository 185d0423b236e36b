"""Persons in the vault: replaced as one, sealed, and missed when they are touched from outside."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.vault.opening import open_vault
from fieldline.pipeline.vault.persons import Person, find_person, persons_of, store_persons
from fieldline.pipeline.vault.vault import Vault
from fieldline.pipeline.vault.verify import verify_vault
from tests.pipeline.vault.conftest import LI, MASTER, PEOPLE, PSEUDONYMS, REAL, WANG, ZHANG, raw


def test_a_person_who_left_the_input_leaves_the_vault(vault: Vault) -> None:
    store_persons(vault, "C1", "2023", [WANG, LI])
    store_persons(vault, "C2", "2023", [WANG])
    store_persons(vault, "C1", "2023", [LI])
    assert list(persons_of(vault, "C1", "2023")) == [LI]
    assert list(persons_of(vault, "C2", "2023")) == [WANG]
    store_persons(vault, "C2", "2023", [])
    assert find_person(vault, WANG.farmer_id) is None
    assert verify_vault(vault).problems == ()


def test_the_same_persons_again_change_nothing_that_can_be_read(vault: Vault) -> None:
    for _ in range(2):
        store_persons(vault, "C1", "2023", PEOPLE)
        assert list(persons_of(vault, "C1", "2023")) == PEOPLE
    assert verify_vault(vault).persons == 3


def test_the_latest_season_tells_who_a_farmer_is(vault: Vault) -> None:
    moved = Person(WANG.farmer_id, WANG.farmer_ref, WANG.name, "150")
    store_persons(vault, "C1", "2024", [moved])
    store_persons(vault, "C1", "2023", [WANG])
    assert find_person(vault, WANG.farmer_id) == moved


def test_no_column_tells_anything_of_a_person(address: str, vault: Vault) -> None:
    store_persons(vault, "C1", "2024", PEOPLE)
    tables = ("meta", "persons", "batches", "erased", "access")
    stored = str([raw(address, f"SELECT * FROM vault_{table}") for table in tables])
    secrets = [t for p in PEOPLE for t in (p.name, p.phone, p.id_number, p.farmer_ref) if t]
    assert not [text for text in secrets if text in stored]
    assert WANG.farmer_id in stored


def test_a_person_is_not_told_where_it_is_printed() -> None:
    shown = f"{WANG} {[WANG]!r}"
    assert WANG.farmer_id in shown
    assert not [t for t in (WANG.name, WANG.phone, WANG.id_number, WANG.farmer_ref) if t in shown]


EXCHANGE = "UPDATE vault_persons SET {0} = ? WHERE farmer_id = ?"


@pytest.mark.parametrize("columns", [("data_key",), ("record",), ("data_key", "record")])
def test_exchanged_rows_are_noticed(address: str, vault: Vault, columns: tuple[str, ...]) -> None:
    store_persons(vault, "C1", "2024", PEOPLE)
    stored = {
        farmer: dict(zip(("data_key", "record"), texts, strict=True))
        for farmer, *texts in raw(address, "SELECT farmer_id, data_key, record FROM vault_persons")
    }
    for one, other in ((WANG, LI), (LI, WANG)):
        for column in columns:
            raw(address, EXCHANGE.format(column), stored[one.farmer_id][column], other.farmer_id)
    for person in (WANG, LI):
        with pytest.raises(
            UserError, match=f"the record of farmer {person.farmer_id} .C1 2024. in"
        ):
            find_person(vault, person.farmer_id)
    assert find_person(vault, ZHANG.farmer_id) == ZHANG
    assert len(verify_vault(vault).problems) == 1


FORGERIES = {
    "removed row": "DELETE FROM vault_persons WHERE farmer_id = 'F00000000000000a2'",
    "moved to another county": "UPDATE vault_persons SET county = 'C2' WHERE county = 'C1'",
    "moved to another season": "UPDATE vault_persons SET season = '2023'",
    "other farmer's number": "UPDATE vault_persons SET farmer_id = 'F9' "
    "WHERE farmer_id = 'F00000000000000a2'",
    "cut ciphertext": "UPDATE vault_persons SET record = substr(record, 1, 20)",
    "changed ciphertext": "UPDATE vault_persons SET record = 'AAAAAA' || substr(record, 7)",
    "emptied ciphertext": "UPDATE vault_persons SET record = ''",
    "changed count": "UPDATE vault_batches SET persons = 2",
    "changed mark": "UPDATE vault_batches SET mark = '00000000' || substr(mark, 9)",
    "removed list": "DELETE FROM vault_batches",
    "removed rows and list": "DELETE FROM vault_batches; DELETE FROM vault_persons",
    "invented erasure": "INSERT INTO vault_erased VALUES ('F1', '2024-01-01T00:00:00+00:00')",
    "changed log": "UPDATE vault_access SET entry = replace(entry, 's\":3', 's\":4')",
    "cut log": "DELETE FROM vault_access WHERE seq = (SELECT max(seq) FROM vault_access)",
    "emptied log": "DELETE FROM vault_access",
    "renumbered log": "UPDATE vault_access SET seq = seq + 5",
    "changed end of the log": "UPDATE vault_meta SET value = '2:00' WHERE name = 'access_head'",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_found(address: str, vault: Vault, name: str) -> None:
    store_persons(vault, "C1", "2024", PEOPLE)
    store_persons(vault, "C9", "2024", PEOPLE[:1])
    assert verify_vault(vault).problems == ()
    for statement in FORGERIES[name].split("; "):
        raw(address, statement)
    found = verify_vault(vault).problems
    assert found
    assert not [p for p in found if "Traceback" in p or WANG.name in p]


def test_an_older_state_put_back_is_noticed(address: str, vault: Vault) -> None:
    store_persons(vault, "C1", "2024", PEOPLE)
    rows = raw(address, "SELECT * FROM vault_persons")
    batch = raw(address, "SELECT * FROM vault_batches")
    store_persons(vault, "C1", "2024", PEOPLE[:1])
    raw(address, "DELETE FROM vault_persons")
    raw(address, "DELETE FROM vault_batches")
    for row in rows:
        raw(address, "INSERT INTO vault_persons VALUES (?, ?, ?, ?, ?)", *row)
    raw(address, "INSERT INTO vault_batches VALUES (?, ?, ?, ?)", *batch[0])
    assert verify_vault(vault).problems == (
        "the list of county C1 and season 2024 is not the last one written",
    )


def _store_county(arguments: tuple[str, int]) -> None:
    import os

    address, number = arguments
    os.environ |= {"FIELDLINE_VAULT_KEY": MASTER, "FIELDLINE_PSEUDONYM_KEY": PSEUDONYMS}
    people = [Person(f"F{number}-{i}", f"P{i}") for i in range(200)]
    with open_vault(address, REAL, create=True) as vault:
        for _ in range(5):
            store_persons(vault, f"C{number}", "2023", people)


def test_counties_may_write_at_the_same_time(address: str) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(_store_county, [(address, number) for number in range(4)], chunksize=1)
    with open_vault(address, REAL) as vault:
        report = verify_vault(vault)
    assert (report.persons, report.entries, report.problems) == (800, 20, ())


def test_a_batch_that_fails_leaves_the_old_one(vault: Vault, tmp_path: Path) -> None:
    store_persons(vault, "C1", "2024", [WANG])
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        store_persons(vault, "C1", "2024", [LI, LI])
    assert list(persons_of(vault, "C1", "2024")) == [WANG]
    assert verify_vault(vault).problems == ()
