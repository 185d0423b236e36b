"""Signer: who writes into the audit chain, at what time and under which key.

Owns the key of the lender (HMAC-SHA256), the clock and the name that every entry carries. Whoever
can write to the database can make a chain that follows by its own hashes; without the key nobody
can seal it.
"""

from __future__ import annotations

import datetime as dt
import getpass
import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fieldline.pipeline.records.errors import UserError

KEY_VARIABLE = "FIELDLINE_AUDIT_KEY"
"""Environment variable that holds the audit key."""
ACTOR_VARIABLE = "FIELDLINE_ACTOR"
"""Environment variable that names who acts; empty means the user of the operating system."""

_LEAST_KEY = 32
_SKEW = dt.timedelta(minutes=5)
"""By how much the clocks of two machines that post to one store may differ."""


def _now() -> dt.datetime:
    return dt.datetime.now(tz=dt.UTC)


@dataclass(frozen=True)
class Signer:
    """Who signs."""

    actor: str
    key: bytes | None = None
    """Audit key; None where the chain is kept without one."""
    clock: Callable[[], dt.datetime] = _now
    """Time of an entry, with its zone."""

    @property
    def key_id(self) -> str:
        """Return the key's public name; empty without a key."""
        return "" if self.key is None else self._mac(b"fieldline audit key")[:8]

    def seal(self, text: str) -> str | None:
        """Return the seal of a text, `key id:HMAC-SHA256` in hex; None without a key.

        Source: RFC 2104.
        """
        return None if self.key is None else f"{self.key_id}:{self._mac(text.encode('utf-8'))}"

    def is_own(self, seal: str | None) -> bool:
        """Whether a seal claims to be made with this key."""
        return self.key is not None and (seal or "").partition(":")[0] == self.key_id

    def holds(self, text: str, seal: str | None) -> bool:
        """Whether a seal is this key's seal of the text."""
        made = self.seal(text)
        return made is not None and hmac.compare_digest(made, seal or "")

    def time(self, last: str | None) -> str:
        """Return the time of a new entry, UTC to the second, never before the last entry's.

        Args:
            last: Time of the last entry; None where it has none.

        Raises:
            UserError: The clock stands before the last entry.
        """
        now = self.clock().astimezone(dt.UTC).replace(microsecond=0)
        before = now if last is None else dt.datetime.fromisoformat(last)
        if now < before - _SKEW:
            raise UserError(
                f"the clock of this machine says {now.isoformat()}, before the store's last entry "
                f"of {before.isoformat()}",
                "set the clock and run again",
            )
        return max(now, before).isoformat()

    def _mac(self, text: bytes) -> str:
        return hmac.new(self.key or b"", text, hashlib.sha256).hexdigest()


def signer(key_file: Path | None = None) -> Signer:
    """Return the signer of this process: key from the environment, else from a file, else none.

    Args:
        key_file: File whose text is the key; the environment variable stands above it.

    Raises:
        UserError: The key is shorter than 32 characters, or its file cannot be read.
    """
    actor = os.environ.get(ACTOR_VARIABLE, "").strip() or _user()
    text = os.environ.get(KEY_VARIABLE, "").strip()
    place = f"environment variable {KEY_VARIABLE}"
    if not text and key_file is not None:
        place = f"audit key file {key_file}"
        text = _read(key_file)
    elif not text:
        return Signer(actor)
    if len(text) < _LEAST_KEY:
        raise UserError(
            f"{place} holds {len(text)} characters, the audit key needs {_LEAST_KEY}",
            "make one with `openssl rand -hex 32` and keep it away from the database",
        )
    return Signer(actor, text.encode("utf-8"))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"audit key file {file} cannot be read ({error})",
            f"correct `audit.key_file` or set {KEY_VARIABLE}",
        ) from error


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
