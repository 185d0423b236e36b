"""Stressed losses against enumeration, closed forms and the two limits of correlation."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from fieldline.lending.decision.case import Case
from fieldline.lending.portfolio.folders import RunFolder, read_folder
from fieldline.lending.portfolio.settings import PortfolioSettings
from fieldline.lending.portfolio.stress import (
    AS_DRAWN,
    BOTH,
    DROUGHT,
    PRICE,
    Debtor,
    debtors_of,
    losses,
    quantile_with_bounds,
    stressed,
)
from fieldline.lending.profile.income import ParcelValue
from fieldline.lending.settings import PolicySettings
from tests.lending.portfolio.test_lines import HERE, line
from tests.lending.store.test_present import of

SETTINGS = PortfolioSettings(draws=20_000, seed=5)
POLICY = PolicySettings(harvest_loss_share=Decimal(0))
VALUE = ParcelValue("a", 1.0, 6.0, 0.0, 0.0, "maize|2025", 100_000, 0.0, "maize", 0.0)
"""One hectare that surely brings 600,000 minor units."""


def debtor(*values: ParcelValue, due: float, lost: float = 100.0) -> Debtor:
    return Debtor(values, 0.0, 0.0, due, due, lost, 1, POLICY, {"crop:maize": 1.0})


def test_three_farmers_who_may_grow_either_crop_lose_as_their_eight_cases_do() -> None:
    # Each harvest is maize (6 t, pays) with chance p, else rice (1 t, does not pay).
    chances, lost = (0.9, 0.7, 0.6), (100.0, 300.0, 700.0)
    debtors = [
        debtor(
            replace(VALUE, parcel_id=f"p{n}", chance=p),
            replace(VALUE, parcel_id=f"p{n}", crop="rice", yield_t_ha=1.0, chance=1 - p),
            due=500_000, lost=lost[n],
        )
        for n, p in enumerate(chances)
    ]  # fmt: skip
    cases = []
    for paid in itertools.product((True, False), repeat=3):
        chance = np.prod([p if good else 1 - p for p, good in zip(chances, paid, strict=True)])
        cases.append((sum(x for x, good in zip(lost, paid, strict=True) if not good), chance))
    cases.sort()
    mean = sum(amount * chance for amount, chance in cases)
    below = np.cumsum([chance for _, chance in cases])
    (found,) = stressed(debtors, SETTINGS, (AS_DRAWN,))
    assert abs(found.mean - mean) < 4 * found.mean_error
    assert found.lines_mean == pytest.approx(0.1 + 0.3 + 0.4, abs=0.02)
    for level in (0.95, 0.99):
        exact = next(a for (a, _), c in zip(cases, below, strict=True) if c >= level)
        assert found.quantiles[level][0] == exact


def test_one_line_is_short_as_often_as_the_lognormal_says_and_by_as_much() -> None:
    risky = replace(VALUE, shared_log_sd=0.2, own_log_sd=0.1, price_log_sd=0.1, cell="W1")
    spread, due = np.sqrt(0.2**2 + 0.1**2 + 0.1**2), 500_000
    edge = np.log(due / 600_000) / spread
    (found,) = stressed([debtor(risky, due=due)], SETTINGS, (AS_DRAWN,))
    chance = norm.cdf(edge)
    assert found.mean == pytest.approx(100 * chance, abs=4 * found.mean_error)
    # E[(due - X)+] of a lognormal X, the price of a put without interest (Black 1976)
    lacking = due * chance - 600_000 * np.exp(spread**2 / 2) * norm.cdf(edge - spread)
    assert found.missing_mean == pytest.approx(lacking, rel=0.03)


@pytest.mark.parametrize(("cells", "apart"), [(True, False), (True, True)])
def test_lines_of_one_cell_and_crop_fall_together_and_others_apart(
    cells: bool, apart: bool
) -> None:
    model = SETTINGS.model_copy(update={"cells_yield_correlation": 0.0})
    names = [f"W{n}" if apart else "W1" for n in range(20)]
    debtors = [
        debtor(replace(VALUE, parcel_id=f"p{n}", shared_log_sd=0.2, cell=cell), due=450_000)
        for n, cell in enumerate(names)
    ]
    chance = norm.cdf(np.log(0.75) / 0.2)
    (found,) = stressed(debtors, model, (AS_DRAWN,))
    deviation = found.mean_error * np.sqrt(SETTINGS.draws)
    # Together all lines or none are lost; apart the variances of twenty independent lines add up.
    variance = (1 if apart else 20) * 20 * 100.0**2 * chance * (1 - chance)
    assert found.mean == pytest.approx(2000 * chance, abs=4 * found.mean_error)
    assert deviation == pytest.approx(np.sqrt(variance), rel=0.05)
    level = found.quantiles[0.95][0]
    assert level < 1000 if apart else level == 2000


def test_named_scenarios_stand_where_they_are_said_to() -> None:
    grown = replace(VALUE, shared_log_sd=0.3, cell="W1")
    left = 600_000 * np.exp(0.3 * norm.ppf(0.1))  # 408,500
    said = {}
    for due in (left * 0.79, left * 0.81, left * 1.01, 600_000 * 0.81):
        for found in stressed([debtor(grown, due=due)], SETTINGS, (DROUGHT, BOTH)):
            said[found.scenario, round(due)] = found.mean
    assert [mean for (name, _), mean in said.items() if name == DROUGHT] == [0, 0, 100, 100]
    assert [mean for (name, _), mean in said.items() if name == BOTH] == [0, 100, 100, 100]
    (fall,) = stressed([debtor(VALUE, due=490_000)], SETTINGS, (PRICE,))
    assert (fall.mean, fall.missing_mean) == (100, 490_000 - 480_000)


def test_what_a_draw_lacks_is_worked_out_by_hand(case: Case) -> None:
    # Income 1,000 after 600 of costs; need 300; due 1,000 on a line of 400 that pays 400 of them:
    # 1,000 + 600 - 300 - (600 - 400) = 1,100 cover 1,000, and 100 less of income would too.
    one = Debtor((), 600.0, 300.0, 1000.0, 400.0, 1.0, 1, POLICY, {})
    lacking = one.short(np.array([1000.0, 900.0, 800.0, -5000.0]))
    assert lacking.tolist() == [0.0, 0.0, 100.0, 1000.0]


def folder(*values: ParcelValue) -> RunFolder:
    return RunFolder(parcels={"F1": ("a",)}, values={"a": list(values)} if values else {})


def test_two_lines_of_one_farmer_are_due_from_one_harvest(case: Case) -> None:
    rich = of(case, farmer=case.farmer.model_copy(update={"household_need_minor": 0}))
    lines = [line(rich, 300_000), line(rich, 200_000, product="other")]
    (both,) = debtors_of(lines, lines, {HERE: folder(VALUE)})
    assert (both.due, both.exposed) == (pytest.approx(500_000 * 1.09), 500_000)
    assert (both.lost, both.lines) == (pytest.approx(0.55 * 500_000), 2)
    found, outcomes = losses(lines, {HERE: folder(VALUE)}, SETTINGS)
    # 582,000 (3 % are lost) cover 545,000; at prices 20 % down 465,600 do not
    means = {one.scenario: one.mean for one in found[0].scenarios}
    assert (means[AS_DRAWN], means[PRICE]) == (0, pytest.approx(275_000))
    assert (found[0].expected_minor, outcomes) == (pytest.approx(0.04 * 275_000), [])


def test_a_line_of_another_season_is_due_beside_but_lost_by_its_own_harvest(case: Case) -> None:
    lines = [line(case, 300_000), line(case, 200_000, season="2023")]
    runs = {HERE: folder(VALUE), ("A", "2023"): folder(replace(VALUE, yield_t_ha=3.0))}
    new, old = debtors_of(lines, lines, runs)
    assert new.due == old.due == pytest.approx(500_000 * 1.09)
    assert (new.exposed, old.exposed) == (500_000, 500_000)
    assert (new.lost, old.lost) == (pytest.approx(165_000), pytest.approx(110_000))
    assert (new.values[0].yield_t_ha, old.values[0].yield_t_ha) == (6.0, 3.0)


def test_lines_that_cannot_be_drawn_are_named_and_in_no_loss(case: Case) -> None:
    nobody = of(case, farmer_id="F2", risk=case.risk.model_copy(update={"pd": None}))
    lines = [line(case, 300_000), line(nobody, 100), line(case, 7, season="2022", currency="USD")]
    (yuan, dollar), outcomes = losses(lines, {HERE: folder(VALUE)}, SETTINGS)
    assert (yuan.lines, yuan.drawn_lines, yuan.drawn_minor) == (2, 1, 300_000)
    assert (yuan.exposure_minor, yuan.judged_minor) == (300_100, 300_000)
    assert (dollar.currency, dollar.drawn_lines, dollar.scenarios[0].mean) == ("USD", 0, 0)
    assert [(one.offer_id, one.code) for one in outcomes] == [
        ("F2-100", "portfolio_no_pd"), ("F2-100", "portfolio_no_income"),
        ("F1-7", "portfolio_no_run"),
    ]  # fmt: skip
    old = RunFolder(parcels={"F1": ("a",)})
    _, outcomes = losses(lines[:1], {HERE: old}, SETTINGS)
    assert [one.code for one in outcomes] == ["portfolio_no_draws"]


def test_a_run_without_draws_is_read_as_one(county: Any, tmp_path: Path, name_of: Any) -> None:
    county.add("a", "ann")
    county.apply("ann")
    county.profile()
    found = read_folder(tmp_path)
    assert found is not None
    assert found.values is not None
    assert found.parcels == {name_of("ann"): ("a",)}
    assert [value.area_ha for value in found.values["a"]] == [1.0]
    kept = county.path("harvests.parquet")
    pd.read_parquet(kept).drop(columns=["area_ha", "rent_minor_ha"]).to_parquet(kept)
    older = read_folder(tmp_path)
    assert older is not None
    assert older.values is None
    assert read_folder(tmp_path / "nowhere") is None


def test_bounds_of_a_quantile_hold_it_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(400):
        _, low, high = quantile_with_bounds(np.sort(rng.normal(size=2000)), 0.95)
        inside += low <= norm.ppf(0.95) <= high
    assert 0.92 <= inside / 400 <= 0.98
