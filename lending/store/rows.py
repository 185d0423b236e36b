"""Rows: how many of them are written and read at once, on either database.

Owns the two ways in which a county's rows pass: in by few statements, since a statement for each
row is a journey to the server and back for each, and out by pages, since a driver may hold all rows
of an answer before it gives the first. What rows mean is known elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import sqlalchemy as sa

from fieldline.pipeline.records.canonical import canonical_document

_AT_ONCE = 500
"""Rows of one statement: some megabytes where each holds the trace of a decision."""


def add_rows(connection: sa.Connection, table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows to a table in their order; columns that no row gives take their default.

    Args:
        connection: Of `posting`.
        table: The table.
        rows: Values by column, of the same columns in each. They are taken a statement's at a time
            and may be made then.
    """
    coming, names = iter(rows), list[str]()
    while some := list(islice(coming, _AT_ONCE)):
        names = names or [column.name for column in table.columns if column.name in some[0]]
        part = [{name: row[name] for name in names} for row in some]
        if connection.dialect.name == "postgresql":
            connection.execute(_of_json(table.name, names), {"rows": canonical_document(part)})
        else:
            connection.execute(sa.insert(table), part)


def _of_json(table: str, names: Sequence[str]) -> sa.TextClause:
    """Return a statement that adds the rows of a JSON text, typed by the columns of the table."""
    columns = ", ".join(f'"{name}"' for name in names)
    return sa.text(
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM ROWS FROM "
        f"(json_populate_recordset(CAST(NULL AS {table}), CAST(:rows AS json))) "
        "WITH ORDINALITY ORDER BY ordinality"
    )


def by_pages(
    connection: sa.Connection,
    query: sa.Select[Any],
    seq: sa.Column[int],
    *,
    after: int = 0,
    size: int = _AT_ONCE,
) -> Iterator[sa.Row[Any]]:
    """Yield the rows of a query in the order of a number that each has of its own.

    Args:
        connection: Of `reading` or `posting`.
        query: The query, without an order; `seq` is one of its columns.
        seq: The number.
        after: Rows up to this one are left out.
        size: Rows held at once.
    """
    while True:
        page = connection.execute(query.where(seq > after).order_by(seq).limit(size)).all()
        yield from page
        if len(page) < size:
            return
        after = page[-1]._mapping[seq]
