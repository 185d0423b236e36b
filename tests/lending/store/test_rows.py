"""Rows that go in by few statements are those that were given, on either database."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fieldline.lending.store.database import AUDIT, DECISIONS, OFFERS, open_database, posting
from fieldline.lending.store.rows import add_rows

HARD = 'ä 种植户 "quoted" \\ back\tslash\nline \x01 {"a": [1, null]} \'; DROP TABLE offers'


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> sa.Engine:
    if request.param == "sqlite":
        return open_database(tmp_path / "store.sqlite")
    return open_database(request.getfixturevalue("postgres_database"))


def offer(number: int) -> dict[str, Any]:
    day = dt.date(2024, 2, 29)
    empty = {column.name: None for column in OFFERS.columns if column.nullable}
    return empty | {
        "offer_id": f"{number:032d}", "county": "C", "season": "2024", "farmer_id": f"F{number}",
        "household_id": HARD, "product": "p", "access": "approve", "currency": "CNY",
        "limit_minor": None if number == 3 else 2**53 + number, "annual_rate": None,
        "guarantor": None, "covered_minor": number,
        "tenor_days": 365, "day_basis": 360, "valid_from": day, "valid_to": day,
        "reason_codes": "", "reasons": HARD, "reasons_zh": "无", "decision_id": f"D{number}",
        "status": "live",
    }  # fmt: skip


def test_every_value_comes_back_in_the_order_given(engine: sa.Engine) -> None:
    given = [offer(number) for number in (5, 3, 9, 1)]
    with posting(engine) as connection:
        add_rows(connection, OFFERS, given)
        add_rows(connection, OFFERS, [])
        query = sa.select(OFFERS).order_by(OFFERS.c.seq)
        found = [row._asdict() for row in connection.execute(query)]
    engine.dispose()
    assert [row.pop("seq") for row in found] == [1, 2, 3, 4]
    assert found == given


def test_a_thousand_rows_are_no_thousand_journeys_to_the_server(engine: sa.Engine) -> None:
    said: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    entries = [
        {"seq": n, "payload": "{}", "previous": "0", "hash": str(n), "seal": None}
        for n in range(1, 1001)
    ]
    with posting(engine) as connection:
        begin = len(said)
        add_rows(connection, AUDIT, entries)
        assert len(said) - begin <= 2
        count = connection.scalar(sa.select(sa.func.count()).select_from(AUDIT))
    engine.dispose()
    assert count == 1000


def test_a_row_that_is_there_already_is_refused_and_nothing_stays(engine: sa.Engine) -> None:
    row = {"decision_id": "D", "farmer_id": "F", "as_of": dt.date(2024, 1, 1), "policy": "p",
           "pd_model": "", "trace": "{}"}  # fmt: skip
    with pytest.raises(sa.exc.DatabaseError), engine.begin() as connection:
        add_rows(connection, DECISIONS, [row, row])
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(DECISIONS)) == 0
    engine.dispose()
