"""A guarantee company that covers lines of two counties, posting after posting, by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from fieldline.lending.decision.backed import CoverCase
from fieldline.lending.decision.case import Case, policy_hash
from fieldline.lending.decision.covers import Pool
from fieldline.lending.decision.decision import decide_case, most_allowed
from fieldline.lending.decision.row import decision_row
from fieldline.lending.decision.shared import in_turn
from fieldline.lending.store import applied, capacity, lines
from fieldline.lending.store.applied import Received
from fieldline.lending.store.capacity import Capacity
from fieldline.lending.store.database import open_database, reading
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


def test_lines_before_the_day_of_the_figure_are_in_it_and_those_of_the_day_are_not(
    store: sa.Engine, case: Case
) -> None:
    post_judged(store, A, covered(case, "ann"))
    newer = covered(later(case, 1), "bo", stated_on=day(case, 1))
    assert amounts(post_judged(store, B, newer)) == [("G", 450_000, 225_000)]
    same = covered(case, "cy", stated_on=case.as_of)
    (found,) = amounts(post_judged(store, Shelf("C", "2024", "season-line"), same))
    # ann's 2,250 are taken off; bo's were offered later and are too: 500 of the 6,500 that cy needs
    assert found[2] == int(Decimal("0.0769") * (found[1] or 0))


def day(case: Case, days: int) -> dt.date:
    return case.as_of + dt.timedelta(days=days)


def later(case: Case, days: int) -> Case:
    return case.model_copy(update={"as_of": day(case, days)})


def run(
    store: sa.Engine, shelf: Shelf, case: Case, days: int, names: str, left: int, stated: int
) -> dict[str, int | None]:
    """Decide and post farmers of a county some days on, with what the company stated on a day."""
    cover = covered(case, "-", left, capacity_minor=left, stated_on=day(case, stated)).cover
    assert cover is not None
    one = later(case, days)
    cases = [covered(one, name).model_copy(update={"cover": None}) for name in names.split()]
    found = list(in_turn(cases, [Pool(cover, frozenset(), left)]))
    posted = post_judged(store, shelf, *(turn for turn, _ in found))
    return {row["farmer_id"]: row["covered_minor"] for row in posted.live}


def test_a_figure_stated_after_the_countys_own_lines_gives_them_back_when_they_are_replaced(
    store: sa.Engine, case: Case
) -> None:
    first = run(store, A, case, 0, "ann bo", 500_000, -20)
    assert first == {"ann": 225_000, "bo": 190_350}  # .4230 of 4,500
    # the company says what is left: 5,000 - 2,250 - 1,903.50 = 846.50
    again = run(store, A, case, 2, "ann bo", 84_650, 1)
    assert again == first
    assert run(store, A, case, 2, "ann bo", 84_650, 1) == first
    # with one farmer more all of it is shared out anew, and cy gets what is left of the whole
    third = run(store, A, case, 3, "ann bo cy", 84_650, 1)
    # .1302 of 6,500 are 846.50: too dear for a line of 4,500, so 4,400 are lent
    assert third == {**first, "cy": int(Decimal("0.1302") * 440_000)}
    whole(store)


def test_a_county_shares_out_what_its_own_lines_give_back_where_nothing_else_is_left(
    store: sa.Engine, case: Case
) -> None:
    first = run(store, A, case, 0, "ann bo", 450_000, -20)
    assert first == {"ann": 225_000, "bo": int(Decimal("0.3461") * 450_000)}
    # nothing more, says the company: what is shared out are these 3,807.45. Ann's half of 4,500,
    # 1,557.45 or .2396 of the 6,500 that bo needs, and 479.25 or .0737 of what cy needs
    again = run(store, A, case, 2, "ann bo cy", 0, 1)
    bo, cy = int(Decimal("0.2396") * 450_000), int(Decimal("0.0737") * 440_000)
    assert again == {"ann": 225_000, "bo": bo, "cy": cy}
    whole(store)


def test_what_is_given_back_is_lent_once_beside_the_line_that_waits_for_a_person(
    store: sa.Engine, case: Case
) -> None:
    held = run(store, A, case, 0, "bo cy", 500_000, -20)
    assert held == {"bo": 225_000, "cy": 190_350}
    doubted = case.parcels[0].model_copy(update={"codes": ("no_crop_cycle",), "effect": "review"})
    waiting = later(case, 2).model_copy(update={"parcels": (doubted,)})
    cover = covered(case, "-", 84_650, capacity_minor=84_650, stated_on=day(case, 1)).cover
    assert cover is not None
    cases = [
        covered(one, name).model_copy(update={"cover": None})
        for one, name in ((waiting, "ann"), (later(case, 2), "bo"), (later(case, 2), "cy"))
    ]
    found = list(in_turn(cases, [Pool(cover, frozenset(), 84_650)]))
    posted = {
        row["farmer_id"]: row["covered_minor"]
        for row in post_judged(store, A, *(turn for turn, _ in found)).live
    }
    # of the 5,000 ann may yet be lent the half of what her case allows; bo gets half of the rest's
    with_ann = most_allowed(found[0][0], found[0][1]) / 2
    assert with_ann > 0
    assert with_ann * 100 + (posted["bo"] or 0) + (posted["cy"] or 0) <= 500_000
    assert posted["ann"] is None
    assert (posted["bo"] or 0) > 0
    whole(store)


def test_a_county_finds_what_anothers_replaced_lines_gave_back(
    store: sa.Engine, case: Case
) -> None:
    run(store, A, case, 0, "ann", 500_000, -20)
    bo = run(store, B, case, 2, "bo", 275_000, 1)
    assert bo == {"bo": 190_350}
    # ann leaves room: the county is decided anew without a cover for her
    plain = covered(later(case, 3), "ann").model_copy(update={"cover": None})
    post_judged(store, A, plain)
    # 2,750 as stated and 2,250 of ann's: bo keeps the terms, a new farmer gets what is left
    assert run(store, B, case, 2, "bo", 275_000, 1) == bo
    found = run(store, B, case, 4, "bo cy", 275_000, 1)
    assert found["bo"] == 225_000
    assert found["cy"] == 190_350
    whole(store)


def test_who_stands_keeps_the_capacity_that_a_newcomer_sorted_before_would_take(
    store: sa.Engine, case: Case
) -> None:
    assert run(store, A, case, 0, "fay", 1_000_000, -20) == {"fay": 225_000}
    taken = run(store, B, case, 0, "bob cid dan", 1_000_000, -20)
    assert taken == {"bob": 225_000, "cid": 225_000, "dan": 225_000}
    # 10,000 less three times 2,250 and fay's are 1,000: .1538 of the 6,500 that abe needs
    expected = {"abe": int(Decimal("0.1538") * 440_000), "fay": 225_000}
    assert run(store, A, case, 0, "abe fay", 1_000_000, -20) == expected
    assert in_force(store) <= 1_000_000
    assert run(store, A, case, 0, "abe fay", 1_000_000, -20) == expected
    whole(store)


def test_who_applied_before_keeps_it_where_both_are_posted_alone(
    store: sa.Engine, case: Case
) -> None:
    turn = {"left": 325_001, "capacity_minor": 1_000_000}
    post_judged(store, A, covered(case, "fay", **turn))
    post_judged(store, B, *(covered(case, name, **turn) for name in ("bob", "cid", "dan")))
    both = [covered(case, name, **turn) for name in ("abe", "fay")]
    posted = post_judged(store, A, *both, single=True)
    expected = {"abe": int(Decimal("0.1538") * 440_000), "fay": 225_000}
    assert {row["farmer_id"]: row["covered_minor"] for row in posted.live} == expected
    assert post_judged(store, A, *both, single=True).written == 0
    whole(store)


@pytest.mark.parametrize("seed", range(2))
def test_no_newcomer_of_any_name_lends_a_capacity_twice(
    store: sa.Engine, case: Case, seed: int
) -> None:
    """One figure, two counties, names in any order, whole counties and single farmers."""
    rng, capacity = np.random.default_rng([seed, 5]), 1_000_000
    turn = {"left": 325_001, "capacity_minor": capacity}
    names: dict[str, list[str]] = {"A": [], "B": []}
    for turns in range(14):
        shelf = (A, B)[int(rng.integers(2))]
        held = names[shelf.county]
        new = [str(name) for name in rng.choice(list("abcdefgh"), int(rng.integers(1, 4)), False)]
        single = bool(held) and rng.random() < 0.4
        if held and not single and rng.random() < 0.2:
            held.remove(held[int(rng.integers(len(held)))])
        held[:] = sorted({*held, *new})
        one = later(case, turns // 5)  # an offer keeps its terms on its day alone
        cases = [covered(one, name, **turn) for name in (sorted(new) if single else held)]
        post_judged(store, shelf, *cases, single=single)
        assert in_force(store) <= capacity
        assert post_judged(store, shelf, *cases, single=single).written == 0
    whole(store)


@pytest.mark.parametrize(
    ("stated", "today", "as_posted"),
    [(-20, (5, 0), (1, 0)), (1, (4, 3), (0, 1)), (2, (0, 1), (0, 1))],
)
def test_for_few_farmers_the_store_sums_what_it_otherwise_tells_line_by_line(
    store: sa.Engine, case: Case, monkeypatch: pytest.MonkeyPatch,
    stated: int, today: tuple[int, int], as_posted: tuple[int, int],
) -> None:  # fmt: skip
    """Lines given and given back, each of 2,250: all, and those before ann's own of the day 1.

    Of the day 0 gil's stands, ann's, bo's and cy's were replaced; of the day 1 are four others'.
    """
    turn = {"left": 5_000_000, "capacity_minor": 5_000_000}
    shelves = {"A": A, "B": B, "C": Shelf("C", "2024", "season-line")}
    for days, county, names in (
        (0, "C", "gil"), (0, "A", "ann bo"), (0, "B", "cy"),
        (1, "A", "ann bo di"), (1, "B", "cy eve"),
    ):  # fmt: skip
        one = later(case, days)
        post_judged(store, shelves[county], *(covered(one, n, **turn) for n in names.split()))
    other = covered(later(case, 1), "fay", guarantor_id="H", **turn)
    post_judged(store, Shelf("D", "2024", "season-line"), other)
    new = covered(later(case, 2), "ann", stated_on=day(case, stated), **turn)
    cover = new.cover
    assert cover is not None
    new = new.model_copy(update={"cover": cover.model_copy(update={"name": 'Co "{}" \\'})})
    record = decision_row(new, decide_case(new), policy_hash(new.policy))
    for few in (20, 0):
        monkeypatch.setattr(capacity, "_FEW", few)
        with reading(store) as connection:
            known = Capacity.of(connection, [record], vars(A), new.as_of, single=True)
            (stands,) = connection.scalars(sa.text(
                "SELECT seq FROM offers WHERE county = 'A' AND farmer_id = 'ann' "
                "AND status = 'live'"
            )).all()  # fmt: skip
        assert {row["guarantor"] for row in (*known.lines, *known.replaced)} == {"G"}
        found = known._amounts("G", "CNY", day(case, stated))
        assert found.before(None) == tuple(225_000 * count for count in today)
        assert found.before(stands) == tuple(225_000 * count for count in as_posted)


def test_a_line_takes_capacity_until_it_has_ended_or_somebody_releases_it(
    store: sa.Engine, case: Case
) -> None:
    (lent,) = post_judged(store, B, covered(case, "ann")).live
    last = case.policy.offer_valid_days + case.policy.tenor_days

    def taken(days: int) -> list[int]:
        new = covered(later(case, days), "di")
        record = decision_row(new, decide_case(new), "policy")
        with reading(store) as connection:
            known = Capacity.of(connection, [record], vars(A), new.as_of, single=True)
        return [row["covered_minor"] for row in known.lines]

    assert (taken(last), taken(last + 1)) == ([225_000], [])
    # bo's posting closes ann's offer, which ran out: 2,750 are there, .4230 of what bo needs
    (beside,) = amounts(post_judged(store, A, covered(later(case, 40), "bo"), single=True))
    assert beside == ("G", 450_000, 190_350)
    # ann's terms have run out as they were: bo's came later, and no other offer is made of them
    assert post_judged(store, B, covered(case, "ann"), single=True).written == 0
    lines.release(store, [lent["offer_id"]], "officer", "not signed", today=day(case, 41))
    # 5,000 less bo's 1,903.50: .4763 of what cy needs
    (after,) = amounts(post_judged(store, A, covered(later(case, 41), "cy"), single=True))
    assert after == ("G", 450_000, int(Decimal("0.4763") * 450_000))


def test_how_many_lines_are_read_for_one_farmer_does_not_grow_with_the_store(
    store: sa.Engine, case: Case
) -> None:
    turn = {"left": 5_000_000, "capacity_minor": 5_000_000}
    record = decision_row(
        found := covered(later(case, 1), "ann", **turn), decide_case(found), "policy"
    )
    read = []
    for count in (2, 12):
        post_judged(store, B, *(covered(case, f"b{n}", **turn) for n in range(count)))
        with reading(store) as connection:
            known = Capacity.of(connection, [record], vars(A), found.as_of, single=True)
        read.append(len(known.lines) + len(known.replaced))
        assert known._amounts("G", "CNY", dt.date(2024, 9, 1)).before(None) == (225_000 * count, 0)
    assert read[0] == read[1]


@pytest.mark.parametrize("seed", range(3))
def test_no_order_of_runs_and_restatements_covers_more_than_the_company_has(
    store: sa.Engine, case: Case, seed: int
) -> None:
    """The company's own book: before a day's runs it states what is left of 8,000."""
    rng, capacity = np.random.default_rng([seed, 11]), 800_000
    figure, stated, names = capacity, -1, {"A": "", "B": ""}
    for days in range(12):
        if rng.random() < 0.4:
            figure, stated = capacity - in_force(store), days
            assert figure >= 0
        for shelf in (A, B):
            if rng.random() < 0.6:
                who = sorted({*names[shelf.county].split(), f"{shelf.county}{rng.integers(4)}"})
                if len(who) > 2 and rng.random() < 0.3:
                    who.remove(who[int(rng.integers(len(who)))])
                names[shelf.county] = " ".join(who)
                found = run(store, shelf, case, days, names[shelf.county], figure, stated)
                assert in_force(store) <= capacity
                assert found == run(store, shelf, case, days, names[shelf.county], figure, stated)
    whole(store)


def in_force(store: sa.Engine) -> int:
    """Return what of lines is covered that may be running, as the company books it."""
    with store.connect() as connection:
        rows = connection.execute(sa.text(
            "SELECT covered_minor FROM offers WHERE access = 'approve' AND guarantor = 'G' "
            "AND status IN ('live', 'expired')"
        )).scalars()  # fmt: skip
        return sum(rows)


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
