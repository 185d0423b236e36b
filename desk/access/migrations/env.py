"""Alembic environment of access: runs inside the transaction that `desk.access.tables` opened."""

from alembic import context

from fieldline.desk.access.tables import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA,
    version_table=VERSION_TABLE,
)  # fmt: skip
with context.begin_transaction():
    context.run_migrations()
