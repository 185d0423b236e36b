"""App: the decision API as an application of its own beside the desk's pages.

Owns putting the table of routes, the problems and the document together, counting what is asked,
and which of the two applications a request is for.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldline.desk.api import metrics
from fieldline.desk.api.bodies import Problem
from fieldline.desk.api.problems import documented, tell_problems
from fieldline.desk.api.service import Service
from fieldline.desk.app.guards import API, BoundedBody, Guard
from fieldline.desk.app.routes import API_ROUTES, ApiRoute
from fieldline.desk.app.scope import Door
from fieldline.desk.app.server import HEADERS

LOG = logging.getLogger("fieldline.asked")
_VERSION = "1"
_ABOUT = (
    "Decisions on farmers' credit lines from the outlines of their fields. Every request but the "
    "state of the server carries `Authorization: Bearer fl_...`; what goes wrong is told as "
    "`application/problem+json` in one sentence with its remedy."
)


def api_application(service: Service, door: Door) -> FastAPI:
    """Return the decision API as an ASGI application.

    Args:
        service: What it stands on.
        door: Which host names are answered.
    """
    app = FastAPI(
        title="Fieldline decision API", version=_VERSION, description=_ABOUT, openapi_url=None,
        docs_url=None, redoc_url=None, redirect_slashes=False,
    )  # fmt: skip
    app.state.service = service
    for route in API_ROUTES:
        _add(app, route)
    tell_problems(app)
    app.add_middleware(Counted)
    app.add_middleware(BoundedBody)
    app.add_middleware(Guard, hosts=door.hosts, headers=HEADERS)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def _add(app: FastAPI, route: ApiRoute) -> None:
    answers: dict[int | str, dict[str, Any]] = documented(*route.problems)
    if route.media:
        answers[route.status] = {"content": {route.media: {}}, "description": "As asked"}
    answers.update({status: {"model": route.gives, "description": "Accepted"}
                    for status in route.also})  # fmt: skip
    app.add_api_route(
        route.path, route.answer, methods=[route.method], response_model=route.gives,
        status_code=route.status, responses=answers, name=route.name,
        operation_id=route.name,
    )  # fmt: skip


def _document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        parts = document.setdefault("components", {})
        parts.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        for route in API_ROUTES:
            operation = document["paths"][route.path][route.method.lower()]
            operation["security"] = [{"key": []}] if route.may == "client" else []
        app.openapi_schema = document
    return app.openapi_schema


class Counted:
    """Counts and times every answer and leaves one line of it, without an id that names anybody."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            seconds = perf_counter() - start
            route = getattr(scope.get("route"), "path", "none")
            metrics.REQUESTS.labels(route, scope["method"], status).inc()
            metrics.SECONDS.labels(route).observe(seconds)
            client = scope.get("state", {}).get("client", "")
            LOG.info(
                "asked", extra={"route": route, "method": scope["method"], "status": status,
                                "ms": round(seconds * 1000, 1), "client": client},
            )  # fmt: skip


class Both:
    """The desk's pages and the decision API under one address."""

    def __init__(self, pages: ASGIApp, api: ASGIApp) -> None:
        self._pages = pages
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the one that it is for."""
        if scope["type"] == "lifespan":
            await self._pages(scope, receive, send)
        elif scope.get("path", "").startswith(API):
            await self._api(scope, receive, send)
        else:
            await self._pages(scope, receive, send)


class JsonLines(logging.Formatter):
    """Log lines as JSON: time, level, where from, what; the fields that a line brings besides."""

    _OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        told: Mapping[str, Any] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"), "level": record.levelname,
            "from": record.name, "said": record.getMessage(),
        }  # fmt: skip
        more = {k: v for k, v in vars(record).items() if k not in self._OWN}
        fault = {"fault": self.formatException(record.exc_info)} if record.exc_info else {}
        return json.dumps({**told, **more, **fault}, ensure_ascii=False, default=str)
