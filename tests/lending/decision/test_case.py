from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from fieldline.lending.decision.case import Case, PartyCase, policy_hash
from fieldline.lending.decision.limit import Means
from fieldline.lending.settings import PolicySettings


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"effect": "lower"}, True),
        ({"effect": "block"}, False),
        ({"valued_crop": None}, False),
        ({"valued_crop": None, "effect": "block"}, False),
    ],
)
def test_a_parcel_counts_where_it_has_a_value_and_is_not_blocked(
    case: Case, changes: dict[str, Any], counts: bool
) -> None:
    assert case.parcels[0].model_copy(update=changes).counts is counts


def test_minor_units_are_hundredths_and_what_is_not_stated_is_nothing(case: Case) -> None:
    party = case.farmer.model_copy(update={"debt_service_minor": 90_050})
    assert party.means("CNY") == Means(Decimal(12000), Decimal(6000), Decimal("900.5"), Decimal(0))
    assert case.parcels[0].protected_m2 == 0


def test_a_case_cannot_be_changed_and_holds_nothing_else(case: Case) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        case.parcels_declared = 2
    with pytest.raises(ValidationError, match="not permitted"):
        Case.of({**case.model_dump(), "mood": "good"})


def test_a_field_says_what_it_is() -> None:
    described = PartyCase.model_fields["debt_elsewhere_minor"].description
    assert described == "Part of the debt service that off-farm income pays."


def test_a_policy_is_named_by_sixteen_letters_of_its_hash() -> None:
    first, other = PolicySettings(), PolicySettings(lgd=Decimal("0.56"))
    assert len(policy_hash(first)) == 16
    assert policy_hash(first) == policy_hash(PolicySettings()) != policy_hash(other)


def test_equal_cases_have_one_identity_and_unequal_ones_two(case: Case) -> None:
    other = case.model_copy(update={"parcels_declared": 2})
    assert case.decision_id == case.model_copy().decision_id != other.decision_id
