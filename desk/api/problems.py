"""Problems: how the API tells that something cannot be done, in one sentence with its remedy.

Owns the step from errors to `application/problem+json` (RFC 9457) and what of an error may leave:
a user's own mistake is told as it is, anything about the server's insides is logged and told as a
server's bad moment.
"""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from fieldline.desk.api.bodies import Problem
from fieldline.desk.app.places import NotHereError
from fieldline.lending.decision.single import UnknownFarmerError
from fieldline.lending.store.applied import ConsentError, KeyReusedError
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.faults import DatabaseError

LOG = logging.getLogger("fieldline.api")
MEDIA = "application/problem+json"
_TITLES = {
    400: "Bad request", 401: "No valid key", 403: "Not allowed", 404: "Not here",
    405: "No such method", 408: "Too slow", 409: "Not as things stand", 413: "Too large",
    415: "No JSON", 422: "Cannot be read", 429: "Too many requests", 503: "Not now",
}  # fmt: skip


class TooManyError(UserError):
    """A client that asks above its rate."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(1, int(seconds + 1))
        super().__init__("this client asks above its rate", f"wait {self.seconds} s and ask again")


class NoKeyError(UserError):
    """A request without a key that counts."""

    def __init__(self) -> None:
        super().__init__(
            "the request has no key, or one that does not count",
            "send `Authorization: Bearer fl_...` with a key that the operator made",
        )


_STATUS: tuple[tuple[type[UserError], int], ...] = (
    (NoKeyError, 401), (TooManyError, 429), (ConsentError, 403), (KeyReusedError, 422),
    (NotHereError, 404), (UnknownFarmerError, 404), (DatabaseError, 503), (UserError, 409),
)  # fmt: skip


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the problems that a route may answer, for the API's document."""
    shape = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _TITLES[status], "content": shape}
        for status in sorted({401, 422, 429, 503, *statuses})
    }


def answer(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return a problem."""
    title = _TITLES.get(status, "Error")
    told = Problem(type="about:blank", title=title, status=status, detail=detail)
    return JSONResponse(told.model_dump(), status, headers, media_type=MEDIA)


def tell_problems(app: FastAPI) -> None:
    """Have an application tell its errors so."""
    app.exception_handler(UserError)(_told)
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_unreadable)
    app.exception_handler(Exception)(_defect)


async def _told(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UserError)
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    headers = {}
    if isinstance(error, TooManyError):
        headers["Retry-After"] = str(error.seconds)
    if isinstance(error, NoKeyError):
        headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        LOG.error("%s: %s", request.url.path, error)
        return answer(status, "The store cannot be reached just now: try again in a little while.",
                      {"Retry-After": "5"})  # fmt: skip
    return answer(status, str(error), headers)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = {
        404: "There is no such address: look in /v1/openapi.json.",
        405: "This address is not asked in that way: look in /v1/openapi.json.",
    }.get(error.status_code, str(error.detail))
    return answer(error.status_code, detail, dict(error.headers or {}))


async def _unreadable(_: Request, error: Exception) -> JSONResponse:
    """Name the place of the first mistake and the rule; what was sent is not sent back."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "request"
    said = str(first["msg"]).rstrip(".").removeprefix("Value error, ")
    return answer(422, f"{where}: {said}; correct it as /v1/openapi.json says.")


async def _defect(request: Request, error: Exception) -> JSONResponse:
    LOG.error("defect at %s", request.url.path, exc_info=error)
    return answer(500, "This is a defect of Fieldline: tell its operator the time.")
