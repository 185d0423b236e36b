"""Outlines as a file gave them: read, closed where open, or coded where they cannot be one.

Owns the step from GeoJSON, WKT and WKB to shapely; a malformed geometry becomes a coded `Shape`,
never an exception, so that one bad row cannot stop a file. Whole columns are parsed at once; only
rows that are not one plain ring with an area are looked at one by one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.inputs.names import folded, known_names
from fieldline.pipeline.parcels.crs import crs_of_srid
from fieldline.pipeline.parcels.curves import polygons_of
from fieldline.pipeline.parcels.rings import Geometries, RingError, polygon_from_rings
from fieldline.pipeline.parcels.simple_features import Node, read_wkb, read_wkt

_SRID = re.compile(r"SRID\s*=\s*(\w+)\s*;", re.IGNORECASE)
_HEX = re.compile(r"(?:\\x|\\\\x|0x)?(0[01][0-9a-f]{8,})", re.IGNORECASE)
#: Corners of ODK and KoboToolbox, `lat lon height accuracy; ...`. Two numbers a corner would not
#: say which is which. Source: XForms specification of ODK, data types geotrace and geoshape.
_NUMBER = r"-?\d+(?:\.\d+)?"
_POINT = rf"\s*{_NUMBER}(?:\s+{_NUMBER}){{2,3}}\s*"
_GEOSHAPE = re.compile(rf"{_POINT}(?:;{_POINT})*;?\s*")
#: Codes of a part or hole that encloses no ground and may be left out beside others.
_NO_AREA = ("too_few_points", "empty_geometry")
_POLYGON = 3
_KIND_NAMES = {
    name.upper(): name
    for name in (
        "Point", "LineString", "MultiPoint", "MultiLineString", "GeometryCollection",
        "CircularString", "CompoundCurve", "MultiCurve",
    )
}  # fmt: skip


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
    """CRS of this row where the row names its own (EWKT, EWKB)."""
    dropped: int = 0
    """Parts and holes without an area that were left out."""


class Shapes(Sequence[Shape]):
    """Outlines of many rows: one array of geometries and, beside it, only what is odd about any."""

    def __init__(
        self,
        geometries: Geometries,
        odd: Mapping[int, Shape],
        crs: Sequence[CRS] = (),
        crs_index: npt.NDArray[np.int32] | None = None,
    ) -> None:
        self.geometries = geometries
        """Geometry per row, None where unreadable."""
        self.odd = odd
        """Rows with a code, a closed ring or a dropped part, by row."""
        self.crs = tuple(crs)
        """Every CRS that rows name."""
        count = len(geometries)
        self.crs_index = np.full(count, -1, np.int32) if crs_index is None else crs_index
        """Which of `crs` a row names, -1 for none."""

    @classmethod
    def of(cls, shapes: Iterable[Shape]) -> Shapes:
        """Gather shapes that were read one by one."""
        rows = list(shapes)
        geometries = np.empty(len(rows), dtype=object)
        geometries[:] = [shape.geometry for shape in rows]
        named = {id(s.crs): s.crs for s in rows if s.crs is not None}
        place = {key: i for i, key in enumerate(named)}
        index = np.array([place.get(id(shape.crs), -1) for shape in rows], dtype=np.int32)
        odd = {i: s for i, s in enumerate(rows) if s.code or s.closed or s.dropped}
        return cls(geometries, odd, list(named.values()), index)

    @classmethod
    def joined(cls, parts: Sequence[tuple[Shapes, CRS | None]]) -> Shapes:
        """Put files or layers one behind the other, each row in its own CRS, else its file's."""
        odd: dict[int, Shape] = {}
        crs: list[CRS] = []
        indices: list[npt.NDArray[np.int32]] = []
        start = 0
        for shapes, default in parts:
            odd |= {start + row: shape for row, shape in shapes.odd.items()}
            index = np.where(shapes.crs_index >= 0, shapes.crs_index + len(crs), -1)
            crs += shapes.crs
            if default is not None:
                index[index < 0] = len(crs)
                crs.append(default)
            indices.append(index.astype(np.int32))
            start += len(shapes)
        geometries = [shapes.geometries for shapes, _ in parts]
        return cls(np.concatenate(geometries), odd, crs, np.concatenate(indices))

    def __len__(self) -> int:
        return len(self.geometries)

    @overload
    def __getitem__(self, row: int) -> Shape: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Shape]: ...
    def __getitem__(self, row: int | slice) -> Shape | Sequence[Shape]:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        row = range(len(self))[row]
        crs = self.crs[self.crs_index[row]] if self.crs_index[row] >= 0 else None
        return replace(self.odd.get(row, Shape(None)), geometry=self.geometries[row], crs=crs)


