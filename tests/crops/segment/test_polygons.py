"""Regions as polygons: holes, tiny fields, common borders and the columns of fiboa."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import shapely
from rasterio.transform import from_origin

from fieldline.crops.segment.delineate import regions_of
from fieldline.crops.segment.pairs import OFFSETS
from fieldline.crops.segment.polygons import polygons_of, write_fields
from fieldline.crops.settings import SegmentSettings

PLACE = from_origin(600_000, 5_700_000, 5, 5)


def test_a_pond_stays_a_hole_and_the_pond_stays_a_field_of_its_own() -> None:
    labels = np.ones((40, 40), np.int32)
    labels[18:22, 18:22] = 2
    found = polygons_of(labels, PLACE, 5.0)
    outer, pond = (found.geometry[found.label == n].iloc[0] for n in (1, 2))
    assert len(outer.interiors) == 1
    assert pond.area == 400.0
    assert outer.area + pond.area == 40_000.0


def test_simplified_neighbours_neither_overlap_nor_leave_a_gap() -> None:
    rows, columns = np.indices((60, 60))
    labels = (1 + (rows * 2 + columns > 90) + 2 * (rows - columns > 7)).astype(np.int32)
    found = polygons_of(labels, PLACE, 8.0)
    assert shapely.is_valid(np.asarray(found.geometry)).all()
    whole = shapely.union_all(np.asarray(found.geometry))
    assert abs(found.area.sum() - whole.area) < 1e-6
    assert len(whole.interiors) == 0
    corners = shapely.get_num_coordinates(np.asarray(found.geometry)).sum()
    rough = polygons_of(labels, PLACE, 0.0)
    assert corners < shapely.get_num_coordinates(np.asarray(rough.geometry)).sum() / 3


def test_fields_are_written_with_the_columns_of_fiboa(tmp_path: Path) -> None:
    square = shapely.box(600_000, 5_699_900, 600_100, 5_700_000)
    frame = gpd.GeoDataFrame(
        {"id": ["F1"], "confidence": [0.9], "cover": ["wood"], "details": ["network x"],
         "seen_on": [dt.datetime(2021, 5, 1, tzinfo=dt.UTC)]},
        geometry=[square], crs=32632,
    )  # fmt: skip
    write_fields(frame, "test", tmp_path / "f.parquet")
    read = gpd.read_parquet(tmp_path / "f.parquet")
    assert read["metrics:area"].tolist() == [10_000.0]
    assert read["metrics:perimeter"].tolist() == [400.0]
    assert read["determination:method"].tolist() == ["auto-imagery"]
    assert read["cover"].tolist() == ["wood"]
    assert abs(read.to_crs(32632).area.iloc[0] - 10_000) < 0.1
    header = pq.read_schema(tmp_path / "f.parquet").metadata
    assert "fiboa" in json.loads(header[b"collection"])["schemas"]["test"][1]


def test_two_fields_told_apart_by_their_pairs_are_two_regions_and_unseen_land_is_none() -> None:
    probability = np.full((len(OFFSETS), 40, 60), 255, np.uint8)
    for at, (_, columns) in enumerate(OFFSETS):
        for column in range(60):
            if min(column, column + columns) < 30 <= max(column, column + columns):
                probability[at][:, column] = 0
    probability[:, 30:] = 0
    found = regions_of(probability, SegmentSettings(), 5.0)
    assert len(np.unique(found.labels[found.labels > 0])) == 2
    assert (found.labels[31:] == 0).all()
    assert found.labels[5, 5] != found.labels[5, 55]


def test_land_whose_neighbours_lie_in_no_field_is_none_where_the_network_knows_such_land() -> None:
    probability = np.full((len(OFFSETS), 40, 60), 255, np.uint8)
    for at, (_, columns) in enumerate(OFFSETS):
        probability[at][:, 30 - abs(columns) :] = 40
    known = regions_of(probability, SegmentSettings(), 5.0, complete=True)
    assert (known.labels[:, :20] > 0).all()
    assert (known.labels[:, 38:] == 0).all()
    sparse = regions_of(probability, SegmentSettings(), 5.0)
    assert (sparse.labels[:, 38:] > 0).mean() > 0.5
