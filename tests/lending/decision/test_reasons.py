from __future__ import annotations

import re

import pytest

from fieldline.lending.codes import EFFECTS, evidence_codes, known_effect, reason_codes
from fieldline.lending.decision.case import RiskCase
from fieldline.lending.decision.reasons import Finding, risk_findings, tell
from fieldline.lending.risk.features import FEATURES
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import crops


def test_vetoes_come_first_and_four_is_the_most() -> None:
    findings = [
        Finding("limit_policy", {"threshold": "x", "way": "w"}),
        Finding("risk_thin_file"),
        Finding("review_no_application"),
        Finding("review_no_model", {"value": "x"}),
        Finding("veto_holder_conflict", {"parcel": "a", "value": "1 mu"}),
    ]
    assert [reason.code for reason in tell(findings)] == [
        "veto_holder_conflict", "review_no_application", "review_no_model", "risk_thin_file",
    ]  # fmt: skip


def test_four_parcels_do_not_hide_another_cause() -> None:
    claims = [Finding("review_claimed_by_other", {"parcel": p, "value": "1 mu"}) for p in "abcde"]
    found = tell([*claims, Finding("risk_thin_file")])
    assert [r.code for r in found].count("review_claimed_by_other") == 3
    assert found[1].code == "risk_thin_file"


def test_no_reason_is_only_a_score() -> None:
    for code in reason_codes().values():
        assert "score" not in code.english.lower()
        assert "评分" not in code.chinese


def test_both_languages_hold_the_same_numbers() -> None:
    for code in reason_codes().values():
        assert ":" not in code.code or code.code.split(":")[0] in reason_codes()
        english = set(re.findall(r"{\w+}", code.english))
        assert english == set(re.findall(r"{\w+}", code.chinese)), code.code
        assert code.change_english
        assert code.change_chinese


def test_every_effect_and_feature_has_its_reason() -> None:
    prefixes = {"block": ("veto_", "left_out_"), "review": ("review_",)}
    for code in evidence_codes().values():
        for prefix in prefixes.get(code.effect, ()):
            assert prefix + code.code in reason_codes()
    for feature in FEATURES:
        assert f"risk_{feature.name}" in reason_codes()


def test_crops_have_both_names() -> None:
    assert all(crop.name_en and crop.name_zh for crop in crops().values())


def risk_of(
    parts: dict[str, float],
    values: dict[str, float | None],
    usual: dict[str, float | None] | None = None,
    shares: dict[str, float | None] | None = None,
) -> RiskCase:
    """Return a model's answer: contribution and value by feature, and what is usual (0.1, 0)."""
    names = [feature.name for feature in FEATURES]
    medians = {**dict.fromkeys(names, 0.1), **(usual or {})}
    cohort = {n: {"median": medians[n], "contribution": (shares or {}).get(n, 0.0)} for n in names}
    return RiskCase(
        model="m", problem="", pd=None, challenger=None, margin=None, bias=None, cohort=cohort,
        features={**dict.fromkeys(names, 0.1), **values},
        contributions={**dict.fromkeys(names, 0.0), **parts},
    )  # fmt: skip


def told(risk: RiskCase, *, told_apart: bool = True) -> list[str]:
    return [finding.code for finding in risk_findings(risk, told_apart=told_apart)]


def test_a_value_that_reads_as_the_usual_one_is_no_reason() -> None:
    near = risk_of({"debt_share": 0.9}, {"debt_share": 0.104})
    assert told(near) == []
    assert told(near, told_apart=False) == ["risk_debt_share"]
    assert told(risk_of({"debt_share": 0.9}, {"debt_share": 0.106})) == ["risk_debt_share"]


def test_a_reason_is_only_where_the_own_value_is_the_worse_one() -> None:
    # more debt is worse, more stability is better; equal is neither
    parts = {"debt_share": 0.9, "stability": 0.8}
    assert told(risk_of(parts, {"debt_share": 0.2, "stability": 0.05})) == [
        "risk_debt_share", "risk_stability",
    ]  # fmt: skip
    assert told(risk_of(parts, {"debt_share": 0.05, "stability": 0.3})) == []
    assert told(risk_of(parts, {})) == []


