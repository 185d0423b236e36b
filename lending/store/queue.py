"""Queue: the cases that people decide, counted by the database and read a part at a time.

Owns which live offers are cases, where each stands and in which order they come. What is asked for
is a county, some farmers or a stretch of the list, so that no answer holds the queue of a province;
to count them all, the database walks the indexes of the cases and of what people decided.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from fieldline.lending.store.database import LIVE, OFFERS, REVIEWS, reading

Row = dict[str, Any]
Counts = dict[tuple[str, str], dict[str, int]]
"""Number of cases by county and season, and by where they stand."""

WAITS = "waits"
SECOND = "waits for a second person"
IN_FORCE = "in force"
STATES = (WAITS, SECOND, IN_FORCE, "revoked", "lapsed")
"""Where a case stands, in the order of the queue."""

_KEY = ("county", "season", "product", "farmer_id")
_DECIDED = REVIEWS.alias("decided")
"""The last decision on an offer's farmer."""
_AT_ONCE = 500


@dataclass(frozen=True)
class Within:
    """Whose cases are asked for: every condition that is given must hold."""

    county: str = ""
    season: str = ""
    counties: frozenset[str] | None = None
    """Counties that the asker may see; None for all."""
    farmers: frozenset[str] | None = None
    """Farmers, by pseudonym; None for all of the counties."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One case of the queue."""

    seq: int
    """Number of its offer in the store."""
    offer_id: str
    county: str
    season: str
    product: str
    farmer_id: str
    said: str
    """Where it stands, one of `STATES`."""
    officer: str
    """Who decided last; empty where nobody has."""
    review_id: str
    """That decision."""

    @property
    def place(self) -> tuple[Any, ...]:
        """What the queue is ordered by: what waits first."""
        return (_RANK[self.said], self.county, self.season, self.product, self.farmer_id)


_RANK = {said: number for number, said in enumerate(STATES)}


def counts(engine: sa.Engine, within: Within) -> Counts:
    """Return how many cases there are by county, season and state; of all farmers."""
    found: Counts = defaultdict(lambda: defaultdict(int))
    asked = (
        sa.select(OFFERS.c.county, OFFERS.c.season, sa.func.count())
        .where(OFFERS.c.status == LIVE, OFFERS.c.access == "review", *_here(OFFERS, within))
        .group_by(OFFERS.c.county, OFFERS.c.season)
    )
    told = _acted_on(within).subquery()
    columns = [told.c[name] for name in ("county", "season", "access", "said")]
    acted = sa.select(*columns, sa.func.count()).group_by(*columns)
    with reading(engine) as connection:
        for county, season, number in connection.execute(asked):
            found[county, season][WAITS] += number
        for county, season, access, said, number in connection.execute(acted):
            found[county, season][said] += number
            if access == "review":
                found[county, season][WAITS] -= number
    return {
        shelf: {said: number for said, number in of.items() if number}
        for shelf, of in sorted(found.items()) if any(of.values())
    }  # fmt: skip


def counts_of(entries: Iterable[Entry]) -> Counts:
    """Return the same of some cases."""
    found: Counts = {}
    for entry in entries:
        of = found.setdefault((entry.county, entry.season), {})
        of[entry.said] = of.get(entry.said, 0) + 1
    return dict(sorted(found.items()))


def cases(engine: sa.Engine, within: Within) -> list[Entry]:
    """Return the cases of a county or of some farmers in the order of the queue.

    Raises:
        ValueError: Neither is named: that would be the queue of the store.
    """
    if not within.county and within.farmers is None:
        raise ValueError("a county or farmers must be named")
    with reading(engine) as connection:
        if within.farmers is None:
            parts = (_waiting(within), _acted_on(within))
            found = [entry for query in parts for entry in _entries(connection, query)]
        else:
            found = list(_of_farmers(connection, within, within.farmers))
    return sorted(found, key=lambda entry: entry.place)


