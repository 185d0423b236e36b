"""Outlines at 180 degrees, kept in one piece.

Owns the longitude in which an outline is written: a ring over the antimeridian may come cut in two
(RFC 7946, 3.1.9), as 179.9 .. -179.9 or as 179.9 .. 180.1, and leaves here as one ring without a
jump, its middle within -180 .. 180. So area, centroid and overlap are right in plain coordinates.
Knows no CRS and no outcome.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.parcels.rings import Floats, Geometries

_HALF, _WHOLE = 180.0, 360.0
_ONE_TURN = np.array([_WHOLE, 0.0])
#: No outline of a field is wider, even before anybody judged it, degrees.
_WIDEST = 90.0


def in_one_piece(geometries: Geometries) -> Geometries:
    """Return lon/lat outlines without a jump at 180 degrees, their middles within -180 .. 180.

    Only rows that touch the antimeridian change; None and rings of another kind stay.
    """
    bounds = shapely.bounds(geometries)
    with np.errstate(invalid="ignore"):
        wide = bounds[:, 2] - bounds[:, 0] > _HALF
        beyond = (np.abs(bounds[:, [0, 2]]) > _HALF).any(axis=1)
        beyond &= (np.abs(bounds[:, [0, 2]]) <= _WHOLE).all(axis=1)
        beyond &= bounds[:, 2] - bounds[:, 0] <= _WIDEST
    out = geometries.copy()
    for row in np.flatnonzero(wide | beyond).tolist():
        out[row] = _one_piece(geometries[row])
    return out


def _one_piece(geometry: BaseGeometry) -> BaseGeometry:
    west, _, east, _ = geometry.bounds
    if east - west > _HALF:
        unrolled = eastward(geometry)
        if unrolled.bounds[2] - unrolled.bounds[0] > _WIDEST:
            return geometry
        parts = shapely.get_parts(unrolled)
        # A cut ring is one field again; a ring that crosses itself is for `untangle` to judge.
        joins = len(parts) > 1 and shapely.is_valid(parts).all()
        geometry = shapely.union_all(parts) if joins else unrolled
    west, _, east, _ = geometry.bounds
    turns = np.round((west + east) / 2 / _WHOLE)
    return shapely.transform(geometry, lambda xy: xy - turns * _ONE_TURN)


def eastward(geometry: BaseGeometry) -> BaseGeometry:
    """Return a geometry with its western longitudes counted on from 180 to 360."""

    def count_on(xy: Floats) -> Floats:
        return np.column_stack([np.where(xy[:, 0] < 0, xy[:, 0] + _WHOLE, xy[:, 0]), xy[:, 1]])

    return shapely.transform(geometry, count_on)


def spans(lon: npt.NDArray[np.float64]) -> bool:
    """Whether longitudes lie on both sides of 180 degrees rather than of 0."""
    known = lon[np.isfinite(lon)]
    if len(known) == 0:
        return False
    if float(np.abs(known).max()) > _HALF:
        return True
    if float(np.ptp(known)) <= _HALF:
        return False
    turned = known % _WHOLE
    return float(np.median(np.abs(turned - _HALF))) < float(np.median(np.abs(known)))


def on_one_side(geometries: Geometries) -> Geometries:
    """Return outlines that can be compared across 180 degrees: unchanged unless they span it."""
    bounds = shapely.bounds(geometries)
    return _from_zero(geometries) if spans(bounds[:, [0, 2]].ravel()) else geometries


def beside_boundary(
    geometries: Geometries, boundary: BaseGeometry
) -> tuple[Geometries, BaseGeometry]:
    """Return outlines and a boundary in longitudes that can be compared across 180 degrees."""
    parts = shapely.get_parts(boundary)
    if not spans(shapely.bounds(parts)[:, [0, 2]].ravel()):
        return geometries, boundary
    return _from_zero(geometries), shapely.union_all(_from_zero(parts))


def _from_zero(geometries: Geometries) -> Geometries:
    """Move outlines of the western hemisphere to longitudes from 180 to 360."""
    middles = shapely.bounds(geometries)[:, [0, 2]].mean(axis=1)
    moved = geometries.copy()
    west = np.flatnonzero(middles < 0)
    moved[west] = shapely.transform(geometries[west], lambda xy: xy + _ONE_TURN)
    return moved
