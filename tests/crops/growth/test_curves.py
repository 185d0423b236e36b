import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldline.crops.growth.curves import penalty_ladder, smooth_curve

LADDER = penalty_ladder(-1.0, 2.0, 7)


def test_a_straight_line_passes_unchanged():
    day = np.arange(0, 100, 5)
    curve = smooth_curve(day, 0.2 + 0.005 * day, np.ones(len(day)), 5, LADDER)
    assert curve.first_day == 0
    assert curve.values == pytest.approx(0.2 + 0.005 * day, abs=1e-6)


def test_second_differences_solve_the_weighted_normal_equations():
    day = np.array([0, 5, 15, 20, 25, 30])
    values, weight = np.array([0.1, 0.5, 0.4, 0.7, 0.2, 0.3]), np.array([1, 0.5, 1, 1, 0.2, 1.0])
    curve = smooth_curve(day, values, weight, 5, [10.0])
    full, trust = np.zeros(7), np.zeros(7)
    full[day // 5], trust[day // 5] = values, weight
    roughness = np.diff(np.eye(7), n=2, axis=0)
    wanted = np.linalg.solve(np.diag(trust) + 10 * roughness.T @ roughness, trust * full)
    assert curve.values == pytest.approx(wanted, abs=1e-9)


def test_noise_chooses_a_stronger_penalty_than_a_clean_curve():
    day = np.arange(0, 300, 5)
    clean = 0.5 + 0.3 * np.sin(day / 30)
    noisy = clean + np.random.default_rng(1).normal(0, 0.1, len(day))
    weight = np.ones(len(day))
    smooth, rough = (smooth_curve(day, v, weight, 5, LADDER) for v in (clean, noisy))
    assert rough.penalty > smooth.penalty
    assert np.abs(rough.values - clean).mean() < np.abs(noisy - clean).mean()


@given(st.integers(0, 40), st.integers(41, 200))
@settings(max_examples=25)
def test_the_curve_never_leaves_the_observed_days(first, last):
    day = np.unique(np.linspace(first, last, 9).astype(int))
    curve = smooth_curve(day, np.full(len(day), 0.4), np.ones(len(day)), 5, LADDER)
    assert abs(curve.days[0] - first) <= 2.5
    assert abs(curve.days[-1] - last) <= 2.5
    assert curve.values == pytest.approx(np.full(len(curve.values), 0.4))


def test_a_gap_between_two_slopes_does_not_swing_above_what_was_seen():
    day = np.array([0, 30, 60, 150, 180, 210])
    values = np.array([0.2, 0.25, 0.9, 0.95, 0.2, 0.15])
    curve = smooth_curve(day, values, np.ones(6), 5, (1.0,))
    assert curve.values.max() <= 0.95
    assert curve.values.min() >= 0.15