def test_a_reason_is_only_where_it_raised_the_risk_above_the_cohorts() -> None:
    worse = {"debt_share": 0.2, "stability": 0.05, "conflicts": 2.0}
    parts = {"debt_share": 0.5, "stability": 0.3, "conflicts": 0.2}
    # excess .5 - .45, .3 - 0 and .2 - .2
    found = told(risk_of(parts, worse, shares={"debt_share": 0.45, "conflicts": 0.2}))
    assert found == ["risk_stability", "risk_debt_share"]
    assert told(risk_of({"debt_share": 0.5}, worse, shares={"debt_share": None})) == [
        "risk_debt_share"
    ]


def test_equal_causes_are_told_by_name() -> None:
    worse = {"stability": 0.05, "conflicts": 2.0, "debt_share": 0.2}
    assert told(risk_of(dict.fromkeys(worse, 0.4), worse)) == [
        "risk_conflicts", "risk_debt_share", "risk_stability",
    ]  # fmt: skip


def test_what_is_not_known_is_no_reason() -> None:
    parts = {"debt_share": 0.9}
    assert told(risk_of(parts, {"debt_share": None})) == []
    assert told(risk_of(parts, {"debt_share": 0.9}, usual={"debt_share": None})) == []


def test_a_thin_file_is_a_reason_where_it_is_one() -> None:
    assert told(risk_of({"thin_file": 0.4}, {"thin_file": 1.0})) == ["risk_thin_file"]
    assert told(risk_of({"thin_file": 0.4}, {"thin_file": 0.0})) == []


def test_counts_are_counts_and_shares_are_percent() -> None:
    worse = {"conflicts": 2.0, "debt_share": 0.25, "hazard_index": 62.4, "prior_loans": 1.0}
    usual = {"conflicts": 1.0, "hazard_index": 30.0, "prior_loans": 3.0}
    found = {
        f.code: f.values for f in risk_findings(risk_of(dict.fromkeys(worse, 1.0), worse, usual))
    }
    assert found == {
        "risk_conflicts": {"value": "2", "threshold": "1"},
        "risk_debt_share": {"value": "25%", "threshold": "10%"},
        "risk_hazard_index": {"value": "62", "threshold": "30"},
        "risk_prior_loans": {"value": "1", "threshold": "3"},
    }


def test_the_same_reason_is_told_once_and_in_both_languages() -> None:
    twice = [Finding("limit_policy", {"threshold": "CNY 5", "way": "W."}, {"threshold": "5元"})] * 2
    (reason,) = tell(twice)
    assert reason.english == "CNY 5 is the most this product lends. W."
    assert reason.chinese == "本产品最高额度为5元。W."


@pytest.mark.parametrize(
    ("late", "finished", "on_record", "said"),
    [
        (1, 1, 1, "You paid 1 of 1 finished loans late; of as many, 0.2 is usual."),
        (1, 2, 2, "You paid 1 of 2 finished loans late; of as many, 0.3 is usual."),
        (1, 4, 0, "You paid 1 of 4 finished loans late; of as many, 0.5 is usual."),
        (12, 40, 40, "You paid 12 of 40 finished loans late; of as many, 4.1 is usual."),
    ],
)
def test_late_loans_are_told_as_counts(late: int, finished: int, on_record: int, said: str) -> None:
    values: dict[str, float | None] = {
        "late_share": late / (finished + 1), "prior_loans": float(on_record),
    }  # fmt: skip
    risk = risk_of({"late_share": 0.9}, values)
    if finished != on_record:
        risk = risk.model_copy(update={"finished_loans": finished})
    assert tell(risk_findings(risk))[0].english.startswith(said)


def test_late_loans_that_nobody_knows_of_are_told_as_unknown() -> None:
    blank = risk_of({"late_share": 0.9}, {"late_share": 1.0, "prior_loans": 0.0})
    assert tell(risk_findings(blank))[0].english.startswith("Which of your finished loans")


def test_an_effect_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UserError, match=r"evidence_codes.csv gives x the effect 'stop'.*lower"):
        known_effect("evidence_codes.csv", "x", "stop", EFFECTS)
