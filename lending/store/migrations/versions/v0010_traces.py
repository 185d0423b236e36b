"""Traces are packed by LZ4 where the server can: packing took half the time of a posting."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_KNOWN = "SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"


def upgrade() -> None:
    """Choose how new traces are packed; those that stand there stay as they are."""
    if op.get_bind().dialect.name == "postgresql" and op.get_bind().scalar(sa.text(_KNOWN)):
        op.execute("ALTER TABLE decisions ALTER COLUMN trace SET COMPRESSION lz4")


def downgrade() -> None:
    """Choose the server's own way again."""
    if op.get_bind().dialect.name == "postgresql" and op.get_bind().scalar(sa.text(_KNOWN)):
        op.execute("ALTER TABLE decisions ALTER COLUMN trace SET COMPRESSION default")
