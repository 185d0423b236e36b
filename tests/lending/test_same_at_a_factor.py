"""The same county in dong, yen and dinars: what is decided is the same, what is lent is the factor.

Every amount of the yuan county is a whole yuan, so that each of its twins is exact in minor units:
a yuan is 3,500 dong, 20 yen or 0.043 dinars of 1,000 fils.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.money import from_minor, minor_units, to_minor

FACTORS = {"CNY": Decimal(1), "VND": Decimal(3500), "JPY": Decimal(20), "KWD": Decimal("0.043")}
OTHERS = [code for code in FACTORS if code != "CNY"]
CAPS = ["limit_need_minor", "limit_capacity_minor", "limit_policy_minor", "limit_exposure_minor"]
WHOLE = ["income_q10", "income_q50", "debt_service", "household_need", "principal"]
YUAN = {
    "max_limit": 40_000, "min_limit": 500, "exposure_cap_household": 60_000,
    "exposure_cap_farmer": 50_000, "limit_step": 100, "household_need_per_head": 6000,
    "rent_per_mu": 300, "line_cost": 3,
}  # fmt: skip


@dataclass(frozen=True)
class Twin:
    """One county decided in one currency."""

    currency: str
    folder: Path
    decisions: pd.DataFrame

    @property
    def minor_factor(self) -> Fraction:
        """Minor units of this currency per fen."""
        return Fraction(FACTORS[self.currency]) * minor_units(self.currency) / minor_units("CNY")


def apply(county: Any, money: Callable[[int], str]) -> None:
    """Add farmers who meet each cap and each kind of doubt, with the amounts of one currency."""
    wide = {"own_log_sd": 0.3, "shared_log_sd": 0.2, "price_log_sd": 0.15}
    plain: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "need": ({"yield_t_ha": 16.0}, {}),
        "asked": ({}, {"requested_amount": money(2000)}),
        "poor_year": (wide | {"yield_t_ha": 4.6}, {"annual_debt_service": money(1200)}),
        "in_debt": (wide, {"annual_debt_service": money(9500)}),
        "tiny": ({"width": 12.0, "height": 12.0}, {}),
        "over_the_cap": ({"width": 500.0, "height": 300.0}, {}),
        "wages": (wide, {"household_size": 5, "off_farm_income": money(21_000)}),
        "late": (wide, {"prior_loans": 3, "prior_late": 3, "annual_debt_service": money(2000)}),
        "first_of_two": (
            {"width": 200.0, "height": 150.0, "yield_t_ha": 20.0} | wide,
            {"household_id": "shared"},
        ),
        "second_of_two": (
            {"width": 150.0, "height": 150.0} | wide,
            {"household_id": "shared", "annual_debt_service": money(2500)},
        ),
    }
    for place, (farmer, (parcel, application)) in enumerate(plain.items()):
        price = {"price_minor": _minor(county, 2400), "cost_minor_ha": _minor(county, 6000)}
        county.add(farmer, farmer, x=1000.0 * place, **price, **parcel)
        county.apply(farmer, **application)
    county.add("silent", "silent", x=1000.0 * len(plain), **price)


def _minor(county: Any, yuan: int) -> int:
    return to_minor(yuan * FACTORS[county.currency], county.currency)


def _tables(folder: Path, currency: str) -> dict[str, str]:
    factor = FACTORS[currency]
    ceiling, scale = folder / "ceilings.csv", folder / "scales.csv"
    ceiling.write_text(
        "currency,valid_from,rule,base_rate,multiple,add,source\n"
        f"{currency},2020-01-01,own,0.134,1,0,test\n"
    )
    scale.write_text(
        f"crop,currency,amount_per_mu,valid_from\nmaize,{currency},{500 * factor},2020-01-01\n"
    )
    return {"rate_ceiling_file": str(ceiling), "scale_file": str(scale)}


def decided(kind: Any, folder: Path, currency: str, loans: pd.DataFrame) -> Twin:
    folder.mkdir()
    factor = FACTORS[currency]
    county = kind(folder, currency=currency)
    amounts = {name: yuan * factor for name, yuan in YUAN.items()}
    county.policy = PolicySettings(
        currency=currency, tenor_days=330, **amounts, **_tables(folder, currency)
    )
    apply(county, lambda yuan: str(yuan * factor))
    money = {name: [str(int(yuan) * factor) for yuan in loans[name].round()] for name in WHOLE}
    county.loans = loans.assign(**money, currency=currency)
    decisions = county.decide()
    county.offers(county.path("store.sqlite"))
    return Twin(currency, folder, decisions)


@pytest.fixture(scope="module")
def twins(
    tmp_path_factory: pytest.TempPathFactory, loans: pd.DataFrame, county_kind: Any
) -> dict[str, Twin]:
    folder = tmp_path_factory.mktemp("twins")
    return {code: decided(county_kind, folder / code, code, loans) for code in FACTORS}


def pairs(twins: dict[str, Twin], currency: str) -> Iterator[tuple[Any, Any]]:
    base, other = twins["CNY"].decisions, twins[currency].decisions
    for farmer in base.index:
        yield base.loc[farmer], other.loc[farmer]


def test_the_yuan_county_meets_every_cap_and_every_answer(twins: dict[str, Twin]) -> None:
    base = twins["CNY"].decisions
    assert set(base["access"]) == {"approve", "review", "decline"}
    first = {codes[0] for codes in base["reason_codes"]}
    assert {"limit_need", "limit_request", "limit_capacity", "limit_exposure"} <= first
    assert {"no_capacity", "limit_below_minimum", "limit_policy"} <= first
    assert {"review_no_application"} <= first


@pytest.mark.parametrize("currency", OTHERS)
def test_access_reasons_risk_and_rate_are_the_same(twins: dict[str, Twin], currency: str) -> None:
    for yuan, twin in pairs(twins, currency):
        assert twin["access"] == yuan["access"]
        assert list(twin["reason_codes"]) == list(yuan["reason_codes"])
        assert twin["annual_rate"] == yuan["annual_rate"] or pd.isna(yuan["annual_rate"])
        for name in ("pd", "pd_challenger"):
            assert twin[name] == yuan[name] or pd.isna(yuan[name])


@pytest.mark.parametrize("currency", OTHERS)
def test_the_limit_is_the_factor_to_the_minor_unit(twins: dict[str, Twin], currency: str) -> None:
    factor, lent = twins[currency].minor_factor, 0
    for yuan, twin in pairs(twins, currency):
        assert twin["limit_minor"] == yuan["limit_minor"] * factor
        assert twin["currency"] == currency
        lent += yuan["limit_minor"] > 0
    assert lent >= 4


@pytest.mark.parametrize("currency", OTHERS)
def test_the_caps_are_the_factor_within_the_coarser_minor_unit(
    twins: dict[str, Twin], currency: str
) -> None:
    factor = twins[currency].minor_factor
    # Income is rounded to minor units once, need and debts are split among members to whole ones.
    coarser = 3 * max(Fraction(1), factor)
    for yuan, twin in pairs(twins, currency):
        for cap in CAPS:
            assert abs(int(twin[cap]) - int(yuan[cap]) * factor) <= coarser, cap


@pytest.mark.parametrize("currency", OTHERS)
def test_the_words_carry_the_amounts_of_the_currency(twins: dict[str, Twin], currency: str) -> None:
    found = twins[currency].decisions["reasons"]
    said = " ".join(text for reasons in found for text in reasons)
    assert "CNY" not in said
    smallest = {"VND": "VND 1,750,000", "JPY": "JPY 10,000", "KWD": "KWD 21.500"}[currency]
    assert f"below the smallest line of {smallest}." in said


@pytest.mark.parametrize(
    ("currency", "limit", "stored"),
    [("CNY", "2000.00", 200_000), ("VND", "7000000", 7_000_000), ("JPY", "40000", 40_000),
     ("KWD", "86.000", 86_000)],
)  # fmt: skip
def test_files_and_database_hold_the_decimals_of_the_currency(
    twins: dict[str, Twin], name_of: Any, currency: str, limit: str, stored: int
) -> None:
    folder, asked = twins[currency].folder, name_of("asked")
    with (folder / "offers.csv").open(encoding="utf-8-sig") as handle:
        (row,) = [row for row in csv.DictReader(handle) if row["farmer_id"] == asked]
    assert (row["currency"], row["limit"]) == (currency, limit)
    query = "SELECT currency, limit_minor FROM offers WHERE farmer_id = ? AND status = 'live'"
    with closing(sqlite3.connect(folder / "store.sqlite")) as store:
        assert store.execute(query, (asked,)).fetchall() == [(currency, stored)]
    with (folder / "queue.csv").open(encoding="utf-8-sig") as handle:
        for waiting in csv.DictReader(handle):
            _, _, decimals = waiting["possible_limit"].partition(".")
            assert 10 ** len(decimals) == minor_units(currency)
    assert from_minor(stored, currency) == Decimal(limit)
