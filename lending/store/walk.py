"""Walk: what the audit chain says, taken in entry by entry.

Owns whether each entry follows the one before it and contradicts none, and what the entries so far
leave: postings with their ends, runs, documents, acts of people. Whether the rows of the store are
still so is `lending.store.verify`'s; where the walk begins is the caller's.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from fieldline.lending.store.audit import FIRST_FIELDS, entry_hash, said_of_run
from fieldline.lending.store.database import EXPIRED, LIVE, SUPERSEDED, WITHDRAWN
from fieldline.lending.store.signer import Signer

ENDS = (SUPERSEDED, WITHDRAWN, EXPIRED)


@dataclass(slots=True)
class Posting:
    """What the chain says of one posting of an offer; a million of them are held at once."""

    fields: tuple[str, ...]
    """Columns that the hash of the terms covers."""
    terms: Any
    trace: Any
    decision_fields: tuple[str, ...] | None
    """The same of the decision; None in the first release, which left no hash of it."""
    decision: Any
    status: str = LIVE
    """Empty where the chain says that it was closed and not how (the first release)."""


@dataclass
class Walk:
    """What the chain says, gathered entry by entry."""

    shelf_of: Callable[[str], Any]
    """Shelf and farmer of an offer by its id, from the table."""
    whole: bool = True
    """Whether it begins with the first entry: if not, offers posted before it may be closed."""
    offers: dict[str, list[Posting]] = field(default_factory=lambda: defaultdict(list))
    ended_before: dict[str, str] = field(default_factory=dict)
    """Ends of offers that were posted before the walk began."""
    runs: list[dict[str, Any]] = field(default_factory=list)
    reviews: dict[str, dict[str, Any]] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)
    closed: int = 0
    last_at: str = ""
    _untold: dict[Any, list[Posting]] = field(default_factory=lambda: defaultdict(list))
    """Postings closed in this run by shelf, of which no entry says how."""
    _columns: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    """Every list of columns once."""

    def note(self, seq: int, event: dict[str, Any]) -> Iterator[str]:
        """Take in one entry; yield what contradicts the entries before it."""
        at = event.get("at", self.last_at)
        if at < self.last_at:
            yield f"entry {seq} is of {at}, before the entry before it"
        self.last_at = max(at, self.last_at)
        match event.get("event"):
            case "run":
                self.runs.append(said_of_run(event))
                self.documents.update(event.get("documents", {}))
                self._untold.clear()
            case "offer":
                yield from self._offer(seq, event)
            case "closed":
                yield from self._close(seq, event)
            case "review":
                self.reviews[event["review_id"]] = event

    def _offer(self, seq: int, event: dict[str, Any]) -> Iterator[str]:
        offer_id = event["offer_id"]
        before = self.offers[offer_id]
        if before and before[-1].status == LIVE:
            yield f"entry {seq} posts offer {offer_id}, which is live"
        before.append(
            Posting(
                self._once(event.get("fields", FIRST_FIELDS)), event.get("terms"),
                event.get("trace"),
                self._once(event["decision_fields"]) if "decision" in event else None,
                event.get("decision"),
            )
        )  # fmt: skip
        if self._untold:
            for posted in self._untold.get(self.shelf_of(offer_id), ()):
                posted.status = SUPERSEDED

    def _once(self, names: Any) -> tuple[str, ...]:
        return self._columns.setdefault(tuple(names), tuple(names))

    def _close(self, seq: int, event: dict[str, Any]) -> Iterator[str]:
        offer_id, end = event["offer_id"], event.get("status", "")
        posted = self.offers.get(offer_id)
        if not posted and not self.whole and offer_id not in self.ended_before:
            self.ended_before[offer_id] = end
        elif not posted or posted[-1].status != LIVE:
            yield f"entry {seq} closes offer {offer_id}, which is not live"
            return
        else:
            posted[-1].status = end
            if not end:
                self._untold[self.shelf_of(offer_id)].append(posted[-1])
        self.closed += 1
        if end not in ("", *ENDS):
            yield f"entry {seq} closes offer {offer_id} as {end!r}"

    @property
    def posted(self) -> int:
        """Number of postings."""
        return sum(len(entries) for entries in self.offers.values())


def entry_problems(row: sa.Row[Any], expected: int, previous: str, by: Signer) -> Iterator[str]:
    """Yield in what an entry does not follow the one before it or was changed.

    Args:
        row: Row of table `audit`.
        expected: Its place.
        previous: Hash of the entry before it.
        by: Whose key the seals are held against.
    """
    if row.seq != expected:
        yield f"entry {expected} is missing before {row.seq}"
    elif row.previous != previous:
        yield f"entry {row.seq} does not follow the entry before it"
    elif entry_hash(row.seq, row.previous, row.payload) != row.hash:
        yield f"entry {row.seq} was changed"
    elif by.is_own(row.seal) and not by.holds(row.hash, row.seal):
        yield f"the seal of entry {row.seq} is not this key's"


def note_entry(row: sa.Row[Any], walk: Walk) -> list[str]:
    """Take in what an entry says; return a problem where it says nothing readable."""
    try:
        return list(walk.note(row.seq, json.loads(row.payload)))
    except (ValueError, TypeError, AttributeError, KeyError):
        return [f"entry {row.seq} is no record"]
