"""The access log: every look has an actor, a time and a purpose, before anything is shown."""

from __future__ import annotations

import datetime as dt
import os
import pwd

import pytest

from fieldline.pipeline.records.actor import actor
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.vault.access import access_log, stated_purpose
from fieldline.pipeline.vault.persons import store_persons
from fieldline.pipeline.vault.showing import show_person
from fieldline.pipeline.vault.vault import Vault
from tests.pipeline.vault.conftest import PEOPLE, WANG, raw

ACCOUNT = pwd.getpwuid(os.getuid()).pw_name


def test_a_look_is_written_down_with_actor_time_and_purpose(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDLINE_ACTOR", "li.officer")
    before = dt.datetime.now(tz=dt.UTC).replace(microsecond=0)
    store_persons(vault, "C1", "2024", PEOPLE)
    assert show_person(vault, WANG.farmer_id, "call about offer 17") == WANG
    entry = access_log(vault)[-1]
    assert before <= dt.datetime.fromisoformat(entry.pop("at")) <= dt.datetime.now(tz=dt.UTC)
    assert entry == {
        "seq": 2, "act": "show", "actor": f"li.officer ({ACCOUNT})",
        "farmer_id": WANG.farmer_id, "purpose": "call about offer 17",
    }  # fmt: skip


def test_a_try_in_vain_is_written_down_too(vault: Vault) -> None:
    with pytest.raises(UserError, match="knows no farmer F9: give the farmer_id of offers"):
        show_person(vault, "F9", "curiosity")
    assert access_log(vault)[-1]["farmer_id"] == "F9"


def test_nothing_is_shown_where_the_log_cannot_be_continued(address: str, vault: Vault) -> None:
    store_persons(vault, "C1", "2024", PEOPLE)
    raw(address, "DELETE FROM vault_access")
    with pytest.raises(UserError, match="the end of the access log in the vault"):
        show_person(vault, WANG.farmer_id, "call about offer 17")


@pytest.mark.parametrize("text", ["", "   ", "x", " a\n b ", "..."])
def test_a_purpose_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="says nothing: say why the data is looked at"):
        stated_purpose(text)


def test_a_purpose_is_one_line() -> None:
    assert stated_purpose("  call about\n offer 17 ") == "call about offer 17"


def test_the_account_is_named_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("USER", "LOGNAME"):
        monkeypatch.setenv(name, "somebody else")
    monkeypatch.delenv("FIELDLINE_ACTOR", raising=False)
    assert actor() == ACCOUNT
    monkeypatch.setenv("FIELDLINE_ACTOR", "  ")
    assert actor() == ACCOUNT
