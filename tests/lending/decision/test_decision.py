from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldline.lending.decision.case import Case
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.replay import replay, trace_of
from fieldline.pipeline.records.errors import UserError

quick = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def changed(case: Case, part: str = "", **changes: Any) -> Case:
    if not part:
        return case.model_copy(update=changes)
    return case.model_copy(update={part: getattr(case, part).model_copy(update=changes)})


def with_parcel(case: Case, **changes: Any) -> Case:
    return changed(case, parcels=(case.parcels[0].model_copy(update=changes),))


def codes(case: Case) -> list[str]:
    return [reason.code for reason in decide_case(case).reasons]


def test_an_approval_by_hand(case: Case) -> None:
    found = decide_case(case)
    # price: (.05 x 330 + .04 x .55 x 360) / (330 x .96) = .07708..., up to .0771
    assert found.annual_rate == Decimal("0.0771")
    # need: 10 mu x 500 x 1.3 = 6500; capacity: 6000 / (1.25 x (1 + .0771 x 330/360)) = 4483.15
    assert found.limit_need_minor == 650_000
    assert found.limit_capacity_minor == 448_315
    assert (found.access, found.limit_minor) == ("approve", 440_000)
    assert [reason.code for reason in found.reasons] == ["limit_capacity"]
    assert "CNY 6,000" in found.reasons[0].english
    # 12.6 mu of 10.00005: 12,000 x 1.25999 less 6,000 of need, over the same; rounded down to 100
    assert found.reasons[0].english.endswith(
        "With 12.6 mu (0.84 ha) of such land in all up to CNY 5,600 would be possible."
    )
    assert found.reasons[0].chinese.startswith("歉收年收成扣除家庭开支与其他债务后余6000元，")
    assert found.reasons[0].chinese.endswith("同类耕地合计达到12.6亩时，最高可达5600元。")


def test_the_same_case_replays_bit_for_bit(case: Case) -> None:
    found = decide_case(case)
    trace = trace_of(case, found)
    assert replay(trace) == found
    assert trace_of(Case.of(json.loads(trace)["case"]), replay(trace)) == trace


@pytest.mark.parametrize(
    "change",
    [("440000", "450000"), ('"income_q10_minor":1200000', '"income_q10_minor":1300000')],
)
def test_a_changed_trace_does_not_replay(case: Case, change: tuple[str, str]) -> None:
    trace = trace_of(case, decide_case(case))
    assert change[0] in trace
    with pytest.raises(UserError, match="does not replay"):
        replay(trace.replace(*change))


def test_every_part_of_a_case_moves_its_identity(case: Case) -> None:
    ids = {
        case.decision_id,
        changed(case, "farmer", debt_service_minor=1).decision_id,
        changed(case, "policy", lgd=Decimal("0.56")).decision_id,
        changed(case, "risk", model="pd:other").decision_id,
        with_parcel(case, codes=()).decision_id,
    }
    assert len(ids) == 5


@pytest.mark.parametrize(
    ("code", "access", "reason"),
    [
        ("protected_overlap", "decline", "veto_protected_overlap"),
        ("holder_conflict", "decline", "veto_holder_conflict"),
        ("claim_refuted", "decline", "veto_claim_refuted"),
        ("claimed_by_other", "review", "review_claimed_by_other"),
        ("crop_conflict", "review", "review_crop_conflict"),
        ("no_crop_cycle", "review", "review_no_crop_cycle"),
    ],
)
def test_evidence_stops_or_delays(case: Case, code: str, access: str, reason: str) -> None:
    effect = "block" if access == "decline" else "review"
    found = decide_case(with_parcel(case, codes=(code,), effect=effect))
    assert (found.access, found.limit_minor) == (access, 0)
    assert found.reasons[0].code == reason
    if "parcel" in found.reasons[0].english.lower():
        assert " a " in found.reasons[0].english


def test_no_capacity_says_what_would_change_it(case: Case) -> None:
    poor = changed(case, "farmer", debt_service_minor=600_000)
    found = decide_case(poor)
    assert (found.access, found.reasons[0].code) == ("decline", "no_capacity")
    assert "CNY 12,000 after their costs" in found.reasons[0].english
    # a line of 500 needs 500 x 1.25 x (1 + .0771 x 330/360) = 669.17 of the 6,000 left
    assert "at most CNY 5,330 up to CNY 500 would be possible" in found.reasons[0].english
    assert "不超过5330元时，最高可达500元" in found.reasons[0].chinese


