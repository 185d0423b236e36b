"""Taking over: the vaults of Fieldline 0.2 and earlier, whose names stood in clear text.

Owns that one table and its end: its rows are sealed and it is dropped in one transaction, and
SQLite zeroes the pages that it stood on.
"""

from __future__ import annotations

import itertools

import sqlalchemy as sa

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.vault.access import Act, record
from fieldline.pipeline.vault.persons import Person, put_rows, sealed_rows
from fieldline.pipeline.vault.vault import Vault

_TABLE = "persons"
_COLUMNS = ("county", "season", "farmer_id", "farmer_ref", "name", "phone", "id_number")


def has_plain_text(connection: sa.Connection) -> bool:
    """Whether the database holds such a table, and not another program's of the same name."""
    inspector = sa.inspect(connection)
    if connection.dialect.name != "sqlite" or not inspector.has_table(_TABLE):
        return False
    return {column["name"] for column in inspector.get_columns(_TABLE)} == set(_COLUMNS)


def take_over(
    connection: sa.Connection, vault: Vault, privacy: PrivacySettings, *, check: bool
) -> None:
    """Seal the rows of the old table and drop it.

    Args:
        connection: Within a transaction that writes.
        vault: The new vault in the same file.
        privacy: Where the pseudonym key is.
        check: Whether the farmers' pseudonyms must be those of that key.

    Raises:
        UserError: They are not: every farmer would become somebody else.
    """
    names = ", ".join(_COLUMNS)
    rows = connection.exec_driver_sql(f"SELECT {names} FROM {_TABLE} ORDER BY 1, 2, 3").all()
    for (county, season), group in itertools.groupby(rows, key=lambda row: (row[0], row[1])):
        persons = [Person(*row[2:]) for row in group]
        if check:
            _check_pseudonyms(vault, privacy, persons[0])
        put_rows(connection, vault, county, season, sealed_rows(vault, county, season, persons))
    connection.exec_driver_sql(f"DROP TABLE {_TABLE}")
    record(connection, vault, Act("take_over", {"persons": len(rows)}))


def _check_pseudonyms(vault: Vault, privacy: PrivacySettings, person: Person) -> None:
    known = (privacy, PrivacySettings(demo_key=True))
    if person.farmer_id not in {pseudonymiser(p)(person.farmer_ref) for p in known}:
        raise UserError(
            f"the farmers of the vault {vault.name} have their pseudonyms from another key than "
            "the one given: every farmer would become somebody else",
            "set FIELDLINE_PSEUDONYM_KEY (or privacy.key_file) to the key of last time",
        )
