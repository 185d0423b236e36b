"""Features of a GeoJSON file, read one by one.

Owns GeoJSON documents and their CRS (RFC 7946, and the `crs` member of older files). They are read
here because common drivers give up on the whole file at one malformed feature.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyproj import CRS
from pyproj.exceptions import CRSError

from fieldline.pipeline.parcels.crs import WGS84, horizontal
from fieldline.pipeline.parcels.layers import Layer
from fieldline.pipeline.parcels.shapes import Shapes, shape_from_geojson
from fieldline.pipeline.records.encodings import ENCODING, ERRORS
from fieldline.pipeline.records.errors import UserError


def read_geojson(source: Path) -> Layer:
    """Read a FeatureCollection.

    Raises:
        UserError: No JSON, no FeatureCollection, or a CRS that nobody knows.
    """
    text = source.read_bytes().decode(ENCODING, ERRORS).removeprefix("\ufeff")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else "unknown"
        raise UserError(
            f"{source} is not JSON (line {line})", "export the file again as GeoJSON"
        ) from error
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list):
        raise UserError(f"{source} is not a GeoJSON FeatureCollection", "export it as one")
    features = [_object(feature) for feature in features]
    properties = [_object(feature.get("properties")) for feature in features]
    names = dict.fromkeys(name for row in properties for name in row)
    crs, own_crs = _crs(document, source)
    return Layer(
        columns={name: [row.get(name) for row in properties] for name in names},
        shapes=Shapes.of(shape_from_geojson(feature.get("geometry")) for feature in features),
        crs=crs,
        ids=[f.get("id") for f in features] if any("id" in f for f in features) else None,
        own_crs=own_crs,
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _crs(document: dict[str, Any], source: Path) -> tuple[CRS | None, str]:
    """Return the CRS: RFC 7946 says WGS84, older files may name another, even one of no place."""
    member = document.get("crs")
    if not isinstance(member, dict):
        return WGS84, ""
    try:
        crs = CRS.from_user_input(_object(member.get("properties")).get("name"))
    except CRSError as error:
        raise UserError(
            f"{source} names a CRS that nobody knows", "remove its crs member or name an EPSG code"
        ) from error
    placed = horizontal(crs)
    return placed, "" if placed is not None else crs.name
