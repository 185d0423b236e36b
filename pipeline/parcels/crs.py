"""Which coordinate reference system outlines are in, and which are none at all.

Owns the judgement that a CRS places something on Earth, and the names of the two shifted systems of
Chinese map services, which no registry of CRS holds. Transforms nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from pyproj import CRS
from pyproj.exceptions import CRSError

from fieldline.pipeline.parcels.map_shifts import MAP_SHIFTS
from fieldline.pipeline.records.errors import UserError

WGS84 = CRS.from_epsg(4326)
#: GeoPackage's srs_id 0 and 99999 as GDAL spells them: degrees or metres of nobody knows where.
_UNDEFINED = "undefined"


@dataclass(frozen=True)
class Stated:
    """What the configuration says about outlines whose file says nothing usable."""

    crs: CRS | None = None
    """CRS of files that carry none; None refuses them."""
    map_shift: str = ""
    """`GCJ-02` or `BD-09` where outlines in degrees were drawn on such a map."""


def horizontal(crs: CRS) -> CRS | None:
    """Return the part of a CRS that places outlines on Earth; None where there is none.

    A compound CRS is its horizontal part, since heights are dropped. A vertical, geocentric or
    engineering CRS and the undefined ones of GeoPackage have no place for an outline.
    """
    if crs.is_compound:
        return next((h for part in crs.sub_crs_list if (h := horizontal(part))), None)
    if crs.name.casefold().startswith(_UNDEFINED):
        return None
    return crs if crs.is_geographic or crs.is_projected else None


def stated_crs(configured: str | None) -> Stated:
    """Read `inputs.parcel_crs`.

    Raises:
        UserError: It is no CRS, or one that places nothing on Earth.
    """
    if configured is None:
        return Stated()
    shift = configured.strip().upper().replace("_", "-").replace(" ", "-")
    if shift.replace("-", "") in ("GCJ02", "BD09"):
        return Stated(WGS84, next(s for s in MAP_SHIFTS if s[:2] == shift[:2]))
    remedy = "write it as EPSG:4326 or EPSG:32650, or GCJ-02 or BD-09 for a Chinese phone map"
    try:
        crs = horizontal(CRS.from_user_input(configured))
    except CRSError as error:
        raise UserError(f"parcel_crs {configured!r} is not a CRS", remedy) from error
    if crs is None:
        raise UserError(f"parcel_crs {configured!r} places nothing on Earth", remedy)
    return Stated(crs)


@cache
def crs_of_srid(srid: int) -> CRS | None:
    """Return the CRS of an EPSG number; None where there is none that places outlines."""
    try:
        return horizontal(CRS.from_epsg(srid))
    except CRSError:
        return None


def crs_name(crs: CRS | None) -> str:
    """Return a CRS as people know it."""
    if crs is None:
        return "no CRS"
    code = crs.to_epsg()
    return f"{crs.name} (EPSG:{code})" if code else str(crs.name)
