"""A decision API over a small chain: two farmers of one county, decided and posted for real."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from fieldline.desk.access.clients import Client, add_client
from fieldline.desk.access.door import AccountDoor
from fieldline.desk.access.tables import bring_up
from fieldline.desk.api.app import api_application
from fieldline.desk.api.service import Range, Service
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.single import UnknownFarmerError
from fieldline.lending.store.database import open_database
from fieldline.lending.store.posting import Shelf
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings
from tests.lending.conftest import case as case
from tests.lending.store.judged import post_judged

HOST = "desk.example"
SQUARE = [[115.0, 33.0], [115.002, 33.0], [115.002, 33.002], [115.0, 33.002], [115.0, 33.0]]


class SmallChain:
    """Knows ann and bob as the case says; what it decides is decided and posted for real."""

    def __init__(self, engine: sa.Engine, case: Case) -> None:
        self.engine = engine
        self.case = case
        self.erased: set[str] = set()
        self.withdrew: dict[str, dt.date] = {}
        self.forgotten: list[str] = []
        self.hide = pseudonymiser(PrivacySettings(demo_key=True))

    def seasons(self, county: str) -> list[str]:
        return ["2023", "2024"] if county in ("A", "B") else []

    def product(self) -> str:
        return "season-line"

    def pseudonym(self, county: str, reference: str) -> str:
        return self.hide(reference)

    def refuse_erased(self, county: str, farmer_id: str) -> None:
        assert farmer_id not in self.erased

    def withdrawn(self, county: str, farmer_id: str) -> dt.date | None:
        return self.withdrew.get(farmer_id)

    def forget(self, county: str, season: str, farmer_id: str) -> None:
        self.forgotten.append(farmer_id)

    def seal(self, county: str, reference: str) -> str:
        return json.dumps(["sealed", len(reference)])

    def today(self, county: str, season: str) -> dt.date:
        return self.case.as_of

    def decide_stored(self, county: str, season: str, farmer_id: str) -> dict[str, Any]:
        if farmer_id not in (self.hide("ann"), self.hide("bob")):
            raise UnknownFarmerError(
                f"the county holds nothing of farmer {farmer_id}", "send the outline of a field"
            )
        own = self.case.model_copy(update={"farmer_id": farmer_id, "household_id": f"H{farmer_id}"})
        posted = post_judged(self.engine, Shelf(county, season, "season-line"), own, single=True)
        return posted.live[0]

    def ranges(self, county: str, season: str) -> Mapping[str, Range]:
        return {
            "maize": Range(20, 10, Decimal("0.4"), Decimal("0.9"), "CNY"),
            "rice": Range(4, 4, Decimal("0.4"), Decimal("0.9"), "CNY"),
        }


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    found = open_database(tmp_path / "store.sqlite")
    bring_up(found)
    return found


@pytest.fixture
def chain(engine: sa.Engine, case: Case) -> SmallChain:
    return SmallChain(engine, case)


@pytest.fixture
def service(engine: sa.Engine, chain: SmallChain) -> Service:
    return Service(engine, chain)


@pytest.fixture
def app(engine: sa.Engine, service: Service) -> FastAPI:
    return api_application(service, AccountDoor(engine, frozenset({HOST})))


@pytest.fixture
def key(engine: sa.Engine) -> str:
    return add_client(engine, "branch system", ["A"], 100_000)


@pytest.fixture
def client(app: FastAPI, key: str) -> TestClient:
    headers = {"Authorization": f"Bearer {key}"}
    return TestClient(app, base_url=f"https://{HOST}", headers=headers)


def application(**changes: Any) -> dict[str, Any]:
    """Return the body of an application on what is known of ann."""
    consent = {"purpose": "credit_decision", "given_on": "2024-09-01"}
    return {"county": "A", "farmer": "ann", "consent": consent, **changes}


def parcel(**changes: Any) -> dict[str, Any]:
    """Return a drawn square."""
    return {"outline": {"type": "Polygon", "coordinates": [SQUARE]}, **changes}


def key_of(name: str) -> dict[str, str]:
    return {"Idempotency-Key": f"key-{name}"}


def one_client(engine: sa.Engine) -> Client:
    from fieldline.desk.access.clients import every_client

    return every_client(engine)[0]
