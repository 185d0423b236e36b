"""Files that a STAC API names by `s3://`, read with an account's keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldline.pipeline.imagery.settings import TariffSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.having_accounts import Copernicus, copernicus, point_to, sign_in
from tests.pipeline.imagery.pulling import QUICK, choose, observe, scenes_of, told
from tests.pipeline.imagery.tiny_archive import write_archive

ADDRESS = "stac:cdse"


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Copernicus]:
    write_archive(tmp_path / "archive", scenes_of(8))
    with copernicus(tmp_path / "archive") as running:
        point_to(running, monkeypatch, tmp_path)
        sign_in(monkeypatch)
        yield running


def test_an_archive_and_its_files_in_a_store_give_equal_observations(
    tmp_path: Path, services: Copernicus
) -> None:
    choose(tmp_path / "disk", None, tmp_path / "archive" / "catalog.json")
    choose(tmp_path / "store", ADDRESS)
    first = read_table(observe(tmp_path / "disk") / "observations.parquet")
    second = read_table(observe(tmp_path / "store") / "observations.parquet")
    assert len(first) == 16
    assert first.equals(second)


def test_no_more_connections_are_open_than_the_provider_allows(
    tmp_path: Path, services: Copernicus
) -> None:
    services.store.pause = 0.1
    many = {"connections": 16, "tariff": TariffSettings(requests_per_minute=60_000)}
    results = choose(tmp_path, ADDRESS, pull=QUICK.model_copy(update=many))
    assert {code for code, _ in told(results / "chosen.parquet").values()} == {"ok"}
    assert services.store.refused == 0
    assert 2 <= services.store.most_at_once <= 4


def test_missing_keys_stop_the_run_before_the_search(
    tmp_path: Path, services: Copernicus, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(monkeypatch, s3_secret_key="")
    with pytest.raises(UserError, match="stac:cdse needs an account: s3_access_key"):
        choose(tmp_path, ADDRESS)
    assert services.stac.requests == []
