from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fieldline.lending.store.audit import GENESIS, append, text_hash, verify
from fieldline.lending.store.database import AUDIT, open_database, posting


def rows(engine: sa.Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(AUDIT).order_by(AUDIT.c.seq)))


def test_the_chain_by_hand(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "db.sqlite")
    with posting(engine) as connection:
        append(connection, [{"b": 1, "a": "x"}])
        append(connection, [{"c": 2}])
    first, second = rows(engine)
    assert first.payload == '{"a":"x","b":1}'
    assert first.previous == GENESIS
    assert first.hash == text_hash(f"1\n{GENESIS}\n" + '{"a":"x","b":1}')
    assert second.previous == first.hash
    report = verify(engine)
    assert (report.entries, report.head, report.problems) == (2, second.hash, ())


@pytest.mark.parametrize("change", ["UPDATE audit SET payload = '{}'", "DELETE FROM audit"])
def test_the_chain_is_append_only(tmp_path: Path, change: str) -> None:
    engine = open_database(tmp_path / "db.sqlite")
    with posting(engine) as connection:
        append(connection, [{"a": 1}])
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), posting(engine) as connection:
        connection.execute(sa.text(change))
    assert len(rows(engine)) == 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("UPDATE audit SET payload = '{}' WHERE seq = 2", "entry 2 was changed"),
        ("DELETE FROM audit WHERE seq = 1", "entry 1 is missing"),
        ("UPDATE offers SET limit_minor = 1 WHERE access = 'approve'", "was changed after posting"),
        ("UPDATE decisions SET trace = '{}'", "was changed or removed after posting"),
        ("UPDATE offers SET offer_id = 'forged'", "offer forged was never posted"),
    ],
)  # fmt: skip
def test_every_tampering_is_found(county: Any, loans: Any, change: str, problem: str) -> None:
    county.loans = loans
    county.add("a", "ann", width=200)
    county.apply("ann")
    county.decide()
    database = county.path("db.sqlite")
    county.offers(database)
    with sqlite3.connect(database) as connection:
        for verb in ("UPDATE", "DELETE"):
            connection.execute(f"DROP TRIGGER audit_no_{verb}")
        connection.execute(change)
    assert any(problem in found for found in verify(open_database(database)).problems)
