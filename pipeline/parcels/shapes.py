"""One geometry as a file gave it: read, closed where open, or coded where it cannot be one.

Owns the step from GeoJSON, WKT and WKB to shapely; a malformed geometry becomes a coded `Shape`,
never an exception, so that one bad row cannot stop a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError
from shapely.geometry import MultiPolygon
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.parcels.rings import POLYGONAL, RingError, polygon_from_rings


@dataclass(frozen=True)
class Shape:
    """A geometry as read: what it is, and what had to be done or went wrong to read it."""

    geometry: BaseGeometry | None
    code: str = ""
    """Outcome code of a geometry that cannot be read, empty where it can."""
    numbers: Mapping[str, object] = field(default_factory=dict)
    """Numbers behind the code."""
    closed: int = 0
    """Rings that were closed."""
    crs: CRS | None = None
    """CRS of this row where the row names its own (EWKT)."""


def shape_from_geojson(geometry: Any) -> Shape:
    """Read one GeoJSON geometry object (RFC 7946)."""
    if not isinstance(geometry, dict) or not geometry.get("coordinates"):
        return Shape(None, "empty_geometry")
    kind, coordinates = geometry.get("type"), geometry["coordinates"]
    if kind not in POLYGONAL:
        return Shape(None, "not_a_polygon", {"type": _kind_name(kind)})
    return shape_from_rings([coordinates] if kind == "Polygon" else coordinates)


def _kind_name(kind: Any) -> str:
    known = ("Point", "LineString", "MultiPoint", "MultiLineString", "GeometryCollection")
    return kind if kind in known else "unknown"


def shape_from_rings(polygons: Any) -> Shape:
    """Build a shape from a list of polygons, each a list of rings, each a list of positions."""
    try:
        built = [polygon_from_rings(rings) for rings in polygons]
    except RingError as error:
        return Shape(None, error.code, error.numbers)
    except TypeError:
        return Shape(None, "unreadable_geometry")
    parts = [polygon for polygon, _ in built]
    geometry: BaseGeometry = parts[0] if len(parts) == 1 else MultiPolygon(parts)
    return Shape(geometry, closed=sum(closed for _, closed in built))


def shape_from_wkt(cell: str | None) -> Shape:
    """Read one WKT or EWKT (`SRID=32650;POLYGON ...`) cell."""
    text = (cell or "").strip()
    if not text:
        return Shape(None, "empty_geometry")
    crs = None
    if text.upper().startswith("SRID="):
        number, _, text = text[5:].partition(";")
        try:
            crs = CRS.from_epsg(number.strip())
        except CRSError:
            return Shape(None, "wrong_crs", {"srid": "unknown"})
    # NaN coordinates are coded later; numpy need not warn about them here.
    with np.errstate(invalid="ignore"):
        strict = shapely.from_wkt(text, on_invalid="ignore")
        lenient = strict if strict is not None else shapely.from_wkt(text, on_invalid="fix")
    return replace(_checked(lenient, closed=int(strict is None)), crs=crs)


def shape_from_wkb(data: bytes | None) -> Shape:
    """Read one WKB geometry as GDAL hands it over."""
    if data is None:
        return Shape(None, "empty_geometry")
    strict = shapely.from_wkb(data, on_invalid="ignore")
    lenient = strict if strict is not None else shapely.from_wkb(data, on_invalid="fix")
    return _checked(lenient, closed=int(strict is None))


def _checked(geometry: BaseGeometry | None, closed: int) -> Shape:
    if geometry is None:
        return Shape(None, "unreadable_geometry")
    if geometry.is_empty:
        return Shape(None, "empty_geometry")
    if geometry.geom_type not in POLYGONAL:
        return Shape(None, "not_a_polygon", {"type": geometry.geom_type})
    rings = [
        [shapely.get_coordinates(ring) for ring in (part.exterior, *part.interiors)]
        for part in shapely.get_parts(geometry)
    ]
    return replace(shape_from_rings(rings), closed=closed)
