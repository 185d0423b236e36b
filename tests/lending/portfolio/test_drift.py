"""Drift against hand-worked indices, the chi-square law and populations known to be one or two."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from fieldline.lending.portfolio.drift import binned, drift, holm, stability_index

HOW = {"permutations": 1999, "most_chance": 0.01, "seed": 3}


def test_the_index_of_two_bins_is_worked_out_by_hand() -> None:
    # Shares (2 + .5) / 10 and .75 of nine against .5 and .5: -.25 ln .5 + .25 ln 1.5
    found = stability_index(np.array([2, 7]), np.array([10, 10]))
    assert found == pytest.approx(0.25 * np.log(2) + 0.25 * np.log(1.5))
    assert stability_index(np.array([5, 5]), np.array([50, 50])) == pytest.approx(0, abs=1e-12)
    assert np.isfinite(stability_index(np.array([0, 10]), np.array([10, 0])))


def test_bins_are_tenths_of_both_each_value_of_few_and_the_missing() -> None:
    values = np.arange(100, dtype=float)
    first, second = binned(values, values)
    assert first.tolist() == second.tolist() == [10] * 10
    flags, gaps = np.array([0.0, 0, 1]), np.array([1.0, np.nan])
    first, second = binned(flags, gaps)
    assert (first.tolist(), second.tolist()) == ([2, 1, 0], [0, 1, 1])


def test_random_divisions_give_what_all_divisions_give() -> None:
    # Of 4 + 4 farmers all 70 divisions can be looked at.
    values = np.array([0.0, 0, 0, 1, 1, 1, 1, 2])
    group, against = pd.DataFrame({"x": values[:4]}), pd.DataFrame({"x": values[4:]})
    index = float(stability_index(*binned(values[:4], values[4:])))
    every = []
    for chosen in itertools.combinations(range(8), 4):
        picked = np.isin(np.arange(8), chosen)
        every.append(float(stability_index(*binned(values[picked], values[~picked]))))
    (found,) = drift(group, against, **{**HOW, "permutations": 20_000})
    assert found.chance == pytest.approx(np.mean(np.array(every) >= index - 1e-12), abs=0.01)
    assert found.noise == pytest.approx(np.quantile(every, 0.95), abs=1e-9)


def test_the_noise_floor_is_that_of_the_chi_square_law() -> None:
    # In one population the index is about (1/n + 1/m) times chi-square with bins - 1 degrees.
    rng = np.random.default_rng(5)
    group, against = (pd.DataFrame({"x": rng.normal(size=n)}) for n in (800, 1200))
    (found,) = drift(group, against, **HOW)
    assert found.noise == pytest.approx((1 / 800 + 1 / 1200) * chi2.ppf(0.95, 9), rel=0.1)


def test_sixty_farmers_of_one_population_are_not_called_drifting() -> None:
    rng = np.random.default_rng(11)
    called, large, counties = 0, 0, 40
    for _ in range(counties):
        group, against = (
            pd.DataFrame(rng.normal(size=(60, 5)), columns=list("abcde")) for _ in range(2)
        )
        found = drift(group, against, **{**HOW, "permutations": 999})
        called += any(one.verdict in ("shifted", "drifted") for one in found)
        large += any(one.psi >= 0.25 for one in found)
    # By the bands alone most counties would be; chance allows one in a hundred.
    assert large / counties > 0.6
    assert called <= 1


def test_what_moved_is_named_and_the_rest_is_not() -> None:
    rng = np.random.default_rng(2)
    against = pd.DataFrame(rng.normal(size=(2000, 3)), columns=["debt", "yield", "age"])
    group = pd.DataFrame(rng.normal(size=(1500, 3)), columns=["debt", "yield", "age"])
    group["debt"] += 0.6
    group["yield"] += 0.36
    group.loc[:299, "age"] = np.nan
    debt, shift, age = drift(group, against, **HOW)
    # Two normals a distance d apart: the index is about d squared, less what bins lose.
    assert (debt.verdict, shift.verdict) == ("drifted", "shifted")
    assert debt.psi == pytest.approx(0.36, abs=0.06)
    assert (debt.median, debt.median_against) == (
        pytest.approx(group["debt"].median()), pytest.approx(against["debt"].median())
    )  # fmt: skip
    assert (age.verdict, age.missing, age.missing_against) == ("drifted", 0.2, 0.0)


def test_a_handful_of_farmers_is_too_few_to_tell() -> None:
    rng = np.random.default_rng(4)
    few, many = (pd.DataFrame({"x": rng.normal(size=n)}) for n in (15, 500))
    (found,) = drift(few, many, **HOW)
    assert found.noise > 0.25
    assert found.verdict == "too_few_to_tell"
    (moved,) = drift(few + 5, many, **HOW)
    assert moved.verdict == "drifted"


def test_chances_hold_over_all_of_them_together() -> None:
    # .01 x 4, then .02 x 3, then no less than that, .04 x 2 and .5
    assert holm([0.04, 0.01, 0.5, 0.02]) == pytest.approx([0.08, 0.04, 0.5, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
