from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldline.lending.decision.pricing import annual_price, tenor_factor, within_ceiling
from fieldline.lending.settings import PolicySettings

POLICY = PolicySettings()
chance = st.decimals("0", "0.999", places=6)


def test_price_by_hand() -> None:
    # (.028 + .012 + .05 x .55 + .01) / .95 = .0815789..., up to .0816
    price = annual_price(Decimal("0.05"), POLICY)
    assert price.annual_rate == Decimal("0.0816")
    assert price.expected_loss == Decimal("0.0275")


def test_certain_default_has_no_price() -> None:
    with pytest.raises(ValueError, match="not in"):
        annual_price(Decimal(1), POLICY)


def test_the_ceiling_itself_is_allowed() -> None:
    price = annual_price(Decimal("0.05"), POLICY)
    assert within_ceiling(price, Decimal("0.0816"))
    assert not within_ceiling(price, Decimal("0.0815"))


def test_tenor_factor_by_hand() -> None:
    assert tenor_factor(Decimal("0.12"), POLICY) == 1 + Decimal("0.12") * 330 / 360


@given(chance, chance)
def test_more_risk_is_never_cheaper_and_never_at_a_loss(one: Decimal, other: Decimal) -> None:
    low, high = sorted((one, other))
    assert annual_price(low, POLICY).annual_rate <= annual_price(high, POLICY).annual_rate
    price = annual_price(high, POLICY)
    assert price.annual_rate * (1 - high) >= price.cost + price.expected_loss


def test_a_certain_borrower_pays_costs_alone_and_no_chance_is_below_none() -> None:
    price = annual_price(Decimal(0), POLICY)
    assert (price.annual_rate, price.cost, price.expected_loss) == (Decimal("0.05"),) * 2 + (0,)
    with pytest.raises(ValueError, match="not in"):
        annual_price(Decimal("-0.01"), POLICY)
