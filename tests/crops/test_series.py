import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldline.crops.series import (
    band_names,
    clear_series,
    fill_gaps,
    grid_days,
    indices,
    iter_clear,
    known_until,
    ndvi,
    near_infrared,
    normalised,
    regularise,
    stack,
    stopped_parcels,
    without_haze,
)
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import Outcome, write_outcomes
from fieldline.pipeline.records.settings import Season
from tests.crops.conftest import BANDS, observation_frame, series_of


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


def test_parcels_with_a_note_are_not_stopped(tmp_path):
    rows = [Outcome("grow", "a", "", "too_few_dates"), Outcome("grow", "b", "")]
    write_outcomes(rows, tmp_path / "grow.parquet")
    assert stopped_parcels([tmp_path / "grow.parquet"]) == frozenset()
    assert stopped_parcels([]) == frozenset()
    assert pd.read_parquet(tmp_path / "grow.parquet").shape[0] == 2


def test_parcels_that_a_stage_stopped_are_named_and_the_others_go_on(tmp_path):
    observe = [Outcome("observe", "a", "", "too_cloudy"), Outcome("observe", "b", "")]
    write_outcomes(observe, tmp_path / "observe.parquet")
    grow = [Outcome("grow", "b", "", "too_few_dates"), Outcome("grow", "c", "", "too_cloudy")]
    write_outcomes(grow, tmp_path / "grow.parquet")
    paths = [tmp_path / "observe.parquet", tmp_path / "grow.parquet"]
    assert stopped_parcels(paths) == {"a", "c"}


def test_a_season_is_known_to_its_end_or_to_the_as_of_date():
    start, end = dt.date(2023, 1, 1), dt.date(2023, 1, 31)
    assert known_until(Season(start=start, end=end, as_of=dt.date(2023, 1, 11))) == 10
    assert known_until(Season(start=start, end=end, as_of=dt.date(2023, 3, 1))) == 30


def test_a_row_counts_from_the_first_day_and_from_the_least_clear_share(season):
    days = np.array([-1, 0, 7, 3])
    frame = observation_frame({"a": (days, np.full(4, 0.5))}, season.start, valid=0.5)
    series = clear_series(frame, season, 0.5)
    assert series.day.tolist() == [0, 3, 7]
    assert len(clear_series(frame, season, 0.51).day) == 0


def test_each_parcel_has_its_own_rows_in_order_of_time(season):
    curves = {"b": ([9, 2], [0.5, 0.4]), "a": ([4], [0.3]), "c": ([1], [0.2])}
    frame = observation_frame({k: map(np.array, v) for k, v in curves.items()}, season.start)
    series = clear_series(frame, season, 0.5)
    assert series.parcel_ids == ("a", "b", "c")
    assert series.clear_dates.tolist() == [1, 2, 1]
    assert [series.day[series.of(n)].tolist() for n in range(3)] == [[4], [2, 9], [1]]
    assert np.allclose(ndvi(series.bands), [0.3, 0.4, 0.5, 0.2])
    assert set(series.bands) == set(BANDS)


def test_bands_are_the_columns_of_means(tmp_path):
    path = tmp_path / "some.parquet"
    pd.DataFrame({"parcel_id": ["a"], "B8A_mean": [0.1], "B02_mean": [0.1], "B02_std": [0.0]}
                 ).to_parquet(path)  # fmt: skip
    assert band_names(path) == ("B8A", "B02")


def test_stopped_parcels_are_not_read_again(tmp_path, season, write_observations):
    day, ndvi_of = np.array([5]), {"a": 0.3, "b": 0.6}
    frame = observation_frame({p: (day, np.array([v])) for p, v in ndvi_of.items()}, season.start)
    path = write_observations(frame, tmp_path / "observations.parquet")

    def parcels(*stopped):
        return [s.parcel_ids for s in iter_clear(path, season, 0.5, frozenset(stopped))]

    assert parcels() == [("a", "b")]
    assert parcels("a") == [("b",)]
    assert parcels("a", "b") == []
    (series,) = iter_clear(path, season, 0.5, frozenset("a"))
    assert np.allclose(ndvi(series.bands), [0.6])


