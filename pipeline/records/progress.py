"""How far a long step is, said from inside a job to whoever watches the run.

Owns the form of one line on the job's standard error and nothing else; whether anybody watches is
told by the environment, so that a run without a terminal stays quiet.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass

PROGRESS_VARIABLE = "FIELDLINE_PROGRESS"
"""Environment variable that is set while somebody watches."""
_MARK = "fieldline-progress "


@dataclass(frozen=True)
class Step:
    """How far one job of a stage is."""

    stage: str
    job: str
    """What tells it from other jobs of the stage."""
    done: int
    total: int
    bytes: int
    """Bytes fetched so far."""
    seconds: float
    """Since the job began to fetch."""


def say(step: Step) -> None:
    """Say how far a job is, where somebody watches."""
    if os.environ.get(PROGRESS_VARIABLE):
        print(_MARK + json.dumps(asdict(step)), file=sys.stderr, flush=True)


def heard(line: str) -> Step | None:
    """Return what a line of a job's text says of its progress; None where it is something else."""
    if not line.startswith(_MARK):
        return None
    try:
        return Step(**json.loads(line.removeprefix(_MARK)))
    except (ValueError, TypeError):
        return None
