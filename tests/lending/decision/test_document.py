"""The stored form of a case: later fields leave old identities alone, other values do not."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import BaseModel, create_model

from fieldline.lending.decision import document as documents
from fieldline.lending.decision.case import Case, policy_hash
from fieldline.lending.decision.document import ABSENT, CASE, FIRST, completed, document
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.canonical import canonical, content_hash


def parts() -> dict[str, type[BaseModel]]:
    found: dict[str, type[BaseModel]] = {CASE: Case}
    for name, field in Case.model_fields.items():
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found[name] = kind
    return found


def later(case: Case, default: str, value: str | None = None) -> Case:
    """Return the case under a policy class with one more field, as a later release has."""
    policy = create_model("Later", __base__=PolicySettings, branch=(str, default))
    kind = create_model("LaterCase", __base__=Case, policy=(policy, ...))
    given = {} if value is None else {"branch": value}
    content = {**case.model_dump(), "policy": {**case.policy.model_dump(), **given}}
    return kind.model_validate(content)


def test_every_field_is_of_the_first_format_or_has_a_fixed_absence() -> None:
    # A new field fails here: give it a default and add that default to ABSENT, for good.
    later = {name for name in ABSENT[CASE] if name in parts()}
    assert parts().keys() == FIRST.keys() | later
    for part, kind in parts().items():
        known = {*FIRST.get(part, ()), *ABSENT.get(part, {})}
        born = {name for name, field in kind.model_fields.items() if field.is_required()}
        assert set(kind.model_fields) == (known | born if part in later else known), part


def test_what_old_records_mean_never_changes() -> None:
    # This table only grows; an entry that changed would give old decisions another meaning.
    party = {
        "crop_cost_minor": 0, "guaranteed_minor": 0, "guaranteeing_minor": 0,
        "household_size": None, "off_farm_idle_minor": 0,
    }  # fmt: skip
    assert {
        "case": {
            "rules": 1,
            "lines": (),
            "review": None,
            "joint_members": 1,
            "elsewhere": (),
            "guarantors": (),
            "relations": (),
            "exclusions": (),
            "tables": None,
            "confidence": None,
            "contracts": (),
            "preapproved": None,
            "cover": None,
        },
        "cover": {"elsewhere_minor": 0, "returned_minor": 0},
        "contracts": {"assigned": True},
        "rows": {"bands": {}, "otherwise": False, "access": "", "reason": ("", ""), "sets": {}},
        "farmer": party,
        "household": party,
        "risk": {"finished_loans": None},
        "guarantors": {"most_minor": None},
        "relations": {"others": (), "parcels": (), "seasons": ()},
        "policy": {
            "currency": "CNY",
            "scale_file": None,
            "expert_limit_share": "0.1",
            "off_farm_unproven_share": "1",
            "rent_per_mu": "0",
            "insurance_trigger": "1",
            "insurance_share": "0",
            "guarantee_share": "0",
            "own_level_share": "0",
            "next_year_spread": "1",
            "crops_yield_correlation": 0.0,
            "crops_price_correlation": 0.0,
            "declared_crop_share": "1",
            "rotation_prior": 1.0,
            "rotation_least": 0.0,
            "line_cost": "0",
            "margin": "0",
            "rule_tables": (),
            "contract_share": "0.6",
            "contract_required": False,
            "cover_counted": "0.9",
            "off_farm_unproven_debt_share": "0",
        },
    } == ABSENT


def test_the_document_by_hand(case: Case) -> None:
    found = document(case)
    assert found.keys() == {*FIRST[CASE], "rules"}
    assert found["rules"] == 3
    assert found["policy"]["max_limit"] == case.policy.max_limit
    assert found["parcels"][0]["protected_m2"] == 0
    assert case.decision_id == content_hash(found)
    nothing_new = {
        "crop_cost_minor", "guaranteed_minor", "guaranteeing_minor", "household_size",
        "off_farm_idle_minor",
    }  # fmt: skip
    later = {
        "farmer": nothing_new, "household": nothing_new, "joint_members": True,
            "risk": {"finished_loans"},
        "policy": {
            "currency", "scale_file", "expert_limit_share", "line_cost", "next_year_spread",
            "margin", "rule_tables", "contract_share", "contract_required", "cover_counted",
        },
    }  # fmt: skip
    assert canonical(found) == canonical(
        case.model_dump(
            exclude={
                **later,
                "lines": True,
                "review": True,
                "elsewhere": True,
                "guarantors": True,
                "relations": True,
                "exclusions": True,
                "tables": True,
                "confidence": True,
                "contracts": True,
                "preapproved": True,
                "cover": True,
            }
        )
    )


def test_a_field_at_its_first_default_moves_no_identity(case: Case) -> None:
    assert later(case, "none").decision_id == case.decision_id
    assert policy_hash(later(case, "none").policy) == policy_hash(case.policy)


def test_any_other_value_of_it_does(case: Case) -> None:
    ids = {later(case, "none", value).decision_id for value in ("none", "a", "b", "")}
    assert len(ids) == 4
    assert document(later(case, "none", "a"))["policy"]["branch"] == "a"


def test_a_changed_default_is_another_case_and_old_records_keep_theirs(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(documents.ABSENT, "policy", {"branch": "none"})
    born, changed = later(case, "none"), later(case, "west")
    assert born.decision_id == case.decision_id
    assert changed.decision_id != case.decision_id
    assert later(case, "west", "none").decision_id == case.decision_id
    read: Any = type(changed).of(document(born))
    assert read.policy.branch == "none"
    assert read.decision_id == born.decision_id


def test_parts_within_a_list_are_completed_too(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(documents.ABSENT, "parcels", {"leased": False})
    kept = document(case.model_copy(update={"rules": 1}))
    full = completed(kept, Case)
    assert [parcel["leased"] for parcel in full["parcels"]] == [False]
    assert "rules" not in kept
    assert full["rules"] == 1


def test_other_rules_are_another_case(case: Case) -> None:
    other = case.model_copy(update={"rules": 2})
    assert other.decision_id != case.decision_id
    assert document(other)["rules"] == 2


def test_growing_costs_enter_the_identity_where_there_are_any(case: Case) -> None:
    farmer = case.farmer.model_copy(update={"crop_cost_minor": 1})
    other = case.model_copy(update={"farmer": farmer})
    assert document(other)["farmer"]["crop_cost_minor"] == 1
    assert "crop_cost_minor" not in document(other)["household"]
    assert other.decision_id != case.decision_id
