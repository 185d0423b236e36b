"""Runs Snakemake for people: one lock, one progress line per stage, one sentence on failure.

Snakemake stays the engine. The lock is the operating system's (released when a process dies), so a
killed run needs no unlocking: the next run takes over and redoes only what is not finished.
"""

from __future__ import annotations

import fcntl
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldline.pipeline.records.errors import FieldlineError, StageError, UserError
from fieldline.pipeline.records.outcomes import STAGES
from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import Config
from fieldline.workflows.job import USER_ERROR
from fieldline.workflows.summary import Summary, summarise

if TYPE_CHECKING:
    from rich.progress import TaskID

SNAKEFILE = Path(__file__).resolve().parent.parent / "Snakefile"
_STATS_LINE = re.compile(r"^(\w+)\s+(\d+)$")
_FINISHED = re.compile(r"Finished jobid: \d+ \(Rule: (\w+)\)")
_STARTED = re.compile(r"^(?:local)?rule (\w+):")
_FAILED = re.compile(r"Error in rule (\w+)")
_NAMED_ERROR = re.compile(r"\w+(Error|Exception)\b.*\w{3}")
_LOG_LINE = re.compile(r"^\s+log: (\S+)")


def run_chain(
    config_files: Sequence[Path],
    counties: Sequence[str] | None,
    seasons: Sequence[str] | None,
    *,
    start: str | None,
    cores: int,
) -> Summary:
    """Run the workflow for the selected counties and seasons and summarise its outcomes.

    Args:
        config_files: YAML files laid over the default.
        counties: County ids, `None` for those of the configuration.
        seasons: Seasons to decide, `None` for those of the configuration.
        start: Stage to redo with everything after it, `None` for what changed.
        cores: Processor cores.

    Raises:
        UserError: Wrong configuration or stage, a second run at once, or a failed stage.
    """
    if start is not None and start not in STAGES:
        raise UserError(f"there is no stage {start!r}", f"use one of {', '.join(STAGES)}")
    chosen: dict[str, Any] = {}
    chosen |= {"counties": list(counties)} if counties else {}
    chosen |= {"seasons": list(seasons)} if seasons else {}
    config = load_config(config_files, chosen)
    command = _command(config_files, config, start=start, cores=cores)
    with _exclusive(config.results):
        _execute(command)
    return summarise(config)


def _command(
    config_files: Sequence[Path], config: Config, *, start: str | None, cores: int
) -> list[str]:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE)]
    command += ["--cores", str(cores), "--nolock", "--rerun-incomplete", "--keep-going"]
    if config_files:
        command += ["--configfile", *map(str, config_files)]
    command += ["--config", f"counties={','.join(config.counties)}"]
    command += [f"seasons={','.join(config.seasons)}"]
    if start is not None:
        command += ["--forcerun", rule_name(start)]
    return command


def rule_name(stage: str) -> str:
    """Return the Snakemake rule of a stage (`yield` is a Python keyword)."""
    return "yields" if stage == "yield" else stage


@contextmanager
def _exclusive(results: Path) -> Iterator[None]:
    results.mkdir(parents=True, exist_ok=True)
    with (results / ".fieldline.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"another run is writing to {results}", "wait for it or set `results` elsewhere"
            ) from error
        yield


@dataclass
class _Progress:
    """What Snakemake's own messages say about the jobs of a run."""

    planned: dict[str, int] = field(default_factory=dict)
    finished: dict[str, int] = field(default_factory=dict)
    failed_logs: list[Path] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    _in_failure: bool = False

    def read(self, line: str) -> str | None:
        """Take in one line; return the rule whose progress changed."""
        self.tail = [*self.tail[-40:], line]
        if match := _STATS_LINE.match(line):
            if match[1] != "total" and not self.finished:
                self.planned[match[1]] = int(match[2])
                return match[1]
        elif match := _FINISHED.search(line):
            self.finished[match[1]] = self.finished.get(match[1], 0) + 1
            return match[1]
        elif match := _STARTED.match(line):
            return match[1]
        elif _FAILED.search(line):
            self._in_failure = True
        elif self._in_failure and (match := _LOG_LINE.match(line)):
            self.failed_logs.append(Path(match[1]))
            self._in_failure = False
        return None


def _execute(command: list[str]) -> None:
    progress = _Progress()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    with _shown_progress(progress) as show:
        for line in process.stdout:
            rule = progress.read(line.rstrip())
            if rule is not None and rule in progress.planned and rule != "all":
                show(rule)
    if process.wait() != 0:
        raise _failure(progress)


@contextmanager
def _shown_progress(progress: _Progress) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows a rule's progress: bars on a terminal, lines elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda rule: _print_progress(progress, rule)
        return
    columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def show(rule: str) -> None:
            if rule not in tasks:
                tasks[rule] = bars.add_task(rule, total=progress.planned[rule])
            bars.update(tasks[rule], completed=progress.finished.get(rule, 0))

        yield show


def _print_progress(progress: _Progress, rule: str) -> None:
    done = progress.finished.get(rule, 0)
    if done:
        print(f"{rule} {done}/{progress.planned[rule]}", file=sys.stderr, flush=True)


def _failure(progress: _Progress) -> FieldlineError:
    for log in progress.failed_logs:
        last = log.read_text(encoding="utf-8").strip().splitlines()[-1:] if log.exists() else []
        if last and USER_ERROR in last[0]:
            return UserError.sentence(last[0].split(USER_ERROR, 1)[1])
        if last:
            return StageError(f"{log.stem} stopped at a defect, {last[0]}; the whole log is {log}")
    named = [line.strip() for line in progress.tail if _NAMED_ERROR.search(line)]
    said = (named or progress.tail or ["Snakemake said nothing"])[0].rstrip(":")
    return StageError(f"the workflow stopped: {said}")
