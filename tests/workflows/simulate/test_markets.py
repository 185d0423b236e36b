"""Papers in another currency: the same economy, every amount at a factor and in whole coins."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from fieldline.workflows.simulate.loans import loan_history
from fieldline.workflows.simulate.markets import in_currency, prices
from fieldline.workflows.simulate.settings import SimulateSettings

MONEY = ["principal", "income_q10", "income_q50", "debt_service", "household_need",
         "off_farm_income"]  # fmt: skip


def other(currency: str, factor: str) -> SimulateSettings:
    return SimulateSettings.tiny(currency=currency, units_per_yuan=Decimal(factor))


@pytest.mark.parametrize(
    ("currency", "factor", "yuan", "stated"),
    [
        ("JPY", "20", [12.34, 0.0], [247, 0]),
        ("VND", "3500", [12.34, 0.1], [43_190, 350]),
        ("KWD", "0.043", [12.34, 100.0], [0.531, 4.3]),
    ],
)
def test_an_amount_is_stated_in_whole_minor_units(
    currency: str, factor: str, yuan: list[float], stated: list[float]
) -> None:
    found = in_currency(np.array(yuan), other(currency, factor))
    assert found.tolist() == stated
    assert found.dtype.kind == ("f" if currency == "KWD" else "i")


def test_yuan_stay_as_they_were_drawn() -> None:
    drawn = np.array([12.345, 7.0])
    assert in_currency(drawn, SimulateSettings()) is drawn


@pytest.mark.parametrize(("currency", "factor", "digits"), [("JPY", "20", 0), ("KWD", "0.043", 3)])
def test_loans_and_prices_are_the_factor_and_nothing_else_changes(
    currency: str, factor: str, digits: int
) -> None:
    settings = other(currency, factor)
    base, found = loan_history(SimulateSettings.tiny()), loan_history(settings)
    assert set(found["currency"]) == {currency}
    rest = [name for name in base if name not in (*MONEY, "currency")]
    pd.testing.assert_frame_equal(found[rest], base[rest])
    for name in MONEY:
        expected = (base[name] * float(factor)).round(digits)
        assert (found[name] - expected).abs().max() < 1e-6, name
    yuan, sold = prices(SimulateSettings.tiny()), prices(settings)
    assert set(sold["unit"]) == {f"{currency}/kg"}
    assert np.allclose(sold["price"], yuan["price"] * float(factor), rtol=1e-9)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"currency": "JPY"}, "state units_per_yuan for any currency but CNY"),
        ({"units_per_yuan": Decimal(2)}, "for CNY leave it empty"),
        ({"currency": "DEM", "units_per_yuan": Decimal(1)}, "use EUR"),
    ],
)
def test_a_factor_without_a_currency_is_refused_and_the_reverse(
    changes: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValidationError, match=sentence):
        SimulateSettings.tiny(**changes)
