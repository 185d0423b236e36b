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


def test_insurance_pays_for_a_lost_yield_and_rent_and_share_cost_their_part() -> None:
    plain = ParcelValue("a", 1.0, 6.0, 0.4, 0.0, "g", 240_000, 0.0, "maize", 600_000)
    model = IncomeModel(20_000, 7, 0.0, 0.3, 0.8)
    gross = model.draw(plain) + 600_000
    insured = replace(plain, insured_minor_ha=900_000.0, premium_minor_ha=9_000.0)
    lost = 1 - gross / (6.0 * 240_000)
    paid = np.where(lost >= 0.3, 0.8 * lost * 900_000, 0.0)
    assert model.draw(insured) == pytest.approx(gross + paid - 609_000)
    assert quantiles(model.draw(insured))[0] > quantiles(model.draw(plain))[0]
    leased = replace(plain, rent_minor_ha=450_000.0)
    assert model.draw(leased) == pytest.approx(model.draw(plain) - 450_000)
    shared = replace(plain, crop_share=0.3)
    assert model.draw(shared) == pytest.approx(0.7 * gross - 600_000)


def test_a_parcel_of_two_crops_bears_one_of_them_in_each_draw() -> None:
    model = IncomeModel(40_000, 7)
    maize = ParcelValue("a", 1.0, 6.0, 0.0, 0.0, "g", 240_000, 0.0, "maize", 0, chance=0.75)
    rice = ParcelValue("a", 1.0, 6.0, 0.0, 0.0, "h", 300_000, 0.0, "rice", 0, chance=0.25)
    total = model.total([rice, maize])
    assert set(np.round(total)) == {1_440_000.0, 1_800_000.0}
    assert (total > 1_500_000).mean() == pytest.approx(0.25, abs=0.01)


def test_the_lower_tenth_of_a_sum_over_crops_and_years_is_that_of_a_joint_normal() -> None:
    """Logs by hand: a covariance matrix of six parcels, drawn by another generator."""
    kinds = [("maize", 2024), ("maize", 2024), ("rice", 2024), ("maize", 2025), ("rice", 2025),
             ("rice", 2025)]  # fmt: skip
    model = IncomeModel(
        60_000, 5, crops_yield_correlation=0.3, crops_price_correlation=0.55
    )  # fmt: skip
    parcels = [
        ParcelValue(f"p{n}", 1.0 + n, 6.0, 0.2, 0.1, f"{crop}|{year}", 240_000, 0.15, crop, 0.0)
        for n, (crop, year) in enumerate(kinds)
    ]
    covariance = np.array([
        [0.2**2 * (year == later) * (1 if crop == other else 0.3)
         + 0.15**2 * (1 if crop == other else 0.55) + 0.1**2 * (row == column)
         for column, (other, later) in enumerate(kinds)]
        for row, (crop, year) in enumerate(kinds)
    ])  # fmt: skip
    logs = np.random.default_rng(1).multivariate_normal(np.zeros(6), covariance, 60_000)
    worth = (np.exp(logs) * np.arange(1, 7)).sum(axis=1) * 6.0 * 240_000
    assert quantiles(model.total(parcels)) == pytest.approx(
        np.quantile(worth, [0.1, 0.5, 0.9]), rel=0.01
    )
    apart = IncomeModel(60_000, 5)
    assert quantiles(apart.total(parcels))[0] > 1.02 * quantiles(model.total(parcels))[0]


def test_what_two_crops_share_is_of_one_year_only() -> None:
    model = IncomeModel(20_000, 3, crops_yield_correlation=0.3)

    def draws(crop: str, year: int) -> np.ndarray:
        one = ParcelValue("p", 1.0, 6.0, 0.2, 0.0, f"{crop}|{year}", 1.0, 0.0, crop, 0.0)
        return np.log(model.draw(one))

    same = np.corrcoef(draws("maize", 2024), draws("rice", 2024))[0, 1]
    other = np.corrcoef(draws("maize", 2024), draws("maize", 2025))[0, 1]
    assert same == pytest.approx(0.3, abs=0.02)
    assert other == pytest.approx(0.0, abs=0.02)


def test_cells_share_the_part_of_a_year_that_is_asked_for_and_no_parcel_strays_more() -> None:
    model = replace(MODEL, cells_yield_correlation=0.6, crops_yield_correlation=0.3)
    here = replace(SURE, shared_log_sd=0.2, shock_group="maize|2025", cell="W1", cost_minor_ha=0)
    there = replace(here, parcel_id="b", cell="W2")
    beside = replace(here, parcel_id="c")
    other = replace(there, parcel_id="d", shock_group="rice|2025", crop="rice")
    logs = [np.log(model.draw(parcel)) for parcel in (here, there, beside, other)]
    # One crop in two cells: the correlation of cells; another crop there: its part of that.
    assert np.corrcoef(logs)[0] == pytest.approx([1.0, 0.6, 1.0, 0.6 * 0.3], abs=0.02)
    assert [log.std() for log in logs] == pytest.approx([0.2] * 4, rel=0.02)


def test_one_year_for_the_county_draws_as_where_no_cell_is_named() -> None:
    named = replace(SURE, shared_log_sd=0.2, own_log_sd=0.1, cell="W1")
    assert np.array_equal(MODEL.draw(named), MODEL.draw(replace(named, cell="")))


def test_a_drought_sets_every_year_to_its_quantile_and_a_fall_every_price() -> None:
    grown = replace(SURE, shared_log_sd=0.2, own_log_sd=0.0, cost_minor_ha=0, cell="W1")
    dry = replace(MODEL, year_quantile=0.1, cells_yield_correlation=0.5)
    assert dry.draw(grown) == pytest.approx(2 * 6 * 240_000 * np.exp(0.2 * norm.ppf(0.1)))
    assert dry.draw(replace(grown, own_log_sd=0.3)).std() > 0
    assert replace(MODEL, price_factor=0.8).draw(SURE) == pytest.approx(
        2 * (0.8 * 6 * 240_000 - 600_000)
    )
