"""Files that number their parcels alike: told apart, left alone or configured."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from fieldline.pipeline.parcels.intake import check_files
from fieldline.pipeline.parcels.parcel_files import Choices, ParcelFile
from fieldline.pipeline.parcels.readers import read_parcel_files
from fieldline.pipeline.parcels.settings import IntakeSettings
from fieldline.pipeline.records.errors import UserError


def village(
    path: Path, ids: list[object], south: float, crs: str = "EPSG:4326", layer: str | None = None
) -> Path:
    squares = [shapely.box(115.9 + 1e-3 * i, south, 115.9005 + 1e-3 * i, south + 5e-4)
               for i in range(len(ids))]  # fmt: skip
    frame = gpd.GeoDataFrame(
        {"parcel_id": ids, "farmer_id": [f"{path.stem}{layer}-{i}" for i in range(len(ids))]},
        geometry=squares, crs="EPSG:4326",
    )  # fmt: skip
    frame.to_crs(crs).to_file(path, **({"layer": layer} if layer else {}))
    return path


def ids(file: ParcelFile) -> list[str]:
    return list(file.frame["parcel_id"])


def test_two_villages_that_count_from_1_carry_their_files_names(tmp_path: Path) -> None:
    files = [
        village(tmp_path / "dong.geojson", [1, 2], 33.2),
        village(tmp_path / "xi.gpkg", [1, 2, 3], 33.21, "EPSG:32650"),
        village(tmp_path / "nan.geojson", ["N7", "N8"], 33.22),
    ]
    file = read_parcel_files(files)
    assert ids(file) == ["dong-1", "dong-2", "xi-1", "xi-2", "xi-3", "N7", "N8"]
    told = file.said[-1]
    for part in ("dong and xi", "dong-1", "registry and survey", "inputs.parcel_prefixes"):
        assert part in told
    check = check_files(files, Choices({}), boundary=None, settings=IntakeSettings())
    assert set(check.rows["outcome"]) == {"ok"}


def test_two_layers_that_count_from_1_carry_their_layers_names(tmp_path: Path) -> None:
    path = tmp_path / "both.gpkg"
    village(path, [1, 2], 33.2, layer="dong")
    village(path, [1, 2], 33.21, layer="xi")
    assert ids(read_parcel_files([path])) == ["dong-1", "dong-2", "xi-1", "xi-2"]


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32650"])
def test_the_same_parcels_sent_twice_stay_the_same_parcels(tmp_path: Path, crs: str) -> None:
    files = [
        village(tmp_path / "march.geojson", [1, 2], 33.2),
        village(tmp_path / "april.gpkg", [1, 2], 33.20001, crs),  # redrawn a metre off
    ]
    assert ids(read_parcel_files(files)) == ["1", "2", "1", "2"]
    check = check_files(files, Choices({}), boundary=None, settings=IntakeSettings())
    assert check.rows["outcome"].tolist()[2:] == ["duplicate_id"] * 2
    assert "row=1 of_file=april" in check.rows["detail"][2]


def test_a_few_equal_ids_of_many_are_duplicates(tmp_path: Path) -> None:
    files = [
        village(tmp_path / "a.geojson", list(range(1, 11)), 33.2),
        village(tmp_path / "b.geojson", list(range(7, 17)), 33.21),
    ]
    assert ids(read_parcel_files(files))[10:14] == ["7", "8", "9", "10"]


def test_configured_prefixes_are_used_as_written(tmp_path: Path) -> None:
    files = [
        village(tmp_path / "dong.geojson", [1, 2], 33.2),
        village(tmp_path / "xi.geojson", [1, None], 33.21),
    ]
    choices = Choices({}, prefixes={"dong.geojson": "D", "xi": "X/"})
    assert ids(read_parcel_files(files, choices)) == ["D1", "D2", "X/1", None]
    with pytest.raises(UserError, match=r"parcel_prefixes names bei.*use one of dong, xi"):
        read_parcel_files(files, Choices({}, prefixes={"bei": "B"}))
