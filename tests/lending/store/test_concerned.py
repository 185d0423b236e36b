"""Which counties an act of a person makes post again: one after the other, as runs would."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fieldline.lending.decision.case import Case
from fieldline.lending.store import reviews
from fieldline.lending.store.concerned import Concerned, concerned_by_acts
from fieldline.lending.store.database import open_database
from fieldline.lending.store.lines import release
from fieldline.lending.store.posting import Shelf
from fieldline.lending.store.reviews import Wish
from fieldline.lending.store.verify import verify
from tests.lending.store.test_present import give, of

A, B, C = (Shelf(county, "2024", "season-line") for county in "ABC")
LATER = Shelf("A", "2025", "season-line")
PLACES = ("A", "2024"), ("A", "2025"), ("B", "2024"), ("C", "2024")
TODAY = dt.date(2024, 10, 2)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    url = str(tmp_path / "store.sqlite")
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_database")
    engine = open_database(url)
    yield engine
    engine.dispose()


@pytest.fixture
def doubted(case: Case) -> Case:
    """A case that a person must settle, for its risk; 4,400 can be repaid."""
    risk = case.risk.model_copy(update={"pd": Decimal("0.11"), "challenger": Decimal("0.11")})
    return case.model_copy(update={"risk": risk})


def asked(store: sa.Engine) -> list[list[int]]:
    """Return what bears on A 2024, A 2025, B and C."""
    found = concerned_by_acts(store.url.render_as_string(hide_password=False))
    return [found.of(*place) for place in PLACES]


def approve(store: sa.Engine, offer: dict[str, Any], amount: int = 3000) -> str:
    wish = Wish("Ann", "approve", "seen on the farm", Decimal(amount))
    review: str = reviews.decide(store, offer["offer_id"], wish, today=TODAY).row["review_id"]
    return review


def test_an_act_bears_on_its_own_county_and_season(store: sa.Engine, doubted: Case) -> None:
    assert asked(store) == [[0, 0, 0]] * 4
    (offer,) = give(store, A, doubted).live
    give(store, B, of(doubted, farmer_id="F2", household_id="H2"))
    review = approve(store, offer)
    assert asked(store) == [[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    give(store, A, doubted)
    assert asked(store)[0] == [1, 0, 0]  # what was honoured bears no less
    reviews.revoke(store, review, "Bo", "sold the land", today=TODAY)
    assert asked(store) == [[2, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    give(store, A, of(doubted, refusals=("too_cloudy",)))  # other evidence
    assert asked(store) == [[2, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("who", ["the farmer", "another of the household"])
def test_a_line_that_a_person_ended_bears_on_who_counted_it_once_its_county_has_posted(
    store: sa.Engine, doubted: Case, case: Case, who: str
) -> None:
    other = of(case, farmer_id="F2", exposure_cap_household=Decimal(5000))
    there = case if who == "the farmer" else other
    stranger = of(case, farmer_id="F3", household_id="H3")
    (offer,) = give(store, A, doubted).live
    review = approve(store, offer)
    assert give(store, A, doubted).live[0]["limit_minor"] == 300_000
    before = give(store, B, there, stranger).live[0]
    give(store, C, stranger)
    reviews.revoke(store, review, "Bo", "sold the land", today=TODAY)
    assert asked(store) == [[2, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert give(store, B, there, stranger).written == 0  # nothing is gone yet
    assert asked(store)[2] == [0, 0, 0]
    give(store, A, doubted)
    assert asked(store) == [[2, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0]]
    again = give(store, B, there, stranger)
    assert (again.live[0]["limit_minor"] or 0) > (before["limit_minor"] or 0)
    assert (again.written, asked(store)[2]) == (1, [0, 0, 1])
    assert give(store, B, there, stranger).written == 0
    assert verify(store).problems == ()


def test_a_farmer_who_left_the_household_of_a_line_that_is_gone_is_concerned(
    store: sa.Engine, doubted: Case, case: Case
) -> None:
    (offer,) = give(store, A, doubted).live
    review = approve(store, offer)
    give(store, A, doubted)
    give(store, B, of(case, household_id="H9"))
    reviews.revoke(store, review, "Bo", "sold the land", today=TODAY)
    give(store, A, of(doubted, household_id="H9"))
    assert asked(store)[2] == [0, 0, 1]


def test_a_farmer_whose_line_a_person_takes_away_may_have_it_elsewhere(
    store: sa.Engine, case: Case
) -> None:
    (offer,) = give(store, A, case).live
    assert give(store, B, case).live[0]["limit_minor"] is None
    reviews.decide(store, offer["offer_id"], Wish("Ann", "decline", "moved to B"), today=TODAY)
    give(store, A, case)
    assert asked(store)[2] == [0, 0, 1]
    assert give(store, B, case).live[0]["limit_minor"] == offer["limit_minor"] == 440_000


def test_who_was_posted_before_a_line_or_after_its_end_is_not_concerned(
    store: sa.Engine, doubted: Case, case: Case
) -> None:
    (offer,) = give(store, A, doubted).live
    small = of(case, farmer=case.farmer.model_copy(update={"requested_minor": 100_000}))
    give(store, B, small)
    review = approve(store, offer)
    assert give(store, A, doubted).live[0]["limit_minor"] == 300_000
    assert asked(store)[2] == [0, 0, 0]  # and what stands there stays
    assert give(store, B, small).written == 0
    reviews.revoke(store, review, "Bo", "sold the land", today=TODAY)
    give(store, A, doubted)
    give(store, C, case)
    assert asked(store) == [[2, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_a_released_line_bears_on_all(store: sa.Engine, case: Case) -> None:
    (offer,) = give(store, A, case).live
    give(store, LATER, of(case, as_of=dt.date(2024, 10, 31)))
    release(store, [offer["offer_id"]], "Ann", "not signed", today=dt.date(2024, 11, 1))
    assert asked(store) == [[0, 1, 0]] * 4


def test_a_store_is_neither_made_nor_changed_by_asking(tmp_path: Path, old_store: Any) -> None:
    assert concerned_by_acts(tmp_path / "none.sqlite") == Concerned()
    assert not (tmp_path / "none.sqlite").exists()
    assert concerned_by_acts(old_store.path) == Concerned()
    (tmp_path / "empty.sqlite").touch()
    assert concerned_by_acts(tmp_path / "empty.sqlite") == Concerned()