def test_a_price_above_the_ceiling_is_declined_not_cut(case: Case) -> None:
    # (.05 x 330 + .15 x .55 x 360) / (330 x .85) = .1648; (1 + .1648 x 330/360)^(365/330) = 1.1684
    found = decide_case(changed(case, "risk", pd=Decimal("0.15")))
    assert (found.access, found.limit_minor) == ("decline", 0)
    assert found.reasons[0].code == "price_above_ceiling"
    assert "16.84%" in found.reasons[0].english
    assert "13.40%" in found.reasons[0].english


def test_risk_is_explained_by_the_applicants_own_figures(case: Case) -> None:
    risk = case.risk.model_copy(update={
        "pd": Decimal("0.11"),
        "contributions": {**case.risk.contributions, "debt_share": 0.9, "hazard_index": 0.4,
                          "stability": 0.8},
        "features": {**case.risk.features, "debt_share": 0.45, "hazard_index": 62.0,
                     "stability": 0.3},
    })  # fmt: skip
    found = decide_case(changed(case, risk=risk))
    # stability .3 is better than the cohort's .1, so it is not blamed whatever its contribution
    assert [reason.code for reason in found.reasons] == [
        "risk_of_default", "risk_debt_share", "risk_hazard_index",
    ]  # fmt: skip
    assert found.access == "review"
    assert "about 11 did not repay in time; this product needs fewer than 10" in (
        found.reasons[0].english
    )
    assert "45%" in found.reasons[1].english
    assert "10% is usual" in found.reasons[1].english


def test_risk_without_a_single_cause_is_told_as_a_chance(case: Case) -> None:
    found = decide_case(changed(case, "risk", pd=Decimal("0.11"), challenger=Decimal("0.11")))
    assert [reason.code for reason in found.reasons] == ["risk_of_default"]
    assert "about 11 did not repay" in found.reasons[0].english


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"application": "no_application"}, "review_no_application"),
        (
            {"application": "bad_application", "application_detail": "x=-1"},
            "review_bad_application",
        ),
    ],
)
def test_what_is_not_known_goes_to_a_person(
    case: Case, change: dict[str, Any], reason: str
) -> None:
    found = decide_case(changed(case, **change))
    assert (found.access, found.reasons[0].code) == ("review", reason)


def test_without_a_model_a_person_decides(case: Case) -> None:
    risk = {"model": "", "problem": "loans=10 needed=200", "pd": None, "challenger": None}
    found = decide_case(changed(case, "risk", **risk))
    assert (found.access, found.reasons[0].code) == ("review", "review_no_model")
    assert found.annual_rate is None
    assert found.limit_capacity_minor > 0


def test_models_that_disagree_go_to_a_person(case: Case) -> None:
    assert codes(changed(case, "risk", challenger=Decimal("0.30"))) == ["review_second_model"]
    second = changed(case, "risk", challenger=Decimal("0.30")).model_copy(update={"rules": 2})
    assert codes(second) == ["review_models_disagree"]


def test_lines_above_the_policy_cap_went_to_a_person_by_the_second_rules(case: Case) -> None:
    small = changed(case, "policy", max_limit=Decimal(4000)).model_copy(update={"rules": 2})
    assert codes(small) == ["review_above_cap"]
    assert decide_case(small).limit_policy_minor == 400_000


def test_unvalued_parcels_tell_the_outcome(case: Case) -> None:
    found = decide_case(with_parcel(case, valued_crop=None, outcomes=("too_cloudy",)))
    assert (found.access, found.reasons[0].code) == ("review", "review_not_valued")
    assert "too few clear satellite dates" in found.reasons[0].english


def test_a_farmer_whose_outlines_were_all_refused_is_declined_with_that_reason(case: Case) -> None:
    none = case.farmer.model_copy(update={"income_q10_minor": 0, "household_need_minor": 0})
    refused = changed(case, parcels=(), refusals=("too_cloudy",), farmer=none)
    found = decide_case(refused)
    assert (found.access, found.reasons[0].code) == ("decline", "no_parcel_accepted")


def test_a_line_too_small_names_its_cause(case: Case) -> None:
    found = decide_case(changed(case, "farmer", requested_minor=30_000))
    assert (found.access, found.limit_minor) == ("decline", 0)
    assert [r.code for r in found.reasons] == ["limit_below_minimum", "limit_request"]


