"""The outlines as a file holds them: how many, where on Earth, how large.

Owns the reading of the parcel file for `fieldline init`, through the reader that intake uses, and
the guess of a CRS where the file carries none; judges no single parcel, that is intake's work.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from pyproj import CRS
from pyproj.exceptions import ProjError

from fieldline.pipeline.parcels.readers import (
    RawParcels,
    csv_columns,
    outline_column,
    read_raw_parcels,
)
from fieldline.pipeline.parcels.rings import Floats, Geometries, geodesic_measures
from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.init.archive import Box
from fieldline.workflows.init.guess import Guess, counted

_WKT = re.compile(r"\s*(SRID=\d+;)?\s*(MULTI)?POLYGON", re.IGNORECASE)
_WGS84 = CRS.from_epsg(4326)
_LON, _LAT = 180.0, 90.0
_MOST = 0.5


@dataclass(frozen=True)
class Outlines:
    """A parcel file, looked at."""

    raw: RawParcels
    outline: str | None
    """Column of a CSV that holds the outlines, None for other formats."""
    areas_m2: Floats
    """Drawn area of each row, NaN where there is none."""
    box: Box | None
    """West, south, east, north in degrees; None where the place is not known."""
    guesses: list[Guess]
    """About the file, its CRS and its outline column."""


def read_outlines(source: Path) -> Outlines:
    """Read a parcel file and say what is in it.

    Raises:
        UserError: File absent, of unknown kind, unreadable or without a polygon.
    """
    if not source.is_file():
        raise UserError(f"{source} does not exist", "give the file of outlines after --parcels")
    outline = _outline_column(source)
    raw = read_raw_parcels(source, outline)
    drawn = _drawn(raw)
    count = int((drawn != None).sum())  # noqa: E711  (element by element)
    if count == 0:
        kinds = Counter(str(shape.numbers.get("type", shape.code)) for shape in raw.shapes)
        raise UserError(
            f"none of the {len(raw.shapes)} rows of {source} is a polygon "
            f"({', '.join(sorted(kinds))})",
            "export the outlines as polygons",
        )
    try:
        crs, guesses = _crs(raw, drawn)
        areas, box = _measure(drawn, crs)
    except ProjError as error:
        raise UserError(
            f"{source} names a CRS that has no place on Earth", "save it again with its true CRS"
        ) from error
    rest = len(raw.shapes) - count
    odd = f", {counted(rest, 'row')} without one: refused" if rest else ""
    said = f"{counted(count, 'outline')}{odd}"
    if outline is not None and outline_column([outline]) is None:
        said += f", in column `{outline}`"
        place = "inputs.parcel_columns.geometry"
        guesses.append(Guess(place, outline, f"column `{outline}`, by its values: outlines as WKT"))
    return Outlines(raw, outline, areas, box, [Guess("inputs.parcels", None, said), *guesses])


def _outline_column(source: Path) -> str | None:
    """Return the CSV column whose cells are WKT; None for other formats or where there is none."""
    columns = csv_columns(source)
    if columns is None:
        return None
    named = [name for name in columns if outline_column([name]) is not None]
    wkt = [n for n, cells in columns.items() if any(_WKT.match(cell or "") for cell in cells)]
    return next(iter([*(n for n in named if n in wkt), *wkt, *named]), None)


def _drawn(raw: RawParcels) -> Geometries:
    out = np.empty(len(raw.shapes), dtype=object)
    out[:] = [shape.geometry for shape in raw.shapes]
    return out


def _crs(raw: RawParcels, drawn: Geometries) -> tuple[CRS | None, list[Guess]]:
    """Return the CRS to measure with and what is said about it."""
    degrees = _in_degrees(drawn)
    own = next((shape.crs for shape in raw.shapes if shape.crs is not None), None)
    stated = raw.crs if raw.crs is not None else own
    place = "inputs.parcel_crs"
    if stated is not None:
        said = f"the file states its CRS, {_crs_name(stated)}"
        if stated.is_geographic and not degrees:
            said += "; its coordinates are no degrees, so `parcels check` will refuse most outlines"
            return None, [Guess(place, None, said)]
        return stated, [Guess(place, None, said)]
    if degrees:
        said = (
            "the file states no CRS; its coordinates look like longitude and latitude, taken as "
            "WGS84: ask who drew it, since maps in GCJ-02 look alike and lie hundreds of metres off"
        )
        return _WGS84, [Guess(place, "EPSG:4326", said)]
    said = (
        "the file states no CRS and its coordinates are metres: the run stops at intake until you "
        "ask who drew it and write the EPSG code here"
    )
    return None, [Guess(place, None, said, blocking=True, example="EPSG:32650")]


def _crs_name(crs: CRS) -> str:
    code = crs.to_epsg()
    return f"{crs.name} (EPSG:{code})" if code else str(crs.name)


def _in_degrees(drawn: Geometries) -> bool:
    bounds = shapely.bounds(drawn)
    bounds = np.abs(bounds[np.isfinite(bounds).all(axis=1)])
    within = (bounds[:, [0, 2]] <= _LON).all(axis=1) & (bounds[:, [1, 3]] <= _LAT).all(axis=1)
    return bool(np.size(within)) and float(np.mean(within)) > _MOST


def _measure(drawn: Geometries, crs: CRS | None) -> tuple[Floats, Box | None]:
    """Return the drawn areas and the box of the outlines in degrees.

    Without a CRS the coordinates are metres: the areas are then plane and the place unknown.
    """
    areas = np.full(len(drawn), np.nan)
    if crs is None:
        plane = shapely.area(drawn)
        areas[:] = np.where(plane > 0, plane, np.nan)
        return areas, None
    lonlat = gpd.GeoSeries(drawn, crs=crs).to_crs(_WGS84).to_numpy()
    rows = np.flatnonzero(np.isfinite(shapely.bounds(lonlat)).all(axis=1))
    if len(rows) == 0:
        return areas, None
    areas[rows] = geodesic_measures(lonlat[rows])[0]
    return areas, _middle(shapely.bounds(lonlat[rows]))


def _middle(bounds: Floats) -> Box:
    """Return the box of the outlines that lie near the median one: one stray is no county."""
    centres = (bounds[:, :2] + bounds[:, 2:]) / 2
    near = (np.abs(centres - np.median(centres, axis=0)) <= 2).all(axis=1)
    kept = bounds[near] if near.any() else bounds
    west, south = kept[:, :2].min(axis=0)
    east, north = kept[:, 2:].max(axis=0)
    return float(west), float(south), float(east), float(north)
