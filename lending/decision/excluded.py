"""Excluded: entries of exclusion lists about a farmer, from the table to the case and its finding.

Owns both steps; which entries are in force is `lending.exclusions`'. What an entry does is the
list's own word: it declines, or a person decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from fieldline.lending.decision.case import Case, ExclusionCase
from fieldline.lending.decision.reasons import Finding
from fieldline.pipeline.records.tables import read_table


def read_excluded(table: Path | None) -> dict[str, tuple[ExclusionCase, ...]]:
    """Return by farmer the entries in force.

    Args:
        table: exclusions.parquet; None where the lender keeps no list.
    """
    found: dict[str, list[ExclusionCase]] = defaultdict(list)
    if table is None:
        return {}
    for row in read_table(table).to_dict("records"):
        found[str(row["farmer_id"])].append(ExclusionCase(
            effect=row["effect"], reason=row["reason"], source=row["source"],
            valid_to=None if pd.isna(row["valid_to"]) else row["valid_to"],
        ))  # fmt: skip
    return {farmer: tuple(rows) for farmer, rows in found.items()}


def exclusion_findings(case: Case, effect: str) -> Iterator[Finding]:
    """Yield the entries that decline, or those that ask for a person.

    Args:
        case: The case.
        effect: `decline` or `review`; an entry that cannot be read in full asks for a person.
    """
    for one in case.exclusions:
        if one.effect == "unclear" and effect == "review":
            yield Finding("review_exclusion_unclear", {"value": one.source or "?"})
        if one.effect == effect:
            values = {"value": one.source, "extra": one.reason.rstrip(".。")}
            until = {} if one.valid_to is None else {"threshold": str(one.valid_to)}
            code = "veto_excluded" if effect == "decline" else "review_excluded"
            yield Finding(code, values | until, variant="" if until else "open")
