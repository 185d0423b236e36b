"""Outlines of parcels beside their offers, so that a place can be asked whose lines stand there."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_NAMES = ("county", "season", "parcel_id", "farmer_id")
_CORNERS = ("west", "south", "east", "north")


def upgrade() -> None:
    """Add the table; what PostGIS adds to it comes with the first posting under that extension."""
    op.create_table(
        "land",
        *(sa.Column(name, sa.Text, nullable=False) for name in _NAMES),
        *(sa.Column(name, sa.Float(53), nullable=False) for name in _CORNERS),
        sa.Column("outline", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("county", "season", "parcel_id"),
    )
    op.create_index("land_from_west", "land", list(_CORNERS))


def downgrade() -> None:
    """Remove it."""
    op.drop_table("land")
