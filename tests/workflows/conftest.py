"""A small simulated county, run once through the whole chain for every test that looks at it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
REAL_KEY = "5d0c1e7f92ab4836d7e1f05b9c3a6284"
"""A key as `openssl rand -hex 16` makes one."""
TINY = {
    "parcels": 220,
    "dates_per_season": 24,
    "survey_share": 0.25,
    "crops": ["winter_wheat", "maize", "rice", "soybean"],
    "growth_runs": 1,
    "yield_years": 6,
    "sky": {"weather_cells": 1},
    "loan_history": {"loans": 900},
}


def run_in(folder: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command from a folder and keep what it says."""
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


@dataclass(frozen=True)
class ChainRun:
    """A folder of results and the configuration that makes it."""

    config: Path
    results: Path
    simulated: Path

    def fieldline(
        self, *arguments: str, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a Fieldline command with this configuration."""
        command = [sys.executable, "-m", "fieldline.workflows.cli", *arguments]
        if arguments[:2] != ("config", "check"):
            command += ["--config", str(self.config)]
        return run_in(cwd or ROOT, command)

    def snakemake(self, *arguments: str) -> str:
        """Run plain Snakemake with this configuration and return what it said."""
        command = [sys.executable, "-m", "snakemake", "--nolock", "--cores", "2"]
        command += ["--configfile", str(self.config), *arguments]
        result = run_in(ROOT, command)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr

    @property
    def folder(self) -> Path:
        """Artifacts of the decided season."""
        return self.results / "2024" / "SIM001"


def tiny_config(folder: Path, results: str, simulated: Path) -> ChainRun:
    """Write a configuration of the tiny county below `folder`."""
    default = yaml.safe_load((ROOT / "workflows/config/default.yaml").read_text(encoding="utf-8"))
    inputs = default["county"]["SIM001"]["inputs"]
    moved = {
        name: [p.replace("{results}/simulated", str(simulated)) for p in value]
        if isinstance(value, list)
        else value.replace("{results}/simulated", str(simulated))
        for name, value in inputs.items()
        if isinstance(value, list) or (isinstance(value, str) and "{county}" in value)
    }
    document = {
        "results": str(folder / results),
        "simulate": TINY,
        "lending": {"risk": {"search": 0}},
        "crops": {"classify": {"network": "never"}},
        "county": {"SIM001": {"inputs": moved}},
    }
    path = folder / f"{results}.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return ChainRun(path, folder / results, simulated)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> ChainRun:
    """The tiny county, finished."""
    folder = tmp_path_factory.mktemp("county")
    run = tiny_config(folder, "results", folder / "simulated")
    result = run.fieldline("run", "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    return run


@pytest.fixture
def real_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys that a real county needs."""
    monkeypatch.setenv("FIELDLINE_PSEUDONYM_KEY", REAL_KEY)
    monkeypatch.setenv("FIELDLINE_VAULT_KEY", REAL_KEY[::-1])


@pytest.fixture(autouse=True)
def _no_site_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SNAKEMAKE_PROFILE"):
            monkeypatch.delenv(name)
