"""Protected areas: all layers, any encoding, a place on Earth, and doubt on the safe side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from shapely.geometry import Point, box

from fieldline.lending.protected import ProtectedAreas, read_protected_areas
from fieldline.lending.rows import account_protected
from fieldline.pipeline.inputs.read import Reading
from fieldline.pipeline.records.errors import UserError
from tests.lending.conftest import AS_OF

UTM = "EPSG:32650"


def areas(path: Path, **columns: str) -> ProtectedAreas:
    return read_protected_areas(path, Reading(columns=columns, place="inputs"))


def names(path: Path, **columns: str) -> list[str]:
    return areas(path, **columns).in_force(AS_OF)["name"].tolist()


def square(x: float = 0) -> Any:
    return box(500_000 + x, 3_800_000, 500_100 + x, 3_800_100)


def layer(path: Path, name: str, rows: list[dict[str, Any]], crs: str | None = UTM) -> None:
    shapes = [row.pop("geometry", square()) for row in rows]
    frame = gpd.GeoDataFrame(rows, geometry=shapes, crs=crs)
    frame.to_file(path, layer=name, driver="GPKG")


def test_every_layer_is_read_wherever_it_was_drawn(tmp_path: Path) -> None:
    path = tmp_path / "p.gpkg"
    layer(path, "wetland", [{"name": "reed", "valid_to": ""}])
    lonlat = gpd.GeoSeries([square(200)], crs=UTM).to_crs("EPSG:4326")[0]
    layer(path, "forest", [{"name": "oak", "geometry": lonlat}], crs="EPSG:4326")
    found = areas(path)
    assert found.table.remarks[-1] == "layers read: wetland, forest"
    force = found.in_force(AS_OF)
    assert force["name"].tolist() == ["reed", "oak"]
    both = force.to_crs(UTM).geometry
    assert both.area.tolist() == pytest.approx([10_000, 10_000], rel=1e-6)
    assert both.bounds["minx"].tolist() == pytest.approx([500_000, 500_200])


def test_areas_are_read_from_chinese_columns_in_a_shapefile_of_gbk(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {"名称": ["湿地", "林地"], "失效日期": ["2024/9/29", "长期"]},
        geometry=[square(), square(200)], crs=UTM,
    )  # fmt: skip
    frame.to_file(tmp_path / "p.shp", encoding="GBK")
    (tmp_path / "p.cpg").unlink(missing_ok=True)
    assert names(tmp_path / "p.shp", name="名称") == ["林地"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_geojson_is_read_in_the_encoding_it_was_saved_in(tmp_path: Path, encoding: str) -> None:
    ring = [[117.0, 34.0], [117.1, 34.0], [117.1, 34.1], [117.0, 34.0]]
    feature = {
        "type": "Feature", "properties": {"name": "湿地", "valid_from": "2020-01-01"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }  # fmt: skip
    odd = {**feature, "geometry": {"type": "Polygon", "coordinates": "none"}}
    text = json.dumps({"type": "FeatureCollection", "features": [odd, feature]}, ensure_ascii=False)
    path = tmp_path / "p.geojson"
    path.write_bytes(text.encode(encoding))
    assert names(path) == ["湿地"]
    told = [(p.row, p.column, p.code) for p in areas(path).table.problems]
    assert told == [(1, "geometry", "empty_geometry")]


@pytest.mark.parametrize(
    ("begins", "ends", "counts", "told"),
    [
        ("", "", True, []),
        ("2024-09-30 16:00", "2024-09-30", True, []),
        ("2024-10-01", "", False, []),
        ("2020-01-01", "2024-09-29", False, []),
        ("soon", "", True, [("valid_from", "input_date_in_force")]),
        ("2020-01-01", "expired?", True, [("valid_to", "input_date_in_force")]),
        ("2025-01-01", "2024-01-01", True, [("valid_to", "input_date_in_force")]),
        ("2025-01-01", "03/04/2024", True, [("valid_to", "input_date_in_force")]),
    ],
)
def test_an_area_whose_dates_cannot_be_right_is_in_force(
    tmp_path: Path, begins: str, ends: str, counts: bool, told: list[tuple[str, str]]
) -> None:
    path = tmp_path / "p.gpkg"
    layer(path, "p", [{"name": "a", "valid_from": begins, "valid_to": ends}])
    found = areas(path)
    assert len(found.in_force(AS_OF)) == counts
    assert [(p.column, p.code) for p in found.table.problems] == told
    assert found.table.bad_rows == set()


def test_an_area_that_is_not_yet_in_force_is_accounted_for(tmp_path: Path) -> None:
    path = tmp_path / "p.gpkg"
    layer(path, "p", [{"name": "a", "valid_from": d} for d in ("2024-09-30", "2024-10-01", "x")])
    told = account_protected(areas(path).table, AS_OF)
    assert [(p.row, p.code) for p in told] == [(2, "input_after_as_of")]


def test_a_layer_without_columns_is_in_force(tmp_path: Path) -> None:
    path = tmp_path / "p.gpkg"
    gpd.GeoDataFrame(geometry=[square()], crs=UTM).to_file(path, driver="GPKG")
    assert len(areas(path).in_force(AS_OF)) == 1


def test_a_point_is_no_area_and_stops_no_other(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {"name": ["office", "reed", "nothing"]},
        geometry=[Point(500_000, 3_800_000), square(), None], crs=UTM,
    )  # fmt: skip
    path = tmp_path / "p.gpkg"
    frame.to_file(path, driver="GPKG")
    found = areas(path)
    assert found.in_force(AS_OF)["name"].tolist() == ["reed"]
    told = [(p.row, p.code) for p in found.table.problems]
    assert told == [(1, "not_a_polygon"), (3, "empty_geometry")]


LOCAL = (
    'ENGCRS["Undefined Cartesian SRS",EDATUM["Unknown"],CS[Cartesian,2],'
    'AXIS["x",east],AXIS["y",north],LENGTHUNIT["metre",1]]'
)


@pytest.mark.parametrize(("crs", "said"), [(None, "carries no CRS"), (LOCAL, "nowhere on Earth")])
def test_a_layer_that_lies_nowhere_is_one_sentence(
    tmp_path: Path, crs: str | None, said: str
) -> None:
    path = tmp_path / "p.gpkg"
    layer(path, "reed", [{"name": "a"}], crs=crs)
    with pytest.raises(UserError, match=said) as told:
        areas(path)
    assert "layer reed of" in told.value.problem
    assert told.value.remedy.endswith("for example EPSG:4326")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.gpkg", b"", "cannot be opened as a map file"),
        ("p.gpkg", b"SQLite format 3\0" + b"\1" * 200, "cannot be opened as a map file"),
        ("p.geojson", b'{"type": "FeatureColl', "cannot be opened as a map file"),
        ("p.csv", b"name,valid_to\na,2024-01-01\n", "holds no layer of outlines"),
    ],
)
def test_a_file_that_is_no_map_is_one_sentence(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=said):
        areas(path)
    with pytest.raises(UserError, match=r"does not exist: correct inputs\.protected"):
        areas(tmp_path / "absent.gpkg")
