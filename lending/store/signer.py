"""Signer: who writes into the audit chain, at what time and under which key.

Owns the key of the lender (HMAC-SHA256), the clock and the name that every entry carries. Whoever
can write to the database can make a chain that follows by its own hashes; without the key nobody
can seal it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fieldline.pipeline.records.actor import actor
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.secrets import KeySource, read_secret

KEY_VARIABLE = "FIELDLINE_AUDIT_KEY"
"""Environment variable that holds the audit key."""
_STATED = re.compile(r".* \((?P<account>[^()]*)\)")
"""A stated name with the account that it was stated from (`pipeline.records.actor`)."""
_SKEW = dt.timedelta(minutes=5)
"""By how much the clocks of two machines that post to one store may differ."""


def _now() -> dt.datetime:
    return dt.datetime.now(tz=dt.UTC)


def account_of(actor: str) -> str:
    """Return the account behind an actor, in one spelling: case, blanks and width of letters aside.

    A name that somebody stated says nothing: any account may state any name.

    Args:
        actor: What an entry of the chain says of who acted.
    """
    stated = _STATED.fullmatch(actor.strip())
    account = stated["account"] if stated else actor
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", account).casefold())
    return "".join(plain.split())


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
    """Return the signer of this process: key from the environment or a file, else none.

    Args:
        key_file: File whose text is the key.

    Raises:
        UserError: The key is short, easy to guess, told twice in two ways, or lies in a file that
            cannot be read or that others may read.
    """
    source = KeySource("the audit key", KEY_VARIABLE, key_file, " away from the database")
    return Signer(actor(), read_secret(source) if source.given else None)
