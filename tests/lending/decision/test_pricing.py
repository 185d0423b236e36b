from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldline.lending.decision.pricing import (
    annual_price,
    effective_rate,
    highest_rate,
    tenor_factor,
    within_ceiling,
)
from fieldline.lending.settings import PolicySettings

POLICY = PolicySettings(tenor_days=330)
YEAR = PolicySettings(tenor_days=365, day_basis=365)
APPLICANTS = 100_000
chance = st.decimals("0", "0.999", places=6)
tenor = st.integers(30, 366)
basis = st.sampled_from([360, 365])

Whole = npt.NDArray[np.int64]


def test_price_by_hand() -> None:
    # (.05 x 330 + .05 x .55 x 360) / (330 x .95) = 26.4 / 313.5 = .08421..., up to .0843
    price = annual_price(Decimal("0.05"), POLICY)
    assert price.annual_rate == Decimal("0.0843")
    assert price.expected_loss == Decimal("0.0275")


def test_a_short_line_bears_the_same_loss_in_fewer_days() -> None:
    # (.05 x 120 + .0275 x 360) / (120 x .95) = 15.9 / 114 = .13947...
    short = POLICY.model_copy(update={"tenor_days": 120})
    assert annual_price(Decimal("0.05"), short).annual_rate == Decimal("0.1395")


def test_a_price_that_falls_on_a_step_stays_there() -> None:
    whole = POLICY.model_copy(update={"tenor_days": 360, "lgd": Decimal("0.5")})
    # (.05 + .2 x .5) / .8
    assert annual_price(Decimal("0.2"), whole).annual_rate == Decimal("0.1875")
    # a fifth of a year: (.05 x 73 + .1 x 365) / (73 x .8) = 40.15 / 58.4
    fifth = whole.model_copy(update={"day_basis": 365, "tenor_days": 73})
    assert annual_price(Decimal("0.2"), fifth).annual_rate == Decimal("0.6875")


def test_certain_default_has_no_price() -> None:
    with pytest.raises(ValueError, match="not in"):
        annual_price(Decimal(1), POLICY)


def test_the_ceiling_itself_is_allowed() -> None:
    # over 365 days of 365 the rate is its own effective rate: (.05 + .0275) / .95 = .08157...
    price = annual_price(Decimal("0.05"), YEAR)
    assert within_ceiling(price, Decimal("0.0816"))
    assert not within_ceiling(price, Decimal("0.0815"))


def test_the_ceiling_is_of_a_year_whatever_the_basis() -> None:
    # 13.40 % on 360 days is .134 x 365 / 360 = 13.586 % over 365
    line = POLICY.model_copy(update={"tenor_days": 365})
    assert abs(effective_rate(Decimal("0.134"), line) - Decimal("0.1358611")) < Decimal("1e-7")
    # 1.01 after 30 days, 365 / 30 times over: e^(.00995033 x 12.16667) = 1.12870
    month = POLICY.model_copy(update={"tenor_days": 30})
    assert abs(effective_rate(Decimal("0.12"), month) - Decimal("0.12870")) < Decimal("1e-5")


@given(st.decimals("0", "0.5", places=4), tenor, basis)
def test_the_effective_rate_discounts_what_is_repaid_to_what_was_paid_out(
    rate: Decimal, days: int, base: int
) -> None:
    policy = POLICY.model_copy(update={"tenor_days": days, "day_basis": base})
    repaid = 100 * (1 + float(rate) * days / base)
    low, high = 0.0, 1e3
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if repaid / (1 + middle) ** (days / 365) > 100 else (low, middle)
    assert float(effective_rate(rate, policy)) == pytest.approx(low, abs=1e-9)


@given(st.decimals("0.01", "0.5", places=4), tenor, basis)
def test_the_highest_rate_is_legal_and_a_step_more_is_not(
    ceiling: Decimal, days: int, base: int
) -> None:
    policy = POLICY.model_copy(update={"tenor_days": days, "day_basis": base})
    rate = highest_rate(ceiling, policy)
    assert effective_rate(rate, policy) <= ceiling + Decimal("1e-24")
    assert effective_rate(rate + policy.rate_step, policy) > ceiling


def test_the_highest_rate_of_a_year_is_the_ceiling() -> None:
    assert highest_rate(Decimal("0.134"), YEAR) == Decimal("0.134")


def test_tenor_factor_by_hand() -> None:
    assert tenor_factor(Decimal("0.12"), POLICY) == 1 + Decimal("0.12") * 330 / 360


