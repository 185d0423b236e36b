"""The queue page over several counties: counted, a page at a time, and only what may be seen."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from fieldline.desk.app import queue_page, scope
from fieldline.desk.app.desk import Desk
from fieldline.desk.app.places import Shelf
from fieldline.desk.app.scope import Scope
from fieldline.desk.app.server import application
from fieldline.lending.store.database import open_database
from fieldline.lending.store.signer import Signer
from tests.benchmarks.store import SEASON
from tests.lending.store.acted import queue_by_hand, store_of_cases

COUNTIES = ("C0", "C1", "C2")
VILLAGES = ("East", "West")
OPENS = re.compile(r'<a class="open" href="/reviews/(\w+)\?lang=en">')
NUMBERS = re.compile(
    r'<a href="/reviews\?county=(\w+)&amp;season=2024&amp;state=([\w+]+)&amp;lang=en">'
)
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of three counties, villages in turn, and their store."""
    path = tmp_path_factory.mktemp("queue")
    engine = open_database(path / "store.sqlite")
    store_of_cases(engine, COUNTIES, 100)
    engine.dispose()
    for name in COUNTIES:
        (path / SEASON / name).mkdir(parents=True)
        farmers = [f"{name}-{number:06d}" for number in range(100)]
        villages = [f"{name} {VILLAGES[number % 2]}" for number in range(100)]
        frame = pd.DataFrame({"farmer_id": farmers, "village": villages})
        frame.to_parquet(path / SEASON / name / "parcels.parquet")
    return path


@pytest.fixture(scope="module")
def desk(folder: Path) -> Desk:
    """A desk on them, where Bo owns every third case of two counties."""
    desk = Desk(Shelf(folder), str(folder / "store.sqlite"))
    for name in COUNTIES[:2]:
        cases = desk.store.cases(Scope("Ann"), name)
        owners = {case.farmer_id: "Bo" for case in cases[::3]}
        desk.store.book.assign(name, SEASON, owners, Signer("Ann"))
    return desk


@pytest.fixture(scope="module")
def whole(desk: Desk) -> Rows:
    return queue_by_hand(desk.store.engine())


@pytest.fixture(autouse=True)
def _pages_of_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_page, "PAGE", 10)


@pytest.fixture
def client(desk: Desk) -> TestClient:
    return TestClient(application(desk), base_url="http://127.0.0.1")


def turned(client: TestClient, **chosen: str) -> tuple[list[str], int]:
    """Return the cases of all pages, read by following the links, and how many pages there were."""
    address, found = "/reviews?" + "&".join(f"{n}={v}" for n, v in chosen.items()) + "&lang=en", []
    for number in range(1, 1000):
        text = client.get(address).text
        shown = OPENS.findall(text)
        assert len(shown) <= 10
        found += shown
        links = set(re.findall(r'rel="next" class="next" href="([^"]+)"', text))
        if not links:
            return found, number
        (address,) = (link.replace("&amp;", "&") for link in links)
        asked = parse_qs(urlsplit(address).query)
        assert asked == {**{n: [v] for n, v in chosen.items()}, "lang": ["en"],
                         "page": [str(number + 1)]}  # fmt: skip
    raise AssertionError("the pages never end")


def village_of(row: dict[str, Any]) -> str:
    return f"{row['county']} {VILLAGES[int(row['farmer_id'][-6:]) % 2]}"


