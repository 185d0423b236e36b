"""Tables of the vault; their names let it share a database with the offer store.

No column holds a name, a phone, an id number or the lender's own reference in clear text.
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

FORMAT = "1"
"""Version of these tables and of what the ciphers cover."""

META = sa.Table(
    "vault_meta",
    METADATA,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""`format`; `master`: which master key; `integrity`: the key of marks, wrapped; `pseudonyms`: which
pseudonym key; `access_head`: the end of the access log."""

PERSONS = sa.Table(
    "vault_persons",
    METADATA,
    sa.Column("county", sa.Text, primary_key=True),
    sa.Column("season", sa.Text, primary_key=True),
    sa.Column("farmer_id", sa.Text, primary_key=True),
    sa.Column("data_key", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Index("vault_persons_of_farmer", "farmer_id"),
    sqlite_with_rowid=False,
)

BATCHES = sa.Table(
    "vault_batches",
    METADATA,
    sa.Column("county", sa.Text, primary_key=True),
    sa.Column("season", sa.Text, primary_key=True),
    sa.Column("persons", sa.Integer, nullable=False),
    sa.Column("mark", sa.String(64), nullable=False),
)
"""`mark`: sum of the keyed marks of a county and season's records: a removed one is missed."""

ERASED = sa.Table(
    "vault_erased",
    METADATA,
    sa.Column("farmer_id", sa.Text, primary_key=True),
    sa.Column("erased_at", sa.Text, nullable=False),
)
"""Farmers whose data was destroyed at their wish, and who are not taken in again."""

ACCESS = sa.Table(
    "vault_access",
    METADATA,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("entry", sa.Text, nullable=False),
    sa.Column("mark", sa.String(64), nullable=False),
)
"""Who did what with whose data, when and for which purpose."""
