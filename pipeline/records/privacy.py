"""Keyed pseudonyms: the only form in which people appear outside the vault.

Owns the HMAC and its key; stores nothing. The same person has the same pseudonym in every county
and season under one key, and nobody without the key can go back or try out names.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Literal

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.secrets import KeySource, read_secret
from fieldline.pipeline.records.settings import PrivacySettings

Kind = Literal["farmer", "household", "phone", "bank_account", "address", "id_number"]

#: Published on purpose: simulated and already pseudonymous data give the same tables everywhere.
DEMO_KEY = b"fieldline demonstration key: not a secret"
_PREFIX: dict[Kind, str] = {
    "farmer": "F", "household": "H", "phone": "P", "bank_account": "B", "address": "A",
    "id_number": "N",
}  # fmt: skip
_DIGITS = 16


def pseudonym_key(privacy: PrivacySettings) -> bytes:
    """Return the HMAC key from the environment or its file, or the demonstration key if configured.

    Raises:
        UserError: The key is absent, too weak, in a file open to others, or the published one.
    """
    if privacy.demo_key:
        return DEMO_KEY
    key = read_secret(
        KeySource(
            "the pseudonym key",
            privacy.key_env,
            privacy.key_file,
            ": the same key gives the same pseudonyms next season",
        )
    )
    if key == DEMO_KEY:
        place = privacy.key_file or f"environment variable {privacy.key_env}"
        raise UserError(
            f"{place} holds the published demonstration key",
            "set a key of your own: `openssl rand -hex 32` makes one",
        )
    return key


def pseudonymiser(privacy: PrivacySettings, kind: Kind = "farmer") -> Callable[[str], str]:
    """Return the function from a raw reference to its pseudonym, such as `F3b1d...` (16 hex).

    Args:
        privacy: Where the key is.
        kind: Farmers, households and contacts with equal references get unrelated pseudonyms.

    Raises:
        UserError: See `pseudonym_key`.

    Source: HMAC-SHA256, RFC 2104; 64 bits keep the chance of one collision among 10 million
    farmers below 3e-6.
    """
    key = pseudonym_key(privacy)

    def pseudonym(reference: str) -> str:
        message = f"{kind}:{reference.strip()}".encode("utf-8", "surrogatepass")
        digest = hmac.digest(key, message, "sha256").hex()
        return _PREFIX[kind] + digest[:_DIGITS]

    return pseudonym
