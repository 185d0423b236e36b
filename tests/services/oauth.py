"""A token service on loopback: OAuth 2 as Copernicus Data Space and Sentinel Hub speak it.

Knows one account by client and secret, by name and password, or by a refresh token; tokens live as
long as a test says (ten minutes at Copernicus) and can be ended early.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tests.services.loopback import Request, Response, Service, as_json

CLIENT = "sh-0c1f7e2a"
SECRET = "Zq7!very-secret-of-client"
USER = "ming@example.org"
PASSWORD = "Pw9#very-secret-of-user"
PUBLIC = "cdse-public"


@dataclass
class TokenService(Service):
    """Gives tokens to one account."""

    life_s: float = 600.0
    """Seconds that a token lives."""
    told_s: float | None = None
    """Seconds that it is said to live; None tells the truth."""
    given: dict[str, float] = field(default_factory=dict)
    """Tokens with the moment of their end."""
    grants: list[str] = field(default_factory=list)
    """Grants that were asked for."""
    refreshing: set[str] = field(default_factory=set)
    path: str = "/auth/realms/CDSE/protocol/openid-connect/token"

    @property
    def address(self) -> str:
        """Where tokens are asked for."""
        return self.host + self.path

    def valid(self, headers_authorization: str) -> bool:
        """Whether a request's `Authorization` holds a token that lives."""
        token = headers_authorization.removeprefix("Bearer ")
        return time.monotonic() < self.given.get(token, 0.0)

    def end_tokens(self) -> None:
        """End every token before its time."""
        self.given = dict.fromkeys(self.given, 0.0)

    def respond(self, asked: Request) -> Response:
        """Answer one request for a token."""
        if asked.path != self.path or asked.method != "POST":
            return as_json({"error": "not_found"}, 404)
        form = asked.form()
        self.grants.append(form.get("grant_type", ""))
        if not self._known(form):
            return as_json({"error": "invalid_client", "error_description": "Invalid client"}, 401)
        number = len(self.given)
        token, refresh = f"token-{number}-eyJhbGciOi", f"refresh-{number}-eyJhbGciOi"
        self.given[token] = time.monotonic() + self.life_s
        document: dict[str, object] = {
            "access_token": token, "token_type": "Bearer",
            "expires_in": self.life_s if self.told_s is None else self.told_s,
        }  # fmt: skip
        if form["grant_type"] != "client_credentials":
            self.refreshing.add(refresh)
            document["refresh_token"] = refresh
        return as_json(document)

    def _known(self, form: dict[str, str]) -> bool:
        return {
            "client_credentials": (form.get("client_id"), form.get("client_secret"))
            == (CLIENT, SECRET),
            "password": (form.get("client_id"), form.get("username"), form.get("password"))
            == (PUBLIC, USER, PASSWORD),
            "refresh_token": form.get("refresh_token") in self.refreshing,
        }.get(form.get("grant_type", ""), False)
