"""Versions: what made a decision, named beside it and never part of its identity.

Owns the list that a trace carries: the release, the policy, the default model, the crop model and
the content of every reference table that a decision reads. A new release with the same rules gives
the same decision, so none of this enters the decision's id.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from fieldline.lending.decision.case import Case, policy_hash
from fieldline.lending.decision.tariffs import SCALES
from fieldline.pipeline.records.reference import table_hash

_TABLES = (
    "application_texts.csv", "crops.csv", "evidence_codes.csv", "farmer_remedies.csv",
    "outcome_codes.csv", "reason_codes.csv", "reason_ways.csv",
)  # fmt: skip
"""Tables that every decision reads; the policy names those of rate ceilings, scales and rules."""


def versions_of(case: Case, crop_model: str = "") -> dict[str, Any]:
    """Return the versions of what decides a case.

    Args:
        case: The case.
        crop_model: What `crops.parquet` calls the model that told its crops; empty where none did.

    Returns:
        `code`, `policy`, `model` (empty where none judged), `tables`, hash by table, and `crops`
        where a model told crops.
    """
    told = {
        "code": _release(),
        "policy": policy_hash(case.policy),
        "model": case.risk.model,
        "tables": table_versions(case),
    }
    return told | ({"crops": crop_model} if crop_model else {})


@cache
def _release() -> str:
    return version("fieldline")


def table_versions(case: Case) -> dict[str, str]:
    """Return the content hash of each reference table that the decision of a case reads."""
    policy = case.policy
    names = (
        *_TABLES, policy.rate_ceiling_file, policy.scale_file or SCALES, *policy.rule_tables,
    )  # fmt: skip
    return {name: table_hash(name) for name in names}
