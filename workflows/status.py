"""Where every county and season of a configuration stands: done, running, failed, stopped, waiting.

Owns what can be read from the results folder alone, so that it answers beside a run, on another
machine of a cluster and after a crash; it opens no table and asks no engine. A stage is done when
its outcomes lie there (a job that fails loses them) and what it reads is done; else its log says
how far it came. A county that the last run left out has failed, whatever lies of it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import Config
from fieldline.workflows.exits import FOUND, OK
from fieldline.workflows.job import SENTENCE
from fieldline.workflows.left_out import STAGE as TABLES_OF
from fieldline.workflows.left_out import why_left_out
from fieldline.workflows.runner import LOCK
from fieldline.workflows.stage import Stage
from fieldline.workflows.stages import STAGES, made_from

State = Literal["done", "running", "failed", "stopped", "waiting"]
_MADE_FROM = {stage.name: made_from(stage) for stage in STAGES}
_SHOWN = 40
"""Counties that are not done and have a line of their own on the page for people."""


@dataclass(frozen=True)
class StageState:
    """One stage of one county and season."""

    stage: str
    state: State
    says: str = ""
    """Why it failed, in its own sentence, or how far its blocks are."""


@dataclass(frozen=True)
class PlaceState:
    """One county and season."""

    county: str
    season: str
    stages: tuple[StageState, ...]

    @property
    def state(self) -> State:
        """What a person must know first of it."""
        found = {stage.state for stage in self.stages}
        worst: tuple[State, ...] = ("failed", "running", "stopped")
        for state in worst:
            if state in found:
                return state
        return "done" if found == {"done"} else "waiting"

    @property
    def done(self) -> int:
        """Stages that are done."""
        return sum(stage.state == "done" for stage in self.stages)

    @property
    def stands_at(self) -> StageState | None:
        """The stage that the county stands at."""
        open_stages = [stage for stage in self.stages if stage.state == self.state != "done"]
        return open_stages[0] if open_stages else None


@dataclass(frozen=True)
class AtWork:
    """The run that holds a results folder."""

    since: float
    """When it began, by the folder's clock, seconds since 1970."""
    seasons: Mapping[str, Sequence[str]] | None
    """What it works on, by county; None where it does not say."""

    def began(self, county: str, season: str) -> float | None:
        """When it began, for a county and season that it works on; None for the others."""
        known = self.seasons is None or season in self.seasons.get(county, ())
        return self.since if known else None


def at_work(results: Path) -> AtWork | None:
    """Return the run that holds the results folder now; None where none does."""
    try:
        with (results / LOCK).open(encoding="utf-8") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return AtWork(os.fstat(handle.fileno()).st_mtime, _selection(handle.read()))
    except FileNotFoundError:
        return None
    return None


def _selection(said: str) -> Mapping[str, Sequence[str]] | None:
    try:
        selection: Mapping[str, Sequence[str]] = json.loads(said)
    except ValueError:  # it is being written, or the disk is full
        return None
    return selection


def places(config: Config, run: AtWork | None) -> list[PlaceState]:
    """Return where every selected county and season stands, and those before that have failed.

    Args:
        config: What is asked about.
        run: The run at work.
    """
    found = []
    for county, season in config.runs():
        for name in (*config.earlier_seasons(county, season), season):
            since = None if run is None else run.began(county, name)
            place = _place(config, county, name, since=since)
            unfinished = place.state in ("failed", "running", "stopped")
            if name == season or (unfinished and name not in config.seasons):
                found.append(place)
    return found


def _place(config: Config, county: str, season: str, *, since: float | None) -> PlaceState:
    folder = config.results / season / county
    logs = config.results / "logs" / season / county
    blocks = config.county[county].blocks
    found: dict[str, StageState] = {}
    left_out = why_left_out(config.results, county, season, since=since)
    for stage in STAGES:
        state = _stage(stage, folder, logs, blocks, since)
        if left_out and stage.name == TABLES_OF:
            state = StageState(stage.name, "failed", left_out)
        stale = any(found[name].state != "done" for name in _MADE_FROM[stage.name])
        if state.state == "done" and stale:
            state = StageState(stage.name, "waiting")
        found[stage.name] = state
    return PlaceState(county, season, tuple(found.values()))


