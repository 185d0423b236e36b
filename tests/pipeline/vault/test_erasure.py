"""Erasure: nothing of a farmer is left, nobody else is touched, and it stays so."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.vault.access import access_log
from fieldline.pipeline.vault.erasure import admit, erase, erased_farmers
from fieldline.pipeline.vault.opening import open_vault
from fieldline.pipeline.vault.persons import find_person, persons_of, store_persons
from fieldline.pipeline.vault.showing import show_person
from fieldline.pipeline.vault.vault import Vault
from fieldline.pipeline.vault.verify import verify_vault
from tests.pipeline.vault.conftest import LI, PEOPLE, REAL, WANG, ZHANG, opened, raw


def test_every_record_of_a_farmer_goes_with_its_key(address: str, vault: Vault) -> None:
    for season in ("2023", "2024"):
        store_persons(vault, "C1", season, PEOPLE)
    store_persons(vault, "C2", "2024", [WANG])
    assert erase(vault, WANG.farmer_id, "letter of 2 May").records == 3
    left = raw(address, "SELECT county, season, farmer_id FROM vault_persons ORDER BY 1, 2, 3")
    assert left == [("C1", s, p.farmer_id) for s in ("2023", "2024") for p in (LI, ZHANG)]
    assert find_person(vault, WANG.farmer_id) is None
    assert list(persons_of(vault, "C1", "2024")) == [LI, ZHANG]
    assert list(persons_of(vault, "C2", "2024")) == []
    assert verify_vault(vault).problems == ()


def test_no_byte_of_the_record_or_its_key_stays_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite"
    with opened(path) as vault:
        store_persons(vault, "C1", "2024", PEOPLE)
        where = "WHERE farmer_id = ?"
        query = f"SELECT data_key, record FROM vault_persons {where}"
        ((data_key, record),) = raw(str(path), query, WANG.farmer_id)
        assert data_key.encode() in path.read_bytes()
        erase(vault, WANG.farmer_id, "letter of 2 May")
    content = path.read_bytes()
    for text in (data_key, record):
        assert not [i for i in range(0, len(text) - 16, 16) if text[i : i + 16].encode() in content]


def test_a_later_run_does_not_take_the_farmer_in_again(vault: Vault) -> None:
    store_persons(vault, "C1", "2024", PEOPLE)
    erase(vault, WANG.farmer_id, "letter of 2 May")
    store_persons(vault, "C1", "2024", PEOPLE)
    store_persons(vault, "C1", "2025", PEOPLE)
    assert find_person(vault, WANG.farmer_id) is None
    admit(vault, WANG.farmer_id, "consent of 9 May")
    store_persons(vault, "C1", "2025", PEOPLE)
    assert find_person(vault, WANG.farmer_id) == WANG
    assert verify_vault(vault).problems == ()


def test_who_looks_is_told_when_the_farmer_was_erased(vault: Vault) -> None:
    store_persons(vault, "C1", "2024", PEOPLE)
    at = erase(vault, WANG.farmer_id, "letter of 2 May").erased_at
    assert dt.datetime.now(tz=dt.UTC) - dt.datetime.fromisoformat(at) < dt.timedelta(minutes=5)
    with pytest.raises(UserError, match=rf"was erased at {at[:19]}.*nobody can bring it back"):
        show_person(vault, WANG.farmer_id, "call about offer 17")


def test_erasing_twice_keeps_the_first_time_and_unknown_farmers_are_said(vault: Vault) -> None:
    store_persons(vault, "C1", "2024", PEOPLE)
    first = erase(vault, WANG.farmer_id, "letter of 2 May")
    second = erase(vault, WANG.farmer_id, "letter of 3 May")
    assert (second.records, second.erased_at) == (0, first.erased_at)
    assert erased_farmers(vault) == {WANG.farmer_id: first.erased_at}
    with pytest.raises(UserError, match="knows no farmer F9"):
        erase(vault, "F9", "letter of 2 May")
    with pytest.raises(UserError, match="was not erased"):
        admit(vault, LI.farmer_id, "consent of 9 May")


def test_an_erasure_is_in_the_log_without_a_name(address: str) -> None:
    with opened(address) as vault:
        store_persons(vault, "C1", "2024", PEOPLE)
        erase(vault, WANG.farmer_id, "letter of 2 May")
    with open_vault(address, REAL) as vault:
        entry = access_log(vault)[-1]
        assert verify_vault(vault).erased == 1
    assert (entry["act"], entry["farmer_id"]) == ("erase", WANG.farmer_id)
    assert WANG.name not in str(entry)


def test_a_register_that_somebody_emptied_is_noticed(address: str, vault: Vault) -> None:
    store_persons(vault, "C1", "2024", PEOPLE)
    erase(vault, WANG.farmer_id, "letter of 2 May")
    raw(address, "DELETE FROM vault_erased")
    (problem,) = verify_vault(vault).problems
    assert problem == f"the log and the register of erased farmers disagree about {WANG.farmer_id}"
