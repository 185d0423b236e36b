"""Audit: an append-only chain in which every entry holds the hash of the one before.

Owns what is written: each row of the store leaves its hash and the list of the fields that this
hash covers, with the time and the name of who acted, so that whatever is changed, added or removed
later is found (`lending.store.verify`), whatever columns have come since. With a key every entry
is sealed, and a chain that was made anew is found too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import sqlalchemy as sa

from fieldline.lending.store.database import AUDIT, holds
from fieldline.lending.store.rows import add_rows
from fieldline.lending.store.signer import Signer, signer
from fieldline.pipeline.records.canonical import canonical_document
from fieldline.pipeline.records.errors import UserError

GENESIS = "0" * 64
"""The hash before the first entry."""

FIRST_FIELDS = (
    "offer_id", "county", "season", "farmer_id", "household_id", "product", "access", "currency",
    "limit_minor", "annual_rate", "tenor_days", "day_basis", "valid_from", "valid_to",
    "reason_codes", "reasons", "reasons_zh", "decision_id",
)  # fmt: skip
"""What the terms hash of an entry without a list covers: the columns of the first release."""

_OUTSIDE = ("seq", "status")
"""Columns that are no terms: the row's position, and what becomes of the offer."""

Row = dict[str, Any]

_STAMP = ("event", "at", "by")
"""What an entry says of itself rather than of a row."""


def text_hash(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def entry_hash(seq: int, previous: str, payload: str) -> str:
    """Return the hash of an entry: of its place, the hash before it and what it says."""
    return text_hash(f"{seq}\n{previous}\n{payload}")


def row_hash(row: Mapping[str, Any], fields: Sequence[str]) -> str:
    """Return the hash of a row.

    Args:
        row: The columns, at least those that count.
        fields: The columns that count: the list that the row was entered with.
    """
    return text_hash(canonical_document({name: row[name] for name in fields}))


def append(
    connection: sa.Connection, events: Iterable[Mapping[str, Any]], by: Signer | None = None
) -> None:
    """Append events to the chain, each with its time and actor; the caller holds the posting lock.

    Args:
        connection: Of `posting`.
        events: What happened; asked for one by one, and of no database.
        by: Who signs; that of the environment where none is given.

    Raises:
        UserError: The clock stands before the last entry, or the last entry is not sealed by this
            signer's key: the chain would no longer prove what it did.
    """
    coming = iter(events)
    first = next(coming, None)
    if first is None:
        return
    by = by or signer()
    last = _last(connection)
    if last is not None:
        _refuse_break(last, by)
    seq, previous = (last.seq, last.hash) if last else (0, GENESIS)
    stamp = {"at": by.time(_said_at(last)), "by": by.actor}
    add_rows(connection, AUDIT, _entries(chain([first], coming), (seq, previous), stamp, by))


def _entries(
    events: Iterable[Mapping[str, Any]], last: tuple[int, str], stamp: Row, by: Signer
) -> Iterator[Row]:
    """Yield the entries of events after the last one, given by its number and hash."""
    seq, previous = last
    for event in events:
        seq += 1
        payload = canonical_document({**event, **stamp})
        entry = entry_hash(seq, previous, payload)
        yield {
            "seq": seq, "payload": payload, "previous": previous, "hash": entry,
            "seal": by.seal(entry),
        }  # fmt: skip
        previous = entry


def take_over(connection: sa.Connection, by: Signer) -> None:
    """Seal a chain under a key that did not seal it before; whoever does so has verified it.

    Raises:
        UserError: There is no key, or nothing to seal.
    """
    last = _last(connection)
    if by.key is None or last is None:
        raise UserError(
            "the chain cannot be sealed without a key and an entry",
            "set FIELDLINE_AUDIT_KEY or `audit.key_file`, and post first",
        )
    seq = last.seq + 1
    stamp = {"event": "sealed", "at": by.time(_said_at(last)), "by": by.actor}
    payload = canonical_document({**stamp, "key": by.key_id})
    entry = entry_hash(seq, last.hash, payload)
    row = {"seq": seq, "payload": payload, "previous": last.hash, "hash": entry}
    connection.execute(sa.insert(AUDIT), {**row, "seal": by.seal(entry)})


def _last(connection: sa.Connection) -> sa.Row[Any] | None:
    return connection.execute(sa.select(AUDIT).order_by(AUDIT.c.seq.desc()).limit(1)).first()


def _refuse_break(last: sa.Row[Any], by: Signer) -> None:
    if by.key is None and last.seal:
        raise UserError(
            "the store's audit chain is sealed and no key is given",
            "set FIELDLINE_AUDIT_KEY or `audit.key_file` and run again",
        )
    if by.key is not None and not by.holds(last.hash, last.seal):
        made = "not sealed" if not last.seal else "sealed by another key"
        raise UserError(
            f"the last entry of the store's audit chain is {made}",
            "run `fieldline audit verify`, then `fieldline audit seal` to go on under this key",
        )


def _said_at(last: sa.Row[Any] | None) -> str | None:
    try:
        said = json.loads(last.payload).get("at") if last is not None else None
    except (ValueError, AttributeError):
        return None
    return said if isinstance(said, str) else None


def run_event(run: Mapping[str, Any], documents: Mapping[str, str]) -> dict[str, Any]:
    """Return the entry of a run.

    Args:
        run: The row of table `runs`.
        documents: Hash by label of the documents that came into the store with it.
    """
    return {"event": "run", **run, **({"documents": dict(documents)} if documents else {})}


def said_of_run(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an entry says of a run's row."""
    return {n: v for n, v in event.items() if n not in (*_STAMP, "documents")}


def closed_event(offer_id: str, status: str) -> dict[str, Any]:
    """Return the entry of an offer that is no longer live."""
    return {"event": "closed", "offer_id": offer_id, "status": status}


def offer_event(offer: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of a posted offer: hashes of its terms and decision, and of which fields.

    Args:
        offer: The row as inserted.
        decision: The row of its decision as stored.
    """
    fields = sorted(name for name in offer if name not in _OUTSIDE)
    of_decision = sorted(name for name in decision if name != "trace")
    return {
        "event": "offer",
        "offer_id": offer["offer_id"],
        "decision_id": offer["decision_id"],
        "fields": fields,
        "terms": row_hash(offer, fields),
        "trace": text_hash(decision["trace"]),
        "decision_fields": of_decision,
        "decision": row_hash(decision, of_decision),
    }


def actor_of(connection: sa.Connection, review_id: str) -> str:
    """Return who entered a person's act, as the chain tells it; empty where it does not."""
    of_reviews = holds(connection, "payload", '"event":"review"')
    within = "strpos" if connection.dialect.name == "postgresql" else "instr"
    # As the index on it says it, and no otherwise.
    named = sa.text(f'substr(payload, {within}(payload, \'"review_id":"\') + 13, 32) = :named')
    query = sa.select(AUDIT.c.payload).where(of_reviews, named.bindparams(named=review_id))
    for payload in connection.scalars(query.order_by(AUDIT.c.seq)):
        entry = json.loads(payload)
        if entry.get("event") == "review" and entry.get("review_id") == review_id:
            return str(entry.get("by", ""))
    return ""


def review_event(review: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of a person's act.

    Args:
        review: The row as inserted.
    """
    fields = sorted(name for name in review if name not in _OUTSIDE)
    return {
        "event": "review",
        "review_id": review["review_id"],
        "fields": fields,
        "row": row_hash(review, fields),
    }
