"""Applications one by one: each once, whoever dies over it; a posting of one leaves the others."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fieldline.lending.decision.case import Case
from fieldline.lending.store import applied
from fieldline.lending.store.applied import ConsentError, KeyReusedError, Received
from fieldline.lending.store.database import APPLICATIONS, LIVE, OFFERS, open_database, reading
from fieldline.lending.store.posting import Shelf
from fieldline.lending.store.verify import verify
from fieldline.pipeline.vault.consents import Told
from tests.lending.store.judged import post_judged

SHELF = Shelf("A", "2024", "season-line")
DAY = dt.date(2024, 9, 30)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> sa.Engine:
    if request.param == "postgresql":
        return open_database(request.getfixturevalue("postgres_database"))
    return open_database(tmp_path / "store.sqlite")


def sent(key: str = "k1", farmer: str = "Fann", given: dt.date = DAY, **body: Any) -> Received:
    return Received("bank", key, SHELF.county, SHELF.season, SHELF.product, farmer, body, given)


def live(store: sa.Engine) -> dict[str, str]:
    with reading(store) as connection:
        query = sa.select(OFFERS.c.farmer_id, OFFERS.c.offer_id).where(OFFERS.c.status == LIVE)
        return {row.farmer_id: row.offer_id for row in connection.execute(query)}


def test_what_is_sent_twice_is_one_application_and_another_body_is_refused(
    store: sa.Engine,
) -> None:
    first, new = applied.receive(store, sent(outline=[1, 2]))
    again, new_again = applied.receive(store, sent(outline=[1, 2]))
    assert (new, new_again) == (True, False)
    assert again["application_id"] == first["application_id"]
    for other in (sent(outline=[1, 3]), sent(farmer="Fbob", outline=[1, 2])):
        with pytest.raises(KeyReusedError, match="'k1' was used for another application"):
            applied.receive(store, other)
    with reading(store) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(APPLICATIONS)) == 1


def test_ten_senders_of_one_key_at_once_make_one_application(store: sa.Engine) -> None:
    found: list[tuple[str, bool]] = []

    def send() -> None:
        row, new = applied.receive(store, sent(outline=[1]))
        found.append((row["application_id"], new))

    threads = [threading.Thread(target=send) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 10
    assert len({name for name, _ in found}) == 1
    assert sum(new for _, new in found) == 1


def test_an_application_is_in_one_hand_and_goes_to_the_next_when_that_hand_dies(
    store: sa.Engine,
) -> None:
    row, _ = applied.receive(store, sent(), clock=lambda: 0.0)
    name = row["application_id"]
    taken = applied.claim(store, "one", 30, clock=lambda: 100.0)
    assert taken is not None
    assert applied.claim(store, "two", 30, clock=lambda: 129.0) is None
    assert applied.hold(store, name, "one", 30, "observe", clock=lambda: 129.0)
    assert applied.claim(store, "two", 30, clock=lambda: 158.0) is None
    assert applied.claim(store, "two", 30, clock=lambda: 160.0) is not None
    assert not applied.hold(store, name, "one", 30, "grow", clock=lambda: 161.0)
    assert applied.claim(store, "three", 30, clock=lambda: 191.0) is not None
    # A fourth program does not die over it too.
    assert applied.claim(store, "four", 30, clock=lambda: 222.0) is None
    ended = applied.find(store, name)
    assert ended is not None
    assert (ended["status"], ended["tries"]) == ("refused", 3)
    assert ended["problem"].startswith("the work on it was cut off 3 times")


def test_what_has_ended_is_not_ended_again(store: sa.Engine) -> None:
    row, _ = applied.receive(store, sent())
    applied.finish(store, row["application_id"], decision_id="d1", offer_id="o1")
    late = applied.finish(store, row["application_id"], problem="a late hand fails")
    assert (late["status"], late["offer_id"], late["problem"]) == ("decided", "o1", None)


def test_a_withdrawn_consent_counts_until_one_of_a_later_day(store: sa.Engine) -> None:
    row, _ = applied.receive(store, sent())
    applied.withdraw_consent(store, row["application_id"], DAY)
    with pytest.raises(ConsentError, match="withdrew the consent on 2024-09-30"):
        applied.receive(store, sent("k2"))
    _, new = applied.receive(store, sent("k2", given=DAY + dt.timedelta(days=1)))
    assert new
    _, other = applied.receive(store, sent("k3", farmer="Fbob"))
    assert other


def test_a_consent_that_ran_out_or_was_withdrawn_by_the_table_refuses(store: sa.Engine) -> None:
    today = dt.datetime.now(tz=dt.UTC).date()
    short = replace(sent(given=DAY), consent_expires_on=DAY + dt.timedelta(days=30))
    with pytest.raises(ConsentError, match="ran out on 2024-10-30: ask the farmer for a new one"):
        applied.receive(store, short)
    with pytest.raises(ConsentError, match="withdrew the consent on 2024-10-01"):
        applied.receive(store, sent(), withdrawn=dt.date(2024, 10, 1))
    row, _ = applied.receive(store, replace(short, consent_expires_on=today))
    applied.refuse_withdrawn_now(store, row)
    applied.refuse_withdrawn_now(store, row, DAY - dt.timedelta(days=1))
    with pytest.raises(ConsentError):
        applied.refuse_withdrawn_now(store, row, DAY)
    # Whoever never applied one by one has no later consent than the table's withdrawal.
    nobody = {"county": "A", "farmer_id": "Fcat"}
    applied.refuse_withdrawn_now(store, nobody)
    with pytest.raises(ConsentError):
        applied.refuse_withdrawn_now(store, nobody, DAY)


def test_consents_to_hand_over_are_told_with_their_days(store: sa.Engine) -> None:
    given = replace(sent(), consent_recipient="Rural Bank", consent_data="identity; offer")
    row, _ = applied.receive(store, given)
    applied.receive(store, sent("k2", farmer="Fbob"))
    told = Told("Fann", "credit_decision", "identity; offer", "Rural Bank", DAY)
    assert applied.told_consents(store, "A") == [told]
    assert applied.told_consents(store, "B") == []
    applied.withdraw_consent(store, row["application_id"], DAY)
    assert applied.told_consents(store, "A") == [replace(told, withdrawn_on=DAY)]
    # The same key with another consent is another application.
    with pytest.raises(KeyReusedError):
        applied.receive(store, sent())


def test_a_posting_of_one_farmer_touches_nobody_else(store: sa.Engine, case: Case) -> None:
    ann = case
    bob = case.model_copy(update={"farmer_id": "Fbob", "household_id": "Hbob"})
    post_judged(store, SHELF, ann, bob)
    before = live(store)
    cat = case.model_copy(update={"farmer_id": "Fcat", "household_id": "Hcat"})
    posted = post_judged(store, SHELF, cat, single=True)
    assert (posted.written, posted.withdrawn) == (1, 0)
    assert [row["farmer_id"] for row in posted.live] == ["Fcat"]
    after = live(store)
    assert after.keys() == before.keys() | {"Fcat"}
    assert {farmer: after[farmer] for farmer in before} == before
    again = post_judged(store, SHELF, cat, single=True)
    assert (again.written, again.superseded) == (0, 0)
    assert verify(store).problems == ()


def test_the_countys_next_posting_leaves_who_applied_singly(store: sa.Engine, case: Case) -> None:
    post_judged(store, SHELF, case)
    cat = case.model_copy(update={"farmer_id": "Fcat", "household_id": "Hcat"})
    dan = case.model_copy(update={"farmer_id": "Fdan", "household_id": "Hdan"})
    row, _ = applied.receive(store, sent(farmer="Fcat"))
    for one in (cat, dan):
        post_judged(store, SHELF, one, single=True)
    applied.finish(store, row["application_id"], decision_id="d", offer_id=live(store)["Fcat"])
    posted = post_judged(store, SHELF, case)
    # Dan was posted without an application: a county's list without him withdraws his offer.
    assert posted.withdrawn == 1
    assert live(store).keys() == {case.farmer_id, "Fcat"}
    # Nor does one whose consent was taken back stay where the county does not decide her.
    applied.withdraw_consent(store, row["application_id"], DAY)
    assert post_judged(store, SHELF, case).withdrawn == 1
    assert live(store).keys() == {case.farmer_id}
    assert verify(store).problems == ()
