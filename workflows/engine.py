"""Snakemake with a listener: the engine's own events as JSON lines, beside its text for people.

Runs as `python -m fieldline.workflows.engine ARGUMENTS...`, the arguments being Snakemake's. The
listener is a Snakemake logger plugin, registered here because Snakemake finds plugins by the name
of a top-level package and Fieldline installs one name only.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from logging import LogRecord
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

from snakemake.cli import main as snakemake_main
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent, logger_plugin_module_prefix
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

from fieldline.workflows.engine_profile import KUBERNETES, executor_of, share_volume
from fieldline.workflows.exits import leave_after
from fieldline.workflows.progress import EVENTS_VARIABLE, UNFINISHED

_NAME = "fieldline-events"
_OBJECTS_BETWEEN = 100_000
"""New objects between two collections of garbage, a hundred times as many as Python's own: nearly
all that a graph is made of stays, and looking through it again took a sixth of the plan."""


class LogHandler(LogHandlerBase):
    """Writes what a run is made of: planned rules, started, finished and failed jobs, errors."""

    writes_to_stream = False
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        """Open the pipe that the caller holds the other end of."""
        self._pipe: TextIO = os.fdopen(int(os.environ.pop(EVENTS_VARIABLE)), "w", encoding="utf-8")
        self._jobs: dict[int, tuple[str, dict[str, str]]] = {}

    def emit(self, record: LogRecord) -> None:
        """Write one event as one JSON line."""
        event = self._event(record)
        if event is not None:
            self._pipe.write(json.dumps(event, default=str) + "\n")
            self._pipe.flush()

    def _event(self, record: LogRecord) -> dict[str, Any] | None:
        said = vars(record)
        if UNFINISHED in said:
            return {"event": UNFINISHED, "counties": said[UNFINISHED]}
        match said.get("event"):
            case LogEvent.RUN_INFO:
                return {"event": "planned", "rules": dict(said["stats"])}
            case LogEvent.JOB_INFO:
                self._jobs[said["jobid"]] = said["rule_name"], dict(said["wildcards"] or {})
                return {"event": "started", "rule": said["rule_name"]}
            case LogEvent.JOB_FINISHED:
                rule, wildcards = self._jobs.get(said["job_id"], ("", {}))
                return {"event": "finished", "rule": rule, "wildcards": wildcards}
            case LogEvent.JOB_ERROR:
                return {"event": "failed", "rule": said["rule_name"], "logs": list(said["log"])}
            case LogEvent.ERROR:
                return {"event": "error", "says": record.getMessage()}
        return None


def look_again_once() -> None:
    """Have the scheduler wait for one next look at a time.

    By itself (Snakemake 9.27) each look starts a timer for another, whether or not one runs: their
    number grows by one with every job that ends, and none ever ends. After 270 jobs it looked 150
    times a second, at every input of every job that could begin, and kept half a core busy.
    """
    waiting: set[JobScheduler] = set()

    def later(scheduler: JobScheduler, delay: float) -> None:
        def look() -> None:
            waiting.discard(scheduler)
            scheduler._open_jobs.release()

        if scheduler not in waiting:
            waiting.add(scheduler)
            threading.Timer(delay, look).start()

    JobScheduler._schedule_reevalutation = later


def main(arguments: list[str]) -> None:
    """Run Snakemake with the listener."""
    if "--profile" in arguments:
        profile = Path(arguments[arguments.index("--profile") + 1])
        if executor_of(profile) == KUBERNETES:
            share_volume()
    gc.set_threshold(_OBJECTS_BETWEEN)
    look_again_once()
    plugin = ModuleType(logger_plugin_module_prefix + _NAME.replace("-", "_"))
    vars(plugin)["LogHandler"] = LogHandler
    LoggerPluginRegistry().register_plugin(plugin.__name__, plugin)
    snakemake_main([*arguments, "--logger", _NAME])


if __name__ == "__main__":
    leave_after(lambda: main(sys.argv[1:]))
