import numpy as np
import pandas as pd
import pytest

from fieldline.crops.recognise.early import until
from fieldline.crops.recognise.evaluate import run_split
from fieldline.crops.recognise.features import channels, features
from fieldline.crops.recognise.label_tables import LabelledSeries
from fieldline.crops.recognise.points import Points, read_polygons
from fieldline.crops.recognise.protocols import Protocol, splits
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.records.errors import UserError

FAST = ClassifySettings(trees=30, rounds=12, folds=3, augment=0, shares_from=500, network="never")


def table(path, vv, *, samples: int = 60, days: int = 12, **changed) -> LabelledSeries:
    """Two crops alike in every optical band, no two series the same to the last digit; VV (samples,
    dates) and VH = VV - 6 on all dates.

    Optical values are missing on every third date, radar values where `vv` is NaN.
    """
    rows, red = [], np.random.default_rng(9).random(samples)
    for sample in range(samples):
        for date in range(days):
            clear = date % 3 != 2
            rows.append({
                "sample_id": f"s{sample:02d}", "crop": ("maize", "soybean")[sample % 2],
                "date": pd.Timestamp("2021-04-01") + pd.Timedelta(days=10 * date),
                "lon": 10.0 + 0.01 * sample, "lat": 48.0,
                "B04": 0.05 + 1e-5 * red[sample] if clear else np.nan,
                "B08": 0.3 + 0.01 * date if clear else np.nan,
                "VV": vv[sample, date], "VH": vv[sample, date] - 6.0,
            })  # fmt: skip
    frame = pd.DataFrame(rows).assign(**changed)
    frame.to_csv(path / "t.csv", index=False)
    return LabelledSeries(path / "t.csv")


def even(samples: int = 60, days: int = 12) -> np.ndarray:
    return -15.0 + 0.5 * np.arange(days)[None] + np.zeros((samples, 1))


def radar_of(points: Points) -> np.ndarray:
    return np.stack([channels(points.cube, "full")[name] for name in ("VV", "VH")], axis=-1)


def test_decibels_come_out_as_they_went_in_and_a_gap_keeps_the_last(tmp_path) -> None:
    written = even()
    written[0, [0, 4, 5, 11]] = np.nan
    points = read_polygons(table(tmp_path, written), 10, radar=True)
    assert points.cube.bands == ("B04", "B08", "VV", "VH")
    found = radar_of(points)
    expected = written.copy()
    expected[0, [0, 4, 5, 11]] = written[0, [1, 3, 3, 10]]
    assert found[..., 0] == pytest.approx(expected, abs=1e-6)
    assert found[..., 1] == pytest.approx(expected - 6.0, abs=1e-6)
    ratio = channels(points.cube, "full")["VH/VV"]
    assert ratio == pytest.approx(np.full_like(ratio, -6.0), abs=1e-6)
    assert points.cube.seen[0].tolist() == [date % 3 != 2 for date in range(12)]


def test_a_sample_without_radar_stands_at_the_mean_power_of_the_others_and_is_said(tmp_path):
    written = even()
    written[1::2] += 3.0
    written[0] = np.nan
    points = read_polygons(table(tmp_path, written), 10, radar=True)
    assert points.remarks == ("1 series without radar stand at the mean of the others",)
    power = (10 ** (written[1:, 0] / 10)).mean()
    assert radar_of(points)[0, 0, 0] == pytest.approx(10 * np.log10(power))
    assert np.isfinite(features(points.cube, "full")).all()


def test_a_season_cut_at_a_date_holds_no_later_radar(tmp_path) -> None:
    written = even()
    written[:, 5] = np.nan
    whole = read_polygons(table(tmp_path, written), 10, radar=True)
    cut = until(whole, 7)
    later = written.copy()
    later[:, 7:] = -30.0
    other = until(read_polygons(table(tmp_path, later), 10, radar=True), 7)
    assert np.array_equal(cut.cube.values[..., 2:], other.cube.values[..., 2:])
    assert radar_of(cut)[0, :, 0] == pytest.approx(written[0, [0, 1, 2, 3, 4, 4, 6]])


def test_crops_alike_to_the_eye_are_told_apart_by_radar_alone(tmp_path) -> None:
    written = even() + np.where(np.arange(60)[:, None] % 2, 3.0, 0.0)
    written += np.random.default_rng(0).normal(0, 0.5, written.shape)
    source = table(tmp_path, written)
    right = {}
    for radar in (False, True):
        points = read_polygons(source, 10, radar=radar)
        (split,) = splits(points, Protocol.of("per-class:15"), 1, 3)
        one = run_split(points, split, FAST, beside=False)
        right[radar] = (one.models["fieldline"].argmax(axis=1) == one.truth).mean()
    assert right[False] <= 0.6
    assert right[True] > 0.95


def test_worldcereal_numbers_are_decibels_by_its_own_scale(tmp_path) -> None:
    """10^((20 log10 DN - 83) / 10): a number of 14125 is 0 dB, of 4467 is -10 dB."""
    days = pd.date_range("2022-10-01", periods=12, freq="10D")
    rows = [
        {"sample_id": f"s{n}", "ewoc_code": (1101060000, 1101010012)[n % 2], "timestamp": day,
         "lon": 1.0, "lat": 44.0, "S2-L2A-B04": 500, "S2-L2A-B08": 3000,
         "S1-SIGMA0-VV": 4467, "S1-SIGMA0-VH": 65535 if day == days[3] else 2239}
        for n in range(8) for day in days
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(tmp_path / "w.parquet")
    source = LabelledSeries(tmp_path / "w.parquet", "worldcereal", None, "codes_worldcereal.csv")
    found = radar_of(read_polygons(source, 10, radar=True))
    assert found[..., 0] == pytest.approx(np.full((8, 12), -10.0), abs=1e-3)
    assert found[..., 1] == pytest.approx(np.full((8, 12), -16.0), abs=5e-3)


def test_ratios_of_powers_are_refused(tmp_path) -> None:
    with pytest.raises(UserError, match=r"VV is .* which is no backscatter in decibels"):
        read_polygons(table(tmp_path, 10 ** (even() / 10)), 10, radar=True)


def test_a_table_without_radar_is_refused_where_radar_is_asked_for(tmp_path) -> None:
    source = table(tmp_path, even())
    frame = pd.read_csv(source.table).drop(columns=["VV", "VH"])
    frame.to_csv(source.table, index=False)
    with pytest.raises(UserError, match="has no radar backscatter"):
        read_polygons(source, 10, radar=True)
