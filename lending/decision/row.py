"""Row: one decision as it stands in decisions.parquet.

Owns the columns of that table alone; it knows no model and no file, so that what only reads
decisions again (posting, reviews, the desk) need not load what made them.
"""

from __future__ import annotations

from typing import Any

from fieldline.lending.decision.case import Case
from fieldline.lending.decision.decision import Decision
from fieldline.lending.decision.replay import trace_of


def decision_row(
    case: Case, decision: Decision, policy: str, crop_model: str = ""
) -> dict[str, Any]:
    """Return one DECISIONS row."""
    codes = {code for parcel in case.parcels for code in parcel.outcomes} | set(case.refusals)
    return {
        "decision_id": decision.decision_id,
        "farmer_id": case.farmer_id,
        "household_id": case.household_id,
        "access": decision.access,
        "pd": None if decision.pd is None else float(decision.pd),
        "pd_challenger": None if decision.pd is None else float(decision.pd_challenger or 0),
        "limit_need_minor": decision.limit_need_minor,
        "limit_capacity_minor": decision.limit_capacity_minor,
        "limit_policy_minor": decision.limit_policy_minor,
        "limit_exposure_minor": decision.limit_exposure_minor,
        "limit_minor": decision.limit_minor,
        "annual_rate": decision.annual_rate,
        "guarantor": decision.guarantor,
        "covered_minor": decision.covered_minor,
        "rate_ceiling": case.ceiling.rate,
        "reason_codes": [reason.code for reason in decision.reasons],
        "reasons": [reason.english for reason in decision.reasons],
        "reasons_zh": [reason.chinese for reason in decision.reasons],
        "outcomes": sorted(codes),
        "pd_model": case.risk.model,
        "policy": policy,
        "as_of": case.as_of,
        "currency": case.currency,
        "trace": trace_of(case, decision, crop_model),
    }
