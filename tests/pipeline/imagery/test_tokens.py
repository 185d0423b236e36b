from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fieldline.pipeline.imagery.accounts import Account, AccountError
from fieldline.pipeline.imagery.settings import PullSettings
from fieldline.pipeline.imagery.sources.providers import Provider
from fieldline.pipeline.imagery.tokens import BearerAuth, Tokens
from fieldline.pipeline.imagery.web import WebError, patient_session
from tests.pipeline.imagery.pulling import QUICK
from tests.services import oauth
from tests.services.loopback import Fault, Request, Response, Service, as_json, serving
from tests.services.oauth import TokenService

CLIENT = Account("cdse", client_id=oauth.CLIENT, client_secret=oauth.SECRET)
PERSON = Account("cdse", username=oauth.USER, password=oauth.PASSWORD)


class Door(Service):
    """Lets tokens in that live."""

    tokens: TokenService

    def respond(self, asked: Request) -> Response:
        let_in = self.tokens.valid(asked.headers.get("Authorization", ""))
        return as_json({"signed": "Authorization" in asked.headers}, 200 if let_in else 401)


@dataclass
class Redirect(Service):
    """Sends everybody on to another address."""

    to: str
    status: int = 307

    def respond(self, asked: Request) -> Response:
        return Response(b"", "text/plain", self.status, {"Location": self.to})


@pytest.fixture
def tokens() -> Iterator[TokenService]:
    with serving(TokenService()) as service:
        yield service


@pytest.fixture
def door(tokens: TokenService) -> Iterator[Door]:
    service = Door()
    service.tokens = tokens
    with serving(service):
        yield service


def known_as(account: Account, service: TokenService, settings: PullSettings = QUICK) -> Tokens:
    provider = Provider(
        "cdse", "sentinelhub", "", account="cdse", token=service.address, client=oauth.PUBLIC
    )
    return Tokens(provider, account, settings)


def test_a_token_is_kept_until_shortly_before_its_end(tokens: TokenService) -> None:
    tokens.life_s = 600.0
    held = known_as(CLIENT, tokens)
    assert held.current() == held.current()
    assert tokens.grants == ["client_credentials"]
    tokens.told_s = 0.0  # from now on they end at once
    brief = known_as(CLIENT, tokens)
    assert brief.current() != brief.current()


def test_a_name_and_password_are_sent_once_and_then_refreshed(tokens: TokenService) -> None:
    tokens.told_s = 0.0
    held = known_as(PERSON, tokens)
    for _ in range(3):
        held.current()
    assert tokens.grants == ["password", "refresh_token", "refresh_token"]
    tokens.refreshing.clear()  # the session at the provider is over
    held.current()
    assert tokens.grants[3:] == ["refresh_token", "password"]


@pytest.mark.parametrize("account", [CLIENT, PERSON], ids=["client", "person"])
def test_a_token_that_the_service_ends_early_is_renewed_once(
    tokens: TokenService, door: Door, account: Account
) -> None:
    with patient_session(QUICK) as session:
        session.auth = BearerAuth(known_as(account, tokens), door.host)
        assert session.get(f"{door.host}/a").status_code == 200
        tokens.end_tokens()
        assert session.get(f"{door.host}/b").status_code == 200
    assert door.asked("/b") == 2
    assert len(tokens.given) == 2