def test_an_index_stays_within_its_scale():
    first, second = np.array([0.3, -0.1, 0.0]), np.array([-0.1, 0.3, 0.0])
    # .4 / .2 and -.4 / .2 are no normalised differences; nothing over nothing is none
    assert normalised(first, second).tolist() == [1.0, -1.0, 0.0]
    nir, red, blue = np.array([0.9, 0.0]), np.array([0.0, 0.8]), np.array([0.1, 0.7])
    # 2.25 / 1.15 = 1.96 and -2 / .55 = -3.6
    assert indices({"B08": nir, "B04": red, "B02": blue})["EVI"].tolist() == [1.5, -1.0]


def test_the_residue_index_needs_both_of_its_bands():
    base = {"B04": np.array([0.1]), "B08": np.array([0.3])}
    short, long = np.array([0.3]), np.array([0.2])
    assert indices({**base, "B11": short, "B12": long})["NDTI"][0] == pytest.approx(0.2)
    assert set(indices({**base, "B12": long})) == {"NDVI"}
    assert set(indices({**base, "B11": short})) == {"NDVI", "LSWI"}


@pytest.mark.parametrize(
    ("days", "step", "centres"),
    [(12, 5, [2, 7]), (13, 5, [2, 7, 12]), (10, 10, [5]), (3, 10, [5])],
)
def test_steps_are_named_by_their_centre(days, step, centres):
    start = dt.date(2023, 1, 1)
    end = start + dt.timedelta(days - 1)
    assert grid_days(Season(start=start, end=end, as_of=end), step).tolist() == centres


def test_parcels_and_channels_do_not_mix_and_late_rows_join_the_last_step():
    series = series_of({"a": (np.array([0, 45]), np.zeros(2)), "b": (np.array([0]), np.zeros(1))})
    series.weight[:] = 0.5
    values, seen = regularise(series, np.array([[1.0, 10], [4, 40], [7, 70]]), 4, 10)
    assert values[:, :, 0].tolist() == pytest.approx(np.array([[1, 2, 3, 4], [7, 7, 7, 7]]))
    assert values[:, :, 1].tolist() == pytest.approx(np.array([[10, 20, 30, 40], [70] * 4]))
    assert seen.tolist() == [[True, False, False, True], [True, False, False, False]]


def test_columns_stand_side_by_side():
    assert stack([np.array([1.0, 2]), np.array([3.0, 4])]).tolist() == [[1, 3], [2, 4]]


def test_haze_is_found_on_the_first_the_last_and_paired_dates_and_ground_is_kept():
    """Cloud lifts blue by 0.2 and red by 0.18; a stand, straw and dry soil are told by nothing."""
    days = np.arange(0, 100, 10)
    series = series_of({"field": (days, np.linspace(0.85, 0.1, 10))})
    assert without_haze(series, 0.025).day.tolist() == days.tolist()
    hidden = [0, 4, 5, 9]
    series.bands["B02"][hidden] += 0.20
    series.bands["B04"][hidden] += 0.18
    assert without_haze(series, 0.025).day.tolist() == [10, 20, 30, 60, 70, 80]


def test_haze_is_measured_against_the_parcels_own_land():
    """A quartz sand whose blue is high on every date hides nothing; other land is no norm."""
    days = np.arange(0, 60, 10)
    series = series_of({"loam": (days, np.full(6, 0.3)), "sand": (days, np.full(6, 0.3))})
    series.bands["B02"][6:] += 0.1
    assert len(without_haze(series, 0.025).day) == 12


def test_without_blue_nothing_is_called_haze():
    series = series_of({"field": (np.arange(3), np.array([0.8, 0.2, 0.8]))})
    del series.bands["B02"]
    assert without_haze(series, 0.025) is series
