"""Accounts at the door: signing in and out, what ends a session, and what guessing meets."""

from __future__ import annotations

import json
import logging
import time

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from fieldline.desk.access import sessions
from fieldline.desk.access.accounts import add_account, check_password, every_account, switch_off
from fieldline.desk.access.door import COOKIE, AccountDoor
from fieldline.desk.access.roles import ROLES
from fieldline.desk.access.sessions import Times, open_session, session_of
from fieldline.desk.access.tables import SESSIONS
from fieldline.lending.store.database import reading
from fieldline.pipeline.records.errors import UserError
from tests.desk.access.conftest import HOME, HOST, PASSWORD, sign_in


def stored(engine: sa.Engine) -> str:
    """Return everything that the store holds of access, as text."""
    names = ("accounts", "sessions", "tries", "logins", "clients")
    with reading(engine) as connection:
        rows = [connection.execute(sa.text(f"SELECT * FROM access_{n}")).all() for n in names]
    return json.dumps([[list(map(str, row)) for row in found] for found in rows])


def test_nobody_sees_a_page_before_signing_in(browser: TestClient) -> None:
    answer = browser.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    for path in ("/reviews", "/map/2024/A", "/farmer/2024/A/F1", "/export/2024/A/industry.csv"):
        assert browser.get(path).headers["location"] == "/login"
    for path in ("/api/2024/A/map", "/tiles/2024/A/parcels.pmtiles?v=1"):
        assert browser.get(path).status_code == 401
    assert browser.post("/reviews/1/decide", headers=HOME).status_code == 401
    page = browser.get("/login")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_session_is_in_a_cookie_that_only_this_host_gets_over_tls(
    browser: TestClient, engine: sa.Engine
) -> None:
    answer = browser.post("/login", data={"name": "ann", "password": PASSWORD}, headers=HOME)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    name, _, rest = answer.headers["set-cookie"].partition("=")
    value, _, flags = rest.partition(";")
    assert name == "__Host-fieldline"
    told = {flag.strip().lower() for flag in flags.split(";")}
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= told
    assert not [flag for flag in told if flag.startswith("domain")]
    assert browser.get("/").status_code == 200
    assert value not in stored(engine)
    assert PASSWORD not in stored(engine)
    assert "$argon2id$" in stored(engine)


def test_signing_out_ends_the_session_on_the_server(browser: TestClient) -> None:
    sign_in(browser)
    kept = browser.cookies[COOKIE]
    assert browser.post("/logout", headers=HOME).headers["location"] == "/login"
    browser.cookies.set(COOKIE, kept, domain=HOST)
    assert browser.get("/").headers["location"] == "/login"


def test_signing_in_makes_a_new_session_and_ends_the_one_before(browser: TestClient) -> None:
    sign_in(browser)
    planted = browser.cookies[COOKIE]
    sign_in(browser)
    assert browser.cookies[COOKIE] != planted
    browser.cookies.clear()
    browser.cookies.set(COOKIE, planted, domain=HOST)
    assert browser.get("/").headers["location"] == "/login"


def test_a_session_ends_idle_and_after_a_working_day(engine: sa.Engine) -> None:
    account, times = every_account(engine)[0], Times(idle=1800, most=36000)
    token = open_session(engine, account, clock=lambda: 0.0)
    assert session_of(engine, token, times, clock=lambda: 1800.0) == account
    # Used at 1,800 s, so idle until 3,600 s.
    assert session_of(engine, token, times, clock=lambda: 3600.0) == account
    assert session_of(engine, token, times, clock=lambda: 5401.0) is None
    assert session_of(engine, token, times, clock=lambda: 3600.0) is None
    token = open_session(engine, account, clock=lambda: 0.0)
    for at in range(0, 36001, 1500):
        assert session_of(engine, token, times, clock=lambda at=at: float(at)) == account
    assert session_of(engine, token, times, clock=lambda: 36001.0) is None
    with reading(engine) as connection:
        assert connection.execute(sa.select(SESSIONS)).all() == []


def test_a_forged_or_foreign_cookie_is_nobodys(browser: TestClient) -> None:
    for value in ("x", "ann", "0" * 64, "../../etc/passwd", "' OR 1=1 --"):
        browser.cookies.clear()
        browser.cookies.set(COOKIE, value, domain=HOST)
        assert browser.get("/").headers["location"] == "/login"


