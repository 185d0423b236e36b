"""OAuth tokens of an account: fetched, kept in memory, renewed before and at their end.

Owns the two grants that providers of imagery know (client credentials; name and password with a
refresh token) and the header of a request. requests-oauthlib is not used: it renews only ahead of
the end it was told, and a token that a provider ends early (401 in mid-run) is the common case.
"""

from __future__ import annotations

import threading
import time
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from fieldline.pipeline.imagery.accounts import Account, AccountError, missing
from fieldline.pipeline.imagery.settings import PullSettings
from fieldline.pipeline.imagery.sources.providers import Provider
from fieldline.pipeline.imagery.web import WebError, document_session

_AHEAD = 0.1
"""Share of a token's life before its end in which it is renewed, 60 s at most."""
_AHEAD_MOST_S = 60.0
_LIFE_S = 300.0  # of a token whose answer does not say


class Tokens:
    """The current token of one account; shared by all threads of a pull.

    Raises:
        AccountError: The account has neither an OAuth client nor a name and password.
    """

    def __init__(self, provider: Provider, account: Account, settings: PullSettings) -> None:
        self._provider, self._account = provider, account
        self._session = document_session(settings)
        self._lock = threading.Lock()
        self._token, self._until, self._refresh = "", 0.0, ""
        client = account.client_id and account.client_secret
        if not client and not (account.username and account.password):
            raise missing(provider, ("client_id", "client_secret"), ("username", "password"))

    def current(self) -> str:
        """Return a token that is good for now.

        Raises:
            AccountError: The provider refuses the account.
            WebError: It does not answer.
        """
        with self._lock:
            if time.monotonic() >= self._until:
                self._renew()
            return self._token

    def instead_of(self, refused: str) -> str:
        """Return a token other than one that was refused; many threads renew it once."""
        with self._lock:
            if self._token == refused:
                self._renew()
            return self._token

    def _renew(self) -> None:
        if self._refresh:
            form = {"grant_type": "refresh_token", "refresh_token": self._refresh}
            if self._ask({**form, "client_id": self._client}):
                return
            self._refresh = ""
        if not self._ask(self._grant()):
            host = urlsplit(self._provider.token).netloc
            raise AccountError(
                f"account {self._account.name!r} is refused by {host}",
                "check its keys: they may be mistyped, expired or of another provider",
            )

    @property
    def _client(self) -> str:
        return self._account.client_id or self._provider.client

    def _grant(self) -> dict[str, str]:
        known = self._account
        if known.client_secret:
            return {
                "grant_type": "client_credentials",
                "client_id": known.client_id, "client_secret": known.client_secret,
            }  # fmt: skip
        return {
            "grant_type": "password", "client_id": self._client,
            "username": known.username, "password": known.password,
        }  # fmt: skip

    def _ask(self, form: dict[str, str]) -> bool:
        """Keep the token that a grant brings; return whether it brought one."""
        try:
            # A redirect is not followed: it would post the secrets to whatever address it names.
            answer = self._session.post(self._provider.token, data=form, allow_redirects=False)
        except requests.RequestException as error:
            raise WebError(self._provider.token, type(error).__name__) from None
        if answer.status_code in (400, 401, 403):
            return False
        if answer.status_code != requests.codes.ok:
            raise WebError(self._provider.token, f"http_{answer.status_code}")
        try:
            document = answer.json()
            token, life = str(document["access_token"]), float(document.get("expires_in", _LIFE_S))
        except (ValueError, LookupError, TypeError, AttributeError):
            raise WebError(self._provider.token, "no_token") from None
        self._token, self._refresh = token, str(document.get("refresh_token") or "")
        self._until = time.monotonic() + life - min(_AHEAD_MOST_S, _AHEAD * life)
        return True


class BearerAuth(AuthBase):
    """Puts the token on requests to one origin, and renews it once where it is refused."""

    def __init__(self, tokens: Tokens, root: str) -> None:
        self._tokens, self._host, self._origin = tokens, urlsplit(root).netloc, _origin(root)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request; one to any other host, or in the clear, goes without."""
        if _origin(str(request.url)) == self._origin:
            request.headers["Authorization"] = f"Bearer {self._tokens.current()}"
            request.hooks["response"].append(self._again)
        return request

    def _again(self, answer: requests.Response, **how: Any) -> requests.Response:
        """Ask once more with another token where this one is refused.

        Raises:
            AccountError: That one is refused too.
        """
        ours = _origin(str(answer.url)) == self._origin
        if answer.status_code != requests.codes.unauthorized or not ours:
            return answer
        refused = answer.request.headers.get("Authorization", "").removeprefix("Bearer ")
        request = answer.request.copy()
        request.headers["Authorization"] = f"Bearer {self._tokens.instead_of(refused)}"
        # The way of requests' own digest authentication.
        second: requests.Response = answer.connection.send(request, **how)
        second.history.append(answer)
        second.request = request
        if second.status_code == requests.codes.unauthorized:
            raise AccountError(
                f"{self._host} does not accept a fresh token of the account (http_401)",
                "check that the account may use this service",
            )
        return second


def _origin(address: str) -> tuple[str, str]:
    """Return scheme and host: `http://` of the same host is another place, and in the clear."""
    parts = urlsplit(address)
    return parts.scheme, parts.netloc
