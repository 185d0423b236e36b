"""Where outlines lie: exchanged axes, the antimeridian, far from the zone, CRS of no place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import CRS, Transformer

from fieldline.pipeline.parcels.crs import horizontal, stated_crs
from fieldline.pipeline.parcels.parcel_files import ParcelFile
from fieldline.pipeline.parcels.rings import WGS84, geodesic_measures
from fieldline.pipeline.parcels.screening import Screened, screen
from fieldline.pipeline.parcels.settings import IntakeSettings
from fieldline.pipeline.parcels.shapes import shapes_from_text
from fieldline.pipeline.records.errors import UserError

#: 50 m square of the cases: EPSG:4548 (Gauss-Krueger, 117 E), easting first.
EAST, NORTH = 397431.478, 3675468.455
PLACE = (115.9, 33.2)


def box(x: float, y: float, edge: float) -> shapely.Polygon:
    return shapely.box(x, y, x + edge, y + edge)


def swapped(outline: shapely.Polygon) -> shapely.Polygon:
    return shapely.transform(outline, lambda xy: xy[:, ::-1])


def screened(
    outlines: list[Any], crs: str = "EPSG:4326", boundary: shapely.Polygon | None = None
) -> Screened:
    """Screen outlines (polygons or WKT), each of its own farmer."""
    count = len(outlines)
    names = ["name", "phone", "id_number", "village", "declared_crop"]
    frame = pd.DataFrame(
        {"parcel_id": [f"p{i}" for i in range(count)], "farmer_id": [f"f{i}" for i in range(count)]}
        | dict.fromkeys(names)
        | {"text_note": "", "text_encoding": "", "area_note": "", "declared_area_m2": None}
    )
    shapes = shapes_from_text([o if isinstance(o, str) else o.wkt for o in outlines])
    file = ParcelFile(frame, shapes, CRS.from_user_input(crs))
    return screen(file, IntakeSettings(), crops={}, boundary=boundary)


def outcomes(found: Screened) -> list[str]:
    return [found.ledger.outcome(row) for row in range(len(found.frame))]


COUNTY = shapely.box(115.8, 33.1, 116.0, 33.3)


@pytest.mark.parametrize("boundary", [None, COUNTY])
def test_northing_first_is_put_right_by_the_zone_of_the_crs(boundary: Any) -> None:
    found = screened([swapped(box(EAST, NORTH, 50)), box(EAST, NORTH + 900, 50)], "EPSG:4548",
                     boundary)  # fmt: skip
    assert outcomes(found) == ["axes_swapped", "ok"]
    centroid = found.geometries[0].centroid
    assert (centroid.x, centroid.y) == pytest.approx((115.9003, 33.2002), abs=2e-4)
    assert found.area_m2[0] == pytest.approx(2500, rel=1e-3)
    assert found.ledger.repairs(0) == "axes_swapped"
    assert any("exchanged axes" in sentence for sentence in found.said)


@pytest.mark.parametrize(
    "crs", ["EPSG:32650", "EPSG:4527", "EPSG:25832", "EPSG:2154", "EPSG:32748"]
)
def test_a_whole_file_with_northing_first_is_put_right(crs: str) -> None:
    area = CRS.from_user_input(crs).area_of_use
    assert area is not None
    lon, lat = (area.west + area.east) / 2, area.south * 0.3 + area.north * 0.7
    x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(lon, lat)
    found = screened([swapped(box(x + 200 * i, y, 100)) for i in range(12)], crs)
    assert set(outcomes(found)) == {"axes_swapped"}
    assert found.geometries[0].centroid.distance(shapely.Point(lon, lat)) < 0.01


def test_right_axes_beside_their_zone_stay_as_they_are() -> None:
    # 2.5 degrees beyond the zone at the equator, where easting and northing could be exchanged.
    x, y = Transformer.from_crs(4326, 32648, always_xy=True).transform(110.5, 2.0)
    assert outcomes(screened([box(x, y, 100)], "EPSG:32648")) == ["ok"]


def test_coordinates_thousands_of_kilometres_from_their_zone_are_refused() -> None:
    lost = box(EAST, NORTH, 50), swapped(box(EAST, NORTH, 50))
    # Both fit no Hong Kong grid, whichever axis comes first.
    assert outcomes(screened([*lost], "EPSG:2326")) == ["wrong_crs", "wrong_crs"]


def test_latitude_first_is_put_right_by_the_boundary() -> None:
    drawn = box(*PLACE, 5e-4)
    found = screened([swapped(drawn), drawn], boundary=COUNTY)
    assert outcomes(found)[0] == "axes_swapped"
    assert found.geometries[0].equals(drawn)
    # Europe: both ways are degrees, so only the boundary can tell.
    bavaria = shapely.box(11.0, 48.0, 11.2, 48.2)
    found = screened([swapped(box(11.05, 48.05, 1e-3))], boundary=bavaria)
    assert outcomes(found) == ["axes_swapped"]
    assert found.geometries[0].centroid.x == pytest.approx(11.0505)


def test_a_latitude_of_115_can_only_be_a_longitude() -> None:
    found = screened([swapped(box(*PLACE, 5e-4))])
    assert outcomes(found) == ["axes_swapped"]
    assert found.geometries[0].centroid.x == pytest.approx(115.90025)


def test_latitude_first_far_from_the_county_is_refused() -> None:
    drawn = [swapped(box(*PLACE, 5e-4)), swapped(box(11.05, 48.05, 1e-3))]
    elsewhere = shapely.box(100, 20, 101, 21)
    assert outcomes(screened(drawn, boundary=elsewhere)) == ["latlon_swapped", "outside_county"]


def test_neighbours_alone_do_not_settle_exchanged_axes() -> None:
    crowd = [box(11.05 + 0.002 * i, 48.05, 1e-3) for i in range(12)]
    found = screened([*crowd, swapped(box(11.06, 48.06, 1e-3))])
    assert outcomes(found) == ["ok"] * 12 + ["latlon_swapped"]


def test_a_national_geographic_crs_settles_its_own_axes() -> None:
    # CGCS2000 is used from 73 to 135 E: 33 E is not there, exchanged it is.
    found = screened([swapped(box(*PLACE, 5e-4))], "EPSG:4490")
    assert outcomes(found) == ["axes_swapped"]


def test_guards_of_metres_and_degrees_stay() -> None:
    metres, degrees = box(600_000, 5_300_000, 80), box(*PLACE, 5e-4)
    assert outcomes(screened([metres, box(200, 100, 1)])) == ["wrong_crs", "wrong_crs"]
    assert outcomes(screened([degrees], "EPSG:32650")) == ["wrong_crs"]


@pytest.mark.parametrize(
    ("crs", "x", "code"),
    [
        ("EPSG:4548", EAST, "ok"),  # 3-degree zone of 117 E, no prefix
        ("EPSG:4527", 39e6 + EAST, "ok"),  # the same zone with its number, 39, before the easting
        ("EPSG:4527", EAST, "wrong_crs"),
        ("EPSG:4548", 39e6 + EAST, "wrong_crs"),
    ],
)
def test_gauss_krueger_zones_with_and_without_their_number(crs: str, x: float, code: str) -> None:
    found = screened([box(x, NORTH, 50)], crs)
    assert outcomes(found) == [code]
    if code == "ok":
        centroid = found.geometries[0].centroid
        assert (centroid.x, centroid.y) == pytest.approx((115.9003, 33.2002), abs=2e-4)


@pytest.mark.parametrize("crs", ["EPSG:4490", "urn:ogc:def:crs:EPSG::4490", "OGC:CRS84"])
def test_degrees_of_other_names_lie_where_they_say(crs: str) -> None:
    found = screened([box(*PLACE, 5e-4)], crs)
    assert outcomes(found) == ["ok"]
    assert found.geometries[0].centroid.distance(shapely.Point(115.90025, 33.20025)) < 1e-6


FIJI = -16.8
WEST, EDGE = 179.9997, 0.0006
LAT = f"{FIJI}"


def ring(west: float, east: float) -> str:
    south, north = FIJI, FIJI + 5e-4
    return f"(({west} {south},{east} {south},{east} {north},{west} {north},{west} {south}))"


@pytest.mark.parametrize(
    "wkt",
    [
        f"MULTIPOLYGON({ring(WEST, 180)},{ring(-180, -179.9997)})",
        f"MULTIPOLYGON({ring(-180, -179.9997)},{ring(WEST, 180)})",
        f"POLYGON{ring(WEST, -179.9997)}",
        f"POLYGON{ring(WEST, 180.0003)}",
        f"POLYGON{ring(-180.0003, -179.9997)}",
    ],
)
def test_a_ring_over_180_degrees_is_one_field_with_its_area(wkt: str) -> None:
    found = screened([wkt])
    assert outcomes(found) == ["ok"]
    (elsewhere,), _ = geodesic_measures(np.array([box(10, FIJI, 1).intersection(
        shapely.box(10, FIJI, 10 + EDGE, FIJI + 5e-4))]))  # fmt: skip
    assert found.area_m2[0] == pytest.approx(elsewhere, rel=1e-6)
    geometry = found.geometries[0]
    assert geometry.geom_type == "Polygon"
    assert abs(geometry.centroid.x) == pytest.approx(180, abs=1e-9)
    assert geometry.bounds[2] - geometry.bounds[0] == pytest.approx(EDGE)


def test_utm_over_180_degrees_is_one_field() -> None:
    x, y = Transformer.from_crs(4326, 32760, always_xy=True).transform(180.0, FIJI)
    found = screened([box(x - 50, y, 100)], "EPSG:32760")
    assert outcomes(found) == ["ok"]
    # The scale at three degrees from the central meridian is about 0.9996 + 0.00137 cos2(lat).
    assert found.area_m2[0] == pytest.approx(10_000, rel=2e-3)
    assert abs(found.geometries[0].centroid.x) == pytest.approx(180, abs=1e-4)


def test_longitudes_counted_to_360_are_western_ones() -> None:
    found = screened([box(190.0, FIJI, 1e-3)])
    assert outcomes(found) == ["ok"]
    assert found.geometries[0].bounds[0] == pytest.approx(-170)


def test_neighbours_and_boundary_across_180_degrees() -> None:
    county = shapely.MultiPolygon(
        [shapely.box(179.9, -17, 180, -16), shapely.box(-180, -17, -179.9, -16)]
    )
    across = f"POLYGON{ring(WEST, -179.9997)}"
    eastern = f"POLYGON{ring(-179.9999, -179.9993)}"
    far = f"POLYGON{ring(-179.8, -179.7994)}"
    found = screened([across, eastern, far], boundary=county)
    assert outcomes(found) == ["overlap", "overlap", "outside_county"]
    # 0.0002 of 0.0006 degrees are shared by the eastern half and its neighbour.
    assert "share=0.3333" in found.ledger.detail(0)


def test_parts_on_both_sides_of_the_earth_stay_far_apart() -> None:
    parts = f"MULTIPOLYGON({ring(100, 100.0006)},{ring(-100.0006, -100)})"
    assert outcomes(screened([parts])) == ["parts_far_apart"]


@pytest.mark.parametrize(
    ("crs", "epsg"),
    [
        ("EPSG:4326", 4326),
        ("EPSG:32650", 32650),
        ("EPSG:9518", 4326),  # WGS 84 with EGM2008 height: its horizontal part
        ("EPSG:5773", None),  # a height alone
        ("EPSG:4978", None),  # geocentric
        ('LOCAL_CS["site",UNIT["Meter",1],AXIS["E",EAST],AXIS["N",NORTH]]', None),
        ('GEOGCS["Undefined geographic SRS",DATUM["unknown",SPHEROID["unknown",6378137,298.25]],'
         'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]', None),
    ],
)  # fmt: skip
def test_what_a_crs_places_on_earth(crs: str, epsg: int | None) -> None:
    placed = horizontal(CRS.from_user_input(crs))
    assert (placed.to_epsg() if placed else None) == epsg


def test_a_configured_crs_that_places_nothing_is_refused() -> None:
    assert stated_crs("BD09").map_shift == "BD-09"
    for wrong, says in (("EPSG:5773", "places nothing"), ("Mars", "not a CRS")):
        with pytest.raises(UserError, match=says):
            stated_crs(wrong)


@pytest.mark.parametrize("lat", [0.0, 33.2, -55.0, 71.0, 88.0])
def test_small_rings_are_measured_as_geodesics_are(lat: float) -> None:
    rng = np.random.default_rng(7)
    angles = np.sort(rng.uniform(0, 2 * np.pi, (200, 7)), axis=1)
    size = 10 ** rng.uniform(-4, -2.31, (200, 1))
    x = 115 + size * np.cos(angles)
    y = lat + size * np.sin(angles)
    rings = np.array([shapely.Polygon(np.column_stack(pair)) for pair in zip(x, y, strict=True)])
    area, perimeter = geodesic_measures(rings)
    by_proj = [WGS84.polygon_area_perimeter(*r.exterior.coords.xy) for r in rings]
    assert area == pytest.approx([abs(a) for a, _ in by_proj], rel=1e-6, abs=1e-3)
    assert perimeter == pytest.approx([p for _, p in by_proj], rel=1e-9)
