"""Land: where the fields behind offers lie, so that a place can be asked whose lines stand there.

Owns table `land`: the drawn outline of each parcel as last posted, beside the offers and no part of
their terms. A database finds what may lie at a place, by PostGIS and its spatial index where the
server has that extension and by the outlines' corners elsewhere; distance and overlap are reckoned
here, so that every database answers the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
import sqlalchemy as sa
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from fieldline.lending.store.database import LAND, LIVE, OFFERS, posting, reading
from fieldline.lending.store.rows import add_rows
from fieldline.pipeline.records.faults import message_of

_LOG = logging.getLogger(__name__)
_WGS84 = "EPSG:4326"
_STEP_DEGREES, _STEP_M = 0.01, 1000.0
_SHAPE_COLUMN = (
    "ALTER TABLE land ADD COLUMN shape {postgis}.geometry(Geometry, 4326) GENERATED ALWAYS AS "
    "({postgis}.ST_SetSRID({postgis}.ST_GeomFromWKB(decode(outline, 'hex')), 4326)) STORED",
    "CREATE INDEX land_shape ON land USING gist (shape)",
)
"""Of functions in C alone: one in SQL asks for the right to use the schema at each row written."""
_AT = "{postgis}.ST_Intersects(shape, {postgis}.ST_GeomFromWKB(decode(:reach, 'hex'), 4326))"
_COULD_HAVE_SHAPES = """
    SELECT quote_ident(nspname) AS postgis, pg_has_role(relowner, 'USAGE') AS ours
    FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace, pg_class
    WHERE extname = 'postgis' AND pg_class.oid = to_regclass('land')
"""
_USABLE_SHAPES = """
    SELECT quote_ident(nspname) FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
    JOIN pg_namespace ON pg_namespace.oid = typnamespace
    WHERE attrelid = to_regclass('land') AND attname = 'shape'
    AND has_schema_privilege(pg_namespace.oid, 'USAGE')
