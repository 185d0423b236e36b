"""A STAC API with range reads on loopback, in front of a static archive, and faults on demand.

The double speaks what STAC API 1.0 asks of a server: a root with conformance, collections, item
search by collection, bbox and time with paging over GET and POST; files answer byte ranges. What
was asked and sent is tallied, so that tests can count requests and bytes from the server's side.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.services.loopback import Fault, Request, Response, Service, as_json, ranged, serving

__all__ = ["Fault", "StacApi", "serving"]

CONFORMANCE = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
]


@dataclass
class StacApi(Service):
    """The service: what it serves, what goes wrong and what it was asked."""

    archive: Path
    """Folder of a static archive as `tiny_archive.write_archive` writes it."""
    collection: str = "tiny"
    page: int = 2
    """Most items of one page, whatever the client asks for."""
    post: bool = True
    """Whether the root offers the search by POST too."""
    signed: bool = False
    """Whether files are given to signed addresses only (`{root}/sign?href=...`)."""
    files: str = ""
    """Where files are said to lie; empty means at this service."""

    @property
    def root(self) -> str:
        """Root of the API."""
        return f"{self.host}/api"

    twice: bool = False
    """Whether every item is listed twice."""

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
                asset["href"] = f"{self.files or f'{self.host}/files'}/{name}"
            found.extend([item] * (2 if self.twice else 1))
        return found

    def respond(self, asked: Request) -> Response:
        """Answer one request."""
        if asked.path.startswith("/files/"):
            return self._file(asked)
        words = asked.document() if asked.method == "POST" else dict(asked.query)
        return self._api(asked.path.rstrip("/").removeprefix("/api"), words, asked.method)

    def _api(self, path: str, asked: dict[str, Any], method: str) -> Response:
        root, name = self.root, self.collection
        collection = {
            "type": "Collection", "stac_version": "1.0.0", "id": name, "description": "Tiny scenes",
            "license": "other", "links": [{"rel": "self", "href": f"{root}/collections/{name}"}],
            "extent": {
                "spatial": {"bbox": [[-180, -90, 180, 90]]},
                "temporal": {"interval": [[None, None]]},
            },
        }  # fmt: skip
        if path == "":
            return as_json(self._root())
        if path == "/collections":
            return as_json({"collections": [collection], "links": []})
        if path == f"/collections/{name}":
            return as_json(collection)
        if path == "/search":
            return as_json(self._found(asked, method))
        if path == "/sign":
            return as_json({"href": f"{asked['href']}?sig=valid"})
        return as_json({"code": "NotFound"}, 404)

    def _root(self) -> dict[str, Any]:
        root = self.root
        methods = ["GET", "POST"] if self.post else ["GET"]
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

    def _found(self, asked: dict[str, Any], method: str) -> dict[str, Any]:
        first = int(asked.get("token", 0))
        matching = [item for item in self.items() if matches(item, asked)]
        last = first + min(self.page, int(asked.get("limit", 10)))
        links = []
        if last < len(matching):
            links.append(self._next(asked, last, method))
        return {"type": "FeatureCollection", "features": matching[first:last], "links": links}

    def _next(self, asked: dict[str, Any], token: int, method: str) -> dict[str, Any]:
        href = f"{self.root}/search"
        if method == "POST":
            body = {**asked, "token": token}
            return {"rel": "next", "method": "POST", "href": href, "body": body}
        return {"rel": "next", "href": f"{href}?{urlencode({**asked, 'token': token})}"}

    def _file(self, asked: Request) -> Response:
        if self.signed and asked.query.get("sig") != "valid":
            return Response(b"not signed", "text/plain", 403)
        path = self.archive / "files" / Path(asked.path).name
        if not path.is_file():
            return Response(b"no such file", "text/plain", 404)
        whole = path.read_bytes()
        return ranged(asked, whole, f"{len(whole)}-{path.stat().st_mtime_ns}", "image/tiff")


def matches(item: dict[str, Any], asked: dict[str, Any]) -> bool:
    """Whether an item is of the collection, box and time that are asked for."""
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
