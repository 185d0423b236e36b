"""The shifted systems of Chinese maps: published points, the way back, what a boundary tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from fieldline.pipeline.parcels.intake import check_files
from fieldline.pipeline.parcels.map_shift_signs import shift_sign
from fieldline.pipeline.parcels.map_shifts import from_shifted, to_bd09, to_gcj02
from fieldline.pipeline.parcels.parcel_files import Choices
from fieldline.pipeline.parcels.readers import read_parcel_files
from fieldline.pipeline.parcels.rings import WGS84
from fieldline.pipeline.parcels.screening import screen
from fieldline.pipeline.parcels.settings import IntakeSettings
from tests.pipeline.parcels.bad_parcels import Row, polygon, write_geojson

#: WGS84 and GCJ-02 (lon, lat) of Shanghai, Shenzhen and Beijing from the tests of eviltransform.
PUBLISHED = [
    ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
    ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),
    ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),
]
COUNTY = shapely.box(115.8, 33.1, 116.0, 33.3)


@pytest.mark.parametrize(("wgs84", "gcj02"), PUBLISHED)
def test_published_points(wgs84: tuple[float, float], gcj02: tuple[float, float]) -> None:
    assert to_gcj02(np.array([wgs84]))[0] == pytest.approx(gcj02, abs=1e-9)
    back = from_shifted(np.array([gcj02]), "GCJ-02")[0]
    assert WGS84.inv(*back, *wgs84)[2] < 0.01


def test_baidu_shifts_once_more_than_gcj02() -> None:
    # gcj02tobd09(116.404, 39.915) as printed in the README of coordtransform.
    wgs84 = from_shifted(np.array([[116.404, 39.915]]), "GCJ-02")
    assert to_bd09(wgs84)[0] == pytest.approx([116.41036949371029, 39.92133699351022], abs=1e-9)


@given(st.floats(73, 135), st.floats(18, 53.5), st.sampled_from(["GCJ-02", "BD-09"]))
def test_there_and_back_is_within_a_centimetre(lon: float, lat: float, name: str) -> None:
    place = np.array([[lon, lat]])
    shifted = to_gcj02(place) if name == "GCJ-02" else to_bd09(place)
    moved = WGS84.inv(lon, lat, *shifted[0])[2]
    assert 10 < moved < 2500  # 44 m at one place that hypothesis found
    assert WGS84.inv(lon, lat, *from_shifted(shifted, name)[0])[2] < 0.01


def test_outside_china_nothing_is_shifted() -> None:
    munich = np.array([[11.5, 48.1]])
    for forward in (to_gcj02, to_bd09):
        assert forward(munich).tolist() == munich.tolist()
    assert from_shifted(munich, "GCJ-02").tolist() == munich.tolist()


def outlines(count: int, east: float) -> list[shapely.Polygon]:
    """Return squares of 50 m one above the other, their middles at one longitude."""
    return [shapely.box(east - 3e-4, lat, east + 3e-4, lat + 5e-4)
            for lat in 33.12 + 0.002 * np.arange(count)]  # fmt: skip


def shifted(rings: list[shapely.Polygon]) -> list[shapely.Polygon]:
    return [shapely.transform(ring, to_gcj02) for ring in rings]


def write(rings: list[shapely.Polygon], path: Path) -> Path:
    rows = [
        Row(f"p{i}", "ok", polygon([list(xy) for xy in ring.exterior.coords]))
        for i, ring in enumerate(rings)
    ]
    write_geojson(rows, path)
    return path


@pytest.mark.parametrize("name", ["GCJ-02", "gcj02", "GCJ02"])
def test_a_configured_shift_is_taken_back(tmp_path: Path, name: str) -> None:
    drawn = outlines(3, east=115.9)
    file = read_parcel_files([write(shifted(drawn), tmp_path / "phone.geojson")], Choices({}, name))
    found = screen(file, IntakeSettings(), crop_named=lambda _: None)
    for ring, true in zip(found.geometries, drawn, strict=True):
        assert shapely.hausdorff_distance(ring, true) < 1e-7  # 1 cm
    assert any("GCJ-02" in sentence for sentence in found.said)


def test_a_boundary_speaks_for_a_shift_that_nobody_stated(tmp_path: Path) -> None:
    # The shift of 500 m carries fields near the eastern border over it.
    drawn = outlines(20, east=115.998)
    boundary = tmp_path / "county.geojson"
    write_geojson([Row("c", "ok", shapely.geometry.mapping(COUNTY))], boundary)
    phone = write(shifted(drawn), tmp_path / "phone.geojson")
    check = check_files([phone], Choices({}), boundary=boundary, settings=IntakeSettings())
    assert set(check.rows["outcome"]) == {"outside_county"}
    assert any("inside it if they were drawn on a GCJ-02 map" in text for text in check.said)
    inland = [*shifted(drawn[:3]), *shifted(outlines(2, east=115.9))]
    check = check_files(
        [write(inland, tmp_path / "mixed.geojson")], Choices({}), boundary=boundary,
        settings=IntakeSettings(),
    )  # fmt: skip
    assert check.rows["outcome"].tolist()[3:] == ["map_shift_suspected"] * 2


def test_outlines_in_wgs84_raise_no_suspicion() -> None:
    inside = np.array([*outlines(20, east=115.998), *outlines(20, east=115.802)])
    assert shift_sign(inside, COUNTY) is None
    # Two over the border are strays, three agree; twenty that a shift would lose speak against it.
    eastern = [*outlines(20, east=115.998), *outlines(2, east=116.002)]
    assert shift_sign(np.array(eastern), COUNTY) is None
    assert shift_sign(np.array([*eastern, *outlines(1, east=116.003)]), COUNTY) is not None
    assert shift_sign(np.array([*inside, *outlines(3, east=116.002)]), COUNTY) is None
    assert shift_sign(np.array(outlines(9, east=115.9)), shapely.box(11, 48, 12, 49)) is None
