"""The unit and the container say what the program understands; nothing is started here."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main

from fieldline.desk.app.routes import API_ROUTES
from fieldline.workflows.cli import app
from fieldline.workflows.serve_command import _STOP_SECONDS

DEPLOY = Path(__file__).parents[2] / "workflows/deploy"
UNIT = DEPLOY / "fieldline.service"


def service() -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNIT, encoding="utf-8")
    return dict(parser["Service"])


def understood(words: list[str]) -> dict[str, object]:
    """Return what the command line makes of `fieldline WORDS`; it ends the test where it cannot."""
    root = typer.main.get_command(app)
    command = root.commands[words[0]]  # type: ignore[attr-defined]
    return dict(command.make_context(words[0], words[1:]).params)


def test_the_unit_runs_a_command_that_the_program_understands() -> None:
    program, *words = shlex.split(service()["ExecStart"])
    assert Path(program).name == "fieldline"
    given = understood(words)
    assert (given["host"], given["migrate"]) == ("127.0.0.1", False)
    assert [str(path) for path in given["config"]] == ["/etc/fieldline/bank.yaml"]  # type: ignore[attr-defined]


def test_the_unit_waits_for_answers_and_lets_the_results_be_written() -> None:
    told = service()
    # Answers may end first, then the worker: each has its time before systemd kills.
    assert int(told["TimeoutStopSec"]) > 2 * _STOP_SECONDS
    assert told["ReadWritePaths"] == told["WorkingDirectory"] == "/var/lib/fieldline"
    assert told["UMask"] == "0077"


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    program = tmp_path / "fieldline"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    unit = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/fieldline/bin/fieldline", str(program)), encoding="utf-8")
    said = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (0, "")


def test_the_container_runs_a_command_that_the_program_understands_and_asks_a_route() -> None:
    text = (DEPLOY / "Dockerfile.serve").read_text(encoding="utf-8")
    entry, words = (
        json.loads(re.findall(rf"^{name} (\[.*\])$", text, re.MULTILINE)[0])
        for name in ("ENTRYPOINT", "CMD")
    )
    assert entry == ["fieldline"]
    given = understood(words)
    assert given["host"] == "0.0.0.0"
    assert f"EXPOSE {given['port']}" in text
    asked = re.findall(rf"http://127\.0\.0\.1:{given['port']}(/[\w/]+)", text)
    assert [route.may for route in API_ROUTES if [route.path] == asked] == ["open"]
    assert re.search(r"^USER fieldline$", text, re.MULTILINE)
