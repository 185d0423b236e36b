"""Pseudonyms: keyed, and never without a real key."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.privacy import DEMO_KEY, pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings

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
