"""Tables of access, beside those of the offer store in one database, with versions of their own.

Owns accounts, sessions, logins under way, failed tries and the keys of programs, and bringing the
tables to the present version. No secret is in them: passwords as argon2 hashes, tokens as SHA-256.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from fieldline.lending.store.database import posting, reading

VERSION_TABLE = "access_version"
METADATA = sa.MetaData()

ACCOUNTS = sa.Table(
    "access_accounts",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("password", sa.Text),
    sa.Column("subject", sa.Text, unique=True),
    sa.Column("counties", sa.Text, nullable=False),
    sa.Column("farmers", sa.Text, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("changed_at", sa.Float, nullable=False),
)

SESSIONS = sa.Table(
    "access_sessions",
    METADATA,
    sa.Column("token", sa.String(64), primary_key=True),
    sa.Column("account", sa.Text, nullable=False, index=True),
    sa.Column("made_at", sa.Float, nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False),
)

LOGINS = sa.Table(
    "access_logins",
    METADATA,
    sa.Column("state", sa.String(64), primary_key=True),
    sa.Column("nonce", sa.Text, nullable=False),
    sa.Column("verifier", sa.Text, nullable=False),
    sa.Column("made_at", sa.Float, nullable=False),
)

TRIES = sa.Table(
    "access_tries",
    METADATA,
    sa.Column("what", sa.String(64), primary_key=True),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
)

CLIENTS = sa.Table(
    "access_clients",
    METADATA,
    sa.Column("client_id", sa.String(16), primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("secret", sa.String(64), nullable=False),
    sa.Column("counties", sa.Text, nullable=False),
    sa.Column("per_minute", sa.Integer, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("ends_at", sa.Float),
)


def bring_up(engine: sa.Engine) -> None:
    """Bring the tables of access to the present version."""
    with posting(engine) as connection, _config() as config:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def lacking(engine: sa.Engine) -> list[str]:
    """Return the versions that the tables of access lack."""
    with _config() as config, reading(engine) as connection:
        known = [s.revision for s in ScriptDirectory.from_config(config).walk_revisions()]
        options = {"version_table": VERSION_TABLE}
        heads = MigrationContext.configure(connection, opts=options).get_current_heads()
    return sorted(name for name in known if name > max(heads, default=""))


@contextmanager
def _config() -> Iterator[Config]:
    with as_file(files("fieldline") / "desk" / "access" / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        yield config
