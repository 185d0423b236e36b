"""Verify: the whole store held against its audit chain, its key and its anchors.

Owns what an auditor asks: whether the chain follows, whether every row of every table is as it was
entered, whether offers posted less offers closed are those that live, and whether the chain is the
one that the lender's key and the anchors outside know. It writes nothing.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from fieldline.lending.decision.replay import read_trace
from fieldline.lending.store.anchors import Anchor, anchor_problems
from fieldline.lending.store.audit import (
    FIRST_FIELDS,
    GENESIS,
    entry_hash,
    row_hash,
    said_of_run,
    text_hash,
)
from fieldline.lending.store.database import (
    AUDIT,
    DECISIONS,
    DOCUMENTS,
    EXPIRED,
    LIVE,
    OFFERS,
    REVIEWS,
    RUNS,
    SUPERSEDED,
    WITHDRAWN,
    reading,
)
from fieldline.lending.store.guards import missing_guards
from fieldline.lending.store.signer import Signer, signer
from fieldline.pipeline.records.canonical import canonical, content_hash
from fieldline.pipeline.records.errors import UserError

_SHELF = ("county", "season", "product", "farmer_id")
_ENDS = (SUPERSEDED, WITHDRAWN, EXPIRED)


@dataclass(frozen=True)
class AuditReport:
    """What verification found; no problem means that every byte is as it was entered."""

    entries: int
    head: str
    """Hash of the last entry; an anchor of it elsewhere proves that nothing was cut off."""
    keyed: str
    """`sealed` by this key, `unsealed` where a key is given and the head is not sealed by it,
    `no key given` for a sealed chain read without one, `unkeyed` where no key was ever used."""
    posted: int
    closed: int
    live: int
    anchors: int
    """Anchors that the chain was held against."""
    problems: tuple[str, ...]


@dataclass
class _Posted:
    """What the chain says of one posting of an offer."""

    seq: int
    event: dict[str, Any]
    status: str = LIVE
    """Empty where the chain says that it was closed and not how (the first release)."""


@dataclass
class _Walk:
    """What the chain says, gathered entry by entry."""

    shelves: Mapping[str, tuple[str, ...]]
    """Shelf and farmer by offer id, from the table."""
    offers: dict[str, list[_Posted]] = field(default_factory=lambda: defaultdict(list))
    runs: list[dict[str, Any]] = field(default_factory=list)
    reviews: dict[str, dict[str, Any]] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)
    closed_in_run: list[tuple[str, _Posted]] = field(default_factory=list)
    closed: int = 0
    last_at: str = ""

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
                self.closed_in_run.clear()
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
        before.append(_Posted(seq, event))
        for closed, posted in self.closed_in_run:
            if not posted.status and self.shelves.get(closed) == self.shelves.get(offer_id):
                posted.status = SUPERSEDED

    def _close(self, seq: int, event: dict[str, Any]) -> Iterator[str]:
        offer_id = event["offer_id"]
        posted = self.offers.get(offer_id)
        if not posted or posted[-1].status != LIVE:
            yield f"entry {seq} closes offer {offer_id}, which is not live"
            return
        self.closed += 1
        posted[-1].status = event.get("status", "")
        self.closed_in_run.append((offer_id, posted[-1]))
        if posted[-1].status not in ("", *_ENDS):
            yield f"entry {seq} closes offer {offer_id} as {posted[-1].status!r}"

    @property
    def posted(self) -> int:
        """Number of postings."""
        return sum(len(entries) for entries in self.offers.values())


def verify(
    engine: sa.Engine, by: Signer | None = None, anchors: Sequence[Anchor] = ()
) -> AuditReport:
    """Walk the chain and hold every row of the store against it.

    Args:
        engine: Open database.
        by: Whose key the seals are held against; that of the environment where none is given.
        anchors: Anchors exported earlier and kept elsewhere.
    """
    by = by or signer()
    with reading(engine) as connection:
        problems = [f"guard {name} is missing" for name in missing_guards(connection)]
        walk = _Walk(_shelves(connection))
        hashes: list[str] = []
        seal, sealed_ever = None, False
        for row in connection.execute(sa.select(AUDIT).order_by(AUDIT.c.seq)):
            problems.extend(_entry_problems(row, len(hashes) + 1, (hashes or [GENESIS])[-1], by))
            hashes.append(row.hash)
            seal, sealed_ever = row.seal, sealed_ever or bool(row.seal)
            problems.extend(_note(row, walk))
        head = (hashes or [GENESIS])[-1]
        keyed = _keyed(by, head, seal, sealed_ever, bool(hashes))
        if keyed == "unsealed":
            problems.append("the head of the chain is not sealed by this key")
        problems.extend(anchor_problems(anchors, hashes, by))
        problems.extend(_row_problems(connection, walk))
        live = int(connection.scalar(_count(OFFERS).where(OFFERS.c.status == LIVE)) or 0)
    if walk.posted - walk.closed != live:
        problems.append(
            f"the chain posted {walk.posted} offers and closed {walk.closed}, and {live} are live"
        )
    return AuditReport(
        len(hashes), head, keyed, walk.posted, walk.closed, live, len(anchors), tuple(problems)
    )


def _count(table: sa.Table) -> sa.Select[tuple[int]]:
    return sa.select(sa.func.count()).select_from(table)


def _keyed(by: Signer, head: str, seal: str | None, sealed_ever: bool, entries: bool) -> str:
    if by.key is None:
        return "no key given" if sealed_ever else "unkeyed"
    return "sealed" if not entries or by.holds(head, seal) else "unsealed"


def _shelves(connection: sa.Connection) -> dict[str, tuple[str, ...]]:
    query = sa.select(OFFERS.c.offer_id, *(OFFERS.c[name] for name in _SHELF))
    return {row[0]: tuple(row[1:]) for row in connection.execute(query)}


def _entry_problems(row: sa.Row[Any], expected: int, previous: str, by: Signer) -> Iterator[str]:
    if row.seq != expected:
        yield f"entry {expected} is missing before {row.seq}"
    elif row.previous != previous:
        yield f"entry {row.seq} does not follow the entry before it"
    elif entry_hash(row.seq, row.previous, row.payload) != row.hash:
        yield f"entry {row.seq} was changed"
    elif by.is_own(row.seal) and not by.holds(row.hash, row.seal):
        yield f"the seal of entry {row.seq} is not this key's"


def _note(row: sa.Row[Any], walk: _Walk) -> list[str]:
    """Take in what an entry says; return a problem where it says nothing readable."""
    try:
        event = json.loads(row.payload)
        return list(walk.note(row.seq, event))
    except (ValueError, TypeError, AttributeError, KeyError):
        return [f"entry {row.seq} is no record"]


def _row_problems(connection: sa.Connection, walk: _Walk) -> Iterator[str]:
    yield from _offer_problems(connection, walk)
    yield from _stray_decisions(connection)
    yield from _run_problems(connection, walk)
    yield from _document_problems(connection, walk)
    yield from _review_problems(connection, walk)


def _offer_problems(connection: sa.Connection, walk: _Walk) -> Iterator[str]:
    posted = {offer_id: list(entries) for offer_id, entries in walk.offers.items()}
    columns = [c.label(f"decision_{c.name}") for c in DECISIONS.c if c.name != "decision_id"]
    query = sa.select(OFFERS, *columns).join(
        DECISIONS, OFFERS.c.decision_id == DECISIONS.c.decision_id, isouter=True
    )
    for row in connection.execute(query.order_by(OFFERS.c.seq)):
        entries = posted.get(row.offer_id)
        if not entries:
            yield f"offer {row.offer_id} was never posted"
        else:
            yield from _problems_of_offer(row._asdict(), entries.pop(0))
    for offer_id, left in posted.items():
        if left:
            yield f"offer {offer_id} was removed after posting"


def _problems_of_offer(row: dict[str, Any], told: _Posted) -> Iterator[str]:
    offer = {column.name: row[column.name] for column in OFFERS.c}
    decision = {c.name: row[f"decision_{c.name}"] for c in DECISIONS.c if c.name != "decision_id"}
    decision["decision_id"] = row["decision_id"]
    status = told.status or WITHDRAWN
    if _changed(offer, told.event.get("fields", FIRST_FIELDS), told.event.get("terms")):
        yield f"offer {row['offer_id']} was changed after posting"
    elif row["status"] != status:
        yield f"offer {row['offer_id']} is {row['status']} against the chain"
    if decision["trace"] is None or text_hash(decision["trace"]) != told.event.get("trace"):
        yield f"decision {row['decision_id']} was changed or removed after posting"
    elif _decision_changed(decision, told.event):
        yield f"decision {row['decision_id']} was changed beside its trace"


def _changed(row: Mapping[str, Any], fields: Sequence[str], told: Any) -> bool:
    return not row.keys() >= set(fields) or told != row_hash(row, fields)


def _decision_changed(decision: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    if "decision" in event:
        return _changed(decision, event["decision_fields"], event["decision"])
    # The first release left no hash of these columns, and its trace says them all.
    try:
        case = read_trace(decision["trace"]).case
        said = (case["farmer_id"], case["as_of"], case["risk"]["model"])
        policy = content_hash(case["policy"], 16)
    except (UserError, KeyError, TypeError):
        return True
    columns = (decision["farmer_id"], decision["as_of"].isoformat(), decision["pd_model"])
    return said != columns or policy != decision["policy"]


def _stray_decisions(connection: sa.Connection) -> Iterator[str]:
    offered = sa.select(OFFERS.c.seq).where(OFFERS.c.decision_id == DECISIONS.c.decision_id)
    for decision_id in connection.scalars(
        sa.select(DECISIONS.c.decision_id).where(~offered.exists())
    ):
        yield f"decision {decision_id} belongs to no offer"


def _run_problems(connection: sa.Connection, walk: _Walk) -> Iterator[str]:
    rows = [row._asdict() for row in connection.execute(sa.select(RUNS).order_by(RUNS.c.seq))]
    found = Counter(canonical({n: row[n] for n in row if n != "seq"}) for row in rows)
    told = Counter(canonical(run) for run in walk.runs)
    for text in (found - told).elements():
        yield f"run {json.loads(text)['run_id']} was changed or added after it was entered"
    for text in (told - found).elements():
        yield f"run {json.loads(text).get('run_id')} was changed or removed after it was entered"


def _document_problems(connection: sa.Connection, walk: _Walk) -> Iterator[str]:
    left = dict(walk.documents)
    for row in connection.execute(sa.select(DOCUMENTS).order_by(DOCUMENTS.c.label)):
        told = left.pop(row.label, None)
        if told is None:
            yield f"document {row.label} was never entered"
        elif told != text_hash(row.body):
            yield f"document {row.label} was changed after it was entered"
    for label in left:
        yield f"document {label} was removed after it was entered"


def _review_problems(connection: sa.Connection, walk: _Walk) -> Iterator[str]:
    left = dict(walk.reviews)
    for row in connection.execute(sa.select(REVIEWS).order_by(REVIEWS.c.seq)):
        told = left.pop(row.review_id, None)
        if told is None:
            yield f"review {row.review_id} was never entered"
        elif _changed(row._asdict(), told.get("fields", ()), told.get("row")):
            yield f"review {row.review_id} was changed after it was entered"
    for review_id in left:
        yield f"review {review_id} was removed after it was entered"
