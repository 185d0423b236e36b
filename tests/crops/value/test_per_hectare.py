"""Gross value and net income of a hectare against draws and cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fieldline.crops.value.per_hectare import GROSS, NET, gross_value, net_income
from fieldline.crops.value.prices import Z80


def test_quantiles_of_value_and_net_income_are_those_of_two_million_draws() -> None:
    rng = np.random.default_rng(5)
    yield_sd, price_sd, cost = 0.2, 0.15, 620_000
    tonnes = 8.0 * np.exp(rng.normal(0, yield_sd, 2_000_000))
    prices = 250_000 * np.exp(rng.normal(0, price_sd, 2_000_000))
    drawn = np.quantile(tonnes * prices, [0.1, 0.5, 0.9])
    gross = gross_value(8.0, 250_000, price_sd, Z80 * yield_sd, Z80 * yield_sd)
    assert [gross[name] for name in GROSS] == pytest.approx(drawn.tolist(), rel=2e-3)
    net = net_income(gross, cost)
    assert [net[name] for name in NET] == pytest.approx((drawn - cost).tolist(), rel=4e-3)


def test_a_case_by_hand_and_a_loss_stays_a_loss() -> None:
    gross = gross_value(8.0, 250_000, 0.0, np.log(2), np.log(1.5))
    assert [gross[name] for name in GROSS] == [1_000_000, 2_000_000, 3_000_000]
    net = net_income(gross, 1_200_000)
    assert [net[name] for name in NET] == [-200_000, 800_000, 1_800_000]


def test_without_a_cost_there_is_no_net_income() -> None:
    assert net_income(gross_value(8.0, 250_000, 0.1, 0.2, 0.2), None) == {}
    assert net_income({}, 620_000) == {}