def shapes_from_wkb(values: Sequence[bytes | None]) -> Shapes:
    """Read a column of WKB or EWKB."""
    try:
        geometries = shapely.from_wkb(np.array(values, dtype=object), on_invalid="ignore")
    except NotImplementedError:  # one curve stops GEOS for the whole column
        return Shapes.of(shape_from_wkb(value) for value in values)
    return _looked_at(geometries, lambda row: shape_from_wkb(values[row]))


def shapes_from_text(cells: Sequence[str | None]) -> Shapes:
    """Read a column of WKT, EWKT, hexadecimal WKB or EWKB, or GeoJSON geometries."""
    try:
        # NaN coordinates are coded later; numpy need not warn about them here.
        with np.errstate(invalid="ignore"):
            geometries = shapely.from_wkt(np.array(cells, dtype=object), on_invalid="ignore")
    except NotImplementedError:
        return Shapes.of(shape_from_wkt(cell) for cell in cells)
    return _looked_at(geometries, lambda row: shape_from_wkt(cells[row]))


def _looked_at(geometries: Geometries, read_one: Any) -> Shapes:
    """Keep what is plainly an outline and read the other rows again one by one."""
    geometries = shapely.force_2d(geometries) if shapely.has_z(geometries).any() else geometries
    rows = np.flatnonzero(~_plain(geometries)).tolist()
    again = Shapes.of(read_one(row) for row in rows)
    geometries[rows] = again.geometries
    index = np.full(len(geometries), -1, np.int32)
    index[rows] = again.crs_index
    odd = {rows[i]: shape for i, shape in again.odd.items()}
    return Shapes(geometries, odd, again.crs, index)


def _plain(geometries: Geometries) -> npt.NDArray[np.bool_]:
    """Whether a row is one shell of finite corners around an area; only such need no second look.

    A measure (M) survives `force_2d` and an SRID names a CRS: both are left to the slow way.
    """
    with np.errstate(invalid="ignore"):
        area = shapely.area(geometries)
        shell = shapely.get_type_id(geometries) == _POLYGON
        shell &= shapely.get_num_interior_rings(geometries) == 0
        shell &= ~shapely.has_m(geometries) & (shapely.get_srid(geometries) <= 0)
        return np.asarray(shell & np.isfinite(area) & (area > 0))


def shape_from_geojson(geometry: Any) -> Shape:
    """Read one GeoJSON geometry object (RFC 7946); a collection is its polygons."""
    try:
        polygons, other = _geojson_polygons(geometry, depth=0)
    except RecursionError:
        return Shape(None, "unreadable_geometry")
    if polygons:
        return shape_from_rings(polygons)
    return Shape(None, "not_a_polygon", {"type": other}) if other else Shape(None, "empty_geometry")


def _geojson_polygons(geometry: Any, depth: int) -> tuple[list[Any], str]:
    """Return polygons as rings and, where there are none, the kind of what was drawn instead."""
    if not isinstance(geometry, dict) or depth > 32:
        return [], ""
    kind = geometry.get("type")
    kind = kind.upper() if isinstance(kind, str) else ""
    if kind == "GEOMETRYCOLLECTION":
        members = geometry.get("geometries")
        found = [
            _geojson_polygons(member, depth + 1)
            for member in (members if isinstance(members, list) else [])
        ]
        polygons = [polygon for part, _ in found for polygon in part]
        return polygons, "GeometryCollection" if any(other for _, other in found) else ""
    coordinates = geometry.get("coordinates")
    if not coordinates:
        return [], ""
    if kind == "POLYGON":
        return [coordinates], ""
    if kind == "MULTIPOLYGON":
        return (coordinates if isinstance(coordinates, list) else [coordinates]), ""
    return [], _KIND_NAMES.get(kind, "unknown")


def shape_from_rings(polygons: Any) -> Shape:
    """Build a shape from a list of polygons, each a list of rings, each a list of positions.

    A part or hole that encloses nothing is left out and counted, as long as another part is left.
    """
    built: list[Polygon] = []
    closed, dropped = 0, 0
    empty: RingError | None = None
    try:
        for rings in polygons:
            try:
                polygon, opened, holes = _polygon(rings)
            except RingError as error:
                if error.code not in _NO_AREA:
                    return Shape(None, error.code, error.numbers)
                empty, dropped = empty or error, dropped + 1
                continue
            built.append(polygon)
            closed, dropped = closed + opened, dropped + holes
    except TypeError:
        return Shape(None, "unreadable_geometry")
    flat = [part for part in built if part.convex_hull.area == 0]
    if len(flat) < len(built):
        built, dropped = [p for p in built if p not in flat], dropped + len(flat)
    if not built:
        none = empty or RingError("empty_geometry")
        return Shape(None, none.code, none.numbers)
    geometry: BaseGeometry = built[0] if len(built) == 1 else MultiPolygon(built)
    return Shape(geometry, closed=closed, dropped=dropped)


