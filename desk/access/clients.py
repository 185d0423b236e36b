"""Clients: programs that ask the decision API, each with a key, counties and a rate of its own.

Owns keys (`fl_ID_SECRET`, the secret kept as a hash) and the bucket by which a client that asks too
often waits. A bucket is a process's own: each of N processes grants an Nth of the rate.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic, time

import sqlalchemy as sa

from fieldline.desk.access.accounts import EVERY
from fieldline.desk.access.secrets import kept, token
from fieldline.desk.access.tables import CLIENTS
from fieldline.lending.store.database import posting, reading
from fieldline.pipeline.records.errors import UserError

REMEMBERED_SECONDS = 5.0
"""How long a process takes a key for valid without asking the store."""
_MOST_REMEMBERED = 1000
_KEY = re.compile(r"fl_([0-9a-f]{12})_([\w-]{43})", re.ASCII)


@dataclass(frozen=True)
class Client:
    """A program that may ask."""

    client_id: str
    title: str
    counties: frozenset[str] | None
    per_minute: int
    active: bool = True
    ends_at: float | None = None

    def sees(self, county: str) -> bool:
        """Whether a county may be asked about."""
        return self.counties is None or county in self.counties


def add_client(
    engine: sa.Engine, title: str, counties: Iterable[str], per_minute: int,
    ends_at: float | None = None,
) -> str:  # fmt: skip
    """Add a program; return its key, which is told this once and kept nowhere.

    Raises:
        UserError: A title or rate that cannot be.
    """
    if not title.strip() or len(title) > 100:
        raise UserError("a client needs a title of 1 to 100 letters", "name the system that asks")
    if per_minute < 1:
        raise UserError(f"a rate of {per_minute} lets nobody ask", "give 1 a minute or more")
    name, secret = secrets.token_hex(6), token()
    row = {
        "client_id": name, "title": title, "secret": kept(secret),
        "counties": json.dumps(sorted(set(counties))), "per_minute": per_minute, "active": True,
        "ends_at": ends_at,
    }  # fmt: skip
    with posting(engine) as connection:
        connection.execute(sa.insert(CLIENTS), row)
    return f"fl_{name}_{secret}"


def revoke_client(engine: sa.Engine, client_id: str) -> None:
    """Refuse a program's key from now on.

    Raises:
        UserError: There is no such client.
    """
    with posting(engine) as connection:
        change = sa.update(CLIENTS).where(CLIENTS.c.client_id == client_id).values(active=False)
        if connection.execute(change).rowcount == 0:
            raise UserError(
                f"there is no client {client_id!r}", "list them: `fieldline clients list`"
            )


def every_client(engine: sa.Engine) -> list[Client]:
    """Return all clients by title."""
    with reading(engine) as connection:
        return [_of(row) for row in connection.execute(sa.select(CLIENTS).order_by("title"))]


def client_of(
    engine: sa.Engine, header: str, *, clock: Callable[[], float] = time
) -> Client | None:
    """Return whose key an `Authorization` header holds; None for no key that counts today."""
    scheme, _, value = header.partition(" ")
    found = _KEY.fullmatch(value.strip())
    if scheme.lower() != "bearer" or found is None:
        return None
    with reading(engine) as connection:
        query = sa.select(CLIENTS).where(CLIENTS.c.client_id == found[1])
        row = connection.execute(query).first()
    if row is None or not hmac.compare_digest(row.secret, kept(found[2])) or not row.active:
        return None
    return None if row.ends_at is not None and clock() > row.ends_at else _of(row)


def _of(row: sa.Row[tuple[object, ...]]) -> Client:
    counties = json.loads(row.counties)
    return Client(
        row.client_id, row.title, None if EVERY in counties else frozenset(counties),
        row.per_minute, row.active, row.ends_at,
    )  # fmt: skip


class Keys:
    """Whose keys count, remembered for some seconds: a revoked key is refused after so long.

    Only keys that count are remembered, by the hash under which they are kept.
    """

    def __init__(
        self, engine: sa.Engine, seconds: float = REMEMBERED_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:  # fmt: skip
        self._engine = engine
        self._seconds = seconds
        self._clock = clock
        self._known: dict[str, tuple[float, Client]] = {}

    def remembered(self, header: str) -> Client | None:
        """Return whose key an `Authorization` header holds, where that was asked just now."""
        until, client = self._known.get(kept(header), (0.0, None))
        return client if self._clock() < until else None

    def client(self, header: str) -> Client | None:
        """Return whose key an `Authorization` header holds; None for no key that counts today.

        Raises:
            UserError: The store cannot be read.
        """
        found = client_of(self._engine, header)
        if len(self._known) > _MOST_REMEMBERED:
            self._known.clear()
        if found is not None:
            self._known[kept(header)] = (self._clock() + self._seconds, found)
        return found


@dataclass
class Rates:
    """Token buckets by client: a minute's worth at once at most, refilled evenly."""

    processes: int = 1
    clock: Callable[[], float] = monotonic
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, client: Client) -> float:
        """Take one request out of a client's bucket; return seconds to wait where it is empty."""
        most = max(1.0, client.per_minute / self.processes)
        each = most / 60
        with self._lock:
            now = self.clock()
            left, then = self._left.get(client.client_id, (most, now))
            left = min(most, left + (now - then) * each)
            taken = left >= 1
            self._left[client.client_id] = (left - 1 if taken else left, now)
        return 0.0 if taken else (1 - left) / each
