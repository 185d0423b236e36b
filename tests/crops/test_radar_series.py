import datetime as dt

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.radar_series import optical_gaps, radar_beside, radar_vegetation_index
from fieldline.pipeline.imagery.schemas import RADAR_OBSERVATIONS, radar_columns
from fieldline.pipeline.imagery.settings import RadarSettings
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import write_table
from tests.crops.conftest import series_of

SEASON = Season(start=dt.date(2024, 1, 1), end=dt.date(2024, 4, 9), as_of=dt.date(2024, 4, 9))


def test_the_index_of_equal_and_of_bare_polarisations():
    """VH as strong as VV is 2; VH ten times weaker is 4 x 0.1 / 1.1."""
    found = radar_vegetation_index(np.array([-10.0, -10.0]), np.array([-10.0, -20.0]))
    assert found == pytest.approx([2.0, 0.4 / 1.1])


@pytest.mark.parametrize(
    ("day", "gaps"),
    [
        ([], [(0, 99)]),
        ([0, 30, 61, 99], [(62, 98)]),
        ([40], [(0, 39), (41, 99)]),
        ([20, 50, 80], []),
    ],
)
def test_gaps_are_spans_longer_than_thirty_days(day, gaps):
    assert optical_gaps(np.array(day, dtype=int), 99, 30) == gaps


def test_radar_is_told_by_orbit_and_by_what_optics_could_not_see(tmp_path):
    """Clear on days 10, 20 and 90: of radar on 5, 50 and 95 the middle one stands in a gap."""
    rows = [
        ("a", 5, "descending", -12.0, -18.0, 1.0), ("a", 50, "ascending", -11.0, -17.0, 1.0),
        ("a", 95, "ascending", -13.0, -20.0, 1.0), ("a", 60, "ascending", -9.0, -9.0, 0.2),
        ("other", 50, "ascending", -9.0, -9.0, 1.0),
    ]  # fmt: skip
    frame = pd.DataFrame(
        [
            {"parcel_id": name, "orbit": orbit, "scene_id": "s", "effective_pixels": 9.0,
             "datetime": pd.Timestamp(SEASON.start, tz="UTC") + pd.Timedelta(days=day, hours=5),
             "valid_fraction": seen, "vv_mean": vv, "vh_mean": vh, "vv_cv": 0.3, "vh_cv": 0.3}
            for name, day, orbit, vv, vh, seen in sorted(rows)
        ]
    )  # fmt: skip
    schema = RADAR_OBSERVATIONS.with_columns(radar_columns(("vv", "vh")))
    write_table(frame, schema, tmp_path / "r.parquet")
    series = series_of({"a": (np.array([10, 20, 90]), np.array([0.3, 0.4, 0.8]))})
    found = radar_beside(series, tmp_path / "r.parquet", SEASON, RadarSettings())
    assert found[["day", "orbit", "in_gap"]].to_numpy().tolist() == [
        [5, "descending", False], [50, "ascending", True], [95, "ascending", False],
    ]  # fmt: skip
    assert found["rvi"].iloc[1] == pytest.approx(4 / (1 + 10**0.6), abs=1e-5)
