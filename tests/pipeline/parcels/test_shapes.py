"""Geometries as files hold them: curves, surfaces, collections, binary, empty and odd parts."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from fieldline.pipeline.parcels.shapes import (
    Shape,
    Shapes,
    shape_from_geojson,
    shapes_from_text,
    shapes_from_wkb,
)

SQUARE = "((0 0,1 0,1 1,0 1,0 0))"
FAR = "((5 0,6 0,6 1,5 1,5 0))"


def read(text: str) -> Shape:
    return shapes_from_text([text])[0]


#: A circle segment with chord 50 and height 10: r = (25^2 + 10^2) / 20.
RADIUS = 36.25
SEGMENT = RADIUS**2 * math.acos(26.25 / RADIUS) - 26.25 * 25


@pytest.mark.parametrize(
    ("wkt", "area"),
    [
        ("CURVEPOLYGON(CIRCULARSTRING(0 0,4 0,4 4,0 4,0 0))", 8 * math.pi),
        ("CURVEPOLYGON(CIRCULARSTRING(0 0,4 0,0 0))", 4 * math.pi),
        ("CURVEPOLYGON Z (CIRCULARSTRING Z (0 0 9,4 0 9,0 0 9))", 4 * math.pi),
        ("CURVEPOLYGON(COMPOUNDCURVE((0 0,50 0),CIRCULARSTRING(50 0,60 25,50 50),"
         "(50 50,0 50,0 0)))", 2500 + SEGMENT),
        # The other way round and bulging inwards.
        ("CURVEPOLYGON(COMPOUNDCURVE((0 0,0 50,50 50),CIRCULARSTRING(50 50,40 25,50 0),"
         "(50 0,0 0)))", 2500 - SEGMENT),
        ("CURVEPOLYGON((0 0,9 0,9 9,0 9,0 0),CIRCULARSTRING(3 3,5 3,3 3))", 81 - math.pi),
        ("MULTISURFACE(((0 0,1 0,1 1,0 1,0 0)),CURVEPOLYGON(CIRCULARSTRING(5 0,9 0,5 0)))",
         1 + 4 * math.pi),
    ],
)  # fmt: skip
def test_arcs_enclose_what_circles_do(wkt: str, area: float) -> None:
    shape = read(wkt)
    assert shape.code == ""
    assert shape.geometry is not None
    assert shape.geometry.area == pytest.approx(area, rel=1e-4)


def test_an_arc_of_national_grid_coordinates_keeps_its_digits() -> None:
    x, y = 39_397_472.5, 3_673_998.25
    wkt = f"CURVEPOLYGON(CIRCULARSTRING({x} {y},{x + 40} {y},{x} {y}))"
    geometry = read(wkt).geometry
    assert geometry is not None
    assert geometry.area == pytest.approx(400 * math.pi, rel=1e-4)
    assert geometry.bounds == pytest.approx((x, y - 20, x + 40, y + 20), abs=0.01)


def test_gdal_draws_the_same_arcs(tmp_path: Path) -> None:
    wkt = "CURVEPOLYGON(COMPOUNDCURVE(CIRCULARSTRING(0 0,3 1,4 5),(4 5,-2 4,0 0)))"
    path = tmp_path / "c.csv"
    path.write_text(f'id,WKT\n1,"{wkt}"\n')
    by_gdal = shapely.from_wkb(pyogrio.raw.read(path)[2])[0]
    ours = read(wkt).geometry
    assert ours is not None
    assert shapely.hausdorff_distance(ours, by_gdal) < 0.01
    assert ours.area == pytest.approx(by_gdal.area, rel=1e-3)


@pytest.mark.parametrize(
    ("wkt", "kind", "area"),
    [
        (f"GEOMETRYCOLLECTION(POINT(1 1),POLYGON{SQUARE})", "Polygon", 1),
        (f"GEOMETRYCOLLECTION(POLYGON{SQUARE},LINESTRING(0 0,1 1),POLYGON{FAR})",
         "MultiPolygon", 2),
        (f"GEOMETRYCOLLECTION(GEOMETRYCOLLECTION(POLYGON{SQUARE}),MULTIPOINT((1 1),(2 2)))",
         "Polygon", 1),
        (f"GEOMETRYCOLLECTION(MULTIPOLYGON({SQUARE},{FAR}),MULTIPOINT(1 1,2 2))",
         "MultiPolygon", 2),
        ("TRIANGLE((0 0,2 0,2 2,0 0))", "Polygon", 2),
        ("TIN(((0 0,1 0,1 1,0 0)),((0 0,1 1,0 1,0 0)))", "Polygon", 1),
        ("TIN Z (((0 0 1,1 0 2,1 1 3,0 0 1)),((0 0 1,1 1 3,0 1 2,0 0 1)))", "Polygon", 1),
        # A box: its floor and roof cover the same ground, its walls none.
        ("POLYHEDRALSURFACE Z (((0 0 0,1 0 0,1 1 0,0 1 0,0 0 0)),((0 0 0,1 0 0,1 0 1,0 0 1,0 0 0)),"
         "((0 0 1,1 0 1,1 1 1,0 1 1,0 0 1)))", "Polygon", 1),
        ("POLYGON ZM ((0 0 1 1,1 0 1 1,1 1 1 1,0 1 1 1,0 0 1 1))", "Polygon", 1),
        ("polygonm((0 0 7,1 0 7,1 1 7,0 1 7,0 0 7))", "Polygon", 1),
    ],
)  # fmt: skip
def test_whatever_holds_polygons_is_those_polygons(wkt: str, kind: str, area: float) -> None:
    shape = read(wkt)
    assert (shape.code, shape.dropped) == ("", 0)
    assert shape.geometry is not None
    assert shape.geometry.geom_type == kind
    assert shape.geometry.area == pytest.approx(area)
    assert not shapely.has_z(shape.geometry)


@pytest.mark.parametrize(
    ("wkt", "code"),
    [
        ("GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))", "not_a_polygon"),
        ("GEOMETRYCOLLECTION(POINT(1 1),POLYGON EMPTY)", "not_a_polygon"),
        ("CIRCULARSTRING(0 0,1 1,2 0)", "not_a_polygon"),
        ("COMPOUNDCURVE((0 0,1 0),CIRCULARSTRING(1 0,2 1,0 0))", "not_a_polygon"),
        ("MULTIPOINT((1 1))", "not_a_polygon"),
        *((f"{kind} EMPTY", "empty_geometry") for kind in (
            "POLYGON", "POLYGON Z", "POLYGON ZM", "MULTIPOLYGON", "GEOMETRYCOLLECTION", "POINT",
            "CURVEPOLYGON", "MULTISURFACE", "TIN", "POLYHEDRALSURFACE Z", "TRIANGLE",
        )),
        ("GEOMETRYCOLLECTION(POLYGON EMPTY)", "empty_geometry"),
        ("MULTIPOLYGON(EMPTY,EMPTY)", "empty_geometry"),
        ("CURVEPOLYGON(CIRCULARSTRING(0 0,4 0))", "unreadable_geometry"),
        ("CURVEPOLYGON(CIRCULARSTRING(0 0,nan 0,0 0))", "nan_coordinates"),
        (f"POLYGON{SQUARE} and more", "unreadable_geometry"),
        ("POLYGON((0 0,1 0,1 1", "unreadable_geometry"),
        ("POLYGON((0,1,2))", "unreadable_geometry"),
        ("GEOMETRYCOLLECTION(" * 500 + "POINT(1 1)" + ")" * 500, "unreadable_geometry"),
        ("SRID=5773;POLYGON" + SQUARE, "wrong_crs"),  # EGM96 height: a vertical CRS
        ("SRID=4978;POLYGON" + SQUARE, "wrong_crs"),  # geocentric
        ("00" * 12, "unreadable_geometry"),
        ('{"type": "Polygon"', "unreadable_geometry"),
    ],
)  # fmt: skip
def test_what_encloses_nothing_is_coded(wkt: str, code: str) -> None:
    assert read(wkt).code == code


def test_one_curve_leaves_the_rest_of_the_column_as_it_is() -> None:
    cells = [f"POLYGON{SQUARE}", "CURVEPOLYGON(CIRCULARSTRING(0 0,4 0,0 0))", None, "POINT(0 0)"]
    shapes = shapes_from_text(cells)
    assert [shape.code for shape in shapes] == ["", "", "empty_geometry", "not_a_polygon"]
    assert [round(a, 1) for a in shapely.area(shapes.geometries[:2])] == [1.0, 12.6]


@pytest.mark.parametrize("prefix", ["", "\\x", "0x"])
@pytest.mark.parametrize("byte_order", [0, 1])
def test_hexadecimal_wkb_as_postgis_writes_it(prefix: str, byte_order: int) -> None:
    square = shapely.set_srid(shapely.box(0, 0, 1, 1), 32650)
    for upper in (True, False):
        for srid in (True, False):
            text = shapely.to_wkb(square, hex=True, include_srid=srid, byte_order=byte_order)
            shape = read(prefix + (text if upper else text.lower()))
            assert shape.geometry is not None
            assert shape.geometry.equals(square)
            assert (shape.crs.to_epsg() if shape.crs else None) == (32650 if srid else None)


def test_srid_0_means_that_the_row_names_no_crs() -> None:
    undefined = shapely.to_wkb(shapely.set_srid(shapely.box(0, 0, 1, 1), 0), hex=True)
    for text in (undefined, f"SRID=0;POLYGON{SQUARE}"):
        assert (read(text).code, read(text).crs) == ("", None)


def wkb(kind: int, *members: bytes, srid: int | None = None) -> bytes:
    flag, tail = (0x20000000, struct.pack("<I", srid)) if srid is not None else (0, b"")
    return (
        struct.pack("<BI", 1, kind | flag)
        + tail
        + struct.pack("<I", len(members))
        + b"".join(members)
    )


def ring(*points: float) -> bytes:
    return struct.pack(f"<I{len(points)}d", len(points) // 2, *points)


def test_surfaces_and_curves_in_binary() -> None:
    triangles = [wkb(17, ring(0, 0, 1, 0, 1, 1, 0, 0)), wkb(17, ring(0, 0, 1, 1, 0, 1, 0, 0))]
    circle = struct.pack("<BI", 1, 8) + ring(0, 0, 4, 0, 0, 0)
    shapes = shapes_from_wkb([
        wkb(16, *triangles), wkb(16, *triangles, srid=3857), wkb(10, circle), b"\x01\x03", None,
        wkb(7, wkb(10, circle), struct.pack("<BI2d", 1, 1, 9, 9)), wkb(3),
    ])  # fmt: skip
    assert [s.code for s in shapes] == [
        "", "", "", "unreadable_geometry", "empty_geometry", "", "empty_geometry",
    ]  # fmt: skip
    drawn = [s.geometry.area for s in shapes if s.geometry is not None]
    assert drawn == pytest.approx([1, 1, 4 * math.pi, 4 * math.pi], rel=1e-4)
    assert shapes[1].crs is not None
    assert shapes[1].crs.to_epsg() == 3857


PART = [[0, 0], [1, 0], [1, 1], [0, 0]]
POINT = {"type": "Point", "coordinates": [0, 0]}


def collection(*members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "GeometryCollection", "geometries": list(members)}


@pytest.mark.parametrize(
    ("geometry", "code", "dropped", "area"),
    [
        ({"type": "MultiPolygon", "coordinates": [[PART], []]}, "", 1, 0.5),
        ({"type": "MultiPolygon", "coordinates": [[PART], [[[5, 5], [6, 6], [5, 5]]]]}, "", 1, 0.5),
        ({"type": "MultiPolygon", "coordinates": [[PART], [[[5, 5], [6, 6], [7, 7], [5, 5]]]]},
         "", 1, 0.5),
        ({"type": "Polygon", "coordinates": [PART, [[0.5, 0.2], [0.6, 0.2], [0.5, 0.2]]]},
         "", 1, 0.5),
        ({"type": "Polygon", "coordinates": [PART, []]}, "", 1, 0.5),
        ({"type": "polygon", "coordinates": [PART]}, "", 0, 0.5),
        ({"type": "MultiPolygon", "coordinates": [[], []]}, "empty_geometry", 0, None),
        ({"type": "MultiPolygon", "coordinates": [[[[5, 5], [6, 6], [5, 5]]]]},
         "too_few_points", 0, None),
        ({"type": "MultiPolygon", "coordinates": [[PART], [[[5, 5], [math.nan, 6], [6, 5]]]]},
         "nan_coordinates", 0, None),
        (collection(POINT, collection({"type": "Polygon", "coordinates": [PART]})), "", 0, 0.5),
        (collection(POINT), "not_a_polygon", 0, None),
        ({"type": "GeometryCollection", "geometries": []}, "empty_geometry", 0, None),
        ({"type": "GeometryCollection", "geometries": 7}, "empty_geometry", 0, None),
    ],
)  # fmt: skip
def test_parts_without_an_area_are_left_out_and_counted(
    geometry: dict[str, Any], code: str, dropped: int, area: float | None
) -> None:
    shape = shape_from_geojson(geometry)
    assert (shape.code, shape.dropped) == (code, dropped)
    assert (shape.geometry.area if shape.geometry else None) == area


@given(st.text(alphabet="POLYGNCURVETIZMQ (),.0123456789-eE", max_size=60))
def test_no_text_is_worse_than_unreadable(text: str) -> None:
    shape = read(text)
    assert shape.code or shape.geometry is not None


@given(st.binary(max_size=80))
def test_no_bytes_are_worse_than_unreadable(data: bytes) -> None:
    shape = shapes_from_wkb([b"\x01" + data])[0]
    assert shape.code or shape.geometry is not None


def test_joined_columns_keep_each_row_with_its_crs() -> None:
    one = shapes_from_text([f"SRID=4490;POLYGON{SQUARE}", "POINT(0 0)"])
    two = shapes_from_text([f"POLYGON{SQUARE}"])
    utm = read(f"SRID=32650;POLYGON{SQUARE}").crs
    both = Shapes.joined([(one, None), (two, utm)])
    assert [s.crs.to_epsg() if s.crs else None for s in both] == [4490, None, 32650]
    assert [s.code for s in both] == ["", "not_a_polygon", ""]
    assert len(both[-2:]) == 2
    assert np.all(both.crs_index == [0, -1, 1])
