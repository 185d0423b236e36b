"""What is asked of a store is found by an index: a full one answers as an empty one does."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import shapely
import sqlalchemy as sa

from fieldline.desk.app.work import Book
from fieldline.lending.portfolio.lines import lines_on
from fieldline.lending.portfolio.population import of_shelf
from fieldline.lending.settings import PolicySettings
from fieldline.lending.store.audit import actor_of
from fieldline.lending.store.closing import expire
from fieldline.lending.store.database import METADATA, OFFERS, REVIEWS, open_database, reading
from fieldline.lending.store.land import enter_land, offers_on
from fieldline.lending.store.lines import unreleased
from fieldline.lending.store.offers import live_offers
from fieldline.lending.store.posting import Shelf, post
from fieldline.lending.store.queue import (
    STATES,
    Within,
    cases,
    counts,
    next_waiting,
    rows_of,
    stretch,
)
from fieldline.lending.store.reviews import confirm
from fieldline.pipeline.records.errors import UserError
from tests.benchmarks.store import PRODUCT, SEASON, county, explained, land, templates
from tests.lending.store.acted import DAY, offers_by_the_thousand, store_of_cases

ACTS = ("decided", "later", "ended", "second")
GROWING = ("offers", "decisions", "audit", "land", "reviews", *ACTS)
"""Tables that grow with every posting and every act, under the names that statements give them."""
SMALL = {"decisions_naming_guarantors", "entries_of_work"}
"""Indexes that hold few rows of a table: to read all of such an index is to read what is asked."""
COUNTED = {"live_for_people", "decisions_of_people"}
"""Indexes of the cases, which are walked to count them all."""
IN_WORDS = SMALL | {"entries_of_reviews", "entries_of_acts"}
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


def a_page(engine: sa.Engine) -> None:
    for said in ("", "waits", "in force", "waits for a second person"):
        counted = {("C0", SEASON): dict.fromkeys(STATES, 40)}
        assert rows_of(engine, stretch(engine, counted, 5, 10, said))


def a_county_queue(engine: sa.Engine) -> None:
    assert rows_of(engine, cases(engine, Within("C0", SEASON)))


def some_farmers(engine: sa.Engine) -> None:
    with reading(engine) as connection:
        own = sa.select(OFFERS.c.farmer_id).where(OFFERS.c.access == "review").limit(20)
        farmers = frozenset(connection.scalars(own))
    assert len(cases(engine, Within(farmers=farmers))) == 20


def the_next(engine: sa.Engine) -> None:
    done = {"county": "C0", "season": SEASON, "product": PRODUCT, "farmer_id": "", "seq": 0}
    seen = Within(counties=frozenset({"C0", "C1"}))
    assert next_waiting(engine, Within(), done) == next_waiting(engine, seen, done)
    assert next_waiting(engine, Within(), {**done, "county": "none"})


def an_act(engine: sa.Engine) -> None:
    with reading(engine) as connection:
        last = sa.select(REVIEWS.c.review_id).where(REVIEWS.c.act == "decide")
        decided = connection.scalar(last.order_by(REVIEWS.c.seq.desc()).limit(1))
    with pytest.raises(UserError):  # it is read before it is refused
        confirm(engine, str(decided), "", today=DAY)


def the_lines(engine: sa.Engine) -> None:
    with reading(engine) as connection:
        offers = sa.select(OFFERS).where(OFFERS.c.offer_id == "none")
        assert not unreleased(connection, [row._asdict() for row in connection.execute(offers)])
        assert unreleased(connection, [dict.fromkeys(OFFERS.c.keys(), "none")])


def the_work(engine: sa.Engine) -> None:
    assert Book(lambda: engine).owners("C0", SEASON) == {}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    engine = open_database(tmp_path_factory.mktemp("store") / "store.sqlite")
    store_of_cases(engine, ["C0"], 600)
    frame = county(templates(PolicySettings()), "C0", 600)
    enter_land(engine, "C0", SEASON, land(frame, "C0", 0))
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def server(fresh_postgres: Callable[[str], str]) -> Iterator[sa.Engine]:
    """A server with as many counties as it takes for its plans to be those of a large store."""
    engine = open_database(fresh_postgres("growth"))
    offers_by_the_thousand(engine, counties=40, farmers=500)
    yield engine
    engine.dispose()


def whole_tables_read(engine: sa.Engine, act: Act, but: set[str] = SMALL) -> dict[str, str]:
    """Return the statements of an act that read a growing table from end to end, by their plan."""
    found = {}
    plans = explained(engine, lambda: act(engine), indexes_only=True)
    assert plans
    for statement, lines in plans.items():
        # Those that take the last or the next one stop when they have it, unless they sort first.
        sorts = any("TEMP B-TREE" in line or "Sort Key" in line for line in lines)
        limits = "LIMIT" in statement or any(line.endswith("Limit") for line in map(_head, lines))
        stops = limits and not sorts
        server = engine.dialect.name == "postgresql"
        for line in walked(lines) if server else lines:
            words = line.split()
            whole = words[0] == "SCAN" and words[1] in GROWING and not stops
            # By its key land is found a county at a time: too often, if for every offer.
            by_county = words[:2] == ["SEARCH", "land"] and "land_from_west" not in words
            whole |= by_county and "offers" in statement
            if whole and not but & set(words):
                found[statement] = line
    return found


def _head(line: str) -> str:
    return line.split("  (")[0]


def walked(lines: list[str]) -> Iterator[str]:
    """Yield what a server's plan walks from end to end, as SQLite says it: a table, or an index of
    which no part is asked for."""
    nodes = re.split(r"\n(?:->  )", "\n".join(lines))
    for node in nodes:
        told = re.search(r"(Seq Scan|Index (?:Only )?Scan using (\w+)) on (\w+)", node)
        if told and "Index Cond" not in node:
            yield f"SCAN {told[3]} USING INDEX {told[2]}"
        bitmap = re.search(r"Bitmap Index Scan on (\w+)", node)
        if bitmap and "Index Cond" not in node:
            yield f"SCAN offers USING INDEX {bitmap[1]}"


OF_THE_QUEUE = {
    "page": a_page, "queue of a county": a_county_queue, "queue of farmers": some_farmers,
    "next case": the_next, "act": an_act, "released": the_lines,
    "who entered a review": the_maker, "work": the_work,
}  # fmt: skip


@pytest.mark.parametrize("act", OF_THE_QUEUE.values(), ids=OF_THE_QUEUE.keys())
def test_no_question_of_the_queue_reads_a_growing_table_from_end_to_end(
    store: sa.Engine, act: Act
) -> None:
    assert whole_tables_read(store, act) == {}


@pytest.mark.postgres
@pytest.mark.parametrize("act", OF_THE_QUEUE.values(), ids=OF_THE_QUEUE.keys())
def test_nor_does_one_that_a_server_plans(server: sa.Engine, act: Act) -> None:
    assert whole_tables_read(server, act) == {}


def test_cases_are_counted_on_their_own_indexes(store: sa.Engine) -> None:
    assert whole_tables_read(store, lambda engine: counts(engine, Within()), SMALL | COUNTED) == {}


@pytest.mark.postgres
def test_a_server_counts_what_waits_on_its_own_index(server: sa.Engine) -> None:
    waiting, _ = explained(server, lambda: counts(server, Within())).values()
    assert list(walked(waiting)) == ["SCAN offers USING INDEX live_for_people"]


@pytest.mark.parametrize(
    "act",
    [
        a_posting, a_farmer, a_place,
        lambda engine: live_offers(engine, "C0", SEASON),
        lambda engine: of_shelf(engine, "C0", SEASON),
        lambda engine: lines_on(engine, dt.date(2024, 10, 15), ["C0"]),
        lambda engine: expire(engine, dt.date(2000, 1, 1), today=dt.date(2024, 1, 1)),
    ],
    ids=["posting", "farmer", "place", "county", "applicants of a county",
         "lines of a county", "what ran out"],
)  # fmt: skip
def test_no_question_reads_a_growing_table_from_end_to_end(store: sa.Engine, act: Act) -> None:
    assert whole_tables_read(store, act) == {}


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")
def test_the_indexes_of_the_migrations_are_those_of_the_tables(store: sa.Engine) -> None:
    made = sa.create_engine("sqlite://")
    METADATA.create_all(made)
    told, found = sa.inspect(made), sa.inspect(store)
    for table in METADATA.tables:
        indexes = [
            {index["name"]: index["column_names"] for index in one.get_indexes(table)}
            for one in (told, found)
        ]
        # Those on a part of a text are the migrations' alone: each kind of database words them.
        own = {n: columns for n, columns in indexes[1].items() if n not in IN_WORDS}
        assert own == indexes[0], table