@pytest.mark.parametrize(
    "chosen",
    [
        {}, {"state": "waits"}, {"state": "in force"}, {"season": SEASON}, {"owner": "Bo"},
        {"owner": "Bo", "state": "waits"}, {"owner": "Bo", "village": "C1 West"},
        {"county": "C1"}, {"county": "C1", "village": "C1 East"},
        {"county": "C1", "season": SEASON, "village": "C1 East", "state": "waits"},
        {"county": "C0", "owner": "Bo"}, {"county": "none"}, {"season": "1999"},
    ],
)  # fmt: skip
def test_the_pages_together_are_what_the_filter_leaves_of_the_queue(
    client: TestClient, desk: Desk, whole: Rows, chosen: dict[str, str]
) -> None:
    owners = {name: desk.store.book.owners(name, SEASON) for name in COUNTIES}
    wanted = [
        row["offer_id"] for row in whole
        if all(
            {"county": row["county"], "season": row["season"], "village": village_of(row),
             "state": row["said"], "owner": owners[row["county"]].get(row["farmer_id"], "")}[n] == v
            for n, v in chosen.items()
        )
    ]  # fmt: skip
    found, pages = turned(client, **chosen)
    assert found == wanted
    assert pages == max(1, -(-len(wanted) // 10))


def test_each_county_tells_how_many_wait_and_where(client: TestClient, whole: Rows) -> None:
    text = client.get("/reviews?lang=en").text
    told = Counter((row["county"], row["said"]) for row in whole)
    linked = {(c, state.replace("+", " ")): 0 for c, state in NUMBERS.findall(text)}
    states = ("waits", "waits for a second person", "in force")
    assert set(linked) == {key for key in told if key[1] in states}
    for (name, state), number in told.items():
        if state in states:
            link = f"county={name}&amp;season=2024&amp;state={state.replace(' ', '+')}&amp;lang=en"
            assert f'{link}">{number}</a>' in text
    assert f"1 to 10 of {len(whole)} cases" in text
    assert "choose a county first" in text


def test_a_page_that_is_not_there_is_the_last_one(client: TestClient, whole: Rows) -> None:
    last = client.get("/reviews?page=999&lang=en").text
    assert OPENS.findall(last) == [r["offer_id"] for r in whole[(len(whole) - 1) // 10 * 10 :]]
    assert client.get("/reviews?page=0&lang=en").text.count('class="open"') == 10
    assert client.get("/reviews?page=x&lang=en").status_code == 422


def test_the_language_stays_on_every_link(client: TestClient) -> None:
    text = client.get("/reviews?lang=zh").text
    links = re.findall(r'href="(/reviews[^"]*)"', text)
    assert len(links) > 20
    (other,) = (link for link in links if "lang=zh" not in link)
    assert other == "/reviews?lang=en"  # the switch of languages itself
    assert "下一页" in text


def as_manager(monkeypatch: pytest.MonkeyPatch, rows: Rows) -> None:
    farmers = frozenset(row["farmer_id"] for row in rows)
    seen = Scope("Cy", counties=frozenset({"C0", "C1"}), farmers=farmers)
    monkeypatch.setattr(scope, "local_user", lambda: seen)


def test_who_sees_some_farmers_sees_neither_cases_nor_numbers_of_others(
    client: TestClient, whole: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = whole[::4]
    own = [row for row in given if row["county"] in ("C0", "C1")]
    assert len({row["county"] for row in given}) == 3
    as_manager(monkeypatch, given)
    assert turned(client)[0] == [row["offer_id"] for row in own]
    text = client.get("/reviews?lang=en").text
    told = Counter((row["county"], row["said"]) for row in own)
    assert "C2" not in text
    assert f"of {len(own)} cases" in text
    for name in ("C0", "C1"):
        link = f"county={name}&amp;season=2024&amp;state=waits&amp;lang=en"
        assert f'{link}">{told[name, "waits"]}</a>' in text
    assert OPENS.findall(client.get("/reviews?county=C2&lang=en").text) == []
    only = [row["offer_id"] for row in own if row["county"] == "C1" and row["said"] == "waits"]
    assert turned(client, county="C1", state="waits")[0] == only
    assert (
        OPENS.findall(client.get("/reviews?owner=Bo&lang=en").text)
        == [row["offer_id"] for row in own if row in own and _owned(client, row)][:10]
    )


def _owned(client: TestClient, row: dict[str, Any]) -> bool:
    book = client.app.state.desk.store.book  # type: ignore[attr-defined]
    return bool(book.owners(row["county"], row["season"]).get(row["farmer_id"]) == "Bo")


def test_who_sees_one_county_is_told_of_no_other(
    client: TestClient, whole: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Scope("Cy", counties=frozenset({"C1"}))
    monkeypatch.setattr(scope, "local_user", lambda: seen)
    own = [row["offer_id"] for row in whole if row["county"] == "C1"]
    assert turned(client)[0] == own
    text = client.get("/reviews?lang=en").text
    assert "C0" not in text
    assert "C2" not in text
    assert OPENS.findall(client.get("/reviews?county=C0&lang=en").text) == []
