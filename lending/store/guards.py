"""Guards: the triggers by which the database itself refuses to change or remove a row.

Owns the list of those that must be there; the migrations make them. They stop accidents and
careless programs. Whoever may alter tables may remove them, which is what the chain, its key and
its anchors are for.
"""

from __future__ import annotations

import sqlalchemy as sa

_ADD_ONLY = ("audit", "decisions", "documents", "reviews", "runs")
_VERBS = ("UPDATE", "DELETE", "INSERT")

_PRESENT = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'",
}


def missing_guards(connection: sa.Connection) -> list[str]:
    """Return the names of the guards that are not there or switched off."""
    dialect = connection.dialect.name
    tables = (*_ADD_ONLY, "offers")
    if dialect == "sqlite":
        expected = {f"{table}_no_{verb}" for table in tables for verb in _VERBS}
    else:
        expected = {f"{table}_no_change" for table in tables} | {"offers_only_close"}
    return sorted(expected - set(connection.scalars(sa.text(_PRESENT[dialect]))))
