"""Faults: what a database's own error means to the person who runs the store.

Owns the one place where a driver's error becomes a sentence with a remedy. Only what the operator
can put right is translated; a broken rule of the tables, such as a second live offer or a changed
audit entry, is a defect and keeps its name.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from fieldline.pipeline.records.errors import UserError

_NO_DATABASE = ("is no database", "name another file in `database`, or restore it from a backup")
_NOT_REACHED = ("cannot be opened", "start it or correct its name in `database`")
_NOT_OURS = ("holds tables of another program", "name an empty database in `database`")
_LOST = ("lost the connection", "see that it runs and try again")
_FILES = "sqlite"
_INCOMPLETE = ("lacks a table or column that it should have", "restore it from a backup")

_SQLITE = {
    "not a database": _NO_DATABASE,
    "malformed": ("is damaged", "restore it from a backup and run again"),
    "readonly": ("is read-only", "allow writing to the file and its folder"),
    "read-only": ("is read-only", "allow writing to the file and its folder"),
    "unable to open": ("cannot be opened", "name a file in a folder that can be written to"),
    "is full": ("has no room left", "free space on its disk and run again"),
    "disk i/o": ("cannot be written to", "check its disk and run again"),
    "is locked": ("is held by another program", "wait until that has ended and run again"),
    "already exists": _NOT_OURS,
    "no such": _INCOMPLETE,
}
"""Part of SQLite's message -> what is wrong and the remedy."""

_POSTGRES = {
    "08": _LOST,
    "25006": ("is read-only", "allow this user to write"),
    "28": ("refuses this user", "correct user and password in the URL"),
    "3D": ("does not exist", "create it or correct the URL"),
    "40": ("was changed by another program at the same moment", "try again"),
    "42501": ("refuses this user", "grant it the tables of the store"),
    "42703": _INCOMPLETE,
    "42P01": _INCOMPLETE,
    "42P07": _NOT_OURS,
    "53": ("has no room left", "free space or connections on its server and run again"),
    "55P03": ("is held by another program", "wait until that has ended and run again"),
    "57": ("was stopped", "start it and run again"),
    "58": ("cannot be written to", "check the disk of its server and run again"),
}
"""Beginning of the SQLSTATE -> the same.

Source: PostgreSQL 15 manual, appendix A.
"""


class DatabaseError(UserError):
    """A database that cannot be used for now, or not by us: the operator's business, not a
    caller's."""


@contextmanager
def told(engine: sa.Engine, *, setting: str = "database") -> Iterator[None]:
    """Turn a database error within the block into the user's sentence.

    Args:
        engine: The database.
        setting: Name of the setting that holds its address.

    Raises:
        DatabaseError: What the operator can put right.
    """
    try:
        yield
    except sa.exc.TimeoutError as error:
        where = engine.url.render_as_string(hide_password=True)
        raise DatabaseError(
            f"{where} has no connection left for this program", "wait until others have ended"
        ) from error
    except (sa.exc.PendingRollbackError, ConnectionError, struct.error) as error:
        # A connection cut in the middle of an answer, or a statement after that on what is left.
        if engine.dialect.name == _FILES:
            raise
        where = engine.url.render_as_string(hide_password=True)
        raise DatabaseError(f"{where} {_LOST[0]}", _LOST[1]) from error
    except sa.exc.DBAPIError as error:
        known = _meaning(error)
        if known is None:
            raise
        where = engine.url.render_as_string(hide_password=True)
        remedy = known[1].replace("`database`", f"`{setting}`")
        raise DatabaseError(f"{where} {known[0]} ({message_of(error)})", remedy) from error


def _meaning(error: sa.exc.DBAPIError) -> tuple[str, str] | None:
    state = _sqlstate(error)
    if state:
        return next((said for start, said in _POSTGRES.items() if state.startswith(start)), None)
    text = str(error.orig).lower()
    for part, said in _SQLITE.items():
        if part in text:
            return said
    broken = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)
    return _NOT_REACHED if broken or error.connection_invalidated else None


def _sqlstate(error: sa.exc.DBAPIError) -> str:
    """Return PostgreSQL's five-letter code; empty for other drivers and lost connections."""
    fields = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return str(fields.get("C", "")) if isinstance(fields, dict) else ""


def message_of(error: sa.exc.DBAPIError) -> str:
    """Return the database's own words, on one line."""
    fields = error.orig.args[0] if error.orig is not None and error.orig.args else ""
    text = fields.get("M", "") if isinstance(fields, dict) else fields
    return " ".join(str(text).split())
