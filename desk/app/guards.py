"""Guards: what is refused before any answer is asked, whatever the address.

Owns the size and the time of a body, the host names that are answered, pages of other origins, and
the headers of every answer. Pure ASGI, so that streams pass through.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldline.desk.api.problems import answer

LOG = logging.getLogger("fieldline.desk")
MOST_BYTES = 12 * 1024 * 1024
"""Largest body of a request to a page: a photograph of a phone."""
MOST_API_BYTES = 1024 * 1024
"""Largest body of a request to the API: outlines of 10,000 vertices."""
BODY_SECONDS = 30.0
"""Time in which a body must have come: whoever trickles it holds a connection for no longer."""
API = "/v1/"
_CHANGES_NOTHING = ("GET", "HEAD")


class BoundedBody:
    """Refuses a body that is too large or too slow, by its announced length or while it comes."""

    def __init__(self, app: ASGIApp, seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = MOST_API_BYTES if scope["path"].startswith(API) else MOST_BYTES
        too_much = f"At most {most // 2**20} MB can be sent at once: send less."
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if not stated.isdigit() or int(stated) > most:
            await refusal(scope, 413, too_much)(scope, receive, send)
            return
        seen, ended = 0, False
        deadline = asyncio.get_running_loop().time() + self._seconds

        async def bounded() -> Message:
            nonlocal seen, ended
            if ended:
                return await receive()
            left = deadline - asyncio.get_running_loop().time()
            try:
                message = await asyncio.wait_for(receive(), max(0.01, left))
            except TimeoutError as error:
                raise HTTPException(
                    408, f"The request took more than {self._seconds:g} s to come: send it faster."
                ) from error
            seen += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            if seen > most:
                raise HTTPException(413, too_much)
            return message

        await self._app(scope, bounded, send)


class Guard:
    """Refuses other hosts and other origins; gives every answer the same headers."""

    def __init__(self, app: ASGIApp, hosts: Collection[str], headers: Mapping[str, str]) -> None:
        self._app = app
        self._hosts = hosts
        self._headers = [(n.lower().encode(), v.encode()) for n, v in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in message["headers"]}
                given = [pair for pair in self._headers if pair[0] not in names]
                if b"cache-control" not in names:
                    given.append((b"cache-control", b"no-store"))
                message = {**message, "headers": [*message["headers"], *given]}
            await send(message)

        told = dict(scope["headers"])
        host = told.get(b"host", b"").decode("latin-1")
        foreign = _name(host) not in self._hosts
        changes = scope["method"] not in _CHANGES_NOTHING
        # A program sends no cookie along, so no page can make it ask: its key is in a header.
        of_page = changes and not scope["path"].startswith(API)
        if foreign or (of_page and not _own(told.get(b"origin", b"").decode("latin-1"), host)):
            LOG.warning("refused a %s from another host or page", scope["method"])
            said = "This address answers its own name and pages only: ask it by that name."
            await refusal(scope, 403, said)(scope, receive, marked)
            return
        await self._app(scope, receive, marked)


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _own(origin: str, host: str) -> bool:
    """Whether a request that changes something comes from a page of the desk itself."""
    try:
        return bool(origin) and urlsplit(origin).netloc == host
    except ValueError:
        return False


def refusal(scope: Scope, status: int, sentence: str) -> Response:
    """Return a refusal: a problem where a program asks, a plain sentence elsewhere."""
    if not scope["path"].startswith(API):
        return Response(sentence, status)
    return answer(status, sentence)
