"""Land under covers and orchards: what it earns by area, and what the images say for it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from fieldline.lending.decision.case import Case
from fieldline.lending.decision.replay import read_trace
from fieldline.pipeline.records.tables import read_table

UNSEEN: dict[str, Any] = {
    "seen_crop": None, "prediction_set": [], "yield_t_ha": None, "planted_fraction": 0.0,
    "seen_area": 0.0, "sos": None, "declared_crop": "greenhouse",
}  # fmt: skip


def covered(county: Any, **more: Any) -> None:
    """Add ann's hectare under plastic: 300,000 yuan a year at 200,000 cost, without spread."""
    county.add("g", "ann", **{**UNSEEN, **more})
    county.apply("ann", prior_loans=4)
    county.areas["greenhouse"] = (30_000_000, 30_000_000, 20_000_000)


def test_a_greenhouse_that_nothing_but_its_declaration_tells_of_asks_a_person(county: Any) -> None:
    covered(county)
    row = county.evidence().loc["g"]
    assert "facility_unproven" in row["codes"]
    assert not {"no_crop_cycle", "crop_not_yet_up"}.intersection(row["codes"])
    assert row["effect"] == "review"
    assert row["evidence_area_m2"] == 10_000  # bare to the eye, and no less for it


def test_a_photograph_of_the_greenhouse_or_the_registry_s_crop_agrees(county: Any) -> None:
    covered(county)
    county.hand_in("field_photo", parcel_id="g", crop="greenhouse")
    county.add("h", "bob", x=5000, **UNSEEN)
    county.apply("bob")
    county.registry.append({
        "parcel_id": "h", "area_m2": 10_000, "holder_id": "bob", "crop": "greenhouse",
        "recorded_on": "2024-01-01",
    })  # fmt: skip
    rows = county.evidence()
    for parcel in ("g", "h"):
        assert "facility_agrees" in rows.loc[parcel, "codes"]
        assert rows.loc[parcel, "effect"] == "none"
        assert rows.loc[parcel, "evidence_area_m2"] == 10_000


def test_a_greenhouse_of_three_pixels_counts_like_its_neighbour_s(county: Any) -> None:
    covered(county, width=17.0, height=20.0, seen_area=None, planted_fraction=None)
    row = county.evidence().loc["g"]
    assert "facility_unproven" in row["codes"]
    assert row["evidence_area_m2"] == 340


@pytest.mark.parametrize("declared", ["maize", "orchard", None])
def test_bare_land_that_is_declared_as_anything_else_still_asks_a_person(
    county: Any, declared: str | None
) -> None:
    covered(county, declared_crop=declared)
    row = county.evidence().loc["g"]
    assert "no_crop_cycle" in row["codes"]
    assert row["effect"] == "review"


def test_a_field_that_grew_a_crop_is_no_greenhouse(county: Any) -> None:
    county.add("g", "ann", declared_crop="greenhouse", probability=0.97)
    row = county.evidence().loc["g"]
    assert "crop_conflict" in row["codes"]


def test_a_greenhouse_earns_its_value_by_area_less_cost(county: Any, name_of: Any) -> None:
    covered(county)
    row = county.profile().loc[("farmer", name_of("ann"))]
    # 300,000 x .97 - 200,000
    assert row["income_q10_minor"] == row["income_q50_minor"] == 9_100_000
    assert row["crop_cost_minor"] == 20_000_000
    assert row["parcels_valued"] == 1
    assert row["season_income_q50_minor"] == row["next_income_q50_minor"] == 9_100_000
    decision = county.decision("ann")
    case = Case.of(read_trace(decision["trace"]).case)
    assert case.parcels[0].valued_crop == "greenhouse"
    assert decision["access"] == "review"
    county.hand_in("field_photo", parcel_id="g", crop="greenhouse")
    decision = county.decision("ann")
    assert decision["access"] == "approve"
    assert decision["limit_minor"] > 0


def test_the_poor_year_is_that_of_the_lender_s_own_spread(county: Any, name_of: Any) -> None:
    covered(county)
    county.areas["greenhouse"] = (30_000_000, 45_000_000, 20_000_000)
    row = county.profile().loc[("farmer", name_of("ann"))]
    # the upper tenth is half as much again, so the lower tenth is two thirds
    assert row["income_q50_minor"] == pytest.approx(9_100_000, rel=0.03)
    poor = 30_000_000 * 0.97 / 1.5 - 20_000_000
    assert row["income_q10_minor"] == pytest.approx(poor, abs=0.03 * 19_400_000)


def test_an_orchard_earns_by_its_next_harvest_within_the_tenor(county: Any, name_of: Any) -> None:
    county.add(
        "o", "ann", declared_crop="orchard", seen_crop="orchard", prediction_set=["orchard"],
        yield_t_ha=None, area_crop="orchard",
    )  # fmt: skip
    county.apply("ann")
    county.areas["orchard"] = (12_000_000, 12_000_000, 4_500_000)
    county.templates["orchard"] = {
        "harvest_from": dt.date(2024, 8, 1),
        "harvest_by": dt.date(2024, 9, 20),
    }
    rows = county.profile()
    harvests = read_table(county.path("harvests.parquet")).set_index("parcel_id")
    assert harvests.loc["o", "crop"] == "orchard"
    assert harvests.loc["o", "harvest_by"] == dt.date(2025, 9, 20)  # this year's is over
    assert np.isnan(harvests.loc["o", "yield_q50_t_ha"])
    assert (
        rows.loc[("farmer", name_of("ann")), "income_q50_minor"]
        == 12_000_000 * 97 // 100 - 4_500_000
    )
    county.policy = county.policy.model_copy(update={"tenor_days": 200})
    assert county.profile().loc[("farmer", name_of("ann")), "parcels_valued"] == 0


def test_without_a_table_of_values_a_greenhouse_is_worth_what_nobody_knows(
    county: Any, name_of: Any
) -> None:
    covered(county)
    county.areas.clear()
    assert county.profile().loc[("farmer", name_of("ann")), "parcels_valued"] == 0
    decision = county.decision("ann")
    assert decision["access"] == "review"
    assert "review_not_valued" in decision["reason_codes"]
    assert decision["limit_minor"] == Decimal(0)
