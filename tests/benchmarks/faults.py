"""The chain under faults: started twice, no room, no right, a slow disk, the clock put back.

Each fault befalls a copy of a finished run of the tiny county whose last stages are made again, so
that the store already holds its offers; afterwards the same command is typed again. The table says
what the faulty run answered and whether tables, offers and decisions are then byte for byte those
of the run that nothing befell. Root only for the disks.
Kills at random moments: `tests.benchmarks.kills`. Run: `python -m tests.benchmarks.faults`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from fieldline.lending.store.database import open_database
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.tables import write_text
from fieldline.workflows.config.load import load_config
from fieldline.workflows.stages import STAGE_NAMES, STAGES
from tests.benchmarks.disks import disk, fill, kept
from tests.benchmarks.slow_mount import is_possible, slowed
from tests.workflows.conftest import ROOT, ChainRun, tiny_config
from tests.workflows.test_chain import digests, table_rows

OUT = Path("results/benchmarks/faults.json")
_CLOCK = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


@dataclass(frozen=True)
class Fault:
    """What a fault did."""

    fault: str
    answered: str
    """Exit code of the run that it befell, with its sentence."""
    again: int
    """Exit code of the same command typed again."""
    same_tables: bool
    same_offers: bool
    """Whether offers and decisions of the store are those of the run that nothing befell."""
    twice: int
    """Offers that a farmer has live more than once."""
    audit: str
    other: tuple[str, ...]
    """Files that are not those of the run that nothing befell."""


class Trials:
    """A finished run, and copies of it for faults to befall."""

    def __init__(self, folder: Path, finished: Path | None, stage: str) -> None:
        self.folder = folder
        self.stage = stage
        self.copies = 0
        if finished is None:
            self.whole = tiny_config(folder, "whole", folder / "simulated")
            ended = self.whole.fieldline("run")
            assert ended.returncode in (0, 3), ended.stdout + ended.stderr
        else:
            results = load_config([finished]).results
            self.whole = ChainRun(finished, results, results)

    def copy(self, first: str = "") -> ChainRun:
        """Return a copy of the run that lacks what a stage and all after it made."""
        self.copies += 1
        document = yaml.safe_load(self.whole.config.read_text(encoding="utf-8"))
        # Beside the whole run: tables name scenes relative to where they lie.
        beside = self.whole.results.with_name(f"{self.folder.name}-copy{self.copies}")
        results, path = beside, self.folder / f"copy{self.copies}.yaml"
        path.write_text(yaml.safe_dump({**document, "results": str(results)}), encoding="utf-8")
        shutil.copytree(self.whole.results, results, symlinks=True)
        for county, season in load_config([path]).runs():
            lose(results / season / county, first or self.stage)
        return ChainRun(path, results, self.whole.simulated)

    def command(self, run: ChainRun) -> list[str]:
        """Return what an operator types."""
        cli = [sys.executable, "-m", "fieldline.workflows.cli"]
        return [*cli, "run", "--config", str(run.config)]

    def judged(self, fault: str, run: ChainRun, answered: str) -> Fault:
        """Type the command again and hold what stands then against the whole run."""
        again = run.fieldline("run")
        found, whole = digests(run.results), digests(self.whole.results)
        other = sorted(n for n in found.keys() | whole.keys() if found.get(n) != whole.get(n))
        rows = [
            [
                table_rows(each.results / "fieldline.sqlite", name)
                for name in ("offers", "decisions")
            ]
            for each in (run, self.whole)
        ]
        engine = open_database(run.results / "fieldline.sqlite")
        report = verify(engine)
        engine.dispose()
        live = [row for row in rows[0][0] if "live" in row]
        shutil.rmtree(run.results)
        problems = "; ".join(report.problems) or "holds"
        return Fault(
            fault, answered, again.returncode, not other, rows[0] == rows[1],
            len(live) - len({row[2:5] for row in live}), problems, tuple(other),
        )  # fmt: skip


def lose(folder: Path, first: str) -> None:
    """Remove what a stage and all after it made of a county and season."""
    for lost in STAGES[STAGE_NAMES.index(first) :]:
        for name in (*lost.makes.values(), lost.outcomes):
            (folder / name).unlink(missing_ok=True)


def started_twice(trials: Trials) -> Fault:
    """Let two operators start the same season in the same moment."""
    run = trials.copy()
    both = [
        subprocess.Popen(
            trials.command(run), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = [process.communicate()[1].strip() for process in both]
    codes = sorted(process.returncode for process in both)
    refused = [text.splitlines()[-1] for text in said if "another run" in text]
    return trials.judged("two operators at once", run, f"{codes}: {' '.join(refused)}")


def clock_back(trials: Trials) -> Fault:
    """Run with a clock that was put back to an hour before the run was made."""
    run = trials.copy()
    made = max(file.stat().st_mtime for file in run.folder.rglob("*.parquet"))
    back = time.time() - made + 3600
    clock = {"LD_PRELOAD": str(_CLOCK), "FAKETIME": f"-{back:.0f}s"}
    ended = _run(trials, run, {**os.environ, **clock})
    return trials.judged("clock an hour back", run, ended)


def no_room(trials: Trials) -> Fault:
    """Run where the disk of the results is full."""
    run = trials.copy()
    with disk(run.results, "400m") as place:
        filler = place / ".filler"
        fill(filler, left=16 * 1024)
        answered = _run(trials, run, dict(os.environ))
        filler.unlink()
        kept(place)
    return trials.judged("disk full", run, answered)


def no_room_in_each_stage(trials: Trials) -> Fault:
    """Fill the disk as each stage begins, to the last byte; make room, and go on to the next."""
    run = trials.copy(STAGE_NAMES[0])
    for store in run.results.glob("*.sqlite*"):  # so that the first posting of all is among them
        store.unlink()
    answers: dict[str, list[str]] = {}
    with disk(run.results, "200m") as place:
        filler = place / ".filler"
        for stage in STAGE_NAMES:
            lose(run.folder, stage)  # it may have ended beside the stage of the fault before
            outcomes = run.folder / "outcomes" / f"{stage}.parquet"
            answered = _filled_in(trials, run, stage, filler)
            filler.unlink(missing_ok=True)
            made = " (the stage itself had ended)" if outcomes.exists() else ""
            answers.setdefault(answered + made, []).append(stage)
        kept(place)
    told = "; ".join(f"{answered} [{', '.join(at)}]" for answered, at in answers.items())
    return trials.judged("disk full in each stage", run, told)


def _filled_in(trials: Trials, run: ChainRun, stage: str, filler: Path) -> str:
    """Return what a run answers whose disk is filled once a stage has begun its log."""
    log = run.results / "logs" / run.folder.parent.name / run.folder.name / f"{stage}.log"
    begin = time.time()
    process = subprocess.Popen(
        trials.command(run), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None:
        if log.exists() and log.stat().st_mtime >= begin:
            fill(filler)
            break
        time.sleep(0.01)
    return _said(process.communicate()[1], process.returncode, run)


def no_room_for_temporary(trials: Trials) -> Fault:
    """Run where the disk of temporary files is too small for the rasters of the field network."""
    run = trials.copy("segment")
    place = trials.folder / "temporary"
    place.mkdir()
    with disk(place, "256k"):
        answered = _run(trials, run, {**os.environ, "TMPDIR": str(place)})
    place.rmdir()
    return trials.judged("disk of temporary files full", run, answered.replace(str(place), "TMP"))


def slow(trials: Trials) -> Fault:
    """Run where each request to the disk of the results takes a hundredth of a second."""
    run = trials.copy()
    begin = time.monotonic()
    with slowed(run.results, ms=10):
        answered = _run(trials, run, dict(os.environ))
    took = time.monotonic() - begin
    return trials.judged("slow mount", run, f"{answered} ({took:.0f} s)")


def no_right(trials: Trials) -> Fault:
    """Run where the results may not be written."""
    run = trials.copy()
    with disk(run.results, "400m") as place:
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        answered = _run(trials, run, dict(os.environ))
        subprocess.run(["mount", "-o", "remount,rw", str(place)], check=True)
        kept(place)
    return trials.judged("read-only results", run, answered)


def _run(trials: Trials, run: ChainRun, environment: dict[str, str]) -> str:
    ended = subprocess.run(
        trials.command(run), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return _said(ended.stderr, ended.returncode, run)


def _said(stderr: str, code: int, run: ChainRun) -> str:
    last = (stderr.strip().splitlines() or [""])[-1]
    return f"{code}: {last.replace(str(run.results), 'RESULTS')}"


def befallen(trials: Trials, only: Sequence[str] = ()) -> Iterator[Fault]:
    """Yield every fault in turn, or those of some functions of this module."""
    others: Sequence[tuple[bool, Callable[[Trials], Fault]]] = (
        (True, started_twice),
        (_CLOCK.exists(), clock_back),
        (os.geteuid() == 0, no_room),
        (os.geteuid() == 0, no_right),
        (os.geteuid() == 0, no_room_in_each_stage),
        (os.geteuid() == 0, no_room_for_temporary),
        (is_possible(), slow),
    )
    for possible, befall in others:
        if only and befall.__name__ not in only:
            continue
        if possible:
            yield befall(trials)
        else:
            print(f"not tried here: {befall.__doc__}", file=sys.stderr)


def main() -> None:
    """Let all of it befall the tiny county; write and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="stage", default="yield", choices=STAGE_NAMES)
    parser.add_argument("--finished", type=Path, help="configuration of a finished run to copy")
    parser.add_argument("--only", nargs="*", default=(), help="functions of this module")
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        trials = Trials(Path(name), chosen.finished, chosen.stage)
        found = [trials.judged("none", trials.copy(), "not run")]
        for fault in befallen(trials, chosen.only):
            found.append(fault)
            print(json.dumps(asdict(fault)), flush=True)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(chosen.out, json.dumps([asdict(fault) for fault in found], indent=2) + "\n")
    bad = [f for f in found if f.again or not (f.same_tables and f.same_offers) or f.twice]
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
