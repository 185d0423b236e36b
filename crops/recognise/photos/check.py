"""Which photographs stand for a parcel and season: one coded outcome with its numbers each.

Owns the rules of place, time and reuse; what a photograph is and what its camera says is read
elsewhere, and nothing here looks at what it shows. That somebody of the lender believes one is a
paper's business (`lending.documents`), not this check's.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import shapely
from pyproj import Geod

from fieldline.crops.recognise.photos.exif import Clock, Place
from fieldline.crops.recognise.photos.picture import FieldPhoto, photo_path, read_photo
from fieldline.crops.series import Floats
from fieldline.crops.settings import PhotoSettings
from fieldline.pipeline.inputs.read import InputTable
from fieldline.pipeline.parcels.map_shifts import MAP_SHIFTS, from_shifted
from fieldline.pipeline.records.outcomes import OK, detail
from fieldline.pipeline.records.settings import Season

_WGS84 = Geod(ellps="WGS84")
_A_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Finding:
    """What became of one row."""

    row: int
    """Row of the table, the first below the header being 1."""
    parcel_id: str
    code: str
    """`ok` or a code of `data/outcome_codes.csv`."""
    detail: str
    """Numbers behind the code."""
    digest: str = ""
    """Hash of the pixels, where they were read."""


@dataclass(frozen=True)
class PhotoCheck:
    """What decides about the photographs of a county and season."""

    season: Season
    settings: PhotoSettings
    parcels: Path | None = None
    """`parcels.parquet`; None before there are outlines: then no place is compared."""


def check_photos(table: InputTable, check: PhotoCheck) -> list[Finding]:
    """Return what becomes of every row that can be read, in the order of the table.

    Args:
        table: The table of photographs, beside its files.
        check: Season, tolerance and outlines.
    """
    rows = table.good
    wanted = sorted(rows["parcel_id"].dropna().unique())
    outlines = outlines_of(check.parcels, wanted) if check.parcels and wanted else {}
    found = [
        _finding(row + 1, cells, table.path, check, outlines)
        for row, cells in zip(rows.index.tolist(), rows.to_dict("records"), strict=True)
    ]
    return _used_once(found)


def outlines_of(parcels: Path, ids: Sequence[str]) -> dict[str, shapely.Geometry]:
    """Read the outlines of some parcels, degrees, from `parcels.parquet`."""
    read = pq.read_table(
        parcels, columns=["parcel_id", "geometry"], filters=[("parcel_id", "in", list(ids))]
    ).to_pydict()
    return dict(zip(read["parcel_id"], shapely.from_wkb(read["geometry"]), strict=True))


def distance_m(outline: shapely.Geometry, place: Place) -> float:
    """Return how far a place lies outside an outline, metres; 0 within it.

    The outline is drawn in the azimuthal equidistant projection around the place, in which every
    distance from it is that on the ellipsoid.
    """

    def around(lonlat: Floats) -> Floats:
        size = len(lonlat)
        azimuth, _, distance = _WGS84.inv(
            np.full(size, place.lon), np.full(size, place.lat), lonlat[:, 0], lonlat[:, 1]
        )
        angle = np.radians(azimuth)
        return np.stack([distance * np.sin(angle), distance * np.cos(angle)], axis=1)

    return float(shapely.distance(shapely.transform(outline, around), shapely.Point(0.0, 0.0)))


def _finding(
    row: int, cells: Mapping[Hashable, Any], table: Path, check: PhotoCheck,
    outlines: Mapping[str, shapely.Geometry],
) -> Finding:  # fmt: skip
    parcel = str(cells["parcel_id"])
    path = photo_path(table, str(cells["file"]))
    if path is None:
        return Finding(row, parcel, "photo_not_found", "")
    photo = read_photo(path, check.settings)
    if not isinstance(photo, FieldPhoto):
        return Finding(row, parcel, photo.code, photo.detail)
    day: dt.date | None = None if pd.isna(cells["taken_on"]) else cells["taken_on"].date()
    place: Place | None = None if pd.isna(cells["lon"]) else Place(cells["lon"], cells["lat"])
    code, numbers = _judged(photo, place, day, check, outlines.get(parcel))
    return Finding(row, parcel, code, numbers, photo.digest)


def _judged(
    photo: FieldPhoto, table_place: Place | None, table_day: dt.date | None, check: PhotoCheck,
    outline: shapely.Geometry | None,
) -> tuple[str, str]:  # fmt: skip
    within, error = check.settings.within_m, 0.0 if photo.place is None else photo.place.error_m
    camera_place = None if (error or 0.0) > within else photo.place
    place = camera_place or table_place
    if place is None:
        return "photo_no_place", detail(error_m=error, within_m=within) if photo.place else ""
    day, told_by = photo.clock.day_at(place.lon) or (table_day, "table")
    if day is None:
        return "photo_no_time", ""
    against = _contradiction(photo.clock, day, table_day) or _apart(
        camera_place, table_place, within
    )
    if against:
        return "photo_contradicted", against
    numbers = {
        "place_by": "camera" if camera_place else "table", "day": day.isoformat(), "day_by": told_by
    }  # fmt: skip
    if check.parcels is not None and outline is None:
        return "photo_no_outline", detail(**numbers)
    if outline is not None:
        distance = distance_m(outline, place)
        numbers = {"distance_m": f"{distance:.0f}", "within_m": f"{within:g}", **numbers}
        if distance > within:
            return "photo_elsewhere", detail(**numbers, **_shifted_map(outline, place, within))
    return _in_time(day, check.season), detail(**numbers)


def _in_time(day: dt.date, season: Season) -> str:
    if day > season.as_of:
        return "photo_in_future"
    return OK if season.start <= day <= season.end else "photo_other_season"


def _shifted_map(outline: shapely.Geometry, place: Place, within: float) -> dict[str, str]:
    """Return the shifted map on which a place that is too far off would fit, if there is one."""
    for name in MAP_SHIFTS:
        lon, lat = from_shifted(np.array([[place.lon, place.lat]]), name)[0].tolist()
        if distance_m(outline, Place(lon, lat)) <= within:
            return {"fits_as": name}
    return {}


def _contradiction(clock: Clock, day: dt.date, table_day: dt.date | None) -> str:
    """Return the numbers of two words about one time that cannot both be true, or nothing."""
    if clock.apart() > _A_DAY:  # a fix of the position may be hours old
        return detail(clocks_apart_hours=clock.apart() / dt.timedelta(hours=1))
    if table_day is not None and abs(table_day - day) > _A_DAY:
        return detail(day=day, taken_on=table_day)
    return ""


def _apart(camera: Place | None, table: Place | None, within: float) -> str:
    """Return how far two places of one photograph are apart where that is too far, or nothing."""
    if camera is None or table is None:
        return ""
    apart = distance_m(shapely.Point(table.lon, table.lat), camera)
    return detail(places_apart_m=apart, within_m=within) if apart > within else ""


def _used_once(found: Sequence[Finding]) -> list[Finding]:
    """Mark photographs that would stand and are handed in again: elsewhere, or for one parcel."""
    of: dict[str, dict[str, int]] = defaultdict(dict)
    for one in found:
        if one.digest and (one.code == OK or one.parcel_id not in of[one.digest]):
            of[one.digest][one.parcel_id] = one.row
    return [_marked(one, of[one.digest]) if one.code == OK else one for one in found]


def _marked(one: Finding, last_row: Mapping[str, int]) -> Finding:
    if len(last_row) > 1:
        numbers = f"{detail(parcels=len(last_row))} {one.detail}"
        return replace(one, code="photo_of_two_parcels", detail=numbers)
    if last_row[one.parcel_id] != one.row:
        return replace(one, code="input_repeated", detail=detail(row=last_row[one.parcel_id]))
    return one
