"""Power cuts: everything of a run killed at random moments, typed again, held against a whole run.

A trial takes a copy of a finished run of the tiny county, loses what one stage and all after it
made, and lets the run be killed (SIGKILL, all its processes) one to six times on its way to the
end: each time in a stage drawn at random, at a random moment of it or of the engine's work before
the next. After every kill the store must hold against its audit chain; after the last the same
command must end with 0, tables, offers and decisions byte for byte those of the run that nothing
befell. What the system had not yet written to the disk outlives a SIGKILL: that part of a power
cut is not tried.

Figures are kept as they come and a later call goes on: `python -m tests.benchmarks.kills --kills 50
--seed 16 --minutes 30`. A copy takes a minute or two of a processor for each kill.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fieldline.lending.store.database import open_database
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.tables import write_text
from fieldline.workflows.stages import STAGE_NAMES
from tests.benchmarks.faults import Trials
from tests.workflows.conftest import ROOT, ChainRun

OUT = Path("results/benchmarks/kills.json")
_MOST = 6
"""Kills of one trial."""
_START = "start"
"""The engine before its first job: it reads the configuration and plans."""
_START_SECONDS = 8.0
_LONGEST_WAIT = 900.0


@dataclass(frozen=True)
class Kill:
    """One kill."""

    stage: str
    """Stage whose job had begun last of those drawn, or `start`."""
    after_s: float
    """Seconds from its beginning."""
    landed: bool
    """Whether the run was still at work then."""
    audit: str
    """What the audit chain says of the store at once after it."""


def planned(draw: random.Random, seconds: dict[str, float]) -> list[tuple[str, float]]:
    """Return where a trial is killed: stages in the order of the chain, seconds after each began.

    Args:
        draw: Source of chance.
        seconds: How long each stage takes; it may be killed half as long again after it began,
            which is in the engine's own work or in the stage that follows.
    """
    count = draw.randint(1, _MOST)
    places = [_START, *(name for name in STAGE_NAMES if name in seconds)]
    found = sorted(draw.choices(range(len(places)), k=count))
    lasts = {_START: _START_SECONDS} | {n: 1.5 * s + 1.0 for n, s in seconds.items()}
    return [(places[at], round(draw.uniform(0, lasts[places[at]]), 2)) for at in found]


def stage_seconds(run: ChainRun) -> dict[str, float]:
    """Return how long each stage of a finished run took, as its own figures tell it."""
    found = {}
    for file in (run.results / "benchmarks" / "2024" / "SIM001").glob("*.tsv"):
        head, row = (line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()[:2])
        found[file.stem] = float(dict(zip(head, row, strict=True))["s"])
    return found


def befallen(trials: Trials, number: int, seed: int) -> dict[str, Any]:
    """Let one trial be killed, type its command again and return what was found."""
    draw = random.Random(f"{seed}-{number}")
    places = planned(draw, stage_seconds(trials.whole))
    first = next((stage for stage, _ in places if stage != _START), "decide")
    run = trials.copy(first)
    kills = [_killed(trials, run, stage, after) for stage, after in places]
    fault = trials.judged(f"trial {number} from {first}", run, f"{len(kills)} kills")
    return {"number": number, "kills": [asdict(kill) for kill in kills], **asdict(fault)}


def _killed(trials: Trials, run: ChainRun, stage: str, after: float) -> Kill:
    begin = time.time()
    with _started(trials.command(run)) as process:
        if stage != _START:
            _wait_for(run.results / "logs" / "2024" / "SIM001" / f"{stage}.log", begin, process)
        try:
            process.wait(timeout=after)
            landed = False
        except subprocess.TimeoutExpired:
            landed = True
    engine = open_database(run.results / "fieldline.sqlite")
    report = verify(engine)
    engine.dispose()
    return Kill(stage, after, landed, "; ".join(report.problems) or "holds")


@contextmanager
def _started(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run in a session of its own; in the end kill whatever of it is left."""
    process = subprocess.Popen(
        command, cwd=ROOT, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(log: Path, begin: float, process: subprocess.Popen[bytes]) -> None:
    """Wait until a job begins a log of its own; a run that needs no such job ends before."""
    last = time.monotonic() + _LONGEST_WAIT
    while time.monotonic() < last and process.poll() is None:
        if log.exists() and log.stat().st_mtime >= begin:
            return
        time.sleep(0.02)


def is_right(trial: dict[str, Any]) -> bool:
    """Whether a trial lost nothing, doubled nothing and ended as if nothing had befallen it."""
    holds = all(text == "holds" for text in (trial["audit"], *(k["audit"] for k in trial["kills"])))
    same = trial["same_tables"] and trial["same_offers"]
    return bool(holds and same and not trial["again"] and not trial["twice"])


def landed(trials: list[dict[str, Any]]) -> int:
    """Return how many kills met a run at work."""
    return sum(kill["landed"] for trial in trials for kill in trial["kills"])


def _read(out: Path, seed: int) -> list[dict[str, Any]]:
    if not out.exists():
        return []
    held = json.loads(out.read_text(encoding="utf-8"))
    return list(held["trials"]) if held["seed"] == seed else []


def _document(seed: int, found: list[dict[str, Any]]) -> str:
    stages: dict[str, int] = {}
    for kill in (kill for trial in found for kill in trial["kills"] if kill["landed"]):
        stages[kill["stage"]] = stages.get(kill["stage"], 0) + 1
    told = {
        "seed": seed, "kills": landed(found), "of_stage": stages,
        "wrong": [trial["number"] for trial in found if not is_right(trial)], "trials": found,
    }  # fmt: skip
    return json.dumps(told, indent=1) + "\n"


def main() -> None:
    """Go on with the trials of a seed until so many kills have landed; write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=15)
    parser.add_argument("--seed", type=int, default=16)
    parser.add_argument("--minutes", type=float, default=60, help="no further trial after so long")
    parser.add_argument("--finished", type=Path, help="configuration of a finished run to copy")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    found = _read(asked.out, asked.seed)
    begin = time.monotonic()
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        trials = Trials(Path(name), asked.finished, "decide")
        while landed(found) < asked.kills and time.monotonic() - begin < 60 * asked.minutes:
            found.append(befallen(trials, len(found), asked.seed))
            print(json.dumps(found[-1]), flush=True)
            write_text(asked.out, _document(asked.seed, found))
    sys.exit(0 if all(map(is_right, found)) else 1)


if __name__ == "__main__":
    main()
