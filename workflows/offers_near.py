"""What `fieldline offers near` does: whose live offers have land at a point, a road or an area.

Owns reading the place and telling the answer; what lies there is `lending.store.land`'s to say.
There are no names in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from shapely.errors import GEOSException
from shapely.geometry.base import BaseGeometry

from fieldline.lending.store.land import OnLand, offers_on
from fieldline.lending.store.offers import csv_text
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import written
from fieldline.pipeline.records.tables import write_text
from fieldline.workflows.store_checks import opened_store

COLUMNS = (
    "county", "season", "product", "farmer_id", "parcel_id", "distance_m", "overlap_m2",
    "parcel_m2", "offer_id", "access", "limit", "currency",
)  # fmt: skip
_WGS84 = "EPSG:4326"


def place_of(text: str) -> BaseGeometry:
    """Return a place in longitude and latitude: `LON,LAT`, or all that a file of outlines holds.

    Raises:
        UserError: It is neither.
    """
    if _is_path(text):
        return _of_file(Path(text))
    parts = text.split(",")
    try:
        longitude, latitude = map(float, parts)
    except ValueError as error:
        raise UserError(
            f"{text!r} is neither a file nor LON,LAT", "write 117.51,32.88 or name a file"
        ) from error
    if not (abs(longitude) <= 180 and abs(latitude) <= 90):
        raise UserError(f"{text} is no longitude and latitude", "write the longitude first")
    return shapely.Point(longitude, latitude)


def _is_path(text: str) -> bool:
    try:
        return bool(text) and Path(text).exists()
    except OSError:  # too long a name, a folder that is closed to us
        return False


def _of_file(path: Path) -> BaseGeometry:
    try:
        drawn = gpd.read_file(path)
    except (DataSourceError, DataLayerError, GEOSException, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as a file of points, lines or areas", "give GeoJSON or GPKG"
        ) from error
    if not isinstance(drawn, gpd.GeoDataFrame) or drawn.crs is None:
        raise UserError(
            f"{path} holds no geometry with a coordinate system", "export it with its CRS"
        )
    shapes = drawn.to_crs(_WGS84).geometry
    if (shapes.isna() | shapes.is_empty).all():
        raise UserError(f"{path} holds no point, line or area", "export it with its geometries")
    west, south, east, north = shapes.total_bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise UserError(
            f"{path} reaches from {west:g}, {south:g} to {east:g}, {north:g}: its coordinates are "
            "no degrees",
            "export it with its CRS",
        )
    place: BaseGeometry = shapes.make_valid().union_all()
    return place


def tell_near(
    config_files: Sequence[Path], place: str, within_m: float, out: Path | None, *, as_json: bool
) -> None:
    """Print, or write to a file, the live offers whose land lies at a place.

    Args:
        config_files: Configuration files.
        place: `LON,LAT` or a file.
        within_m: How far from it a parcel may lie, m.
        out: CSV to write instead.
        as_json: Whether to print JSON.

    Raises:
        UserError: No such place, a negative distance, or there is no store.
    """
    if not 0 <= within_m <= 100_000:
        raise UserError(f"--within is {within_m:g} m", "give 0 to 100000")
    where = place_of(place)
    with opened_store(config_files) as (engine, _):
        rows = [_told(one) for one in offers_on(engine, where, within_m)]
    if out is not None:
        write_text(out, csv_text(rows, COLUMNS))
    elif as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        print(csv_text(rows, COLUMNS), end="")
    farmers = {(row["county"], row["farmer_id"]) for row in rows}
    if not as_json:
        print(f"{len(rows):,} parcels of {len(farmers):,} farmers with a live offer")


def _told(one: OnLand) -> dict[str, Any]:
    offer = one.offer
    limit = offer["limit_minor"]
    return {
        **{name: offer[name] for name in COLUMNS if name in offer},
        "parcel_id": one.parcel_id,
        "distance_m": f"{one.distance_m:.1f}",
        "overlap_m2": f"{one.overlap_m2:.1f}",
        "parcel_m2": f"{one.parcel_m2:.1f}",
        "limit": None if limit is None else written(limit, offer["currency"]),
    }
