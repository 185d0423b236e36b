"""Runs the workflow for people: a look ahead, one lock, progress, one sentence on failure.

Snakemake stays the engine and works inside the results folder. The lock is the operating system's
(released when a process dies), so a killed run needs no unlocking: the next run takes over and
redoes only what is not finished.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from fieldline.pipeline.records.errors import (
    FieldlineError,
    InterruptedRunError,
    StageError,
    UserError,
)
from fieldline.pipeline.records.progress import PROGRESS_VARIABLE, heard
from fieldline.workflows.batches import batches, command_of
from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import Config
from fieldline.workflows.finished import Records
from fieldline.workflows.job import CONFIRM_VARIABLE, SENTENCE
from fieldline.workflows.left_out import leave_out, take_in
from fieldline.workflows.plan import FOLDER, Plan
from fieldline.workflows.preflight import missing_inputs, run_problems
from fieldline.workflows.progress import EVENTS_VARIABLE, Progress, shown
from fieldline.workflows.readiness import absent, first_sentences, unready
from fieldline.workflows.stages import STAGE_NAMES
from fieldline.workflows.summary import Summary, summarise

LOCK = ".fieldline.lock"
"""File of the results folder that a run holds locked, with what it works on (`works_on`)."""
_ENGINE_LOG = Path("logs/snakemake.log")
_TAIL_LINES = 200
_ENDING = "Terminating processes on user request"
_SECONDS_BETWEEN_SIGNALS = 2.0
_DISK_FULL = ("No space left on device", "Disk quota exceeded", "database or disk is full")
"""How the system says it, of a disk and of a user's share of one, and how SQLite does."""
_LATER = re.compile(
    r"has older modification time \([^)]*\)\s+than\s+input\s+(?P<file>.+?)\s+"
    r"\((?P<when>[-\d]+ [:\d]+)",
)
"""How the engine refuses what is older than the file that it was made from: a clock was put back,
or two machines' clocks differ."""


def run_chain(
    config_files: Sequence[Path],
    counties: Sequence[str] | None,
    seasons: Sequence[str] | None,
    *,
    start: str | None,
    cores: int,
    confirm: bool = False,
    profile: Path | None = None,
) -> Summary:
    """Run the workflow for the selected counties and seasons and summarise its outcomes.

    Args:
        config_files: YAML files laid over the default.
        counties: County ids, `None` for those of the configuration.
        seasons: Seasons to decide, `None` for those of the configuration.
        start: Stage to redo with everything after it, `None` for what changed.
        cores: Processor cores.
        confirm: The offers of farmers who are gone may be withdrawn, however many.
        profile: Folder of a Snakemake profile that says where jobs run, instead of `cores`.

    Raises:
        UserError: Wrong configuration or stage, a second run at once, or a failed stage.
    """
    config = _selected(config_files, counties, seasons, start)
    more = {CONFIRM_VARIABLE: "1"} if confirm else {}
    failures: list[FieldlineError] = []
    readable: set[Path] = set()
    with _exclusive(config.results, works_on(config)):
        to_do = _to_do(config, start)
        take_in(config, set(config.counties) - set(to_do))
        for files, part in batches(config_files, config, to_do):
            refused = _left_out(config, part, readable)
            failures += refused.values()
            if ready := [county for county in part if county not in refused]:
                command = command_of(
                    files, config, start=start, cores=cores, profile=profile, counties=ready,
                    more=more,
                )  # fmt: skip
                failures += _work(command, config, ready, more)
    if failures:  # the counties of every batch were tried, as those of one are
        raise failures[0]
    return summarise(config)


def make_artifacts(
    config_files: Sequence[Path], county: str, season: str, names: Sequence[str], *, cores: int
) -> Path:
    """Run one county and season up to some of its artifacts and no further.

    Args:
        config_files: YAML files laid over the default.
        county: County id.
        season: Season.
        names: Artifacts, by their paths in the folder of the county and season.
        cores: Processor cores.

    Returns:
        The folder of the county and season.

    Raises:
        UserError: As `run_chain`.
    """
    config = _selected(config_files, [county], [season], None)
    for *_, sentence in unready(config, [county], set()):
        raise UserError.sentence(sentence)
    folder = FOLDER.format(season=season, county=county)
    command = command_of(config_files, config, start=None, cores=cores)
    # Before all options: some of them take every word that follows.
    place = command.index("--snakefile")
    command[place:place] = [f"{folder}/{name}" for name in names]
    with _exclusive(config.results, works_on(config)):
        _execute(command, config.results, {}, Progress())
    return config.results / folder


