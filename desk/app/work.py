"""Work: whose case it is, whether the field was visited, and what reviewers noted.

Owns these three acts. They decide nothing, so they need no table of rules: the audit chain itself
keeps them, in full, with time and actor, which is why none can be changed and a note may hold no
name. What stands now is the last act of each kind.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from fieldline.lending.store.audit import append
from fieldline.lending.store.database import AUDIT, holds, posting, reading
from fieldline.lending.store.signer import Signer
from fieldline.pipeline.records.errors import UserError

EVENT = "work"
ASSIGN, VISIT, NOTE = "assign", "visit", "note"
VISITS = ("planned", "visited", "not_met")
"""States of a visit: planned, made, or nobody and no field was found."""
MOST_LETTERS = 2000
Farmer = tuple[str, str, str]
"""County, season, pseudonym."""


@dataclass(frozen=True)
class Entry:
    """One act on a farmer."""

    kind: str
    value: str
    by: str
    at: str


@dataclass
class Book:
    """What has been done on every case, read from the chain as far as it goes."""

    engine: Callable[[], sa.Engine]
    _seq: int = 0
    _owners: dict[tuple[str, str], dict[str, str]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    _entries: dict[tuple[str, str], dict[str, list[Entry]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def owners(self, county: str, season: str) -> dict[str, str]:
        """Return the owner of each farmer's case."""
        with self._lock:
            self._read()
            return dict(self._owners[county, season])

    def entries(self, farmer: Farmer) -> tuple[Entry, ...]:
        """Return visits and notes of a farmer, oldest first."""
        with self._lock:
            self._read()
            return tuple(self._entries[farmer[:2]].get(farmer[2], ()))

    def visits(self, county: str, season: str) -> dict[str, str]:
        """Return the state of the visit by farmer, where there is one."""
        with self._lock:
            self._read()
            return {
                farmer: last[-1].value
                for farmer, found in self._entries[county, season].items()
                if (last := [entry for entry in found if entry.kind == VISIT])
            }

    def owned(self, owner: str) -> dict[tuple[str, str], frozenset[str]]:
        """Return the farmers whose cases somebody owns, by county and season."""
        with self._lock:
            self._read()
            found = {
                shelf: frozenset(farmer for farmer, who in owners.items() if who == owner)
                for shelf, owners in self._owners.items()
            }
        return {shelf: farmers for shelf, farmers in found.items() if farmers}

    def every_owner(self) -> dict[tuple[str, str], frozenset[str]]:
        """Return the owners of cases by county and season."""
        with self._lock:
            self._read()
            return {shelf: frozenset(owners.values()) for shelf, owners in self._owners.items()}

    def assign(self, county: str, season: str, owners: Mapping[str, str], by: Signer) -> None:
        """Enter who owns which cases from now on."""
        self._enter({"kind": ASSIGN, "county": county, "season": season,
                     "owners": dict(owners)}, by)  # fmt: skip

    def add(self, farmer: Farmer, kind: str, value: str, by: Signer) -> None:
        """Enter a visit's state or a note.

        Raises:
            UserError: There is no such state, or the note is empty or too long.
        """
        county, season, name = farmer
        text = value.strip()
        if kind == VISIT and text not in VISITS:
            raise UserError(f"{text!r} is no state of a visit", f"choose {', '.join(VISITS)}")
        if not 0 < len(text) <= MOST_LETTERS:
            raise UserError(
                f"a note of {len(text)} letters cannot be kept", f"write 1 to {MOST_LETTERS}"
            )
        self._enter({"kind": kind, "county": county, "season": season, "farmer_id": name,
                     "value": text}, by)  # fmt: skip

    def _enter(self, act: dict[str, Any], by: Signer) -> None:
        with posting(self.engine()) as connection:
            append(connection, [{"event": EVENT, **act}], by)

    def _read(self) -> None:
        """Take in what the chain holds beyond the last entry read."""
        with reading(self.engine()) as connection:
            head = connection.scalar(sa.select(sa.func.max(AUDIT.c.seq))) or 0
            if head < self._seq:  # another database stands there now
                self._seq = 0
                self._owners.clear()
                self._entries.clear()
            about = holds(connection, "payload", f'"event":"{EVENT}"')
            query = sa.select(AUDIT.c.payload).where(AUDIT.c.seq > self._seq, about)
            for payload in connection.scalars(query.order_by(AUDIT.c.seq)):
                self._take(json.loads(payload))
        self._seq = head

    def _take(self, event: dict[str, Any]) -> None:
        if event.get("event") != EVENT:
            return
        place = (event["county"], event["season"])
        if event["kind"] == ASSIGN:
            self._owners[place].update(event["owners"])
            return
        entry = Entry(event["kind"], event["value"], event["by"], event["at"])
        self._entries[place][event["farmer_id"]].append(entry)
