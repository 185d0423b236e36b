import numpy as np
import pandas as pd
import pytest
import shapely

from fieldline.crops.recognise.places import Places, blocks, parcel_places


def places(villages, lonlat=None) -> Places:
    count = len(villages)
    return Places(
        tuple(f"p{i}" for i in range(count)), tuple(villages),
        tuple(f"f{i}" for i in range(count)),
        np.full((count, 2), np.nan) if lonlat is None else np.asarray(lonlat, dtype=float),
        np.full(count, np.nan),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("villages", "word"), [(["A"] * 6, "farm"), (list("ABCDEF"), "village"),
                           ([None, *"BCDEF"], "farm")],
)  # fmt: skip
def test_groups_are_the_widest_unit_that_there_are_enough_of(villages, word) -> None:
    groups, said = places(villages).groups(5, 1000.0)
    assert said == word
    assert len(set(groups)) == 6


def test_one_village_with_known_places_is_split_into_blocks_of_stated_size() -> None:
    # on the equator .009 degrees are 1,002 m: six points in a row, each in a block of its own
    row = [[0.0045 + 0.009 * i, 0.0045] for i in range(6)]
    groups, said = places(["A"] * 6, row).groups(5, 1000.0)
    assert (len(set(groups)), said) == (6, "blocks of 1000 m")
    near = [[0.0045 + 0.0045 * i, 0.0045] for i in range(6)]
    assert places(["A"] * 6, near).groups(5, 1000.0)[1] == "blocks of 500 m"


def test_points_within_a_block_share_it_and_longitude_shrinks_with_latitude() -> None:
    # at 60 degrees north a degree of longitude is half as long
    found = blocks(np.array([[10.0, 60.0001], [10.006, 60.0001], [10.0105, 60.0001]]), 1000.0)
    assert found[0] == found[1] != found[2]


def test_moved_blocks_part_what_they_joined() -> None:
    # on the equator: 100 m and 600 m share the first kilometre, and not where it begins half a
    # block further west
    points = np.array([[100.0, 0.0], [600.0, 0.0]]) / 111_320.0
    assert blocks(points, 1000.0) == ["0:0", "0:0"]
    assert blocks(points, 1000.0, (0.5, 0.0)) == ["0:0", "1:0"]


def test_places_of_a_table_with_outlines(tmp_path) -> None:
    square = shapely.box(10.0, 50.0, 10.002, 50.002)
    frame = pd.DataFrame({"parcel_id": ["a"], "farmer_id": ["f"], "village": [None]})
    frame["metrics:area"] = np.float32(1234.0)
    frame["geometry"] = [shapely.to_wkb(square)]
    frame.to_parquet(tmp_path / "p.parquet")
    found = parcel_places(tmp_path / "p.parquet")
    assert found.lonlat[0] == pytest.approx([10.001, 50.001])
    assert found.area_m2[0] == 1234.0
    missing = found.of_all(["b", "a"])
    assert np.isnan(missing.lonlat[0]).all()
    assert missing.area_m2[1] == 1234.0
