"""The API of Apache Fineract: what it holds under our ids, and one application to it.

Owns the connection, its credentials and what an answer means. It never repeats a POST by itself: an
answer that did not come may hide an application that was taken, so the caller looks before it posts
again. Nothing of an answer but its codes is told on, since answers repeat personal data.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import TracebackType
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import requests
from requests.auth import AuthBase

from fieldline.lending.handover.application import guarantor_key
from fieldline.lending.handover.settings import FineractSettings
from fieldline.pipeline.records.errors import UserError

Kind = Literal["taken", "duplicate", "refused", "unsure"]

DUPLICATES = frozenset({
    "error.msg.loan.with.externalId.already.used",  # found before it was written
    "error.msg.loan.duplicate.externalId",          # found by the database
    "error.msg.client.guarantor.is.already.exist.same.loan",
})  # fmt: skip
"""How Fineract says that an external id is in use, or that a client guarantees already (403)."""
_BUSY = frozenset({408, 409, 425, 429})
"""Answers that say nothing about the application: locked, still at work, too many."""
_STANDING = 400
"""Status codes of loans below it are pending, approved or active; from it on the loan is over.

Source: Fineract, LoanStatus."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,120}")


class UnansweredError(Exception):
    """The core system gave no usable answer, however often it was asked."""


@dataclass(frozen=True)
class Credentials:
    """Who posts; shows nothing of it where it is printed."""

    user: str
    password: str

    def __repr__(self) -> str:
        """Show nothing."""
        return "Credentials(...)"


@dataclass(frozen=True)
class Answer:
    """What became of one `POST /loans`."""

    kind: Kind
    code: str = ""
    """Fineract's code of a refusal, and the field it is about."""


@dataclass(frozen=True)
class Loan:
    """A loan or application that the core system holds under an external id."""

    number: int
    client_id: int | None
    product_id: int | None
    principal: Decimal | None
    """As applied for."""
    annual_rate: Decimal | None
    """Percent, as the core system reckons with it."""
    status: int
    guarantors: frozenset[tuple[Any, ...]] = frozenset()
    """`guarantor_key` of each that counts, where they were asked for."""

    @property
    def stands(self) -> bool:
        """Whether it waits, is approved or runs."""
        return self.status < _STANDING


class _Basic(AuthBase):
    """Basic authentication in UTF-8; the library's own knows Latin names alone."""

    def __init__(self, credentials: Credentials) -> None:
        told = f"{credentials.user}:{credentials.password}".encode()
        self._header = f"Basic {base64.b64encode(told).decode()}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request."""
        request.headers["Authorization"] = self._header
        return request


