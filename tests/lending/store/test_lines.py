"""Offers as lines: what was offered counts through its tenor, until the lender says otherwise."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa

from fieldline.lending.decision.case import Case
from fieldline.lending.store.database import open_database
from fieldline.lending.store.lines import release
from fieldline.lending.store.posting import Shelf
from fieldline.lending.store.replays import replay_stored
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.errors import UserError
from tests.lending.store.test_present import ELSEWHERE, A, give, of

# Offered on 30 September 2024, to be signed by 30 October, for 330 days: it may run until then.
LAST = dt.date(2024, 10, 30) + dt.timedelta(days=330)


@pytest.fixture
def store(tmp_path: Path) -> sa.Engine:
    return open_database(tmp_path / "store.sqlite")


@pytest.mark.parametrize("shelf", [A, ELSEWHERE[0]])
@pytest.mark.parametrize(
    ("day", "counts"),
    [(dt.date(2024, 10, 31), True), (LAST, True), (LAST + dt.timedelta(days=1), False)],
)
def test_an_offer_that_ran_out_is_a_line_through_its_tenor(
    store: sa.Engine, case: Case, shelf: Shelf, day: dt.date, counts: bool
) -> None:
    give(store, A, case)
    (offer,) = give(store, shelf, of(case, as_of=day)).live
    assert offer["limit_minor"] == (None if counts else 440_000)
    assert ("limit_live_lines" in offer["reason_codes"]) == counts
    assert give(store, shelf, of(case, as_of=day)).written == 0
    assert verify(store).problems == ()


def test_a_year_of_monthly_postings_lends_a_harvest_once(store: sa.Engine, case: Case) -> None:
    # 4,400 can be repaid; 2,000 are asked for, so 2,000, 2,000 and 400 < 500 (the least line).
    small = of(case, farmer=case.farmer.model_copy(update={"requested_minor": 200_000}))
    lent = []
    for month in range(10):
        day = dt.date(2024, 9, 30) + dt.timedelta(days=31 * month)
        lent.append(give(store, A, of(small, as_of=day)).live[0]["limit_minor"])
    assert lent == [200_000, 200_000, *[None] * 8]


def test_a_household_that_ran_out_is_not_counted_against_its_own_posting(
    store: sa.Engine, case: Case
) -> None:
    wife, husband = case, of(case, farmer_id="F2")
    first = give(store, A, wife, husband)
    give(store, Shelf("Z", "2024", "season-line"), of(case, as_of=dt.date(2024, 11, 5),
         farmer_id="F9", household_id="H9"))  # fmt: skip
    again = give(store, A, wife, husband)
    assert (again.written, len(again.live)) == (0, 2)
    assert {r["offer_id"] for r in again.live} == {r["offer_id"] for r in first.live}


def test_a_released_line_counts_no_longer(store: sa.Engine, case: Case) -> None:
    (offer,) = give(store, A, case).live
    later = of(case, as_of=dt.date(2024, 10, 31))
    today = dt.date(2024, 11, 1)
    with pytest.raises(UserError, match="may be signed until 2024-10-30"):
        release(store, [offer["offer_id"]], "Ann", "not signed", today=today)
    (declined,) = give(store, A, later).live
    assert declined["access"] == "decline"
    with pytest.raises(UserError, match="holds no line of offer 'nobody'"):
        release(store, [offer["offer_id"], "nobody"], "Ann", "not signed", today=today)
    assert give(store, A, later).live[0]["access"] == "decline"
    assert release(store, [offer["offer_id"]], "Ann", "not signed", today=today) == 1
    with pytest.raises(UserError, match="was released"):
        release(store, [offer["offer_id"]], "Bo", "repaid", today=today)
    assert give(store, A, later).live[0]["limit_minor"] == 440_000
    assert verify(store).problems == ()
    assert replay_stored(store).problems == {}
