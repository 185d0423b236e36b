"""Outlines in further formats: sequences of records, TopoJSON, Esri, FlatGeobuf, MapInfo, cells."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from fieldline.pipeline.parcels.intake import check_files
from fieldline.pipeline.parcels.parcel_files import Choices
from fieldline.pipeline.parcels.readers import read_parcel_file
from fieldline.pipeline.parcels.settings import IntakeSettings
from fieldline.pipeline.parcels.shapes import shape_from_wkt
from fieldline.pipeline.records.errors import UserError

IDS = ["a", "b", "c"]
SQUARES = [shapely.box(11 + 0.002 * i, 48.5, 11.001 + 0.002 * i, 48.501) for i in range(3)]


def features() -> list[dict[str, Any]]:
    return [
        {
            "type": "Feature",
            "properties": {"parcel_id": name, "farmer_id": f"f-{name}"},
            "geometry": json.loads(shapely.to_geojson(square)),
        }
        for name, square in zip(IDS, SQUARES, strict=True)
    ]


def frame() -> gpd.GeoDataFrame:
    data = {"parcel_id": IDS, "farmer_id": [f"f-{name}" for name in IDS]}
    return gpd.GeoDataFrame(data, geometry=SQUARES, crs="EPSG:4326")


def topology() -> dict[str, Any]:
    """Return the first two squares grown to one border, as arcs of steps in 1e-5 degrees."""
    arcs = [
        [[100, 0], [0, 100]],  # the border, northward
        [[100, 100], [-100, 0], [0, -100], [100, 0]],  # around the west
        [[100, 100], [100, 0], [0, -100], [-100, 0]],  # around the east, clockwise
    ]
    own = [{"parcel_id": name, "farmer_id": f"f-{name}"} for name in IDS[:2]]
    west = {"type": "Polygon", "arcs": [[0, 1]], "properties": own[0]}
    east = {"type": "Polygon", "arcs": [[2, 0]], "properties": own[1]}
    return {
        "type": "Topology",
        "transform": {"scale": [1e-5, 1e-5], "translate": [11.0, 48.5]},
        "arcs": arcs,
        "objects": {"fields": {"type": "GeometryCollection", "geometries": [west, east]}},
    }


def esri() -> dict[str, Any]:
    rows = [
        {"attributes": f["properties"], "geometry": {"rings": f["geometry"]["coordinates"]}}
        for f in features()
    ]
    fields = [{"name": n, "type": "esriFieldTypeString"} for n in ("parcel_id", "farmer_id")]
    return {
        "geometryType": "esriGeometryPolygon", "spatialReference": {"wkid": 4326},
        "fields": fields, "features": rows,
    }  # fmt: skip


TEXTS = {
    "lines.geojsonl": "\n".join(map(json.dumps, features())) + "\n",
    "lines.geojson": "\n".join(map(json.dumps, features())),
    "lines.ndjson": "\n\n".join(map(json.dumps, features())),
    "sequence.geojsons": "".join(f"\x1e{json.dumps(f, indent=1)}\n" for f in features()),
    "collections.geojsonl": "\n".join(
        json.dumps({"type": "FeatureCollection", "features": [f]}) for f in features()
    ),
    "list.json": json.dumps(features()),
    "esri.json": json.dumps(esri()),
}


@pytest.mark.parametrize("name", TEXTS)
def test_records_in_any_order_of_writing_are_the_same_parcels(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(TEXTS[name])
    read = read_parcel_file(tmp_path / name)
    assert read.frame["parcel_id"].tolist() == IDS
    assert read.frame["farmer_id"].tolist() == ["f-a", "f-b", "f-c"]
    assert [g.equals(s) for g, s in zip(read.geometries, SQUARES, strict=True)] == [True] * 3


def test_one_feature_alone_is_a_parcel(tmp_path: Path) -> None:
    (tmp_path / "one.geojson").write_text(json.dumps(features()[1]))
    read = read_parcel_file(tmp_path / "one.geojson")
    assert read.frame["parcel_id"].tolist() == ["b"]
    (tmp_path / "bare.geojson").write_text(json.dumps(features()[1]["geometry"]))
    with pytest.raises(UserError, match="no column parcel_id, farmer_id"):
        read_parcel_file(tmp_path / "bare.geojson")


@pytest.mark.parametrize("name", ["f.topojson", "f.json"])
def test_topojson_is_read_once_its_crs_is_stated(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(json.dumps(topology()))
    with pytest.raises(UserError, match="does not say its coordinate reference system"):
        read_parcel_file(tmp_path / name)
    read = read_parcel_file(tmp_path / name, crs="EPSG:4326")
    assert read.frame["parcel_id"].tolist() == ["a", "b"]
    west, east = shapely.box(11, 48.5, 11.001, 48.501), shapely.box(11.001, 48.5, 11.002, 48.501)
    drawn = zip(read.geometries, (west, east), strict=True)
    assert [g.symmetric_difference(s).area < 1e-12 for g, s in drawn] == [True, True]


@pytest.mark.parametrize(
    ("name", "driver"),
    [("f.fgb", "FlatGeobuf"), ("f.tab", "MapInfo File"), ("f.mif", "MapInfo File")],
)
@pytest.mark.parametrize("packed", [False, True])
def test_formats_of_other_programs_are_read(
    tmp_path: Path, name: str, driver: str, packed: bool
) -> None:
    (tmp_path / "made").mkdir()
    frame().to_file(tmp_path / "made" / name, driver=driver)
    path = tmp_path / "made" / name
    if packed:
        path = tmp_path / "f.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for part in sorted((tmp_path / "made").iterdir()):
                archive.write(part, f"export/{part.name}")
    read = read_parcel_file(path)
    assert sorted(read.frame["parcel_id"]) == IDS
    for own, drawn in zip(read.frame["parcel_id"], read.geometries, strict=True):
        assert drawn.symmetric_difference(SQUARES[IDS.index(own)]).area < 1e-9


def test_a_kmz_inside_a_zip_is_read(tmp_path: Path) -> None:
    marks = "".join(
        f"<Placemark><ExtendedData><Data name='parcel_id'><value>{own}</value></Data>"
        f"<Data name='farmer_id'><value>f</value></Data></ExtendedData><Polygon><outerBoundaryIs>"
        "<LinearRing><coordinates>"
        + " ".join(f"{x},{y}" for x, y in square.exterior.coords)
        + "</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
        for own, square in zip(IDS, SQUARES, strict=True)
    )
    with zipfile.ZipFile(tmp_path / "f.kmz", "w") as archive:
        archive.writestr("doc.kml", f"<kml><Document>{marks}</Document></kml>")
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as archive:
        archive.write(tmp_path / "f.kmz", "village/f.kmz")
    assert read_parcel_file(tmp_path / "f.zip").frame["parcel_id"].tolist() == IDS
    with zipfile.ZipFile(tmp_path / "g.kmz", "w") as archive:
        archive.write(tmp_path / "f.kmz", "g.kmz")  # one that held itself would never end
    with pytest.raises(UserError, match="holds no outline file"):
        read_parcel_file(tmp_path / "g.kmz")


def test_folders_are_told_apart(tmp_path: Path) -> None:
    for name, says in (("a.gdb", "is a geodatabase"), ("shapes", "is a folder: name the file")):
        (tmp_path / name).mkdir()
        with pytest.raises(UserError, match=says):
            read_parcel_file(tmp_path / name)


@pytest.mark.parametrize(
    "cell",
    [
        "48.5 11.0 512.3 4.8;48.5 11.001 512 5;48.501 11.001 0 0;48.501 11.0 0 0;48.5 11.0 0 0",
        "48.5 11 0; 48.5 11.001 0; 48.501 11.001 0; 48.501 11 0;",
        '[{"lat": 48.5, "lng": 11}, {"lat": 48.5, "lng": 11.001}, {"lat": 48.501, "lng": 11.001},'
        ' {"lat": 48.501, "lng": 11}]',
        '[{"Longitude": 11, "Latitude": 48.5}, {"Longitude": 11.001, "Latitude": 48.5}, '
        '{"Longitude": 11.001, "Latitude": 48.501}, {"Longitude": 11, "Latitude": 48.501}]',
    ],
)
def test_corners_that_say_which_number_is_which_are_read(cell: str) -> None:
    """ODK and KoboToolbox write latitude first, height and accuracy behind it."""
    shape = shape_from_wkt(cell)
    assert shape.geometry is not None
    assert shape.geometry.equals(SQUARES[0])


@pytest.mark.parametrize(
    "cell",
    [
        "48.5 11.0;48.5 11.001;48.501 11.001",
        "48.5,11.0;48.5,11.001;48.501,11.001",
        "[[48.5, 11], [48.5, 11.001], [48.501, 11.001]]",
        '[{"x1": 48.5, "b": 11}]',
        '[{"lat": 48.5, "lng": 11}, 3]',
        "[]",
    ],
)
def test_corners_that_do_not_say_it_are_never_guessed(cell: str) -> None:
    assert shape_from_wkt(cell).code == "unreadable_geometry"


def test_a_hole_outside_its_field_has_its_own_reason(tmp_path: Path) -> None:
    """It would else be a line that crosses itself, and the farmer would draw the corners again."""
    rows = features()
    outside = shapely.box(11.0012, 48.5, 11.0015, 48.5003).exterior.coords
    inside = shapely.box(11.0022, 48.5002, 11.0025, 48.5005).exterior.coords
    rows[0]["geometry"]["coordinates"].append(list(outside))
    rows[1]["geometry"]["coordinates"].append(list(inside))
    rows[2]["geometry"]["coordinates"][0] = [[11, 48.5], [11.01, 48.51], [11.01, 48.5], [11, 48.51]]
    path = tmp_path / "f.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": rows}))
    report = check_files([path], Choices({}), boundary=None, settings=IntakeSettings())
    assert report.rows["outcome"].tolist() == ["hole_outside", "ok", "bow_tie"]
