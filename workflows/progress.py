"""What the engine's events say of a run, shown as bars on a terminal and as lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldline.pipeline.records.progress import Step

if TYPE_CHECKING:
    from rich.progress import TaskID

EVENTS_VARIABLE = "FIELDLINE_EVENTS"
"""Environment variable with the number of the open file descriptor that events go to."""
UNFINISHED = "unfinished"
"""Event, and attribute of the log record that it is made of, with the counties of which jobs are
left when an engine ends of itself after a job has failed."""
_NO_STAGES = ("all", "total")


@dataclass
class Progress:
    """Jobs of a run by rule, and what went wrong."""

    planned: dict[str, int] = field(default_factory=dict)
    finished: dict[str, int] = field(default_factory=dict)
    failed: list[tuple[str, Path | None]] = field(default_factory=list)
    """Rule and log of each failed job."""
    errors: list[str] = field(default_factory=list)
    """What the engine itself could not do."""
    steps: dict[str, dict[str, Step]] = field(default_factory=dict)
    """How far jobs are that say so, by rule and job."""
    unfinished: frozenset[str] | None = None
    """Counties that a run left with jobs to do; None where it did not come to say so."""
    ended: Callable[[str, Mapping[str, str]], None] = lambda *_: None
    """Called with rule and wildcards of each job when the engine says that it has finished."""

    def hear(self, step: Step) -> str | None:
        """Take in what a job says of itself; return its rule where it is planned."""
        self.steps.setdefault(step.stage, {})[step.job] = step
        return step.stage if step.stage in self.planned else None

    def note(self, rule: str) -> str:
        """Return what the jobs of a rule say together: parts done, bytes and rate."""
        steps = list(self.steps.get(rule, {}).values())
        if not steps:
            return ""
        size, rate = sum(s.bytes for s in steps), sum(s.bytes / max(s.seconds, 0.1) for s in steps)
        done, total = sum(s.done for s in steps), sum(s.total for s in steps)
        return f"{done}/{total} scenes, {size / 1e6:,.1f} MB, {rate / 1e6:,.1f} MB/s"

    def take(self, event: Mapping[str, Any]) -> str | None:
        """Take in one event; return the rule whose progress changed."""
        rule = event.get("rule")
        match event["event"]:
            case "planned" if not self.planned:
                self.planned = {r: n for r, n in event["rules"].items() if r not in _NO_STAGES}
            case "finished":
                self.finished[event["rule"]] = self.finished.get(event["rule"], 0) + 1
                self.ended(event["rule"], event.get("wildcards", {}))
            case "failed":
                log = Path(event["logs"][0]) if event["logs"] else None
                self.failed.append((event["rule"], log))
            case "unfinished":
                self.unfinished = frozenset(event["counties"])
            case "error":
                self.errors.append(event["says"])
        return rule if rule in self.planned else None


@contextmanager
def shown(progress: Progress) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows a rule's progress: bars on a terminal, lines elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda rule: _print_line(progress, rule)
        return
    columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn())
    note = TextColumn("{task.fields[note]}")
    with Bars(*columns, TimeElapsedColumn(), note, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def show(rule: str) -> None:
            if rule not in tasks:
                tasks[rule] = bars.add_task(rule, total=progress.planned[rule], note="")
            done = progress.finished.get(rule, 0)
            bars.update(tasks[rule], completed=done, note=progress.note(rule))

        yield show


def _print_line(progress: Progress, rule: str) -> None:
    done = progress.finished.get(rule, 0)
    if done:
        print(f"{rule} {done}/{progress.planned[rule]}", file=sys.stderr, flush=True)