def test_lowered_area_is_told_with_the_offer(case: Case) -> None:
    found = codes(with_parcel(case, codes=("area_overdrawn",), declared_area_m2=Decimal(9999)))
    assert found == ["limit_capacity", "area_lowered"]


minor = st.integers(0, 60_000_000)


@quick
@given(minor, minor, minor, st.decimals("0", "1", places=6), st.none() | minor)
def test_offers_stay_within_caps_ceiling_and_four_reasons(
    case: Case, income: int, need: int, debt: int, pd: Decimal, asked: int | None
) -> None:
    party = {
        "income_q10_minor": income, "household_need_minor": need, "debt_service_minor": debt,
        "requested_minor": asked,
    }  # fmt: skip
    found = decide_case(changed(changed(case, "farmer", **party), "risk", pd=pd, challenger=pd))
    caps = [
        getattr(found, f"limit_{cap}_minor") for cap in ("need", "capacity", "policy", "exposure")
    ]
    assert found.limit_minor <= min(caps)
    assert 1 <= len(found.reasons) <= 4
    assert (found.limit_minor > 0) == (found.access == "approve")
    if found.access == "approve":
        assert found.annual_rate is not None
        assert found.annual_rate <= case.ceiling.rate


@quick
@given(minor, minor, minor)
def test_more_debt_never_raises_the_limit(case: Case, income: int, debt: int, more: int) -> None:
    limits = [
        decide_case(
            changed(case, "farmer", income_q10_minor=income, debt_service_minor=amount)
        ).limit_minor
        for amount in (debt, debt + more)
    ]
    assert limits[1] <= limits[0]


@pytest.mark.parametrize(
    ("rules", "chance", "hazard", "access"),
    [
        # beyond 100 by more than a quarter of 110 is unlike any loan
        (2, "0.04", 127.0, "approve"),
        (2, "0.04", 128.0, "review"),
        (2, "0.6", 127.0, "decline"),
        (2, "0.6", 128.0, "decline"),
        # by the first rules the worse value lifted the decline
        (1, "0.6", 127.0, "decline"),
        (1, "0.6", 128.0, "review"),
    ],
)
def test_an_applicant_unlike_any_loan_is_never_better_off_for_it(
    case: Case, rules: int, chance: str, hazard: float, access: str
) -> None:
    features = {**case.risk.features, "hazard_index": hazard}
    pd = Decimal(chance)
    update = {"pd": pd, "challenger": pd, "features": features}
    risk = case.risk.model_copy(update=update)
    found = decide_case(case.model_copy(update={"risk": risk, "rules": rules}))
    assert found.access == access
    assert ("review_unlike_loans" in [r.code for r in found.reasons]) == (access == "review")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("protected_overlap", "3.0 mu (0.20 ha) of it lie in a protected area"),
        (
            "holder_conflict",
            "Parcel b, 10.0 mu (0.67 ha), was left out: its registered holder states",
        ),
        (
            "claim_refuted",
            "Parcel b, 10.0 mu (0.67 ha), was left out: another applicant claimed it too",
        ),
    ],
)
def test_one_blocked_parcel_is_left_out_and_the_farmer_judged_on_the_rest(
    case: Case, code: str, told: str
) -> None:
    blocked = case.parcels[0].model_copy(update={
        "parcel_id": "b", "effect": "block", "codes": (code, "crop_conflict"),
        "protected_m2": Decimal(2000), "crop_basis": "cheapest_of_set",
    })  # fmt: skip
    both = changed(case, parcels=(*case.parcels, blocked))
    found, alone = decide_case(both), decide_case(case)
    assert (found.access, found.limit_minor) == ("approve", alone.limit_minor)
    assert [r.code for r in found.reasons] == ["limit_capacity", f"left_out_{code}"]
    assert told in found.reasons[1].english
    old = decide_case(both.model_copy(update={"rules": 1}))
    assert (old.access, old.reasons[0].code) == ("decline", f"veto_{code}")


def test_who_has_nothing_but_blocked_ground_is_declined_for_each_parcel(case: Case) -> None:
    park, held = (
        case.parcels[0].model_copy(update={"parcel_id": code, "effect": "block", "codes": (code,)})
        for code in ("protected_overlap", "holder_conflict")
    )
    found = decide_case(changed(case, parcels=(park, held)))
    assert found.access == "decline"
    assert [r.code for r in found.reasons] == ["veto_protected_overlap", "veto_holder_conflict"]


