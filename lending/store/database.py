"""Store: the lender's database, embedded in a file or shared on a server.

Owns the tables, their migration and the one lock under which offers are posted. SQLite and
PostgreSQL behave alike here: every posting is one transaction that either stands as a whole or
never was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from fieldline.pipeline.records.errors import UserError

METADATA = sa.MetaData()

LIVE = "live"
SUPERSEDED = "superseded"
WITHDRAWN = "withdrawn"

_LOCK = 0x_F1E1_D114E
"""Any fixed number: the PostgreSQL advisory lock that all postings share."""
_WAIT_SECONDS = 120
"""How long one county waits for another's posting: far above the seconds that a posting takes."""

OFFERS = sa.Table(
    "offers",
    METADATA,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("offer_id", sa.String(32), nullable=False, index=True),
    sa.Column("county", sa.Text, nullable=False),
    sa.Column("season", sa.Text, nullable=False),
    sa.Column("farmer_id", sa.Text, nullable=False),
    sa.Column("household_id", sa.Text, nullable=False),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("access", sa.String(8), nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("limit_minor", sa.BigInteger),
    sa.Column("annual_rate", sa.String(16)),
    sa.Column("tenor_days", sa.Integer, nullable=False),
    sa.Column("day_basis", sa.Integer, nullable=False),
    sa.Column("valid_from", sa.Date, nullable=False),
    sa.Column("valid_to", sa.Date, nullable=False),
    sa.Column("reason_codes", sa.Text, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("reasons_zh", sa.Text, nullable=False),
    sa.Column("decision_id", sa.String(64), nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Index(
        "one_live_offer",
        "county",
        "season",
        "product",
        "farmer_id",
        unique=True,
        sqlite_where=sa.text("status = 'live'"),
        postgresql_where=sa.text("status = 'live'"),
    ),
)

DECISIONS = sa.Table(
    "decisions",
    METADATA,
    sa.Column("decision_id", sa.String(64), primary_key=True),
    sa.Column("farmer_id", sa.Text, nullable=False, index=True),
    sa.Column("as_of", sa.Date, nullable=False),
    sa.Column("policy", sa.String(64), nullable=False),
    sa.Column("pd_model", sa.Text, nullable=False),
    sa.Column("trace", sa.Text, nullable=False),
)

RUNS = sa.Table(
    "runs",
    METADATA,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run_id", sa.String(32), nullable=False),
    sa.Column("county", sa.Text, nullable=False),
    sa.Column("season", sa.Text, nullable=False),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("as_of", sa.Date, nullable=False),
    sa.Column("farmers", sa.Integer, nullable=False),
    sa.Column("approved", sa.Integer, nullable=False),
    sa.Column("written", sa.Integer, nullable=False),
)

AUDIT = sa.Table(
    "audit",
    METADATA,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)


def open_database(database: str | Path) -> sa.Engine:
    """Open the database and bring its tables to the present version.

    Args:
        database: Path of an SQLite file, or an SQLAlchemy URL (`postgresql://...`).

    Raises:
        UserError: The database cannot be reached.
    """
    engine = _engine(str(database))
    try:
        with posting(engine) as connection:
            _upgrade(connection)
    except sa.exc.OperationalError as error:
        raise _unreachable(engine, error) from error
    except sa.exc.InterfaceError as error:
        raise _unreachable(engine, error) from error
    return engine


def _unreachable(engine: sa.Engine, error: sa.exc.DBAPIError) -> UserError:
    where = engine.url.render_as_string(hide_password=True)
    return UserError(f"{where} cannot be opened ({error.orig})", "start it or correct the URL")


def _engine(database: str) -> sa.Engine:
    if "://" not in database:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
        database = f"sqlite:///{database}"
    url = sa.make_url(database)
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url, connect_args={"timeout": _WAIT_SECONDS})
        sa.event.listen(engine, "connect", _manual_transactions)
        sa.event.listen(engine, "begin", _begin_immediate)
        return engine
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+pg8000")
    return sa.create_engine(url)


def _manual_transactions(connection: Any, _: Any) -> None:
    # The driver's own implicit BEGIN comes too late to lock: we begin ourselves.
    connection.isolation_level = None


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def posting(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection in the one transaction that may post; it commits when the block ends."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        yield connection


def _upgrade(connection: sa.Connection) -> None:
    with as_file(files("fieldline") / "lending" / "store" / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
