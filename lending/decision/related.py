"""Related: what ties an applicant to others, from the table to the case and to its finding.

Owns both steps; which relations there are is `lending.relations`'. Whom a relation is with stands
in the case, for the officer, and in no letter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from fieldline.lending.decision.case import Case, RelationCase
from fieldline.lending.decision.reasons import Finding
from fieldline.pipeline.records.tables import read_table

_MOST_PARCELS = 3
"""Parcels that a sentence names; the case holds them all."""


def read_relations(table: Path | None) -> dict[str, tuple[RelationCase, ...]]:
    """Return by farmer the relations that ask for a person.

    Args:
        table: relations.parquet; None where nobody looked for any.
    """
    found: dict[str, list[RelationCase]] = defaultdict(list)
    if table is None:
        return {}
    rows = read_table(table)
    for row in rows[rows["effect"] == "review"].to_dict("records"):
        found[str(row["farmer_id"])].append(RelationCase(
            code=row["code"], count=int(row["count"]), others=tuple(row["others"]),
            parcels=tuple(row["parcels"]), seasons=tuple(row["seasons"]),
        ))  # fmt: skip
    return {farmer: tuple(rows) for farmer, rows in found.items()}


def relation_findings(case: Case) -> Iterator[Finding]:
    """Yield the relations of a case, each as a question to a person."""
    for one in case.relations:
        parcels = one.parcels[:_MOST_PARCELS]
        values = {"value": str(one.count), "extra": ", ".join(parcels)}
        yield Finding(f"review_{one.code}", values, {"extra": "、".join(parcels)})
