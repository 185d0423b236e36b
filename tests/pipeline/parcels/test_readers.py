"""Reading: columns, units and the encodings that real files come in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldline.pipeline.parcels.readers import read_parcel_file
from fieldline.pipeline.records.encodings import legacy_encoding, recover
from fieldline.pipeline.records.errors import UserError
from tests.pipeline.parcels.bad_parcels import (
    Row,
    polygon,
    square,
    write_csv,
    write_geojson,
    write_vector,
)

FREE = (11.05, 48.05)
CHINESE = ["王小明", "李芳", "张伟", "刘洋", "陈静"]
GERMAN = ["Jürgen Müller", "Käthe Groß", "Rüdiger Böhm", "Anna Schmidt", "Jörg Weiß"]


def rows(names: list[str]) -> list[Row]:
    return [
        Row(f"p{i}", "ok", polygon(square(FREE[0] + 0.01 * i, FREE[1])), name=name, village=name)
        for i, name in enumerate(names)
    ]


@pytest.mark.parametrize(
    ("names", "encoding"), [(CHINESE, "gb18030"), (CHINESE, "utf-8"), (CHINESE, "utf-8-sig")]
)
def test_csv_names_survive_their_encoding(tmp_path: Path, names: list[str], encoding: str) -> None:
    path = tmp_path / "rows.csv"
    write_csv(rows(names), path, [encoding] if encoding != "utf-8-sig" else ["utf-8"])
    if encoding == "utf-8-sig":
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    frame = read_parcel_file(path, crs="EPSG:4326").frame
    assert frame["name"].tolist() == names
    noted = "text_decoded" if encoding == "gb18030" else ""
    assert frame["text_note"].tolist() == [noted] * len(names)


def test_latin_names_are_read_as_latin(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    latin = [Row(r.parcel_id, "ok", r.geometry, name=r.name, village="Hof") for r in rows(GERMAN)]
    write_csv(latin, path, ["cp1252"])
    frame = read_parcel_file(path, crs="EPSG:4326").frame
    assert frame["name"].tolist() == GERMAN
    assert frame["text_encoding"].tolist() == ["cp1252"] * 3 + [""] + ["cp1252"]


def test_one_legacy_line_among_utf8_lines_is_decoded_alone(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    write_csv(rows(CHINESE), path, ["utf-8", "utf-8", "utf-8", "utf-8", "gb18030"])
    frame = read_parcel_file(path, crs="EPSG:4326").frame
    assert frame["name"].tolist() == CHINESE
    assert frame["text_note"].tolist() == [""] * 4 + ["text_decoded"]


def test_gbk_that_looks_like_utf8_is_still_read_as_gbk(tmp_path: Path) -> None:
    # The GBK bytes of this village are valid UTF-8 for two other characters.
    assert "隆隆".encode("gbk").decode("utf-8") == "¡¡"
    path = tmp_path / "rows.csv"
    write_csv(rows([*CHINESE, "隆隆"]), path, ["gb18030"])
    assert read_parcel_file(path, crs="EPSG:4326").frame["village"].tolist()[-1] == "隆隆"


def test_shapefile_in_gbk(tmp_path: Path) -> None:
    path = tmp_path / "rows.shp"
    write_vector(rows(CHINESE), path, "EPSG:4326", encoding="gbk")
    for side in tmp_path.glob("*.cpg"):
        side.unlink()
    columns = {"declared_crop": "crop", "declared_area_mu": "area_mu"}
    frame = read_parcel_file(path, columns).frame
    assert frame["name"].tolist() == CHINESE
    assert set(frame["text_note"]) == {"text_decoded"}


def test_geojson_with_one_damaged_name_keeps_all_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.geojson"
    write_geojson(rows(CHINESE), path)
    data = path.read_bytes().replace("张伟".encode(), b"\xe5\xbc\xff\x81", 1)
    path.write_bytes(data)
    frame = read_parcel_file(path).frame
    assert frame["text_note"].tolist().count("") == 4
    assert frame["text_note"].iloc[2] in ("text_damaged", "text_decoded")


@given(st.binary(max_size=40))
def test_any_bytes_become_readable_text(raw: bytes) -> None:
    cell = raw.decode("utf-8", "surrogateescape")
    legacy, whole_file = legacy_encoding([cell])
    decoded = recover(cell, legacy, whole_file)
    decoded.text.encode("utf-8")  # no lone surrogate is left
    if cell.isascii():
        assert decoded.text == cell


@given(st.text(st.characters(categories=["Cs", "Lo", "Nd"]), max_size=20))
def test_any_string_of_a_json_file_becomes_readable_text(cell: str) -> None:
    recover(cell, *legacy_encoding([cell])).text.encode("utf-8")


def test_line_separators_inside_a_name_do_not_split_the_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    text = "parcel_id,farmer_id,name,geometry\r\n1,2,A\u2028B\x85C,\r\n3,4,D,\r\n"
    path.write_bytes(text.encode())
    assert read_parcel_file(path, crs="EPSG:4326").frame["parcel_id"].tolist() == ["1", "3"]


@pytest.mark.parametrize(
    "geometry",
    ['{"type":"Polygon","coordinates":[[[1' + "0" * 400 + ',0],[1,0],[1,1]]]}',
     '{"type":"Polygon","coordinates":[[[1e999,0],[1,0],[1,1]]]}',
     '{"type":"Polygon","coordinates":"none"}',
     '{"type":"Polygon","coordinates":[[{"x":1},{"x":2},{"x":3}]]}',
     '{"type":"Polygon","coordinates":[7]}',
     '{"type":"MultiPolygon","coordinates":[[]]}',
     '"POLYGON EMPTY"', "[]", "7"],
)  # fmt: skip
def test_no_geometry_however_odd_stops_a_file(tmp_path: Path, geometry: str) -> None:
    path = tmp_path / "rows.geojson"
    path.write_text(
        '{"type":"FeatureCollection","features":[{"type":"Feature",'
        '"properties":{"parcel_id":"\\ud800","farmer_id":1},"geometry":' + geometry + "}]}"
    )
    file = read_parcel_file(path)
    assert file.shapes[0].code in ("unreadable_geometry", "nan_coordinates", "empty_geometry")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"features": [1' + "0" * 5000 + "]}"])
def test_hostile_json_is_a_user_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.geojson"
    path.write_text(text)
    with pytest.raises(UserError):
        read_parcel_file(path)


@pytest.mark.parametrize(
    ("column", "value", "square_metres"),
    [
        ("declared_area_mu", "3", 2000.0),
        ("declared_area_mu", "15", 10_000.0),
        ("declared_area_ha", "0.2", 2000.0),
        ("declared_area_m2", "2000", 2000.0),
    ],
)
def test_areas_become_square_metres(
    tmp_path: Path, column: str, value: str, square_metres: float
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"parcel_id,farmer_id,{column},geometry\n1,2,{value},POINT(1 1)\n")
    frame = read_parcel_file(path, crs="EPSG:4326").frame
    assert frame["declared_area_m2"].iloc[0] == pytest.approx(square_metres, rel=1e-12)


def test_own_column_names_are_mapped_and_numbers_are_ids(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("nr;owner_no;shape\n7;12;POLYGON((0 0,1 0,1 1,0 0))\n;;\n")
    mapping = {"parcel_id": "nr", "farmer_id": "owner_no", "geometry": "shape"}
    file = read_parcel_file(path, mapping, "EPSG:4326")
    assert file.frame[["parcel_id", "farmer_id"]].to_numpy().tolist() == [["7", "12"]]
    assert file.shapes[0].geometry is not None


def test_a_mapped_column_that_is_absent_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('parcel_id,farmer_id,geometry\n7,12,"POLYGON((0 0,1 0,1 1,0 0))"\n')
    with pytest.raises(UserError, match="village"):
        read_parcel_file(path, {"village": "cun"}, "EPSG:4326")
    with pytest.raises(UserError, match="EPSG:nothing"):
        read_parcel_file(path, None, "EPSG:nothing")


def test_feature_ids_serve_where_no_column_does(tmp_path: Path) -> None:
    path = tmp_path / "rows.geojson"
    path.write_text(
        '{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"EPSG:32632"}},'
        '"features":[{"type":"Feature","id":5,"properties":{"farmer_id":1},"geometry":null},"junk"]}'
    )
    file = read_parcel_file(path)
    assert file.frame["parcel_id"].tolist() == ["5", None]
    assert [shape.code for shape in file.shapes] == ["empty_geometry"] * 2
    assert file.crs is not None
    assert file.crs.to_epsg() == 32632
