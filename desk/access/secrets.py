"""Secrets: how tokens are made and kept.

A token carries 256 random bits, so its SHA-256 is as good as a slow hash and costs microseconds;
passwords, which people choose, are hashed by argon2 in `accounts`.
"""

from __future__ import annotations

import hashlib
import secrets


def token() -> str:
    """Return a new token."""
    return secrets.token_urlsafe(32)


def kept(value: str) -> str:
    """Return the form in which a token is kept: 64 hex digits from which nobody gets it back."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
