"""Files with layers, sidecars and wrappings: GeoPackage, Shapefile, KML, .zip and .kmz."""

from __future__ import annotations

import shutil
import sqlite3
import struct
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from fieldline.pipeline.parcels.intake import check_files, read_boundary
from fieldline.pipeline.parcels.parcel_files import Choices
from fieldline.pipeline.parcels.readers import read_parcel_file, read_parcel_files
from fieldline.pipeline.parcels.settings import IntakeSettings
from fieldline.pipeline.records.errors import UserError


def frame(names: list[str], crs: Any = "EPSG:4326", **columns: Any) -> gpd.GeoDataFrame:
    """Return 50 m squares in a row, numbered by name, in a CRS."""
    squares = [shapely.box(115.9 + 0.001 * i, 33.2, 115.9005 + 0.001 * i, 33.2005)
               for i in range(len(names))]  # fmt: skip
    data = {"parcel_id": names, "farmer_id": [f"f-{n}" for n in names]} | columns
    table = gpd.GeoDataFrame(data, geometry=squares, crs="EPSG:4326")
    return table.to_crs(crs) if crs is not None else table.set_crs(None, allow_override=True)


def table(path: Path, name: str, data_type: str = "attributes") -> None:
    with sqlite3.connect(path) as base:
        base.execute(f'CREATE TABLE "{name}" (id INTEGER PRIMARY KEY, note TEXT)')
        base.execute(f'INSERT INTO "{name}" (note) VALUES (?)', ("hello",))
        base.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) "
            "VALUES (?, ?, ?, 0)", (name, data_type, name),
        )  # fmt: skip


def drop_triggers(base: sqlite3.Connection) -> None:
    """Let rows be changed without the functions that GeoPackage's triggers call."""
    names = base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for (name,) in names:
        base.execute(f'DROP TRIGGER "{name}"')


def set_srs(path: Path, srs: int) -> None:
    with sqlite3.connect(path) as base:
        base.execute("UPDATE gpkg_geometry_columns SET srs_id = ?", (srs,))
        base.execute("UPDATE gpkg_contents SET srs_id = ?", (srs,))


def test_every_layer_is_read_in_its_own_crs_with_its_own_columns(tmp_path: Path) -> None:
    path = tmp_path / "villages.gpkg"
    frame(["a", "b"]).to_file(path, layer="dongcun")
    frame(["c"], "EPSG:32650", village=["Xi"]).to_file(path, layer="xicun")
    frame(["d"]).iloc[:0].to_file(path, layer="empty")
    table(path, "readme")
    table(path, "layer_styles")
    file = read_parcel_file(path)
    assert file.frame["parcel_id"].tolist() == ["a", "b", "c"]
    assert file.frame["village"].tolist() == [None, None, "Xi"]
    crs = [shape.crs.to_epsg() for shape in file.shapes if shape.crs]
    assert crs == [4326, 4326, 32650]
    assert file.places.of(2) == {"row": 1, "of_file": "xicun"}
    told = "\n".join(file.said)
    for part in ("layer dongcun: 2 rows", "layer xicun: 1 row,", "EPSG:32650", "layer empty",
                 "layer readme (no outlines"):  # fmt: skip
        assert part in told
    assert "layer_styles" not in told


def test_a_view_over_a_layer_is_read_as_a_layer(tmp_path: Path) -> None:
    path = tmp_path / "v.gpkg"
    frame(["a", "b"]).to_file(path, layer="all")
    with sqlite3.connect(path) as base:
        base.execute('CREATE VIEW one AS SELECT * FROM "all" WHERE fid = 2')
        base.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) "
            "VALUES ('one', 'features', 'one', 4326)"
        )
        base.execute(
            "INSERT INTO gpkg_geometry_columns SELECT 'one', column_name, geometry_type_name, "
            "srs_id, z, m FROM gpkg_geometry_columns WHERE table_name = 'all'"
        )
    check = check_files([path], Choices({}), boundary=None, settings=IntakeSettings())
    assert check.rows["outcome"].tolist() == ["ok", "ok", "duplicate_id"]
    only = check_files([path], Choices({}, layers=["one"]), boundary=None,
                       settings=IntakeSettings())  # fmt: skip
    assert only.rows["parcel_id"].tolist() == ["b"]


