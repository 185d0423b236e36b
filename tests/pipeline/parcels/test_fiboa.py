"""parcels.parquet against the vecorel command line's own validator, without a network.

The validator normally downloads three schemas. Their rules are written out below from the published
specifications (vecorel core 0.1.0, fiboa 0.3.0, GeoParquet 1.1.0) and handed to it instead.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely
from vecorel_cli.validate import ValidateData
from vecorel_cli.vecorel import util

from fieldline.pipeline.parcels.fiboa import FIBOA, SDL, VECOREL, read_parcels, write_parcels
from fieldline.pipeline.records.errors import SchemaError, UserError

CORE_RULES = {
    "$schema": SDL,
    "required": ["schemas", "id", "collection", "geometry"],
    "collection": {"schemas": True, "id": False, "geometry": False, "bbox": False},
    "properties": {
        "schemas": {"type": "array", "items": {"type": "string", "format": "uri"}},
        "id": {"type": "string", "minLength": 1},
        "collection": {"type": "string", "minLength": 1},
        "geometry": {"type": "geometry"},
        "bbox": {"type": "bounding-box"},
    },
}
METHODS = ["manual", "driven", "surveyed", "auto-operation", "auto-imagery", "unknown"]
FIBOA_RULES = {
    "$schema": SDL,
    "collection": {"metrics:area": False, "metrics:perimeter": False},
    "properties": {
        "metrics:area": {"type": "float", "exclusiveMinimum": 0, "maximum": 1e9},
        "metrics:perimeter": {"type": "float", "exclusiveMinimum": 0, "maximum": 1.25e9},
        "determination:method": {"type": "string", "enum": METHODS},
    },
}
GEOPARQUET_RULES = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "required": ["version", "primary_column", "columns"],
    "properties": {
        "version": {"const": "1.1.0"},
        "primary_column": {"type": "string", "minLength": 1},
        "columns": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "type": "object",
                "required": ["encoding", "geometry_types"],
                "properties": {
                    "encoding": {"enum": ["WKB"]},
                    "geometry_types": {
                        "type": "array",
                        "uniqueItems": True,
                        "items": {"enum": ["Polygon", "MultiPolygon"]},
                    },
                    "orientation": {"const": "counterclockwise"},
                    "edges": {"enum": ["planar", "spherical"]},
                    "bbox": {"type": "array", "minItems": 4, "maxItems": 4},
                    "covering": {"type": "object", "required": ["bbox"]},
                },
            },
        },
    },
}


def parcels(**changes: Any) -> gpd.GeoDataFrame:
    frame = pd.DataFrame(
        {
            "id": ["b", "a"],
            "parcel_id": ["b", "a"],
            "collection": "X1_2023",
            "farmer_id": ["F1", "F2"],
            "village": ["东村", None],
            "declared_crop": [None, "maize"],
            "declared_area_m2": [np.nan, 6667.0],
            "metrics:area": np.array([100.0, 200.0], dtype=np.float32),
            "metrics:perimeter": np.array([40.0, 60.0], dtype=np.float32),
            "determination:method": "manual",
            "repair": "",
        }
    ).assign(**changes)
    rings = [shapely.box(11, 48, 11.001, 48.001), shapely.box(12, 48, 12.001, 48.001)]
    return gpd.GeoDataFrame(frame, geometry=rings, crs="EPSG:4326")


@pytest.fixture
def schema_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    geoparquet = "https://geoparquet.org/releases/v1.1.0/schema.json"
    monkeypatch.setitem(util.file_cache, geoparquet, GEOPARQUET_RULES)
    places = {}
    for uri, rules in {VECOREL: CORE_RULES, FIBOA: FIBOA_RULES}.items():
        path = tmp_path / f"{uri.split('/')[2]}.json"
        path.write_text(json.dumps(rules))
        places[uri] = str(path)
    return places


def problems(path: Path, schema_map: dict[str, str]) -> list[str]:
    result = ValidateData().validate(path, schema_map=schema_map)
    return [str(p) for p in (*result.errors, *result.warnings)]


def test_the_vecorel_validator_finds_nothing_to_say(
    tmp_path: Path, schema_map: dict[str, str]
) -> None:
    path = tmp_path / "parcels.parquet"
    write_parcels(parcels(), "X1_2023", path)
    assert problems(path, schema_map) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"determination:method": "guessed"}, "determination:method"),
        ({"metrics:area": np.array([0, 1], dtype=np.float32)}, "metrics:area"),
        ({"id": ["", "a"]}, "id"),
        ({"collection": ""}, "collection"),
    ],
)
def test_the_validator_sees_what_is_wrong(
    tmp_path: Path, schema_map: dict[str, str], change: dict[str, Any], says: str
) -> None:
    path = tmp_path / "parcels.parquet"
    write_parcels(parcels(**change), "X1_2023", path)
    assert any(says in problem for problem in problems(path, schema_map))


def test_reading_gives_back_what_was_written_sorted(tmp_path: Path) -> None:
    path = tmp_path / "parcels.parquet"
    write_parcels(parcels(), "X1_2023", path)
    frame = read_parcels(path)
    assert frame["parcel_id"].tolist() == ["a", "b"]
    assert frame.geometry.iloc[0].equals(shapely.box(12, 48, 12.001, 48.001))
    assert frame.crs == "EPSG:4326"
    assert read_parcels(path, "EPSG:32632").total_bounds[0] > 500_000


def test_boxes_let_a_reader_skip_rows(tmp_path: Path) -> None:
    path = tmp_path / "parcels.parquet"
    write_parcels(parcels(), "X1_2023", path)
    assert gpd.read_parquet(path, bbox=(10.9, 47.9, 11.1, 48.1))["parcel_id"].tolist() == ["b"]


def test_no_parcels_is_a_valid_file(tmp_path: Path, schema_map: dict[str, str]) -> None:
    path = tmp_path / "parcels.parquet"
    write_parcels(parcels().iloc[:0], "X1_2023", path)
    assert problems(path, schema_map) == []
    assert len(read_parcels(path)) == 0


def test_a_broken_frame_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "parcels.parquet"
    with pytest.raises(SchemaError, match="farmer_id"):
        write_parcels(parcels(farmer_id=["F1", None]), "X1_2023", path)
    assert list(tmp_path.iterdir()) == []


def test_units_and_descriptions_travel_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "parcels.parquet"
    write_parcels(parcels(), "X1_2023", path)
    assert pq.read_schema(path).field("metrics:area").metadata[b"unit"] == b"m2"


def test_absent_and_foreign_files_are_user_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="intake stage"):
        read_parcels(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("no")
    with pytest.raises(UserError, match="not GeoParquet"):
        read_parcels(tmp_path / "text.parquet")
