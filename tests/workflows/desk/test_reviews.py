"""Reviews at the desk: decided by one or two people, attached to, taken back, all audited."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from fieldline.desk.app import pages, queue_page, scope
from fieldline.desk.app.desk import Desk
from fieldline.desk.app.photos import FOLDER, read_photo
from fieldline.desk.app.scope import Scope
from fieldline.lending.store import reviews
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.errors import UserError
from tests.workflows.desk.conftest import wait_for, waiting

HOME = {"Origin": "http://127.0.0.1"}


@pytest.fixture
def ann(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, "Ann")


def as_user(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(scope, "local_user", lambda: Scope(name))


def opened(desk: Desk, offer: str) -> Any:
    return desk.store.opened(offer, Scope("Ann"), pages.words("en"))


def act(client: TestClient, offer: str, desk: Desk, **form: Any) -> Any:
    seen = opened(desk, offer).seen
    given = {"verdict": "decline", "reason": "no field there", "seen": seen} | form
    return client.post(f"/reviews/{offer}/decide", data=given, headers=HOME)


def test_the_queue_shows_each_waiting_offer_once(client: TestClient, desk: Desk) -> None:
    page = client.get("/reviews?lang=en").text
    items = waiting(desk)
    assert items
    for item in items:
        assert page.count(f'href="/reviews/{item.offer["offer_id"]}?lang=en"') == 1
    village = desk.villages(desk.shelf.place("2024", "SIM001"))[items[0].offer["farmer_id"]]
    within = client.get("/reviews", params={"village": village, "lang": "en"}).text
    assert items[0].offer["offer_id"] in within
    none = client.get("/reviews", params={"village": "none such"}).text
    assert none.count('href="/reviews/') == 0


def test_a_decision_is_entered_once_and_audited(client: TestClient, desk: Desk, ann: None) -> None:
    offer = waiting(desk)[0].offer["offer_id"]
    most = opened(desk, offer).most
    too_much = act(client, offer, desk, verdict="approve", amount=str(int(float(most)) + 100_000))
    assert too_much.status_code == 409
    assert "name an amount from" in too_much.text
    done = act(client, offer, desk, verdict="approve", amount=most, documents="visit\nlease 7")
    assert done.status_code == 303
    (entered,) = opened(desk, offer).acts
    assert entered.state.row["officer"] == "Ann"
    assert entered.state.in_force
    assert entered.documents == ("visit", "lease 7")
    page = client.get(done.headers["location"]).text
    assert "lease 7" in page
    assert verify(desk.store.engine()).problems == ()


def test_two_reviewers_at_once_are_told_of_each_other(
    client: TestClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = waiting(desk)[0].offer["offer_id"]
    seen = opened(desk, offer).seen
    for name, status in (("Ann", 303), ("Bo", 409)):
        as_user(monkeypatch, name)
        form = {"verdict": "decline", "reason": f"says {name}", "seen": seen}
        answer = client.post(f"/reviews/{offer}/decide", data=form, headers=HOME)
        assert answer.status_code == status
    assert "Ann has acted on offer" in answer.text
    assert [a.state.row["reason"] for a in opened(desk, offer).acts] == ["says Ann"]


def jpeg(**exif: Any) -> bytes:
    out = io.BytesIO()
    picture = Image.new("RGB", (60, 40), "green")
    tags = picture.getexif()
    tags[0x010F] = "SecretCamera"
    tags.get_ifd(0x8769)[36867] = "2024:06:15 10:00:00"
    tags.get_ifd(0x8825)[1] = "N"
    picture.save(out, "JPEG", exif=tags)
    return out.getvalue()


def bomb() -> bytes:
    """A PNG that states 60,000 x 60,000 pixels."""

    def part(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", b"") + part(b"IEND", b"")


def test_a_photograph_is_kept_without_what_its_camera_wrote(
    client: TestClient, desk: Desk, folder: Path, ann: None
) -> None:
    offer = waiting(desk)[0].offer["offer_id"]
    form = {"verdict": "decline", "reason": "no field there", "seen": opened(desk, offer).seen}
    files = {"photos": ("field.jpg", jpeg(), "image/jpeg")}
    done = client.post(f"/reviews/{offer}/decide", data=form, files=files, headers=HOME)
    assert done.status_code == 303
    (label,) = opened(desk, offer).acts[-1].documents
    kind, name, word, day = label.split()
    assert (kind, word, day) == ("photo", "taken", "2024-06-15")
    content = (folder / FOLDER / name).read_bytes()
    assert b"SecretCamera" not in content
    assert len(Image.open(io.BytesIO(content)).getexif()) == 0
    assert client.get(f"/photos/{name}").content == content
    assert client.get("/photos/..%2ffieldline.sqlite").status_code == 404


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
            "no photograph",
        ),
        (b"GIF89a" + b"\0" * 40, "no photograph"),
        (b"\xff\xd8\xff\xe0 cut short", "no photograph"),
        (bomb(), "no photograph|too many pixels"),
        (b"\0" * (10 * 2**20 + 1), "has 10 MB"),
    ],
)
def test_what_is_no_photograph_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_photo(content, "upload.jpg")


def test_a_refused_photograph_enters_nothing(client: TestClient, desk: Desk, ann: None) -> None:
    offer = waiting(desk)[0].offer["offer_id"]
    before = opened(desk, offer)
    form = {"verdict": "decline", "reason": "no field there", "seen": before.seen}
    files = {"photos": ("field.jpg", b"<svg/>", "image/jpeg")}
    answer = client.post(f"/reviews/{offer}/decide", data=form, files=files, headers=HOME)
    assert answer.status_code == 409
    assert "no photograph" in answer.text
    assert opened(desk, offer).seen == before.seen


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"verdict": ""}, "neither approve nor decline"),
        ({"reason": "  "}, "has no reason"),
        ({"verdict": "approve", "amount": "much"}, "is no amount"),
        ({"verdict": "approve", "amount": ""}, "gives no amount"),
        ({"until": "soon"}, "is no day"),
    ],
)
def test_a_form_that_cannot_be_read_is_told(
    client: TestClient, desk: Desk, ann: None, form: dict[str, str], said: str
) -> None:
    offer = waiting(desk)[0].offer["offer_id"]
    answer = act(client, offer, desk, **form)
    assert answer.status_code == 409
    assert said in answer.text


def test_a_scope_that_may_not_decide_is_refused(desk: Desk) -> None:
    offer = waiting(desk)[0].offer["offer_id"]
    wish = reviews.Wish("Eve", "decline", "no")
    with pytest.raises(UserError, match="Eve may not decide"):
        desk.store.decide(offer, wish, Scope("Eve", may=frozenset()), "")
    other = Scope("Eve", counties=frozenset({"OTHER"}))
    assert desk.store.counts(other) == {}
    assert desk.store.cases(other, "SIM001") == []


def test_the_next_page_is_a_key_away(
    page: Any, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_page, "PAGE", 2)
    page.goto(f"{address}/reviews?county=SIM001&lang=en")
    before = page.locator("#queue a.open").all_inner_texts()
    page.keyboard.press("n")
    wait_for(page, "() => location.search.includes('page=2') && document.querySelector('#queue')")
    assert not set(before) & set(page.locator("#queue a.open").all_inner_texts())
    assert page.faults == []


def test_a_case_is_decided_by_keyboard_alone(page: Any, address: str, desk: Desk) -> None:
    before = len(waiting(desk))
    page.goto(f"{address}/reviews?state=waits&lang=en")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    wait_for(page, "() => document.getElementById('decide') !== null")
    page.keyboard.press("d")
    page.keyboard.type("The field was not there.")
    page.keyboard.press("Control+Enter")
    wait_for(page, "() => location.search.includes('said=') && document.readyState === 'complete'")
    assert "The next run posts it." in page.locator("main").inner_text()
    assert len(waiting(desk)) == before - 1
    assert page.faults == []