@pytest.mark.parametrize("application", ["no_application", "bad_application"])
def test_without_a_usable_application_no_price_declines(case: Case, application: str) -> None:
    dear = changed(case, "risk", pd=Decimal("0.5"), challenger=Decimal("0.5"))
    found = decide_case(changed(dear, application=application, application_detail="x=-1"))
    assert (found.access, found.limit_minor) == ("review", 0)
    assert found.reasons[0].code == f"review_{application}"
    assert decide_case(dear).access == "decline"


def test_a_line_below_the_least_stays_declined_when_the_risk_is_worse(case: Case) -> None:
    small = changed(case, "farmer", requested_minor=49_999)
    doubtful = changed(small, "risk", pd=Decimal("0.10"), challenger=Decimal("0.10"))
    assert codes(small) == codes(doubtful) == ["limit_below_minimum", "limit_request"]
    assert decide_case(doubtful).access == "decline"
    assert decide_case(doubtful.model_copy(update={"rules": 1})).access == "review"
    # land that counts in full while it is doubted cannot make the line larger
    odd = with_parcel(doubtful, codes=("crop_conflict",), effect="review")
    assert decide_case(odd).access == "decline"
    assert decide_case(odd.model_copy(update={"rules": 2})).access == "review"
    blank = case.parcels[0].model_copy(update={"parcel_id": "b", "valued_crop": None})
    poor = changed(case, "farmer", income_q10_minor=610_000)
    assert codes(poor) == ["limit_below_minimum", "limit_capacity"]
    unseen = changed(poor, parcels=(*case.parcels, blank))
    assert decide_case(unseen).access == "review"
    assert codes(unseen) == ["review_not_valued"]
    # unless the line is small for what was asked
    asked = changed(unseen, "farmer", requested_minor=40_000)
    assert decide_case(asked).access == "decline"


def test_a_decline_never_says_that_a_person_decides(case: Case) -> None:
    dear = changed(case, "risk", pd=Decimal("0.5"), challenger=Decimal("0.1"))
    both = with_parcel(dear, codes=("crop_conflict",), effect="review")
    assert codes(both) == ["price_above_ceiling"]
    assert "review_crop_conflict" in codes(both.model_copy(update={"rules": 1}))


def test_the_chance_from_which_a_person_decides_counts_itself(case: Case) -> None:
    at = decide_case(changed(case, "risk", pd=Decimal("0.10"), challenger=Decimal("0.10")))
    assert (at.access, at.reasons[0].code) == ("review", "risk_of_default")
    assert "about 10 did not repay" in at.reasons[0].english
    assert "needs fewer than 10; from there on a person decides" in at.reasons[0].english
    below = decide_case(changed(case, "risk", pd=Decimal("0.0999"), challenger=Decimal("0.1")))
    assert below.access == "approve"


def test_the_chance_from_which_access_is_declined_counts_itself(case: Case) -> None:
    # (.05 x 330 + .11 x 360) / (330 x .8) = .2125 is below a ceiling of 50 %
    dear = changed(case, "ceiling", rate=Decimal("0.5"))
    at = decide_case(changed(dear, "risk", pd=Decimal("0.2"), challenger=Decimal("0.2")))
    assert at.access == "decline"
    assert "about 20 did not repay in time; this product needs fewer than 20." in (
        at.reasons[0].english
    )
    below = decide_case(changed(dear, "risk", pd=Decimal("0.1999"), challenger=Decimal("0.2")))
    assert below.access == "review"


def test_models_disagree_from_the_gap_itself(case: Case) -> None:
    assert decide_case(changed(case, "risk", challenger=Decimal("0.2499"))).access == "approve"
    at = decide_case(changed(case, "risk", challenger=Decimal("0.25")))
    assert at.access == "review"
    second = changed(case, "risk", challenger=Decimal("0.19")).model_copy(update={"rules": 2})
    at = decide_case(second)
    assert at.access == "review"
    assert "4.0% and 19.0%" in at.reasons[0].english
    near = changed(case, "risk", pd=Decimal("0.08"), challenger=Decimal("0.09"))
    assert decide_case(near).access == "approve"
    assert decide_case(changed(case, "risk", challenger=None)).access == "approve"


