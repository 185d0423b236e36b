"""The queue as a database counts and reads it is the one that is folded by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fieldline.lending.store.database import OFFERS, open_database, reading
from fieldline.lending.store.queue import (
    STATES,
    Within,
    cases,
    counts,
    counts_of,
    every_case,
    next_waiting,
    rows_of,
    stretch,
)
from tests.benchmarks.store import SEASON
from tests.lending.store.acted import ORDER, queue_by_hand, store_decided_in, store_of_cases

COUNTIES = ("C0", "C1", "C2")
POSTGRES = pytest.param("postgresql", marks=pytest.mark.postgres)


@pytest.fixture(scope="module", params=["sqlite", POSTGRES])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sa.Engine]:
    if request.param == "sqlite":
        url = str(tmp_path_factory.mktemp("queue") / "store.sqlite")
    else:
        url = request.getfixturevalue("fresh_postgres")("queue")
    engine = open_database(url)
    store_of_cases(engine, COUNTIES, 120)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def whole(store: sa.Engine) -> list[dict[str, Any]]:
    """The queue of all, by hand; every state is in it."""
    found = queue_by_hand(store)
    assert {row["said"] for row in found} == set(ORDER) == set(STATES)
    return found


def said(found: Any) -> list[tuple[Any, ...]]:
    names = ("seq", "offer_id", "said", "officer")
    rows = [row if isinstance(row, dict) else {n: getattr(row, n) for n in names} for row in found]
    return [tuple(row[name] for name in names) for row in rows]


@pytest.mark.parametrize("counties", [None, frozenset({"C0", "C2"}), frozenset[str]()])
def test_every_county_is_counted_by_state(
    store: sa.Engine, whole: list[dict[str, Any]], counties: frozenset[str] | None
) -> None:
    expected: dict[tuple[str, str], Counter[str]] = {}
    for row in whole:
        if counties is None or row["county"] in counties:
            of = expected.setdefault((row["county"], row["season"]), Counter())
            of[row["said"]] += 1
    assert counts(store, Within(counties=counties)) == expected
    assert counts(store, Within(season="1999", counties=counties)) == {}
    seen = sorted(COUNTIES if counties is None else counties)
    listed = [entry for name in seen for entry in cases(store, Within(name))]
    assert counts_of(listed) == expected


def test_a_county_is_listed_in_the_order_of_the_queue(
    store: sa.Engine, whole: list[dict[str, Any]]
) -> None:
    for name in COUNTIES:
        own = [row for row in whole if row["county"] == name]
        found = cases(store, Within(name, SEASON))
        assert said(found) == said(own)
        assert [row["reasons"] for row in rows_of(store, found)] == [row["reasons"] for row in own]
    assert cases(store, Within("C1", "1999")) == []
    assert cases(store, Within("C1", SEASON, counties=frozenset({"C0"}))) == []
    with pytest.raises(ValueError, match="a county or farmers must be named"):
        cases(store, Within(season=SEASON))


@pytest.mark.parametrize("state", ["", *STATES])
@pytest.mark.parametrize("size", [7, 100])
def test_pages_laid_one_after_the_other_are_the_whole_queue(
    store: sa.Engine, whole: list[dict[str, Any]], state: str, size: int
) -> None:
    counted = counts(store, Within())
    expected = [row for row in whole if not state or row["said"] == state]
    found = []
    for first in range(0, len(expected) + size, size):
        page = stretch(store, counted, first, size, state)
        assert len(page) <= size
        found += page
    assert said(found) == said(expected)


def test_a_county_in_which_nothing_waits_any_more_is_counted_and_leaves_no_gap(
    tmp_path: Path,
) -> None:
    engine = open_database(tmp_path / "store.sqlite")
    store_decided_in(engine, "C0", ("C0", "C1"), 60)
    by_hand = queue_by_hand(engine)
    of = Counter((row["county"], row["said"]) for row in by_hand)
    counted = counts(engine, Within())
    assert set(of) == {("C0", "in force"), ("C1", "waits")}
    assert counted == {(county, SEASON): {state: n} for (county, state), n in of.items()}
    pages = [stretch(engine, counted, first, 4) for first in range(0, len(by_hand), 4)]
    assert said(entry for page in pages for entry in page) == said(by_hand)
    engine.dispose()


def test_of_some_farmers_nobody_elses_case_is_told(
    store: sa.Engine, whole: list[dict[str, Any]]
) -> None:
    some = frozenset(row["farmer_id"] for row in whole[::3])
    here = frozenset({"C0", "C1"})
    own = [row for row in whole if row["farmer_id"] in some and row["county"] in here]
    assert own
    assert said(cases(store, Within(counties=here, farmers=some))) == said(own)
    assert cases(store, Within(farmers=frozenset())) == []
    only = [row for row in own if row["county"] == "C1"]
    assert said(cases(store, Within("C1", counties=here, farmers=some))) == said(only)


def test_after_a_case_comes_the_next_of_its_county_and_then_another_that_may_be_seen(
    store: sa.Engine, whole: list[dict[str, Any]]
) -> None:
    waits = [row for row in whole if row["said"] == "waits"]
    of = {name: [row for row in waits if row["county"] == name] for name in COUNTIES}
    for one, following in zip(of["C1"], [*of["C1"][1:], of["C1"][0]], strict=True):
        assert next_waiting(store, Within(), one) == following["offer_id"]
    with reading(store) as connection:
        other = connection.execute(sa.select(OFFERS).where(OFFERS.c.access == "approve")).first()
    assert other is not None
    done = {**other._asdict(), "county": "none"}
    assert next_waiting(store, Within(), done) == of["C0"][0]["offer_id"]
    seen = Within(counties=frozenset({"C2", "C1"}))
    assert next_waiting(store, seen, done) == of["C1"][0]["offer_id"]
    last = of["C2"][-1]
    seen = Within(counties=frozenset({"C1", "C2"}), farmers=frozenset({last["farmer_id"]}))
    assert next_waiting(store, seen, done) == last["offer_id"]
    assert next_waiting(store, seen, of["C1"][0]) == last["offer_id"]
    assert next_waiting(store, seen, last) is None
    assert next_waiting(store, Within(counties=frozenset()), done) is None


def test_every_case_is_told_once_a_county_after_the_other(
    store: sa.Engine, whole: list[dict[str, Any]]
) -> None:
    told = list(every_case(store, Within()))
    by_place = sorted(whole, key=lambda row: (row["county"], row["farmer_id"]))
    assert [entry.offer_id for entry, _ in told] == [row["offer_id"] for row in by_place]
    assert all(entry.offer_id == offer["offer_id"] for entry, offer in told)
    some = [entry.county for entry, _ in every_case(store, Within("C2"))]
    assert set(some) == {"C2"}
    assert len(some) == sum(row["county"] == "C2" for row in whole)


def test_a_store_without_offers_has_no_queue(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "store.sqlite")
    assert counts(engine, Within()) == {}
    assert stretch(engine, {}, 0, 100) == []
    assert list(every_case(engine, Within())) == []
    engine.dispose()
