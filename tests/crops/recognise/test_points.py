from pathlib import Path

import numpy as np
import pytest

from fieldline.crops.recognise.points import read_points
from fieldline.crops.recognise.protocols import Protocol, splits
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
        ({"X": arrays()["X"] * 1e-2}, "is no reflectance"),
        ({"X": arrays()["X"].transpose(0, 2, 1)}, r"by X.transpose\(0, 2, 1\)"),
        ({"X": arrays()["X"].reshape(240, -1)}, r"reshape it to \(series, dates, bands\)"),
        ({"X": arrays()["X"] * (np.arange(10) != 4)}, r"\(band 5 never is\)"),
        ({"X": np.zeros_like(arrays()["X"])}, "no date with all bands above zero"),
        ({"X": arrays()["X"][..., ::-1]}, "never show more near infrared than red"),
        ({"cdl_code": np.ones(240, dtype=int)}, "one class"),
        ({"cdl_code": np.ones(7, dtype=int)}, "cdl_code has 7 rows and X has 240"),
        ({"zone": np.ones(3, dtype=int)}, "zone has 3 rows"),
        ({"lonlat": arrays()["lonlat"][:, ::-1]}, "longitude first"),
        ({"lonlat": arrays()["lonlat"] * 1e4}, "write degrees"),
        ({"y": np.eye(3)[np.arange(240) % 3]}, r"y.argmax\(axis=1\)"),
        ({"bands": np.array([*BANDS[:9], "B02"])}, "name B02 twice"),
    ],
)  # fmt: skip
def test_files_that_are_something_else_are_refused(tmp_path: Path, changed, said) -> None:
    with pytest.raises(UserError, match=said):
        read_points(write(tmp_path / "p.npz", **changed))


def test_equal_series_of_two_classes_are_counted(tmp_path: Path) -> None:
    values, code = arrays()["X"], arrays()["cdl_code"]
    values[3], values[7], values[9] = values[0], values[1], values[0]
    # 0, 3 and 9 are maize (each third), 1 and 7 soybean: so far every label agrees
    (said,) = read_points(write(tmp_path / "a.npz", X=values)).remarks
    assert said.startswith("5 series stand there again, to the last digit: none is tested")
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


FRACTIONS = np.where(arrays()["X"] > 0, arrays()["X"] * 1e-4, np.nan).astype(np.float32)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.where(arrays()["X"] > 0, arrays()["X"], 65535), "65535) are fill values"),
        (np.where(arrays()["X"] > 0, arrays()["X"], 32767).astype(np.int16), "32767) are fill"),
        (np.where(arrays()["X"] > 0, arrays()["X"].astype(np.int16), -9999), ""),
        (np.where(np.isfinite(FRACTIONS), FRACTIONS, 1e20), "fill values"),
        (FRACTIONS * 1e4, "are taken for it"),
        (FRACTIONS, ""),
    ],
)  # fmt: skip
def test_the_same_land_is_read_from_every_way_of_writing_it(tmp_path: Path, values, said) -> None:
    base = read_points(write(tmp_path / "a.npz"))
    other = read_points(write(tmp_path / "b.npz", X=values))
    assert np.array_equal(other.cube.seen, base.cube.seen)
    assert np.allclose(other.cube.values, base.cube.values, atol=1e-5)
    assert len(other.remarks) == bool(said)
    assert said in "".join(other.remarks)


def test_an_offset_that_was_left_in_is_told(tmp_path: Path) -> None:
    raw = arrays()["X"]
    points = read_points(write(tmp_path / "p.npz", X=np.where(raw > 0, raw + 1000, 0)))
    assert "subtract their offset of 1000" in points.remarks[0]


@pytest.mark.parametrize(
    "names",
    [
        BANDS[::-1],
        [name.replace("B0", "B") for name in BANDS[::-1]],
        ["swir22", "swir16", "nir08", "nir", "rededge3", "rededge2", "rededge1", "red", "green",
         "blue"],
    ],
)  # fmt: skip
def test_bands_that_the_file_names_are_believed(tmp_path: Path, names) -> None:
    """With red and near infrared exchanged between like bands no check of the values would help."""
    straight = read_points(write(tmp_path / "s.npz"))
    turned = read_points(write(tmp_path / "t.npz", X=arrays()["X"][..., ::-1],
                               bands=np.asarray(names)))  # fmt: skip
    assert turned.cube.bands == BANDS[::-1]
    assert np.array_equal(turned.cube.values[..., ::-1], straight.cube.values)


def test_labels_that_are_none_teach_nothing(tmp_path: Path) -> None:
    code = arrays()["cdl_code"].astype(float)
    absent = {
        "nan": np.where(np.arange(240) < 5, np.nan, code),
        "negative": np.where(np.arange(240) < 5, -1, code),
        "blank": np.where(np.arange(240) < 5, "", np.char.mod("%d", code)),
        "column": np.where(np.arange(240) < 5, np.nan, code)[:, None],
    }
    for name, labels in absent.items():
        points = read_points(write(tmp_path / f"{name}.npz", cdl_code=labels))
        assert points.classes == ("maize", "soybean", "winter_wheat")
        assert len(points.labels) == 235
        assert points.remarks == ("5 series without a label (blank, NaN, below zero) are left out",)


def test_arrays_that_nobody_asked_for_may_hold_anything(tmp_path: Path) -> None:
    held = arrays() | {"meta": np.asarray([{"a": 1}], dtype=object)}
    np.savez(tmp_path / "p.npz", **held)
    assert len(read_points(tmp_path / "p.npz").labels) == 240


def test_places_come_as_two_arrays_too(tmp_path: Path) -> None:
    lonlat = arrays()["lonlat"]
    path = write(tmp_path / "p.npz", lonlat=None, lon=lonlat[:, 0], lat=lonlat[:, 1])
    assert np.array_equal(read_points(path).lonlat, lonlat)


def test_no_series_is_tested_on_a_model_that_learnt_its_like(tmp_path: Path) -> None:
    held = arrays()
    path = write(tmp_path / "p.npz", **{k: np.concatenate([v, v]) for k, v in held.items()})
    points = read_points(path)
    assert points.remarks[0].startswith("480 series stand there again, to the last digit: none")
    (split,) = splits(points, Protocol.of("per-class:20"), 1, 3)
    learnt = {points.cube.values[at].tobytes() for at in split.train}
    assert len(split.test) == 480 - 2 * len(learnt)
    assert not learnt & {points.cube.values[at].tobytes() for at in split.test}


def test_an_archive_of_one_series_many_times_is_refused(tmp_path: Path) -> None:
    same = np.repeat(arrays()["X"][:1], 240, axis=0)
    points = read_points(write(tmp_path / "points.npz", X=same))
    with pytest.raises(UserError, match="stands among those learnt"):
        list(splits(points, Protocol.of("per-class:20"), 1, 3))


def test_series_without_a_zone_are_in_no_part(tmp_path: Path) -> None:
    zone = np.where(np.arange(240) < 60, np.nan, arrays()["zone"])
    points = read_points(write(tmp_path / "p.npz", zone=zone))
    assert points.remarks == ("60 series have no zone: --holdout zone leaves them out",)
    parts = list(splits(points, Protocol.of("per-class:5", "zone"), 1, 3))
    assert [part.name for part in parts] == ["zone 0", "zone 1"]
    assert all(min(part.train.min(), part.test.min()) >= 60 for part in parts)
