"""What is asked of a store is found by an index: a full one answers as an empty one does."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import shapely
import sqlalchemy as sa

from fieldline.lending.settings import PolicySettings
from fieldline.lending.store.audit import actor_of
from fieldline.lending.store.closing import expire
from fieldline.lending.store.database import OFFERS, open_database, reading
from fieldline.lending.store.land import enter_land, offers_on
from fieldline.lending.store.offers import live_offers
from fieldline.lending.store.posting import Shelf, post
from fieldline.lending.store.reviews import waiting
from tests.benchmarks.store import PRODUCT, SEASON, county, land, templates

GROWING = ("offers", "decisions", "audit", "land")
"""Tables that grow with every posting; those of runs and of what people did stay small."""
SMALL = {"entries_of_reviews", "decisions_naming_guarantors"}
"""Indexes that hold few rows of a table: to read all of such an index is to read what is asked."""
Act = Callable[[sa.Engine], Any]


def a_posting(engine: sa.Engine) -> None:
    frame = county(templates(PolicySettings()), "C1", 300)
    post(engine, frame, Shelf("C1", SEASON, PRODUCT), PolicySettings())


def the_maker(engine: sa.Engine) -> None:
    with reading(engine) as connection:
        assert actor_of(connection, "none") == ""


def a_farmer(engine: sa.Engine) -> None:
    here = {"county": "C0", "season": SEASON, "farmer_id": "C0-000001"}
    query = sa.select(OFFERS).where(*(OFFERS.c[name] == value for name, value in here.items()))
    with reading(engine) as connection:
        assert len(connection.execute(query).all()) == 1


def a_place(engine: sa.Engine) -> None:
    assert 0 < len(offers_on(engine, shapely.Point(110.05, 30.05), 1000)) < 100


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "store.sqlite"
    engine = open_database(path)
    frame = county(templates(PolicySettings()), "C0", 600)
    post(engine, frame, Shelf("C0", SEASON, PRODUCT), PolicySettings())
    enter_land(engine, "C0", SEASON, land(frame, "C0", 0))
    engine.dispose()
    return path


def whole_tables_read(path: Path, act: Act) -> dict[str, str]:
    """Return the statements of an act that read a growing table from end to end, by their plan."""
    asked: list[tuple[str, Any]] = []
    engine = open_database(path)

    @sa.event.listens_for(engine, "before_cursor_execute")
    def keep(_c: Any, _u: Any, statement: str, parameters: Any, _x: Any, many: bool) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")) and not many:
            asked.append((statement, parameters))

    act(engine)
    engine.dispose()
    found = {}
    with sqlite3.connect(path) as connection:
        for statement, parameters in asked:
            told = [p.isoformat() if isinstance(p, dt.date) else p for p in parameters]
            for *_, line in connection.execute(f"EXPLAIN QUERY PLAN {statement}", told):
                words = line.split()
                last_only = "DESC" in statement and "LIMIT" in statement  # read from the end
                whole = words[0] == "SCAN" and words[1] in GROWING and not last_only
                # By its key land is found a county at a time: too often, if for every offer.
                by_county = words[:2] == ["SEARCH", "land"] and "land_from_west" not in words
                whole |= by_county and "offers" in statement
                if whole and not SMALL & set(words):
                    found[statement] = line
    assert asked
    return found


@pytest.mark.parametrize(
    "act",
    [
        a_posting, waiting, the_maker, a_farmer, a_place,
        lambda engine: live_offers(engine, "C0", SEASON),
        lambda engine: waiting(engine, {"county": "C0", "season": SEASON}),
        lambda engine: expire(engine, dt.date(2000, 1, 1), today=dt.date(2024, 1, 1)),
    ],
    ids=["posting", "queue", "who entered a review", "farmer", "place", "county",
         "queue of a county", "what ran out"],
)  # fmt: skip
def test_no_question_reads_a_growing_table_from_end_to_end(store: Path, act: Act) -> None:
    assert whole_tables_read(store, act) == {}


def test_the_queue_holds_those_who_wait_for_a_person_and_nobody_else(store: Path) -> None:
    engine = open_database(store)
    live = live_offers(engine, "C0", SEASON)
    asked = [row["farmer_id"] for row in live if row["access"] == "review"]
    assert 0 < len(asked) < len(live)
    here = [row for row in waiting(engine) if row["county"] == "C0"]
    assert [row["farmer_id"] for row in here] == sorted(asked)
    engine.dispose()


def test_the_queue_of_a_county_is_that_part_of_the_whole_one_and_no_other(store: Path) -> None:
    engine = open_database(store)
    frame = county(templates(PolicySettings()), "C2", 200)
    post(engine, frame, Shelf("C2", SEASON, PRODUCT), PolicySettings())
    whole = waiting(engine)
    for name in ("C0", "C2"):
        part = [row for row in whole if row["county"] == name]
        assert part
        assert waiting(engine, {"county": name, "season": SEASON}) == part
    assert waiting(engine, {"county": "C2", "season": "1999"}) == []
    engine.dispose()
