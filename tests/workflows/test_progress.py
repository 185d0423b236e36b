from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fieldline.pipeline.records.progress import Step
from fieldline.workflows.progress import Progress
from tests.pipeline.imagery.pulling import scenes_of
from tests.pipeline.imagery.tiny_archive import write_archive
from tests.services.stac_api import StacApi, serving
from tests.workflows.test_provider_chain import write_county


def test_jobs_of_a_stage_are_told_together() -> None:
    progress = Progress({"scenes": 2})
    assert progress.note("scenes") == ""
    assert progress.hear(Step("scenes", "a", 1, 4, 1_000_000, 1.0)) == "scenes"
    progress.hear(Step("scenes", "a", 2, 4, 6_000_000, 2.0))
    progress.hear(Step("scenes", "b", 3, 3, 4_500_000, 3.0))
    assert progress.note("scenes") == "5/7 scenes, 10.5 MB, 4.5 MB/s"
    assert progress.hear(Step("other", "a", 1, 4, 1, 1.0)) is None


@pytest.mark.slow
def test_a_terminal_sees_scenes_bytes_and_rate_and_the_log_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDLINE_PSEUDONYM_KEY", "9f2c41aa7be04d51b6f8c0de37a15b24")
    monkeypatch.setenv("FIELDLINE_VAULT_KEY", "c41f0a7e935db268e07d5f13a94b82c6")
    monkeypatch.setenv("COLUMNS", "140")
    write_archive(tmp_path / "archive", scenes_of(6))
    program = [sys.executable, "-m", "fieldline.workflows.cli", "run", "-c", "mine.yaml"]
    ours, theirs = pty.openpty()
    with serving(StacApi(tmp_path / "archive", pause=0.2)) as api:
        write_county(tmp_path, api.root, "tiny")
        run = subprocess.Popen(program, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # the other end of a terminal is gone
            pass
        run.wait()
    assert re.search(rb"[1-6]/6 scenes, ", shown)
    assert b" MB/s" in shown
    log = (tmp_path / "results" / "logs" / "snakemake.log").read_text()
    assert "fieldline-progress" not in log
