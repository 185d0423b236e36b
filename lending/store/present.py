"""Present: what the store knows of a farmer at a posting that the county's artifacts cannot.

Owns how lines of the farmer and the household that may be running, and what people decided, enter a
decision: into its case, so that the decision replays. A posting reads them under its lock, which is
the only moment at which they are true. Which offers are lines, `lending.store.lines` says.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from fieldline.lending.decision.case import Case, GuarantorCase, LineCase, StatementCase
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.decision.review import evidence_hash
from fieldline.lending.decision.row import decision_row
from fieldline.lending.settings import PolicySettings
from fieldline.lending.store.capacity import Capacity, names_one
from fieldline.lending.store.lines import running_lines
from fieldline.lending.store.reviews import State, lapse_row, standing
from fieldline.lending.store.statements import statements_elsewhere, telling
from fieldline.lending.store.vouchers import bearable

Row = dict[str, Any]


@dataclass(frozen=True)
class Present:
    """What may be running for the people of one posting, and what people decided on them."""

    shelf: Mapping[str, str]
    """County, season and product that is posted."""
    lines: Mapping[str, Sequence[Row]]
    """Offers that may be lines by household and by farmer."""
    reviews: Mapping[str, State] = field(default_factory=dict)
    """People's decisions that still count, by farmer."""
    stated: Mapping[str, Sequence[StatementCase]] = field(default_factory=dict)
    """What farmers owe or vouch for by the papers of other counties and seasons."""
    guarantors: Mapping[str, tuple[GuarantorCase, ...]] = field(default_factory=dict)
    """Who of outside guarantees for farmers, with what each can bear by what stands elsewhere."""
    capacity: Capacity = field(default_factory=Capacity)
    """What is there of the capacity of guarantee companies and pools."""
    lapsed: Sequence[Row] = ()
    """Acts that withdraw those that count no longer, to be written."""

    @classmethod
    def of(
        cls,
        connection: sa.Connection,
        records: Sequence[Row],
        shelf: Mapping[str, str],
        policy: PolicySettings,
        *,
        single: bool = False,
    ) -> Present:
        """Read it under the lock of the posting.

        Args:
            connection: Of `posting`.
            records: DECISIONS rows of the posting.
            shelf: County, season and product that is posted.
            policy: How long its offers are valid: a line offered later than that does not count.
            single: Whether it posts single farmers alone.
        """
        if not records:
            return cls(shelf, {})
        first = min(row["as_of"] for row in records)
        last = max(row["as_of"] for row in records) + dt.timedelta(days=policy.offer_valid_days)
        lines = running_lines(connection, records, shelf, (first, last))
        counting, lapsed = _reviews(standing(connection, shelf), records)
        stated = statements_elsewhere(connection, records, shelf, first)
        guarantors = bearable(connection, records, shelf, (first, last))
        capacity = Capacity.of(connection, records, shelf, first, single=single)
        return cls(shelf, lines, counting, stated, guarantors, capacity, lapsed)

    def readings(self, record: Row, standing: Row | None) -> Iterator[Row]:
        """Yield a decision as it may be posted, the last one in any case.

        The first counts only lines older than the farmer's standing offer: later ones counted that
        offer themselves, so it stands as it is if nothing else has changed.

        Args:
            record: DECISIONS row.
            standing: The farmer's last offer on the shelf, live or run out, if any.
        """
        lines = self._of(record)
        earlier = [] if standing is None else [r for r in lines if self._before(r, standing)]
        before = None if standing is None else int(standing["seq"])
        covered = names_one(record["trace"]) and bool(self.capacity)
        if standing is not None and (len(earlier) < len(lines) or covered):
            yield self._settled(record, earlier, before)
        yield self._settled(record, lines)

    def _before(self, line: Row, standing: Row) -> bool:
        """Whether a line was there when an offer of this shelf was posted; those of its own posting
        shared the household's means with it already."""
        if all(line[name] == value for name, value in self.shelf.items()):
            return bool(line["valid_from"] < standing["valid_from"])
        return bool(line["seq"] < standing["seq"])

    def _settled(self, record: Row, lines: Sequence[Row], before: int | None = None) -> Row:
        """Return a decision made again with what the store knows; as it is without any.

        Args:
            record: DECISIONS row.
            lines: Offers that may be lines of the farmer or the household.
            before: Only covered lines posted before this one move the capacity.
        """
        review = self.reviews.get(str(record["farmer_id"]))
        said = self.stated.get(str(record["farmer_id"]), ())
        guarantors = self.guarantors.get(str(record["farmer_id"]), ())
        seen = any(one.most_minor is not None for one in guarantors)
        covered = names_one(record["trace"])
        if not lines and review is None and not said and not seen and not covered:
            return record
        stored = read_trace(record["trace"])
        case = Case.of(stored.case)
        told = telling(case, said, self.shelf["county"])
        cover = self.capacity.cover_of(case, before)
        if not lines and review is None and not told and not seen and cover == case.cover:
            return record
        known: dict[str, Any] = {
            "lines": tuple(sorted((_line(row, record) for row in lines), key=_order)),
            "review": None if review is None else review.case(),
            "elsewhere": told,
            "guarantors": guarantors,
            "cover": cover,
        }
        case = case.model_copy(update=known)
        crops = stored.versions.get("crops", "")
        return decision_row(case, decide_case(case), record["policy"], crops)

    def _of(self, record: Row) -> list[Row]:
        people = (record["household_id"], record["farmer_id"])
        found = {row["seq"]: row for person in people for row in self.lines.get(person, ())}
        return [row for row in found.values() if row["currency"] == record["currency"]]


def _line(row: Row, record: Row) -> LineCase:
    fields = {name: row[name] for name in LineCase.model_fields if name != "own"}
    return LineCase(own=row["farmer_id"] == record["farmer_id"], **fields)


def _order(line: LineCase) -> tuple[Any, ...]:
    return (not line.own, line.county, line.season, line.product, line.limit_minor, line.valid_to)


def _reviews(
    found: Mapping[str, State], records: Sequence[Row]
) -> tuple[dict[str, State], list[Row]]:
    """Return the decisions of people that count, and the acts that withdraw the others."""
    counting: dict[str, State] = {}
    lapsed: list[Row] = []
    for record in records:
        state = found.get(str(record["farmer_id"]))
        if state is None:
            continue
        case = Case.of(read_trace(record["trace"]).case)
        if case.as_of > state.row["valid_to"]:
            lapsed.append(lapse_row(state, "it ran out", case.as_of))
        elif evidence_hash(case) != state.row["evidence"]:
            lapsed.append(lapse_row(state, "it was made on other evidence", case.as_of))
        else:
            counting[str(record["farmer_id"])] = state
    return counting, lapsed
