"""Accounts: the people of a lender, their roles, counties and passwords.

Owns adding, changing and finding accounts and checking passwords (argon2id). Sessions are in
`sessions`, single sign-on in `oidc`. A name of an account is the name that acts carry in the audit
chain, so it is never given to another person: accounts are switched off, not removed.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from time import time

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from fieldline.desk.access.roles import OWN_FARMERS, ROLES
from fieldline.desk.access.tables import ACCOUNTS, SESSIONS
from fieldline.lending.store.database import posting, reading
from fieldline.pipeline.records.errors import UserError

EVERY = "*"
"""All counties."""
_LEAST_LENGTH = 12
_MOST_LENGTH = 200
_NAME = re.compile(r"[\w.@-]{2,64}")
_AT_ONCE = threading.Semaphore(2)
"""Each check takes 64 MB: many at once must wait, not fill the memory."""


@dataclass(frozen=True)
class Account:
    """A person who may sign in."""

    name: str
    role: str
    counties: frozenset[str] | None
    """Counties that may be seen; None for all."""
    farmers: frozenset[str] | None
    """Farmers that may be seen, by pseudonym; None for all of the counties."""
    active: bool
    changed_at: float
    subject: str | None = None
    """Who it is at the provider of single sign-on."""


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobody() -> str:
    """A hash that no password has: an unknown name takes as long as a wrong password."""
    return _hasher().hash("nobody")


def add_account(
    engine: sa.Engine, name: str, role: str, *, password: str | None, subject: str | None = None,
    counties: Iterable[str] = (EVERY,), farmers: Iterable[str] = (),
    clock: Callable[[], float] = time,
) -> None:  # fmt: skip
    """Add a person, or change role, counties, farmers and password of one; sessions end.

    Args:
        engine: Open store.
        name: Name in the audit chain.
        role: One of `ROLES`.
        password: What the person signs in with; None where single sign-on does.
        subject: `issuer subject` of single sign-on.
        counties: Counties, `*` for all.
        farmers: Pseudonyms, for roles that see their own farmers alone.
        clock: Seconds since 1970.

    Raises:
        UserError: A name, role or password that cannot be.
    """
    _refuse(name, role, password, subject)
    row = {
        "role": role, "password": None if password is None else _hasher().hash(password),
        "subject": subject, "counties": json.dumps(sorted(set(counties))),
        "farmers": json.dumps(sorted(set(farmers))), "active": True, "changed_at": clock(),
    }  # fmt: skip
    with posting(engine) as connection:
        here = ACCOUNTS.c.name == name
        if connection.execute(sa.update(ACCOUNTS).where(here).values(**row)).rowcount == 0:
            connection.execute(sa.insert(ACCOUNTS), {"name": name, **row})
        connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.account == name))


def _refuse(name: str, role: str, password: str | None, subject: str | None) -> None:
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} is no name of an account", "use 2 to 64 letters and digits")
    if role not in ROLES:
        raise UserError(f"there is no role {role!r}", f"choose one of {', '.join(ROLES)}")
    if password is None and subject is None:
        raise UserError(f"{name} could not sign in", "give a password or a subject")
    if password is not None and not _LEAST_LENGTH <= len(password) <= _MOST_LENGTH:
        raise UserError(
            f"a password of {len(password)} letters is not taken",
            f"choose one of {_LEAST_LENGTH} to {_MOST_LENGTH}",
        )


def switch_off(engine: sa.Engine, name: str, *, clock: Callable[[], float] = time) -> None:
    """Let a person sign in no longer; sessions end at once.

    Raises:
        UserError: There is no such account.
    """
    with posting(engine) as connection:
        change = sa.update(ACCOUNTS).where(ACCOUNTS.c.name == name)
        done = connection.execute(change.values(active=False, changed_at=clock()))
        if done.rowcount == 0:
            raise UserError(f"there is no account {name!r}", "list them: `fieldline accounts list`")
        connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.account == name))


def every_account(engine: sa.Engine) -> list[Account]:
    """Return all accounts by name."""
    with reading(engine) as connection:
        return [_of(row) for row in connection.execute(sa.select(ACCOUNTS).order_by("name"))]


def account_of(connection: sa.Connection, name: str) -> Account | None:
    """Return an account that may sign in."""
    row = connection.execute(
        sa.select(ACCOUNTS).where(ACCOUNTS.c.name == name, ACCOUNTS.c.active)
    ).first()
    return None if row is None else _of(row)


def account_of_subject(engine: sa.Engine, subject: str) -> Account | None:
    """Return the account of somebody whom a provider of single sign-on vouches for."""
    with reading(engine) as connection:
        row = connection.execute(
            sa.select(ACCOUNTS).where(ACCOUNTS.c.subject == subject, ACCOUNTS.c.active)
        ).first()
    return None if row is None else _of(row)


def check_password(engine: sa.Engine, name: str, password: str) -> Account | None:
    """Return the account where name and password belong together, in equal time where not."""
    with reading(engine) as connection:
        row = connection.execute(sa.select(ACCOUNTS).where(ACCOUNTS.c.name == name)).first()
    known = row is not None and row.active and row.password is not None
    held = row.password if row is not None and known else _nobody()
    with _AT_ONCE:
        try:
            _hasher().verify(held, password[:_MOST_LENGTH])
        except VerificationError:
            return None
    return _of(row) if row is not None and known else None


def _of(row: sa.Row[tuple[object, ...]]) -> Account:
    counties = json.loads(row.counties)
    return Account(
        row.name, row.role, None if EVERY in counties else frozenset(counties),
        frozenset(json.loads(row.farmers)) if row.role in OWN_FARMERS else None,
        row.active, row.changed_at, row.subject,
    )  # fmt: skip
