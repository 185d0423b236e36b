"""What a person is told of a run: one sentence, the right exit code, and where to look."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.exceptions import WorkflowError

from fieldline.pipeline.records.errors import StageError, UserError
from fieldline.workflows.progress import Progress
from fieldline.workflows.runner import _exclusive, _failure, stop


def progress(*events: dict[str, object]) -> Progress:
    told = Progress()
    for event in events:
        told.take(json.loads(json.dumps(event)))
    return told


def write_log(results: Path, *lines: str) -> str:
    log = results / "logs" / "grow.log"
    log.parent.mkdir(parents=True)
    log.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "logs/grow.log"


def test_events_count_jobs_by_stage() -> None:
    told = progress(
        {"event": "planned", "rules": {"grow": 2, "all": 1, "total": 3}},
        {"event": "started", "rule": "grow"},
        {"event": "finished", "rule": "grow"},
        {"event": "finished", "rule": "all"},
    )
    assert told.planned == {"grow": 2}
    assert told.finished["grow"] == 1
    assert told.take({"event": "finished", "rule": "grow"}) == "grow"
    assert told.take({"event": "finished", "rule": "all"}) is None


def test_the_end_of_a_job_is_passed_on_with_its_county_and_season() -> None:
    heard: list[tuple[str, Any]] = []
    told = Progress(ended=lambda rule, wildcards: heard.append((rule, wildcards)))
    place = {"county": "X", "season": "2024"}
    told.take({"event": "started", "rule": "grow"})
    told.take({"event": "finished", "rule": "grow", "wildcards": place})
    assert heard == [("grow", place)]


def test_a_users_mistake_in_a_stage_is_its_own_sentence(tmp_path: Path) -> None:
    log = write_log(tmp_path, "INFO x", "ERROR root user error: x.csv is empty: fill it.")
    told = progress({"event": "failed", "rule": "grow", "logs": [log]})
    error = _failure(told, ["noise"], tmp_path)
    assert isinstance(error, UserError)
    assert str(error) == "x.csv is empty: fill it."


def test_a_defect_names_stage_and_log(tmp_path: Path) -> None:
    log = write_log(tmp_path, "ERROR root KeyError: 'a'", "Traceback", "KeyError: 'a'")
    error = _failure(progress({"event": "failed", "rule": "grow", "logs": [log]}), [], tmp_path)
    assert isinstance(error, StageError)
    assert str(error).startswith("grow stopped at a defect, KeyError: 'a'; the whole log is")


@pytest.mark.parametrize(
    ("events", "tail"),
    [
        ([{"event": "error", "says": "OSError: [Errno 28] No space left on device"}], []),
        ([], ["OSError: [Errno 28] No space left on device: 'x.parquet'"]),
        ([], ["OSError: [Errno 122] Disk quota exceeded"]),
        ([], ["(sqlite3.OperationalError) database or disk is full"]),
    ],
)
def test_a_full_disk_is_said_wherever_it_shows(
    events: list[dict[str, object]], tail: list[str], tmp_path: Path
) -> None:
    error = _failure(progress(*events), tail, tmp_path)
    assert isinstance(error, UserError)
    assert str(error) == f"the disk of {tmp_path} is full: free some space and run again."


def test_of_two_disks_both_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc")  # a file system of its own everywhere
    error = _failure(progress(), ["OSError: [Errno 28] No space left on device"], tmp_path)
    both = f"{tmp_path} or, for temporary files, of /proc"
    assert str(error) == f"the disk of {both} is full: free some space and run again."


class Dated:
    """A file as the engine asks for its time."""

    def __init__(self, name: str, seconds: float) -> None:
        self.name, self.seconds = name, seconds

    def __str__(self) -> str:
        return self.name

    async def exists_local(self) -> bool:
        return True

    async def mtime_uncached(self, *, skip_storage: bool) -> SimpleNamespace:
        return SimpleNamespace(local=lambda: self.seconds)


def refused_as_older(made: Dated, read: Dated) -> str:
    """Return the engine's own words of a file that is older than what it was made from."""
    import_module("snakemake.api")  # its modules import each other and begin with this one
    dag = import_module("snakemake.dag").DAG
    job = SimpleNamespace(input=[read], rule=None)
    with pytest.raises(WorkflowError) as refused:
        asyncio.run(dag.check_output_mtime(SimpleNamespace(), job, [made]))
    return str(refused.value)


def test_a_clock_put_back_is_said_with_the_file_that_is_later(tmp_path: Path) -> None:
    noon = dt.datetime(2026, 5, 1, 12).timestamp()
    said = refused_as_older(Dated("2024/C1/a.csv", noon - 3600), Dated("2024/C1/b c.csv", noon))
    for events, tail in (([{"event": "error", "says": said}], []), ([], said.splitlines())):
        error = _failure(progress(*events), tail, tmp_path)
        assert isinstance(error, UserError)
        assert str(error) == (
            "2024/C1/b c.csv is of 2026-05-01 12:00:00, after the time of this machine: what is "
            "made from it would be older than it is: set the clock right, or `touch` the file if "
            "it came with a wrong time, and run again."
        )


def test_a_second_run_in_one_folder_is_told_to_wait(tmp_path: Path) -> None:
    with (
        _exclusive(tmp_path / "r", {}),
        pytest.raises(UserError, match="another run is writing"),
        _exclusive(tmp_path / "r", {}),
    ):
        pass
    with _exclusive(tmp_path / "r", {}):  # free again
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot be written"), _exclusive(tmp_path / "r", {}):
        pass


DEAF_ONCE = """
import signal, time
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(1))
print("ready", flush=True)
while not heard:
    time.sleep(0.05)
raise SystemExit(7)
"""


def test_an_engine_that_lost_its_signal_is_signalled_again() -> None:
    engine = subprocess.Popen([sys.executable, "-c", DEAF_ONCE], stdout=subprocess.PIPE, text=True)
    assert engine.stdout is not None
    assert engine.stdout.readline() == "ready\n"
    stop(engine, [])
    assert engine.wait() == 7


def test_an_engine_that_is_ending_its_jobs_is_left_to_it() -> None:
    engine = subprocess.Popen([sys.executable, "-c", DEAF_ONCE], stdout=subprocess.PIPE, text=True)
    assert engine.stdout is not None
    assert engine.stdout.readline() == "ready\n"
    stop(engine, ["Terminating processes on user request, this might take some time."])
    assert engine.poll() is None
    engine.kill()
    engine.wait()
