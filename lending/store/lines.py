"""Lines: approved offers that may have been signed and may still be running.

Owns how long an offer counts as money lent: through its tenor, counted from the last day on which
it could be signed, whether or not the offer itself has run out since. The store does not know who
signed, so it takes the offer for a line until the lender says otherwise (`release`).
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from fieldline.lending.store.database import EXPIRED, LIVE, OFFERS, REVIEWS, posting
from fieldline.lending.store.reviews import RELEASE, act_row, enter_act
from fieldline.lending.store.signer import Signer
from fieldline.pipeline.records.errors import UserError

_AT_ONCE = 500
_KEY = ("county", "season", "product", "farmer_id", "decision_id")

Row = dict[str, Any]


def last_day(row: Mapping[str, Any]) -> dt.date:
    """Return the last day on which a line runs: its tenor after the last day to sign it.

    Args:
        row: Row of table `offers`.
    """
    end: dt.date = row["valid_to"] + dt.timedelta(days=row["tenor_days"])
    return end


def running_lines(
    connection: sa.Connection,
    records: Sequence[Row],
    shelf: Mapping[str, str],
    days: tuple[dt.date, dt.date],
) -> dict[str, list[Row]]:
    """Return what may be running for the people of a posting, by household and by farmer.

    Args:
        connection: Of `posting`.
        records: DECISIONS rows of the posting.
        shelf: County, season and product that is posted: its live offers are what the posting
            replaces, those of it that ran out are lines like any other.
        days: First as-of date of the posting, and the last day on which its offers may be signed.

    Returns:
        Rows of table `offers`; neither superseded nor withdrawn nor released ones.
    """
    first, last = days
    own = sa.and_(*(OFFERS.c[name] == value for name, value in shelf.items()))
    found: dict[int, Row] = {}
    for name in ("household_id", "farmer_id"):
        for part in _parts(sorted({str(row[name]) for row in records})):
            # One query for each status: each has a partial index of its own.
            for stands in ((OFFERS.c.status == LIVE) & ~own, OFFERS.c.status == EXPIRED):
                query = sa.select(OFFERS).where(
                    stands, OFFERS.c[name].in_(part), OFFERS.c.access == "approve",
                    OFFERS.c.valid_from <= last,
                )  # fmt: skip
                found.update({row.seq: row._asdict() for row in connection.execute(query)})
    lines: dict[str, list[Row]] = defaultdict(list)
    for row in unreleased(connection, [r for r in found.values() if last_day(r) >= first]):
        for person in {row["household_id"], row["farmer_id"]}:
            lines[person].append(row)
    return lines


def unreleased(connection: sa.Connection, rows: Sequence[Row]) -> list[Row]:
    """Return the rows of table `offers` of which nobody said that they are no lines.

    Args:
        connection: Of `reading` or `posting`.
        rows: Offers.
    """
    released = _released(connection, sorted({str(row["farmer_id"]) for row in rows}))
    return [row for row in rows if _key(row) not in released]


def not_released() -> sa.ColumnElement[bool]:
    """Return the condition that nobody said of a row of table `offers` that it is no line."""
    same = (REVIEWS.c[name] == OFFERS.c[name] for name in _KEY)
    return ~sa.exists().where(REVIEWS.c.act == RELEASE, *same)


def running_on(connection: sa.Connection, day: dt.date, counties: Sequence[str] = ()) -> list[Row]:
    """Return the lines that may be running on a day, in the order of posting.

    Args:
        connection: Of `reading` or `posting`.
        day: The day.
        counties: Only those of these counties; every line of the store where none is named.

    Returns:
        Rows of table `offers`: neither superseded, withdrawn nor released, offered by that day and
        within their tenor.
    """
    query = sa.select(OFFERS).where(OFFERS.c.access == "approve", OFFERS.c.valid_from <= day)
    if counties:
        query = query.where(OFFERS.c.county.in_(sorted(counties)))
    rows = []
    for status in (LIVE, EXPIRED):  # each has an index of its own
        found = connection.execute(query.where(OFFERS.c.status == status))
        rows += [row._asdict() for row in found]
    rows = [row for row in sorted(rows, key=lambda row: int(row["seq"])) if last_day(row) >= day]
    if counties:
        return unreleased(connection, rows)
    released = _released(connection) if rows else set()
    return [row for row in rows if _key(row) not in released]


def release(
    engine: sa.Engine,
    names: Sequence[str],
    officer: str,
    reason: str,
    *,
    today: dt.date,
    by: Signer | None = None,
) -> int:
    """Enter that offers which ran out count as lines no longer: not signed, or repaid.

    Args:
        engine: Open database.
        names: Ids of offers, all of which are released or none.
        officer: Who says so.
        reason: Why.
        today: Day of the act.
        by: Who signs the chain.

    Returns:
        How many lines count no longer.

    Raises:
        UserError: One of them counts as no line, or officer or reason is empty.
    """
    if not officer.strip() or not reason.strip():
        raise UserError("to release a line takes a name and a reason", "give both")
    with posting(engine) as connection:
        for name in dict.fromkeys(names):
            row = _line(connection, name)
            if not unreleased(connection, [row]):
                raise UserError(f"the line of offer {name!r} was released", "leave it out")
            act = act_row(
                row, RELEASE, officer, reason, today,
                of_review=None, evidence="", verdict="decline", limit_minor=row["limit_minor"],
                documents="[]", overrides=False, valid_to=row["valid_to"],
            )  # fmt: skip
            enter_act(connection, act, by)
    return len(set(names))


def _line(connection: sa.Connection, name: str) -> Row:
    rows = connection.execute(sa.select(OFFERS).where(OFFERS.c.offer_id == name)).all()
    states = {row.status for row in rows}
    if states & {LIVE}:
        (row,) = (row for row in rows if row.status == LIVE)
        raise UserError(
            f"offer {name!r} may be signed until {row.valid_to}",
            "release it once it has run out (`fieldline offers expire`)",
        )
    lines = [row for row in rows if row.status == EXPIRED and row.access == "approve"]
    if not lines:
        raise UserError(
            f"the store holds no line of offer {name!r}", "copy offer_id of an approved offer"
        )
    return lines[-1]._asdict()


def _released(
    connection: sa.Connection, farmers: Sequence[str] | None = None
) -> set[tuple[str, ...]]:
    """Return what was released of these farmers; of everybody where none are named."""
    query = sa.select(*(REVIEWS.c[name] for name in _KEY)).where(REVIEWS.c.act == RELEASE)
    if farmers is None:
        return {tuple(row) for row in connection.execute(query)}
    parts = (query.where(REVIEWS.c.farmer_id.in_(part)) for part in _parts(farmers))
    return {tuple(row) for part in parts for row in connection.execute(part)}


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in _KEY)


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]
