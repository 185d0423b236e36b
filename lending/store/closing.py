"""Closing: how an offer stops being live.

Owns the change of status, which the guards of the table allow only from live to an end, and the one
rule of time: an offer whose last day has passed is live no longer, whoever has looked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from fieldline.lending.store.audit import append, closed_event
from fieldline.lending.store.database import EXPIRED, LIVE, OFFERS, posting
from fieldline.lending.store.signer import Signer
from fieldline.pipeline.records.errors import UserError

Row = dict[str, Any]
_AT_ONCE = 500


def close(connection: sa.Connection, rows: Iterable[tuple[Row, str]]) -> None:
    """Give rows of table `offers` their end.

    Args:
        connection: Of `posting`.
        rows: Each with `superseded`, `withdrawn` or `expired`.
    """
    by_end: dict[str, list[int]] = {}
    for row, end in rows:
        by_end.setdefault(end, []).append(row["seq"])
    for end, numbers in by_end.items():
        for start in range(0, len(numbers), _AT_ONCE):
            here = OFFERS.c.seq.in_(numbers[start : start + _AT_ONCE])
            connection.execute(sa.update(OFFERS).where(here).values(status=end))


def close_run_out(connection: sa.Connection, day: dt.date) -> list[Row]:
    """Close every live offer of the store whose last day lies before a day; return them."""
    query = sa.select(OFFERS).where(OFFERS.c.status == LIVE, OFFERS.c.valid_to < day)
    # Ordered here: asked for the order of its own rows, SQLite reads all of them instead.
    rows = sorted((r._asdict() for r in connection.execute(query)), key=lambda row: row["seq"])
    close(connection, ((row, EXPIRED) for row in rows))
    return rows


def expire(engine: sa.Engine, day: dt.date, *, today: dt.date, by: Signer | None = None) -> int:
    """Close what has run out by a day and enter it into the chain; return how many.

    Args:
        engine: Open database.
        day: Offers valid to the day before it and earlier are closed.
        today: Today; a later day is refused.
        by: Who signs.

    Raises:
        UserError: The day is still to come.
    """
    if day > today:
        raise UserError(f"{day} is still to come (today is {today})", "name today or a day before")
    with posting(engine) as connection:
        rows = close_run_out(connection, day)
        append(connection, [closed_event(row["offer_id"], EXPIRED) for row in rows], by)
    return len(rows)
