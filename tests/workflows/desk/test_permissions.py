"""The permission matrix: each role on each route, of the own and of a foreign county."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from fieldline.desk.access.accounts import add_account, every_account
from fieldline.desk.access.clients import add_client
from fieldline.desk.access.door import COOKIE, AccountDoor
from fieldline.desk.access.roles import ROLES
from fieldline.desk.access.sessions import open_session
from fieldline.desk.access.tables import bring_up
from fieldline.desk.app.desk import Desk
from fieldline.desk.app.places import Shelf, StageName
from fieldline.desk.app.routes import API_ROUTES, ROUTES, SIGNING_IN
from fieldline.desk.app.server import application
from fieldline.lending.store.database import LIVE, OFFERS, open_database, reading
from fieldline.workflows.config.load import load_config
from fieldline.workflows.serve_command import both
from fieldline.workflows.stages import STAGES
from tests.workflows.conftest import ChainRun

HOST = "desk.example"
HOME = {"Origin": f"https://{HOST}"}
OWN, FOREIGN = "SIM001", "SIM002"
SEEN, GONE, REFUSED, LOGIN = "seen", "gone", "refused", "login"
PASSWORD = "correct horse battery"

#: Written by hand, a row a route: who is answered. `*` is everybody, signed in or not.
MATRIX = {
    "GET /": "analyst account_manager approver auditor",
    "GET /map/{season}/{county}": "analyst approver auditor",
    "GET /api/{season}/{county}/map": "analyst approver auditor",
    "GET /api/{season}/{county}/search": "analyst account_manager approver auditor",
    "GET /api/{season}/{county}/parcels/{parcel_id}": "analyst account_manager approver auditor",
    "GET /tiles/{season}/{county}/parcels.pmtiles": "analyst approver auditor",
    "GET /tiles/{season}/{county}/{date}/{z}/{x}/{y}.png": "analyst approver auditor",
    "GET /chips/{season}/{county}/{parcel_id}/{date}.png":
        "analyst account_manager approver auditor",
    "GET /parcel/{season}/{county}/{parcel_id}": "analyst account_manager approver auditor",
    "GET /api/{season}/{county}/parcels/{parcel_id}/series":
        "analyst account_manager approver auditor",
    "GET /csv/{season}/{county}/{parcel_id}": "analyst account_manager approver auditor",
    "GET /farmer/{season}/{county}/{farmer_id}": "analyst account_manager approver auditor",
    "GET /report/{season}/{county}/{farmer_id}": "analyst account_manager approver auditor",
    "GET /export/{season}/{county}/{name}": "analyst auditor",
    "GET /reviews": "analyst account_manager approver auditor",
    "GET /reviews/{offer_id}": "analyst account_manager approver auditor",
    "POST /reviews/{offer_id}/decide": "approver",
    "POST /reviews/{offer_id}/{review_id}/confirm": "approver",
    "POST /reviews/{offer_id}/{review_id}/revoke": "approver",
    "POST /reviews/assign": "approver",
    "POST /reviews/{offer_id}/work": "approver",
    "GET /photos/{name}": "analyst account_manager approver auditor",
    "GET /static/{name}": "*",
    "GET /vendor/{name}": "*",
    "GET /favicon.ico": "*",
    "GET /login": "*",
    "POST /login": "*",
    "POST /logout": "*",
    "GET /login/oidc": "*",
    "GET /login/oidc/back": "*",
    "GET /accounts": "admin",
    "POST /accounts/{name}/off": "admin",
}  # fmt: skip
OF_COUNTIES = {path for path in MATRIX if "{county}" in path or "{offer_id}" in path}


class Place:
    """A served desk over the tiny county and its copy under another name."""

    def __init__(self, run: ChainRun, folder: Path) -> None:
        results = folder / "results"
        shutil.copytree(run.results, results, ignore=shutil.ignore_patterns(".snakemake"))
        shutil.copytree(results / "2024" / OWN, results / "2024" / FOREIGN)
        self.engine = open_database(results / "fieldline.sqlite")
        bring_up(self.engine)
        layer = pd.read_parquet(run.folder / "decisions.parquet")
        with reading(self.engine) as connection:
            query = sa.select(OFFERS.c.offer_id, OFFERS.c.farmer_id)
            row = connection.execute(query.where(OFFERS.c.status == LIVE)).first()
        assert row is not None
        self.offer, self.farmer = row.offer_id, row.farmer_id
        parcels = pd.read_parquet(run.folder / "parcels.parquet")
        own = parcels[parcels["farmer_id"] == self.farmer]["parcel_id"]
        others = parcels[parcels["farmer_id"] != self.farmer]
        self.parcel = str(own.iloc[0])
        self.other = str(others["parcel_id"].iloc[0]), str(others["farmer_id"].iloc[0])
        assert len(layer) > 50
        shelf = Shelf(results, tuple(StageName(s.name, s.title) for s in STAGES))
        desk = Desk(shelf, f"sqlite:///{results / 'fieldline.sqlite'}")
        door = AccountDoor(self.engine, frozenset({HOST}))
        self.app = application(desk, door, SIGNING_IN)

    def browser(self, role: str | None, county: str) -> TestClient:
        """Return the browser of somebody with a role in one county."""
        browser = TestClient(self.app, base_url=f"https://{HOST}", follow_redirects=False)
        if role is not None:
            name = f"{role}-{county}"
            add_account(self.engine, name, role, password=None, subject=f"i {name}",
                        counties=[county], farmers=[self.farmer])  # fmt: skip
            account = next(one for one in every_account(self.engine) if one.name == name)
            browser.cookies.set(COOKIE, open_session(self.engine, account), domain=HOST)
        return browser

    def path(self, route: str) -> str:
        """Return an address of a route about the own county."""
        filled = {
            "season": "2024", "county": OWN, "parcel_id": self.parcel, "farmer_id": self.farmer,
            "offer_id": self.offer, "review_id": "0" * 32, "date": "2024-06-01", "z": "14",
            "x": "1", "y": "1", "name": "industry.csv" if "export" in route else "desk.css",
        }  # fmt: skip
        return route.format(**filled) + ("?v=1" if route.endswith(".pmtiles") else "")


@pytest.fixture(scope="module")
def place(tiny_run: ChainRun, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tiny_run, tmp_path_factory.mktemp("permissions"))


def outcome(answer: Any) -> str:
    """Say what an answer comes to for the one who asked."""
    if answer.status_code == 401 or answer.headers.get("location") == "/login":
        return LOGIN
    if answer.status_code == 403:
        return REFUSED
    return GONE if answer.status_code == 404 else SEEN


def ask(browser: TestClient, method: str, path: str) -> str:
    headers = HOME if method == "POST" else {}
    return outcome(browser.request(method, path, headers=headers))


def test_no_route_is_without_a_row(place: Place) -> None:
    told = {f"{route.method} {route.path}" for route in (*ROUTES, *SIGNING_IN)}
    assert told == MATRIX.keys()
    served = {
        f"{method} {route.path}" for route in place.app.routes
        for method in getattr(route, "methods", ()) if method != "HEAD"
    }  # fmt: skip
    assert served == MATRIX.keys()


@pytest.mark.parametrize("role", [None, *ROLES])
def test_each_role_on_each_route_of_the_own_and_of_a_foreign_county(
    place: Place, role: str | None
) -> None:
    own, foreign = place.browser(role, OWN), place.browser(role, FOREIGN)
    wrong = {}
    for row, roles in MATRIX.items():
        method, route = row.split(" ")
        if route in ("/logout", "/login", "/login/oidc", "/login/oidc/back"):
            continue  # each has tests of its own, and signing out would end the round
        path = place.path(route)
        open_to_all = roles == "*"
        expected = SEEN if open_to_all or role in roles.split() else REFUSED if role else LOGIN
        found = ask(own, method, path)
        # What is allowed and not there (a picture, a review) is gone, never refused.
        if found != expected and not (expected == SEEN and found == GONE and _may_lack(row)):
            wrong[row] = (found, expected)
        if expected == SEEN and row in OF_COUNTIES and not open_to_all:
            elsewhere = ask(foreign, method, path)
            # An empty form is refused for its own sake; acts have a test of their own below.
            if elsewhere != GONE and not (method == "POST" and elsewhere == SEEN):
                wrong[f"{row} (foreign)"] = (elsewhere, GONE)
    assert wrong == {}


def _may_lack(row: str) -> bool:
    return any(part in row for part in ("/tiles/", "/photos/", "/vendor/", "/chips/"))


def test_an_account_manager_sees_the_own_farmers_and_no_others(place: Place) -> None:
    browser = place.browser("account_manager", OWN)
    parcel, farmer = place.other
    for path in (f"/parcel/2024/{OWN}/{parcel}", f"/api/2024/{OWN}/parcels/{parcel}",
                 f"/api/2024/{OWN}/parcels/{parcel}/series", f"/csv/2024/{OWN}/{parcel}",
                 f"/chips/2024/{OWN}/{parcel}/2024-06-01.png", f"/farmer/2024/{OWN}/{farmer}",
                 f"/report/2024/{OWN}/{farmer}"):  # fmt: skip
        assert browser.get(path).status_code == 404, path
    found = browser.get(f"/api/2024/{OWN}/search?q=F").json()
    assert {one["name"] for one in found if one["kind"] == "farmer"} == {place.farmer}
    assert browser.get(f"/api/2024/{OWN}/search?q={farmer}").json() == []
    everybody = place.browser("analyst", OWN).get(f"/api/2024/{OWN}/search?q=F").json()
    assert len([one for one in everybody if one["kind"] == "farmer"]) > 1


def test_an_act_on_a_foreign_countys_case_changes_nothing(place: Place) -> None:
    foreign = place.browser("approver", FOREIGN)
    form = {"verdict": "decline", "reason": "none of mine", "seen": ""}
    answer = foreign.post(f"/reviews/{place.offer}/decide", data=form, headers=HOME)
    assert answer.status_code == 404
    with reading(place.engine) as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM reviews")) == 0


def test_every_address_of_the_api_takes_a_key_and_no_session(
    tiny_run: ChainRun, place: Place
) -> None:
    config = load_config([tiny_run.config])
    config = config.model_copy(update={"database": str(place.engine.url)})
    app = both(config, {"FIELDLINE_HOSTS": HOST})
    browser = place.browser("analyst", OWN)
    asking = TestClient(app, base_url=f"https://{HOST}", cookies=dict(browser.cookies))
    key = add_client(place.engine, "branch", [OWN], 100_000)
    for route in API_ROUTES:
        path = route.path.format(offer_id=place.offer, name="0" * 24)
        answer = asking.request(route.method, path)
        assert answer.status_code == (401 if route.may == "client" else 200), path
        headers = {"Authorization": f"Bearer {key}"}
        assert asking.request(route.method, path, headers=headers).status_code not in (401, 403)
    office = add_client(place.engine, "elsewhere", [FOREIGN], 100_000)
    foreign = {"Authorization": f"Bearer {office}"}
    assert asking.get(f"/v1/offers/{place.offer}", headers=foreign).status_code == 404