def stretch(
    engine: sa.Engine, counted: Counts, first: int, size: int, said: str = ""
) -> list[Entry]:
    """Return some of the cases that were counted, in the order of the queue.

    Args:
        engine: Open store.
        counted: Cases by county and season, as `counts` told them.
        first: How many come before.
        size: Most to return.
        said: Only those that stand there.
    """
    found: list[Entry] = []
    with reading(engine) as connection:
        for state in STATES if not said else (said,):
            for (county, season), of in sorted(counted.items()):
                number = of.get(state, 0)
                if first < number and len(found) < size:
                    part = _stretch(Within(county, season), state)
                    part = part.limit(size - len(found)).offset(first)
                    found += _entries(connection, part)
                first = max(first - number, 0)
    return found


def rows_of(engine: sa.Engine, entries: Sequence[Entry]) -> list[Row]:
    """Return the rows of table `offers` behind cases, in their order."""
    rows: dict[int, Row] = {}
    with reading(engine) as connection:
        for part in _parts([entry.seq for entry in entries]):
            query = sa.select(OFFERS).where(OFFERS.c.seq.in_(part))
            rows.update({row.seq: row._asdict() for row in connection.execute(query)})
    return [rows[entry.seq] for entry in entries]


def every_case(engine: sa.Engine, within: Within) -> Iterator[tuple[Entry, Row]]:
    """Yield cases with their offers by county, season, product and farmer; one county and season
    is held at a time."""
    for county, season in counts(engine, within):
        here = Within(county, season, within.counties, within.farmers)
        found = sorted(cases(engine, here), key=lambda entry: (entry.product, entry.farmer_id))
        yield from zip(found, rows_of(engine, found), strict=True)


def next_waiting(engine: sa.Engine, within: Within, after: Mapping[str, Any]) -> str | None:
    """Return the offer of another case that waits: the next one of the county and season, else its
    first one, else one of another county; None where no other waits.

    Args:
        engine: Open store.
        within: What the asker may see.
        after: Row of table `offers` that is done with.
    """
    here = Within(after["county"], after["season"], within.counties, within.farmers)
    place = (OFFERS.c.product, OFFERS.c.farmer_id)
    later = sa.tuple_(*place) > sa.tuple_(after["product"], after["farmer_id"])
    tries = [_waiting(here).where(later).order_by(*place), _waiting(here).order_by(*place)]
    elsewhere = [""] if within.counties is None else sorted(within.counties)
    tries += [_waiting(Within(county)).order_by(*_place(OFFERS)) for county in elsewhere]
    other = OFFERS.c.seq != after["seq"]
    with reading(engine) as connection:
        for query in tries:
            for part in _parts(sorted(within.farmers)) if within.farmers is not None else [None]:
                only = query.where(other).limit(1)
                if part is not None:
                    only = only.where(OFFERS.c.farmer_id.in_(part))
                for entry in _entries(connection, only):
                    return entry.offer_id
    return None


