"""Capacity: what of a guarantee company's or pool's capacity is there at the moment of a posting.

Owns that no posting gives a capacity twice, and none lets it lie. A county's run shares out the
figure that the company stated, which is net of the lines offered before its day. What was offered
from that day on is known at the posting alone and taken off; lines that the figure is net of and
that others have replaced since, or the posting replaces, are given back.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import pandas as pd
import sqlalchemy as sa

from fieldline.lending.decision.backed import CoverCase
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.covers import most_used
from fieldline.lending.store.applied import decided_by_application
from fieldline.lending.store.database import EXPIRED, LIVE, OFFERS, SUPERSEDED
from fieldline.lending.store.lines import last_day, unreleased

_NAMES_ONE = '"cover":{'
"""How a trace tells of a cover: few do."""
_STATED = re.compile(r'"stated_on":"(\d{4}-\d\d-\d\d)"')
"""How it tells of the day of its figure."""
_BEFORE_ALL = -1
_SHELF = ("county", "season", "product")

Row = dict[str, Any]


def names_one(trace: str) -> bool:
    """Whether a decision's trace names a cover."""
    return _NAMES_ONE in trace


@dataclass(frozen=True)
class _Sums:
    """Amounts in the order of the rows from which on they count."""

    seq: list[int]
    total: list[int]
    """Of as many of them as the place says, from none on."""

    @classmethod
    def of(cls, rows: Iterable[tuple[int, Row]]) -> _Sums:
        ordered = sorted((seq, int(row["covered_minor"])) for seq, row in rows)
        return cls(
            [seq for seq, _ in ordered], list(accumulate((a for _, a in ordered), initial=0))
        )

    def before(self, seq: int | None) -> int:
        return self.total[-1 if seq is None else bisect_left(self.seq, seq)]


@dataclass(frozen=True)
class _Amounts:
    given: _Sums
    back: _Sums

    def before(self, seq: int | None) -> tuple[int, int]:
        return self.given.before(seq), self.back.before(seq)


