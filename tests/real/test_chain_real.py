"""The whole chain on real counties: every row an outcome, every farmer an answer, no pretence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from fieldline.pipeline.records.tables import read_table
from fieldline.workflows.stages import STAGE_NAMES
from tests.conftest import ROOT

COUNTIES = [
    ("bavaria_2018", "BAV", "2018", 31),
    pytest.param("magdeburg_2021", "MAG", "2021", 429, marks=pytest.mark.long),
    pytest.param("coast_2021", "COA", "2021", 1366, marks=pytest.mark.long),
]


def environment(real_data: Path) -> dict[str, str]:
    """Where the data lie, and a key of the test's own: real counties refuse the published one."""
    own = {
        "FIELDLINE_REAL_DATA": str(real_data),
        "FIELDLINE_PSEUDONYM_KEY": "8f3a91c06be27d54a1f09c7be6d2384f",
        "FIELDLINE_VAULT_KEY": "c41f0a7e935db268e07d5f13a94b82c6",
    }
    return os.environ | own


def run(config: str, results: Path, real_data: Path) -> None:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--nolock"]
    command += ["--configfile", f"workflows/config/{config}.yaml", "--config", f"results={results}"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(real_data), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def finished(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Results of a real county by its configuration's name; each is run once."""

    @cache
    def results(config: str) -> Path:
        folder = tmp_path_factory.mktemp(config) / "results"
        run(config, folder, real_data)
        return folder

    return results


@pytest.mark.realdata
@pytest.mark.parametrize(("config", "county", "season", "parcels"), COUNTIES)
def test_every_real_outline_reaches_an_answer(
    config: str, county: str, season: str, parcels: int, finished: Callable[[str], Path]
) -> None:
    folder = finished(config) / season / county
    outcomes = read_table(folder / "outcomes.parquet")
    assert (outcomes["stage"] == "intake").sum() == parcels
    assert set(outcomes["stage"]) == set(STAGE_NAMES) - {"radar"}
    farmers = read_table(folder / "farmers.parquet")["farmer_id"]
    offers = pd.read_csv(folder / "offers.csv")
    assert sorted(offers["farmer_id"]) == sorted(farmers)
    # Without applications and loan history nothing may be approved, and nobody is turned away.
    assert set(offers["access"]) == {"review"}
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"Contains modified Copernicus Sentinel data {season}" in page
    assert "Simulated data" not in page


@pytest.mark.realdata
def test_bavarian_yields_are_printed_with_their_baseline(
    real_data: Path, tmp_path: Path, finished: Callable[[str], Path]
) -> None:
    extra = tmp_path / "here.yaml"
    extra.write_text(f"results: {finished('bavaria_2018')}\n", encoding="utf-8")
    command = [sys.executable, "-m", "fieldline.workflows.cli", "score", "--county", "BAV"]
    command += ["--season", "2018", "--json", "-c", "workflows/config/bavaria_2018.yaml"]
    said = subprocess.run(
        [*command, "-c", str(extra)],
        cwd=ROOT, env=environment(real_data), capture_output=True, text=True, check=True,
    )  # fmt: skip
    scores = json.loads(said.stdout)
    assert scores["simulated"] is False
    assert scores["yield"]["rmse_t_ha"] > 0
    assert scores["yield"]["rmse_prior_t_ha"] > 0
    assert scores["evidence"]["wrong_crop"]["planted"] == 4
    # More than one honest farmer in ten accused would be a scandal, whatever is found.
    assert scores["evidence"]["wrong_crop"]["honest_accused"] <= 2
