from __future__ import annotations

import numpy as np
import pytest

from fieldline.lending.risk.binning import fit_binning


def rates(values: np.ndarray, chance: np.ndarray, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(len(values)) < chance).astype(float)


def test_weights_of_evidence_by_hand() -> None:
    # 100 loans of value 1 with 20 defaults, 100 of value 2 with 60; each + 20 loans at .4
    values = np.repeat([1.0, 2.0], 100)
    bad = np.concatenate([np.arange(100) < 20, np.arange(100) < 60]).astype(float)
    found = fit_binning(values, bad, bins=4)
    assert found.edges == [1.5]
    common = np.log(0.4 / 0.6)
    assert found.woe[0] == pytest.approx(np.log(28 / 92) - common)
    assert found.woe[1] == pytest.approx(np.log(68 / 52) - common)
    assert found.woe[2] == pytest.approx(0)


def test_missing_has_its_own_weight() -> None:
    values = np.concatenate([np.linspace(0, 1, 300), np.full(60, np.nan)])
    bad = np.concatenate([np.arange(300) % 10 == 0, np.ones(60)]).astype(float)
    found = fit_binning(values, bad, bins=3)
    assert found.transform(np.array([np.nan]))[0] == found.woe[-1] > 1


def test_the_rare_and_telling_rest_beside_a_heavy_value_is_cut_by_itself() -> None:
    # 93 % have never been 90 days late, like the column that quantiles of all loans would drop
    rng = np.random.default_rng(1)
    times = np.where(rng.random(6000) < 0.93, 0.0, rng.integers(1, 8, 6000))
    bad = rates(times, np.select([times == 0, times < 3], [0.05, 0.3], 0.6))
    found = fit_binning(times, bad, bins=8)
    once, often = found.transform(np.array([1.0, 6.0]))
    assert found.edges[0] == 0.5
    assert found.transform(np.array([0.0]))[0] < 0 < once < often
    assert often - once == pytest.approx(np.log(0.6 / 0.4) - np.log(0.3 / 0.7), abs=0.35)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_known_sign_holds_whatever_the_loans_say(sign: int) -> None:
    values = np.random.default_rng(2).uniform(0, 1, 2000)
    bad = rates(values, 0.1 + 0.6 * np.abs(values - 0.5))
    weights = fit_binning(values, bad, bins=8, sign=sign).transform(np.linspace(0, 1, 50))
    assert (sign * np.diff(weights) >= 0).all()


def test_without_a_sign_clear_loans_may_rise_and_fall() -> None:
    values = np.random.default_rng(2).uniform(0, 1, 4000)
    bad = rates(values, 0.05 + 0.9 * np.abs(values - 0.5))
    steps = np.diff(fit_binning(values, bad, bins=8).transform(np.linspace(0, 1, 50)))
    assert steps.min() < 0 < steps.max()


def test_without_a_sign_noise_does_not_rise_and_fall() -> None:
    values = np.random.default_rng(3).uniform(0, 1, 800)
    bad = rates(values, 0.1 + 0.3 * values)
    assert (np.diff(fit_binning(values, bad, bins=8).transform(np.linspace(0, 1, 50))) >= 0).all()


@pytest.mark.parametrize("code", [-9999.0, 999.0])
def test_a_code_that_is_no_amount_weighs_by_itself(code: float) -> None:
    rng = np.random.default_rng(4)
    amount = rng.uniform(0, 50, 3000)
    coded = np.where(rng.random(3000) < 0.08, code, amount)
    bad = rates(coded, np.where(coded == code, 0.5, 0.05 + 0.004 * amount))
    found = fit_binning(coded, bad, bins=6)
    assert list(found.special) == [code]
    plain = fit_binning(coded[coded != code], bad[coded != code], bins=6)
    assert found.edges == plain.edges


def test_an_outlier_is_an_amount_and_no_code() -> None:
    values = np.append(np.random.default_rng(5).uniform(0, 50, 500), 9999.0)
    assert fit_binning(values, rates(values, np.full(501, 0.2)), bins=4).special == {}


def test_each_level_of_a_category_weighs_by_itself() -> None:
    values = np.repeat([0.0, 1.0, 2.0], 100)
    bad = np.concatenate([np.arange(100) < n for n in (50, 10, 30)]).astype(float)
    found = fit_binning(values, bad, bins=2, levels=3)
    first, second, third = found.transform(np.array([0.0, 1.0, 2.0]))
    assert second < third < first
    assert first == pytest.approx(np.log(56 / 64) - np.log(0.3 / 0.7))
