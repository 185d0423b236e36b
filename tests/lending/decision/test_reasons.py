from __future__ import annotations

import re

from fieldline.lending.codes import evidence_codes, reason_codes
from fieldline.lending.decision.reasons import Finding, tell
from fieldline.lending.risk.features import FEATURES
from fieldline.pipeline.records.reference import crops


def test_vetoes_come_first_and_four_is_the_most() -> None:
    findings = [
        Finding("limit_policy", {"threshold": "x"}),
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
        english = set(re.findall(r"{\w+}", code.english))
        assert english == set(re.findall(r"{\w+}", code.chinese)), code.code
        assert code.change_english
        assert code.change_chinese


def test_every_effect_and_feature_has_its_reason() -> None:
    prefix = {"block": "veto_", "review": "review_"}
    for code in evidence_codes().values():
        if code.effect in prefix:
            assert prefix[code.effect] + code.code in reason_codes()
    for feature in FEATURES:
        assert f"risk_{feature.name}" in reason_codes()


def test_crops_have_both_names() -> None:
    assert all(crop.name_en and crop.name_zh for crop in crops().values())
