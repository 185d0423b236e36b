"""The desk's server: an application on loopback that answers by the table of routes.

Owns what holds for every answer: who may ask (this machine, pages of this origin), the content
security policy, the size of what is sent in, and how a mistake is told. What is answered is in
`routes`; who asks is in `scope`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldline.desk.app.desk import Desk
from fieldline.desk.app.pages import error_answer
from fieldline.desk.app.places import NotHereError
from fieldline.desk.app.routes import ROUTES
from fieldline.desk.app.scripts import REMEDY, missing_scripts
from fieldline.pipeline.records.errors import UserError

LOG = logging.getLogger("fieldline.desk")
HOST = "127.0.0.1"
_NAMES = (HOST, "localhost", "[::1]")
MOST_BYTES = 12 * 1024 * 1024
"""Largest body of a request: a photograph of a phone."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self'; font-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
}
_CHANGES_NOTHING = ("GET", "HEAD")


class _BoundedBody:
    """Refuses a body that is too large, by its announced length or while it comes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if not stated.isdigit() or int(stated) > MOST_BYTES:
            answer = Response(f"at most {MOST_BYTES // 2**20} MB can be sent at once", 413)
            await answer(scope, receive, send)
            return
        seen = 0

        async def bounded() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > MOST_BYTES:
                raise HTTPException(413, f"at most {MOST_BYTES // 2**20} MB can be sent at once")
            return message

        await self._app(scope, bounded, send)


def application(desk: Desk) -> FastAPI:
    """Return the desk as an ASGI application."""
    app = FastAPI(title="Fieldline desk", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.desk = desk
    for route in ROUTES:
        app.add_api_route(
            route.path, route.answer, methods=[route.method], response_model=None, name=route.name
        )
    app.middleware("http")(_guarded)
    app.add_middleware(_BoundedBody)
    app.exception_handler(UserError)(_told)
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_unreadable)
    return app


async def _guarded(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse other hosts and other origins; give every answer the same headers."""
    host = request.headers.get("host", "")
    foreign = (urlsplit(f"//{host}").hostname or "") not in ("127.0.0.1", "localhost", "::1")
    if foreign or (request.method not in _CHANGES_NOTHING and not _own(request, host)):
        LOG.warning("refused %s %s from host %r", request.method, request.url.path, host)
        response = Response("the desk answers this machine's own pages only", 403)
    else:
        response = await answer(request)
    for name, value in _HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _own(request: Request, host: str) -> bool:
    """Whether a request that changes something comes from a page of the desk itself."""
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == host


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, UserError)
    status = 404 if isinstance(error, NotHereError) else 409
    LOG.info("%s %s: %s", status, request.url.path, error)
    return error_answer(request, str(error), status)


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
