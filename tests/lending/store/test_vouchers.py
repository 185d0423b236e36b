"""A guarantor who farms in another county, posting after posting; amounts are worked by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fieldline.lending.decision.case import Case, GuarantorCase
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.store.database import open_database
from fieldline.lending.store.posting import Shelf
from fieldline.lending.store.replays import replay_stored
from fieldline.lending.store.verify import verify
from tests.lending.store.judged import post_judged

A, B = (Shelf(county, "2024", "season-line") for county in "AB")
CARRIED = 480_000
"""A poor year leaves the farmer of `case` 6,000: 6,000 / 1.25 are carried, in fen."""


@pytest.fixture
def store(tmp_path: Path) -> sa.Engine:
    return open_database(tmp_path / "store.sqlite")


def named(case: Case, name: str, **changes: Any) -> Case:
    return case.model_copy(update={"farmer_id": name, "household_id": f"H-{name}", **changes})


def vouched(case: Case, amount: int, by: str | None = "wang", name: str = "ann") -> Case:
    """Return a farmer for whom somebody guarantees, as the profile stage makes the case."""
    more = {"guaranteed_minor": amount}
    guarantors = () if by is None else (GuarantorCase(guarantor_id=by, guaranteed_minor=amount),)
    return named(
        case, name, farmer=case.farmer.model_copy(update=more),
        household=case.household.model_copy(update=more), guarantors=guarantors,
    )  # fmt: skip


def without_line(case: Case) -> Case:
    """The guarantor is known and nothing was lent to him: a person is to look at him."""
    return named(case, "wang", application="no_application")


def counting(case: Case, amount: int) -> int:
    """Return the line where so much is guaranteed by somebody who is good for it."""
    return decide_case(vouched(case, amount, by=None)).limit_minor


def limit_of(store: sa.Engine, shelf: Shelf, *cases: Case) -> list[int | None]:
    posted = post_judged(store, shelf, *cases)
    assert replay_stored(store).problems == {}
    assert verify(store).problems == ()
    return [row["limit_minor"] for row in sorted(posted.live, key=lambda row: row["farmer_id"])]


def test_a_company_that_farms_nowhere_counts_as_signed(store: sa.Engine, case: Case) -> None:
    post_judged(store, B, named(case, "li"))
    assert limit_of(store, A, vouched(case, 400_000)) == [counting(case, 400_000)]
    assert counting(case, 400_000) > counting(case, 240_000) > decide_case(case).limit_minor


def test_who_farms_elsewhere_vouches_for_half_of_what_his_poor_year_carries(
    store: sa.Engine, case: Case
) -> None:
    post_judged(store, B, without_line(case))
    assert limit_of(store, A, vouched(case, 400_000)) == [counting(case, CARRIED // 2)]
    assert limit_of(store, A, vouched(case, 100_000)) == [counting(case, 100_000)]
    assert post_judged(store, A, vouched(case, 100_000)).written == 0


def test_what_was_lent_to_him_there_is_not_vouched_for_once_more(
    store: sa.Engine, case: Case
) -> None:
    (line,) = limit_of(store, B, named(case, "wang"))
    assert line == 440_000
    assert limit_of(store, A, vouched(case, 400_000)) == [counting(case, CARRIED - 440_000)]


def test_what_he_guarantees_there_and_in_a_third_county_is_taken_off(
    store: sa.Engine, case: Case
) -> None:
    gives = {"guaranteeing_minor": 50_000}
    wang = without_line(case).model_copy(update={"farmer": case.farmer.model_copy(update=gives)})
    third = Shelf("C", "2024", "season-line")
    post_judged(store, third, vouched(case, 70_000, name="bo"))
    post_judged(store, B, wang)
    left = CARRIED // 2 - 50_000 - 70_000
    assert limit_of(store, A, vouched(case, 400_000)) == [counting(case, left)]


def test_two_farmers_share_what_he_can_bear_by_what_was_signed(
    store: sa.Engine, case: Case
) -> None:
    post_judged(store, B, without_line(case))
    ann, bo = vouched(case, 300_000), vouched(case, 100_000, name="bo")
    found = limit_of(store, A, ann, bo)
    assert found == [counting(case, 180_000), counting(case, 60_000)]


def test_his_own_line_counts_what_he_vouches_for_where_he_farms_nothing(
    store: sa.Engine, case: Case
) -> None:
    post_judged(store, A, vouched(case, 150_000))
    gives = {"guaranteeing_minor": 150_000}
    own = named(
        case, "wang", farmer=case.farmer.model_copy(update=gives),
        household=case.household.model_copy(update=gives),
    )  # fmt: skip
    expected = decide_case(own).limit_minor
    assert expected == 290_000  # the 440,000 of one who guarantees nothing, less 150,000
    assert limit_of(store, B, named(case, "wang")) == [expected]
    # a year and a month later the line that it was given for has run out
    later = case.as_of + dt.timedelta(days=30 + case.policy.tenor_days + 1)
    after = named(case, "wang", as_of=later)
    assert limit_of(store, Shelf("D", "2025", "season-line"), after) == [440_000]


def test_a_guarantee_for_one_who_was_declined_binds_nobody(store: sa.Engine, case: Case) -> None:
    risk = case.risk.model_copy(update={"pd": Decimal("0.5")})
    declined = vouched(case, 150_000).model_copy(update={"risk": risk})
    assert post_judged(store, A, declined).live[0]["access"] == "decline"
    assert limit_of(store, B, named(case, "wang")) == [440_000]


def test_the_county_tells_its_own_guarantors_from_those_of_outside(
    county: Any, loans: Any, name_of: Any
) -> None:
    for number, name in enumerate(("ann", "bob")):
        county.add(name, name, x=2000.0 * number)
        county.apply(name)
    for guarantor in ("bob", "company"):
        county.hand_in("guarantee", farmer_id="ann", counterparty_id=guarantor, amount="1000")
    county.loans = loans
    case = read_trace(county.decision("ann")["trace"]).case
    assert case["guarantors"] == [{"guarantor_id": name_of("company"), "guaranteed_minor": 100_000}]
    assert case["farmer"]["guaranteed_minor"] == 200_000


def test_a_process_reads_each_trace_once_for_guarantors(store: sa.Engine, case: Case) -> None:
    searched: list[Any] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if "instr(trace" in statement:
            searched.append(parameters[0])

    post_judged(store, A, vouched(case, 150_000))
    sa.event.listen(store, "before_cursor_execute", note)
    for name in ("bo", "li"):
        post_judged(store, Shelf(name, "2024", "season-line"), named(case, name))
    # from the last offer that was read on: none was, then one
    assert searched == [0, 1]
    assert limit_of(store, B, named(case, "wang")) == [290_000]
