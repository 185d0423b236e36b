"""Alembic environment: runs inside the transaction that `lending.store` opened."""

from alembic import context

from fieldline.lending.store.database import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
