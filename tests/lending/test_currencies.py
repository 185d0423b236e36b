"""From a price on the market to the money that a farmer reads, in currencies of every exponent."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.prices import crop_prices, read_prices
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.money import from_minor, to_minor
from fieldline.pipeline.records.tables import read_table

AS_OF = dt.date(2024, 9, 30)
#: Limits that bind in no currency of this table, and a household that needs one unit a year.
WIDE = {name: Decimal(10**12) for name in ("max_limit", "exposure_cap_household")}
POLICY = {
    **WIDE,
    "exposure_cap_farmer": Decimal(10**12),
    "household_need_per_head": Decimal(1),
    "rent_per_mu": Decimal(1),
}


def price_minor(folder: Path, per_kg: str, currency: str) -> int:
    """Read the price as the yield stage does."""
    path = folder / "prices.csv"
    line = f"maize,2024-09-01,{per_kg},{currency},{currency}/kg,market"
    path.write_text(f"crop,date,price,currency,unit,source\n{line}\n", encoding="utf-8")
    known = crop_prices(read_prices(path, "long", currency, AS_OF), AS_OF, YieldSettings())
    return known["maize"].minor(currency)


@pytest.mark.parametrize(
    ("currency", "per_kg", "cost", "income", "told", "possible"),
    [
        # 1 ha of 6 t, 3 % lost: 5.82 t x price - cost; a line covers at most 1.3 x cost.
        pytest.param("VND", "9000", "12000000", 40_380_000, "VND 40,380,000", "15600000", id="VND"),
        pytest.param("JPY", "250", "450000", 1_005_000, "JPY 1,005,000", "585000", id="JPY"),
        pytest.param("KWD", "0.15", "210", 663_000, "KWD 663", "273.000", id="KWD"),
        pytest.param("KES", "40", "60000", 17_280_000, "KES 172,800", "78000.00", id="KES"),
    ],
)
def test_income_and_limit_are_of_the_size_that_the_price_gives(
    county: Any, tmp_path: Path, name_of: Any,
    currency: str, per_kg: str, cost: str, income: int, told: str, possible: str,
) -> None:  # fmt: skip
    county.currency = currency
    ceiling = tmp_path / "ceiling.csv"
    ceiling.write_text(
        "currency,valid_from,rule,base_rate,multiple,add,source\n"
        f"{currency},2020-01-01,own,0.3,1,0,test\n"
    )
    county.policy = PolicySettings(**POLICY, rate_ceiling_file=str(ceiling))
    money = {
        "price_minor": price_minor(tmp_path, per_kg, currency),
        "cost_minor_ha": to_minor(Decimal(cost), currency),
    }
    for place, (farmer, debt) in enumerate((("ann", "10000000000"), ("bob", "0"))):
        county.add(farmer, farmer, x=1000 * place, **money)
        county.apply(farmer, annual_debt_service=debt)
    decisions = county.decide()
    profiles = read_table(county.path("profiles.parquet")).set_index(["level", "party_id"])
    assert profiles.loc[("farmer", name_of("ann")), "income_q10_minor"] == income
    assert told in decisions.loc[name_of("ann"), "reasons"][0]
    need = int(decisions.loc[name_of("bob"), "limit_need_minor"])
    assert from_minor(need, currency) == Decimal(possible)
