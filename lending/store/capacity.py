"""Capacity: what lines elsewhere have taken of a guarantee company's or pool's capacity.

Owns that no posting gives a capacity twice. A county's run shares it out among its own farmers; the
lines of other counties and seasons, and what people have approved since, are known at the posting
alone. Lines offered up to the day of the stated figure are in it already.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import sqlalchemy as sa

from fieldline.lending.decision.backed import CoverCase
from fieldline.lending.decision.case import Case
from fieldline.lending.store.applied import decided_by_application
from fieldline.lending.store.database import EXPIRED, LIVE, OFFERS
from fieldline.lending.store.lines import last_day, unreleased

_NAMES_ONE = '"cover":{'
"""How a trace tells of a cover: few do."""

Row = dict[str, Any]


def names_one(trace: str) -> bool:
    """Whether a decision's trace names a cover."""
    return _NAMES_ONE in trace


@dataclass
class Capacity:
    """Covered lines elsewhere, and what the posting at hand has taken so far."""

    lines: Sequence[Row] = ()
    taken: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """By guarantor and currency."""

    @classmethod
    def of(
        cls,
        connection: sa.Connection,
        records: Sequence[Row],
        shelf: Mapping[str, str],
        first: dt.date,
        *,
        single: bool,
    ) -> Capacity:
        """Read it under the lock of a posting.

        Args:
            connection: Of `posting`.
            records: DECISIONS rows of the posting.
            shelf: County, season and product that is posted: its live offers are what the posting
                replaces, but for those of farmers who applied singly and are not decided by it.
            first: First as-of date of the posting.
            single: Whether it posts single farmers alone: those of others on the shelf stay.
        """
        if not any(names_one(str(row["trace"])) for row in records):
            return cls()
        query = sa.select(OFFERS).where(
            OFFERS.c.guarantor.is_not(None), OFFERS.c.access == "approve",
            OFFERS.c.status.in_((EXPIRED, LIVE)),
        )  # fmt: skip
        rows = [row._asdict() for row in connection.execute(query)]
        decided = {str(row["farmer_id"]) for row in records}
        stay = decided_by_application(connection, shelf) - decided
        replaced = [
            row for row in rows
            if row["status"] == LIVE and all(row[name] == shelf[name] for name in shelf)
            and (row["farmer_id"] in decided if single else row["farmer_id"] not in stay)
        ]  # fmt: skip
        gone = {row["seq"] for row in replaced}
        running = [row for row in rows if last_day(row) >= first and row["seq"] not in gone]
        return cls(unreleased(connection, running))

    def elsewhere(self, case: Case, before: int | None = None) -> int:
        """Return what of the capacity that a case was given is no longer there, minor units.

        Args:
            case: A case with a cover.
            before: Only lines posted before this one count: later ones counted it themselves.
        """
        cover = case.cover
        if cover is None:
            return 0
        given = sum(
            int(row["covered_minor"]) for row in self._of(cover, case.currency)
            if before is None or row["seq"] < before
        )  # fmt: skip
        key = (cover.guarantor_id, case.currency)
        there = max(0, cover.capacity_minor - given - self.taken.get(key, 0))
        return max(0, cover.left_minor - there)

    def _of(self, cover: CoverCase, currency: str) -> list[Row]:
        return [
            row for row in self.lines
            if row["guarantor"] == cover.guarantor_id and row["currency"] == currency
            and row["valid_from"] > cover.stated_on
        ]  # fmt: skip

    def took(self, record: Row) -> None:
        """Count what a decision that is posted takes."""
        covered = record.get("covered_minor")
        if record["access"] == "approve" and covered is not None and not pd.isna(covered):
            self.taken[str(record["guarantor"]), str(record["currency"])] += int(covered)
