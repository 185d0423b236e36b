"""A guarantee company that covers lines of two counties, posting after posting, by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fieldline.lending.decision.backed import CoverCase
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.store import applied
from fieldline.lending.store.applied import Received
from fieldline.lending.store.database import open_database
from fieldline.lending.store.posting import Posted, Shelf
from fieldline.lending.store.replays import replay_stored
from fieldline.lending.store.verify import verify
from tests.lending.store.judged import post_judged

A, B = (Shelf(county, "2024", "season-line") for county in "AB")


@pytest.fixture
def store(tmp_path: Path) -> sa.Engine:
    return open_database(tmp_path / "store.sqlite")


def covered(case: Case, name: str, left: int = 500_000, **more: Any) -> Case:
    """Return a farmer who needs and asks for 6,500, half of whose line a company may cover."""
    cover = CoverCase(
        guarantor_id="G", name="Company", share=Decimal("0.5"), fee=Decimal(0), left_minor=left,
        capacity_minor=500_000, stated_on=dt.date(2024, 9, 1), valid_to=None,
    ).model_copy(update=more)  # fmt: skip
    farmer = case.farmer.model_copy(update={"requested_minor": 650_000})
    return case.model_copy(
        update={"farmer_id": name, "household_id": f"H-{name}", "farmer": farmer, "cover": cover}
    )


def amounts(posted: Posted) -> list[tuple[str | None, int | None, int | None]]:
    return [(row["guarantor"], row["limit_minor"], row["covered_minor"]) for row in posted.live]


def whole(store: sa.Engine) -> None:
    assert replay_stored(store).problems == {}
    assert verify(store).problems == ()


def test_an_offer_names_who_covers_how_much_and_another_county_finds_it_taken(
    store: sa.Engine, case: Case
) -> None:
    first = post_judged(store, A, covered(case, "ann"))
    assert amounts(first) == [("G", 450_000, 225_000)]
    # 5,000 - 2,250 = 2,750 are there: .4230 of the 6,500 that bo needs
    (found,) = amounts(post_judged(store, B, covered(case, "bo")))
    assert found[0] == "G"
    assert found[2] == int(Decimal("0.4230") * (found[1] or 0))
    third = amounts(post_judged(store, Shelf("C", "2024", "season-line"), covered(case, "cy")))
    left = 500_000 - 225_000 - (found[2] or 0)
    share = Decimal(left * 10_000 // 650_000) / 10_000
    assert third[0][2] == int(share * (third[0][1] or 0))
    whole(store)
    # all of it again: every offer stands as it was
    assert post_judged(store, A, covered(case, "ann")).written == 0
    assert post_judged(store, B, covered(case, "bo")).written == 0
    whole(store)


def test_lines_up_to_the_day_of_the_figure_are_in_it(store: sa.Engine, case: Case) -> None:
    post_judged(store, A, covered(case, "ann"))
    newer = covered(case, "bo", stated_on=case.as_of)
    assert amounts(post_judged(store, B, newer)) == [("G", 450_000, 225_000)]


def test_a_county_that_is_decided_anew_takes_no_more_than_others_leave(
    store: sa.Engine, case: Case
) -> None:
    post_judged(store, A, covered(case, "ann", left=100_000))
    (taken,) = amounts(post_judged(store, B, covered(case, "bo", left=400_000)))
    again = post_judged(store, A, covered(case, "ann"), covered(case, "cy"))
    sums = sum(row["covered_minor"] or 0 for row in again.live) + (taken[2] or 0)
    assert sums <= 500_000
    assert all(row["covered_minor"] for row in again.live)
    whole(store)


def test_who_applied_alone_keeps_the_capacity_that_the_line_took(
    store: sa.Engine, case: Case
) -> None:
    post_judged(store, A, covered(case, "bo"))
    row, _ = applied.receive(
        store, Received("bank", "k", A.county, A.season, A.product, "cy", {}, case.as_of)
    )
    (alone,) = amounts(post_judged(store, A, covered(case, "cy"), single=True))
    # 5,000 - 2,250 of bo's are there: .4230 of the 6,500 that cy needs
    assert alone[2] == int(Decimal("0.4230") * (alone[1] or 0))
    applied.finish(store, row["application_id"], decision_id="d", offer_id="o")
    again = post_judged(store, A, covered(case, "bo"), covered(case, "di", left=275_000))
    taken = {row["farmer_id"]: row["covered_minor"] for row in again.live}
    assert taken.keys() == {"bo", "cy", "di"}
    left = 500_000 - 225_000 - (alone[2] or 0)
    di = next(row for row in again.live if row["farmer_id"] == "di")
    share = Decimal(left * 10_000 // 650_000) / 10_000
    assert taken == {"bo": 225_000, "cy": alone[2], "di": int(share * di["limit_minor"])}
    whole(store)


def test_a_line_without_a_cover_names_none_and_its_offer_keeps_its_name(
    store: sa.Engine, case: Case
) -> None:
    before = {"off_farm_unproven_debt_share": Decimal(0)}  # as policies meant it without the field
    old = case.model_copy(update={"policy": case.policy.model_copy(update=before)})
    posted = post_judged(store, A, old)
    assert amounts(posted) == [(None, 440_000, None)]
    (row,) = posted.live
    # both names are those that the release before covers, contracts and lists gave
    assert decide_case(old).decision_id == "a1fb25ec49038f9bc27db3b82c691223"
    assert row["offer_id"] == "075c10835cfe99520e874fde2bf12123"
