from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from fieldline.lending.documents.facts import ParcelPapers
from fieldline.lending.profile.income import IncomeModel, quantiles
from fieldline.lending.profile.worth import drawn_values, parcel_values
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.tables import read_table
from fieldline.pipeline.records.units import MU_PER_HA

CUT = dt.date(2025, 10, 5)


@pytest.mark.parametrize(
    ("last", "covered"),
    [(CUT, True), (CUT - dt.timedelta(days=1), False), (dt.date(2024, 12, 31), False)],
)
def test_insurance_covers_the_harvests_that_end_by_its_last_day(
    last: dt.date, covered: bool
) -> None:
    parcels = pd.DataFrame([
        {"parcel_id": "a", "effect": "none", "leased": False, "evidence_area_m2": 10_000.0}
    ])  # fmt: skip
    harvest = {
        "parcel_id": "a", "crop": "maize", "chance": 1.0, "yield_q50_t_ha": 6.0,
        "shared_log_sd": 0.3, "own_log_sd": 0.1, "shock_group": "maize|c",
        "price_q50_minor": 240_000, "price_log_sd": 0.1, "cost_per_ha_minor": 600_000,
        "gross_q50_minor_ha": None,
    }  # fmt: skip
    harvests = pd.DataFrame([
        {**harvest, "harvest_by": CUT, "chance": 0.5},
        {**harvest, "harvest_by": None, "crop": "rice", "chance": 0.5},
    ])  # fmt: skip
    papers = {"a": ParcelPapers(insured_to=last, insured_minor=90_000, premium_minor=900)}
    maize, rice = parcel_values(parcels, harvests, papers, PolicySettings(), "CNY")["a"]
    assert maize.insured_minor_ha == pytest.approx(covered * 90_000 * float(MU_PER_HA))
    assert maize.premium_minor_ha == pytest.approx(covered * 900 * float(MU_PER_HA))
    assert rice.insured_minor_ha == pytest.approx(90_000 * float(MU_PER_HA))


def test_kept_harvests_give_the_very_quantiles_that_they_were_drawn_for(
    county: Any, name_of: Any
) -> None:
    risky = {"own_log_sd": 0.2, "shared_log_sd": 0.15, "price_log_sd": 0.1}
    county.add("a", "ann", **risky)
    county.add("b", "ann", x=200, seen_crop="rice", declared_crop="rice",
               prediction_set=["rice"], **risky)  # fmt: skip
    county.add("c", "bob", x=400, yield_t_ha=None)
    county.apply("ann")
    county.apply("bob")
    county.hand_in("crop_insurance", parcel_id="a", amount="500", premium="20")
    county.hand_in("tenancy_statement", parcel_id="b", crop_share=0.3)
    county.hand_in("guarantee", farmer_id="ann", counterparty_id="zoe", amount="1000")
    farmer = county.profile().loc[("farmer", name_of("ann"))]
    kept = read_table(county.path("harvests.parquet"))
    values = drawn_values(kept, {"a": "W1"})
    assert set(values) == {"a", "b"}
    assert (values["a"][0].cell, values["b"][0].cell) == ("W1", "")
    assert values["a"][0].insured_minor_ha == pytest.approx(50_000 * 15)
    assert values["b"][0].crop_share == 0.3
    policy = county.policy
    model = IncomeModel(
        policy.draws, policy.seed, float(policy.harvest_loss_share),
        float(policy.insurance_trigger), float(policy.insurance_share),
        policy.crops_yield_correlation, policy.crops_price_correlation,
    )  # fmt: skip
    low, middle, high = quantiles(model.total([*values["a"], *values["b"]]))
    told = [farmer[f"income_{q}_minor"] for q in ("q10", "q50", "q90")]
    assert [low, middle, high] == told
    assert list(farmer["guarantors"]) == [name_of("zoe")]
