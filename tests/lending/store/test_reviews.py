"""People's decisions: who may make which, what the next posting does with them, and their end."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fieldline.lending.decision.case import Case
from fieldline.lending.store import reviews
from fieldline.lending.store.database import REVIEWS, open_database, posting, reading
from fieldline.lending.store.posting import Posted, Shelf
from fieldline.lending.store.queue import Within, cases
from fieldline.lending.store.replays import replay_stored
from fieldline.lending.store.reviews import Wish
from fieldline.lending.store.signer import Signer
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.errors import UserError
from tests.lending.store.judged import post_judged

SHELF = Shelf("A", "2024", "season-line")
TODAY = dt.date(2024, 10, 2)
UNTIL = dt.date(2024, 12, 31)
BO = Signer("bo")
"""Signs from an account of his own; without a signer, acts are entered from that of the tests."""


@pytest.fixture
def store(tmp_path: Path) -> sa.Engine:
    return open_database(tmp_path / "store.sqlite")


@pytest.fixture
def doubted(case: Case) -> Case:
    """A case that a person must settle: risk 11 %, above the 10 % that is decided without one."""
    return _risky(case, "0.11")


@pytest.fixture
def declined(case: Case) -> Case:
    """A case that is declined for its risk, at a price within a ceiling of 60 %."""
    ceiling = case.ceiling.model_copy(update={"rate": Decimal("0.6")})
    return _risky(case, "0.25").model_copy(update={"ceiling": ceiling})


def _risky(case: Case, pd_: str) -> Case:
    risk = case.risk.model_copy(update={"pd": Decimal(pd_), "challenger": Decimal(pd_)})
    return case.model_copy(update={"risk": risk})


def give(store: sa.Engine, *cases: Case) -> Posted:
    return post_judged(store, SHELF, *cases)


def decide(store: sa.Engine, offer: dict[str, Any], **wish: Any) -> reviews.State:
    usual: dict[str, Any] = {
        "officer": "Ann", "verdict": "approve", "reason": "seen on the farm",
        "amount": Decimal(3000), "documents": ("photo 7",),
    }  # fmt: skip
    return reviews.decide(store, offer["offer_id"], Wish(**(usual | wish)), today=TODAY)


def test_the_next_posting_honours_it_and_replays_it(store: sa.Engine, doubted: Case) -> None:
    (offer,) = give(store, doubted).live
    assert (offer["access"], offer["limit_minor"]) == ("review", None)
    assert decide(store, offer).said == "in force"
    posted = give(store, doubted)
    (after,) = posted.live
    assert (after["access"], after["limit_minor"]) == ("approve", 300_000)
    assert after["annual_rate"] == posted.records[0]["annual_rate"].__format__("f").rstrip("0")
    assert "approves a line of CNY 3,000: seen on the farm" in after["reasons"]
    assert give(store, doubted).written == 0
    assert verify(store).problems == ()
    assert replay_stored(store).problems == {}


def test_a_decision_on_what_another_person_changed_meanwhile_is_refused(
    store: sa.Engine, doubted: Case
) -> None:
    (offer,) = give(store, doubted).live
    ann = Wish("Ann", "decline", "no field there")
    bo = Wish("Bo", "approve", "seen on the farm", Decimal(3000))
    first = reviews.decide(store, offer["offer_id"], ann, today=TODAY, seen="")
    with pytest.raises(UserError, match=r"Ann has acted on offer .* meanwhile \(decide\)"):
        reviews.decide(store, offer["offer_id"], bo, today=TODAY, seen="")
    with reading(store) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(REVIEWS)) == 1
    seen = first.row["review_id"]
    assert reviews.decide(store, offer["offer_id"], bo, today=TODAY, seen=seen).said == "in force"


def test_a_person_may_decline(store: sa.Engine, doubted: Case) -> None:
    (offer,) = give(store, doubted).live
    decide(store, offer, verdict="decline", amount=None, reason="the land is not farmed")
    (after,) = give(store, doubted).live
    assert (after["access"], after["limit_minor"]) == ("decline", None)
    assert after["reason_codes"].split(" | ")[0] == "person_declined"
    assert "declines it: the land is not farmed" in after["reasons"]


def test_lifting_a_decline_takes_two_people_and_an_end(store: sa.Engine, declined: Case) -> None:
    (offer,) = give(store, declined).live
    assert offer["access"] == "decline"
    with pytest.raises(UserError, match="lifts a decline and has no end: give --until"):
        decide(store, offer)
    state = decide(store, offer, until=UNTIL)
    assert state.said == "waits for a second person"
    assert give(store, declined).written == 0
    name = state.row["review_id"]
    with pytest.raises(UserError, match="was decided by Ann: another person must confirm it"):
        reviews.confirm(store, name, " ann ", today=TODAY, by=BO)
    assert reviews.confirm(store, name, "Bo", today=TODAY, by=BO).said == "in force"
    with pytest.raises(UserError, match="was confirmed by Bo"):
        reviews.confirm(store, name, "Cy", today=TODAY, by=BO)
    (after,) = give(store, declined).live
    assert (after["access"], after["limit_minor"]) == ("approve", 300_000)
    assert replay_stored(store).problems == {}
    assert verify(store).problems == ()


def test_what_is_above_the_ceiling_is_lifted_by_nobody(store: sa.Engine, case: Case) -> None:
    (offer,) = give(store, _risky(case, "0.25")).live
    assert offer["reason_codes"].startswith("price_above_ceiling")
    with pytest.raises(UserError, match="would charge more than the legal ceiling"):
        decide(store, offer, until=UNTIL)


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"amount": Decimal(4300)}, r"gives 4300 CNY: name an amount from 500 to 4200\.00"),
        ({"amount": Decimal("499.99")}, "name an amount from 500"),
        ({"amount": Decimal("1000.001")}, "name an amount from 500"),
        ({"amount": None}, "gives no amount: give --approve AMOUNT"),
        ({"verdict": "decline"}, "declines and gives an amount"),
        ({"officer": "  "}, "has no officer"),
        ({"reason": ""}, "has no reason"),
        ({"until": dt.date(2024, 9, 29)}, "name a day from 2024-09-30 to 2025-10-03"),
        ({"until": dt.date(2026, 1, 1)}, "counts until 2026-01-01: name a day from"),
    ],
)
def test_a_decision_that_may_not_be_made_is_said_and_not_kept(
    store: sa.Engine, doubted: Case, wish: dict[str, Any], sentence: str
) -> None:
    (offer,) = give(store, doubted).live
    with pytest.raises(UserError, match=sentence):
        decide(store, offer, **wish)
    with reading(store) as connection:
        assert connection.execute(sa.select(REVIEWS)).all() == []


def test_other_evidence_withdraws_it_for_good(store: sa.Engine, doubted: Case) -> None:
    (offer,) = give(store, doubted).live
    decide(store, offer)
    give(store, doubted)
    farmer = doubted.farmer.model_copy(update={"debt_service_minor": 5_000})
    (after,) = give(store, doubted.model_copy(update={"farmer": farmer})).live
    assert after["access"] == "review"
    (back,) = give(store, doubted).live
    assert back["access"] == "review"
    with reading(store) as connection:
        acts = connection.execute(sa.select(REVIEWS).order_by(REVIEWS.c.seq)).all()
    assert [(row.act, row.officer, row.reason) for row in acts] == [
        ("decide", "Ann", "seen on the farm"),
        ("lapse", "Fieldline", "it was made on other evidence"),
    ]
    assert verify(store).problems == ()


@pytest.mark.parametrize(
    ("change", "stands"),
    [
        ({"as_of": dt.date(2024, 10, 20)}, True),
        ({"as_of": UNTIL}, True),
        ({"as_of": UNTIL + dt.timedelta(days=1)}, False),
    ],
)
def test_it_counts_to_its_last_day(
    store: sa.Engine, doubted: Case, change: dict[str, Any], stands: bool
) -> None:
    (offer,) = give(store, doubted).live
    decide(store, offer, until=UNTIL)
    give(store, doubted)
    (after,) = give(store, doubted.model_copy(update=change)).live
    assert after["access"] == ("approve" if stands else "review")
    assert replay_stored(store).problems == {}
    assert verify(store).problems == ()


def test_it_can_be_taken_back_and_replaced(store: sa.Engine, doubted: Case) -> None:
    (offer,) = give(store, doubted).live
    first = decide(store, offer)
    decide(store, offer, amount=Decimal(2000), officer="Bo")
    (after,) = give(store, doubted).live
    assert after["limit_minor"] == 200_000
    (decided,) = cases(store, Within("A"))
    assert (decided.farmer_id, decided.officer) == ("F1", "Bo")
    reviews.revoke(store, decided.review_id, "Bo", "a mistake", today=TODAY)
    assert give(store, doubted).live[0]["access"] == "review"
    reviews.revoke(store, first.row["review_id"], "Ann", "a mistake too", today=TODAY)
    assert give(store, doubted).live[0]["access"] == "review"
    with pytest.raises(UserError, match="a review that was revoked"):
        reviews.confirm(store, first.row["review_id"], "Cy", today=TODAY, by=BO)


def test_an_act_is_entered_once(store: sa.Engine, doubted: Case) -> None:
    (offer,) = give(store, doubted).live
    decide(store, offer)
    with pytest.raises(UserError, match="this act was entered already"):
        decide(store, offer)


def test_live_lines_elsewhere_bound_what_a_person_gave(store: sa.Engine, doubted: Case) -> None:
    # 4,200 can be repaid at this rate; another county's 3,000 leave 1,200 of the 3,000 given.
    (offer,) = give(store, doubted).live
    decide(store, offer)
    safe = _risky(doubted, "0.04")
    asked = safe.farmer.model_copy(update={"requested_minor": 300_000})
    there = Shelf("B", "2024", "season-line")
    (line,) = post_judged(store, there, safe.model_copy(update={"farmer": asked})).live
    assert line["limit_minor"] == 300_000
    (after,) = give(store, doubted).live
    assert (after["access"], after["limit_minor"]) == ("approve", 120_000)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE reviews SET limit_minor = 1",
        "DELETE FROM reviews",
        "INSERT OR REPLACE INTO reviews SELECT * FROM reviews",
    ],
)
def test_an_act_is_never_changed(store: sa.Engine, doubted: Case, change: str) -> None:
    (offer,) = give(store, doubted).live
    decide(store, offer)
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), posting(store) as connection:
        connection.exec_driver_sql(change)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("UPDATE reviews SET limit_minor = 1", "was changed after it was entered"),
        ("DELETE FROM reviews", "was removed after it was entered"),
        (
            "INSERT INTO reviews SELECT seq + 1, 'forged', act, of_review, county, season, product,"
            " farmer_id, decision_id, evidence, verdict, currency, limit_minor, officer, reason,"
            " documents, overrides, made_on, valid_to FROM reviews",
            "review forged was never entered",
        ),
    ],
)
def test_a_forged_act_is_named(
    store: sa.Engine, doubted: Case, unguarded: Any, change: str, problem: str
) -> None:
    (offer,) = give(store, doubted).live
    decide(store, offer)
    with store.begin() as connection:
        unguarded(connection, change)
    (found,) = verify(store).problems
    assert problem in found


def test_a_person_may_give_joint_applicants_the_least_line_that_the_rules_give_them(
    store: sa.Engine, doubted: Case
) -> None:
    # Two share the least line of 500: each may get 250, by the rules and by a person.
    pair = doubted.model_copy(update={"joint_members": 2})
    (offer,) = give(store, pair).live
    with pytest.raises(UserError, match="name an amount from 250 to"):
        decide(store, offer, amount=Decimal(200))
    decide(store, offer, amount=Decimal(300))
    (after,) = give(store, pair).live
    assert (after["access"], after["limit_minor"]) == ("approve", 30_000)


def test_a_decision_stands_on_the_next_day_whose_draws_differ(
    store: sa.Engine, doubted: Case
) -> None:
    (offer,) = give(store, doubted).live
    decide(store, offer)
    drawn = {"income_q10_minor": doubted.farmer.income_q10_minor + 777}
    later = doubted.model_copy(update={
        "as_of": doubted.as_of + dt.timedelta(days=1),
        "farmer": doubted.farmer.model_copy(update=drawn),
        "household": doubted.household.model_copy(update=drawn),
    })  # fmt: skip
    (after,) = give(store, later).live
    assert (after["access"], after["limit_minor"]) == ("approve", 300_000)


@pytest.mark.parametrize(
    ("second", "same"),
    [
        ("Ann  Lee", True), ("\uff21\uff4e\uff4e Lee", True), ("Ann Lee.", True), ("ANN-LEE", True),
        ("\u00c1nn Lee", True), ("Anna Lee", False), ("\u674e\u5b89", False),
    ],
)  # fmt: skip
def test_a_name_written_otherwise_is_the_same_person(
    store: sa.Engine, declined: Case, second: str, same: bool
) -> None:
    (offer,) = give(store, declined).live
    name = decide(store, offer, until=UNTIL, officer="Ann Lee").row["review_id"]
    if same:
        with pytest.raises(UserError, match="was decided by Ann Lee: another person"):
            reviews.confirm(store, name, second, today=TODAY, by=BO)
    else:
        assert reviews.confirm(store, name, second, today=TODAY, by=BO).said == "in force"


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("ann", "ann", True),
        ("ann", "ANN", True),
        ("ann", " ann ", True),
        ("ann", "\uff21\uff4e\uff4e", True),  # full width
        ("Ann Lee (bank1)", "Bo (bank1)", True),  # one account, two stated names
        ("bank1", "Bo (BANK1)", True),
        ("Bo (ann) (bank1)", "bank1", True),  # the account is what stands last
        ("ann", "bo", False),
        ("Ann (bank1)", "Ann (bank2)", False),
        ("bank1", "bank-1", False),
    ],
)
def test_a_decline_is_lifted_from_two_accounts(
    store: sa.Engine, declined: Case, first: str, second: str, same: bool
) -> None:
    (offer,) = give(store, declined).live
    wish = Wish("Ann", "approve", "seen on the farm", Decimal(3000), until=UNTIL)
    given = reviews.decide(store, offer["offer_id"], wish, today=TODAY, by=Signer(first))
    name = given.row["review_id"]
    if same:
        with pytest.raises(UserError, match="entered from the same account"):
            reviews.confirm(store, name, "Bo", today=TODAY, by=Signer(second))
        assert give(store, declined).live[0]["access"] == "decline"
    else:
        state = reviews.confirm(store, name, "Bo", today=TODAY, by=Signer(second))
        assert state.said == "in force"
        assert give(store, declined).live[0]["access"] == "approve"
    assert verify(store).problems == ()


def test_who_entered_a_decision_is_read_among_other_entries(
    store: sa.Engine, declined: Case
) -> None:
    (offer,) = give(store, declined).live
    wish = Wish("Ann", "approve", "seen on the farm", Decimal(3000), until=UNTIL)
    states = [
        reviews.decide(store, offer["offer_id"], replace(wish, reason=reason), today=TODAY,
                       by=Signer(account))
        for reason, account in (("seen", "ann"), ("seen twice", "bo"))
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"same account \(bo\)"):
        reviews.confirm(store, states[1].row["review_id"], "Cy", today=TODAY, by=BO)
    assert reviews.confirm(store, states[0].row["review_id"], "Cy", today=TODAY, by=BO).complete
