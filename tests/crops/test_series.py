import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldline.crops.series import (
    clear_series,
    fill_gaps,
    indices,
    near_infrared,
    regularise,
    stopped_parcels,
    without_spikes,
)
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import Outcome, write_outcomes
from fieldline.pipeline.records.settings import Season
from tests.crops.conftest import observation_frame, series_of


def test_rows_after_the_as_of_date_are_not_seen():
    season = Season(
        start=dt.date(2023, 1, 1), end=dt.date(2023, 12, 31), as_of=dt.date(2023, 1, 11)
    )
    days = np.array([0, 10, 11, 40])
    frame = observation_frame({"a": (days, np.full(4, 0.5))}, season.start)
    assert clear_series(frame, season, 0.5).day.tolist() == [0, 10]


def test_cloudy_rows_and_missing_bands_are_left_out_but_the_parcel_stays(season):
    frame = observation_frame({"a": (np.array([1, 2]), np.array([0.3, 0.4]))}, season.start)
    frame.loc[0, "valid_fraction"] = 0.2
    frame.loc[1, "B11_mean"] = np.nan
    series = clear_series(frame, season, 0.5)
    assert series.parcel_ids == ("a",)
    assert series.clear_dates.tolist() == [0]


def test_indices_by_hand():
    bands = {n: np.array([v]) for n, v in
             {"B02": 0.05, "B04": 0.1, "B05": 0.15, "B08": 0.3, "B11": 0.2}.items()}  # fmt: skip
    found = indices(bands)
    assert found["NDVI"][0] == pytest.approx(0.5)
    assert found["EVI"][0] == pytest.approx(2.5 * 0.2 / (0.3 + 0.6 - 0.375 + 1))
    assert found["NDRE"][0] == pytest.approx(1 / 3)
    assert found["LSWI"][0] == pytest.approx(0.2)
    assert "NDTI" not in found


def test_four_bands_and_b8a_serve_and_no_infrared_is_refused():
    assert near_infrared(["B02", "B8A"]) == "B8A"
    with pytest.raises(UserError, match="no near-infrared band"):
        near_infrared(["B02", "B03", "B04"])


def test_missed_cloud_is_a_spike_and_harvest_is_not():
    day = np.array([0, 5, 10, 15, 20, 25])
    values = np.array([0.8, 0.8, 0.4, 0.8, 0.2, 0.2])
    assert without_spikes(day, values, 0.1, 30).tolist() == [True, True, False, True, True, True]


def test_regular_steps_are_weighted_means_and_gaps_are_linear():
    series = series_of({"a": (np.array([0, 1, 20]), np.array([0.2, 0.4, 0.6]))})
    series.weight[:] = [1.0, 3.0, 1.0]
    values, seen = regularise(series, np.array([[0.2], [0.4], [0.6]]), 4, 10)
    assert values[0, :, 0].tolist() == pytest.approx([0.35, 0.475, 0.6, 0.6])
    assert seen[0].tolist() == [True, False, True, False]


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_filling_a_straight_line_gives_the_line_between_its_ends(pattern):
    seen = np.array([pattern])
    line = np.arange(len(pattern), dtype=float)
    filled = fill_gaps(np.where(seen, line, np.nan)[:, :, None], seen)[0, :, 0]
    if not seen.any():
        assert np.isnan(filled).all()
        return
    at = np.flatnonzero(seen[0])
    assert np.allclose(filled, np.clip(line, at[0], at[-1]))


def test_parcels_stopped_earlier_are_named(tmp_path):
    rows = [Outcome("grow", "a", "", "too_few_dates"), Outcome("grow", "b", "")]
    write_outcomes(rows, tmp_path / "grow.parquet")
    assert stopped_parcels([tmp_path / "grow.parquet"]) == frozenset()
    assert stopped_parcels([]) == frozenset()
    assert pd.read_parquet(tmp_path / "grow.parquet").shape[0] == 2
