"""Applications that come one by one: each once, whatever is sent again, and who has it in work."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of applications."""
    op.create_table(
        "applications",
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
    )
    op.create_index(
        "applications_of_farmers", "applications", ["county", "season", "product", "farmer_id"]
    )
    op.create_index("applications_at_work", "applications", ["status", "received_at"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("applications")
