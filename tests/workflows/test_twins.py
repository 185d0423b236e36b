"""Whatever office wrote the tables, the offers are the same to the byte."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from fieldline.pipeline.records.tables import read_table
from tests.workflows.conftest import ChainRun
from tests.workflows.single_stage import SingleStage
from tests.workflows.twins import Cell, chinese, english, german, write_twin

STAGES = (
    "intake", "inputs", "weather", "crops_train", "classify", "hazards", "yield", "evidence",
    "profile", "decide", "offers",
)  # fmt: skip


def offers(run: ChainRun, out: Path, tables: Mapping[str, Path]) -> tuple[bytes, Path]:
    stages = SingleStage(run, out, tables)
    for stage in STAGES:
        stages(stage)
    folder = out / "2024" / "SIM001"
    return (folder / "offers.csv").read_bytes(), folder


@pytest.fixture(scope="module")
def clean_twin(tiny_run: ChainRun, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Path]:
    folder = tmp_path_factory.mktemp("clean")
    simulated = tiny_run.simulated / "SIM001"
    tables = write_twin(simulated, folder / "files", english, None, ",", "utf-8")
    return offers(tiny_run, folder / "out", tables)


@pytest.mark.parametrize(
    ("cell", "language", "mark", "encoding"),
    [
        (chinese, 0, "\t", "gb18030"),
        (chinese, 0, ";", "utf-16"),
        (german, 1, ";", "cp1252"),
        (german, 1, ";", "utf-8-sig"),
    ],
)
def test_the_tables_of_any_office_give_the_offers_of_their_clean_twin(
    cell: Cell,
    language: int,
    mark: str,
    encoding: str,
    tiny_run: ChainRun,
    clean_twin: tuple[bytes, Path],
    tmp_path: Path,
) -> None:
    simulated = tiny_run.simulated / "SIM001"
    tables = write_twin(simulated, tmp_path / "files", cell, language, mark, encoding)
    found, folder = offers(tiny_run, tmp_path / "out", tables)
    files = read_table(folder / "inputs.parquet")
    assert (files["rows"] > 0).all()
    assert (files["refused"] == 0).all(), files[files["refused"] > 0]
    assert found == clean_twin[0]
    assert found.count(b"approve") > 5
