"""Geometry of one drawn outline: what is wrong with it and which repair is safe.

Owns closing, untangling and thinning of rings and their measures on the WGS84 ellipsoid; knows no
file, no farmer and no outcome table. The idea: a repair is safe when the area that the line was
drawn around and the area of the valid result agree; otherwise the drawing is ambiguous and refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Geod
from shapely.geometry import LineString, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

Geometries = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]

WGS84 = Geod(ellps="WGS84")
POLYGONAL = ("Polygon", "MultiPolygon")
#: No phone or survey places a corner better than this; thinning more finely is pointless, metres.
_FINEST_M = 0.01
#: Vertices per stretch of `_thin_ring`: short enough to stay fast, long enough to thin well.
_STRETCH = 500
_TRIANGLE = 3
#: Rings up to this size may be measured together, degrees (1 km along a meridian).
_SMALL_DEG = 0.01
#: Less of a field than its corners' last digits make.
_NOTHING_LEFT = 1e-6
#: Nearer to a pole a cosine from a sine loses digits, degrees.
_POLEWARD = 89.0
#: Rings measured together at a time, so that the arrays stay small beside the outlines.
_TOGETHER = 50_000


@dataclass(frozen=True)
class Repair:
    """A geometry after a repair was tried."""

    geometry: BaseGeometry | None
    """The repaired geometry, or None where no repair is safe."""
    share: float
    """Share of the area that the repair had to decide about (0 = nothing, 1 = everything)."""


class RingError(ValueError):
    """Coordinates that cannot form an outline; `code` is the outcome code."""

    def __init__(self, code: str, **numbers: object) -> None:
        self.code = code
        self.numbers = numbers
        super().__init__(code)


def closed_ring(points: Any) -> tuple[Floats, bool]:
    """Return a ring's coordinates closed, and whether it had to be closed.

    Args:
        points: Sequence of positions `[x, y, ...]`; further ordinates (height) are dropped.

    Returns:
        Array of shape (n, 2) whose last position equals the first, and True where it was added.

    Raises:
        RingError: `nan_coordinates`, `too_few_points` or `unreadable_geometry`.
    """
    try:
        ring = np.array([position[:2] for position in points], dtype=np.float64)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError) as error:
        raise RingError("unreadable_geometry") from error
    if ring.ndim != 2 or ring.shape[1] != 2:
        raise RingError("too_few_points" if ring.size == 0 else "unreadable_geometry", points=0)
    if not np.isfinite(ring).all():
        raise RingError("nan_coordinates", positions=int((~np.isfinite(ring)).any(axis=1).sum()))
    distinct = len(set(map(tuple, ring.tolist())))
    if distinct < 3:
        raise RingError("too_few_points", points=distinct)
    if np.array_equal(ring[0], ring[-1]):
        return ring, False
    return np.vstack([ring, ring[:1]]), True


def polygon_from_rings(rings: Sequence[Any]) -> tuple[Polygon, int]:
    """Build a polygon from its shell and holes, closing what is open.

    Returns:
        The polygon (perhaps invalid) and the number of rings that were closed.

    Raises:
        RingError: A ring that cannot be one.
    """
    if len(rings) == 0:
        raise RingError("empty_geometry")
    pairs = [closed_ring(ring) for ring in rings]
    shell, *holes = (ring for ring, _ in pairs)
    return Polygon(shell, holes), sum(opened for _, opened in pairs)


def drawn_area(geometry: BaseGeometry) -> float:
    """Return the area that the rings wind around: |shell| minus |holes| by the shoelace rule.

    A lobe that is wound the other way counts against the rest, so that for a self-crossing ring
    this is less than the area of the untangled shape. Units are those of the coordinates, squared.
    """
    total = 0.0
    for part in shapely.get_parts(geometry):
        total += abs(_signed_area(part.exterior))
        total -= sum(abs(_signed_area(hole)) for hole in part.interiors)
    return total


def _signed_area(ring: BaseGeometry) -> float:
    x, y = (shapely.get_coordinates(ring) - shapely.get_coordinates(ring)[0]).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2


def _holes_cut(geometry: BaseGeometry) -> BaseGeometry | None:
    """Return the one shell of a shape less its holes; None where a ring crosses itself.

    A hole that runs along its shell is plain to read, and no valid polygon as it is drawn.
    """
    part, *others = shapely.get_parts(geometry)
    rings = [Polygon(ring) for ring in (part.exterior, *part.interiors)]
    if others or not all(ring.is_valid for ring in rings):
        return None
    return shapely.difference(rings[0], shapely.union_all(rings[1:]))


def holes_outside(geometry: BaseGeometry) -> float:
    """Return which share of a shape's holes lies outside their shells, or 1 where they fill one.

    Zero where a ring crosses itself: then the line is what is wrong.
    """
    outside = total = 0.0
    for part in shapely.get_parts(geometry):
        shell, *holes = (Polygon(ring) for ring in (part.exterior, *part.interiors))
        if not all(ring.is_valid for ring in (shell, *holes)):
            return 0.0
        cut = shapely.union_all(holes)
        if shapely.difference(shell, cut).area <= _NOTHING_LEFT * shell.area:
            return 1.0
        outside += shapely.difference(cut, shell).area
        total += cut.area
    return outside / total if total else 0.0


def untangle(geometry: BaseGeometry, tolerance: float) -> Repair:
    """Make a self-crossing outline valid where its meaning is plain.

    The untangled shape must keep the drawn area within `tolerance`, and slivers below `tolerance`
    of the whole are dropped. A bow-tie with two comparable lobes, or a ring walked round twice,
    fails this test: nobody can say which lobe was meant.

    Args:
        geometry: Polygon or MultiPolygon, perhaps invalid, in any planar coordinates.
        tolerance: Largest share of the area in doubt.

    Returns:
        The valid geometry and the share in doubt; geometry is None where it exceeds `tolerance`.
    """
    if geometry.is_valid:
        return Repair(geometry, 0.0)
    cut = _holes_cut(geometry)
    fixed = shapely.get_parts(cut or shapely.make_valid(geometry))
    parts = shapely.get_parts(fixed[np.isin(shapely.get_type_id(fixed), (3, 6))])
    areas = shapely.area(parts)
    total = float(areas.sum())
    if total <= 0:
        return Repair(None, 1.0)
    kept = areas >= tolerance * total
    dropped = float(areas[~kept].sum()) / total
    drawn = total if cut is not None and not holes_outside(geometry) else drawn_area(geometry)
    doubt = max(dropped, min(1.0, abs(total - drawn) / total))
    if doubt > tolerance:
        return Repair(None, doubt)
    return Repair(_polygonal(parts[kept]), doubt)


def _polygonal(parts: Geometries) -> BaseGeometry | None:
    joined = shapely.union_all(parts)
    return joined if joined.geom_type in POLYGONAL and joined.is_valid else None


def metres_per_degree(latitude: float) -> tuple[float, float]:
    """Return the length of one degree of longitude and latitude on WGS84, metres.

    Source: radii of curvature N and M of the ellipsoid (Snyder 1987, USGS PP 1395, eq. 4-18, 4-20).
    """
    phi = math.radians(latitude)
    root = 1 - WGS84.es * math.sin(phi) ** 2
    meridian = WGS84.a * (1 - WGS84.es) / root**1.5
    normal = WGS84.a / math.sqrt(root)
    return math.radians(1) * normal * math.cos(phi), math.radians(1) * meridian


def to_metres(geometry: BaseGeometry) -> BaseGeometry:
    """Scale lon/lat to metres around the geometry: true lengths to 0.1 % within 50 km."""
    return shapely.transform(geometry, lambda xy: xy * metres_per_degree(_latitude(geometry)))


def _latitude(geometry: BaseGeometry) -> float:
    _, south, _, north = geometry.bounds
    return float(south + north) / 2


def thin(geometry: BaseGeometry, tolerance_m: float, area_change: float) -> Repair:
    """Drop vertices that move the outline by less than `tolerance_m`.

    The tolerance is halved until the area is kept, so that a small field is thinned more finely
    than a large one. Whether the line crosses itself is for `untangle` to judge afterwards.

    Args:
        geometry: Polygon in lon/lat degrees, perhaps invalid.
        tolerance_m: Largest displacement of the line, metres.
        area_change: Largest allowed relative change of the area.

    Returns:
        The thinned geometry in degrees (None where the area cannot be kept) and the relative
        change of its area.
    """
    scale = np.array(metres_per_degree(_latitude(geometry)))
    metric = shapely.transform(geometry, lambda xy: xy * scale)
    change = 1.0
    while tolerance_m >= _FINEST_M:
        simple = _with_rings(metric, partial(_thin_ring, tolerance_m=tolerance_m))
        change = abs(simple.area - metric.area) / max(metric.area, _FINEST_M**2)
        if change <= area_change:
            return Repair(shapely.transform(simple, lambda xy: xy / scale), change)
        tolerance_m /= 2
    return Repair(None, change)


def _with_rings(geometry: BaseGeometry, change: Callable[[Floats], Floats]) -> BaseGeometry:
    parts = [
        Polygon(
            change(shapely.get_coordinates(part.exterior)),
            [change(shapely.get_coordinates(hole)) for hole in part.interiors],
        )
        for part in shapely.get_parts(geometry)
    ]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _thin_ring(ring: Floats, tolerance_m: float) -> Floats:
    """Thin a ring by Douglas-Peucker, stretch by stretch.

    The algorithm is quadratic on a scribble (11 s for 10^5 spikes); stretches of fixed length make
    it linear and cost one kept vertex each.
    """
    starts = range(0, len(ring) - 1, _STRETCH)
    lines = np.array([LineString(ring[i : i + _STRETCH + 1]) for i in starts], dtype=object)
    thinned = shapely.simplify(lines, tolerance_m, preserve_topology=False)
    kept = [shapely.get_coordinates(line)[:-1] for line in thinned]
    out = np.vstack([*kept, ring[-1:]])
    return out if len(out) > _TRIANGLE else ring


def parts_connected(geometry: BaseGeometry, gap_m: float) -> bool:
    """Whether every part of a lon/lat MultiPolygon is reached by steps of at most `gap_m`."""
    grown = shapely.buffer(shapely.get_parts(to_metres(geometry)), gap_m / 2)
    return bool(shapely.union_all(grown).geom_type == "Polygon")


def geodesic_measures(geometries: Geometries) -> tuple[Floats, Floats]:
    """Return area (m2) and perimeter (m) of valid lon/lat polygons on the WGS84 ellipsoid.

    Holes are taken off the area and added to the perimeter. Small rings without holes, nearly all
    there are, are measured together by `small_ring_measures`; every other ring on its own. Source:
    Karney (2013), "Algorithms for geodesics", J. Geodesy 87, as implemented in PROJ's Geod.
    """
    area, perimeter = np.zeros(len(geometries)), np.zeros(len(geometries))
    bounds = shapely.bounds(geometries)
    small = (shapely.get_type_id(geometries) == shapely.GeometryType.POLYGON.value) & (
        shapely.get_num_interior_rings(geometries) == 0
    )
    small &= (bounds[:, 2:] - bounds[:, :2] <= _SMALL_DEG).all(axis=1)
    small &= np.abs(bounds[:, [1, 3]]).max(axis=1, initial=0) <= _POLEWARD
    rows = np.flatnonzero(small)
    for start in range(0, len(rows), _TOGETHER):
        chunk = rows[start : start + _TOGETHER]
        area[chunk], perimeter[chunk] = small_ring_measures(geometries[chunk])
    for index in np.flatnonzero(~small).tolist():
        for part in shapely.get_parts(geometries[index]):
            for ring, sign in [(part.exterior, 1.0), *((hole, -1.0) for hole in part.interiors)]:
                lon, lat = shapely.get_coordinates(ring).T
                ring_area, ring_length = WGS84.polygon_area_perimeter(lon, lat)
                area[index] += sign * abs(ring_area)
                perimeter[index] += ring_length
    return area, perimeter


def small_ring_measures(polygons: Geometries) -> tuple[Floats, Floats]:
    """Return area (m2) and perimeter (m) of polygons without holes, all at once.

    The area is taken in Lambert's equal-area projection around each ring's first corner, where an
    edge is a straight line: it differs from the geodesic one by under 3e-7 for rings up to 1 km.
    The perimeter is the sum of geodesics. Source: Snyder (1987), USGS PP 1395, eq. 3-11 to 3-13
    (authalic latitude) and 24-2 to 24-4.
    """
    xy, ring = shapely.get_coordinates(polygons, return_index=True)
    starts = np.searchsorted(ring, np.arange(len(polygons)))
    lon, lat = xy.T
    sine = _authalic_sine(np.sin(np.radians(lat)))
    cosine = np.sqrt(1 - sine**2)
    sine0, cosine0 = sine[starts][ring], cosine[starts][ring]
    turn = np.radians(lon - lon[starts][ring])
    scale = np.sqrt(2 / (1 + sine0 * sine + cosine0 * cosine * np.cos(turn)))
    x = scale * cosine * np.sin(turn)
    y = scale * (cosine0 * sine - sine0 * cosine * np.cos(turn))
    edge = ring[:-1] == ring[1:]
    twice = np.where(edge, x[:-1] * y[1:] - x[1:] * y[:-1], 0.0)
    lengths = np.zeros(len(edge))
    lengths[edge] = WGS84.inv(*(v[edge] for v in (lon[:-1], lat[:-1], lon[1:], lat[1:])))[2]
    sphere = WGS84.a**2 * _Q_POLE / 2
    area = np.abs(np.bincount(ring[:-1], twice, len(polygons))) / 2 * sphere
    return area, np.asarray(np.bincount(ring[:-1], lengths, len(polygons)), dtype=np.float64)


def _authalic_sine(sine: Floats) -> Floats:
    """Return the sine of the authalic latitude for that of the geodetic one."""
    return np.asarray(_authalic_q(sine) / _Q_POLE)


def _authalic_q(sine: Any) -> Any:
    e = math.sqrt(WGS84.es)
    return (1 - WGS84.es) * (sine / (1 - WGS84.es * sine**2) + np.arctanh(e * sine) / e)


_Q_POLE = float(_authalic_q(1.0))
