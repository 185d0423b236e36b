"""Harvests of all scenarios at once against the model of income, scenario by scenario."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fieldline.lending.portfolio.incomes import Incomes
from fieldline.lending.profile.income import IncomeModel, ParcelValue

MODEL = IncomeModel(
    1000, 11, loss_share=0.03, insurance_trigger=0.2, insurance_share=0.6,
    crops_yield_correlation=0.4, crops_price_correlation=0.3, cells_yield_correlation=0.7,
)  # fmt: skip


def values(rng: np.random.Generator, farmer: int) -> list[ParcelValue]:
    """Draw a farmer's parcels, each sure of its crop or of one of three, some of them insured."""
    found = []
    for parcel in range(int(rng.integers(1, 4))):
        crops = ("maize", "rice", "soybean")[: 1 + 2 * int(rng.random() < 0.6)]
        chances = rng.dirichlet(np.ones(len(crops)))
        found += [
            ParcelValue(
                f"F{farmer}-{parcel}", float(rng.uniform(0.05, 0.8)), float(rng.uniform(2, 9)),
                float(rng.choice([0.1, 0.2])), float(rng.uniform(0.1, 0.3)),
                f"{crop}|{2025 + parcel % 2}", 250_000.0, float(rng.choice([0.1, 0.2])),
                crop, 600_000.0, float(chance), rent_minor_ha=90_000.0, crop_share=0.1,
                premium_minor_ha=20_000.0, insured_minor_ha=700_000.0 * (rng.random() < 0.5),
                cell=("", "w1", "w2")[int(rng.integers(3))],
            )
            for crop, chance in zip(crops, chances, strict=True)
        ]  # fmt: skip
    return found


def test_harvests_are_the_very_draws_of_the_income_in_every_scenario() -> None:
    rng = np.random.default_rng(4)
    incomes = Incomes(MODEL, (None, 0.1))
    for farmer in range(40):
        own = values(rng, farmer)
        for harvests, quantile in zip(incomes.of(own), (None, 0.1), strict=True):
            for factor in (1.0, 0.8):
                model = replace(MODEL, year_quantile=quantile, price_factor=factor)
                assert harvests.at(factor) == pytest.approx(model.total(own), rel=1e-9, abs=1e-3)


def test_a_crop_that_no_draw_takes_and_one_that_all_take() -> None:
    sure = replace(values(np.random.default_rng(1), 0)[0], chance=1.0)
    never = replace(sure, crop="rice", yield_t_ha=1e9, chance=0.0)
    before = replace(never, crop="aaa")  # named before the sure one, so its bound comes first
    (found,) = Incomes(MODEL).of([sure, never, before])
    assert found.at(1.0) == pytest.approx(MODEL.total([sure]))
    assert [len(one.gross) for one in Incomes(MODEL).of([])] == [MODEL.draws]
