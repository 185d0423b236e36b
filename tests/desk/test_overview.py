"""A county from afar: what a cell tells is what its parcels are."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import geopandas as gpd
import numpy as np
import pytest
import shapely

from fieldline.desk.app.overview import cells, coarse_zooms, fine_zoom

COLOURINGS = ("crop", "decision")


def fields(side_m: float, across: int, seed: int = 1) -> gpd.GeoDataFrame:
    """A square of touching fields at 33 N, 115 E."""
    rng = np.random.default_rng(seed)
    high = side_m / 110_900
    wide = high / math.cos(math.radians(33))
    column, row = np.divmod(np.arange(across**2), across)
    west, south = 115 + column * wide, 33 + row * high
    return gpd.GeoDataFrame(
        {
            "parcel_id": [f"P{k:05d}" for k in range(across**2)],
            "area_m2": np.full(across**2, side_m**2, dtype="float32"),
            "crop_class": rng.integers(0, 6, across**2),
            "decision_class": rng.integers(0, 3, across**2),
        },
        geometry=shapely.box(west, south, west + wide, south + high), crs=4326,
    )  # fmt: skip


def by_hand(frame: gpd.GeoDataFrame, zoom: int) -> dict[tuple[int, int], list[int]]:
    """Rows by cell of 3 pixels, one parcel at a time by the slippy map's formula."""
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, outline in enumerate(frame.geometry):
        middle = outline.centroid
        angle = math.radians(middle.y)
        x = (middle.x + 180) / 360 * 2**zoom * 512
        y = (1 - math.log(math.tan(angle) + 1 / math.cos(angle)) / math.pi) / 2 * 2**zoom * 512
        found[int(x // 3), int(y // 3)].append(number)
    return found


@pytest.mark.parametrize("zoom", [9, 11, 13])
def test_a_cell_holds_its_parcels_and_their_most_frequent_classes(zoom: int) -> None:
    frame = fields(45, 40)
    gathered = cells(frame, zoom, COLOURINGS)
    expected = by_hand(frame, zoom)
    assert sorted(gathered["n"]) == sorted(len(rows) for rows in expected.values())
    told = Counter()
    for row in gathered.drop(columns="geometry").to_dict("records"):
        told[tuple(row[f"{c}{r}"] for c in COLOURINGS for r in ("", "_2", "_3"))] += 1
    for rows in expected.values():
        key: list[int] = []
        for colouring in COLOURINGS:
            counts = Counter(frame[f"{colouring}_class"].iloc[rows])
            order = sorted(counts, key=lambda kind: (-counts[kind], kind))[:3]
            key += [*order, *[-1] * (3 - len(order))]
        told[tuple(key)] -= 1
    assert not any(told.values())


def test_a_parcel_alone_in_its_cell_keeps_its_name_and_place() -> None:
    frame = fields(3000, 3)
    gathered = cells(frame, 13, COLOURINGS).sort_values("id")
    assert list(gathered["id"]) == list(frame["parcel_id"])
    places = shapely.centroid(frame.geometry.to_numpy())
    assert shapely.distance(gathered.geometry.to_numpy(), places).max() < 1e-9


def test_outlines_begin_where_half_of_them_are_legible() -> None:
    """At 33 N a pixel of zoom 13 is 8.01 m: 45 m are 5.6 pixels there and 2.8 at zoom 12."""
    assert fine_zoom(fields(45, 4)) == 13
    assert fine_zoom(fields(90, 4)) == 12
    assert fine_zoom(fields(5000, 4)) == 9
    assert fine_zoom(fields(2, 4)) == 14


def test_a_county_has_cells_down_to_the_zoom_at_which_it_is_small() -> None:
    """60 fields of 45 m are 2.7 km: 169 pixels at zoom 12, too small for a coarser overview."""
    assert list(coarse_zooms(fields(45, 60))) == [12]
    wide = coarse_zooms(fields(45, 400))
    assert wide.stop == 13
    assert 150 <= 400 * 45 / (8.01 * 2 ** (13 - wide.start)) <= 330
