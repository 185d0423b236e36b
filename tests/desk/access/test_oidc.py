"""Single sign-on against a provider on loopback that is spoken to over HTTP with real keys."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import RSAKey

from fieldline.desk.access.accounts import add_account
from fieldline.desk.access.door import BOUND, COOKIE, AccountDoor
from fieldline.desk.access.oidc import LEEWAY, Provider
from fieldline.pipeline.records.errors import UserError
from tests.desk.access.conftest import HOME, HOST

BACK = f"https://{HOST}/login/oidc/back"


class Double:
    """A provider: its metadata, its keys, its codes and whatever a test has wrong with a token."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.other = RSAKey.generate_key(2048, {"kid": "one"})
        self.claims: dict[str, Any] = {}
        self.signed_by = self.key
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def allow(self, address: str) -> str:
        """Do as a person who agrees at the provider: return the code for an address."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        return code

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Exchange a code once, by PKCE."""
        query = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if query is None or query["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "desk", "sub": "s-17", "iat": now, "exp": now + 300,
                  "nonce": query["nonce"], **self.claims}  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.signed_by)
        return 200, {"access_token": "a", "token_type": "Bearer", "id_token": signed}


def _handler(double: Double) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def _answer(self, status: int, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            double.asked.append(self.path)
            if self.path == "/.well-known/openid-configuration":
                self._answer(200, {
                    "issuer": double.issuer, "jwks_uri": f"{double.issuer}/keys",
                    "authorization_endpoint": f"{double.issuer}/authorize",
                    "token_endpoint": f"{double.issuer}/token",
                })  # fmt: skip
            else:
                self._answer(200, {"keys": [double.key.as_dict(private=False)]})

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            form = parse_qs(self.rfile.read(length).decode())
            self._answer(*double.token({name: values[0] for name, values in form.items()}))

    return Handler


@pytest.fixture
def double() -> Iterator[Double]:
    found = Double()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def provider(double: Double, door: AccountDoor, engine: sa.Engine) -> Provider:
    door.provider = Provider(double.issuer, "desk", "a secret", BACK)
    subject = f"{double.issuer} s-17"
    add_account(engine, "olga", "analyst", password=None, subject=subject)
    return door.provider


def begin(browser: TestClient) -> dict[str, str]:
    """Go to the provider; return what the address asks of it, and the address."""
    answer = browser.get("/login/oidc")
    assert answer.status_code == 303
    address = answer.headers["location"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    return {**query, "address": address}


def come_back(browser: TestClient, double: Double) -> Any:
    asked = begin(browser)
    query = {"code": double.allow(asked["address"]), "state": asked["state"]}
    return browser.get("/login/oidc/back", params=query)


def test_somebody_whom_the_provider_knows_signs_in_and_out(
    browser: TestClient, double: Double, provider: Provider
) -> None:
    assert "Sign in with your organisation" in browser.get("/login?lang=en").text
    asked = begin(browser)
    assert asked["address"].startswith(f"{double.issuer}/authorize?")
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["redirect_uri"] == BACK
    assert "a secret" not in asked["address"]
    answer = come_back(browser, double)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    page = browser.get("/")
    assert "olga" in page.text
    kept = browser.cookies[COOKIE]
    browser.post("/logout", headers=HOME)
    browser.cookies.set(COOKIE, kept, domain=HOST)
    assert browser.get("/").headers["location"] == "/login"


WRONG: dict[str, dict[str, Any]] = {
    "audience": {"aud": "another desk"}, "issuer": {"iss": "https://evil.example"},
    "nonce": {"nonce": "another"}, "no nonce": {"nonce": None}, "no end": {"exp": None},
    "nobody": {"sub": None},
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_token_with_a_wrong_claim_does_not_count(
    browser: TestClient, double: Double, provider: Provider, what: str
) -> None:
    double.claims = WRONG[what]
    answer = come_back(browser, double)
    assert answer.status_code == 401
    assert "its token does not count: sign in again." in answer.text
    assert browser.get("/").headers["location"] == "/login"


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"exp": -LEEWAY + 5}, 303), ({"exp": -LEEWAY - 5}, 401),
        ({"iat": LEEWAY - 5}, 303), ({"iat": LEEWAY + 5}, 401),
        ({"nbf": LEEWAY - 5}, 303), ({"nbf": LEEWAY + 5}, 401),
    ],
)  # fmt: skip
def test_clocks_may_differ_by_a_minute_and_no_more(
    browser: TestClient, double: Double, provider: Provider, claims: dict[str, int], status: int
) -> None:
    now = int(time.time())
    double.claims = {name: now + shift for name, shift in claims.items()}
    assert come_back(browser, double).status_code == status


def test_a_token_of_another_key_does_not_count(
    browser: TestClient, double: Double, provider: Provider
) -> None:
    double.signed_by = double.other
    assert come_back(browser, double).status_code == 401


def test_a_login_counts_once_and_in_the_browser_that_began_it(
    browser: TestClient, double: Double, provider: Provider
) -> None:
    asked = begin(browser)
    query = {"code": double.allow(asked["address"]), "state": asked["state"]}
    bound = browser.cookies[BOUND]
    browser.cookies.delete(BOUND)
    assert "not begun in this browser" in browser.get("/login/oidc/back", params=query).text
    browser.cookies.set(BOUND, bound, domain=HOST)
    assert browser.get("/login/oidc/back", params=query).status_code == 303
    browser.cookies.clear()
    browser.cookies.set(BOUND, bound, domain=HOST)
    again = browser.get("/login/oidc/back", params=query)
    assert (again.status_code, "used before or took too long" in again.text) == (401, True)


def test_a_login_that_takes_too_long_does_not_count(
    browser: TestClient, double: Double, provider: Provider
) -> None:
    asked = begin(browser)
    query = {"code": double.allow(asked["address"]), "state": asked["state"]}
    provider.clock = lambda: time.time() + 601
    assert "used before or took too long" in browser.get("/login/oidc/back", params=query).text


def test_a_person_without_an_account_or_whose_account_is_off_is_not_let_in(
    browser: TestClient, double: Double, provider: Provider, engine: sa.Engine
) -> None:
    double.claims = {"sub": "s-18"}
    answer = come_back(browser, double)
    assert (answer.status_code, "ask an admin for an account" in answer.text) == (401, True)
    double.claims = {}
    assert come_back(browser, double).status_code == 303


def test_a_provider_that_is_away_is_one_sentence(
    browser: TestClient, double: Double, provider: Provider
) -> None:
    asked = begin(browser)
    query = {"code": "made up", "state": asked["state"]}
    assert "the provider refused it" in browser.get("/login/oidc/back", params=query).text
    asked = begin(browser)
    double.server.shutdown()
    double.server.server_close()
    query = {"code": "c", "state": asked["state"]}
    assert "cannot be reached" in browser.get("/login/oidc/back", params=query).text


def test_a_provider_is_asked_over_tls_unless_on_loopback() -> None:
    with pytest.raises(UserError, match="not asked over TLS"):
        Provider("http://login.bank.example", "desk", "s", BACK)
    assert "hunter2" not in repr(Provider("https://login.bank.example", "desk", "hunter2", BACK))
