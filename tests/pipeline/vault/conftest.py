"""A vault on SQLite and on PostgreSQL, under a key of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pg8000.dbapi
import pytest
import sqlalchemy as sa

from fieldline.pipeline.records.databases import sqlite_file
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.vault.opening import open_vault
from fieldline.pipeline.vault.persons import Person
from fieldline.pipeline.vault.vault import Vault

MASTER = "c41f0a7e935db268e07d5f13a94b82c6"
OTHER_MASTER = "7be2904fd5a1c3860f1d8e6b25c97a43"
PSEUDONYMS = "5d0c1e7f92ab4836d7e1f05b9c3a6284"
REAL = PrivacySettings(demo_key=False)
DEMO = PrivacySettings(demo_key=True)

WANG = Person("F00000000000000a1", "P-1", "王小明", "13800138000", "340123199001011234")
LI = Person("F00000000000000a2", "P-2", "李秀英", "13900139000", None)
ZHANG = Person("F00000000000000a3", "P-3")
PEOPLE = [WANG, LI, ZHANG]


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELDLINE_VAULT_KEY", MASTER)
    monkeypatch.setenv("FIELDLINE_PSEUDONYM_KEY", PSEUDONYMS)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a vault that is not there yet."""
    if request.param == "sqlite":
        return str(tmp_path / "vault.sqlite")
    return str(request.getfixturevalue("postgres_database"))


def opened(address: str | Path, privacy: PrivacySettings = REAL) -> AbstractContextManager[Vault]:
    """Open a vault as intake does."""
    return open_vault(address, privacy, create=True)


def raw(address: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run a statement past Fieldline, as somebody with the database's password would."""
    file = sqlite_file(address)
    if file is not None:
        with sqlite3.connect(file) as lite:
            return lite.execute(statement, values).fetchall()
    url = sa.make_url(address)
    assert url.host is not None
    server = pg8000.dbapi.connect(url.username, host=url.host, port=url.port, database=url.database)
    cursor = server.cursor()
    cursor.execute(statement.replace("?", "%s"), values)
    rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
    server.commit()
    server.close()
    return rows


@pytest.fixture
def vault(address: str) -> Iterator[Vault]:
    """A new, empty vault."""
    with opened(address) as vault:
        yield vault
