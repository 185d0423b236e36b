from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio import Affine
from rasterio.windows import Window
from shapely.geometry import box

from fieldline.pipeline.imagery.grid import Grid, county_grid, grid_around, iter_windows, utm_crs
from fieldline.pipeline.imagery.settings import GridSettings
from fieldline.pipeline.records.errors import UserError


@pytest.mark.parametrize(
    ("longitude", "latitude", "expected"),
    [
        (11.7, 48.4, "EPSG:32632"),
        (-58.4, -34.6, "EPSG:32721"),
        (-180.0, 0.0, "EPSG:32601"),
        (180.0, 1.0, "EPSG:32660"),
        (105.9, 36.0, "EPSG:32648"),
    ],
)
def test_utm_zone_of_a_point(longitude: float, latitude: float, expected: str) -> None:
    assert utm_crs(longitude, latitude) == expected


def test_grid_is_snapped_outward_to_the_resolution() -> None:
    grid = grid_around((1003.0, 2009.0, 1021.0, 2031.0), "EPSG:32632", GridSettings(margin_m=0))
    assert grid.bounds == (1000.0, 2000.0, 1030.0, 2040.0)
    assert (grid.height, grid.width) == (4, 3)


def test_margin_widens_the_grid_on_every_side() -> None:
    grid = grid_around((1000.0, 2000.0, 1010.0, 2010.0), "EPSG:32632", GridSettings(margin_m=15))
    assert grid.bounds == (980.0, 1980.0, 1030.0, 2030.0)


def test_county_grid_takes_the_zone_of_the_parcels() -> None:
    parcels = gpd.GeoDataFrame(geometry=[box(11.6, 48.37, 11.61, 48.38)], crs="EPSG:4326")
    grid = county_grid(parcels, GridSettings())
    assert grid.crs == "EPSG:32632"
    assert grid.resolution == 10.0
    assert np.allclose(np.array(grid.bounds) % 10, 0)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:2225", "nonsense"])
def test_configured_crs_must_be_metric(crs: str) -> None:
    parcels = gpd.GeoDataFrame(geometry=[box(11.6, 48.37, 11.61, 48.38)], crs="EPSG:4326")
    with pytest.raises(UserError, match=r"grid\.crs"):
        county_grid(parcels, GridSettings(crs=crs))


def test_a_county_without_parcels_has_no_grid() -> None:
    empty = gpd.GeoDataFrame(geometry=[], crs="EPSG:4326")
    with pytest.raises(UserError, match="no accepted parcel"):
        county_grid(empty, GridSettings())


def test_window_of_bounds_is_cut_to_the_grid() -> None:
    grid = Grid("EPSG:32632", Affine(10, 0, 0, 0, -10, 100), height=10, width=10)
    assert grid.window_of((-30.0, 55.0, 15.0, 200.0)) == Window(0, 0, 2, 5)
    assert grid.window_of((100.0, 0.0, 120.0, 50.0)) is None


@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    block=st.integers(1, 40),
    origin=st.tuples(st.integers(-99, 99), st.integers(-99, 99)),
)
def test_windows_tile_the_grid_once_and_follow_the_lattice(
    height: int, width: int, block: int, origin: tuple[int, int]
) -> None:
    grid = Grid("EPSG:32632", Affine(10, 0, 0, 0, -10, 0), height, width)
    seen = np.zeros((height, width), dtype=int)
    for window in iter_windows(grid, block, origin=origin):
        seen[window.toslices()] += 1
        assert window.height <= block
        assert window.width <= block
        assert window.row_off == 0 or (window.row_off - origin[0]) % block == 0
        assert window.col_off == 0 or (window.col_off - origin[1]) % block == 0
    assert (seen == 1).all()
