"""Polygons on a grid: numbers, and land that is known to hold no field."""

from __future__ import annotations

import geopandas as gpd
from shapely.geometry import box

from fieldline.crops.segment.outlines import burnt
from fieldline.crops.segment.pairs import NO_FIELD
from fieldline.pipeline.imagery.grid import Grid, grid_around
from fieldline.pipeline.imagery.settings import GridSettings

CRS = "EPSG:32632"


def _grid() -> Grid:
    return grid_around((0.0, 0.0, 80.0, 20.0), CRS, GridSettings(margin_m=0.0))


def _apart() -> gpd.GeoSeries:
    return gpd.GeoSeries([box(0, 0, 20, 20), box(40, 0, 60, 20)], crs=CRS)


def test_land_between_fields_is_unknown_where_only_some_were_drawn() -> None:
    assert burnt(_apart(), _grid())[0].tolist() == [1] * 4 + [0] * 4 + [2] * 4 + [0] * 4


def test_land_between_fields_is_no_field_where_all_were_drawn_and_beyond_them_unknown() -> None:
    found = burnt(_apart(), _grid(), complete=True)[0].tolist()
    assert found == [1] * 4 + [NO_FIELD] * 4 + [2] * 4 + [0] * 4


def test_a_field_that_is_held_back_is_unknown_and_no_land_without_fields() -> None:
    held = gpd.GeoSeries([box(20, 0, 30, 20)], crs=CRS).to_crs(4326)
    found = burnt(_apart(), _grid(), complete=True, held=held)[0].tolist()
    assert found == [1] * 4 + [0] * 2 + [NO_FIELD] * 2 + [2] * 4 + [0] * 4
    assert burnt(_apart(), _grid(), held=held)[0].tolist() == [1] * 4 + [0] * 4 + [2] * 4 + [0] * 4
