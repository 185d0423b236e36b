"""The command line as a new user meets it: help, version, one sentence on a mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = ["run", "demo", "init", "score", "parcels check", "config check", "config write"]
COMMANDS += ["audit verify"]


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
        "import sys, workflows.cli; "
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
