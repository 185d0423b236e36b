from __future__ import annotations

from decimal import Decimal

from fieldline.pipeline.records.units import M2_PER_MU, in_mu


def test_a_hectare_is_fifteen_mu_exactly() -> None:
    assert in_mu(Decimal(10_000)) == 15
    assert in_mu(Decimal("666.67")) == Decimal("1.000005")
    assert in_mu(Decimal("0.01")) == Decimal("0.000015")


def test_the_float_is_the_nearest_to_two_thirds_of_a_thousand() -> None:
    assert M2_PER_MU == 2000 / 3
