"""A STAC API with range reads on loopback, in front of a static archive, and faults on demand.

The double speaks what STAC API 1.0 asks of a server: a root with conformance, collections, item
search by collection, bbox and time with paging over GET and POST; files answer byte ranges. What
was asked and sent is tallied, so that tests can count requests and bytes from the server's side.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CONFORMANCE = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
]


@dataclass
class Fault:
    """What goes wrong with requests whose path matches."""

    kind: str
    """`429`, `500`, `503`, `404`...: that status; `truncated`: half a body; `html`: a page of HTML
    with status 200; `dropped`: the connection is closed without an answer; `drip`: the body comes
    in pieces of 64 bytes, 20 a second."""
    path: str = r"\.tif$"
    times: int = 10**9
    """How often it happens before the service is well again."""
    retry_after: str | None = None
    each: bool = False
    """Whether `times` counts for each path by itself."""
    seen: dict[str, int] = field(default_factory=dict)

    def strikes(self, path: str) -> bool:
        """Whether this request is struck, counting it if so."""
        if not re.search(self.path, path):
            return False
        key = path if self.each else ""
        self.seen[key] = self.seen.get(key, 0) + 1
        return self.seen[key] <= self.times


@dataclass
class StacApi:
    """The service: what it serves, what goes wrong and what it was asked."""

    archive: Path
    """Folder of a static archive as `tiny_archive.write_archive` writes it."""
    collection: str = "tiny"
    page: int = 2
    """Most items of one page, whatever the client asks for."""
    post: bool = True
    """Whether the root offers the search by POST too."""
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and path with query of every request."""
    sent: int = 0
    """Bytes of files that were sent."""
    pause: float = 0.0
    """Seconds before a file is answered."""
    signed: bool = False
    """Whether files are given to signed addresses only (`{root}/sign?href=...`)."""
    port: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def root(self) -> str:
        """Root of the API."""
        return f"http://127.0.0.1:{self.port}/api"

    def asked(self, pattern: str) -> int:
        """Return how many requests had a path like this."""
        return sum(re.search(pattern, path) is not None for _, path in self.requests)

    def reset(self) -> None:
        """Forget the tally and heal the service."""
        with self.lock:
            self.faults, self.requests, self.sent = [], [], 0

    def items(self) -> list[dict[str, Any]]:
        """Return the archive's items, their files at this service."""
        folder = self.archive / self.collection
        found = []
        for path in sorted(folder.glob("*/*.json")):
            item = json.loads(path.read_text(encoding="utf-8"))
            item["collection"] = self.collection
            own = f"{self.root}/collections/{self.collection}/items/{item['id']}"
            item["links"] = [{"rel": "self", "href": own, "type": "application/geo+json"}]
            for asset in item["assets"].values():
                name = Path(asset["href"]).name
                if "://" in asset["href"]:
                    continue
                asset["href"] = f"http://127.0.0.1:{self.port}/files/{name}"
            found.append(item)
        return found


