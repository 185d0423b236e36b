"""The chain under faults: started twice, no room, no right to write, the clock put back.

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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from fieldline.lending.store.database import open_database
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.tables import write_text
from fieldline.workflows.config.load import load_config
from fieldline.workflows.stages import STAGE_NAMES, STAGES
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
            for lost in STAGES[STAGE_NAMES.index(first or self.stage) :]:
                for name in (*lost.makes.values(), lost.outcomes):
                    (results / season / county / name).unlink(missing_ok=True)
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
    """Run with a clock that was put back an hour."""
    run = trials.copy()
    clock = {"LD_PRELOAD": str(_CLOCK), "FAKETIME": "-1h"}
    ended = _run(trials, run, {**os.environ, **clock})
    return trials.judged("clock an hour back", run, ended)


def no_room(trials: Trials) -> Fault:
    """Run where the disk of the results is full."""
    run = trials.copy()
    with _disk(run.results, "size=400m") as place:
        filler = place / ".filler"
        _fill(filler)
        answered = _run(trials, run, dict(os.environ))
        filler.unlink()
        return trials.judged("disk full", _kept(run, place), answered)


def no_right(trials: Trials) -> Fault:
    """Run where the results may not be written."""
    run = trials.copy()
    with _disk(run.results, "size=400m") as place:
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        answered = _run(trials, run, dict(os.environ))
        subprocess.run(["mount", "-o", "remount,rw", str(place)], check=True)
        return trials.judged("read-only results", _kept(run, place), answered)


def _kept(run: ChainRun, place: Path) -> ChainRun:
    """Take the results off their disk, so that they can be held against others and removed."""
    aside = place.with_name(place.name + "-aside")
    shutil.copytree(place, aside, symlinks=True)
    subprocess.run(["umount", str(place)], check=True)
    place.rmdir()
    aside.rename(place)
    return run


@contextmanager
def _disk(folder: Path, size: str) -> Iterator[Path]:
    """Put the results onto a disk of their own."""
    aside = folder.with_name(folder.name + "-before")
    folder.rename(aside)
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=True)
    try:
        shutil.copytree(aside, folder, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(aside)
        yield folder
    finally:
        if folder.is_mount():
            subprocess.run(["umount", str(folder)], check=True)


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as handle:
        try:
            while True:
                handle.write(bytes(4096))
        except OSError:
            handle.truncate(max(handle.tell() - 16 * 1024, 0))


def _run(trials: Trials, run: ChainRun, environment: dict[str, str]) -> str:
    ended = subprocess.run(
        trials.command(run), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    last = (ended.stderr.strip().splitlines() or [""])[-1]
    return f"{ended.returncode}: {last.replace(str(run.results), 'RESULTS')}"


def befallen(trials: Trials) -> Iterator[Fault]:
    """Yield every fault in turn."""
    others: Sequence[tuple[bool, Callable[[Trials], Fault]]] = (
        (True, started_twice),
        (_CLOCK.exists(), clock_back),
        (os.geteuid() == 0, no_room),
        (os.geteuid() == 0, no_right),
    )
    for possible, befall in others:
        if possible:
            yield befall(trials)
        else:
            print(f"not tried here: {befall.__doc__}", file=sys.stderr)


def main() -> None:
    """Let all of it befall the tiny county; write and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="stage", default="yield", choices=STAGE_NAMES)
    parser.add_argument("--finished", type=Path, help="configuration of a finished run to copy")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        trials = Trials(Path(name), chosen.finished, chosen.stage)
        found = [trials.judged("none", trials.copy(), "not run")]
        for fault in befallen(trials):
            found.append(fault)
            print(json.dumps(asdict(fault)), flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    write_text(OUT, json.dumps([asdict(fault) for fault in found], indent=2) + "\n")
    bad = [f for f in found if f.again or not (f.same_tables and f.same_offers) or f.twice]
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