def test_many_threads_renew_one_token_once(tokens: TokenService, door: Door) -> None:
    held = known_as(CLIENT, tokens)
    first = held.current()
    threads = [threading.Thread(target=held.instead_of, args=(first,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens.given) == 2


def test_a_fresh_token_that_is_refused_is_the_users_to_mend(
    tokens: TokenService, door: Door
) -> None:
    tokens.life_s, tokens.told_s = 0.0, 600.0
    with patient_session(QUICK) as session:
        session.auth = BearerAuth(known_as(CLIENT, tokens), door.host)
        with pytest.raises(AccountError, match="does not accept a fresh token of the account"):
            session.get(f"{door.host}/a")
    assert door.asked("/a") == 2


@pytest.mark.parametrize(
    "account",
    [
        Account("cdse", client_id=oauth.CLIENT, client_secret="wrong-hush"),
        Account("cdse", username=oauth.USER, password="wrong-hush"),
    ],
    ids=["client", "person"],
)
def test_wrong_keys_are_one_sentence(tokens: TokenService, account: Account) -> None:
    with pytest.raises(AccountError) as caught:
        known_as(account, tokens).current()
    assert str(caught.value) == (
        f"account 'cdse' is refused by 127.0.0.1:{tokens.port}: check its keys: they may be "
        "mistyped, expired or of another provider."
    )
    assert len(tokens.grants) == 1  # wrong once is wrong: no account is locked by trying


def test_missing_keys_name_where_to_put_them(
    tokens: TokenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDLINE_ACCOUNTS", "/srv/accounts.toml")
    with pytest.raises(AccountError) as caught:
        known_as(Account("cdse", client_id="half"), tokens)
    assert str(caught.value) == (
        "sentinelhub:cdse needs an account: client_id and client_secret, or username and password, "
        "of 'cdse' are not set: set FIELDLINE_CDSE_CLIENT_ID and FIELDLINE_CDSE_CLIENT_SECRET, or "
        "FIELDLINE_CDSE_USERNAME and FIELDLINE_CDSE_PASSWORD, in the environment or write the "
        "keys to /srv/accounts.toml, section [cdse]."
    )


def test_a_token_service_that_fails_for_now_is_asked_again(tokens: TokenService) -> None:
    tokens.faults = [Fault("503", path="token$", times=2)]
    assert known_as(CLIENT, tokens).current().startswith("token-0")
    tokens.faults = [Fault("html", path="token$")]
    with pytest.raises(WebError, match="html_answer"):
        known_as(CLIENT, tokens).current()


def test_a_token_that_drips_ends_with_the_runs_time(tokens: TokenService) -> None:
    tokens.faults = [Fault("drip", path="token$", piece=1, pause=0.4)]
    held = known_as(CLIENT, tokens, QUICK.model_copy(update={"run_deadline_s": 1.0}))
    start = time.monotonic()
    with pytest.raises(WebError, match="run_deadline"):
        held.current()
    assert time.monotonic() - start < 8


def test_a_token_goes_to_its_own_host_alone(tokens: TokenService, door: Door) -> None:
    with patient_session(QUICK) as session:
        session.auth = BearerAuth(known_as(CLIENT, tokens), "https://sh.example.org")
        answer = session.get(f"{door.host}/a")
    assert answer.json() == {"signed": False}
    assert tokens.grants == []


def test_no_secret_is_in_a_fault_of_the_token_service(tokens: TokenService, tmp_path: Path) -> None:
    tokens.faults = [Fault("500", path="token$")]
    with pytest.raises(WebError) as caught:
        known_as(PERSON, tokens).current()
    assert oauth.PASSWORD not in repr(caught.value)
    assert oauth.USER not in repr(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("account", [CLIENT, PERSON], ids=["client", "person"])
def test_no_secret_follows_a_redirect_of_the_token_service(
    tokens: TokenService, account: Account, status: int
) -> None:
    """The place that it names would give a token, so that following it is seen."""
    with serving(TokenService()) as elsewhere, serving(Redirect(to=elsewhere.address)) as door:
        door.status = status
        provider = Provider(
            "cdse", "sentinelhub", "", account="cdse", token=door.host, client=oauth.PUBLIC
        )
        with pytest.raises(WebError, match=f"http_{status} "):
            Tokens(provider, account, QUICK).current()
        assert (len(door.requests), elsewhere.requests) == (1, [])


def test_a_redirect_to_the_same_host_in_the_clear_takes_no_token_along(
    tokens: TokenService, door: Door
) -> None:
    auth = BearerAuth(known_as(CLIENT, tokens), door.host.replace("http://", "https://"))
    with patient_session(QUICK) as session:
        session.auth = auth
        assert session.get(f"{door.host}/a").status_code == 401
    assert (tokens.grants, door.asked("/a")) == ([], 1)
