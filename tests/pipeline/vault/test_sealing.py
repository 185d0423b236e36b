"""Seals: what is sealed opens with its key, at its place, unchanged, and not otherwise."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.vault.sealing import (
    DEMO_MASTER,
    BrokenSealError,
    MasterKey,
    Sealed,
    master_key,
    place_of,
    seal,
    unseal,
)

KEY = MasterKey(b"c41f0a7e935db268e07d5f13a94b82c6")
PLACE = place_of("C1", "2024", "F1")


@given(st.lists(st.none() | st.text(), max_size=4))
def test_what_is_sealed_opens_unchanged(values: list[str | None]) -> None:
    assert unseal(KEY, PLACE, seal(KEY, PLACE, values)) == values


def test_the_layout_is_the_one_that_is_documented() -> None:
    """Opened by hand: HKDF, the wrapped key, the record; nonce first, the place as extra data."""
    sealed = seal(KEY, PLACE, ["P-1", "王小明", None, None])
    wrapping = HKDF(SHA256(), 32, None, b"fieldline vault: keys of records").derive(KEY.secret)
    wrapped, record = (base64.b64decode(text) for text in sealed)
    data_key = AESGCM(wrapping).decrypt(wrapped[:12], wrapped[12:], b"C1\x002024\x00F1")
    plain = AESGCM(data_key).decrypt(record[:12], record[12:], b"C1\x002024\x00F1")
    assert json.loads(plain) == ["P-1", "王小明", None, None]
    assert len(plain) == 64


def test_short_and_long_names_have_records_of_one_length() -> None:
    lengths = {len(seal(KEY, PLACE, ["P-1", name, None, None]).record) for name in ("Li", "L" * 20)}
    assert len(lengths) == 1


def test_no_two_records_share_a_key_or_a_nonce() -> None:
    sealed = [seal(KEY, PLACE, ["P-1"]) for _ in range(200)]
    for texts in zip(*sealed, strict=True):
        assert len({base64.b64decode(text)[:12] for text in texts}) == 200
    keys = {KEY.unwrap(item.data_key, PLACE) for item in sealed}
    assert len(keys) == 200


@pytest.mark.parametrize("field", ["data_key", "record"])
def test_a_single_changed_bit_anywhere_does_not_open(field: str) -> None:
    sealed = seal(KEY, PLACE, ["P-1", "王小明", None, None])
    raw = bytearray(base64.b64decode(getattr(sealed, field)))
    for place in range(len(raw)):
        raw[place] ^= 1
        changed = sealed._replace(**{field: base64.b64encode(bytes(raw)).decode()})
        with pytest.raises(BrokenSealError):
            unseal(KEY, PLACE, changed)
        raw[place] ^= 1


def test_a_record_opens_at_its_own_place_and_under_its_own_key_alone() -> None:
    mine, yours = (seal(KEY, PLACE, [name]) for name in ("mine", "yours"))
    for place in (place_of("C1", "2024", "F2"), place_of("C1", "2023", "F1"), b""):
        with pytest.raises(BrokenSealError):
            unseal(KEY, place, mine)
    with pytest.raises(BrokenSealError):
        unseal(MasterKey(b"another key of thirty-two bytes!!"), PLACE, mine)
    with pytest.raises(BrokenSealError):
        unseal(KEY, PLACE, Sealed(mine.data_key, yours.record))


@pytest.mark.parametrize("text", ["", "x", "!!!!", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAA"])
def test_what_is_no_seal_at_all_does_not_open(text: str) -> None:
    with pytest.raises(BrokenSealError):
        KEY.unwrap(text, PLACE)


def test_a_key_is_never_printed() -> None:
    assert "c41f0a7e" not in repr(KEY)
    assert "c41f0a7e" not in KEY.key_id


def test_simulated_counties_alone_have_the_published_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIELDLINE_VAULT_KEY", raising=False)
    assert master_key(PrivacySettings(demo_key=True)).secret == DEMO_MASTER
    with pytest.raises(UserError, match="FIELDLINE_VAULT_KEY is not set, so the master key"):
        master_key(PrivacySettings(demo_key=False))
    monkeypatch.setenv("FIELDLINE_VAULT_KEY", DEMO_MASTER.decode())
    with pytest.raises(UserError, match="holds the published demonstration key"):
        master_key(PrivacySettings(demo_key=False))
    monkeypatch.setenv("FIELDLINE_VAULT_KEY", KEY.secret.decode())
    for demo in (True, False):
        assert master_key(PrivacySettings(demo_key=demo)) == KEY
