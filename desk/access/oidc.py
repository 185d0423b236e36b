"""Oidc: single sign-on by a provider of OpenID Connect.

Owns the code flow with PKCE, state and nonce, and what is demanded of a token: the provider's
signature, issuer, audience, nonce and time, with a minute for clocks that differ. Who somebody is
at the provider is mapped to an account by the subject alone: names and mail addresses change.

Source: OpenID Connect Core 1.0, 3.1; RFC 7636; RFC 9700.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from time import time
from typing import Any
from urllib.parse import urlsplit

import requests
import sqlalchemy as sa
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from fieldline.desk.access.secrets import kept, token
from fieldline.desk.access.tables import LOGINS
from fieldline.lending.store.database import posting
from fieldline.pipeline.records.errors import UserError

LOG = logging.getLogger("fieldline.access")
LEEWAY = 60
"""By how much the provider's clock may differ, seconds."""
_LOGIN_SECONDS = 600.0
_TIMEOUT = 10.0
_ALGORITHMS = ["RS256", "ES256", "PS256"]


class SignInError(UserError):
    """A login at the provider that does not count."""


@dataclass
class Provider:
    """A provider of single sign-on."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect: str
    """Address of this desk to which the provider sends people back."""
    clock: Callable[[], float] = time
    _found: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
            raise UserError(f"the issuer {self.issuer} is not asked over TLS", "give https://...")

    def begin(self, engine: sa.Engine) -> tuple[str, str]:
        """Return the provider's address for a new login, and the state that binds it."""
        state, nonce, verifier = token(), token(), token()
        now = self.clock()
        row = {"state": kept(state), "nonce": nonce, "verifier": verifier, "made_at": now}
        with posting(engine) as connection:
            old = LOGINS.c.made_at < now - _LOGIN_SECONDS
            connection.execute(sa.delete(LOGINS).where(old))
            connection.execute(sa.insert(LOGINS), row)
        address, _ = self._session().create_authorization_url(
            self._metadata()["authorization_endpoint"], state=state, nonce=nonce,
            code_verifier=verifier,
        )  # fmt: skip
        return str(address), state

    def end(self, engine: sa.Engine, code: str, state: str, bound: str) -> str:
        """Return the subject (`issuer subject`) of somebody who comes back from the provider.

        Args:
            engine: Open store.
            code: The provider's code.
            state: State that came back with it.
            bound: State that this browser began with.

        Raises:
            SignInError: The login is not this browser's, too old or used, or its token does not
                count.
        """
        if not state or not hmac.compare_digest(state.encode(), bound.encode()):
            raise _refused("it was not begun in this browser")
        with posting(engine) as connection:
            here = LOGINS.c.state == kept(state)
            row = connection.execute(sa.select(LOGINS).where(here)).first()
            connection.execute(sa.delete(LOGINS).where(here))
        if row is None or self.clock() > row.made_at + _LOGIN_SECONDS:
            raise _refused("it was used before or took too long")
        return self._subject(self._token(code, row.verifier), row.nonce)

    def _token(self, code: str, verifier: str) -> str:
        try:
            given = self._session().fetch_token(
                self._metadata()["token_endpoint"], code=code, code_verifier=verifier,
                timeout=_TIMEOUT,
            )  # fmt: skip
        except (requests.RequestException, ValueError) as error:
            raise _refused("the provider cannot be reached") from error
        except AuthlibBaseError as error:
            raise _refused("the provider refused it") from error
        return str(given.get("id_token", ""))

    def _subject(self, id_token: str, nonce: str) -> str:
        rules = jwt.JWTClaimsRegistry(
            now=lambda: int(self.clock()), leeway=LEEWAY,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.client_id},
            nonce={"essential": True, "value": nonce},
            exp={"essential": True}, iat={"essential": True}, sub={"essential": True},
        )  # fmt: skip
        try:
            claims = jwt.decode(id_token, self._keys(), algorithms=_ALGORITHMS).claims
            rules.validate(claims)
        except (JoseError, ValueError) as error:
            LOG.warning("a token of the provider was refused: %s", type(error).__name__)
            raise _refused("its token does not count") from error
        return f"{self.issuer} {claims['sub']}"

    def _session(self) -> OAuth2Session:
        return OAuth2Session(
            self.client_id, self.client_secret, redirect_uri=self.redirect, scope="openid",
            code_challenge_method="S256",
        )  # fmt: skip

    def _metadata(self) -> dict[str, Any]:
        if "metadata" not in self._found:
            found = self._fetched(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self.issuer:
                raise _refused("the provider's description names another issuer")
            self._found["metadata"] = found
        return dict(self._found["metadata"])

    def _keys(self) -> KeySet:
        # Asked each time: a provider changes keys, and people sign in seldom.
        return KeySet.import_key_set(self._fetched(self._metadata()["jwks_uri"]))  # type: ignore[arg-type]

    def _fetched(self, address: str) -> dict[str, Any]:
        try:
            answer = requests.get(address, timeout=_TIMEOUT)
            answer.raise_for_status()
            return dict(answer.json())
        except (requests.RequestException, ValueError) as error:
            raise _refused("the provider cannot be reached") from error


def _refused(why: str) -> SignInError:
    return SignInError(f"the login at the provider does not count: {why}", "sign in again")
