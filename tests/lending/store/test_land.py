"""Whose offers stand at a place, held against geodesics on the ellipsoid and against PostGIS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import sqlalchemy as sa
from pyproj import Geod
from shapely.geometry import LineString, Point, box
from typer.testing import CliRunner

from fieldline.lending.decision.case import Case
from fieldline.lending.store.database import LAND, open_database, posting, reading
from fieldline.lending.store.land import enter_land, has_shapes, land_rows, offers_on
from fieldline.lending.store.posting import Shelf
from fieldline.pipeline.records.databases import engine_of
from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.cli import app
from tests.conftest import _need as need
from tests.lending.store.test_present import give, of

HERE = Shelf("A", "2024", "season-line")
GEOD = Geod(ellps="WGS84")
EAST, NORTH, STEP = 117.5, 32.9, 0.001
"""South-west corner of the first of a row of squares, 93.5 x 110.9 m, one step between them."""
FARMERS = ("F0", "F1", "F2", "F3")


def square(number: int) -> Any:
    west = EAST + 2 * number * STEP
    return box(west, NORTH, west + STEP, NORTH + STEP)


@pytest.fixture
def parcels(tmp_path: Path) -> Path:
    """A row of four squares, of a farmer each."""
    path = tmp_path / "parcels.parquet"
    names = {"parcel_id": [f"P{f}" for f in FARMERS], "farmer_id": list(FARMERS)}
    shapes = [square(number) for number in range(len(FARMERS))]
    gpd.GeoDataFrame(names, geometry=shapes, crs="EPSG:4326").to_parquet(path)
    return path


@pytest.fixture(params=["sqlite", "postgresql", "postgis"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, case: Case, parcels: Path
) -> Iterator[sa.Engine]:
    """Offers to three of the four, on each kind of database."""
    url = str(tmp_path / "store.sqlite")
    if request.param != "sqlite":
        url = request.getfixturevalue("postgres_database")
    if request.param == "postgis":
        _with_postgis(url)
    engine = open_database(url)
    give(engine, HERE, *(of(case, farmer_id=name, household_id=name) for name in FARMERS[:3]))
    enter_land(engine, "A", "2024", land_rows(parcels, "A", "2024"))
    with reading(engine) as connection:
        assert has_shapes(connection) == (request.param == "postgis")
    yield engine
    engine.dispose()


def _with_postgis(url: str, schema: str = "public") -> None:
    engine = engine_of(url)
    with posting(engine) as connection:
        there = connection.scalar(
            sa.text("SELECT count(*) FROM pg_available_extensions WHERE name = 'postgis'")
        )
        need("postgis", bool(there), "no PostGIS (apt-get install postgresql-15-postgis-3)")
        connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
        connection.execute(sa.text(f"CREATE EXTENSION postgis SCHEMA {schema}"))
    engine.dispose()


def test_a_point_finds_the_parcels_around_it_and_how_far_they_are(store: sa.Engine) -> None:
    place = Point(EAST - STEP, NORTH + STEP / 2)
    away = [
        GEOD.inv(place.x, place.y, EAST + 2 * n * STEP, place.y)[2] for n in range(3)
    ]  # along a parallel; its bend is micrometres here
    found = offers_on(store, place, away[1] + 1)
    assert [one.parcel_id for one in found] == ["PF0", "PF1"]
    assert [one.distance_m for one in found] == pytest.approx(away[:2], abs=0.01)
    assert [one.offer["farmer_id"] for one in found] == ["F0", "F1"]
    assert offers_on(store, place, away[0] - 0.1) == []


def test_a_planned_road_takes_what_it_covers_of_each_parcel(store: sa.Engine) -> None:
    # 0.0004 degrees of the second square's width and all of the third's, half of their height.
    road = box(EAST + 2.6 * STEP, NORTH, EAST + 6 * STEP, NORTH + STEP / 2)
    found = {one.parcel_id: one for one in offers_on(store, road, 0)}
    assert sorted(found) == ["PF1", "PF2"]
    assert [one.distance_m for one in found.values()] == [0, 0]
    for parcel, number in (("PF1", 1), ("PF2", 2)):
        shared = square(number).intersection(road)
        whole, part = (abs(GEOD.geometry_area_perimeter(s)[0]) for s in (square(number), shared))
        assert found[parcel].parcel_m2 == pytest.approx(whole, rel=1e-5)
        assert found[parcel].overlap_m2 == pytest.approx(part, rel=1e-5)
        assert part / whole == pytest.approx({1: 0.2, 2: 0.5}[number], rel=1e-4)


def test_a_line_has_land_beside_it_and_takes_none(store: sa.Engine) -> None:
    line = LineString([(EAST - 1, NORTH - 0.0002), (EAST + 1, NORTH - 0.0002)])
    found = offers_on(store, line, 30)
    assert {one.parcel_id for one in found} == {"PF0", "PF1", "PF2"}
    # 187 km of a parallel leave the straight line between their ends by 440 m.
    gap = GEOD.inv(EAST, NORTH - 0.0002, EAST, NORTH)[2]
    assert [one.distance_m for one in found] == pytest.approx([gap] * 3, abs=0.05)
    assert {one.overlap_m2 for one in found} == {0}


def test_land_that_is_drawn_anew_or_whose_offer_is_gone_is_found_no_more(
    store: sa.Engine, case: Case, parcels: Path
) -> None:
    everywhere = box(EAST - 1, NORTH - 1, EAST + 1, NORTH + 1)
    assert [one.parcel_id for one in offers_on(store, everywhere, 0)] == ["PF0", "PF1", "PF2"]
    enter_land(store, "A", "2024", land_rows(parcels, "A", "2024")[:2])
    assert [one.parcel_id for one in offers_on(store, everywhere, 0)] == ["PF0", "PF1"]
    give(store, HERE, of(case, farmer_id="F0", household_id="F0"), confirm=True)
    assert [one.parcel_id for one in offers_on(store, everywhere, 0)] == ["PF0"]


def test_the_same_outlines_are_written_once(store: sa.Engine, parcels: Path) -> None:
    written = []
    sa.event.listen(
        store, "before_cursor_execute",
        lambda _c, _u, statement, *_: written.append(statement.split()[0]),
    )  # fmt: skip
    enter_land(store, "A", "2024", land_rows(parcels, "A", "2024"))
    assert not {"INSERT", "DELETE", "ALTER"} & set(written)
    with reading(store) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(LAND)) == 4


@pytest.mark.parametrize("store", ["postgis"], indirect=True)
def test_distances_and_overlaps_are_those_of_postgis(store: sa.Engine) -> None:
    draw = shapely.get_coordinates(shapely.box(EAST, NORTH, EAST + 6 * STEP, NORTH + STEP))
    places = [Point(x, y + dy) for x, y in draw for dy in (-0.003, 0.0004)]
    places += [box(x - STEP, y - STEP / 3, x + STEP, y + STEP / 3) for x, y in draw]
    ask = sa.text(
        "SELECT parcel_id, ST_Distance(shape::geography, p::geography), "
        "ST_Area(ST_Intersection(shape, p)::geography) FROM land, "
        "ST_GeomFromText(:place, 4326) p WHERE ST_DWithin(shape::geography, p::geography, 400) "
        "AND farmer_id <> 'F3'"
    )
    for place in places:
        with reading(store) as connection:
            wanted = {row[0]: row[1:] for row in connection.execute(ask, {"place": place.wkt})}
        found = {one.parcel_id: one for one in offers_on(store, place, 400)}
        assert found.keys() == wanted.keys()
        for parcel, (away, shared) in wanted.items():
            assert found[parcel].distance_m == pytest.approx(away, abs=0.01)
            assert found[parcel].overlap_m2 == pytest.approx(shared, rel=1e-4, abs=0.01)


@pytest.mark.parametrize("store", ["postgis"], indirect=True)
def test_postgis_finds_them_by_its_index(store: sa.Engine) -> None:
    with reading(store) as connection:
        connection.execute(sa.text("SET enable_seqscan = off"))
        asked = "SELECT * FROM land WHERE ST_Intersects(shape, ST_MakeEnvelope(0, 0, 1, 1, 4326))"
        plan = connection.execute(sa.text(f"EXPLAIN {asked}")).scalars()
        assert "land_shape" in " ".join(plan)


@pytest.fixture
def served(postgres_database: str, case: Case) -> Iterator[sa.Engine]:
    """Offers to three of the four on a server that has no PostGIS yet."""
    engine = open_database(postgres_database)
    give(engine, HERE, *(of(case, farmer_id=name, household_id=name) for name in FARMERS[:3]))
    yield engine
    engine.dispose()


def _found(engine: sa.Engine) -> list[str]:
    return [one.parcel_id for one in offers_on(engine, square(1).union(square(3)), 0)]


def _shaped(engine: sa.Engine) -> bool:
    with reading(engine) as connection:
        return has_shapes(connection)


def test_postgis_serves_from_a_schema_of_its_own(
    served: sa.Engine, postgres_database: str, parcels: Path
) -> None:
    _with_postgis(postgres_database, '"Own gis"')
    enter_land(served, "A", "2024", land_rows(parcels, "A", "2024"))
    assert _shaped(served)
    asked: list[str] = []
    sa.event.listen(
        served, "before_cursor_execute", lambda _c, _u, statement, *_: asked.append(statement)
    )
    assert _found(served) == ["PF1"]
    assert '"Own gis".ST_Intersects' in asked[-1]
    with reading(served) as connection:
        connection.execute(sa.text("SET enable_seqscan = off"))
        there = '"Own gis".ST_Intersects(shape, "Own gis".ST_MakeEnvelope(0, 0, 1, 1, 4326))'
        plan = connection.execute(sa.text(f"EXPLAIN SELECT * FROM land WHERE {there}")).scalars()
        assert "land_shape" in " ".join(plan)


def test_who_does_not_own_the_table_posts_and_finds_by_the_corners(
    served: sa.Engine, postgres_database: str, parcels: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"poster_{postgres_database.rpartition('/')[2]}"
    with served.begin() as connection:
        connection.execute(sa.text(f"CREATE ROLE {name} LOGIN"))
        connection.execute(sa.text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}"))
    _with_postgis(postgres_database, "gis")
    poster = engine_of(postgres_database.replace("postgres@", f"{name}@"))
    enter_land(poster, "A", "2024", land_rows(parcels, "A", "2024"))
    assert not _shaped(served)
    assert not caplog.records
    assert _found(poster) == ["PF1"]
    # The owner posts next; schema gis stays closed to the other one.
    enter_land(served, "A", "2024", [])
    assert _shaped(served)
    enter_land(poster, "A", "2024", land_rows(parcels, "A", "2024"))
    assert _found(poster) == _found(served) == ["PF1"]
    poster.dispose()


def test_shapes_that_cannot_be_made_do_not_stop_a_posting(
    served: sa.Engine, postgres_database: str, parcels: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = land_rows(parcels, "A", "2024")
    enter_land(served, "B", "2024", [rows[0] | {"county": "B", "outline": "no hex"}])
    _with_postgis(postgres_database)
    enter_land(served, "A", "2024", rows)
    assert not _shaped(served)
    assert _found(served) == ["PF1"]
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "land.shape cannot be added"
    ]


UTM = [[[500_000, 3_640_000], [501_000, 3_641_000]]]
UNREADABLE = "cannot be read as a file of points, lines or areas: give GeoJSON or GPKG"
NO_PLACE = "is neither a file nor LON,LAT: write 117.51,32.88 or name a file"


def _drawn(kind: str, coordinates: Any) -> bytes:
    """Return GeoJSON that names no CRS, as many programs write it."""
    shape = {"type": kind, "coordinates": coordinates}
    return json.dumps({"type": "Feature", "properties": {}, "geometry": shape}).encode()


@pytest.mark.parametrize(
    ("place", "holds", "told"),
    [
        ("gone.geojson", None, NO_PLACE),
        ("x" * 5000, None, NO_PLACE),
        ("", None, NO_PLACE),
        ("32.9,117.5", None, "is no longitude and latitude: write the longitude first"),
        ("notes.txt", b"a field by the road", UNREADABLE),
        ("cut.geojson", _drawn("Point", [EAST, NORTH])[:-9], UNREADABLE),
        ("none.gpkg", b"", UNREADABLE),
        ("one.geojson", _drawn("LineString", [[EAST, NORTH]]), UNREADABLE),
        ("empty.geojson", _drawn("Polygon", []), "holds no point, line or area"),
        (
            "utm.geojson", _drawn("MultiLineString", UTM),
            "reaches from 500000, 3.64e+06 to 501000, 3.641e+06: its coordinates are no degrees: "
            "export it with its CRS",
        ),
        ("swapped.geojson", _drawn("Point", [NORTH, EAST]), "its coordinates are no degrees"),
    ],
)  # fmt: skip
def test_a_place_that_is_none_is_a_sentence(
    place: str, holds: bytes | None, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if holds is not None:
        (tmp_path / place).write_bytes(holds)
    said = CliRunner().invoke(app, ["offers", "near", place])
    assert isinstance(said.exception, UserError)
    assert told in str(said.exception)


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_the_command_tells_what_a_file_of_a_road_meets(store: sa.Engine, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"database: {store.url.database}\n", encoding="utf-8")
    road = gpd.GeoSeries([box(EAST + 2.6 * STEP, NORTH, EAST + 6 * STEP, NORTH + STEP / 2)])
    road.set_crs("EPSG:4326").to_crs("EPSG:32650").to_file(tmp_path / "road.gpkg")
    asked = ["offers", "near", str(tmp_path / "road.gpkg"), "--config", str(config)]
    said = CliRunner().invoke(app, [*asked, "--json"])
    assert [(row["parcel_id"], row["distance_m"]) for row in json.loads(said.output)] == [
        ("PF1", "0.0"), ("PF2", "0.0"),
    ]  # fmt: skip
    said = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "met.csv")])
    assert said.output == "2 parcels of 2 farmers with a live offer\n"
    assert pd.read_csv(tmp_path / "met.csv")["farmer_id"].tolist() == ["F1", "F2"]
