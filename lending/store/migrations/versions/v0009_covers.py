"""An offer names who covers part of its line, so that a capacity is not given twice."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add guarantor and covered amount, and the index by which covered lines are found."""
    op.add_column("offers", sa.Column("guarantor", sa.Text))
    op.add_column("offers", sa.Column("covered_minor", sa.BigInteger))
    op.create_index(
        "offers_covered", "offers", ["guarantor"],
        sqlite_where=sa.text("guarantor IS NOT NULL"),
        postgresql_where=sa.text("guarantor IS NOT NULL"),
    )  # fmt: skip


def downgrade() -> None:
    """Remove them."""
    op.drop_index("offers_covered", "offers")
    op.drop_column("offers", "covered_minor")
    op.drop_column("offers", "guarantor")
