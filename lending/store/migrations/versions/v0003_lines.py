"""Offers that ran out may be lines that run: they are looked up by people, as live ones are."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COLUMNS = ("farmer_id", "household_id")


def upgrade() -> None:
    """Add the indexes by which lines of farmers and households are found."""
    for column in _COLUMNS:
        op.create_index(
            f"expired_of_{column}", "offers", [column],
            sqlite_where=sa.text("status = 'expired'"),
            postgresql_where=sa.text("status = 'expired'"),
        )  # fmt: skip


def downgrade() -> None:
    """Remove them."""
    for column in _COLUMNS:
        op.drop_index(f"expired_of_{column}", "offers")
