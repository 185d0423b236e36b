"""The vault: an open one, and how its rows are read and written.

Owns the transaction and what the vault says of itself. How it is opened is in `opening`; what is
done with records is in `persons`, `access`, `erasure` and `rotation`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.faults import told
from fieldline.pipeline.vault.sealing import BrokenSealError, MasterKey, place_of
from fieldline.pipeline.vault.tables import META

SETTING = "vault"
"""Setting that holds the address."""

_LOCK = 0x_5EA1_ED_0A
"""Any fixed number: the PostgreSQL advisory lock that all writers of a vault share."""
INTEGRITY = place_of("integrity")


@dataclass(frozen=True)
class Vault:
    """An open vault."""

    engine: sa.Engine
    master: MasterKey
    integrity: bytes = field(repr=False)
    """Key of the marks by which removed records and log entries are noticed."""

    @property
    def name(self) -> str:
        """Return its address, for people."""
        return vault_name(self.engine)

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Yield the one transaction that may write; it stands as a whole or never was."""
        with writing(self.engine) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Yield a connection to read from."""
        with told(self.engine, setting=SETTING), self.engine.connect() as connection:
            yield connection

    def broken(self, what: str) -> UserError:
        """Return the sentence about a record that was changed behind the vault's back."""
        return broken(self.engine, what)


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield the one transaction that may write to a vault.

    Raises:
        UserError: The database failed in a way that the operator can put right; nothing is written.
    """
    with told(engine, setting=SETTING), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        yield connection


def broken(engine: sa.Engine, what: str) -> UserError:
    """Return the sentence about something that was changed behind the vault's back."""
    return UserError(
        f"{what} in the vault {vault_name(engine)} was changed, exchanged or cut",
        "restore the vault from a backup, and ask who can write to it",
    )


def vault_name(engine: sa.Engine) -> str:
    """Return the address of a vault without its password, a file as its path."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    return engine.url.render_as_string(hide_password=True)


def read_meta(connection: sa.Connection) -> dict[str, str]:
    """Return what the vault says of itself."""
    return {row.name: row.value for row in connection.execute(sa.select(META))}


def write_meta(connection: sa.Connection, values: Mapping[str, str]) -> None:
    """Write what the vault says of itself."""
    names = list(values)
    connection.execute(sa.delete(META).where(META.c.name.in_(names)))
    connection.execute(sa.insert(META), [{"name": n, "value": values[n]} for n in names])


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Sequence[str]]) -> None:
    """Insert rows of texts, a million of them too.

    Args:
        connection: Within a transaction.
        table: A table whose columns are texts.
        rows: Values in the order of its columns.
    """
    if not rows:
        return
    names = [column.name for column in table.columns]
    if connection.dialect.name == "postgresql":
        # One statement for all rows: the driver sends those of a list one by one.
        arrays = ", ".join(f"CAST(:{name} AS text[])" for name in names)
        statement = f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM unnest({arrays})"
        columns = [list(column) for column in zip(*rows, strict=True)]
        connection.execute(sa.text(statement), dict(zip(names, columns, strict=True)))
        return
    marks = ", ".join("?" * len(names))
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})",
        [tuple(row) for row in rows],
    )


def integrity_key(engine: sa.Engine, meta: Mapping[str, str], master: MasterKey) -> bytes:
    """Return the key of marks.

    Raises:
        UserError: It does not open, although the vault names this master key.
    """
    try:
        return master.unwrap(meta.get("integrity", ""), INTEGRITY)
    except BrokenSealError as error:
        raise broken(engine, "the key of marks") from error