@dataclass
class Capacity:
    """Covered lines of the store, and what the posting at hand has taken so far."""

    lines: Sequence[Row] = ()
    """Lines elsewhere: neither superseded nor replaced by the posting."""
    replaced: Sequence[Row] = ()
    """Lines in whose place others came, with `next`, the `seq` of those, and `from_day`, since
    when. Every row that stands was posted after what its own posting replaces."""
    taken: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """By guarantor and currency."""
    returned: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """What of it came from lines given back."""
    _known: dict[tuple[str, str, dt.date], _Amounts] = field(default_factory=dict)

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
        stated = [_STATED.search(trace) for row in records if names_one(trace := str(row["trace"]))]
        days = [dt.date.fromisoformat(found[1]) for found in stated if found]
        if not days:
            return cls()
        query = sa.select(OFFERS).where(
            OFFERS.c.guarantor.is_not(None), OFFERS.c.access == "approve",
            OFFERS.c.status.in_((EXPIRED, LIVE)),
        )  # fmt: skip
        rows = [row._asdict() for row in connection.execute(query)]
        decided = {str(row["farmer_id"]) for row in records}
        stay = decided_by_application(connection, shelf) - decided
        here = [row for row in rows if row["status"] == LIVE and _on(shelf, row)]
        gone = {
            row["seq"] for row in here
            if (row["farmer_id"] in decided if single else row["farmer_id"] not in stay)
        }  # fmt: skip
        running = [row for row in rows if last_day(row) >= first and row["seq"] not in gone]
        by_this = [
            {**row, "next": _BEFORE_ALL, "from_day": first}
            for row in here if row["farmer_id"] in decided
        ]  # fmt: skip
        by_others = [
            {**row, "next": _BEFORE_ALL} if _on(shelf, row) and row["farmer_id"] in decided else row
            for row in _superseded(connection, min(days))
        ]
        return cls(unreleased(connection, running), [*by_this, *by_others])

    def __bool__(self) -> bool:
        """Whether the store can move any turn."""
        return bool(self.lines or self.replaced)

    def cover_of(self, case: Case, before: int | None = None) -> CoverCase | None:
        """Return the cover of a case with what the store knows of its capacity.

        A turn that the capacity cut short is lengthened by lines given back, as far as the farmer
        can use them; whatever is no longer there is taken off.

        Args:
            case: A case as its county decided it.
            before: Only what was posted before this row counts: later ones counted it themselves.
        """
        cover = case.cover
        if cover is None:
            return None
        key = (cover.guarantor_id, case.currency)
        given, back = self._amounts(*key, cover.stated_on).before(before)
        spare = back - self.returned[key]
        more = max(0, min(spare, most_used(cover, case) - cover.left_minor))
        there = max(0, cover.capacity_minor + back - given - self.taken[key])
        change = min(cover.left_minor + more, there) - cover.left_minor
        return cover.model_copy(
            update={"elsewhere_minor": max(0, -change), "returned_minor": max(0, change)}
        )

    def _amounts(self, guarantor: str, currency: str, stated_on: dt.date) -> _Amounts:
        """Return what lines took of a capacity and gave back since the day of its figure."""
        key = (guarantor, currency, stated_on)
        if key not in self._known:
            of = [
                [row for row in rows if (row["guarantor"], row["currency"]) == key[:2]]
                for rows in (self.lines, self.replaced)
            ]
            self._known[key] = _Amounts(
                _Sums.of((row["seq"], row) for row in of[0] if row["valid_from"] >= stated_on),
                _Sums.of(
                    (row["next"], row) for row in of[1]
                    if row["valid_from"] < stated_on <= row["from_day"]
                ),
            )  # fmt: skip
        return self._known[key]

    def took(self, decided: Row, posted: Row) -> None:
        """Count what a decision that is posted takes.

        Args:
            decided: DECISIONS row of the county's run.
            posted: The same as it is posted.
        """
        lent = covered = _covered(posted) if posted["access"] == "approve" else 0
        self.taken[str(posted.get("guarantor")), str(posted["currency"])] += covered
        if not self.replaced or not names_one(str(posted["trace"])):
            return
        cover = json.loads(posted["trace"])["case"]["cover"]
        back = int(cover.get("returned_minor", 0))
        if posted["access"] == "review":
            lent = back  # kept for the person who may approve it
        elif decided["access"] == "approve":
            lent = max(0, covered - _covered(decided))
        self.returned[str(cover["guarantor_id"]), str(posted["currency"])] += min(back, lent)


def _on(shelf: Mapping[str, str], row: Row) -> bool:
    return all(row[name] == value for name, value in shelf.items())


def _covered(record: Row) -> int:
    covered = record.get("covered_minor")
    return 0 if covered is None or pd.isna(covered) else int(covered)


def _superseded(connection: sa.Connection, since: dt.date) -> list[Row]:
    """Return the covered lines in whose place came others from a day on."""
    later = OFFERS.alias("later")
    same = [later.c[name] == OFFERS.c[name] for name in (*_SHELF, "farmer_id")]

    def of_next(name: str) -> Any:
        query = sa.select(later.c[name]).where(*same, later.c.seq > OFFERS.c.seq)
        return query.order_by(later.c.seq).limit(1).scalar_subquery()

    names = ("seq", *_SHELF, "farmer_id", "guarantor", "currency", "covered_minor", "valid_from")
    columns = [OFFERS.c[name] for name in names]
    query = sa.select(
        *columns, of_next("seq").label("next"), of_next("valid_from").label("from_day")
    ).where(
        OFFERS.c.guarantor.is_not(None), OFFERS.c.access == "approve",
        OFFERS.c.status == SUPERSEDED, of_next("valid_from") >= since,
    )  # fmt: skip
    return [row._asdict() for row in connection.execute(query)]
