"""Audit: an append-only chain in which every entry holds the hash of the one before.

Owns appending and verifying. Each posted offer leaves the hash of its terms, the list of the fields
that this hash covers and the hash of its decision's trace, so that a changed offer, trace or entry
is found by anyone who can read the database, whatever columns have come since.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fieldline.lending.store.database import AUDIT, DECISIONS, LIVE, OFFERS, reading
from fieldline.pipeline.records.canonical import canonical

Posted = dict[str, list[dict[str, Any]]]
"""Entries of offers by offer id; an offer that comes back has one for each time."""

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


@dataclass(frozen=True)
class AuditReport:
    """What verification found; no problem means that every byte is as it was posted."""

    entries: int
    head: str
    """Hash of the last entry; keep it elsewhere to prove that nothing was cut off."""
    problems: tuple[str, ...]


def text_hash(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def append(connection: sa.Connection, events: Sequence[dict[str, Any]]) -> None:
    """Append events to the chain; the caller holds the posting lock."""
    seq, previous = _head(connection)
    rows = []
    for event in events:
        seq += 1
        payload = canonical(event)
        entry = text_hash(f"{seq}\n{previous}\n{payload}")
        rows.append({"seq": seq, "payload": payload, "previous": previous, "hash": entry})
        previous = entry
    if rows:
        connection.execute(sa.insert(AUDIT), rows)


def _head(connection: sa.Connection) -> tuple[int, str]:
    last = connection.execute(
        sa.select(AUDIT.c.seq, AUDIT.c.hash).order_by(AUDIT.c.seq.desc()).limit(1)
    ).first()
    return (last.seq, last.hash) if last else (0, GENESIS)


def verify(engine: sa.Engine) -> AuditReport:
    """Walk the chain and hold every offer ever posted, and its trace, against its entry."""
    with reading(engine) as connection:
        problems: list[str] = []
        posted: Posted = defaultdict(list)
        previous, count = GENESIS, 0
        for row in connection.execute(sa.select(AUDIT).order_by(AUDIT.c.seq)):
            count += 1
            problems.extend(_entry_problems(row, count, previous))
            previous = row.hash
            problems.extend(_note(row, posted))
        problems.extend(_offer_problems(connection, posted))
    return AuditReport(count, previous, tuple(problems))


def _note(row: sa.Row[Any], posted: Posted) -> list[str]:
    """Note what an entry says of an offer; return a problem where it says nothing readable."""
    try:
        event = json.loads(row.payload)
        kind, entries = event.get("event"), posted[event.get("offer_id", "")]
    except (ValueError, TypeError, AttributeError):
        return [f"entry {row.seq} is no record"]
    if kind == "offer":
        entries.append(event)
    elif kind == "closed" and entries:
        entries[-1]["closed"] = True
    return []


def _entry_problems(row: sa.Row[Any], expected: int, previous: str) -> list[str]:
    if row.seq != expected:
        return [f"entry {expected} is missing before {row.seq}"]
    if row.previous != previous:
        return [f"entry {row.seq} does not follow the entry before it"]
    if text_hash(f"{row.seq}\n{row.previous}\n{row.payload}") != row.hash:
        return [f"entry {row.seq} was changed"]
    return []


def _offer_problems(connection: sa.Connection, posted: Posted) -> Iterator[str]:
    query = sa.select(OFFERS, DECISIONS.c.trace).join(
        DECISIONS, OFFERS.c.decision_id == DECISIONS.c.decision_id, isouter=True
    )
    for row in connection.execute(query.order_by(OFFERS.c.seq)):
        entries = posted.get(row.offer_id)
        if not entries:
            yield f"offer {row.offer_id} was never posted"
        else:
            yield from _row_problems(row, entries.pop(0))
    for offer_id, entries in posted.items():
        if entries:
            yield f"offer {offer_id} was removed after posting"


def _row_problems(row: sa.Row[Any], event: Mapping[str, Any]) -> Iterator[str]:
    if _changed(event, row._asdict()):
        yield f"offer {row.offer_id} was changed after posting"
    elif (row.status == LIVE) == event.get("closed", False):
        yield f"offer {row.offer_id} is {row.status} against the chain"
    elif row.trace is None or event.get("trace") != text_hash(row.trace):
        yield f"decision {row.decision_id} was changed or removed after posting"


def _changed(event: Mapping[str, Any], offer: Mapping[str, Any]) -> bool:
    fields = event.get("fields", FIRST_FIELDS)
    return not offer.keys() >= set(fields) or event.get("terms") != terms_hash(offer, fields)


def offer_event(offer: Mapping[str, Any], trace: str) -> dict[str, Any]:
    """Return the entry of a posted offer: its terms as stored, and which fields they are.

    Args:
        offer: The row as inserted.
        trace: The decision's trace as stored.
    """
    fields = sorted(name for name in offer if name not in _OUTSIDE)
    return {
        "event": "offer",
        "offer_id": offer["offer_id"],
        "decision_id": offer["decision_id"],
        "fields": fields,
        "terms": terms_hash(offer, fields),
        "trace": text_hash(trace),
    }


def terms_hash(offer: Mapping[str, Any], fields: Sequence[str]) -> str:
    """Return the hash of an offer's terms.

    Args:
        offer: The offer's columns, at least those that count.
        fields: The columns that count: the list that the offer was posted with.
    """
    return text_hash(canonical({name: offer[name] for name in fields}))
