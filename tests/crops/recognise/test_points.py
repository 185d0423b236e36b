from pathlib import Path

import numpy as np
import pytest

from fieldline.crops.recognise.points import read_points
from fieldline.pipeline.records.errors import UserError
from tests.crops.recognise.point_files import BANDS, arrays, write


def test_codes_become_crops_and_values_reflectance(tmp_path: Path) -> None:
    points = read_points(write(tmp_path / "p.npz"))
    assert points.classes == ("maize", "soybean", "winter_wheat")
    assert np.bincount(points.labels).tolist() == [80, 80, 80]
    raw = arrays()["X"]
    seen = (raw > 0).all(axis=2)
    assert np.array_equal(points.cube.seen, seen)
    assert points.cube.values[seen] == pytest.approx(raw[seen] * 1e-4)
    gaps = np.argwhere(~seen[:, 1:-1] & seen[:, :-2] & seen[:, 2:])
    series, before = gaps[0]
    around = raw[series, [before, before + 2]].astype(float).mean(axis=0) * 1e-4
    assert points.cube.values[series, before + 1] == pytest.approx(around)


def test_fractions_are_read_as_they_are(tmp_path: Path) -> None:
    whole = read_points(write(tmp_path / "w.npz"))
    fractions = np.where(arrays()["X"] > 0, arrays()["X"] * 1e-4, np.nan)
    parts = read_points(write(tmp_path / "f.npz", X=fractions))
    assert np.allclose(whole.cube.values, parts.cube.values)


def test_a_class_of_several_codes_is_other_land_and_codes_without_a_row_are_said(
    tmp_path: Path,
) -> None:
    y = (np.arange(240) % 3 == 0).astype(int)
    points = read_points(write(tmp_path / "y.npz", y=y))
    assert points.classes == ("maize", "other")
    strange = np.where(np.arange(240) % 3 == 0, 199, arrays()["cdl_code"])
    points = read_points(write(tmp_path / "c.npz", cdl_code=strange))
    assert points.classes == ("other", "soybean", "winter_wheat")
    assert "'199': 80" in points.remarks[0]


def test_series_without_values_are_left_out_and_said(tmp_path: Path) -> None:
    values = arrays()["X"]
    values[:7] = 0
    points = read_points(write(tmp_path / "p.npz", X=values))
    assert len(points.labels) == 233
    assert points.remarks == ("7 series with fewer than 3 dates are left out",)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"X": None}, "has no array X"),
        ({"X": arrays()["X"][..., :4]}, r"not \(series, dates, 10 bands\)"),
        ({"X": arrays()["X"].astype(float)}, "is no reflectance"),
        ({"X": np.zeros_like(arrays()["X"])}, "no date with all bands above zero"),
        ({"X": arrays()["X"][..., ::-1]}, "never show more near infrared than red"),
        ({"cdl_code": np.ones(240, dtype=int)}, "one class"),
        ({"cdl_code": np.ones(7, dtype=int)}, "cdl_code has 7 rows and X has 240"),
        ({"zone": np.ones(3, dtype=int)}, "zone has 3 rows"),
    ],
)  # fmt: skip
def test_files_that_are_something_else_are_refused(tmp_path: Path, changed, said) -> None:
    with pytest.raises(UserError, match=said):
        read_points(write(tmp_path / "p.npz", **changed))


def test_equal_series_of_two_classes_are_counted(tmp_path: Path) -> None:
    values, code = arrays()["X"], arrays()["cdl_code"]
    values[3], values[7], values[9] = values[0], values[1], values[0]
    # 0, 3 and 9 are maize (each third), 1 and 7 soybean: so far every label agrees
    assert not read_points(write(tmp_path / "a.npz", X=values)).remarks
    code[3] = 5
    points = read_points(write(tmp_path / "b.npz", X=values, cdl_code=code))
    assert points.remarks[0].startswith("3 series stand there again")


def test_an_archive_that_holds_code_or_none_at_all_is_refused(tmp_path: Path) -> None:
    pickled = np.asarray([{"a": 1}] * 240, dtype=object)
    np.savez(tmp_path / "o.npz", **(arrays() | {"y": pickled}))
    (tmp_path / "t.npz").write_text("no archive")
    for name in ("o.npz", "t.npz"):
        with pytest.raises(UserError, match="not a NumPy archive of plain numbers"):
            read_points(tmp_path / name)


def test_bands_in_another_order_are_read_by_name(tmp_path: Path) -> None:
    straight = read_points(write(tmp_path / "s.npz"))
    turned = read_points(write(tmp_path / "t.npz", X=arrays()["X"][..., ::-1]), BANDS[::-1])
    assert np.array_equal(turned.cube.values[..., ::-1], straight.cube.values)
