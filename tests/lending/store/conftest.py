"""A store that the first release wrote, and the three ways in which the code changes around it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from pydantic import create_model

from fieldline.lending.codes import reason_codes
from fieldline.lending.decision import reasons, replay
from fieldline.lending.decision.case import Case, policy_hash
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.decision.row import decision_row
from fieldline.lending.settings import PolicySettings
from fieldline.lending.store import posting, verify
from fieldline.lending.store.database import DECISIONS, LIVE, OFFERS, open_database, reading
from fieldline.lending.store.posting import Posted, Shelf, post

FIRST_FORMAT = Path(__file__).parent / "fixtures" / "format1.sqlite"
SHELF = Shelf("SIM001", "2024", "season-line")


def _unguarded(connection: sa.Connection, *statements: str) -> None:
    """Run statements with the guards of the tables away, and put those back."""
    found = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    ).all()
    for name, _ in found:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.exec_driver_sql(statement)
    for _, sql in found:
        connection.exec_driver_sql(sql)


class OldStore:
    """The store of the first release, opened by today's code."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine = open_database(path)
        self.kind: type[Case] = Case

    def execute(self, *statements: str) -> None:
        """Change the database behind the store's back."""
        with self.engine.begin() as connection:
            _unguarded(connection, *statements)

    def live_cases(self) -> list[Case]:
        """Read the cases behind the live offers, as a new run would build them."""
        query = sa.select(DECISIONS.c.trace).join(
            OFFERS, OFFERS.c.decision_id == DECISIONS.c.decision_id
        )
        with reading(self.engine) as connection:
            traces = connection.scalars(query.where(OFFERS.c.status == LIVE)).all()
        return [self.kind.of(read_trace(trace).case) for trace in traces]

    def live_rows(self) -> list[dict[str, Any]]:
        query = sa.select(OFFERS).where(OFFERS.c.status == LIVE).order_by(OFFERS.c.farmer_id)
        with reading(self.engine) as connection:
            return [row._asdict() for row in connection.execute(query)]

    def post(self, cases: list[Case], **more: Any) -> Posted:
        """Decide cases with today's code and post them."""
        rows = [decision_row(case, decide_case(case), policy_hash(case.policy)) for case in cases]
        policy = PolicySettings(tenor_days=330)  # as the first release lent
        return post(self.engine, pd.DataFrame(rows), SHELF, policy, **more)


@pytest.fixture(scope="session")
def unguarded() -> Callable[..., None]:
    """Return the function that runs statements with the guards away."""
    return _unguarded


@pytest.fixture(scope="session")
def first_store() -> Callable[[Path], OldStore]:
    """Return a function that copies the store of the first release to a path and opens it."""
    return lambda path: OldStore(Path(shutil.copy(FIRST_FORMAT, path)))


@pytest.fixture
def old_store(tmp_path: Path) -> OldStore:
    """Copy the store of the first release and open it."""
    return OldStore(Path(shutil.copy(FIRST_FORMAT, tmp_path / "old.sqlite")))


Change = Callable[[OldStore, pytest.MonkeyPatch], None]


def offer_column(store: OldStore, patch: pytest.MonkeyPatch) -> None:
    """Add a nullable column to table `offers`, as a migration does."""
    later = OFFERS.to_metadata(sa.MetaData())
    later.append_column(sa.Column("branch", sa.Text))
    store.execute("ALTER TABLE offers ADD COLUMN branch TEXT")
    patch.setattr(verify, "OFFERS", later)
    patch.setattr(posting, "OFFERS", later)


def policy_field(store: OldStore, patch: pytest.MonkeyPatch) -> None:
    """Add a policy field with a default."""
    policy = create_model("Later", __base__=PolicySettings, branch_code=(str, "none"))
    store.kind = create_model("LaterCase", __base__=Case, policy=(policy, ...))
    patch.setattr(replay, "Case", store.kind)


def reworded(store: OldStore, patch: pytest.MonkeyPatch) -> None:
    """Reword every reason, even without the applicant's numbers."""
    words = {"english": "Other.", "chinese": "另。", "change_english": "", "change_chinese": ""}
    table = {code: replace(row, **words) for code, row in reason_codes().items()}
    patch.setattr(reasons, "reason_codes", lambda: table)


def all_three(store: OldStore, patch: pytest.MonkeyPatch) -> None:
    for change in (offer_column, policy_field, reworded):
        change(store, patch)


def unchanged(store: OldStore, patch: pytest.MonkeyPatch) -> None:
    """Change nothing."""


@pytest.fixture(params=[unchanged, offer_column, policy_field, reworded, all_three])
def changed_store(
    request: pytest.FixtureRequest, old_store: OldStore, monkeypatch: pytest.MonkeyPatch
) -> OldStore:
    """The old store under each change of the code."""
    request.param(old_store, monkeypatch)
    return old_store


@pytest.fixture
def wider_store(old_store: OldStore, monkeypatch: pytest.MonkeyPatch) -> OldStore:
    """The old store with one more column of offers."""
    offer_column(old_store, monkeypatch)
    return old_store


@pytest.fixture
def reworded_store(old_store: OldStore, monkeypatch: pytest.MonkeyPatch) -> OldStore:
    """The old store under other words of every reason."""
    reworded(old_store, monkeypatch)
    return old_store
