"""Consents of applications that cover handing over, and when they end; found by farmer."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add whom a consent names, what it covers and its last day."""
    op.add_column("applications", sa.Column("consent_recipient", sa.Text))
    op.add_column("applications", sa.Column("consent_data", sa.Text))
    op.add_column("applications", sa.Column("consent_expires_on", sa.Date))
    op.create_index("consents_of_farmers", "applications", ["farmer_id", "county"])


def downgrade() -> None:
    """Remove them."""
    op.drop_index("consents_of_farmers", "applications")
    with op.batch_alter_table("applications") as table:
        for name in ("consent_expires_on", "consent_data", "consent_recipient"):
            table.drop_column(name)
