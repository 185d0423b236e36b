"""Document: the stored form of a case, and the one rule by which records outlive their classes.

A document always holds the fields of the first format. A later field is written only where its
value is not the one that a record without it had, so a case that says nothing new keeps its text
and hash, and any other value makes another case. What a record without the field had is fixed when
the field is born (`ABSENT`): a default may change afterwards, the meaning of old records may not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from fieldline.pipeline.records.canonical import canonical, canonical_document, joined

CASE = "case"
"""Name of the outermost part; every other part has the name of its field in the case."""

_PARTY = (
    "farmers", "income_q10_minor", "income_q50_minor", "debt_service_minor",
    "debt_elsewhere_minor", "household_need_minor", "requested_minor",
)  # fmt: skip

FIRST: dict[str, tuple[str, ...]] = {
    CASE: (
        "farmer_id", "household_id", "as_of", "currency", "parcels_declared", "refusals",
        "application", "application_detail", "parcels", "farmer", "household",
        "household_free_minor", "evidence_area_m2", "risk", "ceiling", "policy",
    ),
    "parcels": (
        "parcel_id", "declared_area_m2", "evidence_area_m2", "declared_crop", "seen_crop",
        "valued_crop", "crop_basis", "scale_minor_per_mu", "scale_basis", "codes", "effect",
        "outcomes", "protected_m2",
    ),
    "farmer": _PARTY,
    "household": _PARTY,
    "risk": (
        "model", "problem", "pd", "challenger", "margin", "bias", "features", "contributions",
        "cohort",
    ),
    "ceiling": ("rate", "rule", "valid_from", "source"),
    "policy": (
        "product", "dscr_min", "max_limit", "min_limit", "exposure_cap_household",
        "exposure_cap_farmer", "limit_step", "rate_step", "post_harvest_share",
        "maintenance_share", "harvest_loss_share", "tenor_days", "offer_valid_days", "day_basis",
        "household_need_per_head", "household_size_default", "off_farm_share",
        "need_income_share", "funding_rate", "opex_rate", "lgd", "capital_charge",
        "rate_ceiling_file", "pd_decline", "pd_review", "unlike_margin", "challenger_gap",
        "draws", "seed",
    ),
}  # fmt: skip
"""Fields of the first format by part. Closed: whatever comes later goes to `ABSENT`, and a part
that comes later has no field here."""

_LATER_OF_PARTY: dict[str, Any] = {
    "crop_cost_minor": 0, "guaranteed_minor": 0, "guaranteeing_minor": 0, "household_size": None,
    "off_farm_idle_minor": 0,
}  # fmt: skip

ABSENT: dict[str, dict[str, Any]] = {
    CASE: {
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
    "relations": {"others": (), "parcels": (), "seasons": ()},
    "farmer": dict(_LATER_OF_PARTY),
    "household": dict(_LATER_OF_PARTY),
    "risk": {"finished_loans": None},
    "guarantors": {"most_minor": None},
    # A policy without a currency was decided in the case's own, whatever that was, and still is:
    # the rule reads the case's. CNY is what its default amounts were meant in.
    # What came with papers and the repayment harvest moved no decision before it.
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
}
"""Fields that came later, by part, with the value that a record without them had. Add a field with
its default when it is born, and never change the entry again: it is what old records mean."""


def document(record: BaseModel, part: str = CASE) -> dict[str, Any]:
    """Return the stored form of a case or of one of its parts.

    Args:
        record: The case, or a part of it.
        part: `case`, or the name of the case's field that holds the record.
    """
    return {name: _stored(value, name) for name, value in _told(record, part)}


def text(record: BaseModel, part: str = CASE) -> str:
    """Return the canonical text of a record's stored form.

    That of the last case, policy and ceiling is kept: a decision needs its case's several times,
    and the cases of a county share one policy and one ceiling, and few decision tables.

    Args:
        record: As in `document`.
        part: As in `document`.
    """
    place = (part, id(record) if part in _SHARED else 0)
    last = _LAST.get(place)
    if last is not None and last[0] is record:
        return last[1]
    if part not in _KEPT:
        return canonical_document(document(record, part))
    found = joined({name: _text(value, name) for name, value in _told(record, part)})
    if len(_LAST) > _MOST_KEPT:
        _LAST.clear()
    _LAST[place] = (record, found)
    return found


_KEPT = (CASE, "policy", "ceiling", "tables")
_SHARED = ("tables",)
"""Parts of which the cases of a county hold several in turn."""
_MOST_KEPT = 256
_LAST: dict[tuple[str, int], tuple[BaseModel, str]] = {}


def _text(value: Any, name: str) -> str:
    if isinstance(value, BaseModel):
        return text(value, name)
    return canonical_document(_stored(value, name))


def _told(record: BaseModel, part: str) -> Iterator[tuple[str, Any]]:
    """Yield the fields that are stored: those of the first format, and later ones that say more."""
    kind, first = type(record), FIRST.get(part, ())
    for name in kind.model_fields:
        value = getattr(record, name)
        if name in first or not _says_nothing(value, kind, part, name):
            yield name, value


_SIMPLE = (str, int, bool, type(None))


def _says_nothing(value: Any, kind: type[BaseModel], part: str, name: str) -> bool:
    known = ABSENT.get(part, {})
    if name in known and known[name] is None:
        return value is None
    if name in known and type(value) in _SIMPLE:  # equal texts, without writing them
        return type(value) is type(known[name]) and value == known[name]
    return canonical(_stored(value, name)) == _absent(kind, part, name)


def _stored(value: Any, name: str) -> Any:
    if isinstance(value, BaseModel):
        return document(value, name)
    if isinstance(value, tuple):
        return [_stored(item, name) for item in value]
    return value


def _absent(kind: type[BaseModel], part: str, name: str) -> str | None:
    """Return the canonical text of what a record without the field had; None where it must be."""
    known = ABSENT.get(part, {})
    if name in known:
        return canonical(known[name])
    field = kind.model_fields[name]
    return None if field.is_required() else canonical(field.get_default(call_default_factory=True))


def completed(content: dict[str, Any], kind: type[BaseModel], part: str = CASE) -> dict[str, Any]:
    """Return a stored document with what it left out, ready for today's class.

    Args:
        content: The document.
        kind: Class of the record.
        part: As in `document`.
    """
    full = {**ABSENT.get(part, {}), **content}
    for name, field in kind.model_fields.items():
        inner = _record(field.annotation)
        if inner is not None and name in full:
            full[name] = _completed_part(full[name], inner, name)
    return full


def _completed_part(found: Any, kind: type[BaseModel], name: str) -> Any:
    if isinstance(found, list):
        return [_completed_part(item, kind, name) for item in found]
    return completed(found, kind, name) if isinstance(found, dict) else found


def _record(annotation: Any) -> type[BaseModel] | None:
    """Return the record class that a field or each item of it holds, if any."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None
