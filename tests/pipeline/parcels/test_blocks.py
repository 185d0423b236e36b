"""Which parcel is in which block, by hand and by counting."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from fieldline.pipeline.parcels.blocks import WHOLE, Block, morton, numbers_of, parcels_of


def written(folder: Path, points: dict[str, tuple[float, float]]) -> Path:
    shapes = [shapely.Point(*place).buffer(0.0001) for place in points.values()]
    frame = gpd.GeoDataFrame({"parcel_id": list(points)}, geometry=shapes, crs="EPSG:4326")
    frame.to_parquet(folder / "parcels.parquet")
    return folder / "parcels.parquet"


def test_four_blocks_of_a_square_are_its_quarters(tmp_path: Path) -> None:
    points = {f"{row}{column}": (100 + column, 30 + row) for row in range(4) for column in range(4)}
    path = written(tmp_path, points)
    found = [set(parcels_of(path, Block(number, 4))["parcel_id"]) for number in (1, 2, 3, 4)]
    assert found == [
        {"00", "01", "10", "11"}, {"02", "03", "12", "13"},
        {"20", "21", "30", "31"}, {"22", "23", "32", "33"},
    ]  # fmt: skip


@pytest.mark.parametrize("blocks", [1, 2, 3, 7, 40])
def test_every_parcel_is_in_one_block_and_blocks_are_of_one_size(
    tmp_path: Path, blocks: int
) -> None:
    draw = np.random.default_rng(3)
    # Three villages far apart: blocks of land would be full or empty.
    places = draw.normal(0, 0.01, (31, 2)) + draw.choice([0.0, 0.5, 0.9], (31, 1))
    path = written(tmp_path, {f"p{n:02d}": (100 + x, 30 + y) for n, (x, y) in enumerate(places)})
    found = [list(parcels_of(path, Block(n, blocks))["parcel_id"]) for n in range(1, blocks + 1)]
    assert sorted(chain.from_iterable(found)) == sorted(parcels_of(path, WHOLE)["parcel_id"])
    sizes = [len(ids) for ids in found]
    assert max(sizes) - min(sizes) <= 1
    assert all(ids == sorted(ids) for ids in found)


def test_parcels_of_one_place_and_a_county_without_any_have_their_blocks(tmp_path: Path) -> None:
    assert morton(np.full(3, 7.0), np.full(3, 7.0)).tolist() == [0, 0, 0]
    path = written(tmp_path, {})
    assert numbers_of(path, 4).tolist() == []
    assert parcels_of(path, Block(2, 4)).empty
