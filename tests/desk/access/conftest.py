"""A served desk with accounts, over an empty folder of results."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from fieldline.desk.access.accounts import add_account
from fieldline.desk.access.door import AccountDoor
from fieldline.desk.access.tables import bring_up
from fieldline.desk.app.desk import Desk
from fieldline.desk.app.places import Shelf
from fieldline.desk.app.routes import SIGNING_IN
from fieldline.desk.app.server import application
from fieldline.lending.store.database import open_database

HOST = "desk.example"
HOME = {"Origin": f"https://{HOST}"}
PASSWORD = "correct horse battery"


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    found = open_database(tmp_path / "store.sqlite")
    bring_up(found)
    add_account(found, "ann", "analyst", password=PASSWORD)
    return found


@pytest.fixture
def door(engine: sa.Engine) -> AccountDoor:
    return AccountDoor(engine, frozenset({HOST}))


@pytest.fixture
def browser(engine: sa.Engine, door: AccountDoor, tmp_path: Path) -> TestClient:
    desk = Desk(Shelf(tmp_path), f"sqlite:///{tmp_path / 'store.sqlite'}")
    app = application(desk, door, SIGNING_IN)
    return TestClient(app, base_url=f"https://{HOST}", follow_redirects=False)


def sign_in(browser: TestClient, name: str = "ann", password: str = PASSWORD) -> int:
    """Sign in through the page; return the status."""
    form = {"name": name, "password": password}
    return browser.post("/login", data=form, headers=HOME).status_code
