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
from fieldline.lending.store.lines import last_day, not_released, unreleased

_NAMES_ONE = '"cover":{'
"""How a trace tells of a cover: few do."""
_COVER = re.compile(r'"cover":(\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\})')
"""The cover itself, which holds no further object."""
_FEW = 20
"""Farmers posted alone for whom the store sums lines rather than tell each: their standing offers
part what was posted before from what came later."""
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
        covers = [
            json.loads(found[1]) for row in records if (found := _COVER.search(str(row["trace"])))
        ]
        if not covers:
            return cls()
        decided = sorted({str(row["farmer_id"]) for row in records})
        days = sorted({dt.date.fromisoformat(cover["stated_on"]) for cover in covers})
        reading = _Reading(
            connection, shelf, decided, sorted({cover["guarantor_id"] for cover in covers}), days,
            sums=single and len(decided) <= _FEW,
        )  # fmt: skip
        by_this, others = reading.here(first, single=single)
        return cls([*reading.lines(first), *others], [*by_this, *reading.superseded()])

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


def _covered(record: Row) -> int:
    covered = record.get("covered_minor")
    return 0 if covered is None or pd.isna(covered) else int(covered)


@dataclass(frozen=True)
class _Reading:
    """How the store's covered lines are read for a posting: those of the guarantors named alone, of
    the posting's own farmers row by row, all others summed where few are posted."""

    connection: sa.Connection
    shelf: Mapping[str, str]
    decided: Sequence[str]
    guarantors: Sequence[str]
    days: Sequence[dt.date]
    """Days of the figures, ascending."""
    sums: bool

    def here(self, first: dt.date, *, single: bool) -> tuple[list[Row], list[Row]]:
        """Return what the posting replaces, and live lines of the shelf that it leaves."""
        query = sa.select(OFFERS).where(*self._covered, self._own(LIVE))
        rows = [row._asdict() for row in self.connection.execute(query)]
        decided = set(self.decided)
        by_this = [
            {**row, "next": _BEFORE_ALL, "from_day": first}
            for row in rows if row["farmer_id"] in decided
        ]  # fmt: skip
        stay = [row for row in rows if row["farmer_id"] not in decided]
        if not single and stay:
            applied = decided_by_application(self.connection, self.shelf)
            stay = [row for row in stay if row["farmer_id"] in applied]
        return by_this, unreleased(self.connection, [r for r in stay if last_day(r) >= first])

    def lines(self, first: dt.date) -> list[Row]:
        """Return what other lines take; `seq` says from where on."""
        names = ("guarantor", "currency", "valid_from", "valid_to", "tenor_days")
        columns = [*(OFFERS.c[name] for name in names), self._place(OFFERS.c.seq)]
        query = (
            sa.select(*columns, sa.func.sum(OFFERS.c.covered_minor))
            .where(
                *self._covered, OFFERS.c.status.in_((EXPIRED, LIVE)), ~self._own(LIVE),
                OFFERS.c.valid_from >= self.days[0], not_released(),
            )
            .group_by(*columns)
        )  # fmt: skip
        found = self.connection.execute(query)
        rows = [dict(zip((*names, "seq", "covered_minor"), row, strict=True)) for row in found]
        return [row for row in rows if last_day(row) >= first]

    def superseded(self) -> list[Row]:
        """Return the lines in whose place came others; those of the posting's farmers gave theirs
        back before anything else."""
        own, decided = self._own(SUPERSEDED), set(self.decided)
        here = self._replaced(own, OFFERS.c.farmer_id)
        for row in here:
            if row.pop("farmer_id") in decided:
                row["next"] = _BEFORE_ALL
        return [*here, *self._replaced(~own)]

    def _replaced(self, which: Any, *more: Any) -> list[Row]:
        later, after = OFFERS.alias("later"), OFFERS.alias("after")
        same = [later.c[name] == OFFERS.c[name] for name in (*_SHELF, "farmer_id")]
        newer = sa.select(sa.func.min(later.c.seq)).where(*same, later.c.seq > OFFERS.c.seq)
        columns = [
            OFFERS.c.guarantor, OFFERS.c.currency, OFFERS.c.valid_from, after.c.valid_from,
            self._place(after.c.seq), *more,
        ]  # fmt: skip
        query = (
            sa.select(*columns, sa.func.sum(OFFERS.c.covered_minor))
            .select_from(OFFERS.join(after, after.c.seq == newer.scalar_subquery()))
            .where(
                *self._covered, OFFERS.c.status == SUPERSEDED, which,
                OFFERS.c.valid_from < self.days[-1], after.c.valid_from >= self.days[0],
            )
            .group_by(*columns)
        )  # fmt: skip
        names = ("guarantor", "currency", "valid_from", "from_day", "next")
        names = (*names, *(column.name for column in more), "covered_minor")
        return [dict(zip(names, row, strict=True)) for row in self.connection.execute(query)]

    @property
    def _covered(self) -> tuple[Any, ...]:
        named = OFFERS.c.guarantor.in_(self.guarantors)
        return named, OFFERS.c.guarantor.is_not(None), OFFERS.c.access == "approve"

    def _own(self, status: str) -> Any:
        """Say which rows of a status the posting's farmers have on its shelf; where it tells each
        row, which ones anybody has."""
        here = [OFFERS.c.status == status, *(OFFERS.c[n] == self.shelf[n] for n in _SHELF)]
        return sa.and_(*here, OFFERS.c.farmer_id.in_(self.decided)) if self.sums else sa.and_(*here)

    def _place(self, seq: Any) -> Any:
        """Return from where on a row counts: the standing offer of the posting before it."""
        if not self.sums:
            return seq
        stand = sa.select(OFFERS.c.seq).where(sa.or_(self._own(LIVE), self._own(EXPIRED)))
        found = sorted({0, *self.connection.scalars(stand)}, reverse=True)
        # Literals: PostgreSQL takes an expression with parameters for another one in GROUP BY.
        return sa.case(
            *((seq >= sa.literal_column(str(one)), sa.literal_column(str(one))) for one in found)
        )
