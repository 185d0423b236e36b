"""A trace names what made it, and replays by the rules and the format it was written in."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import pytest

from fieldline.lending.codes import reason_codes
from fieldline.lending.decision import reasons
from fieldline.lending.decision import replay as replays
from fieldline.lending.decision.case import Case, policy_hash
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.document import ABSENT, CASE
from fieldline.lending.decision.replay import read_trace, replay, trace_of
from fieldline.lending.decision.rules import RULES
from fieldline.pipeline.records.canonical import canonical
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import table_hash


def content(case: Case) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(trace_of(case, decide_case(case)))
    return found


def test_a_trace_names_what_made_it(case: Case) -> None:
    found = content(case)
    assert found["format"] == 2
    assert found["versions"] == {
        "code": version("fieldline"),
        "model": "pd:test",
        "policy": policy_hash(case.policy),
        "tables": {
            name: table_hash(name)
            for name in (
                "application_texts.csv", "crops.csv", "evidence_codes.csv", "farmer_remedies.csv",
                "outcome_codes.csv",
                "rate_ceilings.csv", "reason_codes.csv", "reason_ways.csv", "scale_of_finance.csv",
            )
        },
    }  # fmt: skip
    assert found["result"]["reason_codes"] == ["limit_capacity"]
    assert "CNY 6,000" in found["told"][0]["english"]


def test_no_version_of_the_code_enters_the_identity(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(case)
    monkeypatch.setattr(replays, "versions_of", lambda *_: {"code": "9.9", "tables": {}})
    after = content(case)
    assert after["versions"] != before["versions"]
    assert after["result"] == before["result"]
    assert replay(canonical(after)).decision_id == case.decision_id


def test_the_first_format_reads_as_it_was_written(case: Case) -> None:
    born = {name: type(getattr(case.policy, name))(value)
            for name, value in ABSENT["policy"].items() if value is not None}  # fmt: skip
    case = case.model_copy(update={"rules": 1, "policy": case.policy.model_copy(update=born)})
    found = decide_case(case)
    later = {
        name: set(fields) if name in ("farmer", "household", "policy", "risk") else True
        for name, fields in {**ABSENT, **ABSENT[CASE]}.items()
        if name != CASE
    }
    first = canonical({"case": case.model_dump(exclude=later), "result": found.to_dict()})
    stored = read_trace(first)
    assert (stored.format, stored.versions) == (1, {})
    assert stored.told == found.reasons
    assert replay(first) == found


def test_a_record_of_another_currency_without_a_policy_currency_replays(case: Case) -> None:
    # As the first releases wrote it: the amounts of the policy were the county's, whatever it was.
    kept = case.model_copy(update={"currency": "KWD"})
    found = decide_case(kept)
    assert content(kept)["case"]["policy"].keys().isdisjoint({"currency", "scale_file"})
    assert replay(trace_of(kept, found)).limit_minor == found.limit_minor


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"format":[]}', '{"format":2}'])
def test_what_is_no_trace_is_said(text: str) -> None:
    with pytest.raises(UserError, match="this is no trace of a decision"):
        read_trace(text)


def test_a_trace_of_a_later_version_is_said(case: Case) -> None:
    with pytest.raises(UserError, match="the trace has format 3, and this version reads up to 2"):
        replay(canonical({**content(case), "format": 3}))


def test_rules_of_a_later_version_are_said(case: Case) -> None:
    later = case.model_copy(update={"rules": max(RULES) + 1})
    with pytest.raises(UserError, match=f"this version has no rules {max(RULES) + 1}"):
        replay(trace_of(later, decide_case(case)))


def test_each_case_is_decided_by_its_own_rules(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def generous(*_: Any) -> Decimal:
        return Decimal(5000)

    monkeypatch.setitem(RULES, 99, replace(RULES[2], capacity=generous))
    later = case.model_copy(update={"rules": 99})
    assert replay(trace_of(later, decide_case(later))).limit_minor == 500_000
    assert replay(trace_of(case, decide_case(case))).limit_minor == 440_000


def test_the_first_rules_mix_the_year_with_the_tenor_as_they_did(case: Case) -> None:
    farmer = case.farmer.model_copy(update={"crop_cost_minor": 300_000})
    old, new = (
        decide_case(case.model_copy(update={"rules": rules, "farmer": farmer})) for rules in (1, 2)
    )
    # (.05 + .04 x .55) / .96 = .075; 6,000 / (1.25 x (1 + .075 x 330/360)) = 4,491.23
    assert (old.annual_rate, old.limit_capacity_minor) == (Decimal("0.0750"), 449_123)
    # (.05 x 330 + .022 x 360) / (330 x .96) = .07708; k = 1.25 x (1 + .0771 x 330/360) = 1.33834;
    # 9,000 of the harvest is left before costs of 3,000: 9,000 / k = 6,724.73
    assert (new.annual_rate, new.limit_capacity_minor) == (Decimal("0.0771"), 672_473)


def test_both_versions_of_the_rules_replay_side_by_side(case: Case) -> None:
    farmer = case.farmer.model_copy(update={"crop_cost_minor": 300_000})
    for rules in (1, 2):
        kept = case.model_copy(update={"rules": rules, "farmer": farmer})
        assert replay(trace_of(kept, decide_case(kept))) == decide_case(kept)
    text = trace_of(kept, decide_case(kept))
    with pytest.raises(UserError, match=r"annual_rate is stored as .* and comes out as"):
        replay(text.replace('"rules":2', '"rules":1'))


def test_a_case_with_an_unknown_field_is_said(case: Case) -> None:
    found = content(case)
    found["case"]["policy"]["branch"] = "west"
    with pytest.raises(UserError, match=r"case\.policy\.branch: Extra inputs are not permitted"):
        replay(canonical(found))


def test_a_table_that_changed_the_answer_is_named(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = content(case)
    found["versions"]["tables"]["reason_codes.csv"] = "another"
    assert replay(canonical(found)).limit_minor == 440_000
    gone = {code: row for code, row in reason_codes().items() if code != "limit_capacity"}
    monkeypatch.setattr(reasons, "reason_codes", lambda: gone)
    with pytest.raises(UserError, match="this version knows no 'limit_capacity'"):
        replay(canonical(found))
    found["result"]["limit_minor"] = 1
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"out as 440000; reason_codes.csv has changed since"):
        replay(canonical(found))


def test_words_of_other_reasons_are_found(case: Case) -> None:
    found = content(case)
    found["told"][0]["code"] = "limit_need"
    with pytest.raises(UserError, match="its words belong to other reasons"):
        replay(canonical(found))