def test_a_layer_that_holds_no_parcels_refuses_the_file_with_its_layers(tmp_path: Path) -> None:
    path = tmp_path / "mixed.gpkg"
    frame(["a"]).to_file(path, layer="parcels")
    roads = gpd.GeoDataFrame({"road": ["G35"]}, geometry=[shapely.LineString([(0, 0), (1, 1)])],
                             crs="EPSG:4326")  # fmt: skip
    roads.to_file(path, layer="roads")
    with pytest.raises(UserError, match=r"mixed.gpkg.*: roads \(parcels: 1 row.*parcel_layers"):
        read_parcel_file(path)
    file = read_parcel_files([path], Choices({}, layers=["parcels"]))
    assert len(file.frame) == 1
    assert any("roads (LineString, 1 rows" in sentence for sentence in file.said)
    with pytest.raises(UserError, match=r"no layer fields \(layers: parcels .*roads"):
        read_parcel_files([path], Choices({}, layers=["fields"]))


@pytest.mark.parametrize("srs", [-1, 0, 99999])
def test_an_undefined_crs_is_refused_until_it_is_stated(tmp_path: Path, srs: int) -> None:
    path = tmp_path / "u.gpkg"
    frame(["a"]).to_file(path, layer="p")
    set_srs(path, srs)
    with pytest.raises(UserError, match=r"layer p of .*u.gpkg .*set inputs.parcel_crs"):
        read_parcel_file(path)
    check = check_files([path], Choices({}, "EPSG:4326"), boundary=None, settings=IntakeSettings())
    assert check.rows["outcome"].tolist() == ["ok"]
    assert "WGS 84 (EPSG:4326) as configured" in check.said[0]


def test_a_site_grid_is_no_place_on_earth(tmp_path: Path) -> None:
    path = tmp_path / "site.shp"
    frame(["a"], None).to_file(path)
    path.with_suffix(".prj").write_text(
        'LOCAL_CS["site grid",UNIT["Meter",1],AXIS["E",EAST],AXIS["N",NORTH]]'
    )
    with pytest.raises(UserError, match=r"no place on Earth.*site grid"):
        read_parcel_file(path)


def test_curves_and_surfaces_of_a_geopackage(tmp_path: Path) -> None:
    path = tmp_path / "c.gpkg"
    frame(["arc", "tin", "ok", "null"], "EPSG:32650").to_file(path, layer="p")
    x, y = 397_472.5, 3_673_998.25
    circle = struct.pack("<BII", 1, 10, 1) + struct.pack("<BII6d", 1, 8, 3, x, y, x + 100, y, x, y)
    tin = struct.pack("<BII", 1, 16, 1) + struct.pack(
        "<BIII8d", 1, 17, 1, 4, x + 200, y, x + 300, y, x + 300, y + 100, x + 200, y
    )
    header = b"GP\x00\x01" + struct.pack("<i", 32650)
    with sqlite3.connect(path) as base:
        drop_triggers(base)
        for row, wkb in ((1, circle), (2, tin)):
            base.execute("UPDATE p SET geom = ? WHERE fid = ?", (header + wkb, row))
        base.execute("UPDATE p SET geom = NULL WHERE fid = 4")
    file = read_parcel_file(path)
    assert [shape.code for shape in file.shapes] == ["", "", "", "empty_geometry"]
    area = shapely.area(file.geometries[:2])
    assert area == pytest.approx([3.14159265 * 2500, 5000], rel=1e-4)


def test_whole_number_ids_beside_a_blank_keep_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "n.gpkg"
    frame(["a", "b"], nr=[341_122_199_003_071_234, 7]).to_file(path, layer="p")
    with sqlite3.connect(path) as base:
        drop_triggers(base)
        base.execute("UPDATE p SET nr = NULL WHERE fid = 2")
    file = read_parcel_file(path, {"parcel_id": "nr"})
    assert file.frame["parcel_id"].tolist() == ["341122199003071234", None]


