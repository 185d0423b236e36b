"""Audit: an append-only chain in which every entry holds the hash of the one before.

Owns appending and verifying. Each posted offer leaves the hash of its terms and of its decision's
trace, so that a changed offer, trace or entry is found by anyone who can read the database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fieldline.lending.store.database import AUDIT, DECISIONS, LIVE, OFFERS
from fieldline.pipeline.records.canonical import canonical

GENESIS = "0" * 64
"""The hash before the first entry."""


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
    """Walk the chain and hold every live offer and its trace against what was posted."""
    with engine.connect() as connection:
        problems: list[str] = []
        posted: dict[str, dict[str, Any]] = {}
        previous, count = GENESIS, 0
        for row in connection.execute(sa.select(AUDIT).order_by(AUDIT.c.seq)):
            count += 1
            problems.extend(_entry_problems(row, count, previous))
            previous = row.hash
            event = json.loads(row.payload)
            if event.get("event") == "offer":
                posted[event["offer_id"]] = event
        problems.extend(_offer_problems(connection, posted))
    return AuditReport(count, previous, tuple(problems))


def _entry_problems(row: sa.Row[Any], expected: int, previous: str) -> list[str]:
    if row.seq != expected:
        return [f"entry {expected} is missing before {row.seq}"]
    if row.previous != previous:
        return [f"entry {row.seq} does not follow the entry before it"]
    if text_hash(f"{row.seq}\n{row.previous}\n{row.payload}") != row.hash:
        return [f"entry {row.seq} was changed"]
    return []


def _offer_problems(connection: sa.Connection, posted: dict[str, dict[str, Any]]) -> list[str]:
    query = sa.select(OFFERS, DECISIONS.c.trace).join(
        DECISIONS, OFFERS.c.decision_id == DECISIONS.c.decision_id, isouter=True
    )
    problems = []
    for row in connection.execute(query.where(OFFERS.c.status == LIVE).order_by(OFFERS.c.seq)):
        event = posted.get(row.offer_id)
        if event is None:
            problems.append(f"offer {row.offer_id} was never posted")
        elif event["terms"] != terms_hash(row._asdict()):
            problems.append(f"offer {row.offer_id} was changed after posting")
        elif row.trace is None or event["trace"] != text_hash(row.trace):
            problems.append(f"decision {row.decision_id} was changed or removed after posting")
    return problems


def terms_hash(offer: dict[str, Any]) -> str:
    """Return the hash of an offer's terms: every column but its position and status."""
    terms = {c.name: offer[c.name] for c in OFFERS.columns if c.name not in ("seq", "status")}
    return text_hash(canonical(terms))
