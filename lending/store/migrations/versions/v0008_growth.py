"""What is asked of the store costs what it asks for, however much else stands there."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0005"
branch_labels = None
depends_on = None

_GUARANTORS = "{holds}(trace, '\"guarantors\":[{{') > 0"
_REVIEWS = '{holds}(payload, \'"event":"review"\') > 0'
_INDEXES = (
    ("offers_of_farmers", "offers", ("farmer_id", "county", "season"), None),
    ("offers_of_decisions", "offers", ("decision_id",), None),
    ("live_until", "offers", ("valid_to",), "status = 'live'"),
    ("live_for_people", "offers", ("county", "season"), "status = 'live' AND access = 'review'"),
    ("expired_of_shelves", "offers", ("county", "season", "product"), "status = 'expired'"),
    ("decisions_naming_guarantors", "decisions", ("decision_id",), _GUARANTORS),
    ("entries_of_reviews", "audit", ("seq",), _REVIEWS),
)


def upgrade() -> None:
    """Add an index for each question that read a whole table."""
    holds = "strpos" if op.get_bind().dialect.name == "postgresql" else "instr"
    for name, table, columns, where in _INDEXES:
        only = None if where is None else sa.text(where.format(holds=holds))
        op.create_index(name, table, list(columns), sqlite_where=only, postgresql_where=only)


def downgrade() -> None:
    """Remove them."""
    for name, table, *_ in _INDEXES:
        op.drop_index(name, table)