def shapefile(folder: Path, name: str = "rows", **columns: Any) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.shp"
    frame(["a", "b"], **columns).to_file(path)
    return path


def test_a_shapefile_without_its_index_is_read_and_its_folder_left_alone(tmp_path: Path) -> None:
    path = shapefile(tmp_path / "s")
    path.with_suffix(".shx").unlink()
    before = sorted(p.name for p in path.parent.iterdir())
    assert read_parcel_file(path).frame["parcel_id"].tolist() == ["a", "b"]
    assert sorted(p.name for p in path.parent.iterdir()) == before


def test_a_shapefile_without_its_table_names_the_missing_file(tmp_path: Path) -> None:
    path = shapefile(tmp_path / "s")
    path.with_suffix(".dbf").unlink()
    with pytest.raises(UserError, match=r"rows.dbf is missing.*\.shp, \.shx, \.dbf and \.prj"):
        read_parcel_file(path)


def test_names_cut_to_ten_characters_are_found_by_what_they_were_cut_from(tmp_path: Path) -> None:
    # 50 m squares of 0.26 ha: only mu make 3.9 of them.
    path = shapefile(tmp_path, declared_c=["maize", "rice"], declared_a=[3.9, 3.8])
    file = read_parcel_file(path)
    assert file.frame["declared_crop"].tolist() == ["maize", "rice"]
    assert file.frame["declared_area_m2"].tolist() == pytest.approx([2600, 3.8 * 10_000 / 15])
    assert any("declared_a is read as declared_area_mu" in sentence for sentence in file.said)


@pytest.mark.parametrize(("areas", "unit"), [([0.26, 0.25], 10_000), ([2600, 2500], 1)])
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32650", "EPSG:2227"])
def test_the_drawn_areas_tell_the_unit_that_was_cut_off(
    tmp_path: Path, areas: list[float], unit: float, crs: str
) -> None:
    if crs == "EPSG:2227":  # feet of California: the drawn area is in square feet
        here = gpd.GeoDataFrame(
            {"parcel_id": ["a", "b"], "farmer_id": ["x", "y"], "declared_a": areas},
            geometry=[
                shapely.box(6e6 + i * 1e3, 2e6, 6e6 + i * 1e3 + 167, 2e6 + 167) for i in (0, 1)
            ],
            crs=crs,
        )
        path = tmp_path / "rows.shp"
        here.to_file(path)
    else:
        path = shapefile(tmp_path, crs=crs, declared_a=areas)
    found = read_parcel_file(path).frame["declared_area_m2"].tolist()
    assert found == pytest.approx([area * unit for area in areas])


def test_a_cut_area_that_fits_no_unit_is_asked_about(tmp_path: Path) -> None:
    path = shapefile(tmp_path, declared_a=[55.0, 60.0])
    with pytest.raises(UserError, match=r"declared_a of .*rows.shp .*parcel_columns"):
        read_parcel_file(path)
    file = read_parcel_file(path, {"declared_area_m2": "declared_a"})
    assert file.frame["declared_area_m2"].tolist() == [55.0, 60.0]


def test_common_and_configured_names_cut_to_ten_characters(tmp_path: Path) -> None:
    path = tmp_path / "own.shp"
    frame(["a", "b"]).rename(columns={"parcel_id": "parcel_num", "farmer_id": "farmer_num"}).assign(
        declared_c=["maize", None], owner_nati=["1", "2"]
    ).to_file(path)
    file = read_parcel_file(path, {"id_number": "owner_national_id"})
    assert file.frame["parcel_id"].tolist() == ["a", "b"]
    assert file.frame["farmer_id"].tolist() == ["f-a", "f-b"]
    assert file.frame["id_number"].tolist() == ["1", "2"]
    # `customer_n` may be the customer's number or name: nobody guesses which.
    frame(["a", "b"]).rename(columns={"farmer_id": "customer_n"}).to_file(path)
    with pytest.raises(UserError, match=r"no column farmer_id .*customer_n"):
        read_parcel_file(path)


