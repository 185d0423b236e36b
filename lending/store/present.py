"""Present: what the store knows of a farmer at a posting that the county's artifacts cannot.

Owns how lines of the farmer and the household that may be running, and what people decided, enter a
decision: into its case, so that the decision replays. A posting reads them under its lock, which is
the only moment at which they are true. Which offers are lines, `lending.store.lines` says.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
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
from fieldline.lending.store.database import EXPIRED
from fieldline.lending.store.decided import Decided
from fieldline.lending.store.lines import running_lines
from fieldline.lending.store.reviews import State, lapse_row, standing
from fieldline.lending.store.statements import statements_elsewhere, telling
from fieldline.lending.store.vouchers import bearable

Row = dict[str, Any]


@dataclass(frozen=True)
class Settled:
    """A decision as it is posted."""

    decision: Row
    offer: Row
    """Its offer: a row of the store where one has its terms."""


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

    def settle(
        self,
        records: Sequence[Row],
        last: Mapping[str, Row],
        offer_of: Callable[[Row], Row],
    ) -> dict[str, Settled]:
        """Return each decision as it is posted, by farmer and in the order given.

        Offers that stand as they are come first, in the order in which they were posted: what they
        hold of a capacity, no newcomer is lent, whatever the name. Then come the others.

        Args:
            records: DECISIONS rows, one for each farmer.
            last: The farmers' last offers on the shelf, live or run out.
            offer_of: Makes the offer of a decision: the row of the store where one has its terms.
        """
        of = {str(record["farmer_id"]): record for record in records}
        settled: dict[str, Settled] = {}
        known = [last[farmer] for farmer in of if farmer in last]
        for stood in sorted(known, key=lambda row: int(row["seq"])):
            farmer = str(stood["farmer_id"])
            before = self._as_stands(of[farmer], stood)
            if before is not None and "seq" in (offer := offer_of(before)):
                settled[farmer] = self._posted(of[farmer], before, offer)
        for farmer, record in of.items():
            if farmer not in settled:
                today = self._settled(record, self._of(record))
                settled[farmer] = self._posted(record, today, offer_of(today))
        return {farmer: settled[farmer] for farmer in of}

    def _posted(self, record: Row, decision: Row, offer: Row) -> Settled:
        if offer["status"] != EXPIRED:  # what ran out is a line elsewhere, and counted there
            self.capacity.took(record, decision)
        return Settled(decision, offer)

    def _as_stands(self, record: Row, standing: Row) -> Row | None:
        """Return a decision as it was read when the farmer's standing offer was posted: it stands
        as it is if nothing else has changed; None where that is how it is read today.

        Only lines older than the standing offer count: later ones counted that offer themselves.

        Args:
            record: DECISIONS row.
            standing: The farmer's last offer on the shelf, live or run out.
        """
        lines = self._of(record)
        earlier = [row for row in lines if self._before(row, standing)]
        covered = names_one(record["trace"]) and bool(self.capacity)
        if len(earlier) == len(lines) and not covered:
            return None
        return self._settled(record, earlier, int(standing["seq"]))

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
        return Decided.of(decision_row(case, decide_case(case), record["policy"], crops))

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