def _here(table: Any, within: Within) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the conditions of place on a table that has county and season."""
    if within.county:
        yield table.c.county == within.county
    if within.season:
        yield table.c.season == within.season
    if within.counties is not None:
        yield table.c.county.in_(sorted(within.counties))


def _place(table: Any) -> Iterator[Any]:
    return (table.c[name] for name in _KEY)


def _same(one: Any, other: Any) -> Iterator[sa.ColumnElement[bool]]:
    return (one.c[name] == other.c[name] for name in _KEY)


def _none_later() -> sa.ColumnElement[bool]:
    """Return the condition that no other decision on the farmer follows."""
    later = REVIEWS.alias("later")
    same = (*_same(later, _DECIDED), later.c.act == "decide", later.c.seq > _DECIDED.c.seq)
    return ~sa.exists().where(*same)


def _following(name: str, *acts: str) -> tuple[Any, sa.ColumnElement[bool]]:
    """Return an act on that decision, there being one of its kind at most, and how it is joined."""
    act = REVIEWS.alias(name)
    on = (*_same(act, _DECIDED), act.c.of_review == _DECIDED.c.review_id, act.c.act.in_(acts))
    return act, sa.and_(*on)


def _told(source: Any) -> sa.Select[Any]:
    """Return the query for cases.

    Args:
        source: Offers joined with the last decision on each.
    """
    ended, on_ended = _following("ended", "revoke", "lapse")
    second, on_second = _following("second", "confirm")
    said = sa.case(
        (_DECIDED.c.seq.is_(None), WAITS),
        (ended.c.seq.is_not(None) & (OFFERS.c.access == "review"), WAITS),
        (ended.c.act == "revoke", "revoked"),
        (ended.c.act == "lapse", "lapsed"),
        (_DECIDED.c.overrides & second.c.seq.is_(None), SECOND),
        else_=IN_FORCE,
    )
    names = ("seq", "offer_id", *_KEY, "access")
    who = (sa.func.coalesce(_DECIDED.c[name], "").label(name) for name in ("officer", "review_id"))
    source = source.outerjoin(ended, on_ended).outerjoin(second, on_second)
    columns = (*(OFFERS.c[name] for name in names), said.label("said"), *who)
    return sa.select(*columns).select_from(source).where(OFFERS.c.status == LIVE)


class _InOrder(sa.Join):
    """A join that begins with its first table, which the embedded database cannot know."""

    inherit_cache = True


@compiles(_InOrder, "sqlite")
def _in_order(join: _InOrder, compiler: Any, **how: Any) -> str:
    # CROSS JOIN keeps the order. Source: SQLite, "Manual Control Of Query Plans".
    return str(compiler.visit_join(join, **how)).replace(" JOIN ", " CROSS JOIN ", 1)


def _either(within: Within) -> sa.Select[Any]:
    """Return the query for live offers with what people decided on them, if they have."""
    on = (*_same(_DECIDED, OFFERS), _DECIDED.c.act == "decide", _none_later())
    source = OFFERS.outerjoin(_DECIDED, sa.and_(*on))
    return _told(source).where(*_here(OFFERS, within))


def _waiting(within: Within) -> sa.Select[Any]:
    """Return the query for cases that wait for a first person: the rules leave them to people."""
    query = _either(within).where(OFFERS.c.access == "review")
    return query.where(query.selected_columns.said == WAITS)


def _acted_on(within: Within, *said: str) -> sa.Select[Any]:
    """Return the query for cases that people have decided on and that wait for no first person.

    It begins with what people did: a county has more live offers than that.

    Args:
        within: Where; of all farmers.
        said: Where they stand; anywhere if it is not given.
    """
    source = _InOrder(_DECIDED, OFFERS, sa.and_(*_same(OFFERS, _DECIDED)))
    here = _here(_DECIDED, within)
    query = _told(source).where(_DECIDED.c.act == "decide", _none_later(), *here)
    return query.where(query.selected_columns.said.in_(said or STATES[1:]))


def _of_farmers(
    connection: sa.Connection, within: Within, farmers: Iterable[str]
) -> Iterator[Entry]:
    is_case = (OFFERS.c.access == "review") | _DECIDED.c.seq.is_not(None)
    query = _either(within).where(is_case)
    for part in _parts(sorted(farmers)):
        yield from _entries(connection, query.where(OFFERS.c.farmer_id.in_(part)))


def _stretch(within: Within, said: str) -> sa.Select[Any]:
    if said == WAITS:
        return _waiting(within).order_by(OFFERS.c.product, OFFERS.c.farmer_id)
    return _acted_on(within, said).order_by(_DECIDED.c.product, _DECIDED.c.farmer_id)


def _entries(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Entry]:
    for row in connection.execute(query):
        told = row._asdict()
        told.pop("access")
        yield Entry(**told)


def _parts(names: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]
