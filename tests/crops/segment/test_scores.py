"""Figures of field polygons on squares whose overlaps a person can work out."""

from __future__ import annotations

import geopandas as gpd
import pytest
from shapely.geometry import box

from fieldline.crops.segment.scores import score_fields

DRAWN = gpd.GeoSeries([box(0, 0, 100, 100), box(200, 0, 300, 100)], crs=32632)


def test_overlap_objects_and_quality_by_hand() -> None:
    seen = gpd.GeoSeries(
        [box(0, 0, 100, 80), box(200, 0, 240, 100), box(900, 900, 990, 990)], crs=32632
    )
    found = score_fields(DRAWN, seen)
    assert found["iou_by_field"] == [0.8, 0.4]
    assert found["iou"]["value"] == pytest.approx(0.6)
    half = found["objects"]["by_iou"]["0.50"]
    assert (half["precision"], half["recall"], half["f1"]) == (0.5, 0.5, 0.5)
    assert half["pq"] == pytest.approx(0.8 / 2)
    assert found["objects"]["by_iou"]["0.85"]["f1"] == 0.0
    # Far from any drawn field nothing says whether a seen one is invented, unless all are drawn.
    assert found["judged"] == 2
    everywhere = score_fields(DRAWN, seen, complete=True)
    assert everywhere["objects"]["by_iou"]["0.50"]["precision"] == pytest.approx(1 / 3)


def test_a_field_cut_in_four_is_one_miss_and_four_inventions() -> None:
    quarters = [box(x, y, x + 50, y + 50) for x in (0, 50) for y in (0, 50)]
    found = score_fields(DRAWN[:1], gpd.GeoSeries(quarters, crs=32632))
    assert found["iou"]["value"] == pytest.approx(0.25)
    assert found["judged"] == 4
    assert found["objects"]["by_iou"]["0.50"]["f1"] == 0.0


def test_two_fields_seen_as_one_are_a_miss_that_counts() -> None:
    drawn = gpd.GeoSeries([box(0, 0, 100, 100), box(100, 0, 200, 100)], crs=32632)
    found = score_fields(drawn, gpd.GeoSeries([box(0, 0, 200, 100)], crs=32632))
    assert found["iou_by_field"] == [0.5, 0.5]
    assert found["objects"]["by_iou"]["0.50"]["f1"] == 0.0


def test_borders_of_a_field_that_is_ten_metres_larger_all_round_lie_ten_metres_off() -> None:
    seen = gpd.GeoSeries([box(-10, -10, 110, 110)], crs=32632)
    found = score_fields(DRAWN[:1], seen)
    assert found["boundary_m"]["value"] == pytest.approx(10.0, abs=0.3)
    assert list(found["by_size_ha"]) == ["0.5-2"]


def test_where_nothing_is_seen_no_border_has_a_distance() -> None:
    found = score_fields(DRAWN, gpd.GeoSeries([], crs=32632))
    assert found["iou"]["value"] == 0.0
    assert found["boundary_m"] == {"value": None, "interval": None, "fields": 0}
    assert found["objects"]["by_iou"]["0.50"]["precision"] == 0.0
