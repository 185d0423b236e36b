"""Who does what: cases assigned, visits and notes kept in the audit chain, reviews by keyboard."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from fieldline.desk.app import scope
from fieldline.desk.app.desk import Desk
from fieldline.desk.app.scope import Scope
from fieldline.desk.app.work import Book
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.errors import UserError
from tests.workflows.desk.conftest import wait_for, waiting

HOME = {"Origin": "http://127.0.0.1"}
SHELF = {"county": "SIM001", "season": "2024"}
TYPING_SECONDS = 0.2
"""A letter at 60 words a minute."""


@pytest.fixture(autouse=True)
def _ann(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope, "local_user", lambda: Scope("Ann"))


def assign(client: TestClient, rule: str, reviewers: str = "Ann\nBo\nCy") -> Any:
    form = {**SHELF, "rule": rule, "reviewers": reviewers}
    return client.post("/reviews/assign", data=form, headers=HOME)


@pytest.mark.parametrize("rule", ["grid", "village"])
def test_every_waiting_case_gets_one_owner_and_the_queue_filters_by_it(
    client: TestClient, desk: Desk, rule: str
) -> None:
    assert assign(client, rule).status_code == 303
    owners = desk.store.book.owners("SIM001", "2024")
    cases = [item.offer["farmer_id"] for item in waiting(desk)]
    assert {owners[farmer] for farmer in cases} <= {"Ann", "Bo", "Cy"}
    shown = {}
    for name in ("Ann", "Bo", "Cy"):
        page = client.get("/reviews", params={"owner": name, "lang": "en"}).text
        shown[name] = {farmer for farmer in cases if f">{farmer}</a>" in page}
        assert shown[name] == {farmer for farmer in cases if owners[farmer] == name}
    assert Counter(f for found in shown.values() for f in found) == Counter(cases)
    assert verify(desk.store.engine()).problems == ()


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"rule": "luck"}, 409, "no rule"),
        ({"reviewers": " "}, 409, "no reviewer is named"),
        ({"county": "OTHER"}, 404, "hold no county"),
        ({"season": "2023"}, 409, "no case waits there"),
    ],
)
def test_an_assignment_that_cannot_be_made_is_told(
    client: TestClient, form: dict[str, str], status: int, said: str
) -> None:
    given = {**SHELF, "rule": "grid", "reviewers": "Ann"} | form
    answer = client.post("/reviews/assign", data=given, headers=HOME)
    assert answer.status_code == status
    assert said in answer.text


def test_visits_and_notes_stand_on_the_case_with_who_and_when(
    client: TestClient, desk: Desk
) -> None:
    offer = waiting(desk)[0].offer
    path = f"/reviews/{offer['offer_id']}"
    form = {"visit": "visited", "note": "<b>Half</b> is fallow"}
    assert client.post(f"{path}/work", data=form, headers=HOME).status_code == 303
    page = client.get(path, params={"lang": "en"}).text
    assert "&lt;b&gt;Half&lt;/b&gt; is fallow" in page
    assert "<b>made</b>" in page
    told = desk.store.book.entries(("SIM001", "2024", offer["farmer_id"]))
    assert [(e.kind, e.value, e.by) for e in told] == [
        ("visit", "visited", "Ann"), ("note", "<b>Half</b> is fallow", "Ann"),
    ]  # fmt: skip
    # Another desk on the same store reads the same, and later acts as they come.
    other = Book(desk.store.engine)
    assert other.entries(("SIM001", "2024", offer["farmer_id"])) == told
    client.post(f"{path}/work", data={"visit": "not_met"}, headers=HOME)
    assert other.visits("SIM001", "2024")[offer["farmer_id"]] == "not_met"
    assert verify(desk.store.engine()).problems == ()


def test_a_note_that_is_changed_in_the_database_is_found(desk: Desk, client: TestClient) -> None:
    offer = waiting(desk)[0].offer
    client.post(f"/reviews/{offer['offer_id']}/work", data={"note": "seen"}, headers=HOME)
    change = sa.text("UPDATE audit SET payload = replace(payload, 'seen', 'unseen')")
    with pytest.raises(sa.exc.DatabaseError), desk.store.engine().begin() as connection:
        connection.execute(change)
    assert verify(desk.store.engine()).problems == ()


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "neither a visit nor a note"),
        ({"visit": "flown over"}, "no state of a visit"),
        ({"note": "x" * 2001}, "2001 letters"),
    ],
)
def test_work_that_cannot_be_kept_is_told(
    client: TestClient, desk: Desk, form: dict[str, str], said: str
) -> None:
    offer = waiting(desk)[0].offer["offer_id"]
    before = desk.store.book.entries(("SIM001", "2024", waiting(desk)[0].offer["farmer_id"]))
    answer = client.post(f"/reviews/{offer}/work", data=form, headers=HOME)
    assert answer.status_code == 409
    assert said in answer.text
    after = desk.store.book.entries(("SIM001", "2024", waiting(desk)[0].offer["farmer_id"]))
    assert before == after


def test_who_may_not_decide_neither_assigns_nor_notes(desk: Desk) -> None:
    eve = Scope("Eve", may=frozenset())
    with pytest.raises(UserError, match="Eve may not decide"):
        desk.store.assign("SIM001", "2024", {}, eve)
    with pytest.raises(UserError, match="Eve may not decide"):
        desk.store.add_work(waiting(desk)[0].offer, "note", "x", eve)


def test_twenty_reviews_by_keyboard_take_three_minutes(page: Any, address: str, desk: Desk) -> None:
    """Three are done by keys alone; what the desk takes and what typing takes is reckoned to 20."""
    before = len(waiting(desk))
    assert before >= 4
    loaded = "document.readyState === 'complete'"
    case = f"() => {loaded} && document.getElementById('decide') && !location.search.match('said')"
    reason = "No crop was on the field."
    keys = len("d") + len(reason) + len(" +") + len("n")
    took = []
    page.goto(f"{address}/reviews?state=waits&lang=en")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    for _ in range(3):
        wait_for(page, case)
        began = time.perf_counter()
        page.keyboard.press("d")
        page.keyboard.type(reason)
        page.keyboard.press("Control+Enter")
        wait_for(page, f"() => {loaded} && document.querySelector('a.next') !== null")
        page.keyboard.press("n")
        wait_for(page, case)
        took.append(time.perf_counter() - began)
    assert len(waiting(desk)) == before - 3
    assert 20 * (statistics.median(took) + keys * TYPING_SECONDS) <= 180
    assert page.faults == []
