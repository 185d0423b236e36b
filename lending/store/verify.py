"""Verify: the whole store held against its audit chain, its key and its anchors.

Owns what an auditor asks: whether the chain follows, whether every row of every table is as it was
entered, whether offers posted less offers closed are those that live, and whether the chain is the
one that the lender's key and the anchors outside know. It writes nothing.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa

from fieldline.lending.decision.replay import read_trace
from fieldline.lending.store.anchors import Anchor, anchor_problems
from fieldline.lending.store.audit import row_hash, text_hash
from fieldline.lending.store.database import (
    AUDIT,
    DECISIONS,
    DOCUMENTS,
    LIVE,
    OFFERS,
    REVIEWS,
    RUNS,
    WITHDRAWN,
    snapshot,
)
from fieldline.lending.store.guards import missing_guards
from fieldline.lending.store.signer import Signer, signer
from fieldline.lending.store.since import Begin, begin_at, last_before
from fieldline.lending.store.walk import Posting, Walk, entry_problems, note_entry
from fieldline.pipeline.records.canonical import canonical, content_hash
from fieldline.pipeline.records.errors import UserError

_SHELF = ("county", "season", "product", "farmer_id")
ROWS_AT_ONCE = 500
"""Rows held at once: each may hold the trace of a decision."""


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
    since: int = 0
    """Entry after which verification began: neither it nor any before was read; `posted` and
    `closed` count what came later."""


def verify(
    engine: sa.Engine,
    by: Signer | None = None,
    anchors: Sequence[Anchor] = (),
    since: Anchor | None = None,
) -> AuditReport:
    """Walk the chain and hold every row of the store against it.

    Args:
        engine: Open database.
        by: Whose key the seals are held against; that of the environment where none is given.
        anchors: Anchors exported earlier and kept elsewhere.
        since: Anchor up to which the store was verified: only entries and rows that came later are
            read. Where the chain does not hold it, all of the store is.
    """
    by = by or signer()
    with snapshot(engine) as connection:
        problems = [f"guard {name} is missing" for name in missing_guards(connection)]
        begin, lost = begin_at(connection, since, by)
        walk = Walk(partial(_shelf, connection), whole=not begin.entry)
        walk.last_at = begin.at
        chain = _Chain(
            begin.entry, begin.head, {begin.entry: begin.head}, begin.seal, bool(begin.seal)
        )
        kept = {anchor.entries for anchor in anchors}
        problems += [*lost, *chain.follow(_entries(connection, begin.entry), walk, by, kept)]
        keyed = _keyed(by, chain)
        if keyed == "unsealed":
            problems.append("the head of the chain is not sealed by this key")
        held = [anchor for anchor in anchors if anchor.entries >= begin.entry]
        problems.extend(anchor_problems(held, chain.entries, chain.hashes, by))
        problems.extend(_row_problems(connection, walk, begin))
        live = int(connection.scalar(_count(OFFERS).where(OFFERS.c.status == LIVE)) or 0)
    if walk.whole and walk.posted - walk.closed != live:
        problems.append(
            f"the chain posted {walk.posted} offers and closed {walk.closed}, and {live} are live"
        )
    return AuditReport(
        chain.entries, chain.head, keyed, walk.posted, walk.closed, live, len(held),
        tuple(problems), begin.entry,
    )  # fmt: skip


@dataclass
class _Chain:
    """How far the chain was followed."""

    entries: int
    head: str
    hashes: dict[int, str]
    """Hashes of the entries that anchors name."""
    seal: str | None = None
    sealed_ever: bool = False

    def follow(
        self, rows: Iterable[sa.Row[Any]], walk: Walk, by: Signer, kept: Set[int]
    ) -> Iterator[str]:
        """Take in entries; yield in what each does not follow or contradicts."""
        for row in rows:
            self.entries += 1
            yield from entry_problems(row, self.entries, self.head, by)
            self.head, self.seal = row.hash, row.seal
            self.sealed_ever = self.sealed_ever or bool(row.seal)
            if self.entries in kept:
                self.hashes[self.entries] = row.hash
            yield from note_entry(row, walk)


def _entries(connection: sa.Connection, after: int) -> Iterable[sa.Row[Any]]:
    query = sa.select(AUDIT).where(AUDIT.c.seq > after).order_by(AUDIT.c.seq)
    return connection.execute(query.execution_options(yield_per=ROWS_AT_ONCE))


def _count(table: sa.Table) -> sa.Select[tuple[int]]:
    return sa.select(sa.func.count()).select_from(table)


def _keyed(by: Signer, chain: _Chain) -> str:
    if by.key is None:
        return "no key given" if chain.sealed_ever else "unkeyed"
    return "sealed" if not chain.entries or by.holds(chain.head, chain.seal) else "unsealed"


def _shelf(connection: sa.Connection, offer_id: str) -> tuple[Any, ...] | None:
    columns = [OFFERS.c[name] for name in _SHELF]
    row = connection.execute(sa.select(*columns).where(OFFERS.c.offer_id == offer_id)).first()
    return None if row is None else tuple(row)


def _row_problems(connection: sa.Connection, walk: Walk, begin: Begin) -> Iterator[str]:
    yield from _offer_problems(connection, walk, begin)
    yield from _stray_decisions(connection)
    if not walk.whole:
        yield from _ended_before(connection, walk)
    yield from _run_problems(connection, walk, begin)
    yield from _document_problems(connection, walk)
    yield from _review_problems(connection, walk, begin)


def _offer_problems(connection: sa.Connection, walk: Walk, begin: Begin) -> Iterator[str]:
    last = last_before(connection, OFFERS, walk.posted, begin)
    if not walk.whole and (last.offer_id if last else "") != begin.offer:
        yield f"offers were added or removed beside the {walk.posted} posted since"
    posted = {offer_id: deque(entries) for offer_id, entries in walk.offers.items()}
    columns = [c.label(f"decision_{c.name}") for c in DECISIONS.c if c.name != "decision_id"]
    query = sa.select(OFFERS, *columns).join(
        DECISIONS, OFFERS.c.decision_id == DECISIONS.c.decision_id, isouter=True
    )
    query = query.where(OFFERS.c.seq > (last.seq if last else 0)).order_by(OFFERS.c.seq)
    for row in connection.execute(query.execution_options(yield_per=ROWS_AT_ONCE)):
        entries = posted.get(row.offer_id)
        if not entries:
            yield f"offer {row.offer_id} was never posted"
        else:
            yield from _problems_of_offer(row._asdict(), entries.popleft())
    for offer_id, left in posted.items():
        if left:
            yield f"offer {offer_id} was removed after posting"


def _ended_before(connection: sa.Connection, walk: Walk) -> Iterator[str]:
    """Yield the offers posted before the walk that are not as the chain has ended them since."""
    names = sorted(walk.ended_before)
    for start in range(0, len(names), ROWS_AT_ONCE):
        part = names[start : start + ROWS_AT_ONCE]
        query = sa.select(OFFERS.c.offer_id, OFFERS.c.status).where(OFFERS.c.offer_id.in_(part))
        found = {tuple(row) for row in connection.execute(query)}
        for name in part:
            if (name, walk.ended_before[name]) not in found:
                yield f"offer {name} is not {walk.ended_before[name]} as the chain says"


def _problems_of_offer(row: dict[str, Any], told: Posting) -> Iterator[str]:
    offer = {column.name: row[column.name] for column in OFFERS.c}
    decision = {c.name: row[f"decision_{c.name}"] for c in DECISIONS.c if c.name != "decision_id"}
    decision["decision_id"] = row["decision_id"]
    status = told.status or WITHDRAWN
    if _changed(offer, told.fields, told.terms):
        yield f"offer {row['offer_id']} was changed after posting"
    elif row["status"] != status:
        yield f"offer {row['offer_id']} is {row['status']} against the chain"
    if decision["trace"] is None or text_hash(decision["trace"]) != told.trace:
        yield f"decision {row['decision_id']} was changed or removed after posting"
    elif _decision_changed(decision, told):
        yield f"decision {row['decision_id']} was changed beside its trace"


def _changed(row: Mapping[str, Any], fields: Sequence[str], told: Any) -> bool:
    return not row.keys() >= set(fields) or told != row_hash(row, fields)


def _decision_changed(decision: Mapping[str, Any], told: Posting) -> bool:
    if told.decision_fields is not None:
        return _changed(decision, told.decision_fields, told.decision)
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


def _run_problems(connection: sa.Connection, walk: Walk, begin: Begin) -> Iterator[str]:
    last = last_before(connection, RUNS, len(walk.runs), begin)
    if not walk.whole and (_run_text(last) if last else "") != begin.run:
        yield f"runs were added or removed beside the {len(walk.runs)} entered since"
    query = sa.select(RUNS).where(RUNS.c.seq > (last.seq if last else 0))
    found = Counter(map(_run_text, connection.execute(query)))
    told = Counter(canonical(run) for run in walk.runs)
    for text in (found - told).elements():
        yield f"run {json.loads(text)['run_id']} was changed or added after it was entered"
    for text in (told - found).elements():
        yield f"run {json.loads(text).get('run_id')} was changed or removed after it was entered"


def _run_text(row: sa.Row[Any]) -> str:
    return canonical({name: value for name, value in row._asdict().items() if name != "seq"})


def _document_problems(connection: sa.Connection, walk: Walk) -> Iterator[str]:
    left = dict(walk.documents)
    query = sa.select(DOCUMENTS).order_by(DOCUMENTS.c.label)
    if not walk.whole:
        query = query.where(DOCUMENTS.c.label.in_(left))
    for row in connection.execute(query):
        told = left.pop(row.label, None)
        if told is None:
            yield f"document {row.label} was never entered"
        elif told != text_hash(row.body):
            yield f"document {row.label} was changed after it was entered"
    for label in left:
        yield f"document {label} was removed after it was entered"


def _review_problems(connection: sa.Connection, walk: Walk, begin: Begin) -> Iterator[str]:
    left = dict(walk.reviews)
    last = last_before(connection, REVIEWS, len(left), begin)
    if not walk.whole and (last.review_id if last else "") != begin.review:
        yield f"acts of people were added or removed beside the {len(left)} entered since"
    query = sa.select(REVIEWS).where(REVIEWS.c.seq > (last.seq if last else 0))
    for row in connection.execute(query.order_by(REVIEWS.c.seq)):
        told = left.pop(row.review_id, None)
        if told is None:
            yield f"review {row.review_id} was never entered"
        elif _changed(row._asdict(), told.get("fields", ()), told.get("row")):
            yield f"review {row.review_id} was changed after it was entered"
    for review_id in left:
        yield f"review {review_id} was removed after it was entered"
