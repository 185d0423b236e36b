"""Replay: a stored decision decided again, by the rules that made it.

Owns the format of a trace and a reader for every format ever written. Access, numbers and reason
codes must come out as stored; the words of reasons lie beside them as they were told and are never
held against today's. A reader is added here, a rule in `lending.decision.rules`, and none is ever
taken away.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from fieldline.lending.decision.case import Case
from fieldline.lending.decision.decision import Decision, decide_case
from fieldline.lending.decision.document import text
from fieldline.lending.decision.reasons import Reason
from fieldline.lending.decision.rules import RULES
from fieldline.lending.decision.versions import table_versions, versions_of
from fieldline.pipeline.records.canonical import canonical, canonical_document, content_hash, joined
from fieldline.pipeline.records.errors import UserError

FORMAT = 2
"""Format of the traces written today."""

_COMPARED = (
    "access", "pd", "pd_challenger", "annual_rate", "limit_need_minor", "limit_capacity_minor",
    "limit_policy_minor", "limit_exposure_minor", "limit_minor", "reason_codes", "rows_fired",
)  # fmt: skip
"""What a replay must give again. A result field of a later day is added to a later list."""


@dataclass(frozen=True)
class Stored:
    """A trace of any format."""

    format: int
    decision_id: str
    versions: dict[str, Any]
    """What made it; the first format named nothing."""
    case: dict[str, Any]
    """The stored form of the case: what the decision's id is the hash of."""
    result: dict[str, Any]
    told: tuple[Reason, ...]
    """Reasons in the words of their day."""


def trace_of(case: Case, decision: Decision, crop_model: str = "") -> str:
    """Return case, versions, result and words as canonical JSON: enough to replay the decision.

    Args:
        case: The case.
        decision: What the rules made of it.
        crop_model: As in `versions_of`.
    """
    result = decision.to_dict()
    told = result.pop("reasons")
    result["reason_codes"] = [reason["code"] for reason in told]
    rest = {"format": FORMAT, "versions": versions_of(case, crop_model),
            "result": result, "told": told}  # fmt: skip
    parts = {name: canonical_document(value) for name, value in rest.items()}
    return joined({**parts, "case": text(case)})


def read_trace(trace: str) -> Stored:
    """Read a trace of any format.

    Raises:
        UserError: The text is no trace, or a later version wrote it.
    """
    try:
        content = json.loads(trace)
        number = content.get("format", 1)
        if number in READERS:
            return READERS[number](content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"this is no trace of a decision: {trace[:40]!r}",
            "take it whole from decisions.parquet or table decisions",
        ) from error
    raise UserError(
        f"the trace has format {number}, and this version reads up to {FORMAT}",
        "replay it with the version that made it, or a later one",
    )


def _first(content: dict[str, Any]) -> Stored:
    """Read what the first release wrote: case and result, the words within the result."""
    told = tuple(Reason(**reason) for reason in content["result"]["reasons"])
    result = {**content["result"], "reason_codes": [reason.code for reason in told]}
    return Stored(1, result["decision_id"], {}, content["case"], result, told)


def _second(content: dict[str, Any]) -> Stored:
    """Read the second format: versions, and the words beside the result."""
    told = tuple(Reason(**reason) for reason in content["told"])
    result = content["result"]
    return Stored(2, result["decision_id"], content["versions"], content["case"], result, told)


READERS: dict[int, Callable[[dict[str, Any]], Stored]] = {1: _first, 2: _second}
"""A reader for every format that was ever written."""


def replay(trace: str) -> Decision:
    """Decide a stored case again and hold the result against the stored one.

    Args:
        trace: A decision's trace, of any format.

    Returns:
        The decision, its reasons in the words in which they were told.

    Raises:
        UserError: The stored result is not what the stored case gives: the trace was changed, or
            a table whose effects or ranks it used was.
    """
    stored = read_trace(trace)
    try:
        case = Case.of(stored.case)
        if case.rules not in RULES:
            raise _unlike(stored, [f"this version has no rules {case.rules}"])
        decision = decide_case(case)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _unlike(stored, [f"case.{where}: {first['msg']}"]) from error
    except KeyError as error:
        raise _unlike(stored, [f"this version knows no {error}"]) from error
    differences = list(_differences(stored, decision))
    if differences:
        changed = [f"{name} has changed since" for name in _changed_tables(stored, case)]
        raise _unlike(stored, [*differences, *changed])
    return replace(decision, decision_id=stored.decision_id, reasons=stored.told)


def _differences(stored: Stored, decision: Decision) -> Iterator[str]:
    if content_hash(stored.case) != stored.decision_id:
        yield "its id is not the hash of its case"
    again = {**decision.to_dict(), "reason_codes": [reason.code for reason in decision.reasons]}
    for name in _COMPARED:
        old, new = canonical(stored.result.get(name)), canonical(again.get(name))
        if old != new:
            yield f"{name} is stored as {old} and comes out as {new}"
    if [reason.code for reason in stored.told] != stored.result.get("reason_codes"):
        yield "its words belong to other reasons"


def _changed_tables(stored: Stored, case: Case) -> list[str]:
    made, today = stored.versions.get("tables", {}), table_versions(case)
    return [name for name, content in made.items() if today.get(name) != content]


def _unlike(stored: Stored, differences: list[str]) -> UserError:
    maker = stored.versions.get("code", "the first")
    return UserError(
        f"decision {stored.decision_id} does not replay ({'; '.join(differences)})",
        f"verify the audit chain, then replay with the version that made it ({maker})",
    )
