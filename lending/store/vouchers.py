"""Vouchers: guarantors who farm nothing in a county, held against what stands elsewhere.

Owns what such a guarantor can bear by the decisions of other counties and seasons, and what a
farmer guarantees for people there. A county's own papers know a guarantor of outside by the paper
alone; who turns out to be a farmer of the store vouches as a farmer of the county would, and less
what was lent to him already: a harvest is lent on once.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from fieldline.lending.decision.case import Case, GuarantorCase
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.decision.rule_choice import under_tables
from fieldline.lending.store.database import DECISIONS, EXPIRED, LIVE, OFFERS, holds
from fieldline.lending.store.lines import last_day, running_lines
from fieldline.pipeline.records.errors import UserError

_AT_ONCE = 500
_NAMES_SOME = '"guarantors":[{'
"""How a trace begins to tell of guarantors: by it the few traces that do are found in the store."""

Row = dict[str, Any]
Given = dict[tuple[str, str], dict[tuple[str, str], int]]
"""What each guarantor gives by guarantor and county, and there by season and product."""


def names_some(trace: str) -> bool:
    """Whether a stored decision names a guarantor of outside its county."""
    return _NAMES_SOME in trace


def bearable(
    connection: sa.Connection,
    records: Sequence[Row],
    shelf: Mapping[str, str],
    days: tuple[dt.date, dt.date],
) -> dict[str, tuple[GuarantorCase, ...]]:
    """Return by farmer of a posting the guarantors of outside, with what each can bear.

    A guarantor can bear half of the line that a poor year would carry there, less what he
    guarantees already, and no more than his running lines leave of all of it; guarantees beyond are
    cut in proportion. One of whom nothing stands in this currency counts as signed.

    Args:
        connection: Of `posting`.
        records: DECISIONS rows of the posting.
        shelf: County, season and product that is posted.
        days: First as-of date of the posting, and the last day on which its offers may be signed.
    """
    named = {
        str(row["farmer_id"]): case
        for row in records
        if names_some(row["trace"]) and (case := Case.of(read_trace(row["trace"]).case)).guarantors
    }
    asked: dict[tuple[str, str], int] = defaultdict(int)
    for case in named.values():
        for one in case.guarantors:
            asked[one.guarantor_id, case.currency] += one.guaranteed_minor
    names = sorted({name for name, _ in asked})
    known = _newest(connection, names, shelf, days[0])
    lines = running_lines(connection, list(known.values()), shelf, days)
    given = given_from_outside(connection, set(names), shelf, days[0])
    most = {
        (name, row["currency"]): _most(row, lines.get(name, ()), _of(given, name))
        for name, row in known.items()
    }
    return {
        farmer: tuple(_held(one, asked, most, case.currency) for one in case.guarantors)
        for farmer, case in named.items()
    }


def _held(
    one: GuarantorCase,
    asked: Mapping[tuple[str, str], int],
    most: Mapping[tuple[str, str], int],
    currency: str,
) -> GuarantorCase:
    key = (one.guarantor_id, currency)
    if key not in most:
        return one
    total = asked[key]
    part = one.guaranteed_minor * min(total, most[key]) // max(1, total)
    return one.model_copy(update={"most_minor": part})


def _most(row: Row, lines: Sequence[Row], given: int) -> int:
    case = under_tables(Case.of(read_trace(row["trace"]).case))
    carried = int(max(0, case.farmer.free_minor) / case.policy.dscr_min)
    already = case.farmer.guaranteeing_minor + given
    lent = sum(line["limit_minor"] or 0 for line in lines if line["currency"] == row["currency"])
    return max(0, min(carried // 2, carried - lent) - already)


def _of(given: Given, name: str) -> int:
    return sum(max(parts.values()) for (who, _), parts in given.items() if who == name)


def _newest(
    connection: sa.Connection, names: Sequence[str], shelf: Mapping[str, str], first: dt.date
) -> dict[str, Row]:
    """Return the newest decision that stands elsewhere of each farmer who has one."""
    found: dict[str, Row] = {}
    for start in range(0, len(names), _AT_ONCE):
        here = OFFERS.c.farmer_id.in_(names[start : start + _AT_ONCE])
        for row in _standing(connection, shelf, first, here):
            old = found.get(row["farmer_id"])
            if old is None or _age(row) > _age(old):
                found[row["farmer_id"]] = row
    return found


def _age(row: Row) -> tuple[Any, ...]:
    return row["valid_from"], row["seq"]


def _standing(
    connection: sa.Connection, shelf: Mapping[str, str], first: dt.date, which: Any
) -> Iterator[Row]:
    """Yield readable decisions of other shelves whose lines may still run."""
    own = sa.and_(*(OFFERS.c[name] == value for name, value in shelf.items()))
    query = (
        sa.select(*OFFERS.c, DECISIONS.c.trace)
        .join(DECISIONS, OFFERS.c.decision_id == DECISIONS.c.decision_id)
        .where(~own, OFFERS.c.status.in_((LIVE, EXPIRED)), which)
    )
    for found in connection.execute(query):
        row = found._asdict()
        if last_day(row) < first:
            continue
        try:
            Case.of(read_trace(row["trace"]).case)
        except (UserError, ValueError):
            continue  # a trace that a later version wrote: the audit names it
        yield row


def given_from_outside(
    connection: sa.Connection, names: set[str], shelf: Mapping[str, str], first: dt.date
) -> Given:
    """Return what some guarantee for farmers of other counties and seasons where they farm nothing.

    A guarantee counts as far as it was counted there, for whoever was not declined, and through the
    tenor of the lines of its day.

    Args:
        connection: Of `posting`.
        names: Farmers, as pseudonyms.
        shelf: County, season and product that is posted, which is left out.
        first: First as-of date of the posting.
    """
    found: Given = {}
    telling = sorted(_naming(connection))
    for start in range(0, len(telling), _AT_ONCE):
        told = OFFERS.c.decision_id.in_(telling[start : start + _AT_ONCE])
        for row in _standing(connection, shelf, first, told & (OFFERS.c.access != "decline")):
            for one in Case.of(read_trace(row["trace"]).case).guarantors:
                if one.guarantor_id in names:
                    counted = one.guaranteed_minor - one.beyond_minor
                    parts = found.setdefault((one.guarantor_id, row["county"]), {})
                    place = (row["season"], row["product"])
                    parts[place] = parts.get(place, 0) + counted
    return found


_READ: dict[str, tuple[int, frozenset[str]]] = {}
"""By database the last offer that was read, and the decisions so far that name guarantors."""


def _naming(connection: sa.Connection) -> frozenset[str]:
    """Return the decisions of the store that name guarantors of outside.

    A decision never changes, so a process asks for each once and later only for those posted since;
    an index holds those few, for a posting must not read every trace of the store.
    """
    url = connection.engine.url
    name = str(url) if url.database not in (None, "", ":memory:") else ""
    last = connection.scalar(sa.select(sa.func.max(OFFERS.c.seq))) or 0
    seen, found = _READ.get(name, (0, frozenset[str]()))
    if not name or last < seen:  # another database under the same name
        seen, found = 0, frozenset()
    if last > seen:
        query = (
            sa.select(DECISIONS.c.decision_id)
            .join(OFFERS, OFFERS.c.decision_id == DECISIONS.c.decision_id)
            .where(OFFERS.c.seq > seen, holds(connection, "trace", _NAMES_SOME))
        )
        found |= frozenset(connection.scalars(query))
        _READ[name] = (last, found)
    return found