def test_names_of_other_formats_are_never_lengthened(tmp_path: Path) -> None:
    path = tmp_path / "p.gpkg"
    frame(["a"], declared_c=["maize"]).to_file(path, layer="p")
    assert read_parcel_file(path).frame["declared_crop"].tolist() == [None]


def test_zipped_files_are_read_every_one(tmp_path: Path) -> None:
    shapefile(tmp_path / "s", "dong")
    frame(["c"]).to_file(tmp_path / "s" / "xi.geojson")
    packed = tmp_path / "all.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((tmp_path / "s").iterdir()):
            archive.write(path, f"villages/{path.name}")
        archive.writestr("__MACOSX/villages/._xi.geojson", "junk")
        archive.writestr("readme.txt", "hello")
    file = read_parcel_file(packed)
    assert file.frame["parcel_id"].tolist() == ["a", "b", "c"]
    assert file.places.labels == ("dong", "xi")


def test_a_kmz_is_the_kml_inside(tmp_path: Path) -> None:
    kml = (
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Folder><Placemark><ExtendedData>'
        '<Data name="parcel_id"><value>a</value></Data><Data name="farmer_id"><value>f</value>'
        "</Data></ExtendedData><MultiGeometry><Point><coordinates>1,1</coordinates></Point>"
        "<MultiGeometry><Polygon><outerBoundaryIs><LinearRing><coordinates>1,1 2,1 2,2 1,1"
        "</coordinates></LinearRing></outerBoundaryIs></Polygon></MultiGeometry></MultiGeometry>"
        "</Placemark></Folder></Document></kml>"
    )
    path = tmp_path / "phone.kmz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("doc.kml", kml)
    file = read_parcel_file(path)
    assert file.frame["parcel_id"].tolist() == ["a"]
    assert file.geometries[0].area == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("names", "says"),
    [(["readme.txt"], "holds no outline file"), ([], "nothing"), (None, "cannot be unpacked")],
)
def test_archives_that_hold_no_outline_are_one_sentence(
    tmp_path: Path, names: list[str] | None, says: str
) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"no zip")
    if names is not None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "x")
    with pytest.raises(UserError, match=says):
        read_parcel_file(path)


TRACK = '<gx:{0} xmlns:gx="http://www.google.com/kml/ext/2.2"><gx:coord>1 1 3</gx:coord></gx:{0}>'


@pytest.mark.parametrize(
    "drawn",
    [TRACK.format("Track"), TRACK.format("MultiTrack"), "<Point/>", "<LineString/>", "<Model/>"],
)
def test_walked_lines_of_a_kml_are_no_polygon(tmp_path: Path, drawn: str) -> None:
    path = tmp_path / "w.kml"
    path.write_text(
        "<kml><Placemark><ExtendedData><Data name='parcel_id'><value>a</value></Data>"
        f"<Data name='farmer_id'><value>f</value></Data></ExtendedData>{drawn}</Placemark></kml>"
    )
    check = check_files([path], Choices({}), boundary=None, settings=IntakeSettings())
    assert check.rows["outcome"].tolist() == ["not_a_polygon"]
    assert "closed outline" in check.rows["remedy"][0]


def test_a_kml_that_only_links_elsewhere_says_so(tmp_path: Path) -> None:
    path = tmp_path / "l.kml"
    path.write_text(
        "<kml><NetworkLink><Link><href>http://x/y.kml</href></Link></NetworkLink></kml>"
    )
    with pytest.raises(UserError, match="link to another file"):
        read_parcel_file(path)


def test_a_boundary_of_two_layers_is_both(tmp_path: Path) -> None:
    path = tmp_path / "county.gpkg"
    for name, west in (("east", 11.5), ("west", 11.0)):
        piece = gpd.GeoDataFrame(geometry=[shapely.box(west, 48, west + 0.5, 49)], crs="EPSG:4326")
        piece.to_file(path, layer=name)
    assert read_boundary(path).area == pytest.approx(1.0)
    shutil.copy(path, tmp_path / "undefined.gpkg")
    set_srs(tmp_path / "undefined.gpkg", -1)
    with pytest.raises(UserError, match=r"undefined.gpkg has no CRS.*Undefined"):
        read_boundary(tmp_path / "undefined.gpkg")
