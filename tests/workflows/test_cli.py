"""The command line as a new user meets it: help, version, one sentence on a mistake."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflows.conftest import ROOT

COMMANDS = [
    "run", "demo", "init", "score", "parcels check", "config check", "config write", "audit verify",
    "audit replay",
]  # fmt: skip
FIRST_FORMAT = ROOT / "tests" / "lending" / "store" / "fixtures" / "format1.sqlite"


def fieldline(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fieldline.workflows.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(command: str) -> None:
    result = fieldline(*command.split(), "--help")
    assert result.returncode == 0
    assert f"Example: fieldline {command}" in result.stdout


def test_version_is_the_distribution_version() -> None:
    from importlib.metadata import version

    assert fieldline("--version").stdout.strip() == f"fieldline {version('fieldline')}"


def test_help_imports_no_room() -> None:
    code = (
        "import sys, fieldline.workflows.cli; "
        "heavy = ('numpy', 'pandas', 'rasterio', 'sklearn', 'torch'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["config", "check", "nowhere.yaml"], "nowhere.yaml does not exist"),
        (["run", "--county", "NOWHERE"], "county 'NOWHERE' is not defined"),
        (["run", "--from", "harvest"], "there is no stage 'harvest'"),
        (["parcels", "check", "nowhere.geojson"], "nowhere.geojson"),
        (["score", "--county", "NOWHERE"], "county 'NOWHERE' is not defined"),
    ],
)
def test_user_errors_are_one_sentence_and_exit_code_2(
    arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    result = fieldline(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.fixture
def store(tmp_path: Path) -> list[str]:
    """A store of the first release beside a configuration; yields the option that names it."""
    shutil.copy(FIRST_FORMAT, tmp_path / "store.sqlite")
    config = tmp_path / "store.yaml"
    config.write_text(f"database: {tmp_path / 'store.sqlite'}\n")
    return ["-c", str(config)]


def test_stored_decisions_replay(store: list[str]) -> None:
    result = fieldline("audit", "replay", "--all", *store)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "13 of 13 decisions replay (13 of format 1)\n"


def test_a_decision_that_does_not_replay_is_named(store: list[str], tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        (known,) = connection.execute("SELECT min(decision_id) FROM decisions").fetchone()
        change = (
            "UPDATE decisions SET trace = replace(trace, '\"limit_minor\":', '\"limit_minor\":1')"
        )
        connection.execute(f"{change} WHERE decision_id = '{known}'")
    result = fieldline("audit", "replay", known, "--json", *store)
    found = json.loads(result.stdout)
    assert (result.returncode, found["replayed"], found["formats"]) == (3, 0, {"1": 1})
    assert "limit_minor is stored as 1" in found["problems"][known]
    assert fieldline("audit", "verify", *store).returncode == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["audit", "replay", "nobody"], "the store holds no decision 'nobody'"),
        (["audit", "replay", "nobody", "--all"], "both a decision and --all are given"),
    ],
)
def test_a_wrong_decision_is_one_sentence(
    arguments: list[str], sentence: str, store: list[str]
) -> None:
    result = fieldline(*arguments, *store)
    assert result.returncode == 2
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_database_that_is_none_is_one_sentence(store: list[str], tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_text("farmer_id,limit\n")
    result = fieldline("audit", "verify", *store)
    assert result.returncode == 2
    assert "store.sqlite is no database" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
