"""Sentinel Hub on loopback: its Catalog and its Process API in front of a static archive.

Renders real pixels of the archive's files: the bands that the evalscript names, at the box, size,
CRS and time that are asked for, nearest neighbour, as a TIFF of the evalscript's sample type, or as
a tar of several. Numbers are harmonised as the service does: the item's own offset is taken off,
what is below zero becomes zero, and the data mask says where there is a pixel.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.io import MemoryFile
from rasterio.warp import Resampling, reproject

from tests.services.loopback import Request, Response, Service, as_json
from tests.services.oauth import TokenService
from tests.services.stac_api import matches

COLLECTION = "sentinel-2-l2a"
CATALOG = "/api/v1/catalog/1.0.0"
PROCESS = "/api/v1/process"
SPENT = json.dumps(
    {
        "error": {
            "status": 403, "reason": "Forbidden", "code": "ACCESS_INSUFFICIENT_PROCESSING_UNITS",
            "message": "Insufficient processing units or requests available in your account.",
        }
    }
).encode()  # fmt: skip
_SIDE = 2500
_TYPES = {"UINT8": "uint8", "UINT16": "uint16", "FLOAT32": "float32"}
_MASKS = ("SCL", "dataMask")
Array = NDArray[Any]


@dataclass
class SentinelHub(Service):
    """One deployment.

    Faults of its own: `wrong_dtype` and `empty_item` answer an image so; `token_ends` ends every
    token at that request.
    """

    archive: Path
    """Folder of a static archive as `tiny_archive.write_archive` writes it."""
    tokens: TokenService
    folder: str = "tiny"
    """Collection inside the archive."""
    page: int = 2
    """Most items of one page, whatever the client asks for."""
    offered: tuple[str, ...] = (COLLECTION,)
    units: float = 0.0
    """Processing units that were spent."""
    twice: bool = False
    """Whether every item is listed twice."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """Requests for pixels."""

    def items(self) -> list[dict[str, Any]]:
        """Return the items as the Catalog tells them: one asset, the tile's folder in a bucket."""
        found = []
        for path in sorted((self.archive / self.folder).glob("*/*.json")):
            item = json.loads(path.read_text(encoding="utf-8"))
            properties = item["properties"]
            kept = {
                key: properties[key] for key in ("datetime", "eo:cloud_cover") if key in properties
            }
            assets = {"data": {"href": f"s3://sentinel-s2-l2a/{item['id']}/", "title": "s3"}}
            own = f"{self.host}{CATALOG}/collections/{COLLECTION}/items/{item['id']}"
            found.append(
                {
                    "type": "Feature", "stac_version": "1.0.0", "collection": COLLECTION,
                    "id": item["id"], "geometry": item["geometry"], "bbox": item["bbox"],
                    "properties": {**kept, "constellation": "sentinel-2", "gsd": 10},
                    "assets": assets, "links": [{"rel": "self", "href": own}],
                }
            )  # fmt: skip
        return [item for item in found for _ in range(2 if self.twice else 1)]

    def respond(self, asked: Request) -> Response:
        """Answer one request."""
        if asked.fault is not None and asked.fault.kind == "token_ends":
            self.tokens.end_tokens()
        if not self.tokens.valid(asked.headers.get("Authorization", "")):
            return as_json({"error": {"status": 401, "reason": "Unauthorized"}}, 401)
        if asked.path == f"{CATALOG}/collections":
            return as_json({"collections": [{"id": name} for name in self.offered], "links": []})
        if asked.path == f"{CATALOG}/search":
            return self._found(asked.document())
        if asked.path == PROCESS:
            return self._rendered(asked)
        return as_json({"error": {"status": 404, "reason": "Not Found"}}, 404)

    def _found(self, asked: dict[str, Any]) -> Response:
        if not set(asked["collections"]) <= set(self.offered):
            return as_json({"error": {"status": 404, "reason": "Collection not found"}}, 404)
        if asked.get("limit", 10) > 100:
            return as_json({"error": {"status": 400, "reason": "limit"}}, 400)
        matching = [item for item in self.items() if matches(item, asked)]
        first = int(asked.get("next", 0))
        last = first + min(self.page, asked.get("limit", 10))
        context = {"limit": self.page, "returned": len(matching[first:last])}
        if last < len(matching):
            context["next"] = last
        return as_json(
            {
                "type": "FeatureCollection", "features": matching[first:last], "links": [],
                "context": context,
            }
        )  # fmt: skip

    def _rendered(self, asked: Request) -> Response:
        document = asked.document()
        self.bodies.append(document)
        high, wide = document["output"]["height"], document["output"]["width"]
        if not (0 < high <= _SIDE and 0 < wide <= _SIDE):
            return as_json({"error": {"status": 400, "code": "COMMON_BAD_PAYLOAD"}}, 400)
        script = document["evalscript"]
        images = {
            name: self._image(
                document, bands, kind, "" if asked.fault is None else asked.fault.kind
            )
            for name, bands, kind in _outputs(script)
        }
        inputs = {band for _, bands, _ in _outputs(script) for band in bands} - {"dataMask"}
        spent = max(0.005, max(0.01, wide * high / 512**2) * len(inputs) / 3)
        with self.lock:
            self.units += spent
        headers = {"x-processingunits-spent": f"{spent:.4f}"}
        wanted = [part["identifier"] for part in document["output"]["responses"]]
        if len(wanted) == 1:
            return Response(images[wanted[0]], "image/tiff", 200, headers)
        return Response(
            _tar({name: images[name] for name in wanted}), "application/tar", 200, headers
        )

    def _image(self, document: dict[str, Any], bands: list[str], kind: str, fault: str) -> bytes:
        output, bounds = document["output"], document["input"]["bounds"]
        code = bounds["properties"]["crs"].rpartition("/")[2]
        west, south, east, north = bounds["bbox"]
        high, wide = output["height"], output["width"]
        transform = Affine((east - west) / wide, 0, west, 0, -(north - south) / high, north)
        image = np.zeros((len(bands), high, wide), dtype="float64")
        data = document["input"]["data"][0]
        for item in self._at(data["dataFilter"]["timeRange"]):
            for place, band in enumerate(bands):
                fresh, there = self._band(item, band, transform, f"EPSG:{code}", (high, wide), data)
                empty = image[place] == 0
                image[place] = np.where(empty & there, fresh, image[place])
        dtype = "uint8" if fault == "wrong_dtype" else _TYPES[kind]
        image = image * 0 if fault == "empty_item" else image
        profile = {
            "driver": "GTiff", "height": high, "width": wide, "count": len(bands), "dtype": dtype,
            "crs": f"EPSG:{code}", "transform": transform, "compress": "deflate",
        }  # fmt: skip
        with MemoryFile() as memory:
            with memory.open(**profile) as file:
                file.write(image.astype(dtype))
            return bytes(memory.read())

    def _at(self, times: dict[str, str]) -> list[dict[str, Any]]:
        """Return the items of a span of time, the newest first as the service takes them."""
        start, end = (dt.datetime.fromisoformat(times[name]) for name in ("from", "to"))
        found = []
        for path in sorted((self.archive / self.folder).glob("*/*.json")):
            item = json.loads(path.read_text(encoding="utf-8"))
            moment = dt.datetime.fromisoformat(item["properties"]["datetime"])
            if start <= moment <= end:
                found.append((moment, str(path), {**item, "place": path.parent}))
        return [item for _, _, item in sorted(found, key=lambda one: one[:2], reverse=True)]

    def _band(
        self, item: dict[str, Any], band: str, transform: Affine, crs: str,
        shape: tuple[int, int], data: dict[str, Any],
    ) -> tuple[Array, Array]:  # fmt: skip
        """Return a band on the grid asked for, and where it holds a pixel."""
        name = (
            next(key for key in item["assets"] if key not in _MASKS) if band == "dataMask" else band
        )
        asset = item["assets"][name]
        with rasterio.open(item["place"] / asset["href"]) as file:
            pixels = np.zeros(shape, dtype="int64")
            there = np.zeros(shape, dtype="uint8")
            numbers = file.read(1).astype("int64")
            how = {
                "src_transform": file.transform, "src_crs": file.crs, "dst_transform": transform,
                "dst_crs": crs, "resampling": Resampling.nearest,
            }  # fmt: skip
            reproject(numbers, pixels, **how)
            reproject(np.ones(numbers.shape, dtype="uint8"), there, **how)
        stated = (asset.get("raster:bands") or [{}])[0]
        present = (there > 0) & ((pixels != 0) if "nodata" in stated else True)
        if band == "dataMask":
            return present.astype("int64"), present
        if band not in _MASKS and data.get("processing", {}).get("harmonizeValues", True):
            shift = round(stated.get("offset", 0.0) / stated.get("scale", 1e-4))
            pixels = np.maximum(pixels + shift, 0)
        return pixels, present


def _outputs(script: str) -> list[tuple[str, list[str], str]]:
    """Return name, bands and sample type of each output of an evalscript of plain samples."""
    outputs = re.search(r"output:\s*(\[.*?\]|\{.*?\})", script, re.DOTALL)
    assert outputs is not None
    returned = re.search(r"return\s+(\[[^\]]*\]|\{[^}]*\})\s*;?\s*\}\s*$", script.strip())
    assert returned is not None
    found = []
    for one in re.findall(r"\{[^{}]*\}", outputs[1]):
        name = re.search(r'id:\s*"(\w+)"', one)
        kind = re.search(r'sampleType:\s*"(\w+)"', one)
        key = "default" if name is None else name[1]
        body = returned[1]
        if body.startswith("{"):
            own = re.search(rf"{key}:\s*\[([^\]]*)\]", body)
            assert own is not None
            body = own[1]
        found.append((key, re.findall(r"\w+\.(\w+)", body), kind[1] if kind else "UINT8"))
    return found


def _tar(images: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, image in images.items():
            entry = tarfile.TarInfo(f"{name}.tif")
            entry.size = len(image)
            archive.addfile(entry, io.BytesIO(image))
    return buffer.getvalue()
