"""Features of a GeoJSON file, read one by one.

Owns GeoJSON documents and their CRS (RFC 7946, and the `crs` member of older files), one feature or
geometry alone, and one record a line or behind record separators (RFC 8142). They are read here
because common drivers give up on the whole file at one malformed feature.
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

_GEOMETRIES = (
    "Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon",
    "GeometryCollection",
)  # fmt: skip
_SEPARATOR = "\x1e"


def read_geojson(source: Path) -> Layer | None:
    """Read the features of a file.

    Returns:
        Its one layer; None where the JSON is TopoJSON or Esri's, which GDAL reads.

    Raises:
        UserError: No JSON, no features, or a CRS that nobody knows.
    """
    text = source.read_bytes().decode(ENCODING, ERRORS).removeprefix("\ufeff")
    document = _document(text, source)
    if _is_gdals(document):
        return None
    features = _features(document)
    if features is None:
        raise UserError(f"{source} is not a GeoJSON FeatureCollection", "export it as one")
    features = [_object(feature) for feature in features]
    properties = [_object(feature.get("properties")) for feature in features]
    names = dict.fromkeys(name for row in properties for name in row)
    crs, own_crs = _crs(_object(document), source)
    return Layer(
        columns={name: [row.get(name) for row in properties] for name in names},
        shapes=Shapes.of(shape_from_geojson(feature.get("geometry")) for feature in features),
        crs=crs,
        ids=[f.get("id") for f in features] if any("id" in f for f in features) else None,
        own_crs=own_crs,
    )


def _document(text: str, source: Path) -> Any:
    """Return what a file says, its records as a list where it holds several."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        parts = text.split(_SEPARATOR) if _SEPARATOR in text else text.splitlines()
        records = [part for part in parts if part.strip()]
        if records and _is_record(records[0]):
            return [_record(part, place, source) for place, part in enumerate(records, start=1)]
        line = error.lineno if isinstance(error, json.JSONDecodeError) else "unknown"
        raise UserError(
            f"{source} is not JSON (line {line})", "export the file again as GeoJSON"
        ) from error


def _is_record(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _record(text: str, place: int, source: Path) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{source}: record {place} of its records is not JSON", "export the file again"
        ) from error


def _is_gdals(document: Any) -> bool:
    plain = _object(document)
    if plain.get("type") == "Topology" or str(plain.get("geometryType", "")).startswith("esri"):
        return True
    features = plain.get("features")
    first = _object(features[0]) if isinstance(features, list) and features else {}
    return "attributes" in first and "properties" not in first


def _features(document: Any) -> list[Any] | None:
    """Return the features of a collection, a list, or a feature or geometry alone."""
    if isinstance(document, list):
        every = [_features(member) or [member] for member in document]
        return [feature for features in every for feature in features]
    plain = _object(document)
    if isinstance(plain.get("features"), list):
        return list(plain["features"])
    if plain.get("type") == "Feature" and "geometry" in plain:
        return [plain]
    return [{"geometry": plain}] if plain.get("type") in _GEOMETRIES else None


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
