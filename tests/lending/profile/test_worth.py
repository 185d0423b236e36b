from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from fieldline.lending.documents.facts import ParcelPapers
from fieldline.lending.profile.worth import parcel_values
from fieldline.lending.settings import PolicySettings
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
