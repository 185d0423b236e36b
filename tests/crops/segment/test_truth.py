"""Which drawn fields count: each once, within the scenes, none learnt from."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
from shapely.geometry import Polygon, box

from fieldline.crops.segment.outlines import read_outlines
from fieldline.crops.segment.scores import score_fields
from fieldline.crops.segment.truth import drawn_apart
from fieldline.pipeline.imagery.grid import Grid, grid_around
from fieldline.pipeline.imagery.settings import GridSettings
from fieldline.pipeline.records.errors import UserError

CRS = "EPSG:32632"


def _grid() -> Grid:
    return grid_around((0.0, 0.0, 100.0, 100.0), CRS, GridSettings(margin_m=0.0))


def _series(*boxes: tuple[float, float, float, float]) -> gpd.GeoSeries:
    return gpd.GeoSeries([box(*b) for b in boxes], crs=CRS)


def test_a_field_of_both_files_is_not_learnt_however_it_is_written() -> None:
    truth = _series((0, 0, 40, 40), (60, 60, 90, 90))
    learnt = _series((1, 0, 41, 40), (60, 0, 90, 30), (70, 70, 75, 75), (40, 0, 60, 40))
    found = drawn_apart(truth, learnt, _grid())
    # the first is the same field drawn again, the third a piece; the last only touches
    assert found.learnt is not None
    assert [field.bounds for field in found.learnt] == [(60, 0, 90, 30), (40, 0, 60, 40)]
    assert found.notes == (
        "2 of 4 fields to learn from are also to be held against: they are not learnt",
    )
    with pytest.raises(UserError, match="hold back fields that lie apart"):
        drawn_apart(truth, truth, _grid())


def test_a_field_drawn_twice_counts_once_so_that_nothing_is_found_more_often_than_seen() -> None:
    twice = _series((0, 0, 40, 40), (0, 0, 40, 40), (60, 60, 90, 90))
    found = drawn_apart(twice, None, _grid())
    assert found.notes == ("1 fields to be held against are drawn twice: one counts",)
    half = score_fields(found.truth, _series((0, 0, 40, 40)))["objects"]["by_iou"]["0.50"]
    assert (half["precision"], half["recall"]) == (1.0, 0.5)
    raw = score_fields(twice, _series((0, 0, 40, 40)))["objects"]["by_iou"]["0.50"]
    assert raw["precision"] == 2.0


def test_a_field_ends_where_the_scenes_end() -> None:
    found = drawn_apart(_series((80, 0, 110, 40), (90, 60, 300, 90)), None, _grid())
    assert [field.bounds for field in found.truth] == [(80, 0, 100, 40)]
    assert found.notes == ("1 fields to be held against lie mostly outside the scenes",)
    with pytest.raises(UserError, match="mostly outside the scenes"):
        drawn_apart(_series((90, 60, 300, 90)), None, _grid())


def test_an_outline_whose_mending_leaves_a_line_is_kept(tmp_path: Path) -> None:
    spike = Polygon([(0, 0), (40, 0), (40, 40), (80, 80), (40, 40), (0, 40)])
    path = tmp_path / "fields.gpkg"
    gpd.GeoSeries([spike], crs=CRS).to_file(path)
    (field,) = read_outlines(path, _grid())
    assert field.area == pytest.approx(1600)
