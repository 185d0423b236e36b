"""GeoParquet outlines beside the same ones as GeoPackage."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely
from shapely.geometry import MultiPolygon, box

from fieldline.pipeline.parcels.readers import csv_columns, read_parcel_file, read_raw_parcels
from fieldline.pipeline.records.errors import UserError


def _fields(crs: str) -> gpd.GeoDataFrame:
    holed = box(8.0, 53.0, 8.01, 53.01) - box(8.004, 53.004, 8.006, 53.006)
    shapes = [holed, shapely.force_3d(MultiPolygon([box(8.1, 53.1, 8.11, 53.11)]), 4.0), None]
    columns = {"parcel_id": ["P1", "P2", "P3"], "farmer_id": ["F1", "F1", "F2"]}
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=4326).to_crs(crs)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32632", "EPSG:3857"])
@pytest.mark.parametrize("suffix", [".parquet", ".geoparquet"])
def test_the_same_outlines_come_from_geoparquet_and_geopackage(
    tmp_path: Path, crs: str, suffix: str
) -> None:
    made = _fields(crs).rename_geometry("outline")
    made.to_parquet(tmp_path / f"f{suffix}")
    made.to_file(tmp_path / "f.gpkg")
    ours, theirs = (read_parcel_file(tmp_path / name) for name in (f"f{suffix}", "f.gpkg"))
    assert ours.frame[["parcel_id", "farmer_id"]].equals(theirs.frame[["parcel_id", "farmer_id"]])
    raw, other = (read_raw_parcels(tmp_path / name) for name in (f"f{suffix}", "f.gpkg"))
    assert raw.crs is not None
    assert raw.crs.equals(other.crs)
    pairs = list(zip(raw.shapes, other.shapes, strict=True))
    assert [one.code for one, _ in pairs] == [two.code for _, two in pairs]
    assert all(one.geometry.equals(two.geometry) for one, two in pairs[:2])


def test_without_a_stated_crs_the_standards_own_counts(tmp_path: Path) -> None:
    _fields("EPSG:4326").to_crs("OGC:CRS84").to_parquet(tmp_path / "f.parquet")
    raw = read_raw_parcels(tmp_path / "f.parquet")
    assert raw.crs is not None
    assert raw.crs.is_geographic
    assert csv_columns(tmp_path / "f.parquet") is None


def test_the_encodings_of_the_specification_are_read_and_others_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    one = _fields("EPSG:4326").iloc[:1]
    one.to_parquet(path, geometry_encoding="geoarrow")
    drawn = read_raw_parcels(path).shapes[0].geometry
    assert drawn is not None
    assert drawn.equals(one.geometry.iloc[0])
    table = pq.read_table(path)
    told = table.schema.metadata[b"geo"].replace(b'"encoding": "polygon"', b'"encoding": "raster"')
    pq.write_table(table.replace_schema_metadata({b"geo": told}), path)
    with pytest.raises(UserError, match=r"outlines as 'raster'.*export it again"):
        read_raw_parcels(path)


def test_outlines_as_bytes_of_a_plain_table_need_their_crs_stated(tmp_path: Path) -> None:
    """DuckDB and pandas write WKB so, without the metadata of GeoParquet."""
    path = tmp_path / "f.parquet"
    fields = _fields("EPSG:4326").iloc[:2]
    pd.DataFrame(fields).assign(geometry=fields.to_wkb()["geometry"]).to_parquet(path)
    with pytest.raises(UserError, match="does not say its coordinate reference system"):
        read_parcel_file(path)
    read = read_parcel_file(path, crs="EPSG:4326")
    assert read.frame["parcel_id"].tolist() == fields["parcel_id"].tolist()
    assert all(g.equals(h) for g, h in zip(read.geometries, fields.geometry, strict=True))


def test_plain_tables_are_read_as_text(tmp_path: Path) -> None:
    text = {"parcel_id": ["P1"], "wkt": ["POLYGON((8 53, 8.1 53, 8.1 53.1, 8 53))"]}
    pd.DataFrame(text).to_parquet(tmp_path / "t.parquet")
    assert csv_columns(tmp_path / "t.parquet") == {
        "parcel_id": ["P1"],
        "wkt": ["POLYGON((8 53, 8.1 53, 8.1 53.1, 8 53))"],
    }
