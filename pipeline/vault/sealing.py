"""Sealing: a record under a key of its own, and that key under the lender's master key.

Owns the ciphers and nothing that is stored. Each record names the place where it stands (county,
season, farmer) as associated data, so a record that is moved, exchanged or changed does not open.
Who destroys a record's own key has destroyed the record, in every copy that lacks that key.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.secrets import KeySource, fingerprint, read_secret
from fieldline.pipeline.records.settings import PrivacySettings

#: Published on purpose: the vault of a simulated county hides nobody, since nobody is in it.
DEMO_MASTER = b"fieldline demonstration vault key: not a secret"

_KEY_BYTES, _NONCE_BYTES = 32, 12
_BLOCK = 64
"""Records are filled up to a multiple of this, bytes: a length would tell names apart."""


class BrokenSealError(Exception):
    """What was sealed does not open: another key, another place, or a changed byte."""


class Sealed(NamedTuple):
    """One record as it is stored."""

    data_key: str
    """The record's own key under the master key, base64."""
    record: str
    """The record under its own key, base64."""


@dataclass(frozen=True)
class MasterKey:
    """The lender's key, under which the keys of records are kept.

    Source: AES-256-GCM, NIST SP 800-38D (random nonces: below 2^32 records under one key); the
    cipher's key is derived by HKDF-SHA256, RFC 5869.
    """

    secret: bytes = field(repr=False)

    @cached_property
    def key_id(self) -> str:
        """What tells this key from another and does not betray it."""
        return fingerprint(self.secret)

    @cached_property
    def _cipher(self) -> AESGCM:
        derive = HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"fieldline vault: keys of records")
        return AESGCM(derive.derive(self.secret))

    def wrap(self, key: bytes, place: bytes) -> str:
        """Return a key under this one, for one place alone."""
        return _under(self._cipher, key, place)

    def unwrap(self, wrapped: str, place: bytes) -> bytes:
        """Return a wrapped key.

        Raises:
            BrokenSealError: It was wrapped by another key, for another place, or was changed.
        """
        return _opened(self._cipher, wrapped, place)


def master_key(privacy: PrivacySettings) -> MasterKey:
    """Return the master key from its variable or file, or the demonstration key if configured.

    Raises:
        UserError: It is absent, too weak, in a file open to others, or the published one.
    """
    source = KeySource(
        "the master key of the vault",
        privacy.vault_key_env,
        privacy.vault_key_file,
        ": without it nobody can read the vault again",
    )
    return _demo_or_own(source, demo=bool(privacy.demo_key))


def _demo_or_own(source: KeySource, *, demo: bool) -> MasterKey:
    if demo and not source.given:
        return MasterKey(DEMO_MASTER)
    secret = read_secret(source)
    if secret == DEMO_MASTER:
        raise UserError(
            f"{source.file or source.variable} holds the published demonstration key",
            "set a key of your own: `openssl rand -hex 32` makes one",
        )
    return MasterKey(secret)


def place_of(*parts: str) -> bytes:
    """Return the associated data of a place; no part of it holds a NUL."""
    return "\0".join(parts).encode()


def seal(master: MasterKey, place: bytes, values: list[str | None]) -> Sealed:
    """Seal a record under a fresh key of its own.

    Args:
        master: Key that keeps that key.
        place: Where the record will stand.
        values: Texts of the record.
    """
    key = os.urandom(_KEY_BYTES)
    plain = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
    padded = plain + b" " * (-len(plain) % _BLOCK)
    return Sealed(master.wrap(key, place), _under(AESGCM(key), padded, place))


def unseal(master: MasterKey, place: bytes, sealed: Sealed) -> list[str | None]:
    """Return the values of a record.

    Raises:
        BrokenSealError: The record is not the one that was sealed at this place.
    """
    key = master.unwrap(sealed.data_key, place)
    plain = _opened(AESGCM(key), sealed.record, place)
    values: list[str | None] = json.loads(plain.decode("utf-8", "surrogatepass"))
    return values


def new_key() -> bytes:
    """Return a random key."""
    return os.urandom(_KEY_BYTES)


def mark(key: bytes, text: bytes) -> bytes:
    """Return the keyed mark of a text, which nobody without the key can make (HMAC-SHA256)."""
    return hmac.digest(key, text, "sha256")


def _under(cipher: AESGCM, plain: bytes, place: bytes) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    return base64.b64encode(nonce + cipher.encrypt(nonce, plain, place)).decode()


def _opened(cipher: AESGCM, text: str, place: bytes) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
        return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place)
    except (ValueError, InvalidTag) as error:
        raise BrokenSealError from error
