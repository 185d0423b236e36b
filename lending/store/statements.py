"""Statements: what a farmer owes or vouches for by the papers of another county or season.

Owns reading it from the decisions that stand elsewhere in the store. Each county judges by its own
papers alone, so a debt that was stated in one and a guarantee that counts in one are unknown to the
next until a posting looks. What follows from them is `Case.counted`.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from fieldline.lending.decision.case import Case, StatementCase
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.store.database import DECISIONS, EXPIRED, LIVE, OFFERS
from fieldline.lending.store.lines import last_day
from fieldline.lending.store.vouchers import given_from_outside
from fieldline.pipeline.records.errors import UserError

_AT_ONCE = 500

Row = dict[str, Any]


def statements_elsewhere(
    connection: sa.Connection, records: Sequence[Row], shelf: Mapping[str, str], first: dt.date
) -> dict[str, list[StatementCase]]:
    """Return by farmer what each stated on other shelves.

    A debt counts while the offer that was decided with it is live, a guarantee through the tenor of
    the lines of its day. Of one county's seasons the largest counts: a paper handed in twice is one
    guarantee. What a farmer guarantees where he farms nothing is read from those it is for.

    Args:
        connection: Of `posting`.
        records: DECISIONS rows of the posting.
        shelf: County, season and product that is posted.
        first: First as-of date of the posting.
    """
    own = sa.and_(*(OFFERS.c[name] == value for name, value in shelf.items()))
    found: dict[tuple[str, str], list[StatementCase]] = defaultdict(list)
    currency = {str(row["farmer_id"]): row["currency"] for row in records}
    names = sorted(currency)
    for start in range(0, len(names), _AT_ONCE):
        query = (
            sa.select(*OFFERS.c, DECISIONS.c.trace)
            .join(DECISIONS, OFFERS.c.decision_id == DECISIONS.c.decision_id)
            .where(
                ~own, OFFERS.c.status.in_((LIVE, EXPIRED)),
                OFFERS.c.farmer_id.in_(names[start : start + _AT_ONCE]),
            )
        )  # fmt: skip
        for row in connection.execute(query):
            said = _stated(row._asdict(), first)
            if said is not None and row.currency == currency[row.farmer_id]:
                found[row.farmer_id, row.county].append(said)
    given = given_from_outside(connection, set(names), shelf, first)
    for (farmer, county), parts in given.items():
        found[farmer, county].append(StatementCase(
            county=county, debt_service_minor=0, guaranteeing_minor=max(parts.values())
        ))  # fmt: skip
    by_farmer: dict[str, list[StatementCase]] = defaultdict(list)
    for (farmer, _), said_there in sorted(found.items()):
        by_farmer[farmer].append(_largest(said_there))
    return by_farmer


def _stated(row: Row, first: dt.date) -> StatementCase | None:
    if last_day(row) < first:
        return None
    try:
        farmer = Case.of(read_trace(row["trace"]).case).farmer
    except (UserError, ValueError):
        return None  # a trace that a later version wrote: the audit names it
    live = row["status"] == LIVE and row["valid_to"] >= first
    return StatementCase(
        county=row["county"],
        debt_service_minor=farmer.debt_service_minor if live else 0,
        guaranteeing_minor=farmer.guaranteeing_minor,
    )


def _largest(said: Iterable[StatementCase]) -> StatementCase:
    every = list(said)
    return StatementCase(
        county=every[0].county,
        debt_service_minor=max(one.debt_service_minor for one in every),
        guaranteeing_minor=max(one.guaranteeing_minor for one in every),
    )


def telling(case: Case, said: Iterable[StatementCase], county: str) -> tuple[StatementCase, ...]:
    """Return the statements that add to what a case knows, less what it knows itself.

    Args:
        case: The farmer's case.
        said: What the farmer stated elsewhere.
        county: The case's own county: a guarantee that counts there in two seasons counts once.
    """
    found = []
    for one in said:
        known = case.farmer.guaranteeing_minor if one.county == county else 0
        left = one.model_copy(update={"guaranteeing_minor": max(0, one.guaranteeing_minor - known)})
        if left.guaranteeing_minor or left.debt_service_minor > case.farmer.debt_service_minor:
            found.append(left)
    return tuple(found)
