"""Sessions: who has signed in, until when; and how often somebody may try.

Owns both clocks: a session ends some time after it was last used and in any case after a working
day. The token is with the browser alone; the store holds its hash.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import time

import sqlalchemy as sa

from fieldline.desk.access.accounts import Account, account_of
from fieldline.desk.access.secrets import kept, token
from fieldline.desk.access.tables import SESSIONS, TRIES
from fieldline.lending.store.database import posting, reading

LOG = logging.getLogger("fieldline.access")
_NOTED_EVERY = 60.0
"""A session that is in use is noted at most so often, seconds."""


@dataclass(frozen=True)
class Times:
    """How long sessions last and how often somebody may fail, in seconds and numbers."""

    idle: float = 30 * 60
    most: float = 10 * 3600
    window: float = 15 * 60
    """Failed tries are counted over this time."""
    tries_of_name: int = 5
    tries_of_place: int = 50
    """From one address: a branch office has one for all."""


def open_session(engine: sa.Engine, account: Account, *, clock: Callable[[], float] = time) -> str:
    """Return the token of a new session."""
    made, now = token(), clock()
    row = {"token": kept(made), "account": account.name, "made_at": now, "seen_at": now}
    with posting(engine) as connection:
        connection.execute(sa.insert(SESSIONS), row)
    return made


def session_of(
    engine: sa.Engine, value: str, times: Times, *, clock: Callable[[], float] = time
) -> Account | None:
    """Return who has signed in with a token; None where nobody has, or the session has ended."""
    now, key = clock(), kept(value)
    with reading(engine) as connection:
        row = connection.execute(sa.select(SESSIONS).where(SESSIONS.c.token == key)).first()
        account = None if row is None else account_of(connection, row.account)
    if row is None or account is None:
        return None
    if now > row.seen_at + times.idle or now > row.made_at + times.most:
        end_session(engine, value)
        return None
    if now > row.seen_at + _NOTED_EVERY:
        with posting(engine) as connection:
            noted = sa.update(SESSIONS).where(SESSIONS.c.token == key)
            connection.execute(noted.values(seen_at=now))
    return account


def end_session(engine: sa.Engine, value: str) -> None:
    """End a session."""
    with posting(engine) as connection:
        connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.token == kept(value)))


def may_try(
    engine: sa.Engine, name: str, place: str, times: Times, *, clock: Callable[[], float] = time
) -> bool:
    """Whether somebody may try to sign in, as a name and from an address."""
    most = {_what("name", name): times.tries_of_name, _what("place", place): times.tries_of_place}
    query = sa.select(TRIES).where(TRIES.c.what.in_(most))
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    now = clock()
    return all(row.failed < most[row.what] or now > row.since + times.window for row in rows)


def note_failure(
    engine: sa.Engine, name: str, place: str, times: Times, *, clock: Callable[[], float] = time
) -> None:
    """Count a failed try; who it was is logged by a hash, for a name may be a mistyped password."""
    now = clock()
    with posting(engine) as connection:
        for what in (_what("name", name), _what("place", place)):
            row = connection.execute(sa.select(TRIES).where(TRIES.c.what == what)).first()
            if row is None:
                values = {"what": what, "failed": 1, "since": now}
                connection.execute(sa.insert(TRIES), values)
                continue
            fresh = now > row.since + times.window
            failed, since = (1, now) if fresh else (row.failed + 1, row.since)
            change = sa.update(TRIES).where(TRIES.c.what == what)
            connection.execute(change.values(failed=failed, since=since))
    LOG.warning("a login failed", extra={"name_hash": _what("name", name)[:12]})


def forget_failures(engine: sa.Engine, name: str) -> None:
    """Start anew for a name that has signed in."""
    with posting(engine) as connection:
        connection.execute(sa.delete(TRIES).where(TRIES.c.what == _what("name", name)))


def _what(kind: str, value: str) -> str:
    return kept(f"{kind}:{value.casefold()}")
