"""Exposure over everything that is live, and the life of an offer, one posting after the other."""

from __future__ import annotations

import datetime as dt
import random
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from fieldline.lending.decision.case import Case, policy_hash
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.decision.row import decision_row
from fieldline.lending.settings import PostingSettings
from fieldline.lending.store.closing import expire
from fieldline.lending.store.database import LIVE, OFFERS, open_database, reading
from fieldline.lending.store.offers import run_offers
from fieldline.lending.store.posting import Posted, Shelf
from fieldline.lending.store.replays import replay_stored
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table
from tests.lending.store.judged import post_judged

A = Shelf("A", "2024", "season-line")
ELSEWHERE = (
    Shelf("A", "2025", "season-line"), Shelf("A", "2024", "harvest-line"),
    Shelf("B", "2024", "season-line"),
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> sa.Engine:
    return open_database(tmp_path / "store.sqlite")


def give(store: sa.Engine, shelf: Shelf, *cases: Case, **more: Any) -> Posted:
    """Decide cases and post them as all that there is on a shelf."""
    return post_judged(store, shelf, *cases, **more)


def live(store: sa.Engine) -> list[Any]:
    with reading(store) as connection:
        return list(connection.execute(sa.select(OFFERS).where(OFFERS.c.status == LIVE)))


def of(case: Case, **changes: Any) -> Case:
    """Return the case with other fields; those of the policy by their own names."""
    policy = {n: changes.pop(n) for n in list(changes) if n in type(case.policy).model_fields}
    return case.model_copy(update={**changes, "policy": case.policy.model_copy(update=policy)})


def test_a_harvest_is_lent_on_once_whatever_season_product_or_county(
    store: sa.Engine, case: Case
) -> None:
    alone = decide_case(case)
    assert (alone.limit_minor, alone.reasons[0].code) == (440_000, "limit_capacity")
    give(store, A, case)
    for shelf in ELSEWHERE:
        (offer,) = give(store, shelf, case).live
        assert (offer["access"], offer["limit_minor"]) == ("decline", None)
        assert offer["reason_codes"] == "limit_below_minimum | limit_live_lines"
        assert "lines of CNY 4,400 that may still be running" in offer["reasons"]
    assert [row.limit_minor for row in live(store) if row.limit_minor] == [440_000]
    assert verify(store).problems == ()
    assert replay_stored(store).problems == {}


def test_what_the_first_line_leaves_is_lent(store: sa.Engine, case: Case) -> None:
    # 440,000 fen can be repaid; 200,000 are asked for first, so at most 240,000 are left.
    small = of(case, farmer=case.farmer.model_copy(update={"requested_minor": 200_000}))
    give(store, A, small)
    (offer,) = give(store, ELSEWHERE[0], case).live
    assert offer["limit_minor"] == 240_000
    assert offer["reason_codes"].startswith("limit_live_lines")


def test_the_household_has_one_cap_over_all_its_farmers(store: sa.Engine, case: Case) -> None:
    # 6,000 for the household: the wife's 4,400 in county A leave the husband 1,600 in county B.
    wife = of(case, exposure_cap_household=Decimal(6000))
    husband = of(wife, farmer_id="F2")
    give(store, A, wife)
    (offer,) = give(store, ELSEWHERE[2], husband).live
    assert offer["limit_minor"] == 160_000
    stranger = of(husband, farmer_id="F3", household_id="H3")
    assert give(store, ELSEWHERE[0], stranger).live[0]["limit_minor"] == 440_000


def test_a_counted_line_is_in_the_case_and_a_rerun_changes_nothing(
    store: sa.Engine, case: Case
) -> None:
    small = of(case, farmer=case.farmer.model_copy(update={"requested_minor": 200_000}))
    give(store, A, small)
    posted = give(store, ELSEWHERE[0], case)
    (line,) = read_trace(posted.records[0]["trace"]).case["lines"]
    assert line == {
        "own": True, "county": "A", "season": "2024", "product": "season-line",
        "limit_minor": 200_000, "valid_to": "2024-10-30",
    }  # fmt: skip
    for shelf, again in ((A, small), (ELSEWHERE[0], case), (A, small)):
        assert give(store, shelf, again).written == 0
    assert verify(store).entries == 4


def test_when_the_first_line_is_gone_the_second_grows(store: sa.Engine, case: Case) -> None:
    give(store, A, case)
    assert give(store, ELSEWHERE[0], case).live[0]["access"] == "decline"
    other = of(case, farmer_id="F9", household_id="H9")
    assert give(store, A, other).withdrawn == 1
    assert give(store, ELSEWHERE[0], case).live[0]["limit_minor"] == 440_000


def test_random_postings_never_lend_beyond_the_caps(store: sa.Engine, case: Case) -> None:
    draw = random.Random(5)
    caps = {"exposure_cap_farmer": Decimal(5000), "exposure_cap_household": Decimal(7000)}
    base, shelves = of(case, **caps), (A, *ELSEWHERE)
    lowered = 0
    for _ in range(40):
        farmers = draw.sample(range(6), draw.randint(1, 4))
        cases = []
        for number in farmers:
            asked = draw.choice([None, 60_000, 200_000, 350_000])
            party = base.farmer.model_copy(update={"requested_minor": asked})
            name = {"farmer_id": f"F{number}", "household_id": f"H{number // 3}"}
            # The household's farmers on this shelf share its cap in equal parts, as profiles say.
            here = sum(other // 3 == number // 3 for other in farmers)
            home = base.household.model_copy(update={"farmers": here})
            cases.append(of(base, **name, farmer=party, household=home))
        posted = give(store, draw.choice(shelves), *cases)
        lowered += any("limit_live_lines" in row["reason_codes"] for row in posted.live)
        by_farmer: dict[str, int] = defaultdict(int)
        by_household: dict[str, int] = defaultdict(int)
        for row in live(store):
            by_farmer[row.farmer_id] += row.limit_minor or 0
            by_household[row.household_id] += row.limit_minor or 0
        assert max(by_farmer.values()) <= 440_000  # what a harvest can repay; the cap is 500,000
        assert max(by_household.values()) <= 700_000
    assert lowered > 10
    assert verify(store).problems == ()
    assert replay_stored(store).problems == {}


def test_an_offer_ends_with_its_last_day(store: sa.Engine, case: Case) -> None:
    give(store, A, case)  # valid from 30 September to 30 October 2024
    last = of(case, as_of=dt.date(2024, 10, 30), farmer_id="F2", household_id="H2")
    assert give(store, ELSEWHERE[2], last).expired == 0
    posted = give(store, ELSEWHERE[0], of(last, as_of=dt.date(2024, 10, 31), farmer_id="F3"))
    assert (posted.expired, len(posted.live)) == (1, 1)
    report = verify(store)
    assert (report.posted, report.closed, report.live, report.problems) == (3, 1, 2, ())


def test_what_has_run_out_is_not_posted_again_by_the_same_decisions(
    store: sa.Engine, case: Case
) -> None:
    first = give(store, A, case)
    assert expire(store, dt.date(2024, 10, 31), today=dt.date(2024, 11, 1)) == 1
    again = give(store, A, case)
    assert (again.written, again.live[0]["offer_id"]) == (0, first.live[0]["offer_id"])
    assert live(store) == []
    later = give(store, A, of(case, as_of=dt.date(2024, 11, 1)))
    assert (later.written, len(live(store))) == (1, 1)
    with pytest.raises(UserError, match="2024-11-02 is still to come"):
        expire(store, dt.date(2024, 11, 2), today=dt.date(2024, 11, 1))


def test_older_decisions_do_not_replace_newer_ones(store: sa.Engine, case: Case) -> None:
    give(store, A, case)
    with pytest.raises(UserError, match=r"as of 2023-01-01, and the store holds those of 2024-09-"):
        give(store, A, of(case, as_of=dt.date(2023, 1, 1)))
    give(store, ELSEWHERE[0], of(case, as_of=dt.date(2023, 1, 1)))
    assert len(live(store)) == 2


@pytest.mark.parametrize(
    ("farmers", "kept", "asks"),
    [(20, 16, False), (20, 15, True), (40, 32, False), (40, 31, True), (4, 1, False)],
)
def test_a_posting_that_takes_many_offers_back_asks_first(
    store: sa.Engine, case: Case, farmers: int, kept: int, asks: bool
) -> None:
    # More than 20 % and at least 5: 5 of 20 asks, 4 of 20 does not; 9 of 40 asks, 8 do not.
    cases = [of(case, farmer_id=f"F{n:02}", household_id=f"H{n}") for n in range(farmers)]
    give(store, A, *cases)
    if asks:
        with pytest.raises(UserError, match=rf"would withdraw {farmers - kept} of {farmers} live"):
            give(store, A, *cases[:kept])
        assert len(live(store)) == farmers
    posted = give(store, A, *cases[:kept], confirm=asks)
    assert (posted.withdrawn, len(live(store))) == (farmers - kept, kept)
    assert verify(store).problems == ()


def test_the_share_that_asks_is_a_setting(store: sa.Engine, case: Case) -> None:
    cases = [of(case, farmer_id=f"F{n}", household_id=f"H{n}") for n in range(4)]
    give(store, A, *cases)
    with pytest.raises(UserError, match="would withdraw 1 of 4"):
        give(store, A, *cases[:3], settings=PostingSettings(withdraw_share=0, withdraw_least=1))


def test_a_decision_table_that_was_cut_posts_nothing(
    tmp_path: Path, case: Case, no_places: dict[str, Any]
) -> None:
    cases = [of(case, farmer_id=f"F{n}", household_id=f"H{n}") for n in range(4)]
    rows = [decision_row(c, decide_case(c), policy_hash(c.policy)) for c in cases]
    pd.DataFrame({"farmer_id": [f"F{n}" for n in range(4)]}).to_parquet(tmp_path / "farmers")
    files = {name: tmp_path / name for name in ("offers", "queue", "outcomes")}

    def run(count: int) -> Posted:
        pd.DataFrame(rows[:count]).to_parquet(tmp_path / "decisions")
        return run_offers(
            decisions=tmp_path / "decisions", county="A", season="2024", policy=case.policy,
            database=tmp_path / "store.sqlite", farmers=tmp_path / "farmers", **files, **no_places,
        )  # fmt: skip

    assert run(4).written == 4
    before = {name: file.read_bytes() for name, file in files.items()}
    with pytest.raises(UserError, match="holds no decision of 1 of 4 farmers, such as F3"):
        run(3)
    assert {name: file.read_bytes() for name, file in files.items()} == before
    assert len(live(open_database(tmp_path / "store.sqlite"))) == 4


def test_the_stage_says_whose_lines_were_counted(
    tmp_path: Path, case: Case, no_places: dict[str, Any]
) -> None:
    rows = [decision_row(case, decide_case(case), policy_hash(case.policy))]
    pd.DataFrame(rows).to_parquet(tmp_path / "decisions")
    for county in ("A", "B"):
        run_offers(
            decisions=tmp_path / "decisions", county=county, season="2024", policy=case.policy,
            database=tmp_path / "store.sqlite", offers=tmp_path / "o", queue=tmp_path / "q",
            outcomes=tmp_path / "outcomes", **no_places,
        )  # fmt: skip
    (outcome,) = read_table(tmp_path / "outcomes")["outcome"]
    assert outcome == "lines_elsewhere"


def owing(case: Case, debt: int = 0, vouched: int = 0, **changes: Any) -> Case:
    """Return the case of a farmer who owes and vouches for so much, fen."""
    more = {"debt_service_minor": debt, "guaranteeing_minor": vouched}
    return of(
        case, farmer=case.farmer.model_copy(update=more),
        household=case.household.model_copy(update=more),
        household_free_minor=case.household_free_minor - debt, **changes,
    )  # fmt: skip


@pytest.mark.parametrize("stated", [{"debt": 200_000}, {"vouched": 200_000}])
def test_debts_and_guarantees_of_another_county_count_as_if_stated_here(
    store: sa.Engine, case: Case, stated: dict[str, int]
) -> None:
    # the line there is asked for by nobody: only what was stated there is left to count
    there = owing(case, **stated).model_copy(update={"refusals": ()})
    review = there.model_copy(update={"application": "no_application"})
    assert give(store, ELSEWHERE[2], review).live[0]["access"] == "review"
    (offer,) = give(store, A, case).live
    alone = decide_case(owing(case, **stated))
    assert alone.limit_minor < decide_case(case).limit_minor
    assert offer["limit_minor"] == alone.limit_minor
    assert give(store, A, case).written == 0
    assert replay_stored(store).problems == {}
    assert verify(store).problems == ()


def test_a_larger_debt_stated_here_is_not_raised_by_a_smaller_one_there(
    store: sa.Engine, case: Case
) -> None:
    review = owing(case, 100_000).model_copy(update={"application": "no_application"})
    give(store, ELSEWHERE[2], review)
    here = owing(case, 200_000)
    posted = give(store, A, here)
    assert posted.live[0]["limit_minor"] == decide_case(here).limit_minor
    assert "elsewhere" not in read_trace(posted.records[0]["trace"]).case


def test_one_guarantee_handed_in_for_two_seasons_counts_once(store: sa.Engine, case: Case) -> None:
    last = owing(case, vouched=100_000).model_copy(update={"application": "no_application"})
    give(store, Shelf("A", "2023", "season-line"), last)
    here = owing(case, vouched=150_000)
    assert give(store, A, here).live[0]["limit_minor"] == decide_case(here).limit_minor
    # of another county it is another guarantee
    give(store, ELSEWHERE[2], last)
    both = owing(case, vouched=250_000)
    assert give(store, A, here).live[0]["limit_minor"] == decide_case(both).limit_minor


@pytest.mark.parametrize(
    ("days", "counted"),
    [
        (30, {"debt": 100_000, "vouched": 200_000}),  # the last day on which it may be signed
        (31, {"vouched": 200_000}),
        (30 + 330, {"vouched": 200_000}),  # the last day on which a line of then may run
        (30 + 331, {}),
    ],
)
def test_a_debt_counts_while_its_offer_is_live_and_a_guarantee_through_the_tenor(
    store: sa.Engine, case: Case, days: int, counted: dict[str, int]
) -> None:
    there = owing(case, 100_000, 200_000).model_copy(update={"application": "no_application"})
    give(store, ELSEWHERE[2], there)
    (offer,) = give(store, A, of(case, as_of=there.as_of + dt.timedelta(days=days))).live
    assert offer["limit_minor"] == decide_case(owing(case, **counted)).limit_minor
