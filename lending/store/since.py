"""Since: where in the store a verification begins that goes on from an anchor.

Owns whether the chain still holds the anchor, and what stood last in each table when it was taken.
Rows are added in the order of their entries, so as many rows as the chain tells of since then must
follow it, and the one before them must be the one that the chain told of last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fieldline.lending.store.anchors import Anchor, anchor_problems
from fieldline.lending.store.audit import GENESIS, entry_hash, said_of_run
from fieldline.lending.store.database import AUDIT, holds
from fieldline.lending.store.signer import Signer
from fieldline.pipeline.records.canonical import canonical

_ENTRIES_AT_ONCE = 500


@dataclass(frozen=True)
class Begin:
    """The entry after which a verification begins, and what the chain told of last up to it."""

    entry: int = 0
    head: str = GENESIS
    seal: str | None = None
    at: str = ""
    offer: str = ""
    """Id of the offer that was posted last; empty where none was."""
    run: str = ""
    """Row of the last run as canonical text, without its position."""
    review: str = ""
    """Id of the last act of a person."""


def begin_at(
    connection: sa.Connection, anchor: Anchor | None, by: Signer
) -> tuple[Begin, tuple[str, ...]]:
    """Return where a verification begins, and what of the anchor the chain no longer holds.

    Args:
        connection: Of `snapshot`.
        anchor: Where the last one ended; None for the first entry of all. A chain that does not
            hold it is walked from there too.
        by: Whose key seals anchors.
    """
    if anchor is None:
        return Begin(), ()
    last = connection.scalar(sa.select(sa.func.max(AUDIT.c.seq))) or 0
    row = connection.execute(sa.select(AUDIT).where(AUDIT.c.seq == anchor.entries)).first()
    hashes = {} if row is None else {row.seq: entry_hash(row.seq, row.previous, row.payload)}
    lost = tuple(anchor_problems([anchor], last, hashes, by))
    if lost or row is None:
        return Begin(), lost
    at = str(_read(row.payload).get("at", ""))
    told = _last_told(connection, anchor.entries)
    return Begin(anchor.entries, row.hash, row.seal, at, **told), ()


def _last_told(connection: sa.Connection, entry: int) -> dict[str, str]:
    """Return the offer, the run and the act of a person that an entry or one before told last."""
    found: dict[str, str] = {}
    for event in _back(connection, entry):
        if event.get("event") == "offer":
            found.setdefault("offer", str(event.get("offer_id")))
        elif event.get("event") == "run":
            found.setdefault("run", canonical(said_of_run(event)))
        if found.keys() >= {"offer", "run"}:
            break
    of_reviews = holds(connection, "payload", '"event":"review"')
    query = sa.select(AUDIT.c.payload).where(of_reviews, AUDIT.c.seq <= entry)
    for payload in connection.scalars(query.order_by(AUDIT.c.seq.desc())):
        event = _read(payload)
        if event.get("event") == "review":
            return {**found, "review": str(event.get("review_id"))}
    return found


def _back(connection: sa.Connection, entry: int) -> Iterator[Mapping[str, Any]]:
    """Yield what entries say, from one back to the first."""
    query = sa.select(AUDIT.c.payload).where(AUDIT.c.seq <= entry).order_by(AUDIT.c.seq.desc())
    for payload in connection.scalars(query.execution_options(yield_per=_ENTRIES_AT_ONCE)):
        yield _read(payload)


def _read(payload: str) -> Mapping[str, Any]:
    """Return what an entry says; one that is no record says nothing, and the rows will show it."""
    try:
        event = json.loads(payload)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def last_before(
    connection: sa.Connection, table: sa.Table, added: int, begin: Begin
) -> sa.Row[Any] | None:
    """Return the last row of a table before those that the chain tells of since; None of none.

    Args:
        connection: Of `snapshot`.
        table: A table to which rows are only added, numbered by `seq`.
        added: Rows that the chain tells of since.
        begin: Where the verification began; from the first entry on, no row stands before it.
    """
    if not begin.entry:
        return None
    query = sa.select(table).order_by(table.c.seq.desc()).offset(added).limit(1)
    return connection.execute(query).first()