def test_a_certain_default_has_no_price_and_is_declined(case: Case) -> None:
    found = decide_case(changed(case, "risk", pd=Decimal(1), challenger=Decimal(1)))
    assert (found.access, found.annual_rate) == ("decline", None)
    assert "is 100.00%" in found.reasons[0].english


def test_a_price_above_the_ceiling_tells_what_raised_it(case: Case) -> None:
    risk = case.risk.model_copy(update={
        "pd": Decimal("0.15"), "challenger": Decimal("0.15"),
        "contributions": {**case.risk.contributions, "debt_share": 0.9},
        "features": {**case.risk.features, "debt_share": 0.45},
    })  # fmt: skip
    found = changed(case, "policy", pd_review=0.9).model_copy(update={"risk": risk})
    assert codes(found) == ["price_above_ceiling", "risk_debt_share"]


def test_the_least_line_itself_is_lent(case: Case) -> None:
    assert decide_case(changed(case, "farmer", requested_minor=50_000)).limit_minor == 50_000
    small = decide_case(changed(case, "farmer", requested_minor=49_999))
    assert (small.access, small.limit_minor) == ("decline", 0)
    assert "CNY 400" in small.reasons[0].english
    assert "CNY 500" in small.reasons[0].english


def test_blocked_ground_adds_no_need_and_other_caps_are_kept(case: Case) -> None:
    blocked = case.parcels[0].model_copy(update={"effect": "block", "parcel_id": "b"})
    found = decide_case(changed(case, parcels=(*case.parcels, blocked)))
    assert found.limit_need_minor == 650_000
    assert (found.limit_policy_minor, found.limit_exposure_minor) == (30_000_000, 35_000_000)
    assert (found.pd, found.pd_challenger) == (Decimal("0.04"), Decimal("0.05"))


def test_a_chance_is_told_of_a_hundred_farmers(case: Case) -> None:
    # (.05 x 330 + .33 x 360) / (330 x .4) = 1.025, over a year 1.081, is below 200 %
    lax = changed(changed(case, "ceiling", rate=Decimal(2)), "policy", pd_review=0.6, pd_decline=1)
    found = decide_case(changed(lax, "risk", pd=Decimal("0.6"), challenger=Decimal("0.6")))
    assert found.access == "review"
    assert "about 60 did not repay" in found.reasons[0].english
    assert "needs fewer than 60; from there on" in found.reasons[0].english


def test_crops_that_cost_more_than_they_bring_are_told_as_a_loss(case: Case) -> None:
    found = decide_case(changed(case, "farmer", income_q10_minor=-54_221))
    assert (found.access, found.reasons[0].code) == ("decline", "no_capacity")
    assert "your crops cost CNY 542.21 more than the harvest brings" in found.reasons[0].english
    assert "高出542.21元" in found.reasons[0].chinese
    assert "-" not in found.reasons[0].english.split(",")[0]


@pytest.mark.parametrize(
    ("pd", "ceiling", "access"), [("0.12", "0.6", "review"), ("0.3", "0.6", "decline")]
)
def test_letters_of_points_claim_no_farmers_who_repaid(
    case: Case, pd: str, ceiling: str, access: str
) -> None:
    values = {"debt_share": 0.5, "stability": 0.05, "late_share": 0.5}
    cohort = {n: {**usual, "low": None, "high": None} for n, usual in case.risk.cohort.items()}
    judged = changed(
        case, "risk", model="expert:1", pd=Decimal(pd), challenger=Decimal(pd), cohort=cohort,
        features={**case.risk.features, **values},
        contributions={**case.risk.contributions, **dict.fromkeys(values, 0.5)},
    ).model_copy(update={
        "ceiling": case.ceiling.model_copy(update={"rate": Decimal(ceiling)}),
    })  # fmt: skip
    found = decide_case(judged)
    codes, words = [r.code for r in found.reasons], " ".join(r.english for r in found.reasons)
    assert found.access == access
    assert codes[0] == "risk_of_default"
    assert "By set points that no finished loan has tested, about" in words
    assert not re.search("repaid;|did not repay|is usual", words)
    one = changed(judged, "risk", contributions=dict.fromkeys(case.risk.contributions, 0.0))
    assert [r.code for r in decide_case(one).reasons] == ["risk_of_default", "expert_scorecard"]
    before = decide_case(one.model_copy(update={"rules": 2}))
    assert "expert_scorecard" not in [r.code for r in before.reasons]
