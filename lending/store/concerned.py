"""Concerned: on which counties' offers the acts of people bear, so that those are posted again.

Owns the answer that the plan of a run asks for. A decision of a person is of one shelf, and the
posting of that shelf honours it. Elsewhere it counts by the line that it gave or ended: whoever
counted a line that is gone since may be lent more, and is asked again by the first run after the
posting that ended it. Whom a new line concerns elsewhere keeps what stands (`lending.store.lines`).
A released line is nobody's posting, so every county is asked again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from fieldline.lending.decision.case import Case
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.store.database import (
    DECISIONS,
    EXPIRED,
    LIVE,
    OFFERS,
    REVIEWS,
    is_there,
    reading,
)
from fieldline.lending.store.reviews import RELEASE
from fieldline.pipeline.records.databases import engine_of
from fieldline.pipeline.records.errors import UserError

_DESK = ("decide", "confirm", "revoke")
_SHELF = ("county", "season", "product")
_LINE = (*_SHELF, "limit_minor", "valid_to")
"""What a decision that counted a line knows of it."""
_AT_ONCE = 500

Place = tuple[str, str]
"""County and season."""
Line = tuple[Any, ...]


@dataclass(frozen=True)
class Concerned:
    """How many acts, and lines that they ended, bear on each county and season: none ever less."""

    own: Mapping[Place, int] = field(default_factory=dict)
    """Decisions of people there, with those that confirm and revoke them."""
    released: int = 0
    """Lines of the whole store that were released."""
    ended: Mapping[Place, int] = field(default_factory=dict)
    """Lines elsewhere that a decision there counted, that a person decided on and that are gone."""

    def of(self, county: str, season: str) -> list[int]:
        """Return what bears on one county and season: where it is another, post again."""
        place = county, season
        return [self.own.get(place, 0), self.released, self.ended.get(place, 0)]


def concerned_by_acts(database: str | Path) -> Concerned:
    """Return what the acts of a store bear on; a store that is not there is not made.

    Args:
        database: Path of an SQLite file, or an SQLAlchemy URL.

    Raises:
        UserError: It cannot be read.
    """
    if not is_there(database):
        return Concerned()
    engine = engine_of(str(database))
    try:
        with reading(engine) as connection:
            if not sa.inspect(connection).has_table(REVIEWS.name):
                return Concerned()
            place = REVIEWS.c.county, REVIEWS.c.season
            counted = sa.select(*place, sa.func.count()).where(REVIEWS.c.act.in_(_DESK))
            own = {(row[0], row[1]): row[2] for row in connection.execute(counted.group_by(*place))}
            releases = sa.select(sa.func.count()).where(REVIEWS.c.act == RELEASE)
            released = int(connection.scalar(releases) or 0)
            return Concerned(own, released, _ended(connection) if own else {})
    finally:
        engine.dispose()


def _ended(connection: sa.Connection) -> dict[Place, int]:
    gone = _gone(connection)
    found: dict[Place, set[Line]] = defaultdict(set)
    traces = _traces(connection, {row.decision_id for row, _ in gone})
    for row, lines in gone:
        found[row.county, row.season] |= lines & traces[row.decision_id]
    return {place: len(lines) for place, lines in found.items() if lines}


def _gone(connection: sa.Connection) -> list[tuple[sa.Row[Any], set[Line]]]:
    """Return offers of other shelves whose decision may have counted a line that is gone, with such
    lines: those of the farmer's own and of the household's others."""
    of_person: dict[str, set[Line]] = defaultdict(set)
    of_household: dict[str, set[Line]] = defaultdict(set)
    for row in _acted_and_gone(connection):
        of_person[row.farmer_id].add(_line(row))
        of_household[row.household_id].add(_line(row))
    for part in _parts(of_household):
        for status in (LIVE, EXPIRED):  # each has a partial index of its own
            members = sa.select(OFFERS.c.farmer_id, OFFERS.c.household_id).where(
                OFFERS.c.status == status, OFFERS.c.household_id.in_(part)
            )
            for farmer, household in connection.execute(members.distinct()):
                of_person[farmer] |= of_household[household]
    found = []
    columns = [OFFERS.c[name] for name in (*_SHELF, "farmer_id", "decision_id")]
    for part in _parts(of_person):
        for row in connection.execute(sa.select(*columns).where(OFFERS.c.farmer_id.in_(part))):
            elsewhere = {line for line in of_person[row.farmer_id] if line[:3] != tuple(row)[:3]}
            if elsewhere:
                found.append((row, elsewhere))
    return found


def _acted_and_gone(connection: sa.Connection) -> list[sa.Row[Any]]:
    """Return approved offers on which people decided and of whose terms none stands there."""
    names = (*_SHELF, "farmer_id")
    of_desk = REVIEWS.c.act.in_(_DESK)
    acted = sa.select(*(REVIEWS.c[name] for name in names)).where(of_desk).distinct().subquery()
    columns = [OFFERS.c[name] for name in (*_LINE, "farmer_id", "household_id", "status")]
    query = sa.select(*columns).join(acted, sa.and_(*(OFFERS.c[n] == acted.c[n] for n in names)))
    rows = connection.execute(query.where(OFFERS.c.access == "approve")).all()
    stands = {(row.farmer_id, _line(row)) for row in rows if row.status in (LIVE, EXPIRED)}
    return [row for row in rows if (row.farmer_id, _line(row)) not in stands]


def _traces(connection: sa.Connection, ids: Iterable[str]) -> dict[str, set[Line]]:
    """Return the lines that decisions counted, by decision."""
    found: dict[str, set[Line]] = defaultdict(set)
    for part in _parts(ids):
        query = sa.select(DECISIONS.c.decision_id, DECISIONS.c.trace)
        for name, trace in connection.execute(query.where(DECISIONS.c.decision_id.in_(part))):
            try:
                lines = Case.of(read_trace(trace).case).lines
            except (UserError, ValueError):
                continue  # a trace that a later version wrote: the audit names it
            found[name] = {_line(line) for line in lines}
    return found


def _line(row: Any) -> Line:
    return tuple(getattr(row, name) for name in _LINE)


def _parts(names: Iterable[str]) -> Iterator[Sequence[str]]:
    ordered = sorted(names)
    for start in range(0, len(ordered), _AT_ONCE):
        yield ordered[start : start + _AT_ONCE]
