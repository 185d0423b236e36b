from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from fieldline.crops.forecast.weights import held_weights


def drawn(years: int, spread: tuple[float, ...], shared: float = 0.0, seed: int = 3):
    """Return errors of 30 counties a year; those of a year have half their spread together."""
    rng = np.random.default_rng(seed)
    sizes = np.array(spread)
    return [
        rng.normal(0, shared, (30, 1))
        + rng.normal(0, sizes / 2, (1, len(sizes)))
        + rng.normal(0, sizes, (30, len(sizes)))
        for _ in range(years)
    ]  # fmt: skip


@pytest.mark.parametrize("forward", [True, False])
def test_weights_are_those_a_search_over_all_of_them_finds(forward: bool) -> None:
    errors = drawn(9, (1.0, 1.3, 2.5), shared=0.8)
    squares = np.array([(e**2).mean(axis=0) for e in errors])
    gaps = squares - squares[:, [squares.mean(axis=0).argmin()]]
    near = gaps.mean(axis=0) <= gaps.std(axis=0, ddof=1) / 3
    anchor = near / near.sum()
    anchor = anchor if forward else (anchor + 1 / 3) / 2
    back = squares.mean() / 3  # nine years
    best, least = None, np.inf
    for first, second in product(np.arange(0, 1.001, 0.01), repeat=2):
        if first + second > 1:
            continue
        weights = np.array([first, second, 1 - first - second])
        error = np.mean([np.mean((e @ weights) ** 2) for e in errors])
        found = error + back * np.sum((weights - anchor) ** 2)
        if found < least:
            best, least = weights, found
    assert held_weights(errors, forward=forward) == pytest.approx(best, abs=0.011)


def test_many_years_are_believed_and_few_are_not() -> None:
    poor = (1.0, 3.0, 3.0)
    few, many = (held_weights(drawn(n, poor), forward=False) for n in (3, 400))
    # Unlike errors: weights as one over the variance are the best, .82 and twice .09.
    assert many == pytest.approx([0.82, 0.09, 0.09], abs=0.03)
    assert few[0] < many[0]
    assert few.sum() == pytest.approx(1.0)


def test_what_only_repeats_another_with_more_error_gets_no_weight() -> None:
    errors = [np.column_stack([e[:, 0], 2 * e[:, 0]]) for e in drawn(400, (1.0,))]
    assert held_weights(errors, forward=True) == pytest.approx([1.0, 0.0])


def test_forecasts_without_error_share() -> None:
    assert held_weights([np.zeros((4, 2))] * 3, forward=True) == pytest.approx([0.5, 0.5])
