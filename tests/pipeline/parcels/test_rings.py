"""Ring repair: hand-made cases with known areas, and properties that hold for any drawing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from fieldline.pipeline.parcels.rings import (
    RingError,
    closed_ring,
    drawn_area,
    geodesic_measures,
    holes_outside,
    metres_per_degree,
    parts_connected,
    polygon_from_rings,
    thin,
    untangle,
)

TOLERANCE = 0.02
SQUARE = [(0, 0), (10, 0), (10, 10), (0, 10)]


def test_an_open_ring_is_closed_and_a_closed_one_kept() -> None:
    ring, opened = closed_ring(SQUARE)
    assert opened
    assert ring.tolist() == [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
    assert not closed_ring(ring)[1]


@pytest.mark.parametrize(
    ("points", "code"),
    [
        ([(0, 0), (1, 1), (0, 0)], "too_few_points"),
        ([], "too_few_points"),
        ([(0, 0), (1, math.nan), (1, 1)], "nan_coordinates"),
        ([(0, 0), (1, None), (1, 1)], "nan_coordinates"),
        ([(0, 0), (1, math.inf), (1, 1)], "nan_coordinates"),
        ([(0, 0), (1,), (1, 1)], "unreadable_geometry"),
        ([("a", "b")] * 4, "unreadable_geometry"),
        (7, "unreadable_geometry"),
    ],
)
def test_rings_that_cannot_be_are_coded(points: object, code: str) -> None:
    with pytest.raises(RingError) as error:
        closed_ring(points)
    assert error.value.code == code


def test_drawn_area_takes_off_holes_and_opposite_lobes() -> None:
    bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    assert drawn_area(bow_tie) == 0
    holed = shapely.Polygon(SQUARE, [[(2, 2), (4, 2), (4, 4), (2, 4)]])
    assert drawn_area(holed) == 96


@pytest.mark.parametrize(
    ("holes", "area"),
    [
        ([(0, 0, 5, 5)], 75.0),  # in a corner
        ([(0, 2, 3, 4), (0, 4, 3, 8)], 82.0),  # both along the left edge, side by side
        ([(4, 0, 6, 10)], 80.0),  # from edge to edge: two parts are left
    ],
)
def test_a_hole_along_the_edge_is_taken_off(
    holes: list[tuple[float, float, float, float]], area: float
) -> None:
    field = shapely.box(0, 0, 10, 10)
    drawn = shapely.Polygon(field.exterior, [shapely.box(*hole).exterior for hole in holes])
    assert not drawn.is_valid
    repair = untangle(drawn, TOLERANCE)
    assert repair.geometry is not None
    assert repair.geometry.is_valid
    assert (repair.geometry.area, repair.share) == (pytest.approx(area), pytest.approx(0))


@pytest.mark.parametrize(
    ("hole", "outside"),
    [
        ((20, 20, 25, 25), 1.0),
        ((-5, -5, 15, 15), 1.0),  # around the field
        ((0, 0, 10, 10), 1.0),  # all of it
        ((8, 0, 12, 5), 0.5),
    ],
)
def test_a_hole_outside_or_greater_than_its_field_has_no_safe_repair(
    hole: tuple[float, float, float, float], outside: float
) -> None:
    field = shapely.box(0, 0, 10, 10)
    drawn = shapely.Polygon(field.exterior, [shapely.box(*hole).exterior])
    assert untangle(drawn, TOLERANCE).geometry is None
    assert holes_outside(drawn) == pytest.approx(outside)
    far = shapely.box(100, 0, 110, 10)
    assert holes_outside(shapely.MultiPolygon([far, drawn])) == pytest.approx(outside)


def test_where_a_ring_crosses_itself_no_hole_is_to_blame() -> None:
    bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)], [shapely.box(5, 5, 6, 6).exterior])
    assert holes_outside(bow_tie) == 0


def test_holes_that_overlap_are_cut_once() -> None:
    """Two ponds of 16 that share 4 leave 72 of 100."""
    holes = [shapely.box(1, 1, 5, 5).exterior, shapely.box(3, 3, 7, 7).exterior]
    repair = untangle(shapely.Polygon(shapely.box(0, 0, 10, 10).exterior, holes), TOLERANCE)
    assert repair.geometry is not None
    assert (repair.geometry.area, repair.share) == (pytest.approx(72), pytest.approx(0))


def test_a_bow_tie_has_no_safe_repair() -> None:
    repair = untangle(shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)]), TOLERANCE)
    assert repair.geometry is None
    assert repair.share == pytest.approx(1.0)


def test_a_ring_walked_round_twice_has_no_safe_repair() -> None:
    assert untangle(shapely.Polygon([*SQUARE, *SQUARE]), TOLERANCE).geometry is None


def test_a_sliver_is_dropped_and_its_share_told() -> None:
    # The last edge crosses the first one near the start: a small sliver turns the other way.
    ring = [(0, 0), (10, 0), (10, 10), (0, 10), (0, 0.1), (0.1, -0.1)]
    repair = untangle(shapely.Polygon(ring), TOLERANCE)
    assert repair.geometry is not None
    assert repair.geometry.geom_type == "Polygon"
    assert repair.geometry.area == pytest.approx(100, rel=0.001)
    assert 0 < repair.share < 0.001


def test_two_lobes_that_touch_in_a_point_keep_both() -> None:
    pinched = shapely.Polygon([(0, 0), (2, 0), (1, 1), (2, 2), (0, 2), (1, 1), (0, 0)])
    repair = untangle(pinched, TOLERANCE)
    assert repair.geometry is not None
    assert repair.geometry.area == pytest.approx(2.0)


angles = st.lists(
    st.floats(0, 2 * math.pi, allow_nan=False), min_size=5, max_size=40, unique=True
).filter(lambda a: max(np.diff(sorted([*a, min(a) + 2 * math.pi]))) < math.pi * 0.9)


def star(values: list[float], radii: list[float]) -> list[tuple[float, float]]:
    """A simple ring around the origin: sorted angles never cross."""
    return [(r * math.cos(a), r * math.sin(a)) for a, r in zip(sorted(values), radii, strict=False)]


@given(angles, st.lists(st.floats(1, 2), min_size=40, max_size=40))
def test_closing_gives_the_same_polygon_as_drawing_to_the_end(
    values: list[float], radii: list[float]
) -> None:
    ring = star(values, radii)
    open_polygon, opened = polygon_from_rings([ring])
    closed_polygon, again = polygon_from_rings([[*ring, ring[0]]])
    assert (opened, again) == (1, 0)
    assert open_polygon.equals(closed_polygon)


@given(angles, st.lists(st.floats(1, 2), min_size=40, max_size=40))
def test_a_simple_ring_is_left_as_it_is(values: list[float], radii: list[float]) -> None:
    polygon, _ = polygon_from_rings([star(values, radii)])
    if polygon.is_valid:
        repair = untangle(polygon, TOLERANCE)
        assert repair.geometry is polygon
        assert drawn_area(polygon) == pytest.approx(polygon.area)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=3, max_size=12))
def test_any_scribble_is_repaired_within_tolerance_or_refused(
    points: list[tuple[int, int]],
) -> None:
    try:
        polygon, _ = polygon_from_rings([points])
    except RingError:
        return
    repair = untangle(polygon, TOLERANCE)
    if repair.geometry is None:
        assert repair.share > TOLERANCE
        return
    assert repair.geometry.is_valid
    assert repair.geometry.area == pytest.approx(drawn_area(polygon), rel=2.1 * TOLERANCE)
    again = untangle(repair.geometry, TOLERANCE)
    assert again.geometry is repair.geometry
    assert again.share == 0


@given(st.integers(600, 3000), st.floats(0.0003, 0.01))
def test_thinning_keeps_the_area_and_stays_near_the_line(vertices: int, radius: float) -> None:
    angle = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    ring = np.column_stack([11 + radius * np.cos(angle), 48 + radius * np.sin(angle)])
    polygon = shapely.Polygon(ring)
    repair = thin(polygon, 0.5, 0.001)
    assert repair.geometry is not None
    assert repair.share <= 0.001
    assert shapely.get_num_coordinates(repair.geometry) < vertices
    metric = shapely.transform([polygon, repair.geometry], lambda xy: xy * metres_per_degree(48.0))
    assert shapely.hausdorff_distance(metric[0].exterior, metric[1].exterior) <= 0.5 + 1e-6
    assert repair.geometry.is_valid


def test_a_degree_at_45_north_is_as_long_as_the_tables_say() -> None:
    # Snyder (1987): 1 degree at latitude 45 is 78,847 m by 111,132 m (Clarke 1866: 78,850/111,131).
    east, north = metres_per_degree(45.0)
    assert east == pytest.approx(78_847, abs=2)
    assert north == pytest.approx(111_132, abs=2)


def test_areas_agree_with_an_equal_area_projection() -> None:
    box = shapely.Polygon([(11, 48), (11.002, 48), (11.002, 48.001), (11, 48.001)],
                          [[(11.0005, 48.0002), (11.001, 48.0002), (11.001, 48.0006)]])  # fmt: skip
    to_equal_area = Transformer.from_crs(4326, "+proj=laea +lat_0=48 +lon_0=11", always_xy=True)
    flat = shapely.transform(
        box, lambda xy: np.column_stack(to_equal_area.transform(xy[:, 0], xy[:, 1]))
    )
    area, perimeter = geodesic_measures(np.array([box], dtype=object))
    assert area[0] == pytest.approx(flat.area, rel=1e-6)
    assert perimeter[0] == pytest.approx(flat.length, rel=1e-6)


def test_parts_are_one_parcel_when_steps_between_them_are_short() -> None:
    row = shapely.MultiPolygon(
        [shapely.box(11 + i * 0.01, 48, 11.001 + i * 0.01, 48.001) for i in range(3)]
    )
    gap = 0.009 * metres_per_degree(48.0005)[0]
    assert parts_connected(row, gap * 1.01)
    assert not parts_connected(row, gap * 0.97)
