"""Where outlines lie on Earth: from the coordinates of a file to longitude and latitude on WGS84.

Owns everything between a CRS as stated and a place that makes sense: coordinates that the CRS
cannot hold, axes the wrong way round, the antimeridian, shifted maps. The idea: a place is believed
where the CRS's area of use and the county (its boundary, else most of its outlines) hold it;
exchanged axes are put right only where boundary or area of use settle it, and refused where only
the neighbours speak. Reads no file and changes no ring otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.parcels.antimeridian import in_one_piece, spans
from fieldline.pipeline.parcels.crs import WGS84
from fieldline.pipeline.parcels.ledger import Ledger
from fieldline.pipeline.parcels.map_shifts import from_shifted
from fieldline.pipeline.parcels.parcel_files import ParcelFile
from fieldline.pipeline.parcels.rings import Floats, Geometries
from fieldline.pipeline.parcels.settings import IntakeSettings

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_LON, _LAT = 180.0, 90.0
#: With fewer parcels there is no telling where a county without a boundary lies.
_CROWD = 10
#: A projection is used somewhat outside its zone: so far nobody suspects exchanged axes, degrees.
_BESIDE_ZONE = 3.0
#: Nobody uses one this far from its zone, degrees.
_FAR_FROM_ZONE = 12.0
#: Outlines projected at a time: a copy of all beside the originals would double the memory.
_CHUNK = 50_000


@dataclass(frozen=True)
class Region:
    """A box in degrees that may lie across 180 degrees."""

    box: Floats
    """West, south, east, north; longitudes from 0 to 360 where `turned`."""
    turned: bool = False

    def holds(self, points: Floats) -> Mask:
        """Whether positions (n, 2) lie in it; an unknown position does not."""
        with np.errstate(invalid="ignore"):
            lon = points[:, 0] % 360 if self.turned else points[:, 0]
        west, south, east, north = self.box
        inside = (lon >= west) & (lon <= east) & (points[:, 1] >= south) & (points[:, 1] <= north)
        return np.asarray(inside)


@dataclass(frozen=True)
class _Group:
    """Rows of one CRS with the middle of each outline, read both ways."""

    crs: CRS
    rows: Rows
    drawn: Floats
    """Longitude and latitude of the middle as the axes are written."""
    swapped: Floats
    """The same with the axes exchanged."""


def to_lonlat(
    file: ParcelFile, ledger: Ledger, boundary: BaseGeometry | None, settings: IntakeSettings
) -> Geometries:
    """Return every living row in lon/lat, refusing or repairing those that cannot lie there."""
    geometries = file.geometries.copy()
    groups = []
    for crs, rows in _by_crs(file, ledger):
        if crs.is_geographic:
            geometries[rows] = in_one_piece(geometries[rows])
        _refuse_misfits(geometries, rows, crs, ledger)
        groups.append(_both_ways(geometries, rows[ledger.alive[rows]], crs))
    county = region_of(boundary, settings)
    majority = _majority(groups, settings) if county is None else None
    for group in groups:
        _judge_axes(geometries, group, ledger, county=county, majority=majority)
        _project(geometries, group.rows[ledger.alive[group.rows]], group.crs, file.map_shift)
    rows = ledger.rows
    lost = ~np.isfinite(shapely.bounds(geometries[rows])).all(axis=1)
    ledger.refuse_all(rows[lost], "wrong_crs")
    geometries[ledger.rows] = in_one_piece(geometries[ledger.rows])
    return geometries


def _by_crs(file: ParcelFile, ledger: Ledger) -> list[tuple[CRS, Rows]]:
    """Group living rows by their own CRS, else the file's; refuse rows that have neither."""
    rows = ledger.rows
    index = file.shapes.crs_index[rows]
    if file.crs is None:
        ledger.refuse_all(rows[index < 0], "missing_crs")
    groups = [] if file.crs is None else [(file.crs, rows[index < 0])]
    groups += [(crs, rows[index == i]) for i, crs in enumerate(file.shapes.crs)]
    return [(crs, members) for crs, members in groups if len(members)]


def _refuse_misfits(geometries: Geometries, rows: Rows, crs: CRS, ledger: Ledger) -> None:
    """Refuse metres in a CRS of degrees and degrees in a CRS of metres."""
    west, south, east, north = shapely.bounds(geometries[rows]).T
    x, y = np.maximum(-west, east), np.maximum(-south, north)
    if not crs.is_geographic:
        ledger.refuse_all(rows[(x <= _LON) & (y <= _LAT)], "wrong_crs")
        return
    # Up to 180 in y may be a longitude that came second: the axes are judged later.
    beyond = (np.abs(west + east) / 2 > _LON) | (y > _LON) | ((x > _LAT) & (y > _LAT))
    for index in np.flatnonzero(beyond):
        ledger.refuse(int(rows[index]), "wrong_crs", x=float(x[index]), y=float(y[index]))


