"""The personal vault: one SQLite file that alone holds names, phones and id numbers.

Owns table `persons` and its file mode; everything else knows farmers by pseudonym. A county and
season is replaced as one transaction, so that a rerun is idempotent, two counties may write at once
and a person who left the input leaves the vault.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fieldline.pipeline.records.errors import UserError

_OWNER_ONLY = 0o600
_WAIT_SECONDS = 60.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS persons (
    county TEXT NOT NULL,
    season TEXT NOT NULL,
    farmer_id TEXT NOT NULL,
    farmer_ref TEXT NOT NULL,
    name TEXT,
    phone TEXT,
    id_number TEXT,
    PRIMARY KEY (county, season, farmer_id)
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class Person:
    """Who stands behind a pseudonym."""

    farmer_id: str
    """Pseudonym."""
    farmer_ref: str
    """The lender's own reference."""
    name: str | None = None
    phone: str | None = None
    id_number: str | None = None


def store_persons(path: Path, county: str, season: str, persons: Sequence[Person]) -> None:
    """Replace the persons of one county and season.

    Raises:
        UserError: The file cannot be written or is not a vault.
    """
    rows = sorted(
        ((p.farmer_id, p.farmer_ref, p.name, p.phone, p.id_number) for p in persons),
        key=lambda row: row[:2],
    )
    with _connection(path) as connection:
        connection.execute(_SCHEMA)
        connection.execute("DELETE FROM persons WHERE county = ? AND season = ?", (county, season))
        connection.executemany(
            "INSERT INTO persons VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(county, season, *row) for row in rows],
        )


def find_person(path: Path, farmer_id: str) -> Person | None:
    """Return the person of a pseudonym as of the latest season by name, or None."""
    with _connection(path) as connection:
        connection.execute(_SCHEMA)
        row = connection.execute(
            "SELECT farmer_id, farmer_ref, name, phone, id_number FROM persons "
            "WHERE farmer_id = ? ORDER BY season DESC, county LIMIT 1",
            (farmer_id,),
        ).fetchone()
    return Person(*row) if row else None


@contextmanager
def _connection(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield one immediate transaction on a file that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, _OWNER_ONLY))
        path.chmod(_OWNER_ONLY)
        with closing(
            sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
        ) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
    except (sqlite3.DatabaseError, PermissionError) as error:
        raise UserError(
            f"the vault {path} cannot be used ({error})",
            "check that it is a SQLite file which this user may write",
        ) from error
