"""The desk's server: an application that answers pages by the table of routes.

Owns what holds for every page: who may ask (the door), what asking takes (the route's permission),
the content security policy, and how a mistake is told. What is answered is in `routes`; who asks is
in `scope`; what is refused whatever the address is in `guards`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import uvicorn
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from fieldline.desk.access.roles import OPEN
from fieldline.desk.app.desk import Desk
from fieldline.desk.app.guards import BoundedBody, Guard
from fieldline.desk.app.pages import NOT_PAGES, error_answer
from fieldline.desk.app.places import NotHereError
from fieldline.desk.app.routes import ROUTES, Route
from fieldline.desk.app.scope import Door, LocalDoor, NotAllowedError
from fieldline.desk.app.scripts import REMEDY, missing_scripts
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.faults import DatabaseError

LOG = logging.getLogger("fieldline.desk")
HOST = "127.0.0.1"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self'; font-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
}


class _SignInFirst(Exception):  # noqa: N818 - no error: where a person is sent
    """Somebody who must sign in before this is answered."""


def application(desk: Desk, door: Door | None = None, more: Sequence[Route] = ()) -> FastAPI:
    """Return the desk as an ASGI application.

    Args:
        desk: What is shown.
        door: Who asks; the one local user where None.
        more: Routes of a served desk: signing in and out.
    """
    door = door or LocalDoor()
    app = FastAPI(title="Fieldline desk", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.desk = desk
    app.state.door = door
    for route in (*ROUTES, *more):
        app.add_api_route(
            route.path, route.answer, methods=[route.method], response_model=None, name=route.name,
            dependencies=[Depends(_permit(route.may))],
        )  # fmt: skip
    app.add_middleware(BoundedBody)
    app.add_middleware(Guard, hosts=door.hosts, headers=HEADERS)
    app.exception_handler(UserError)(_told)
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_unreadable)
    app.exception_handler(_SignInFirst)(_to_login)
    return app


def _permit(permission: str) -> Any:
    def permitted(request: Request) -> None:
        scope = request.app.state.door.scope(request)
        request.state.scope = scope
        if scope is None and permission != OPEN:
            raise _SignInFirst
        if scope is not None:
            scope.require(permission)

    return permitted


async def _to_login(request: Request, _: Exception) -> Response:
    if request.method != "GET" or request.url.path.startswith(NOT_PAGES):
        return error_answer(request, "nobody has signed in: sign in and try again.", 401)
    return RedirectResponse("/login", 303)


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, UserError)
    status = 409
    if isinstance(error, NotHereError):
        status = 404
    elif isinstance(error, NotAllowedError):
        status = 403
    elif isinstance(error, DatabaseError):
        status = 503
    LOG.info("%s: %s", status, type(error).__name__)
    return error_answer(request, _sentence(request, error), status)


def _sentence(request: Request, error: UserError) -> str:
    """Return what may be told of an error: where a served store lies is its operator's business."""
    if isinstance(error, DatabaseError) and not isinstance(request.app.state.door, LocalDoor):
        LOG.error("%s", error)
        return "The store cannot be reached just now: try again in a little while."
    return str(error)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = "there is no such page" if error.status_code == 404 else str(error.detail)
    return error_answer(request, words, error.status_code)


async def _unreadable(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = first["loc"][-1] if first["loc"] else "request"
    return error_answer(request, f"{name}: {first['msg']}", 422)


def serve(desk: Desk, port: int) -> None:
    """Serve a desk on loopback until it is stopped.

    Raises:
        UserError: The scripts are not there, or the port is taken.
    """
    lost = missing_scripts()
    if lost:
        raise UserError(f"the desk's scripts are not there ({lost[0]})", REMEDY)
    logging.basicConfig(format="%(levelname)s %(name)s %(message)s", level=logging.INFO)
    settings = uvicorn.Config(
        application(desk), host=HOST, port=port, log_level="warning", server_header=False
    )
    try:
        socket = settings.bind_socket()
    except SystemExit as error:
        raise UserError(f"port {port} is taken", "give another one: --port 8766") from error
    place = f"http://{HOST}:{socket.getsockname()[1]}/"
    print(f"the desk is at {place} (Ctrl-C stops it)", flush=True)
    uvicorn.Server(settings).run(sockets=[socket])