@contextmanager
def serving(api: StacApi) -> Iterator[StacApi]:
    """Serve on a free port of loopback, or on the port that `api` names, until the block ends."""

    class Handler(_Handler):
        service = api

    server = _Server(("127.0.0.1", api.port), Handler)
    api.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield api
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
    service: StacApi
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the tally is asked instead."""

    def do_GET(self) -> None:
        self._serve(
            {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._serve(json.loads(body or b"{}"))

    def _serve(self, asked: dict[str, Any]) -> None:
        path = urlsplit(self.path).path
        with self.service.lock:
            self.service.requests.append((self.command, self.path))
            fault = next((f for f in self.service.faults if f.strikes(path)), None)
        if fault is not None and self._strike(fault):
            return
        if path.startswith("/files/"):
            self._file(self.service.archive / "files" / Path(path).name, fault)
        else:
            self._api(path.rstrip("/").removeprefix("/api"), asked)

    def _strike(self, fault: Fault) -> bool:
        """Answer as the fault has it; a truncated body is left to whoever knows the body."""
        if fault.kind == "dropped":
            self.close_connection = True
            return True
        if fault.kind == "html":
            self._answer(200, b"<html><body>Please log in</body></html>", "text/html")
            return True
        if fault.kind.isdigit():
            wait = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
            self._answer(int(fault.kind), b"busy", "text/plain", wait)
            return True
        return False

    def _api(self, path: str, asked: dict[str, Any]) -> None:
        root, name = self.service.root, self.service.collection
        collection = {
            "type": "Collection", "stac_version": "1.0.0", "id": name, "description": "Tiny scenes",
            "license": "other", "links": [{"rel": "self", "href": f"{root}/collections/{name}"}],
            "extent": {
                "spatial": {"bbox": [[-180, -90, 180, 90]]},
                "temporal": {"interval": [[None, None]]},
            },
        }  # fmt: skip
        if path == "":
            self._json(self._root())
        elif path == "/collections":
            self._json({"collections": [collection], "links": []})
        elif path == f"/collections/{name}":
            self._json(collection)
        elif path == "/search":
            self._json(self._found(asked))
        elif path == "/sign":
            self._json({"href": f"{asked['href']}?sig=valid"})
        else:
            self._json({"code": "NotFound"}, 404)

    def _root(self) -> dict[str, Any]:
        root = self.service.root
        methods = ["GET", "POST"] if self.service.post else ["GET"]
        searches = [
            {"rel": "search", "href": f"{root}/search", "type": "application/geo+json", "method": m}
            for m in methods
        ]
        data = {"rel": "data", "href": f"{root}/collections"}
        own = {"rel": "self", "href": root}
        return {
            "type": "Catalog", "stac_version": "1.0.0", "id": "loopback", "description": "Double",
            "conformsTo": CONFORMANCE, "links": [own, data, *searches],
        }  # fmt: skip

    def _found(self, asked: dict[str, Any]) -> dict[str, Any]:
        first = int(asked.get("token", 0))
        matching = [item for item in self.service.items() if _matches(item, asked)]
        last = first + min(self.service.page, int(asked.get("limit", 10)))
        links = []
        if last < len(matching):
            links.append(self._next(asked, last))
        return {"type": "FeatureCollection", "features": matching[first:last], "links": links}

    def _next(self, asked: dict[str, Any], token: int) -> dict[str, Any]:
        href = f"{self.service.root}/search"
        if self.command == "POST":
            body = {**asked, "token": token}
            return {"rel": "next", "method": "POST", "href": href, "body": body}
        return {"rel": "next", "href": f"{href}?{urlencode({**asked, 'token': token})}"}

    def _file(self, path: Path, fault: Fault | None) -> None:
        time.sleep(self.service.pause)
        if self.service.signed and "sig=valid" not in self.path:
            self._answer(403, b"not signed", "text/plain")
            return
        if not path.is_file():
            self._answer(404, b"no such file", "text/plain")
            return
        whole = path.read_bytes()
        headers = {"ETag": f'"{len(whole)}-{path.stat().st_mtime_ns}"', "Accept-Ranges": "bytes"}
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        status, body = 200, whole
        if found is not None:
            start, end = int(found[1]), min(int(found[2] or len(whole)), len(whole) - 1)
            status, body = 206, whole[start : end + 1]
            headers["Content-Range"] = f"bytes {start}-{end}/{len(whole)}"
        cut = len(body) // 2 if fault is not None and fault.kind == "truncated" else None
        if fault is not None and fault.kind == "drip":
            self._drip(status, body, headers)
            return
        self._answer(status, body, "image/tiff", headers, cut)
        with self.service.lock:
            self.service.sent += len(body) if cut is None else cut

    def _drip(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Send a body piece by piece until it ends or nobody listens."""
        self._answer(status, body, "image/tiff", headers, cut=0)
        try:
            for start in range(0, len(body), 64):
                self.wfile.write(body[start : start + 64])
                time.sleep(0.05)
        except OSError:
            return

    def _json(self, document: dict[str, Any], status: int = 200) -> None:
        self._answer(status, json.dumps(document).encode(), "application/json")

    def _answer(
        self,
        status: int,
        body: bytes,
        kind: str,
        headers: dict[str, str] | None = None,
        cut: int | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])
        self.close_connection = self.close_connection or cut is not None


def _matches(item: dict[str, Any], asked: dict[str, Any]) -> bool:
    names = asked.get("collections", item["collection"])
    if item["collection"] not in (names.split(",") if isinstance(names, str) else names):
        return False
    box = asked.get("bbox")
    if box is not None:
        west, south, east, north = map(float, box.split(",") if isinstance(box, str) else box)
        left, bottom, right, top = item["bbox"]
        if left > east or right < west or bottom > north or top < south:
            return False
    start, _, end = str(asked.get("datetime", "")).partition("/")
    moment = dt.datetime.fromisoformat(item["properties"]["datetime"])
    return not start or dt.datetime.fromisoformat(start) <= moment <= dt.datetime.fromisoformat(end)
