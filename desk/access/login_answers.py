"""Answers about signing in and out, and the list of accounts that an admin sees.

Owns these pages of a served desk; what a password, a session and a token must be is in `accounts`,
`sessions` and `oidc`. A refusal says the same whether name, password or account is wrong.
"""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import Form, Response
from fastapi.responses import JSONResponse, RedirectResponse

from fieldline.desk.access.accounts import (
    Account,
    account_of_subject,
    check_password,
    every_account,
    switch_off,
)
from fieldline.desk.access.door import BOUND, COOKIE, AccountDoor, drop_cookie, set_cookie
from fieldline.desk.access.oidc import Provider, SignInError
from fieldline.desk.access.sessions import (
    end_session,
    forget_failures,
    may_try,
    note_failure,
    open_session,
)
from fieldline.desk.app.pages import Asked, Call
from fieldline.desk.app.places import NotHereError

LOG = logging.getLogger("fieldline.access")
_LOGIN_SECONDS = 600


def _door(call: Call) -> AccountDoor:
    found: AccountDoor = call.request.app.state.door
    return found


def login_page(call: Asked) -> Response:
    """The page to sign in."""
    return _page(call, "", 200)


def _page(call: Call, problem: str, status: int) -> Response:
    single = _door(call).provider is not None
    return call.page("login", status, place=None, problem=problem, single=single)


def login(
    call: Asked, name: Annotated[str, Form()] = "", password: Annotated[str, Form()] = ""
) -> Response:
    """Sign in with a password."""
    door = _door(call)
    place = call.request.client.host if call.request.client else ""
    if not may_try(door.engine, name, place, door.times):
        return _page(call, call.words("login.wait"), 429)
    account = check_password(door.engine, name, password)
    if account is None:
        note_failure(door.engine, name, place, door.times)
        return _page(call, call.words("login.wrong"), 401)
    forget_failures(door.engine, name)
    return _signed_in(call, account)


def _signed_in(call: Call, account: Account) -> Response:
    door = _door(call)
    response = RedirectResponse(call.link(), 303)
    # The old token ends: what was set before somebody signed in must not be worth anything after.
    _end(call)
    set_cookie(response, COOKIE, open_session(door.engine, account), door.times.most)
    LOG.info("signed in", extra={"account": account.name})
    return response


def logout(call: Asked) -> Response:
    """Sign out: the session ends here, not in the browser alone."""
    _end(call)
    response = RedirectResponse("/login", 303)
    drop_cookie(response, COOKIE)
    return response


def _end(call: Call) -> None:
    token = call.request.cookies.get(COOKIE, "")
    if token:
        end_session(_door(call).engine, token)


def to_provider(call: Asked) -> Response:
    """Go to the provider of single sign-on."""
    address, state = _provider(call).begin(_door(call).engine)
    response = RedirectResponse(address, 303)
    set_cookie(response, BOUND, state, _LOGIN_SECONDS)
    return response


def from_provider(call: Asked, code: str = "", state: str = "") -> Response:
    """Come back from it."""
    door = _door(call)
    bound = call.request.cookies.get(BOUND, "")
    try:
        subject = _provider(call).end(door.engine, code, state, bound)
    except SignInError as error:
        return _page(call, str(error), 401)
    account = account_of_subject(door.engine, subject)
    if account is None:
        return _page(call, call.words("login.unknown"), 401)
    response = _signed_in(call, account)
    drop_cookie(response, BOUND)
    return response


def _provider(call: Call) -> Provider:
    provider = _door(call).provider
    if provider is None:
        raise NotHereError("this desk has no single sign-on", "sign in with a password")
    return provider


def accounts(call: Asked) -> Response:
    """All accounts: names, roles and counties, no secret."""
    found = every_account(_door(call).engine)
    return JSONResponse([
        {"name": one.name, "role": one.role, "active": one.active,
         "counties": "*" if one.counties is None else sorted(one.counties)}
        for one in found
    ])  # fmt: skip


def account_off(call: Asked, name: str) -> Response:
    """Switch an account off; its sessions end."""
    switch_off(_door(call).engine, name)
    LOG.info("account off", extra={"account": name, "by": call.scope.user})
    return RedirectResponse("/accounts", 303)
