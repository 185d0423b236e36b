"""Seals, documents, people's decisions; guards let rows only be added and offers only be closed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEYS = {
    "audit": "seq = NEW.seq",
    "decisions": "decision_id = NEW.decision_id",
    "runs": "seq = NEW.seq",
    "documents": "label = NEW.label",
    "reviews": "seq = NEW.seq OR review_id = NEW.review_id",
}
"""Tables to which rows are only added, with what makes a row one that is there already."""

_OFFER_COLUMNS = (
    "seq", "offer_id", "county", "season", "farmer_id", "household_id", "product", "access",
    "currency", "limit_minor", "annual_rate", "tenor_days", "day_basis", "valid_from", "valid_to",
    "reason_codes", "reasons", "reasons_zh", "decision_id",
)  # fmt: skip

_SQLITE = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} {when}
BEGIN SELECT RAISE(ABORT, '{said}'); END
"""
_SAID = {"audit": "the audit chain is append-only"}
_CLOSED = "an offer is added live and only closed"

_POSTGRES_FUNCTIONS = (
    """
    CREATE FUNCTION rows_guard() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME; END $$
    """,
    """
    CREATE FUNCTION offers_guard() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
      IF TG_OP = 'INSERT' THEN
        IF NEW.status = 'live' THEN RETURN NEW; END IF;
      ELSIF OLD.status = 'live' AND NEW.status IN ('superseded', 'withdrawn', 'expired')
        AND to_jsonb(OLD) - 'status' = to_jsonb(NEW) - 'status' THEN RETURN NEW;
      END IF;
      RAISE EXCEPTION 'an offer is added live and only closed';
    END $$
    """,
)


def upgrade() -> None:
    """Add seals, documents and reviews, and guard every table."""
    op.add_column("audit", sa.Column("seal", sa.Text))
    op.create_table(
        "documents",
        sa.Column("label", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "reviews",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("review_id", sa.String(32), nullable=False, unique=True),
        sa.Column("act", sa.String(8), nullable=False),
        sa.Column("of_review", sa.String(32)),
        sa.Column("county", sa.Text, nullable=False),
        sa.Column("season", sa.Text, nullable=False),
        sa.Column("product", sa.Text, nullable=False),
        sa.Column("farmer_id", sa.Text, nullable=False),
        sa.Column("decision_id", sa.String(64), nullable=False),
        sa.Column("evidence", sa.String(32), nullable=False),
        sa.Column("verdict", sa.String(8), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("limit_minor", sa.BigInteger),
        sa.Column("officer", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("documents", sa.Text, nullable=False),
        sa.Column("overrides", sa.Boolean, nullable=False),
        sa.Column("made_on", sa.Date, nullable=False),
        sa.Column("valid_to", sa.Date, nullable=False),
    )
    for column in ("farmer_id", "household_id"):
        op.create_index(
            f"live_of_{column}", "offers", [column],
            sqlite_where=sa.text("status = 'live'"),
            postgresql_where=sa.text("status = 'live'"),
        )  # fmt: skip
    op.create_index("reviews_of_farmers", "reviews", ["county", "season", "product", "farmer_id"])
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgres()
    else:
        _guard_sqlite()


def _guard_postgres() -> None:
    for function in _POSTGRES_FUNCTIONS:
        op.execute(function)
    for table in (*_KEYS, "offers"):
        verbs = "DELETE OR TRUNCATE" if table == "offers" else "UPDATE OR DELETE OR TRUNCATE"
        if table != "audit":  # guarded since the first version
            op.execute(
                f"CREATE TRIGGER {table}_no_change BEFORE {verbs} ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION rows_guard()"
            )
    op.execute(
        "CREATE TRIGGER offers_only_close BEFORE INSERT OR UPDATE ON offers "
        "FOR EACH ROW EXECUTE FUNCTION offers_guard()"
    )


def _guard_sqlite() -> None:
    """REPLACE deletes without asking a trigger of DELETE, so an INSERT over a row is refused."""
    for table, same in _KEYS.items():
        said = _SAID.get(table, f"table {table} is append-only")
        if table != "audit":
            for verb in ("UPDATE", "DELETE"):
                op.execute(_SQLITE.format(table=table, verb=verb, when="", said=said))
        when = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})"
        op.execute(_SQLITE.format(table=table, verb="INSERT", when=when, said=said))
    equal = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in _OFFER_COLUMNS)
    closing = (
        f"OLD.status = 'live' AND NEW.status IN ('superseded', 'withdrawn', 'expired') AND {equal}"
    )
    live = (
        "SELECT 1 FROM offers WHERE status = 'live' AND county = NEW.county AND "
        "season = NEW.season AND product = NEW.product AND farmer_id = NEW.farmer_id"
    )
    same = "SELECT 1 FROM offers WHERE seq = NEW.seq"
    over = f"NEW.status <> 'live' OR EXISTS ({same}) OR EXISTS ({live})"
    for verb, when in (
        ("UPDATE", f"WHEN NOT ({closing})"),
        ("DELETE", ""),
        ("INSERT", f"WHEN {over}"),
    ):
        op.execute(_SQLITE.format(table="offers", verb=verb, when=when, said=_CLOSED))


def downgrade() -> None:
    """Remove everything that this version created."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER offers_only_close ON offers")
        for table in ("offers", "decisions", "runs"):
            op.execute(f"DROP TRIGGER {table}_no_change ON {table}")
    else:
        for table in ("offers", "decisions", "runs"):
            for verb in ("UPDATE", "DELETE", "INSERT"):
                op.execute(f"DROP TRIGGER {table}_no_{verb}")
        op.execute("DROP TRIGGER audit_no_INSERT")
    for table in ("reviews", "documents"):
        op.drop_table(table)
    for column in ("farmer_id", "household_id"):
        op.drop_index(f"live_of_{column}")
    op.drop_column("audit", "seal")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION rows_guard()")
        op.execute("DROP FUNCTION offers_guard()")
