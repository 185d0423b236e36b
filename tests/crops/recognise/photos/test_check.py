"""Place, time and reuse of photographs, held against metres of a map and clocks worked by hand."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from pyproj import Transformer

from fieldline.crops.recognise.photos.check import Finding, distance_m
from fieldline.crops.recognise.photos.exif import Place
from fieldline.pipeline.parcels.map_shifts import to_gcj02
from tests.crops.recognise.photos.drawn import checked, lonlat, numbers, photograph

ROW = {"parcel_id": "a", "file": "p.jpg"}


def one(folder: Path, row: dict[str, Any] | None = None, **camera: Any) -> Finding:
    """Check one photograph of parcel `a`."""
    photograph(folder / "p.jpg", **camera)
    return checked(folder, [ROW | (row or {})])[0]


def test_a_photo_taken_in_the_parcel_and_season_stands_with_its_numbers(tmp_path: Path) -> None:
    found = one(tmp_path, offset="+08:00")
    assert (found.row, found.parcel_id, found.code) == (1, "a", "ok")
    assert numbers(found) == {
        "distance_m": "0", "within_m": "100", "place_by": "camera", "day": "2024-06-15",
        "day_by": "offset",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("east", "distance", "code"), [(198, 98, "ok"), (202, 102, "photo_elsewhere")]
)
def test_the_tolerance_is_metres_from_the_outline(
    east: float, distance: int, code: str, tmp_path: Path
) -> None:
    """Parcel `a` ends 100 m east of its corner."""
    found = one(tmp_path, at=(east, 50.0))
    assert found.code == code
    assert float(numbers(found)["distance_m"]) == pytest.approx(distance, abs=0.6)


def test_distances_are_those_of_a_local_map() -> None:
    """An outline with a bay, at 69 degrees north and across the date line, by an own projection."""
    middle = Transformer.from_crs(
        "+proj=tmerc +lat_0=69 +lon_0=179.999 +k=1 +datum=WGS84", "EPSG:4326", always_xy=True
    )
    bay = shapely.Polygon([(0, 0), (300, 0), (300, 200), (200, 50), (0, 200)])

    def degrees(metres: np.ndarray) -> np.ndarray:
        return np.stack(middle.transform(metres[:, 0], metres[:, 1]), axis=1)

    outline = shapely.transform(bay, degrees)
    rng = np.random.default_rng(0)
    for metres in rng.uniform(-800, 800, (40, 2)):
        lon, lat = degrees(metres[None])[0]
        assert distance_m(outline, Place(lon, lat)) == pytest.approx(
            bay.distance(shapely.Point(metres)), abs=0.05
        )


def test_a_place_on_a_shifted_map_is_refused_and_named(tmp_path: Path) -> None:
    shifted = to_gcj02(np.array([lonlat(50.0, 50.0)]))[0]
    found = one(tmp_path, degrees=(float(shifted[0]), float(shifted[1])))
    assert (found.code, numbers(found)["fits_as"]) == ("photo_elsewhere", "GCJ-02")
    assert 200 < float(numbers(found)["distance_m"]) < 700
    assert "fits_as" not in numbers(one(tmp_path, at=(2_000.0, 50.0)))


@pytest.mark.parametrize(
    ("local", "offset", "day", "by"),
    [
        # 30.6 N 104 E: the sun is 6 h 56 min ahead of UTC.
        ("2024:06:15 00:30:00", "+08:00", "2024-06-14", "offset"),  # solar 23:26 the day before
        ("2024:06:15 23:30:00", "+05:30", "2024-06-16", "offset"),  # 18:00 UTC, solar 00:56
        ("2024:06:15 00:30:00", "+99:00", "2024-06-15", "camera_clock"),  # no zone
        ("2024:06:15 00:30:00", None, "2024-06-15", "camera_clock"),
    ],
)
def test_the_day_is_the_solar_day_of_the_parcel(
    local: str, offset: str | None, day: str, by: str, tmp_path: Path
) -> None:
    found = numbers(one(tmp_path, local=local, offset=offset))
    assert (found["day"], found["day_by"]) == (day, by)


def test_without_a_clock_the_satellites_tell_the_day_and_without_both_the_table(
    tmp_path: Path,
) -> None:
    found = numbers(one(tmp_path, local="", fix="2024:06:15 18:00:00"))
    assert (found["day"], found["day_by"]) == ("2024-06-16", "satellites")
    assert one(tmp_path, local="").code == "photo_no_time"
    assert one(tmp_path, local="0000:00:00 00:00:00").code == "photo_no_time"
    found = numbers(one(tmp_path, {"taken_on": "2024-06-14"}, local=""))
    assert (found["day"], found["day_by"]) == ("2024-06-14", "table")


@pytest.mark.parametrize(
    ("local", "code"),
    [
        ("2024:02:29 12:00:00", "photo_other_season"), ("2024:03:01 12:00:00", "ok"),
        ("2024:08:31 12:00:00", "ok"), ("2024:09:01 12:00:00", "photo_in_future"),
        ("2031:06:15 12:00:00", "photo_in_future"), ("2023:06:15 12:00:00", "photo_other_season"),
    ],
)  # fmt: skip
def test_the_season_and_the_as_of_date_bound_the_day(local: str, code: str, tmp_path: Path) -> None:
    """The season is March to October 2024, known as of the end of August."""
    assert one(tmp_path, local=local).code == code


def test_a_place_that_the_camera_lacks_or_doubts_comes_from_the_table(tmp_path: Path) -> None:
    lon, lat = lonlat(50.0, 50.0)
    told = {"lon": lon, "lat": lat}
    assert one(tmp_path, at=None).code == "photo_no_place"
    assert one(tmp_path, degrees=(0.0, 0.0)).code == "photo_no_place"
    doubted = one(tmp_path, error_m=1_500.0)
    assert (doubted.code, numbers(doubted)["error_m"]) == ("photo_no_place", "1500")
    for camera in ({"at": None}, {"error_m": 1_500.0}):
        found = one(tmp_path, told, **camera)
        assert (found.code, numbers(found)["place_by"]) == ("ok", "table")
    assert numbers(one(tmp_path, told, error_m=8.0))["place_by"] == "camera"


def test_two_words_about_one_photo_that_cannot_both_be_true_are_told(tmp_path: Path) -> None:
    lon, lat = lonlat(50.0, 450.0)
    apart = one(tmp_path, {"lon": lon, "lat": lat})
    assert apart.code == "photo_contradicted"
    assert float(numbers(apart)["places_apart_m"]) == pytest.approx(400, abs=1)
    assert one(tmp_path, {"taken_on": "2024-06-16"}).code == "ok"  # one day: a zone, a late entry
    days = one(tmp_path, {"taken_on": "2024-06-17"})
    assert (days.code, numbers(days)["taken_on"]) == ("photo_contradicted", "2024-06-17")


@pytest.mark.parametrize(
    ("offset", "fix", "hours"),
    [
        # The clock says noon of 15 June. Without an offset UTC lies from 22:00 the day before
        # (UTC+14) to 24:00 (UTC-12); a fix may be a day older or younger.
        (None, "2024:06:13 23:00:00", None), (None, "2024:06:13 21:00:00", 25.0),
        (None, "2024:06:16 23:00:00", None), (None, "2024:06:17 02:00:00", 26.0),
        ("+08:00", "2024:06:14 05:00:00", None), ("+08:00", "2024:06:14 03:00:00", 25.0),
    ],
)  # fmt: skip
def test_a_clock_that_no_zone_explains_is_told(
    offset: str | None, fix: str, hours: float | None, tmp_path: Path
) -> None:
    found = one(tmp_path, offset=offset, fix=fix)
    if hours is None:
        assert found.code == "ok"
    else:
        assert found.code == "photo_contradicted"
        assert float(numbers(found)["clocks_apart_hours"]) == hours


def test_a_photo_for_two_parcels_stands_for_none_even_with_other_exif(tmp_path: Path) -> None:
    """A copy whose EXIF was rewritten has the same pixels; another picture has not."""
    photograph(tmp_path / "p.jpg", at=(98.0, 50.0))
    photograph(tmp_path / "copy.jpg", at=(150.0, 50.0), local="2024:06:20 12:00:00")
    photograph(tmp_path / "other.jpg", at=(150.0, 50.0), seed=1)
    rows = [ROW, {"parcel_id": "b", "file": "copy.jpg"}, {"parcel_id": "b", "file": "other.jpg"}]
    found = checked(tmp_path, rows)
    assert [f.code for f in found] == ["photo_of_two_parcels"] * 2 + ["ok"]
    assert numbers(found[0])["parcels"] == "2"


def test_of_a_photo_repeated_for_one_parcel_the_last_that_stands_counts(tmp_path: Path) -> None:
    photograph(tmp_path / "p.jpg")
    photograph(tmp_path / "old.jpg", local="2023:06:15 12:00:00")
    found = checked(tmp_path, [ROW, ROW, ROW | {"file": "old.jpg"}])
    assert [f.code for f in found] == ["input_repeated", "ok", "photo_other_season"]


def test_without_an_outline_the_place_is_not_compared(tmp_path: Path) -> None:
    photograph(tmp_path / "p.jpg", at=(9_000.0, 0.0))
    assert checked(tmp_path, [ROW | {"parcel_id": "z"}])[0].code == "photo_no_outline"
    before_intake = checked(tmp_path, [ROW], outlines=False)[0]
    assert before_intake.code == "ok"
    assert "distance_m" not in numbers(before_intake)


def test_a_row_that_cannot_be_read_has_no_finding_and_stops_no_other(tmp_path: Path) -> None:
    photograph(tmp_path / "p.jpg")
    rows = [ROW | {"lon": 104.0}, ROW | {"file": None}, ROW | {"taken_on": "June"}, ROW]
    assert [(f.row, f.code) for f in checked(tmp_path, rows)] == [(4, "ok")]


def test_a_west_south_place_has_its_signs(tmp_path: Path) -> None:
    """Taken in Uruguay for a parcel in Sichuan: about as far as the Earth is wide."""
    found = one(tmp_path, degrees=(-56.2, -34.9), local="2024:06:15 12:00:00")
    assert found.code == "photo_elsewhere"
    assert 18e6 < float(numbers(found)["distance_m"]) < 20.1e6


def test_the_solar_day_follows_the_place_and_not_the_table(tmp_path: Path) -> None:
    """At 56 W the sun is 3 h 44 min behind UTC: 02:00 UTC is still the day before."""
    found = one(tmp_path, degrees=(-56.2, -34.9), local="2024:06:15 02:00:00", offset="+00:00")
    assert numbers(found)["day"] == str(dt.date(2024, 6, 14))
