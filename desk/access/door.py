"""Door: who has signed in at a served desk, and with that which scope a request has.

Owns the session's cookie. Without a session nobody is told anything; what a person sees is the
account's role, counties and farmers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa
from fastapi import Request, Response

from fieldline.desk.access.accounts import Account
from fieldline.desk.access.oidc import Provider
from fieldline.desk.access.roles import ROLES
from fieldline.desk.access.sessions import Times, session_of
from fieldline.desk.app.scope import Scope

COOKIE = "__Host-fieldline"
"""The prefix has the browser take it over TLS alone, for this host alone."""
BOUND = "__Host-fieldline-login"
"""Binds a login at a provider to the browser that began it."""


@dataclass
class AccountDoor:
    """The door of a served desk."""

    engine: sa.Engine
    hosts: frozenset[str]
    times: Times = field(default_factory=Times)
    provider: Provider | None = None
    """Single sign-on, where there is one."""

    def scope(self, request: Request) -> Scope | None:
        """Return the scope of who has signed in; None where nobody has."""
        token = request.cookies.get(COOKIE, "")
        account = session_of(self.engine, token, self.times) if token else None
        return None if account is None else scope_of(account)


def scope_of(account: Account) -> Scope:
    """Return what an account may see and do."""
    return Scope(account.name, account.counties, ROLES[account.role], account.farmers, True)


def set_cookie(response: Response, name: str, value: str, seconds: float | None) -> None:
    """Set a cookie that no script reads and no other site sends along with a change."""
    response.set_cookie(
        name, value, max_age=None if seconds is None else int(seconds), path="/", secure=True,
        httponly=True, samesite="lax",
    )  # fmt: skip


def drop_cookie(response: Response, name: str) -> None:
    """Have the browser forget a cookie."""
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
