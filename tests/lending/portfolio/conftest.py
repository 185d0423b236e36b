"""A county that was run and posted, as the commands find it by a configuration."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fieldline.workflows.cli import main


@pytest.fixture(scope="session")
def _built(tmp_path_factory: pytest.TempPathFactory, county_kind: Any) -> Any:
    folder = tmp_path_factory.mktemp("bank") / "results" / "2024" / "SIM001"
    folder.mkdir(parents=True)
    county = county_kind(folder)
    risky = {"shared_log_sd": 0.15, "own_log_sd": 0.1, "price_log_sd": 0.1}
    for number, farmer in enumerate(("ann", "bob")):
        county.add(f"p{number}", farmer, x=300 * number, width=200, height=100, **risky)
        county.apply(farmer, requested_amount="9000")
    county.add("p2", "cat", x=600, width=10, height=10)
    county.apply("cat", requested_amount="9000", annual_debt_service="9000")
    cells = {"parcel_id": ["p0", "p1", "p2"], "cell_id": ["W1", "W2", "W2"]}
    pd.DataFrame(cells).to_parquet(folder / "weather_cells.parquet")
    county.decide()
    county.offers(folder.parents[1] / "fieldline.sqlite", county="SIM001")
    return county


@pytest.fixture
def posted(tmp_path: Path, _built: Any) -> Any:
    """Three farmers of county SIM001, season 2024, two of them with lines, in a results folder."""
    shutil.copytree(_built.folder.parents[1], tmp_path / "results")
    (tmp_path / "bank.yaml").write_text(f"results: {tmp_path / 'results'}\n", encoding="utf-8")
    return replace(deepcopy(_built), folder=tmp_path / "results" / "2024" / "SIM001")


@pytest.fixture
def fieldline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run `fieldline ...` with the county's configuration; return exit code and what was said."""

    def run(*words: str) -> tuple[int, str, str]:
        words = (*words, "--config", str(tmp_path / "bank.yaml"))
        monkeypatch.setattr("sys.argv", ["fieldline", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run
