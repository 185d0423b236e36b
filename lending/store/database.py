"""Store: the lender's database, embedded in a file or shared on a server.

Owns the tables, their migration and the one lock under which offers are posted. SQLite and
PostgreSQL behave alike here: every posting is one transaction that either stands as a whole or
never was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from fieldline.pipeline.records.databases import engine_of, looking_engine, sqlite_file
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.faults import told

METADATA = sa.MetaData()

LIVE = "live"
SUPERSEDED = "superseded"
WITHDRAWN = "withdrawn"
EXPIRED = "expired"

_FARMER = ("county", "season", "product", "farmer_id")

_LOCK = 0x_F1E1_D114E
"""Any fixed number: the PostgreSQL advisory lock that all postings share."""


def _partial(name: str, columns: Sequence[str], where: str, *, unique: bool = False) -> sa.Index:
    """Return an index of those rows of a table for which a condition holds."""
    only = sa.text(where)
    return sa.Index(name, *columns, unique=unique, sqlite_where=only, postgresql_where=only)


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
    sa.Column("guarantor", sa.Text),
    sa.Column("covered_minor", sa.BigInteger),
    sa.Column("tenor_days", sa.Integer, nullable=False),
    sa.Column("day_basis", sa.Integer, nullable=False),
    sa.Column("valid_from", sa.Date, nullable=False),
    sa.Column("valid_to", sa.Date, nullable=False),
    sa.Column("reason_codes", sa.Text, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("reasons_zh", sa.Text, nullable=False),
    sa.Column("decision_id", sa.String(64), nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    _partial("one_live_offer", _FARMER, "status = 'live'", unique=True),
    *(
        _partial(f"{status}_of_{column}", (column,), f"status = '{status}'")
        for status in (LIVE, EXPIRED)
        for column in ("farmer_id", "household_id")
    ),
    sa.Index("offers_of_farmers", "farmer_id", "county", "season"),
    sa.Index("offers_of_decisions", "decision_id"),
    _partial("offers_covered", ("guarantor",), "guarantor IS NOT NULL"),
    _partial("live_until", ("valid_to",), "status = 'live'"),
    _partial("live_for_people", _FARMER, "status = 'live' AND access = 'review'"),
    _partial("expired_of_shelves", ("county", "season", "product"), "status = 'expired'"),
    _partial("superseded_of_shelves", ("county", "season"), "status = 'superseded'"),
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
    sa.Column("seal", sa.Text),
)

DOCUMENTS = sa.Table(
    "documents",
    METADATA,
    sa.Column("label", sa.Text, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)

REVIEWS = sa.Table(
    "reviews",
    METADATA,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("review_id", sa.String(32), nullable=False, unique=True),
    sa.Column("act", sa.String(8), nullable=False),
    sa.Column("of_review", sa.String(32)),
    sa.Column("county", sa.Text, nullable=False),
    sa.Column("season", sa.Text, nullable=False),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("farmer_id", sa.Text, nullable=False),
    sa.Column("decision_id", sa.String(64), nullable=False),
    sa.Column("evidence", sa.String(32), nullable=False),
    sa.Column("verdict", sa.String(8), nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("limit_minor", sa.BigInteger),
    sa.Column("officer", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("documents", sa.Text, nullable=False),
    sa.Column("overrides", sa.Boolean, nullable=False),
    sa.Column("made_on", sa.Date, nullable=False),
    sa.Column("valid_to", sa.Date, nullable=False),
    sa.Index("reviews_of_farmers", *_FARMER),
    _partial("decisions_of_people", (*_FARMER, "seq"), "act = 'decide'"),
    _partial("releases_of_farmers", ("farmer_id",), "act = 'release'"),
)

APPLICATIONS = sa.Table(
    "applications",
    METADATA,
    sa.Column("application_id", sa.String(32), primary_key=True),
    sa.Column("client", sa.Text, nullable=False),
    sa.Column("request_key", sa.Text, nullable=False),
    sa.Column("body_hash", sa.String(64), nullable=False),
    sa.Column("county", sa.Text, nullable=False),
    sa.Column("season", sa.Text, nullable=False),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("farmer_id", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("sealed", sa.Text),
    sa.Column("consent_given_on", sa.Date, nullable=False),
    sa.Column("consent_withdrawn_on", sa.Date),
    sa.Column("consent_recipient", sa.Text),
    sa.Column("consent_data", sa.Text),
    sa.Column("consent_expires_on", sa.Date),
    sa.Column("received_at", sa.Float, nullable=False),
    sa.Column("finished_at", sa.Float),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("worker", sa.Text),
    sa.Column("held_until", sa.Float),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("decision_id", sa.String(64)),
    sa.Column("offer_id", sa.String(32)),
    sa.Column("problem", sa.Text),
    sa.UniqueConstraint("client", "request_key", name="one_application_per_key"),
    sa.Index("applications_of_farmers", *_FARMER),
    sa.Index("applications_at_work", "status", "received_at"),
    sa.Index("consents_of_farmers", "farmer_id", "county"),
)

LAND = sa.Table(
    "land",
    METADATA,
    sa.Column("county", sa.Text, primary_key=True),
    sa.Column("season", sa.Text, primary_key=True),
    sa.Column("parcel_id", sa.Text, primary_key=True),
    sa.Column("farmer_id", sa.Text, nullable=False),
    *(sa.Column(name, sa.Float(53), nullable=False) for name in ("west", "south", "east", "north")),
    sa.Column("outline", sa.Text, nullable=False),
    sa.Index("land_from_west", "west", "south", "east", "north"),
)


def open_database(database: str | Path) -> sa.Engine:
    """Open the database and bring its tables to the present version.

    Args:
        database: Path of an SQLite file, or an SQLAlchemy URL (`postgresql://...`).

    Raises:
        UserError: The database cannot be reached or written to, or is not ours to write to.
    """
    engine = engine_of(str(database))
    try:
        with posting(engine) as connection:
            _upgrade(connection)
    except UserError:
        engine.dispose()
        raise
    return engine


def is_there(database: str | Path) -> bool:
    """Whether a store can be there: an SQLite file that is absent is none."""
    file = sqlite_file(database)
    return file is None or file.exists()


def open_existing(database: str | Path) -> sa.Engine:
    """Open a store that must be there already: looking at one never makes one.

    Raises:
        UserError: As `open_database`, and where an SQLite file is absent.
    """
    if not is_there(database):
        raise UserError(
            f"there is no offer store at {sqlite_file(database)}",
            "run the chain or correct `database`",
        )
    return open_database(database)


def pending_migrations(database: str | Path) -> list[str]:
    """Return the versions of tables that a store still lacks; all of them where it is empty.

    Raises:
        UserError: It cannot be read, or a newer version wrote it.
    """
    engine = engine_of(str(database))
    try:
        with _migrations() as config:
            known = [s.revision for s in ScriptDirectory.from_config(config).walk_revisions()]
            if not is_there(database):
                return sorted(known)
            with reading(engine) as connection:
                _refuse_newer(connection, config)
                found = MigrationContext.configure(connection).get_current_heads()
        return sorted(name for name in known if name > max(found, default=""))
    finally:
        engine.dispose()


@contextmanager
def posting(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection in the one transaction that may post; it commits when the block ends.

    Raises:
        UserError: The database failed in a way that the operator can put right; nothing is written.
    """
    with told(engine), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        yield connection


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection to read from.

    Raises:
        UserError: As in `posting`.
    """
    with told(engine), engine.connect() as connection:
        yield connection


@contextmanager
def snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection whose statements all see the store of one moment.

    A server goes on posting meanwhile; the embedded database lets nobody write until the end.

    Raises:
        UserError: As in `posting`.
    """
    with told(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


def holds(connection: sa.Connection, column: str, text: str) -> sa.TextClause:
    """Return the condition that a text column holds a text, as the partial indexes on it say it.

    A database uses such an index only for its own words, so neither a parameter nor `LIKE` serves.

    Args:
        connection: Whose database is asked.
        column: Column of the query.
        text: Text of ours, without quotation marks of SQL in it.
    """
    within = "strpos" if connection.dialect.name == "postgresql" else "instr"
    return sa.text(f"{within}({column}, '{text}') > 0")


class Looking:
    """Single statements that only look, for a server that is asked many times a second."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = looking_engine(engine)

    def first(self, query: sa.Select[Any]) -> sa.Row[Any] | None:
        """Return the first row of a query; None where there is none.

        Raises:
            UserError: As in `posting`.
        """
        with told(self._engine):
            try:
                return self._first(query)
            except sa.exc.DBAPIError as error:
                # The server closed it while it lay in the pool: all that lay there were dropped.
                if not error.connection_invalidated:
                    raise
                return self._first(query)

    def _first(self, query: sa.Select[Any]) -> sa.Row[Any] | None:
        with self._engine.connect() as connection:
            return connection.execute(query).first()


@contextmanager
def _migrations() -> Iterator[Config]:
    with as_file(files("fieldline") / "lending" / "store" / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        yield config


def _upgrade(connection: sa.Connection) -> None:
    with _migrations() as config:
        config.attributes["connection"] = connection
        _refuse_newer(connection, config)
        command.upgrade(config, "head")


def _refuse_newer(connection: sa.Connection, config: Config) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = set(MigrationContext.configure(connection).get_current_heads())
    if found <= known:
        return
    where = connection.engine.url.render_as_string(hide_password=True)
    raise UserError(
        f"{where} was written by a newer version of Fieldline "
        f"(tables of version {', '.join(sorted(found - known))}, known up to {max(known)})",
        "install that version, or name another database",
    )
