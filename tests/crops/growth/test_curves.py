import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whittaker_eilers import WhittakerSmoother

from fieldline.crops.growth.curves import Points, smooth_curves

PENALTY = 3.16


def points_of(*series) -> Points:
    """Points of parcels given as (days, values) or (days, values, weights)."""
    parcel, day, values, weight = [], [], [], []
    for number, (days, seen, *trust) in enumerate(series):
        parcel += [number] * len(days)
        day += list(days)
        values += list(seen)
        weight += list(trust[0]) if trust else [1.0] * len(days)
    return Points(
        len(series), np.asarray(parcel, dtype=np.int64), np.asarray(day, dtype=np.int64),
        np.asarray(values, dtype=float), np.asarray(weight, dtype=float),
    )  # fmt: skip


def test_a_straight_line_passes_unchanged():
    day = np.arange(0, 100, 5)
    curves = smooth_curves(points_of((day, 0.2 + 0.005 * day)), 5, 100.0)
    assert curves.first.tolist() == [0]
    assert curves.of(0) == pytest.approx(0.2 + 0.005 * day, abs=1e-6)
    assert curves.noise[0] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("length", [4, 5, 6, 7, 8, 13, 60])
def test_many_curves_at_once_solve_the_weighted_normal_equations(length):
    generator = np.random.default_rng(length)
    days = [np.sort(generator.choice(length, max(3, length // 2), replace=False)) for _ in "abc"]
    series = [(5 * d, generator.random(len(d)), generator.uniform(0.3, 1, len(d))) for d in days]
    curves = smooth_curves(points_of(*series), 5, PENALTY)
    for number, (day, values, weight) in enumerate(series):
        cell = day // 5 - day[0] // 5
        trust, full = np.zeros(cell[-1] + 1), np.zeros(cell[-1] + 1)
        trust[cell], full[cell] = weight, values
        rough = np.diff(np.eye(len(full)), n=2, axis=0)
        wanted = np.linalg.solve(np.diag(trust) + PENALTY * rough.T @ rough, trust * full)
        inside = np.clip(wanted, values.min(), values.max())
        assert curves.of(number) == pytest.approx(inside, abs=1e-6)


def test_the_curve_is_the_one_of_whittaker_eilers():
    generator = np.random.default_rng(2)
    day, values = np.arange(0, 365, 5), generator.uniform(0.2, 0.9, 73)
    weight = generator.integers(0, 2, 73) * generator.uniform(0.5, 1, 73)
    weight[[0, -1]] = 1.0
    seen = weight > 0
    curves = smooth_curves(points_of((day[seen], values[seen], weight[seen])), 5, PENALTY)
    peer = WhittakerSmoother(PENALTY, 2, 73, None, weight.tolist()).smooth(values.tolist())
    wanted = np.clip(peer, values[seen].min(), values[seen].max())
    assert curves.of(0) == pytest.approx(wanted, abs=1e-6)


def test_noise_is_taken_out_and_its_size_told():
    day = np.arange(0, 300, 5)
    clean = 0.5 + 0.3 * np.sin(day / 30)
    noisy = clean + np.random.default_rng(1).normal(0, 0.05, len(day))
    curves = smooth_curves(points_of((day, clean), (day, noisy)), 5, PENALTY)
    assert np.abs(curves.of(1) - clean).mean() < 0.7 * np.abs(noisy - clean).mean()
    assert curves.noise[0] < 0.01
    assert 0.03 < curves.noise[1] < 0.06


@given(st.integers(0, 40), st.integers(41, 200))
@settings(max_examples=25)
def test_the_curve_never_leaves_the_observed_days(first, last):
    day = np.unique(np.linspace(first, last, 9).astype(int))
    curves = smooth_curves(points_of((day, np.full(len(day), 0.4))), 5, PENALTY)
    assert abs(5 * curves.first[0] - first) <= 2.5
    assert abs(5 * curves.last[0] - last) <= 2.5
    assert curves.of(0) == pytest.approx(np.full(len(curves.of(0)), 0.4))
    assert np.isnan(curves.values[0, : curves.first[0]]).all()


def test_a_gap_between_two_slopes_does_not_swing_above_what_was_seen():
    day = np.array([0, 30, 60, 150, 180, 210])
    values = np.array([0.2, 0.25, 0.9, 0.95, 0.2, 0.15])
    curves = smooth_curves(points_of((day, values)), 5, 1.0)
    assert np.nanmax(curves.values) <= 0.95
    assert np.nanmin(curves.values) >= 0.15


def test_too_few_different_days_make_no_curve_and_leave_the_others_alone():
    day = np.arange(0, 100, 10)
    few = (np.array([0, 10, 10]), np.array([0.3, 0.4, 0.5]))
    both = smooth_curves(points_of(few, (day, day / 100)), 5, PENALTY, min_dates=3)
    alone = smooth_curves(points_of((day, day / 100)), 5, PENALTY, min_dates=3)
    assert both.first.tolist() == [-1, 0]
    assert len(both.of(0)) == 0
    assert both.of(1) == pytest.approx(alone.of(0))


def test_two_days_are_joined_by_a_line():
    curves = smooth_curves(points_of(([0, 20], [0.2, 0.6])), 5, PENALTY)
    assert curves.of(0) == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6])
