"""A process that is done leaves with its own code, whatever tears down behind it."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from fieldline.workflows.exits import told_of_place

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


def refused(place: Path) -> OSError:
    """Return what writing a text to a place says."""
    with pytest.raises(OSError, match="Errno") as caught:
        place.mkdir(parents=True) if place.suffix == "" else place.write_text("text")
    return caught.value


def test_a_place_of_the_command_line_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder.d").mkdir()
    (tmp_path / "file").write_text("")
    words = ["crops", "evaluate", "p.npz", f"--json={tmp_path / 'folder.d'}"]
    told = told_of_place(refused(tmp_path / "folder.d"), words)
    assert told is not None
    assert f"{tmp_path / 'folder.d'} cannot be read or written (Is a directory): name" in told
    below = ["--json", str(tmp_path / "file" / "new" / "out.json")]
    told = told_of_place(refused(tmp_path / "file" / "new"), below)
    assert told == f"{below[1]} cannot be written, for file is no folder: name another place"
    full = OSError(errno.ENOSPC, "No space left on device", "/scratch/x")
    assert "no room for /scratch/x (No space left" in str(told_of_place(full, []))


def test_a_place_that_nobody_named_is_a_defect(tmp_path: Path) -> None:
    error = refused(tmp_path / "absent" / "out.txt")
    assert (
        told_of_place(error, ["run", "--county", "C1", str(tmp_path.parent / "other.csv")]) is None
    )


def test_the_command_says_it_so(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    rows = [f"C{c},{year},{5 + c / 10 + year % 3}" for c in range(5) for year in range(2000, 2012)]
    table.write_text("county,year,yield (t/ha)\n" + "\n".join(rows))
    words = ["yields", "evaluate", "--train", str(table), "--leave-out", "year",
             "--json", str(table / "out.json")]  # fmt: skip
    found = ended(f"sys.argv[1:] = {words}; from fieldline.workflows.cli import console; console()")
    assert found.returncode == 2, found.stderr
    told = f"fieldline: {table / 'out.json'} cannot be written, for t.csv is no folder"
    assert found.stderr.startswith(told)
    assert "Traceback" not in found.stderr
    assert found.stdout.startswith("60 rows, 5 counties, 2000-2011, yields in t/ha")
