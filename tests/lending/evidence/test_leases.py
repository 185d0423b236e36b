from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from fieldline.lending.decision.case import Case
from fieldline.lending.decision.replay import read_trace

TEMPLATE = {"harvest_from": dt.date(2024, 8, 1), "harvest_by": dt.date(2024, 10, 1)}


@pytest.mark.parametrize(
    ("last", "area", "code"),
    [("2025-10-01", 10_000, "lease_upheld"), ("2025-09-30", 5_000, "lease_ends"),
     ("2024-10-02", 5_000, "lease_ends"), ("2099-12-31", 10_000, "lease_upheld")],
)  # fmt: skip
def test_a_lease_counts_in_full_for_a_harvest_cut_by_its_last_day(
    county: Any, last: str, area: float, code: str
) -> None:
    # this season's maize was cut on 20 September: the next is cut by 1 October 2025
    county.add("a", "ann", harvest_date=dt.date(2024, 9, 20))
    county.apply("ann")
    county.templates["maize"] = TEMPLATE
    county.registry = [{
        "parcel_id": "a", "area_m2": 10_000, "holder_id": "zoe", "crop": "maize",
        "recorded_on": "2024-01-01",
    }]  # fmt: skip
    county.hand_in(
        "lease_contract", parcel_id="a", counterparty_id="zoe", valid_to=last, amount="100"
    )
    decision = county.decision("ann")
    (parcel,) = Case.of(read_trace(decision["trace"]).case).parcels
    assert (float(parcel.evidence_area_m2), code in parcel.codes) == (area, True)
    assert parcel.effect == ("none" if code == "lease_upheld" else "lower")
    told = [text for text in decision["reasons"] if "lease" in text]
    assert (
        told == []
        if code == "lease_upheld"
        else told
        == [
            "7.5 mu (0.50 ha) of the 15.0 mu (1.00 ha) declared count on parcel a: its lease ends "
            "before the harvest that repays this line. Bring a lease that lasts to that harvest."
        ]
    )
    profile = county.profile()
    assert profile.loc["farmer", "evidence_area_m2"].tolist() == [area]


def test_a_lease_need_not_outlast_the_crop_on_the_field(county: Any) -> None:
    county.add("a", "ann")
    county.templates["maize"] = TEMPLATE
    county.registry = [{
        "parcel_id": "a", "area_m2": 10_000, "holder_id": "zoe", "crop": "maize",
        "recorded_on": "2024-01-01",
    }]  # fmt: skip
    county.hand_in("lease_contract", parcel_id="a", counterparty_id="zoe", valid_to="2024-10-01")
    assert county.profile().loc["farmer", "evidence_area_m2"].tolist() == [10_000]


def test_a_county_without_an_accepted_parcel_is_decided(county: Any) -> None:
    county.refused["ann"] = ["bow_tie"]
    county.apply("ann")
    assert county.decision("ann")["access"] == "decline"


@pytest.mark.parametrize(
    ("last", "area", "ends"),
    [("2025-10-01", 10_000, False), ("2025-09-30", 6_000, True), ("2024-10-02", 6_000, True)],
)
def test_land_rented_beside_ones_own_counts_for_a_harvest_within_its_lease(
    county: Any, last: str, area: float, ends: bool
) -> None:
    # 0.6 ha are her own; 0.4 ha of the parcel are rented from zoe until `last`
    county.add("a", "ann", harvest_date=dt.date(2024, 9, 20))
    county.apply("ann")
    county.templates["maize"] = TEMPLATE
    county.registry = [{
        "parcel_id": "a", "area_m2": 6_000, "holder_id": "ann", "crop": "maize",
        "recorded_on": "2024-01-01",
    }]  # fmt: skip
    county.hand_in(
        "lease_contract", parcel_id="a", counterparty_id="zoe", valid_to=last, area_m2=4_000,
        amount="100",
    )  # fmt: skip
    decision = county.decision("ann")
    (parcel,) = Case.of(read_trace(decision["trace"]).case).parcels
    assert float(parcel.evidence_area_m2) == pytest.approx(area)
    assert ("lease_ends" in parcel.codes) == ends
    assert "holder_agrees" in parcel.codes
    assert parcel.effect == ("lower" if ends else "none")
    told = "9.0 mu (0.60 ha) of the 15.0 mu (1.00 ha) declared count on parcel a: its lease ends"
    assert any(text.startswith(told) for text in decision["reasons"]) == ends
    assert county.profile().loc["farmer", "evidence_area_m2"].tolist() == [pytest.approx(area)]


def test_a_lease_that_adds_no_land_ends_without_taking_any(county: Any) -> None:
    # The registry already holds the whole hectare in her name.
    county.add("a", "ann", harvest_date=dt.date(2024, 9, 20))
    county.templates["maize"] = TEMPLATE
    county.registry = [{
        "parcel_id": "a", "area_m2": 10_000, "holder_id": "ann", "crop": "maize",
        "recorded_on": "2024-01-01",
    }]  # fmt: skip
    county.hand_in("lease_contract", parcel_id="a", counterparty_id="zoe", valid_to="2024-10-02")
    assert county.profile().loc["farmer", "evidence_area_m2"].tolist() == [10_000]