def _both_ways(geometries: Geometries, rows: Rows, crs: CRS) -> _Group:
    middles = _centres(geometries[rows])
    project = projector(crs)
    return _Group(crs, rows, project(middles), project(middles[:, ::-1]))


def _centres(geometries: Geometries) -> Floats:
    bounds = shapely.bounds(geometries)
    return np.asarray((bounds[:, :2] + bounds[:, 2:]) / 2)


def projector(crs: CRS) -> Callable[[Floats], Floats]:
    """Return the way from a CRS, x first, to lon/lat; a latitude over 90 becomes infinite."""
    if crs.equals(WGS84):
        return lambda xy: np.where(np.abs(xy[:, 1:]) <= _LAT, xy, np.inf)
    transformer = Transformer.from_crs(crs, WGS84, always_xy=True)
    return lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))


def region_of(boundary: BaseGeometry | None, settings: IntakeSettings) -> Region | None:
    """Return where a county with a boundary may have parcels."""
    if boundary is None:
        return None
    parts = shapely.bounds(shapely.get_parts(boundary))
    return _around(parts[:, [0, 2]].ravel(), parts[:, [1, 3]].ravel(), settings)


def _around(lon: Floats, lat: Floats, settings: IntakeSettings) -> Region:
    turned = spans(lon)
    lon = lon % 360 if turned else lon
    pad = np.array([-1, -1, 1, 1]) * settings.region_pad_deg
    return Region(np.array([lon.min(), lat.min(), lon.max(), lat.max()]) + pad, turned)


def _majority(groups: list[_Group], settings: IntakeSettings) -> Region | None:
    """Return the surroundings of the middle outline, where there are enough to ask."""
    drawn = [g.drawn[_zone(g.crs, _BESIDE_ZONE).holds(g.drawn)] for g in groups]
    lonlat = np.concatenate(drawn) if drawn else np.empty((0, 2))
    if len(lonlat) < _CROWD:
        return None
    lon, lat = lonlat.T
    lon = lon % 360 if spans(lon) else lon
    return _around(np.array([np.median(lon)]), np.array([np.median(lat)]), settings)


def _judge_axes(
    geometries: Geometries,
    group: _Group,
    ledger: Ledger,
    *,
    county: Region | None,
    majority: Region | None,
) -> None:
    """Exchange axes where boundary or area of use settle it; refuse what lies where nothing can."""
    settled, doubted = _exchanged(group, county, majority)
    for i in np.flatnonzero(settled):
        row = int(group.rows[i])
        geometries[row] = shapely.transform(geometries[row], lambda xy: xy[:, ::-1])
        ledger.note(row, "axes_swapped")
    lost = ~_zone(group.crs, _FAR_FROM_ZONE).holds(group.drawn) & ~settled
    if county is not None:
        lost &= ~county.holds(group.drawn)
    for i in np.flatnonzero(doubted | lost):
        x, y = _centres(geometries[group.rows[i : i + 1]])[0]
        code = "latlon_swapped" if doubted[i] else "wrong_crs"
        ledger.refuse(int(group.rows[i]), code, x=float(x), y=float(y))


def _exchanged(group: _Group, county: Region | None, majority: Region | None) -> tuple[Mask, Mask]:
    """Return whose axes are surely exchanged, and whose only seem to be."""
    plausible = _zone(group.crs, _BESIDE_ZONE).holds(group.drawn)
    fits = _zone(group.crs, 0.0).holds(group.swapped)
    if county is not None:
        astray = ~county.holds(group.drawn) & fits
        home = county.holds(group.swapped)
        return astray & home, astray & ~home & ~np.isfinite(group.drawn).all(axis=1)
    if majority is None:
        return ~plausible & fits, np.zeros(len(fits), dtype=bool)
    astray = ~majority.holds(group.drawn) & fits & majority.holds(group.swapped)
    return astray & ~plausible, astray & plausible


def _zone(crs: CRS, pad: float) -> Region:
    """Return the area of use of a CRS; the whole Earth where it names none."""
    area = crs.area_of_use
    west, south, east, north = area.bounds if area else (-_LON, -_LAT, _LON, _LAT)
    turned = west > east
    box = np.array([west, south, east + 360 * turned, north]) + np.array([-1, -1, 1, 1]) * pad
    if box[2] - box[0] >= 360:
        box[[0, 2]], turned = (-np.inf, np.inf), False
    return Region(box, turned)


def _project(geometries: Geometries, rows: Rows, crs: CRS, map_shift: str) -> None:
    project, shift = projector(crs), map_shift if crs.is_geographic else ""
    if crs.equals(WGS84) and not shift:
        return
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        lonlat = shapely.transform(geometries[chunk], project)
        if shift:
            lonlat = shapely.transform(lonlat, lambda xy: from_shifted(xy, shift))
        geometries[chunk] = lonlat