def plan_chain(
    config_files: Sequence[Path],
    counties: Sequence[str] | None,
    seasons: Sequence[str] | None,
    *,
    start: str | None,
    cores: int,
    profile: Path | None = None,
) -> tuple[dict[str, int], Sequence[UserError]]:
    """Return the stages that `run_chain` would run now, in order, and how often each, and what is
    missing of the counties that it would leave out; run none.

    A run also reads the tables of its counties, and may leave out more of them.

    Raises:
        UserError: As `run_chain`, or all counties lack a file.
    """
    config = _selected(config_files, counties, seasons, start)
    planned: Counter[str] = Counter()
    with _exclusive(config.results, {}):
        to_do = _to_do(config, start)
        refused = first_sentences(config, absent(config, to_do))
        if refused and len(refused) == len(config.counties):
            raise next(iter(refused.values()))
        plan, asked = Plan(config), []
        for county in (county for county in to_do if county not in refused):
            if start is None and plan.is_untouched(county):
                planned += plan.every_job(county)
            else:
                asked.append(county)
        for files, part in batches(config_files, config, asked):
            command = command_of(
                files, config, start=start, cores=cores, profile=profile, counties=part
            )
            progress = Progress()
            # Quiet, it ends when it has planned, and tells no job's files and reasons.
            _execute([*command, "--dry-run", "--quiet"], config.results, {}, progress)
            planned.update(progress.planned)
    names = [*(name for name in planned if name not in STAGE_NAMES), *STAGE_NAMES]
    return {name: planned[name] for name in names if name in planned}, list(refused.values())


def _to_do(config: Config, start: str | None) -> Sequence[str]:
    """Return the counties that the engine must look at."""
    return config.counties if start is not None else Records(config).unfinished()


def _left_out(config: Config, counties: Sequence[str], readable: set[Path]) -> dict[str, UserError]:
    """Return the counties that cannot run as their files lie and the first sentence of each; they
    are kept for `fieldline status`."""
    take_in(config, counties)
    found = list(unready(config, counties, readable))
    for (county, season), sentence in {run[:2]: run[2] for run in reversed(found)}.items():
        leave_out(config.results, county, season, sentence)
    return first_sentences(config, found)


def _work(
    command: Sequence[str], config: Config, counties: Sequence[str], more: Mapping[str, str]
) -> list[FieldlineError]:
    """Run the engine on counties, record those that it finished and return what failed.

    Raises:
        InterruptedRunError: Somebody stopped it.
    """
    records = Records(config)
    progress, given = Progress(ended=records.made), records.given(counties)
    failures: list[FieldlineError] = []
    left: Collection[str] = ()
    try:
        _execute(command, config.results, more, progress)
    except InterruptedRunError:
        raise
    except FieldlineError as failure:
        failures.append(failure)
        left = counties if progress.unfinished is None else progress.unfinished
    records.keep({run: made_from for run, made_from in given.items() if run[0] not in left})
    return failures


def _selected(
    config_files: Sequence[Path],
    counties: Sequence[str] | None,
    seasons: Sequence[str] | None,
    start: str | None,
) -> Config:
    if start is not None and start not in STAGE_NAMES:
        raise UserError(f"there is no stage {start!r}", f"use one of {', '.join(STAGE_NAMES)}")
    chosen: dict[str, Any] = {}
    chosen |= {"counties": list(counties)} if counties else {}
    chosen |= {"seasons": list(seasons)} if seasons else {}
    config = load_config(config_files, chosen)
    for problem in run_problems(config):
        raise problem
    if len(config.counties) == 1 and not config.results.exists():
        for found in missing_inputs(config):  # before a folder is made for what cannot begin
            raise found.problem
    return config


def works_on(config: Config) -> dict[str, list[str]]:
    """Return the seasons that a run of a configuration may make anew, by county: those selected,
    and those before that they are made from."""
    seasons: dict[str, list[str]] = {}
    for county, season in config.runs():
        known = seasons.setdefault(county, [])
        chain = (*config.earlier_seasons(county, season), season)
        known += [name for name in chain if name not in known]
    return seasons