class Fineract:
    """One connection to one tenant.

    Raises:
        UserError: The address would send a password in clear, or is none.
    """

    def __init__(
        self,
        url: str,
        settings: FineractSettings,
        credentials: Credentials,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url, self._settings, self._sleep = _checked(url), settings, sleep
        self._session = requests.Session()
        self._session.auth = _Basic(credentials)
        self._session.headers.update({
            "Fineract-Platform-TenantId": settings.tenant, "Accept": "application/json",
        })  # fmt: skip

    def __enter__(self) -> Fineract:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Close the connection."""
        self._session.close()

    def loan(self, external_id: str, *, guarantors: bool = False) -> Loan | None:
        """Return what is held under an external id; None where nothing is.

        Args:
            external_id: Id of the offer.
            guarantors: Whether its guarantors are asked for.

        Raises:
            UnansweredError: It cannot be known now.
            UserError: The user may not look.
        """
        more = "?associations=guarantors" if guarantors else ""
        found = self._found(f"/loans/external-id/{quote(external_id, safe='')}{more}")
        return None if found is None else _loan(found)

    def client_of(self, external_id: str) -> int | None:
        """Return the client id of an external id; None where there is none.

        Raises:
            UnansweredError: It cannot be known now.
            UserError: The user may not look.
        """
        found = self._found(f"/clients/external-id/{quote(external_id, safe='')}")
        return None if found is None else _whole(found.get("id"))

    def product(self, product_id: int) -> Mapping[str, Any] | None:
        """Return a loan product; None where there is none.

        Raises:
            UnansweredError: It cannot be known now.
            UserError: The user may not look.
        """
        return self._found(f"/loanproducts/{product_id}")

    def submit(self, body: Mapping[str, Any]) -> Answer:
        """Post one application, once.

        Raises:
            UserError: The user may not post.
        """
        return self._post("/loans", body, "loanId")

    def guarantee(self, loan: int, body: Mapping[str, Any]) -> Answer:
        """Enter one guarantor of a loan, once.

        Raises:
            UserError: The user may not post.
        """
        return self._post(f"/loans/{loan}/guarantors", body, "resourceId")

    def _post(self, path: str, body: Mapping[str, Any], made: str) -> Answer:
        try:
            status, document = self._ask("POST", path, body)
        except requests.RequestException:
            return Answer("unsure", "no_answer")
        code = _code_of(document)
        if status == requests.codes.ok and _whole(document.get(made)):
            return Answer("taken")
        if status in _BUSY or status >= 500 or status < 400:
            return Answer("unsure", f"http_{status}")
        known = DUPLICATES & set(code.split())
        return Answer("duplicate" if known else "refused", code or f"http_{status}")

    def pause(self, tried: int) -> None:
        """Wait before the next try, longer each time."""
        self._sleep(self._settings.pause_s * 2.0 ** (tried - 1))

    def _found(self, path: str) -> Mapping[str, Any] | None:
        for tried in range(1, self._settings.tries + 1):
            try:
                status, document = self._ask("GET", path)
            except requests.RequestException:
                status, document = 0, {}
            if status == requests.codes.ok and document:
                return document
            if status == requests.codes.not_found and _code_of(document):
                return None
            if 400 <= status < 500 and status not in _BUSY:
                raise UserError(
                    f"{self._url}{_without_ids(path)} answers {status}, and not as Fineract does",
                    "name the root of its API, such as https://core.example/fineract-provider/api/v1",
                )
            if tried < self._settings.tries:
                self.pause(tried)
        raise UnansweredError(path)

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, Mapping[str, Any]]:
        try:
            answer = self._session.request(
                method, f"{self._url}{path}", json=body, timeout=self._settings.timeout_s,
                allow_redirects=False,
            )  # fmt: skip
        except requests.exceptions.SSLError as error:
            raise UserError(
                f"{self._url} does not prove who it is (TLS)",
                "name the bank's certificate authority in REQUESTS_CA_BUNDLE, or correct --post",
            ) from error
        document = _document(answer)
        self._refuse_unwelcome(answer.status_code, document)
        return answer.status_code, document

    def _refuse_unwelcome(self, status: int, document: Mapping[str, Any]) -> None:
        told = _code_of(document).split()
        if status == requests.codes.unauthorized:
            raise UserError(
                f"{self._url} does not know this user of tenant {self._settings.tenant!r}",
                f"correct {self._settings.user_env}, {self._settings.password_env} or "
                "handover.fineract.tenant",
            )
        if status == requests.codes.forbidden and "error.msg.not.authorized" in told:
            raise UserError(
                f"the user of {self._settings.user_env} may not do this at {self._url}",
                "give the user READ_LOAN, CREATE_LOAN, READ_LOANPRODUCT and READ_CLIENT, and "
                "CREATE_GUARANTOR where lines are covered",
            )


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(
            "--post takes the address of the core system's API",
            "write it like https://core.example/fineract-provider/api/v1",
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UserError(
            "the address given by --post holds a user, a password or a question",
            "leave them out: credentials come from the environment",
        )
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise UserError(
            f"http://{parts.hostname} would send password and applications in clear",
            "use its https:// address",
        )
    return url.rstrip("/")


def _without_ids(path: str) -> str:
    """Return a path without its last part, which may be personal."""
    return path.rsplit("/", 1)[0]


def _document(answer: requests.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _code_of(document: Mapping[str, Any]) -> str:
    """Return the codes of an answer's errors with their fields: no text and no value of it."""
    errors = document.get("errors")
    listed = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    codes = [str(one.get("userMessageGlobalisationCode", "")) for one in listed]
    fields = [str(one.get("parameterName", "")) for one in listed]
    told = codes or [str(document.get("userMessageGlobalisationCode", ""))]
    parts = [*told, *(field for field in fields if field not in ("", "id"))]
    return " ".join(dict.fromkeys(part for part in parts if _CODE.fullmatch(part)))


def _loan(found: Mapping[str, Any]) -> Loan:
    status = found.get("status")
    return Loan(
        number=_whole(found.get("id")) or 0,
        client_id=_whole(found.get("clientId")),
        product_id=_whole(found.get("loanProductId")),
        principal=_amount(found.get("proposedPrincipal", found.get("principal"))),
        annual_rate=_amount(found.get("annualInterestRate")),
        status=(_whole(status.get("id")) if isinstance(status, dict) else None) or 0,
        guarantors=frozenset(_guarantors(found.get("guarantors"))),
    )


def _guarantors(found: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the keys of the guarantors that were not taken off a loan again."""
    for one in found if isinstance(found, list) else ():
        kind = one.get("guarantorType") if isinstance(one, dict) else None
        if isinstance(kind, dict) and one.get("status") is True:
            yield guarantor_key({**one, "guarantorTypeId": kind.get("id")})


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _amount(value: Any) -> Decimal | None:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
