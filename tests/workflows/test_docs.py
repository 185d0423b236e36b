"""The documentation: links lead somewhere, and every command on it runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.workflows.conftest import ROOT, ChainRun

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


def commands(page: Path) -> list[str]:
    blocks = CONSOLE.findall(page.read_text(encoding="utf-8"))
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files(page: Path) -> None:
    for target, _ in LINK.findall(page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda p: p.name)
def test_every_command_runs(page: Path, tiny_run: ChainRun) -> None:
    for command in commands(page):
        program, *arguments = shlex.split(command)
        assert program == "fieldline", command
        here = [a.replace("results/simulated", str(tiny_run.simulated)) for a in arguments]
        result = tiny_run.fieldline(*here)
        allowed = {0, 3} if "parcels" in here else {0}
        assert result.returncode in allowed, f"{command}: {result.stderr}"


def test_every_line_for_notebooks_runs(
    tiny_run: ChainRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    (tmp_path / "results").symlink_to(tiny_run.results)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in PYTHON.findall(page):
        exec(compile(block, "docs/notebooks.md", "exec"), names)
    assert {"county", "parcel", "decision", "trace"} <= names.keys()
    assert (tmp_path / "county.gpkg").stat().st_size > 0


def test_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 60
