"""Databases: one way to open an SQLite file or a PostgreSQL server, whoever owns the tables in it.

Owns the engine and its transactions, which are begun by us so that both databases lock alike; knows
no table. `setting` is the name of the setting that gave the address, for the sentences.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from fieldline.pipeline.records.errors import UserError

_SQLITE_HEADER = b"SQLite format 3\0"
_TYPE_OF_DAYS = 1082
"""PostgreSQL's number of the type `date` (pg_type.dat)."""
_WAIT_SECONDS = 120
"""How long one writer waits for another: far above the seconds that a county takes."""


def engine_of(database: str, *, setting: str = "database") -> sa.Engine:
    """Return the engine of an address; nothing is opened yet.

    Args:
        database: Path of an SQLite file, or an SQLAlchemy URL (`postgresql://...`).
        setting: Name of the setting that holds it.

    Raises:
        UserError: It is no address, its file is no database, or its folder cannot be made.
    """
    if "://" not in database:
        _make_folder(Path(database).parent)
        database = f"sqlite:///{database}"
    try:
        return _of_url(sa.make_url(database), setting)
    except (sa.exc.ArgumentError, ModuleNotFoundError) as error:
        raise UserError(
            f"{setting} {database.partition(':')[0]}://... cannot be used ({error})",
            "give the path of an SQLite file or postgresql://user@host/name",
        ) from error


def looking_engine(engine: sa.Engine) -> sa.Engine:
    """Return an engine of the same database for single statements that only look.

    Each is its own transaction, so that nothing is begun and rolled back around it; no connection
    is tried before its use, so whoever looks must try again where one was closed meanwhile.
    """
    if engine.dialect.name == "sqlite":
        return engine
    return sa.create_engine(engine.url, isolation_level="AUTOCOMMIT", pool_size=10, max_overflow=10)


def sqlite_file(database: str | Path) -> Path | None:
    """Return the file of an address; None where it is a server's."""
    text = str(database)
    url = sa.make_url(text) if "://" in text else None
    if url is None:
        return Path(text)
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def _refuse_other_files(file: Path, setting: str) -> None:
    # SQLite itself takes a file shorter than a page for an empty database and writes over it.
    if not file.is_file():
        return
    with file.open("rb") as handle:
        start = handle.read(len(_SQLITE_HEADER))
    if start and start != _SQLITE_HEADER:
        raise UserError(
            f"{file} is no database",
            f"name another file in `{setting}`, or restore it from a backup",
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"folder {folder} of the database cannot be made ({error.strerror})",
            "name a folder that can be written to",
        ) from error


def _of_url(url: sa.URL, setting: str) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        _refuse_other_files(Path(url.database or ""), setting)
        engine = sa.create_engine(url, connect_args={"timeout": _WAIT_SECONDS})
        sa.event.listen(engine, "connect", _manual_transactions)
        sa.event.listen(engine, "begin", _begin_immediate)
        return engine
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+pg8000")
    # A server that was started anew has closed what lies in the pool: each is tried before its use.
    engine = sa.create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=10)
    if url.drivername == "postgresql+pg8000":
        sa.event.listen(engine, "connect", _plain_days)
    return engine


def _plain_days(connection: Any, _: Any) -> None:
    # The driver's own reader of days asks `strptime`, a third of the time of reading an offer.
    connection.register_in_adapter(_TYPE_OF_DAYS, dt.date.fromisoformat)


def _manual_transactions(connection: Any, _: Any) -> None:
    # The driver's own implicit BEGIN comes too late to lock: we begin ourselves.
    connection.isolation_level = None


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