@given(chance, chance, tenor, basis)
def test_more_risk_is_never_cheaper(one: Decimal, other: Decimal, days: int, base: int) -> None:
    policy = POLICY.model_copy(update={"tenor_days": days, "day_basis": base})
    low, high = (annual_price(pd, policy) for pd in sorted((one, other)))
    assert low.annual_rate <= high.annual_rate
    assert low.effective_rate <= high.effective_rate


def test_a_certain_borrower_pays_costs_alone_and_no_chance_is_below_none() -> None:
    price = annual_price(Decimal(0), POLICY)
    assert (price.annual_rate, price.expected_loss) == (Decimal("0.05"), 0)
    assert abs(price.cost - Decimal("0.0458333")) < Decimal("1e-7")
    with pytest.raises(ValueError, match="not in"):
        annual_price(Decimal("-0.01"), POLICY)


def applicants() -> dict[str, Whole]:
    """Draw applicants and products: chances in millionths, yearly rates in ten-thousandths."""
    rng = np.random.default_rng(20)
    share = rng.random(APPLICANTS)
    return {
        # half of them as farmers are, half anywhere
        "pd": np.where(share < 0.5, rng.integers(0, 150_000, APPLICANTS),
                       rng.integers(0, 950_000, APPLICANTS)),
        "lgd": rng.integers(0, 101, APPLICANTS),
        "days": rng.integers(30, 367, APPLICANTS),
        "basis": rng.choice([360, 365], APPLICANTS),
        "funding": rng.integers(0, 800, APPLICANTS),
        "opex": rng.integers(0, 500, APPLICANTS),
        "capital": rng.integers(1, 300, APPLICANTS),
    }  # fmt: skip


def priced(people: dict[str, Whole]) -> Whole:
    """Return each applicant's rate in ten-thousandths."""

    def rate(pd: int, lgd: int, days: int, base: int, *costs: int) -> int:
        funding, opex, capital = (Decimal(cost) / 10_000 for cost in costs)
        product: dict[str, Any] = {
            "lgd": Decimal(lgd) / 100, "tenor_days": days, "day_basis": base,
            "funding_rate": funding, "opex_rate": opex, "capital_charge": capital,
        }  # fmt: skip
        price = annual_price(Decimal(pd) / 1_000_000, POLICY.model_copy(update=product))
        return int(price.annual_rate * 10_000)

    rows = zip(*(column.tolist() for column in people.values()), strict=True)
    return np.array([rate(*row) for row in rows], dtype=np.int64)


def expected_profit(people: dict[str, Whole], rate: Whole) -> Whole:
    """Let a million lines of one yuan run day by day for each applicant and count what is left.

    Each day costs a day of funding, work and capital and accrues a day of interest, the last day
    not. On it the good lines pay one yuan and their interest, of the bad ones (1 - LGD) comes back,
    and the funds are returned. Whole numbers throughout: a yuan is 10,000 x 100 x basis units.
    """
    yuan = 10_000 * people["basis"] * 100
    bad = people["pd"]
    good = 1_000_000 - bad
    paid, accrued = np.zeros_like(rate), np.zeros_like(rate)
    for day in range(366):
        runs = day < people["days"]
        paid += runs * (people["funding"] + people["opex"] + people["capital"]) * 100
        accrued += runs * rate * 100
    received = good * (yuan + accrued) + bad * (yuan // 100 * (100 - people["lgd"]))
    return received - (good + bad) * (yuan + paid)


def test_no_line_is_lent_at_an_expected_loss_and_a_step_less_would_be() -> None:
    people = applicants()
    rate = priced(people)
    assert len(rate) == APPLICANTS
    assert (expected_profit(people, rate) >= 0).all()
    assert (expected_profit(people, rate - 1) < 0).all()


def test_the_simulated_cash_flows_by_hand() -> None:
    # 330 days of 360 at 8.16 %, costs 5 %, PD 5 %, LGD 55 %: the first rules lost 22.7 on 10,000
    one = {
        name: np.array([value])
        for name, value in {
            "pd": 50_000, "lgd": 55, "days": 330, "basis": 360, "funding": 280, "opex": 120,
            "capital": 100,
        }.items()
    }  # fmt: skip
    left = expected_profit(one, np.array([816]))[0] / (1_000_000 * 10_000 * 360 * 100)
    # .95 x .0816 x 330/360 - .05 x .55 - .05 x 330/360
    assert left == pytest.approx(0.95 * 0.0748 - 0.0275 - 0.0458333, abs=1e-7)
    assert left * 10_000 == pytest.approx(-22.73, abs=0.01)
