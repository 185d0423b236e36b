"""Lifting a decline at the desk: one person decides, another confirms, and either is audited."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from fieldline.desk.app import pages, scope
from fieldline.desk.app.desk import Desk
from fieldline.desk.app.places import Shelf
from fieldline.desk.app.scope import Scope
from fieldline.desk.app.server import application
from fieldline.lending.decision.case import Case, policy_hash
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.row import decision_row
from fieldline.lending.store.database import open_database
from fieldline.lending.store.posting import Shelf as OfferShelf
from fieldline.lending.store.posting import post
from fieldline.lending.store.verify import verify
from tests.lending.conftest import case as case

HOME = {"Origin": "http://127.0.0.1"}
UNTIL = (dt.datetime.now(tz=dt.UTC).date() + dt.timedelta(days=90)).isoformat()


@pytest.fixture
def desk(tmp_path: Path, case: Case) -> Desk:
    """A store with one farmer declined for a risk of 25 %, at a price within a ceiling of 60 %."""
    ceiling = case.ceiling.model_copy(update={"rate": Decimal("0.6")})
    risk = case.risk.model_copy(update={"pd": Decimal("0.25"), "challenger": Decimal("0.25")})
    declined = case.model_copy(update={"ceiling": ceiling, "risk": risk})
    row = decision_row(declined, decide_case(declined), policy_hash(declined.policy))
    database = tmp_path / "store.sqlite"
    store = open_database(database)
    post(store, pd.DataFrame([row]), OfferShelf("A", "2024", "season-line"), declined.policy)
    store.dispose()
    return Desk(Shelf(tmp_path), str(database))


@pytest.fixture
def client(desk: Desk) -> TestClient:
    return TestClient(application(desk), base_url="http://127.0.0.1", follow_redirects=False)


def as_user(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(scope, "local_user", lambda: Scope(name))


def offer_of(desk: Desk) -> str:
    from fieldline.lending.store.database import OFFERS, reading

    with reading(desk.store.engine()) as connection:
        return str(connection.scalar(OFFERS.select().with_only_columns(OFFERS.c.offer_id)))


def test_lifting_a_decline_takes_an_end_and_a_second_person(
    client: TestClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = offer_of(desk)
    as_user(monkeypatch, "Ann")
    page = client.get(f"/reviews/{offer}?lang=en").text
    assert "it counts when a second person has confirmed it" in page
    form = {"verdict": "approve", "amount": "3000", "reason": "seen on the farm", "seen": ""}
    endless = client.post(f"/reviews/{offer}/decide", data=form, headers=HOME)
    assert endless.status_code == 409
    assert "lifts a decline and has no end" in endless.text
    done = client.post(f"/reviews/{offer}/decide", data=form | {"until": UNTIL}, headers=HOME)
    assert done.status_code == 303

    def act() -> str:
        return desk.store.opened(offer, Scope("Ann"), pages.words("en")).acts[-1].state.said

    review = desk.store.opened(offer, Scope("Ann"), pages.words("en")).seen
    assert act() == "waits for a second person"
    path = f"/reviews/{offer}/{review}"
    own = client.post(f"{path}/confirm", headers=HOME)
    assert own.status_code == 409
    assert "another person must confirm it" in own.text
    assert act() == "waits for a second person"
    as_user(monkeypatch, "Bo")
    assert client.post(f"{path}/confirm", headers=HOME).status_code == 303
    assert act() == "in force"
    assert "Ann, Bo" in client.get(f"/reviews/{offer}").text
    assert client.post(f"{path}/revoke", data={"reason": ""}, headers=HOME).status_code == 409
    gone = client.post(f"{path}/revoke", data={"reason": "wrong farm"}, headers=HOME)
    assert gone.status_code == 303
    assert act() == "revoked"
    assert verify(desk.store.engine()).problems == ()


def test_an_offer_that_is_not_live_is_not_found(client: TestClient) -> None:
    assert client.get("/reviews/0000").status_code == 404


def test_a_desk_without_a_store_has_an_empty_queue(tmp_path: Path) -> None:
    desk = Desk(Shelf(tmp_path), str(tmp_path / "none.sqlite"))
    client = TestClient(application(desk), base_url="http://127.0.0.1")
    assert "Nothing waits here." in client.get("/reviews?lang=en").text
    assert not (tmp_path / "none.sqlite").exists()
    assert client.get("/reviews/0000").status_code == 409
