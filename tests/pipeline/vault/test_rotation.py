"""Rotation: the same people under another key, or nothing changed at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.vault.access import access_log
from fieldline.pipeline.vault.opening import master_of, open_vault
from fieldline.pipeline.vault.persons import Person, persons_of, store_persons
from fieldline.pipeline.vault.rotation import rotate
from fieldline.pipeline.vault.sealing import BrokenSealError, MasterKey, place_of
from fieldline.pipeline.vault.vault import Vault
from fieldline.pipeline.vault.verify import verify_vault
from tests.pipeline.vault.conftest import MASTER, OTHER_MASTER, PEOPLE, REAL, WANG, opened, raw

OLD, NEW = MasterKey(MASTER.encode()), MasterKey(OTHER_MASTER.encode())


def test_people_open_under_the_new_key_and_no_more_under_the_old(
    address: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_persons(vault, "C1", "2024", PEOPLE)
    store_persons(vault, "C2", "2024", PEOPLE[:1])
    records = raw(address, "SELECT record FROM vault_persons ORDER BY county, farmer_id")
    assert rotate(vault, NEW) == 4
    with pytest.raises(UserError, match="is sealed under the master key"):
        open_vault(address, REAL).__enter__()
    ((wrapped,),) = raw(
        address, "SELECT data_key FROM vault_persons WHERE county = 'C2' AND season = '2024'"
    )
    place = place_of("C2", "2024", WANG.farmer_id)
    assert len(NEW.unwrap(wrapped, place)) == 32
    with pytest.raises(BrokenSealError):
        OLD.unwrap(wrapped, place)
    monkeypatch.setenv("FIELDLINE_VAULT_KEY", OTHER_MASTER)
    with opened(address) as fresh:
        assert list(persons_of(fresh, "C1", "2024")) == PEOPLE
        assert verify_vault(fresh).problems == ()
        entry = access_log(fresh)[-1]
    assert (entry["act"], entry["from"], entry["to"]) == ("rotate", OLD.key_id, NEW.key_id)
    assert raw(address, "SELECT record FROM vault_persons ORDER BY county, farmer_id") == records


def test_a_changed_data_key_stops_a_rotation_and_nothing_is_rotated(
    address: str, vault: Vault
) -> None:
    store_persons(vault, "C1", "2024", PEOPLE)
    raw(address, "UPDATE vault_persons SET data_key = 'AAAA' WHERE farmer_id = ?", WANG.farmer_id)
    before = raw(address, "SELECT * FROM vault_persons ORDER BY farmer_id")
    with pytest.raises(UserError, match=f"the record of farmer {WANG.farmer_id}"):
        rotate(vault, NEW)
    assert raw(address, "SELECT * FROM vault_persons ORDER BY farmer_id") == before
    assert master_of(address) == OLD.key_id


ROTATE = textwrap.dedent(
    """
    import sys
    from fieldline.pipeline.records.settings import PrivacySettings
    from fieldline.pipeline.vault.opening import open_vault
    from fieldline.pipeline.vault.rotation import rotate
    from fieldline.pipeline.vault.sealing import MasterKey
    with open_vault(sys.argv[1], PrivacySettings(demo_key=False)) as vault:
        print("open", flush=True)
        rotate(vault, MasterKey(sys.argv[2].encode()))
    """
)


def test_a_killed_rotation_never_was_and_can_be_run_again(
    address: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [Person(f"F{i:016x}", f"P{i}", f"Name {i}") for i in range(4000)]
    store_persons(vault, "C1", "2024", people)
    outcomes = set()
    for share in (0.05, 0.3, 0.6, 30.0):
        process = subprocess.Popen(
            [sys.executable, "-c", ROTATE, address, OTHER_MASTER],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        deadline = time.monotonic() + share
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        under = _master_when_free(address)
        key = {OLD.key_id: MASTER, NEW.key_id: OTHER_MASTER}[under]
        monkeypatch.setenv("FIELDLINE_VAULT_KEY", key)
        with open_vault(address, REAL) as fresh:
            assert verify_vault(fresh).problems == ()
            assert list(persons_of(fresh, "C1", "2024")) == people
        outcomes.add(under)
        if under == NEW.key_id:
            break
    assert NEW.key_id in outcomes


def _master_when_free(address: str) -> str:
    found = master_of(address)
    assert found is not None
    return found