def _polygon(rings: Any) -> tuple[Polygon, int, int]:
    """Return a polygon, how many of its rings were closed and how many holes were no hole."""
    try:
        return *polygon_from_rings(rings), 0
    except RingError as error:
        if error.code not in _NO_AREA or len(rings) < 2:
            raise
    polygon, closed = polygon_from_rings(rings[:1])
    holes = []
    for ring in rings[1:]:
        try:
            holes.append(polygon_from_rings([ring]))
        except RingError as error:
            if error.code not in _NO_AREA:
                raise
    shells = [hole.exterior for hole, _ in holes]
    closed += sum(opened for _, opened in holes)
    return Polygon(polygon.exterior, shells), closed, len(rings) - 1 - len(holes)


def shape_from_wkt(cell: str | None) -> Shape:
    """Read one cell of WKT, EWKT (`SRID=32650;POLYGON ...`), hexadecimal WKB, EWKB, GeoJSON, a
    geoshape of ODK, or a list of `{"lat": ..., "lng": ...}`."""
    text = (cell or "").strip()
    srid = None
    if stated := _SRID.match(text):
        srid, text = stated.group(1), text[stated.end() :].strip()
    if not text:
        return Shape(None, "empty_geometry")
    if hexadecimal := _HEX.fullmatch(text):
        digits = hexadecimal.group(1)
        shape = shape_from_wkb(bytes.fromhex(digits[: len(digits) // 2 * 2]))
    elif text.startswith(("{", "[")):
        shape = _from_json(text)
    elif _GEOSHAPE.fullmatch(text):
        shape = shape_from_rings([[_geoshape(text)]])
    else:
        shape = _from_node(lambda: (read_wkt(text), None))
    return _in_srid(shape, srid)


def _from_json(text: str) -> Shape:
    """Read GeoJSON, or a list of corners that each say which number is which."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return Shape(None, "unreadable_geometry")
    if not isinstance(said, list):
        return shape_from_geojson(said)
    corners = [_named_corner(corner) for corner in said]
    named = bool(corners) and None not in corners
    return shape_from_rings([[corners]]) if named else Shape(None, "unreadable_geometry")


def _named_corner(corner: Any) -> list[Any] | None:
    """Return `{"lat": 33.2, "lng": 115.9}` as longitude and latitude; None for anything else."""
    if not isinstance(corner, dict):
        return None
    found = {folded(str(name)): value for name, value in corner.items()}
    lon, lat = ([v for n, v in found.items() if n in known_names(role)] for role in ("lon", "lat"))
    return [lon[0], lat[0]] if len(lon) == len(lat) == 1 else None


def _geoshape(text: str) -> list[list[float]]:
    """Return the corners of a geoshape as longitude and latitude: it is written latitude first."""
    points = [[float(n) for n in point.split()] for point in text.split(";") if point.strip()]
    return [[lon, lat] for lat, lon, *_ in points]


def shape_from_wkb(data: bytes | None) -> Shape:
    """Read one WKB or EWKB geometry, as GDAL or PostGIS hands it over."""
    if not data:
        return Shape(None, "empty_geometry")
    return _from_node(lambda: read_wkb(bytes(data)))


def _from_node(read: Any) -> Shape:
    try:
        node, srid = read()
        polygons = polygons_of(node)
    except (ValueError, OverflowError):
        return Shape(None, "unreadable_geometry")
    shape = shape_from_rings(polygons) if any(polygons) else _without_polygon(node)
    return _in_srid(shape, srid)


def _without_polygon(node: Node) -> Shape:
    if node.empty or node.kind not in _KIND_NAMES:
        return Shape(None, "empty_geometry")
    return Shape(None, "not_a_polygon", {"type": _KIND_NAMES[node.kind]})


def _in_srid(shape: Shape, srid: str | int | None) -> Shape:
    """Give a shape the CRS that its row names; 0 means undefined in PostGIS, as good as none."""
    if srid is None or str(srid) == "0":
        return shape
    crs = crs_of_srid(int(srid)) if str(srid).isdecimal() else None
    if crs is None:
        return Shape(None, "wrong_crs", {"srid": "unknown"})
    return replace(shape, crs=crs)