def _stage(stage: Stage, folder: Path, logs: Path, blocks: int, since: float | None) -> StageState:
    if (folder / stage.outcomes).exists():
        return StageState(stage.name, "done")
    # What an earlier run said of it counts no more while another does it again.
    said = list(_last_words(stage, logs, blocks, since or 0.0))
    for words in said:
        if "ERROR" in words:
            return StageState(stage.name, "failed", words.split(SENTENCE, 1)[-1])
    if not said:
        return StageState(stage.name, "waiting")
    parts = len(list(folder.glob(f"blocks/*/{stage.outcomes}"))) if blocks > 1 else 0
    progress = f"{parts} of {blocks} blocks done" if stage.in_blocks and blocks > 1 else ""
    return StageState(stage.name, "stopped" if since is None else "running", progress)


def _last_words(stage: Stage, logs: Path, blocks: int, since: float) -> Iterator[str]:
    """Yield the last line of each log that the stage's jobs have begun since a moment; empty for a
    silent one."""
    files = [logs / f"{stage.name}.log"]
    if stage.in_blocks and blocks > 1:
        files += sorted(logs.glob(f"blocks/*/{stage.name}.log"))
    for file in files:
        if file.exists() and file.stat().st_mtime >= since:
            lines = file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            yield lines[-1] if lines else ""


def tell(files: Sequence[Path], counties: list[str], seasons: list[str], *, as_json: bool) -> int:
    """Print where a configuration's counties stand; return the exit code.

    Args:
        files: Configuration files.
        counties: Only these; all of the configuration where empty.
        seasons: The same of seasons.
        as_json: Whether to print JSON.

    Returns:
        3 where a stage has failed, else 0.
    """
    chosen: dict[str, Any] = {"counties": counties} if counties else {}
    chosen |= {"seasons": seasons} if seasons else {}
    config = load_config(files, chosen)
    run = at_work(config.results)
    found = places(config, run)
    counts = Counter(place.state for place in found)
    if as_json:
        document = [{**asdict(place), "state": place.state, "done": place.done} for place in found]
        print(json.dumps({"counts": counts, "places": document}, ensure_ascii=False, indent=1))
    else:
        print("\n".join(_page(found, counts, _advice(counts, files, run))))
    return FOUND if counts["failed"] else OK


def _page(
    found: Sequence[PlaceState], counts: Counter[State], advice: Iterable[str]
) -> Iterator[str]:
    states: tuple[State, ...] = ("done", "running", "failed", "stopped", "waiting")
    yield ", ".join(f"{counts[state]:,} {state}" for state in states if counts[state])
    order = {state: place for place, state in enumerate(("failed", "stopped", "running"))}
    unfinished = [place for place in found if place.state != "done"]
    unfinished.sort(key=lambda place: order.get(place.state, len(order)))
    for place in unfinished[:_SHOWN]:
        yield _line(place)
    if len(unfinished) > _SHOWN:
        yield f"and {len(unfinished) - _SHOWN:,} more; --json names all of them"
    yield from advice


def _line(place: PlaceState) -> str:
    head = f"{place.county} {place.season}  {place.done}/{len(place.stages)}  {place.state}"
    if place.state == "waiting" or place.stands_at is None:
        return head
    said = f": {place.stands_at.says}" if place.stands_at.says else ""
    return f"{head} at {place.stands_at.stage}{said}"


def _advice(counts: Counter[State], files: Sequence[Path], run: AtWork | None) -> Iterator[str]:
    """Yield what to type next."""
    command = "fieldline run" + "".join(f" --config {file}" for file in files)
    if run is not None:
        yield "a run holds the results folder; ask again, or stop it with Ctrl-C where it runs"
    elif counts["failed"]:
        yield f"put right what the sentences say, then: {command}"
    elif counts["stopped"] or counts["waiting"]:
        yield f"next: {command}"
