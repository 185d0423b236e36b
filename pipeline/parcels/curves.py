"""Polygons with straight edges out of any geometry: arcs stepped, surfaces joined, parts gathered.

Owns what a curve or a surface encloses in the plane; reads no file and closes no ring. An arc is
drawn through three points (SQL/MM); it becomes chords of one degree each, which changes the area of
a full circle by 1 - sin(1 deg) / (1 deg in radians) = 0.005 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import shapely
from shapely.geometry import Polygon

from fieldline.pipeline.parcels.simple_features import Node

Point = tuple[float, float]
Ring = list[Point]

_STEP = math.radians(1.0)
_SURFACES = ("TIN", "POLYHEDRALSURFACE")


def polygons_of(node: Node) -> list[list[Ring]]:
    """Return the polygons of a geometry, each as its rings, shell first (none if it is empty).

    Lines and points give no polygon.

    Raises:
        ValueError: An arc without its three points.
    """
    if node.kind in ("POLYGON", "TRIANGLE", "CURVEPOLYGON"):
        return [[_line(ring) for ring in node.parts]]
    found = [polygon for part in node.parts for polygon in polygons_of(part)]
    return _joined(found) if node.kind in _SURFACES else found


def _line(node: Node) -> Ring:
    if node.kind == "CIRCULARSTRING":
        return _arcs(node.points)
    if node.kind != "COMPOUNDCURVE":
        return list(node.points)
    ring: Ring = []
    for part in node.parts:
        line = _line(part)
        ring += line[1:] if ring and line[:1] == ring[-1:] else line
    return ring


def _arcs(points: Sequence[Point]) -> Ring:
    if not points:
        return []
    if len(points) < 3 or len(points) % 2 == 0:
        raise ValueError("an arc needs three points, a chain of arcs an odd number")
    ring = [points[0]]
    for i in range(0, len(points) - 2, 2):
        ring += _arc(points[i], points[i + 1], points[i + 2])
    return ring


def _arc(start: Point, middle: Point, end: Point) -> Ring:
    """Return the chords' ends after `start`, the last of them exactly `end`."""
    centre = _centre(start, middle, end)
    if centre is None:
        return [middle, end]
    at = [math.atan2(y - centre[1], x - centre[0]) for x, y in (start, middle, end)]
    radius = math.dist(centre, start)
    turn = _turn(at[0], at[1], at[2]) if start != end else math.tau
    steps = max(2, math.ceil(abs(turn) / _STEP - 1e-9))
    angles = [at[0] + turn * i / steps for i in range(1, steps)]
    chords = [(centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a)) for a in angles]
    return [*chords, end]


def _turn(start: float, middle: float, end: float) -> float:
    """Return the signed angle from start to end that passes the middle."""
    to_end, to_middle = (end - start) % math.tau, (middle - start) % math.tau
    return to_end if to_middle <= to_end else to_end - math.tau


def _centre(start: Point, middle: Point, end: Point) -> Point | None:
    """Return the centre of the circle through three points; None where they lie on a line."""
    if start == end:
        return (start[0] + middle[0]) / 2, (start[1] + middle[1]) / 2
    # Relative to the first point, since metres of a national grid have seven digits.
    (bx, by), (cx, cy) = ((p[0] - start[0], p[1] - start[1]) for p in (middle, end))
    twice = 2 * (bx * cy - by * cx)
    if abs(twice) <= 1e-12 * (bx * bx + by * by + cx * cx + cy * cy):
        return None
    b, c = bx * bx + by * by, cx * cx + cy * cy
    return start[0] + (cy * b - by * c) / twice, start[1] + (bx * c - cx * b) / twice


def _joined(faces: list[list[Ring]]) -> list[list[Ring]]:
    """Return the ground that the faces of a surface cover, as polygons without shared edges."""
    built = [Polygon(face[0], face[1:]) for face in faces if face and len(set(face[0])) > 2]
    ground = shapely.union_all([face for face in built if face.is_valid and face.area > 0])
    polygons = [part for part in shapely.get_parts(ground) if part.geom_type == "Polygon"]
    return [[list(ring.coords) for ring in (p.exterior, *p.interiors)] for p in polygons]
