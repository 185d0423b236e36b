"""Outlines and pictures of the report's map."""

from __future__ import annotations

import geopandas as gpd
import shapely
from shapely.geometry import box

from fieldline.desk.report.backdrop import shown_windows
from fieldline.desk.report.map import path_of
from fieldline.pipeline.imagery.grid import grid_around
from fieldline.pipeline.imagery.settings import GridSettings

UTM = "EPSG:32650"


def test_an_outline_is_told_in_steps_from_the_maps_corner() -> None:
    field = box(1000, 2000, 1030, 2020.04)
    # From (1030, 2000): 1030 right of the corner, 3000 below; then up, left, down.
    assert path_of(field, (0, 5000)) == "M1030,3000l0,-20 -30,0 0,20Z"
    hole = field.difference(box(1010, 2005, 1015, 2010))
    assert path_of(hole, (0, 5000)).count("M") == 2


def test_rounded_steps_do_not_add_up() -> None:
    line = [(k * 0.26, (k % 2) * 0.26) for k in range(200)]
    ring = shapely.Polygon([*line, (60, 90)])
    steps = path_of(ring, (0, 100)).split("l")[1].rstrip("Z").split(" ")
    across = sum(float(step.split(",")[0]) for step in steps)
    assert abs(across - 60) <= 0.1


def windows_of(*boxes: shapely.Polygon) -> tuple[list[object], int]:
    parcels = gpd.GeoDataFrame(geometry=list(boxes), crs=UTM)
    grid = grid_around(tuple(parcels.total_bounds), UTM, GridSettings(margin_m=100))
    return list(shown_windows(parcels, grid)), grid.width * grid.height


def test_a_county_close_together_is_one_picture() -> None:
    windows, pixels = windows_of(*(box(x, 0, x + 50, 50) for x in range(0, 5000, 700)))
    assert [w.width * w.height for w in windows] == [pixels]  # type: ignore[attr-defined]


def test_scattered_parcels_have_a_sharp_picture_each() -> None:
    """Two neighbours and one 60 km away: two pictures at 10 m, not one of 36 million pixels."""
    near, neighbour, far = box(0, 0, 50, 50), box(300, 0, 350, 50), box(60000, 60000, 60050, 60050)
    windows, pixels = windows_of(near, neighbour, far)
    assert pixels > 36_000_000
    sizes = sorted(w.width * w.height for w in windows)  # type: ignore[attr-defined]
    # 250 m of land around each, cut where the grid ends 100 m beyond the outermost parcel.
    assert len(sizes) == 2
    assert 40 * 40 <= sizes[0] <= 46 * 46
    assert 70 * 40 <= sizes[1] <= 76 * 46
