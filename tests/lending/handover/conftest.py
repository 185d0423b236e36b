"""A county with a dozen farmers, their consents, and a double of the bank's core system."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fieldline.lending.handover.fineract import Credentials, Fineract
from fieldline.lending.handover.handing import HandedOver, hand_over
from fieldline.lending.handover.settings import FineractProduct, FineractSettings
from fieldline.lending.named_offers import Order, consenting
from fieldline.lending.store.database import LIVE, OFFERS, SUPERSEDED, open_database, posting
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.vault.consents import Request, Told
from fieldline.pipeline.vault.opening import open_vault
from fieldline.pipeline.vault.persons import Person, store_persons
from fieldline.pipeline.vault.vault import Vault
from tests.lending.handover.core_bank import CoreBank, product, served

TODAY = dt.date(2024, 6, 15)
DEMO = PrivacySettings(demo_key=True)
REQUEST = Request("credit offer", "Rural Bank", frozenset({"identity", "offer"}), TODAY)
ORDER = Order("C1", "2024", REQUEST)
FARMERS = 12
SETTINGS = FineractSettings(
    tenant="county-bank", timeout_s=0.4, pause_s=0,
    products=(FineractProduct(product="season-line", product_id=7),),
)  # fmt: skip


def offer(number: int, **others: Any) -> dict[str, Any]:
    """Return the live offer of a farmer: 10,000.50 yuan and a thousand more with each number."""
    return {
        "offer_id": f"offer-{number}", "county": "C1", "season": "2024",
        "farmer_id": f"F-{number}", "household_id": f"H-{number}", "product": "season-line",
        "access": "approve", "currency": "CNY", "limit_minor": 1_000_050 + 100_000 * number,
        "annual_rate": "0.0735", "tenor_days": 330, "day_basis": 360,
        "valid_from": dt.date(2024, 6, 1), "valid_to": dt.date(2024, 9, 1), "reason_codes": "",
        "reasons": "", "reasons_zh": "", "decision_id": f"D{number}", "status": LIVE, **others,
    }  # fmt: skip


def told(farmer: str, **others: Any) -> Told:
    """Return a farmer's consent to the hand-over."""
    row = {"farmer_id": farmer, "purpose": "credit offer", "data": "identity; offer",
           "recipient": "Rural Bank", "given_on": dt.date(2024, 5, 1)} | others  # fmt: skip
    return Told(**row)


@dataclass
class Place:
    """Everything that a hand-over needs, in one folder."""

    folder: Path
    store: sa.Engine
    vault: Vault
    bank: CoreBank
    url: str
    consents: list[Told] = field(default_factory=lambda: [told(f"F-{n}") for n in range(FARMERS)])
    settings: FineractSettings = SETTINGS
    waits: list[float] = field(default_factory=list)

    @property
    def out(self) -> Path:
        """The file of applications."""
        return self.folder / "applications.jsonl"

    def change(self, number: int, **values: Any) -> None:
        """Let a farmer's live offer be superseded by another."""
        live = (OFFERS.c.farmer_id == f"F-{number}", OFFERS.c.status == LIVE)
        with posting(self.store) as connection:
            connection.execute(sa.update(OFFERS).where(*live).values(status=SUPERSEDED))
            connection.execute(sa.insert(OFFERS), offer(number, **values))

    def core(self) -> Fineract:
        """Open a connection to the core system."""
        credentials = Credentials(self.bank.user, self.bank.password)
        return Fineract(self.url, self.settings, credentials, self.waits.append)

    def hand_over(
        self, *, post: bool = True, on: dt.date = TODAY, simulated: bool = False
    ) -> HandedOver:
        """Hand the county's offers over."""
        leaving = consenting(
            self.vault, self.store, None, ORDER, pseudonym=lambda ref: f"F-{ref}",
            told=self.consents,
        )  # fmt: skip
        return hand_over(
            self.vault, self.store, leaving, ORDER, on=on, settings=self.settings, out=self.out,
            simulated=simulated, core=self.core() if post else None,
        )  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    store = open_database(tmp_path / "store.sqlite")
    with posting(store) as connection:
        connection.execute(sa.insert(OFFERS), [offer(n) for n in range(FARMERS)])
    people = [Person(f"F-{n}", str(500 + n), f"王小{n}", f"1380013800{n}") for n in range(FARMERS)]
    bank = CoreBank(
        tmp_path / "core.sqlite", TODAY, products={7: product()},
        clients={500 + n: (f"lender-{n}", dt.date(2020, 1, 1)) for n in range(FARMERS)},
    )  # fmt: skip
    with open_vault(tmp_path / "vault.sqlite", DEMO, create=True) as vault:
        store_persons(vault, "C1", "2024", people)
        with served(bank) as url:
            yield Place(tmp_path, store, vault, bank, url)
    store.dispose()