def test_an_account_that_is_off_or_changed_loses_its_sessions(
    browser: TestClient, engine: sa.Engine
) -> None:
    sign_in(browser)
    add_account(engine, "ann", "approver", password=PASSWORD)
    assert browser.get("/").headers["location"] == "/login"
    sign_in(browser)
    switch_off(engine, "ann")
    assert browser.get("/").headers["location"] == "/login"
    assert sign_in(browser) == 401


def test_guessing_is_stopped_by_name_whatever_the_password(
    browser: TestClient, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [sign_in(browser, password=f"guess number {n}") for n in range(6)] == [401] * 5 + [429]
    page = browser.post("/login", data={"name": "ann", "password": PASSWORD}, headers=HOME)
    assert page.status_code == 429
    assert "Too many tries" in page.text
    now = time.time() + Times().window + 1
    monkeypatch.setattr(sessions, "may_try", sessions.may_try)
    assert sessions.may_try(engine, "ann", "testclient", Times(), clock=lambda: now)
    assert not sessions.may_try(engine, "ANN", "testclient", Times())
    assert sessions.may_try(engine, "bob", "testclient", Times())


def test_guessing_many_names_is_stopped_by_address(engine: sa.Engine) -> None:
    times = Times(tries_of_place=3)
    for name in ("a", "b", "c"):
        assert sessions.may_try(engine, name, "10.0.0.1", times)
        sessions.note_failure(engine, name, "10.0.0.1", times)
    assert not sessions.may_try(engine, "d", "10.0.0.1", times)
    assert sessions.may_try(engine, "d", "10.0.0.2", times)


def test_an_unknown_name_and_a_wrong_password_sound_alike_and_take_alike(
    browser: TestClient, engine: sa.Engine
) -> None:
    told = [
        browser.post("/login", data={"name": n, "password": "wrong wrong wrong"}, headers=HOME)
        for n in ("ann", "nobody at all")
    ]
    assert [answer.status_code for answer in told] == [401, 401]
    assert told[0].text == told[1].text

    def seconds(name: str) -> float:
        start = time.perf_counter()
        assert check_password(engine, name, "wrong wrong wrong") is None
        return time.perf_counter() - start

    known = min(seconds("ann") for _ in range(3))
    unknown = min(seconds("nobody") for _ in range(3))
    assert 0.3 < known / unknown < 3


def test_a_form_of_another_page_changes_nothing(browser: TestClient, engine: sa.Engine) -> None:
    sign_in(browser)
    add_account(engine, "adm", "admin", password=PASSWORD)
    for origin in ("https://evil.example", "null", f"http://{HOST}:8080", ""):
        headers = {"Origin": origin} if origin else {}
        for path in ("/logout", "/login", "/accounts/ann/off", "/reviews/1/decide"):
            assert browser.post(path, headers=headers).status_code == 403
    assert browser.get("/").status_code == 200


def test_an_account_that_cannot_be_is_one_sentence(engine: sa.Engine) -> None:
    for values, said in (
        (("a b", "analyst", PASSWORD), "'a b' is no name of an account"),
        (("bob", "boss", PASSWORD), "there is no role 'boss'"),
        (("bob", "analyst", "short"), "a password of 5 letters is not taken"),
        (("bob", "analyst", None), "bob could not sign in"),
    ):
        name, role, password = values
        with pytest.raises(UserError, match=said):
            add_account(engine, name, role, password=password)
    assert [one.name for one in every_account(engine)] == ["ann"]


def test_every_role_is_known_by_what_it_may() -> None:
    told = {role: " ".join(sorted(may)) for role, may in ROLES.items()}
    assert told == {
        "analyst": "county export home people reviews",
        "account_manager": "home people reviews",
        "approver": "county decide home people reviews",
        "auditor": "county export home people reviews",
        "admin": "accounts",
    }


def test_no_log_line_holds_a_password_a_token_or_the_name_of_who_failed(
    browser: TestClient, door: AccountDoor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "fieldline")
    sign_in(browser, "my secret passphrase", PASSWORD)
    sign_in(browser)
    token = browser.cookies[COOKIE]
    told = " ".join(json.dumps({k: str(v) for k, v in vars(r).items()}) for r in caplog.records)
    assert "a login failed" in told
    assert "signed in" in told
    for word in (PASSWORD, token, "my secret passphrase"):
        assert word not in told
