"""Findings of the fixture's farmer: 10 mu of maize, CNY 12,000 in a poor year, need CNY 6,000."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from fieldline.lending.codes import (
    EFFECTS,
    NOT_THE_FARMERS,
    Effect,
    evidence_codes,
    farmer_remedy,
)
from fieldline.lending.decision import findings
from fieldline.lending.decision.case import Case, ParcelCase
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.limit import Caps
from fieldline.lending.decision.reasons import Finding
from fieldline.pipeline.records.outcomes import outcome_codes
from fieldline.pipeline.records.reference import table_rows

MU = Decimal("666.67")


def parcels(case: Case, *changes: dict[str, Any]) -> Case:
    """Return the case with one parcel per change of its only one."""
    made = tuple(case.parcels[0].model_copy(update=change) for change in changes)
    return case.model_copy(update={"parcels": made})


def farmer(case: Case, **changes: Any) -> Case:
    return case.model_copy(update={"farmer": case.farmer.model_copy(update=changes)})


def caps(need: int = 9, capacity: int = 9, policy: int = 9, exposure: int = 9) -> Caps:
    """Return caps in thousands of currency units."""
    return Caps(*(Decimal(1000 * cap) for cap in (need, capacity, policy, exposure)))


def told(found: Any) -> dict[str, Finding]:
    return {finding.code: finding for finding in found}


def test_a_blocked_parcel_names_its_ground(case: Case) -> None:
    park = {"codes": ("protected_overlap",), "effect": "block", "protected_m2": 2 * MU}
    held = {"parcel_id": "b", "codes": ("holder_conflict",), "effect": "block"}
    found = told(findings.vetoes(parcels(case, park, held)))
    assert found["veto_protected_overlap"].values == {"parcel": "a", "value": "2.0 mu (0.13 ha)"}
    assert found["veto_protected_overlap"].chinese == {"value": "2.0亩"}
    assert found["veto_holder_conflict"].values == {"parcel": "b", "value": "10.0 mu (0.67 ha)"}
    assert list(found) == ["veto_protected_overlap", "veto_holder_conflict"]


def test_one_parcel_with_value_asks_for_capacity_and_blocked_ground_does_not(case: Case) -> None:
    poor = farmer(case, debt_service_minor=600_000)
    mixed = parcels(poor, {}, {"valued_crop": None})
    assert list(told(findings.vetoes(mixed))) == ["no_capacity"]
    assert list(told(findings.vetoes(parcels(poor, {"valued_crop": None})))) == []
    assert list(told(findings.vetoes(farmer(case, debt_service_minor=599_999)))) == []


def test_debts_that_other_work_pays_do_not_weigh_on_the_land(case: Case) -> None:
    # borne 9,000 - 1,000; claims 6,000 + 8,000; bearable 12,000 - 6,000 + 1,000
    owing = farmer(case, debt_service_minor=900_000, debt_elsewhere_minor=100_000)
    (found,) = findings.vetoes(owing)
    assert found.values == {"value": "CNY 12,000", "threshold": "CNY 14,000"}
    assert found.chinese == {"value": "1.2万元", "threshold": "1.4万元"}


def test_a_farmer_without_outlines_hears_how_many_and_why(case: Case) -> None:
    none = case.model_copy(update={"parcels": (), "parcels_declared": 3, "refusals": ()})
    (found,) = findings.vetoes(none)
    assert found.values == {
        "value": "3", "extra": "no outcome is on record", "remedy": "Ask the lender",
    }  # fmt: skip
    assert found.chinese == {"extra": "没有记录", "remedy": "请咨询贷款机构"}


def test_a_crop_conflict_names_both_crops_in_both_languages(case: Case) -> None:
    odd = {"codes": ("crop_conflict",), "effect": "review", "seen_crop": "soybean"}
    (found,) = findings.reviews(parcels(case, odd), caps())
    assert found.values == {"parcel": "a", "value": "soybean", "threshold": "maize"}
    assert found.chinese == {"value": "大豆", "threshold": "玉米"}
    (found,) = findings.reviews(parcels(case, {**odd, "declared_crop": "quinoa"}), caps())
    assert (found.values["threshold"], found.chinese["threshold"]) == ("quinoa", "quinoa")


def test_a_doubt_on_a_parcel_names_its_area(case: Case) -> None:
    idle = {"codes": ("no_crop_cycle", "area_agrees"), "effect": "review"}
    (found,) = findings.reviews(parcels(case, idle), caps())
    assert found == Finding(
        "review_no_crop_cycle", {"parcel": "a", "value": "10.0 mu (0.67 ha)"}, {"value": "10.0亩"}
    )


def test_land_without_a_value_is_counted_and_its_worst_outcome_told(case: Case) -> None:
    blank = {"valued_crop": None, "outcomes": ("evidence_lowered", "too_cloudy", "crop_unsure")}
    blocked = {"effect": "block", "valued_crop": None}
    (found,) = findings.reviews(parcels(case, blank, {**blank, "outcomes": ()}, blocked), caps())
    assert (found.code, found.values["value"]) == ("review_not_valued", "2")
    assert found.values["extra"].startswith("too few clear satellite dates")
    assert found.chinese["extra"] != found.values["extra"]
    assert found.values["remedy"] == NOT_THE_FARMERS.english
    assert found.chinese["remedy"] == NOT_THE_FARMERS.chinese


@pytest.mark.parametrize("outcome", sorted(outcome_codes()))
def test_no_remedy_of_the_operator_reaches_the_farmer(case: Case, outcome: str) -> None:
    none = case.farmer.model_copy(update={"income_q10_minor": 0, "household_need_minor": 0})
    refused = case.model_copy(update={"parcels": (), "refusals": (outcome,), "farmer": none})
    unvalued = parcels(case, {"valued_crop": None, "outcomes": (outcome,)})
    operators = outcome_codes()[outcome].remedy
    for decision in (decide_case(refused), decide_case(unvalued)):
        first = decision.reasons[0]
        assert first.code in ("no_parcel_accepted", "review_not_valued")
        assert farmer_remedy(outcome).english in first.english
        assert farmer_remedy(outcome).chinese in first.chinese
        assert operators not in first.english or operators == farmer_remedy(outcome).english
        for text in (first.english, first.chinese):
            assert not re.search(
                r"\w+\.csv|\b(inputs|observe|scenes|crops|lending)\.|rerun|YAML", text
            )


def test_what_a_farmer_is_told_to_do_belongs_to_a_known_outcome() -> None:
    for row in table_rows("farmer_remedies.csv"):
        assert row["code"] in outcome_codes()
        assert row["english"]
        assert row["chinese"]
        assert not row["english"].endswith(".")


def test_one_parcel_with_a_value_is_enough(case: Case) -> None:
    assert list(findings.reviews(parcels(case, {}, {"valued_crop": None}), caps())) == []
    assert list(findings.reviews(parcels(case, {"effect": "block", "codes": ()}), caps())) == []


def test_more_than_the_policy_cap_went_to_a_person_by_the_second_rules(case: Case) -> None:
    rich = Caps(Decimal(9199), Decimal(9999), Decimal(9000), Decimal(9999))
    assert list(findings.reviews(case, rich)) == []
    case = case.model_copy(update={"rules": 2})
    assert list(findings.reviews(case, caps())) == []
    (found,) = findings.reviews(case, rich)
    assert found.values == {"value": "CNY 9,100", "threshold": "CNY 9,000"}


def unlike(case: Case, name: str, value: float | None, **usual: float | None) -> list[Finding]:
    """Return what is unlike the loans where one feature has this value and this cohort."""
    cohort = {**case.risk.cohort, name: {**case.risk.cohort[name], **usual}}
    features = {**case.risk.features, name: value}
    risk = case.risk.model_copy(update={"features": features, "cohort": cohort})
    return list(findings.unlike_loans(case.model_copy(update={"risk": risk})))


def test_unlike_begins_beyond_a_quarter_of_the_loans_range(case: Case) -> None:
    # -10 to 100: a quarter of 110 is 27.5
    assert unlike(case, "hazard_index", 127.5) == []
    (found,) = unlike(case, "hazard_index", 128.0)
    assert found.values == {
        "value": "128", "threshold": "100", "extra": "the weather hazard of the season",
    }  # fmt: skip
    assert found.chinese == {"extra": "本季气象灾害指数"}
    # for stability the low end is the worse one
    assert unlike(case, "stability", -37.5) == []
    (found,) = unlike(case, "stability", -38.0)
    assert (found.values["value"], found.values["threshold"]) == ("-3800%", "-1000%")
    assert unlike(case, "stability", 500.0) == []


@pytest.mark.parametrize("usual", [{"low": None}, {"high": None}, {"low": None, "high": None}])
def test_an_unknown_range_makes_nobody_unlike(case: Case, usual: dict[str, None]) -> None:
    assert unlike(case, "hazard_index", 500.0, **usual) == []
    assert unlike(case, "hazard_index", None) == []


def test_a_feature_the_cohort_does_not_hold_is_passed_over(case: Case) -> None:
    risk = case.risk.model_copy(update={"cohort": {}})
    assert list(findings.unlike_loans(case.model_copy(update={"risk": risk}))) == []


@pytest.mark.parametrize("code", ["area_overdrawn", "area_conflict_registry", "own_overlap"])
def test_each_code_that_lowers_the_area_is_told(case: Case, code: str) -> None:
    less = {"codes": (code,), "declared_area_m2": 15 * MU}
    found = told(findings.limits(parcels(case, less), caps()))["area_lowered"]
    assert found.values == {"value": "10.0 mu (0.67 ha)", "threshold": "15.0 mu (1.00 ha)"}
    assert found.chinese == {"value": "10.0亩", "threshold": "15.0亩"}


def test_only_land_that_counts_is_lowered_and_undeclared_land_is_what_was_found(case: Case) -> None:
    less = {"codes": ("area_overdrawn",), "declared_area_m2": None}
    blocked = {**less, "effect": "block"}
    found = told(findings.limits(parcels(case, less, blocked, {}), caps()))
    assert "area_lowered" not in found
    old = parcels(case, less, blocked, {}).model_copy(update={"rules": 2})
    found = told(findings.limits(old, caps()))
    assert found["area_lowered"].chinese == {"value": "10.0亩", "threshold": "10.0亩"}
    assert "area_lowered" not in told(findings.limits(parcels(case, blocked, {}), caps()))


def test_areas_are_summed_and_nothing_is_added(case: Case) -> None:
    # 699.9 m2 are 1.04985 mu, a square metre more would be 1.1
    unsure = {"crop_basis": "cheapest_of_set", "evidence_area_m2": Decimal("350.0")}
    other = {**unsure, "evidence_area_m2": Decimal("349.9")}
    found = told(findings.limits(parcels(case, unsure, other, {}), caps()))
    assert found["crop_cheapest"].values == {"value": "1.0 mu (0.07 ha)"}
    assert "crop_cheapest" not in told(findings.limits(case, caps()))


def first(case: Case, bound: Caps) -> Finding:
    return next(findings.limits(case, bound))


def test_the_least_cap_is_the_one_told(case: Case) -> None:
    assert first(case, caps(capacity=1)) == Finding(
        "limit_capacity", {"value": "CNY 6,000", "threshold": "1.25"}, {"value": "6000元"}
    )
    need = first(case, caps(need=1))
    assert (need.code, need.values) == (
        "limit_need", {"threshold": "CNY 1,000", "value": "10.0 mu (0.67 ha)"},
    )  # fmt: skip
    assert first(case, caps(policy=1)) == Finding(
        "limit_policy", {"threshold": "CNY 1,000"}, {"threshold": "1000元"}
    )


def test_the_part_of_the_exposure_that_binds_is_told_with_its_own_threshold(case: Case) -> None:
    # household 400,000 - 399,000; farmer 350,000 - 349,000; else what the household can repay
    home = case.household.model_copy(update={"debt_service_minor": 39_900_000})
    shared = first(case.model_copy(update={"household": home}), caps(exposure=1))
    assert (shared.variant, shared.values) == (
        "", {"value": "CNY 1,000", "threshold": "CNY 400,000"},
    )  # fmt: skip
    own = first(farmer(case, debt_service_minor=34_900_000), caps(exposure=1))
    assert (own.variant, own.values) == ("own", {"value": "CNY 1,000", "threshold": "CNY 350,000"})
    # a quarter of the free income of the four is this farmer's: 6,000 of 24,000
    four = case.model_copy(update={"household_free_minor": 2_400_000})
    pooled = first(four, caps(exposure=1))
    assert (pooled.variant, pooled.values) == (
        "pooled", {"value": "CNY 1,000", "threshold": "CNY 4,000"},
    )  # fmt: skip


def test_nothing_is_left_where_debts_exceed_income(case: Case) -> None:
    owing = farmer(case, debt_service_minor=700_000)
    assert first(owing, caps(capacity=0)).values["value"] == "CNY 0"


def test_a_request_is_told(case: Case) -> None:
    asked = farmer(case, requested_minor=100_000)
    found = first(asked, caps(need=1, capacity=4, policy=7, exposure=3))
    assert found == Finding("limit_request", {"value": "CNY 1,000"}, {"value": "1000元"})
    assert first(asked, caps(need=2, capacity=4)).code == "limit_need"


def test_need_counts_the_land_that_counts(case: Case) -> None:
    parcel: ParcelCase = case.parcels[0]
    blocked = parcel.model_copy(update={"effect": "block"})
    both = case.model_copy(update={"parcels": (parcel, blocked)})
    assert first(both, caps(need=1)).values["value"] == "10.0 mu (0.67 ha)"


def test_what_is_missing_goes_to_a_person(case: Case) -> None:
    def codes(**changes: Any) -> list[str]:
        changed = case.model_copy(update=changes)
        return [finding.code for finding in findings.reviews(changed, caps())]

    assert codes(application="no_application") == ["review_no_application"]
    assert codes(application="bad_application") == ["review_bad_application"]
    assert codes(risk=case.risk.model_copy(update={"problem": "x"})) == ["review_no_model"]
    features = {**case.risk.features, "hazard_index": 500.0}
    risk = case.risk.model_copy(update={"features": features})
    assert codes(risk=risk) == ["review_unlike_loans"]


@pytest.mark.parametrize(
    ("changes", "access"),
    [
        ({}, "approve"),
        ({"debt_service_minor": 600_000}, "decline"),
        ({"requested_minor": 10_000}, "decline"),
        ({"household_need_minor": 0}, "review"),
    ],
)
def test_a_tenant_hears_what_a_missing_lease_costs_whatever_is_decided(
    case: Case, changes: dict[str, int], access: str
) -> None:
    tenant = {"codes": ("lease_unproven",), "effect": "lower", "evidence_area_m2": 5 * MU}
    case = parcels(farmer(case, **changes), tenant)
    if access == "review":
        high = case.risk.model_copy(update={"pd": Decimal("0.099"), "challenger": Decimal("0.3")})
        case = case.model_copy(update={"risk": high})
    decision = decide_case(case)
    assert decision.access == access
    (lease,) = [reason for reason in decision.reasons if reason.code == "lease_unproven"]
    assert lease.english == (
        "5.0 mu (0.33 ha) of the 10.0 mu (0.67 ha) declared count on parcel a: the registry names "
        "another holder, and no paper shows that the land is let to you. Bring a signed lease or "
        "the landlord's confirmation."
    )
    assert "5.0亩" in lease.chinese
    assert "10.0亩" in lease.chinese
    before = decide_case(case.model_copy(update={"rules": 2}))
    assert "lease_unproven" not in [reason.code for reason in before.reasons]


def test_a_lease_is_asked_for_each_parcel_that_counts_and_for_no_other(case: Case) -> None:
    tenant = {"codes": ("lease_unproven",), "effect": "lower", "evidence_area_m2": 5 * MU}
    kinds = [
        tenant, {**tenant, "parcel_id": "b", "declared_area_m2": None}, {"parcel_id": "c"},
        {**tenant, "parcel_id": "d", "effect": "block"},
        {**tenant, "parcel_id": "e", "valued_crop": None},
    ]  # fmt: skip
    found = list(findings.unproven_leases(parcels(case, *kinds)))
    assert [(f.values["parcel"], f.variant) for f in found] == [("a", ""), ("b", "undeclared")]


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("code", sorted(evidence_codes()))
def test_every_code_with_every_effect_is_decided_and_told(
    case: Case, code: str, effect: Effect, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {**evidence_codes(), code: replace(evidence_codes()[code], effect=effect)}
    monkeypatch.setattr(findings, "evidence_codes", lambda: table)
    one = parcels(case, {"codes": (code,), "effect": effect})
    decision = decide_case(one)
    wants = {"block": "decline", "review": "review"}.get(effect, "approve")
    assert decision.access == wants
    told = decision.reasons[0]
    if effect in ("block", "review"):
        kind = {"block": "veto", "review": "review"}[effect]
        assert told.code in (f"{kind}_{code}", f"{kind}_evidence")
        assert "{" not in told.english + told.chinese
        if told.code.endswith("_evidence"):
            assert table[code].english[1:] in told.english
            assert table[code].chinese in told.chinese