"""
"""Where PostGIS lies: a database may have it in a schema that nobody else searches, or may use."""
_OFFER = (
    "offer_id", "county", "season", "product", "farmer_id", "access", "currency", "limit_minor",
)  # fmt: skip

Row = dict[str, Any]


@dataclass(frozen=True)
class OnLand:
    """A live offer one of whose parcels lies at a place."""

    offer: Row
    """Its id and shelf, farmer, `access`, `currency` and `limit_minor`."""
    parcel_id: str
    distance_m: float
    """0 where the place touches the parcel."""
    overlap_m2: float
    """Of a place with an area; 0 of points and lines."""
    parcel_m2: float


def land_rows(parcels: Path, county: str, season: str) -> list[Row]:
    """Return the rows of `land` of a county and season.

    Args:
        parcels: parcels.parquet.
        county: County code.
        season: Season name.
    """
    drawn = gpd.read_parquet(parcels, columns=["parcel_id", "farmer_id", "geometry"])
    shapes = np.asarray(drawn.to_crs(_WGS84).geometry.array)
    names = zip(drawn["parcel_id"], drawn["farmer_id"], strict=True)
    corners = shapely.bounds(shapes).tolist()
    return [
        {
            "county": county, "season": season, "parcel_id": str(parcel), "farmer_id": str(farmer),
            "west": west, "south": south, "east": east, "north": north, "outline": outline,
        }
        for (parcel, farmer), (west, south, east, north), outline in zip(
            names, corners, shapely.to_wkb(shapes, hex=True), strict=True
        )
        if outline is not None and not np.isnan(west)
    ]  # fmt: skip


def enter_land(engine: sa.Engine, county: str, season: str, rows: Sequence[Row]) -> None:
    """Make the land of a county and season these rows; nothing is written where it is already.

    Raises:
        UserError: As `posting`.
    """
    here = (LAND.c.county == county, LAND.c.season == season)
    query = sa.select(LAND).where(*here).order_by(LAND.c.parcel_id)
    with posting(engine) as connection:
        _add_shapes(connection)
        held = [row._asdict() for row in connection.execute(query)]
        if held != sorted(rows, key=lambda row: str(row["parcel_id"])):
            connection.execute(sa.delete(LAND).where(*here))
            add_rows(connection, LAND, rows)


def has_shapes(connection: sa.Connection) -> bool:
    """Whether the database keeps the outlines as geometries of PostGIS."""
    known = sa.text(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('land') "
        "AND attname = 'shape'"
    )
    return connection.dialect.name == "postgresql" and bool(connection.scalar(known))


def _add_shapes(connection: sa.Connection) -> None:
    """Add the geometry column and its index where PostGIS has come to the database.

    Corners answer as well, so a posting whose offers stand goes on where this cannot be.
    """
    if connection.dialect.name != "postgresql" or has_shapes(connection):
        return
    found = connection.execute(sa.text(_COULD_HAVE_SHAPES)).first()
    if found is None:
        return
    if not found.ours:
        _LOG.info("land.shape is left to the owner of table land")
        return
    try:
        with connection.begin_nested():
            for statement in _SHAPE_COLUMN:
                connection.execute(sa.text(statement.format(postgis=found.postgis)))
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated:
            raise
        _LOG.warning("land.shape cannot be added: %s", message_of(error))


def offers_on(engine: sa.Engine, place: BaseGeometry, within_m: float) -> list[OnLand]:
    """Return the live offers that have land at a place, the nearest parcel first.

    Args:
        engine: Open store.
        place: Point, line or area in longitude and latitude (WGS 84), some hundred km at most.
        within_m: How far a parcel may lie from it, m.

    Raises:
        UserError: As `reading`.
    """
    grid = _Around(place)
    # What is straight in degrees is bent in metres: over a kilometre, by two centimetres.
    there = shapely.transform(shapely.segmentize(place, _STEP_DEGREES), grid.metres)
    reach = shapely.segmentize(there.buffer(within_m * 1.01 + 1.0), _STEP_M)
    with reading(engine) as connection:
        rows = connection.execute(_at(connection, shapely.transform(reach, grid.degrees))).all()
    outlines = np.asarray(shapely.from_wkb([row.outline for row in rows]), dtype=object)
    drawn = shapely.transform(outlines, grid.metres)
    found = _reckoned([row._asdict() for row in rows], drawn, there)
    near = (one for one in found if one.distance_m <= within_m)
    return sorted(near, key=lambda one: (one.distance_m, one.parcel_id, one.offer["offer_id"]))


def _reckoned(rows: Iterable[Row], drawn: Any, there: BaseGeometry) -> Iterable[OnLand]:
    distances = shapely.distance(drawn, there)
    overlaps = shapely.area(shapely.intersection(shapely.make_valid(drawn), there))
    for row, away, shared, area in zip(rows, distances, overlaps, shapely.area(drawn), strict=True):
        offer = {name: row[name] for name in _OFFER}
        yield OnLand(offer, row["parcel_id"], float(away), float(shared), float(area))


class _Around:
    """A map in metres around a place that keeps areas."""

    def __init__(self, place: BaseGeometry) -> None:
        middle = place.envelope.centroid
        words = {"proj": "laea", "lat_0": middle.y, "lon_0": middle.x, "datum": "WGS84"}
        self._move = Transformer.from_crs(_WGS84, CRS.from_dict(words), always_xy=True).transform

    def metres(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points of (n, 2) longitude and latitude in metres."""
        return np.column_stack(self._move(points[:, 0], points[:, 1]))

    def degrees(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points of (n, 2) metres in longitude and latitude."""
        return np.column_stack(self._move(points[:, 0], points[:, 1], direction="INVERSE"))


def _at(connection: sa.Connection, reach: BaseGeometry) -> sa.Select[Any]:
    """Return the query for live offers and the parcels of theirs that may lie within an area."""
    on_server = connection.dialect.name == "postgresql"
    postgis = connection.scalar(sa.text(_USABLE_SHAPES)) if on_server else None
    if postgis:
        shape = sa.text(_AT.format(postgis=postgis))
        there: Any = shape.bindparams(reach=shapely.to_wkb(reach, hex=True))
    else:
        west, south, east, north = shapely.bounds(reach).tolist()
        there = sa.and_(
            LAND.c.west <= east, LAND.c.east >= west, LAND.c.south <= north, LAND.c.north >= south
        )
    # The place first: whoever begins with the offers looks through a county for each of them.
    here = sa.select(LAND).where(there).cte("here").prefix_with("MATERIALIZED")
    same = (OFFERS.c[name] == here.c[name] for name in ("county", "season", "farmer_id"))
    query = sa.select(*(OFFERS.c[name] for name in _OFFER), here.c.parcel_id, here.c.outline)
    return query.join_from(here, OFFERS, sa.and_(*same, OFFERS.c.status == LIVE))
