"""What of a case is evidence that a person looked at, and what is reckoned anew every day."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from fieldline.lending.decision.backed import ContractCase
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.decision.review import evidence_hash


def test_the_next_day_is_no_other_evidence_though_every_draw_is(county: Any) -> None:
    # The later the day, the less of the season may still go wrong: the draws are new every day.
    county.templates["maize"] = {"harvest_by": dt.date(2024, 10, 20), "years_log_sd": 0.3}
    county.add("a", "ann", own_log_sd=0.3, shared_log_sd=0.2, price_log_sd=0.2)
    county.apply("ann", annual_debt_service="1000")
    found = []
    for day in (dt.date(2024, 9, 30), dt.date(2024, 10, 1)):
        county.as_of = day
        found.append(Case.of(read_trace(county.decision("ann")["trace"]).case))
    first, second = found
    assert first.farmer.income_q10_minor != second.farmer.income_q10_minor
    assert evidence_hash(first) == evidence_hash(second)


SOLD = ContractCase(
    contract_id="c", buyer="Mill", crop="maize", value_minor=900_000, counted_minor=900_000,
    outcome="ok", valid_to=dt.date(2025, 12, 31),
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "other"),
    [
        # what the forecast of the day makes of a contract
        ({"counted_minor": 700_000, "outcome": "contract_beyond_land"}, False),
        ({"counted_minor": 0, "outcome": "contract_expired"}, False),
        # what was signed
        ({"contract_id": "d"}, True),
        ({"buyer": "Other mill"}, True),
        ({"crop": "rice"}, True),
        ({"value_minor": 800_000}, True),
        ({"valid_to": dt.date(2025, 11, 30)}, True),
        ({"assigned": False}, True),
    ],
)
def test_what_a_contract_says_is_evidence_and_what_counts_of_it_is_none(
    case: Case, change: dict[str, Any], *, other: bool
) -> None:
    signed = case.model_copy(update={"contracts": (SOLD,)})
    today = case.model_copy(update={"contracts": (SOLD.model_copy(update=change),)})
    assert (evidence_hash(today) != evidence_hash(signed)) == other
    assert evidence_hash(case) != evidence_hash(signed)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("case", {"evidence_area_m2": Decimal(6000)}),
        ("case", {"refusals": ("too_cloudy",)}),
        ("case", {"joint_members": 2}),
        ("case", {"application": "no_application"}),
        ("parcel", {"evidence_area_m2": Decimal(6000)}),
        ("parcel", {"declared_area_m2": Decimal(7000)}),
        ("parcel", {"declared_crop": "rice"}),
        ("parcel", {"seen_crop": "rice"}),
        ("parcel", {"codes": ("crop_conflict",), "effect": "review"}),
        ("farmer", {"debt_service_minor": 1}),
        ("farmer", {"requested_minor": 100_000}),
        ("farmer", {"guaranteeing_minor": 1}),
        ("household", {"debt_service_minor": 1}),
        ("household", {"household_size": 4}),
        ("features", {"late_share": 0.5}),
        ("features", {"prior_loans": 4.0}),
        ("risk", {"finished_loans": 9}),
    ],
)
def test_what_is_handed_in_or_seen_is_evidence(
    case: Case, part: str, change: dict[str, Any]
) -> None:
    assert evidence_hash(changed(case, part, change)) != evidence_hash(case)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("farmer", {"income_q10_minor": 1, "income_q50_minor": 2, "household_need_minor": 3}),
        ("household", {"guaranteed_minor": 1, "crop_cost_minor": 7}),
        ("case", {"household_free_minor": 1, "as_of": dt.date(2024, 10, 1)}),
        ("parcel", {"valued_crop": "rice", "crop_basis": "rotation", "scale_minor_per_mu": 1}),
        ("features", {"free_share": 0.0, "income_spread": 0.9, "debt_share": 0.3,
                      "hazard_index": 9.0}),
        ("risk", {"pd": Decimal("0.1"), "model": "pd:other"}),
    ],
)  # fmt: skip
def test_what_is_reckoned_anew_every_day_is_no_evidence(
    case: Case, part: str, change: dict[str, Any]
) -> None:
    assert evidence_hash(changed(case, part, change)) == evidence_hash(case)


def changed(case: Case, part: str, change: dict[str, Any]) -> Case:
    if part == "case":
        return case.model_copy(update=change)
    if part == "parcel":
        return case.model_copy(update={"parcels": (case.parcels[0].model_copy(update=change),)})
    if part == "features":
        part, change = "risk", {"features": {**case.risk.features, **change}}
    return case.model_copy(update={part: getattr(case, part).model_copy(update=change)})
