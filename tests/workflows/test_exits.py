"""A process that is done leaves with its own code, whatever tears down behind it."""

from __future__ import annotations

import subprocess
import sys

import pytest

ABORTS = "import atexit, os, sys; atexit.register(os.abort); "


def ended(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ABORTS + program], capture_output=True, text=True, check=False
    )


def test_the_interpreter_s_own_end_would_abort() -> None:
    assert ended("print('said')").returncode == -6


@pytest.mark.parametrize("code", [0, 2, 3])
def test_a_process_leaves_with_its_code_and_all_it_said(code: int) -> None:
    found = ended(f"print('said'); from fieldline.workflows.exits import leave; leave({code})")
    assert (found.returncode, found.stdout) == (code, "said\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [(["--version"], 0, "fieldline "), (["config", "check", "-c", "nowhere.yaml"], 2, "")],
)
def test_the_command_leaves_so(words: list[str], code: int, said: str) -> None:
    found = ended(f"sys.argv[1:] = {words}; from fieldline.workflows.cli import console; console()")
    assert found.returncode == code, found.stderr
    assert found.stdout.startswith(said)