@contextmanager
def _exclusive(results: Path, selection: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Hold the results folder; a second run is told to wait, and `workflows.status` the selection.

    Args:
        results: The folder.
        selection: Seasons worked on, by county.
    """
    try:
        (results / _ENGINE_LOG).parent.mkdir(parents=True, exist_ok=True)
        handle = (results / LOCK).open("a")
    except OSError as error:
        raise UserError(
            f"the results folder {results} cannot be written ({error.strerror})",
            "make it writable or set `results` elsewhere",
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"another run is writing to {results}", "wait for it or set `results` elsewhere"
            ) from error
        with suppress(OSError):  # of a full disk the jobs tell
            handle.truncate(0)
            os.write(handle.fileno(), json.dumps(selection).encode())
        os.utime(results / LOCK)  # since when the run is at work
        yield


def _execute(
    command: Sequence[str], results: Path, more: Mapping[str, str], progress: Progress
) -> None:
    tail = deque[str](maxlen=_TAIL_LINES)
    read_end, write_end = os.pipe()
    environment = {**os.environ, EVENTS_VARIABLE: str(write_end), **more}
    if sys.stderr.isatty():
        environment[PROGRESS_VARIABLE] = "1"
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        pass_fds=(write_end,), env=environment, cwd=results,
    )  # fmt: skip
    os.close(write_end)
    assert process.stdout is not None
    with shown(progress) as show:
        text = _own_text(process.stdout, progress, show)
        talk = threading.Thread(target=_keep, args=(text, tail, results / _ENGINE_LOG))
        talk.start()
        try:
            with os.fdopen(read_end, encoding="utf-8") as events:
                for line in events:
                    rule = progress.take(json.loads(line))
                    if rule is not None:
                        show(rule)
        except KeyboardInterrupt as error:
            stop(process, tail)
            raise InterruptedRunError("stopped; the next run goes on from here") from error
        finally:
            status = process.wait()
            talk.join()
            process.stdout.close()
    if status != 0:
        raise _failure(progress, list(tail), results)


def stop(engine: subprocess.Popen[str], talk: Sequence[str]) -> None:
    """Wait for an engine that had the same Ctrl-C to end its jobs and let the folder go.

    Snakemake loses a signal that comes while it writes a line of its own text. It is sent again
    until the engine says that it is ending, and not after: that would leave its jobs alone.
    """
    while not any(_ENDING in line for line in list(talk)):
        try:
            engine.wait(timeout=_SECONDS_BETWEEN_SIGNALS)
        except subprocess.TimeoutExpired:
            engine.send_signal(signal.SIGINT)
        else:
            return


def _own_text(talk: IO[str], progress: Progress, show: Callable[[str], None]) -> Iterator[str]:
    """Yield the engine's text; what jobs say of their progress in between is shown instead."""
    for line in talk:
        step = heard(line)
        if step is None:
            yield line
        elif (rule := progress.hear(step)) is not None:
            show(rule)


def _keep(talk: Iterator[str], tail: deque[str], log: Path) -> None:
    """Keep the engine's text: its end in memory, all of it on disk while there is room."""
    try:
        with log.open("w", encoding="utf-8") as file:
            for line in talk:
                tail.append(line.rstrip())
                file.write(line)
    except OSError:
        tail.extend(line.rstrip() for line in talk)


def _failure(progress: Progress, tail: list[str], results: Path) -> FieldlineError:
    if any(words in line for line in (*progress.errors, *tail) for words in _DISK_FULL):
        return UserError(f"the disk of {_places(results)} is full", "free some space and run again")
    if later := _LATER.search("\n".join((*progress.errors, *tail))):
        return UserError(
            f"{later['file']} is of {later['when']}, after the time of this machine: what is made "
            "from it would be older than it is",
            "set the clock right, or `touch` the file if it came with a wrong time, and run again",
        )
    for rule, log in progress.failed:
        if log is None or not (said := _last_line(results / log)):
            continue
        if SENTENCE in said:
            return UserError.sentence(said.split(SENTENCE, 1)[1])
        place = results / log
        return StageError(f"{rule} stopped at a defect, {said}; the whole log is {place}")
    said = (progress.errors or tail or ["the engine said nothing"])[0].splitlines()[0].rstrip(":")
    return StageError(f"the workflow stopped: {said}; the whole log is {results / _ENGINE_LOG}")


def _places(results: Path) -> str:
    """Return the folders that a run writes to, where they lie on several disks."""
    try:
        temporary = Path(tempfile.gettempdir())
    except FileNotFoundError:  # none can be written
        return str(results)
    if temporary.stat().st_dev == results.stat().st_dev:
        return str(results)
    return f"{results} or, for temporary files, of {temporary}"


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else ""
