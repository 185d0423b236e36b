"""What every service on loopback shares: a server, a tally of what was asked, and faults on demand.

A service is a dataclass that says what it serves (`respond`); faults, slowness and the tally are
done here, so that any fault can befall any service. Real clients talk to it over real sockets.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

PAGE = b"<html><body>Please log in</body></html>"


@dataclass
class Fault:
    """What goes wrong with requests whose path matches."""

    kind: str
    """`401`, `403`, `429`, `500`...: that status; `truncated`: half a body; `html`: a page of HTML
    with status 200; `dropped`: the connection is closed without an answer; `drip`: the body comes
    in pieces, `pause` seconds apart; any other word is left to the service."""
    path: str = r"\.tif$"
    times: int = 10**9
    """How often it happens before the service is well again."""
    retry_after: str | None = None
    each: bool = False
    """Whether `times` counts for each path by itself."""
    after: int = 0
    """Requests that go well before the first fault."""
    body: bytes = b"busy"
    """What a status of this kind is told with."""
    pause: float = 0.05
    piece: int = 64
    """Bytes of a drop."""
    seen: dict[str, int] = field(default_factory=dict)

    def strikes(self, path: str) -> bool:
        """Whether this request is struck, counting it if so."""
        if not re.search(self.path, path):
            return False
        key = path if self.each else ""
        self.seen[key] = self.seen.get(key, 0) + 1
        return self.after < self.seen[key] <= self.after + self.times


@dataclass
class Request:
    """One request as a service sees it."""

    method: str
    path: str
    """Without its query."""
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    fault: Fault | None = None
    """What befalls it, where that is left to the service."""

    def document(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body or b"{}")

    def form(self) -> dict[str, str]:
        """Return the body as a form."""
        fields = parse_qs(self.body.decode(), keep_blank_values=True)
        return {name: values[-1] for name, values in fields.items()}


@dataclass
class Response:
    """What a service answers."""

    body: bytes
    kind: str = "application/json"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def as_json(document: Any, status: int = 200) -> Response:
    """Return a document as an answer."""
    return Response(json.dumps(document).encode(), "application/json", status)


@dataclass(kw_only=True)
class Service:
    """A service: what goes wrong with it and what it was asked."""

    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and path with query of every request."""
    sent: int = 0
    """Bytes of bodies of pixels that were sent."""
    pause: float = 0.0
    """Seconds before a body of pixels is sent."""
    rate: float | None = None
    """Bytes of pixels a second on one connection; None sends as fast as it can."""
    port: int = 0
    most_at_once: int = 0
    """Most requests that were open at one moment."""
    open_now: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def host(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    def respond(self, asked: Request) -> Response:
        """Answer one request."""
        raise NotImplementedError

    def asked(self, pattern: str) -> int:
        """Return how many requests had a path like this."""
        return sum(re.search(pattern, path) is not None for _, path in self.requests)

    def reset(self) -> None:
        """Forget the tally and heal the service."""
        with self.lock:
            self.faults, self.requests, self.sent, self.most_at_once = [], [], 0, 0


_S = TypeVar("_S", bound=Service)


@contextmanager
def serving(service: _S) -> Iterator[_S]:
    """Serve on a free port of loopback, or on the port that is named, until the block ends."""

    class Handler(_Handler):
        served = service

    server = _Server(("127.0.0.1", service.port), Handler)
    service.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away; anything else is a defect of the double."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    served: Service
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the tally is asked instead."""

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def do_DELETE(self) -> None:
        self.do_POST()

    def _serve(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        service = self.served
        with service.lock:
            service.requests.append((self.command, self.path))
            service.open_now += 1
            service.most_at_once = max(service.most_at_once, service.open_now)
            fault = next((f for f in service.faults if f.strikes(parts.path)), None)
        try:
            asked = Request(self.command, parts.path, query, self.headers, body, fault)
            if fault is None or not self._strike(fault):
                self._send(service.respond(asked), fault)
        except ConnectionError:
            self.close_connection = True  # the client left
        finally:
            with service.lock:
                service.open_now -= 1

    def _strike(self, fault: Fault) -> bool:
        """Answer as the fault has it; what needs the body is left to whoever knows the body."""
        if fault.kind == "dropped":
            self.close_connection = True
            return True
        if fault.kind == "html":
            self._send(Response(PAGE, "text/html"), None)
            return True
        if fault.kind.isdigit():
            wait = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
            kind = "application/json" if fault.body.startswith(b"{") else "text/plain"
            self._send(Response(fault.body, kind, int(fault.kind), wait), None)
            return True
        return False

    def _send(self, answer: Response, fault: Fault | None) -> None:
        pixels = answer.kind.startswith(("image/", "application/tar", "application/x-tar"))
        if pixels:
            rate = self.served.rate
            time.sleep(self.served.pause + (len(answer.body) / rate if rate else 0.0))
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        kind = "" if fault is None else fault.kind
        sent = answer.body[: len(answer.body) // 2] if kind == "truncated" else answer.body
        self.close_connection = self.close_connection or kind == "truncated"
        # counted before they leave: a client that has them all may ask for the count at once
        self._count(len(sent) if pixels else 0)
        try:
            self._write(sent, fault if kind == "drip" else None)
        except OSError:
            self._count(-len(sent) if pixels else 0)
            raise

    def _count(self, pixels: int) -> None:
        with self.served.lock:
            self.served.sent += pixels

    def _write(self, body: bytes, drip: Fault | None) -> None:
        step = len(body) or 1 if drip is None else drip.piece
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            if drip is not None:
                time.sleep(drip.pause)


def ranged(asked: Request, whole: bytes, tag: str, kind: str) -> Response:
    """Answer a file, or the range of it that was asked for."""
    headers = {"ETag": f'"{tag}"', "Accept-Ranges": "bytes"}
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("Range", ""))
    if found is None:
        return Response(whole, kind, 200, headers)
    start, end = int(found[1]), min(int(found[2] or len(whole)), len(whole) - 1)
    headers["Content-Range"] = f"bytes {start}-{end}/{len(whole)}"
    return Response(whole[start : end + 1], kind, 206, headers)
