"""The queue is counted and read by county, and what people did is found by farmer and by act."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_LIVE_REVIEW = "status = 'live' AND access = 'review'"
_KEY = ("county", "season", "product", "farmer_id")
_REVIEWS = '{holds}(payload, \'"event":"review"\') > 0'
_NAMED = 'substr(payload, {holds}(payload, \'"review_id":"\') + 13, 32)'
"""The act that an entry of a person's act names."""
_INDEXES = (
    ("live_for_people", "offers", _KEY, _LIVE_REVIEW),
    ("superseded_of_shelves", "offers", ("county", "season"), "status = 'superseded'"),
    ("decisions_of_people", "reviews", (*_KEY, "seq"), "act = 'decide'"),
    ("releases_of_farmers", "reviews", ("farmer_id",), "act = 'release'"),
    ("entries_of_work", "audit", ("seq",), '{holds}(payload, \'"event":"work"\') > 0'),
    ("entries_of_acts", "audit", (_NAMED,), _REVIEWS),
)


def upgrade() -> None:
    """Order what waits for people by place; add an index for each question that read too much."""
    op.drop_index("live_for_people", "offers")
    holds = "strpos" if op.get_bind().dialect.name == "postgresql" else "instr"
    for name, table, columns, where in _INDEXES:
        only = sa.text(where.format(holds=holds))
        told = [sa.text(c.format(holds=holds)) if "(" in c else c for c in columns]
        op.create_index(name, table, told, sqlite_where=only, postgresql_where=only)


def downgrade() -> None:
    """Put the order by access back and remove the others."""
    for name, table, *_ in _INDEXES:
        op.drop_index(name, table)
    only = sa.text(_LIVE_REVIEW)
    op.create_index(
        "live_for_people", "offers", ["access"], sqlite_where=only, postgresql_where=only
    )
