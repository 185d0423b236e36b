from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from fieldline.lending.profile.income import IncomeModel, ParcelValue, quantiles

MODEL = IncomeModel(draws=20_000, seed=7)
SURE = ParcelValue(
    parcel_id="a", area_ha=2.0, yield_t_ha=6.0, shared_log_sd=0.0, own_log_sd=0.0,
    shock_group="g", price_minor_t=240_000.0, price_log_sd=0.0, crop="maize",
    cost_minor_ha=600_000.0,
)  # fmt: skip


def test_a_sure_parcel_earns_area_times_value_minus_cost() -> None:
    # 2 ha x (6 t x 2400.00 x 0.97 - 6000.00) = 15936.00
    model = replace(MODEL, loss_share=0.03)
    assert quantiles(model.draw(SURE)) == (1_593_600, 1_593_600, 1_593_600)


def test_quantile_of_one_lognormal_parcel() -> None:
    low, middle, high = quantiles(MODEL.draw(replace(SURE, own_log_sd=0.3, cost_minor_ha=0.0)))
    median = 2 * 6 * 240_000
    assert middle == pytest.approx(median, rel=0.01)
    assert low == pytest.approx(median * np.exp(0.3 * norm.ppf(0.1)), rel=0.02)
    assert high == pytest.approx(median * np.exp(0.3 * norm.ppf(0.9)), rel=0.02)


def test_shared_shocks_add_up_and_own_errors_average_out() -> None:
    shared = [replace(SURE, parcel_id=p, shared_log_sd=0.3) for p in "abcd"]
    own = [replace(SURE, parcel_id=p, own_log_sd=0.3) for p in "abcd"]
    low_shared = quantiles(MODEL.total(shared))[0]
    low_own = quantiles(MODEL.total(own))[0]
    assert low_shared == pytest.approx(4 * quantiles(MODEL.draw(shared[0]))[0], rel=1e-5)
    assert low_own > sum(quantiles(MODEL.draw(parcel))[0] for parcel in own)


def test_prices_of_one_crop_move_together_across_groups() -> None:
    near = replace(SURE, price_log_sd=0.2)
    far = replace(near, parcel_id="b", shock_group="other")
    assert np.array_equal(MODEL.draw(near), MODEL.draw(far))


def test_order_and_company_change_nothing() -> None:
    parcels = [replace(SURE, parcel_id=p, own_log_sd=0.4, shared_log_sd=0.2) for p in "cab"]
    alone = MODEL.draw(parcels[0])
    assert np.array_equal(MODEL.total(parcels), MODEL.total(parcels[::-1]))
    assert np.array_equal(MODEL.total([parcels[0]]), alone)


def test_no_parcel_earns_nothing() -> None:
    assert quantiles(MODEL.total([])) == (0, 0, 0)
