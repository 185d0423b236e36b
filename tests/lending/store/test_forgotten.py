"""What an erased farmer leaves in the store: no outline anywhere, and the same chain as before."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fieldline.lending.decision.case import Case
from fieldline.lending.store import applied
from fieldline.lending.store.applied import Received
from fieldline.lending.store.database import APPLICATIONS, LAND, OFFERS, open_database, reading
from fieldline.lending.store.forgotten import Forgotten, forget
from fieldline.lending.store.land import enter_land
from fieldline.lending.store.posting import Shelf
from fieldline.lending.store.verify import verify
from tests.lending.store.test_present import give, of

DAY = dt.date(2024, 9, 30)
SEASONS = ("2023", "2024")
SECRET = "0103000000" + "ab" * 120
"""An outline that nothing else holds."""


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path, case: Case) -> Iterator[sa.Engine]:
    """Two farmers with offers, land in two seasons and an application each."""
    url = str(tmp_path / "store.sqlite")
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_database")
    engine = open_database(url)
    cases = [of(case, farmer_id=name, household_id=name) for name in ("F1", "F2")]
    for season in SEASONS:
        give(engine, Shelf("A", season, "season-line"), *cases)
        enter_land(engine, "A", season, [row("F1", season), row("F2", season)])
    for number, farmer in enumerate(("F1", "F2", "F1")):
        body = {"parcels": [{"outline": SECRET}], "facts": None}
        sent = Received(
            "bank", f"k{number}", "A", "2024", "season-line", farmer, body, DAY, "sealed"
        )
        taken, _ = applied.receive(engine, sent)
        if number < 2:
            applied.finish(engine, taken["application_id"], decision_id="D", offer_id="O")
    yield engine
    engine.dispose()


def row(farmer: str, season: str) -> dict[str, Any]:
    return {
        "county": "A", "season": season, "parcel_id": f"P{farmer}", "farmer_id": farmer,
        "west": 1.0, "south": 1.0, "east": 2.0, "north": 2.0, "outline": SECRET,
    }  # fmt: skip


def of_farmer(store: sa.Engine, table: sa.Table, farmer: str) -> list[Any]:
    with reading(store) as connection:
        found = connection.execute(sa.select(table).where(table.c.farmer_id == farmer))
        return sorted(found.all(), key=str)


def test_no_outline_of_any_season_or_application_is_left_and_nobody_else_is_touched(
    store: sa.Engine,
) -> None:
    others = [of_farmer(store, table, "F2") for table in (LAND, APPLICATIONS)]
    offers = of_farmer(store, OFFERS, "F1")
    assert forget(store, "F1") == Forgotten(outlines=2, applications=2)
    assert of_farmer(store, LAND, "F1") == []
    left = of_farmer(store, APPLICATIONS, "F1")
    assert [json.loads(one.body) for one in left] == [{}, {}]
    assert [one.sealed for one in left] == [None, None]
    assert [of_farmer(store, table, "F2") for table in (LAND, APPLICATIONS)] == others
    assert (of_farmer(store, OFFERS, "F1"), len(offers)) == (offers, 2)
    assert verify(store).problems == ()
    assert forget(store, "F1") == Forgotten()


def test_an_application_that_waits_ends_refused_and_nobody_takes_it(store: sa.Engine) -> None:
    forget(store, "F1", clock=lambda: 5.0)
    assert applied.claim(store, "one", 30) is None
    (open_one,) = (one for one in of_farmer(store, APPLICATIONS, "F1") if one.request_key == "k2")
    assert (open_one.status, open_one.finished_at) == ("refused", 5.0)
    assert open_one.problem == "the farmer asked to be forgotten."
    ended = [one for one in of_farmer(store, APPLICATIONS, "F1") if one.request_key == "k0"]
    assert [(one.status, one.offer_id) for one in ended] == [("decided", "O")]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_no_byte_of_the_outlines_stays_in_the_file(store: sa.Engine) -> None:
    file = Path(str(store.url.database))
    assert SECRET.encode() in file.read_bytes()
    for farmer in ("F1", "F2"):
        forget(store, farmer)
    store.dispose()
    assert SECRET[-40:].encode() not in file.read_bytes()
