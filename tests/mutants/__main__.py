"""`python -m tests.mutants`: plant small defects one by one and name those that no test notices.

Owns the sample, the order of trials and the report. It works on a copy of the tree in a temporary
folder; the list of defects is in `points`, the workers are in `trial`, the modules in `targets`.
"""

from __future__ import annotations

import argparse
import ast
import csv
import json
import os
import platform
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.mutants import trial
from tests.mutants.points import Point, points
from tests.mutants.targets import TARGETS, Target

ROOT = Path(__file__).resolve().parents[2]
ALLOWED_SHARE = 0.05
_VERSIONS = ("pytest", "hypothesis", "numpy", "pandas", "shapely", "pydantic")
_EQUIVALENT = Path(__file__).with_name("equivalent.csv")
_COPIED = ("fieldline", "pipeline", "crops", "lending", "desk", "data", "workflows", "tests")
_WARM_UP_S = 900.0
_SLACK_S = 20.0
"""A mutant may take three times as long as the tests without it, and this: a busy machine is no
defect."""

Key = tuple[str, str, str, str]
Report = dict[str, Any]


@dataclass
class Mutant:
    """One module with one defect, and what became of it."""

    target: Target
    tree: ast.Module
    point: Point
    before: str
    after: str
    result: trial.Result | None = None

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.target.module}:{self.point.line}"

    @property
    def key(self) -> Key:
        """What it is, however its line moves."""
        return self.target.module, self.point.function, self.before, self.after

    def row(self) -> dict[str, Any]:
        """Return the mutant as plain values."""
        assert self.result is not None
        return {
            "place": self.place,
            "function": self.point.function,
            "before": self.before,
            "after": self.after,
            "killed": self.result.killed,
            "by": self.result.test,
            "seconds": round(self.result.seconds, 2),
        }


def mutants_of(root: Path, target: Target) -> list[Mutant]:
    """Return every mutant of a module."""
    tree = ast.parse((root / target.module).read_text(encoding="utf-8"))
    return [Mutant(target, tree, point, *point.texts()) for point in points(tree)]


def equivalents(path: Path = _EQUIVALENT) -> dict[Key, str]:
    """Return the mutants that no test can tell from the original, each with its reason."""
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    names = ("module", "function", "before", "after")
    return {(r[names[0]], r[names[1]], r[names[2]], r[names[3]]): r["reason"] for r in rows}


def sample(mutants: Sequence[Mutant], size: int, seed: int) -> list[Mutant]:
    """Return `size` mutants, of each module in proportion to its mutants and at least one."""
    if size >= len(mutants):
        return list(mutants)
    draw = random.Random(seed)
    by_module: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        by_module.setdefault(mutant.target.module, []).append(mutant)
    dealt = [
        (place / len(group), mutant)
        for group in by_module.values()
        for place, mutant in enumerate(draw.sample(group, len(group)))
    ]
    chosen = {id(mutant) for _, mutant in sorted(dealt, key=lambda pair: pair[0])[:size]}
    return [mutant for mutant in mutants if id(mutant) in chosen]


Group = tuple[tuple[str, ...], tuple[str, ...]]


def groups(target: Target) -> tuple[Group, Group]:
    """Return the two runs of a mutant: which tests, and which of them were run before."""
    return (target.nearest, ()), (target.room, target.nearest)


def warm_up(root: Path, targets: Sequence[Target], notes: Path) -> dict[Group, float]:
    """Run every group of tests without a defect, load what they loaded and return their seconds.

    Raises:
        SystemExit: They fail as they stand, so that they could tell nothing.
    """
    seconds: dict[Group, float] = {}
    wanted = [group for target in targets for group in groups(target) if group[0]]
    for group in dict.fromkeys(wanted):
        listed = notes / f"libraries{len(seconds)}.txt"
        result = _once(root, group, listed, notes / f"warm{len(seconds)}")
        if result.code:
            sys.exit(f"{result.test or group[0]} fails without a defect: mend it first")
        trial.load(listed.read_text(encoding="utf-8").split("\n"))
        seconds[group] = result.seconds
    return seconds


def _once(root: Path, group: Group, listed: Path, notes: Path) -> trial.Result:
    def work(note: Path) -> int:
        trial.calm()
        code = trial.run_pytest(*group, note)
        listed.write_text("\n".join(trial.libraries(root)), encoding="utf-8")
        return code

    notes.mkdir()
    results: list[trial.Result] = []
    with trial.Pool(1, notes).guarded() as pool:
        pool.start(work, _WARM_UP_S, results.append)
    return results[0]


def try_all(
    root: Path, mutants: Sequence[Mutant], jobs: int, seconds: dict[Group, float], notes: Path
) -> None:
    """Give every mutant its result: what the nearest tests let live, the room's tests try."""
    for stage in (0, 1):
        folder = notes / f"stage{stage}"
        folder.mkdir()
        with trial.Pool(jobs, folder).guarded() as pool:
            for mutant in mutants:
                group = groups(mutant.target)[stage]
                if group[0] and (mutant.result is None or not mutant.result.killed):
                    limit = 3 * seconds[group] + _SLACK_S
                    pool.start(_work(root, mutant, group), limit, _keep(mutant, final=stage == 1))


def _work(root: Path, mutant: Mutant, group: Group) -> Callable[[Path], int]:
    def work(note: Path) -> int:
        mutant.point.plant()
        trial.plant(mutant.target.name, root / mutant.target.module, mutant.tree)
        trial.calm()
        return trial.run_pytest(*group, note)

    return work


def _keep(mutant: Mutant, *, final: bool) -> Callable[[trial.Result], None]:
    def keep(result: trial.Result) -> None:
        mutant.result = result
        if not result.killed and (final or not mutant.target.room):
            print(f"  {mutant.place}  {mutant.before}  ->  {mutant.after}", flush=True)

    return keep


def report(mutants: Sequence[Mutant], seed: int, spent: float, known: Container[Key]) -> Report:
    """Return the result with its versions, survivors first."""
    counted = [m for m in mutants if m.key not in known]
    lost = [m for m in counted if m.result and not m.result.killed]
    names = sorted({m.target.module for m in mutants})
    return {
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "versions": {name: version(name) for name in _VERSIONS},
        "seed": seed,
        "seconds": round(spent, 1),
        "survived_share": round(len(lost) / len(counted), 4) if counted else 0.0,
        "modules": {name: _count(name, mutants, lost, known) for name in names},
        "survivors": [m.row() for m in lost],
        "mutants": [m.row() for m in counted],
    }


def _count(
    module: str, mutants: Sequence[Mutant], lost: Sequence[Mutant], known: Container[Key]
) -> dict[str, int]:
    own = [m for m in mutants if m.target.module == module]
    survived = sum(m.target.module == module for m in lost)
    equivalent = sum(m.key in known for m in own)
    killed = len(own) - survived - equivalent
    return {
        "mutants": len(own), "killed": killed, "survived": survived, "equivalent": equivalent,
    }  # fmt: skip


def _copied(root: Path, folder: Path) -> Path:
    """Copy what the tests read, so that work going on in the tree disturbs no trial."""
    copy = folder / "tree"
    copy.mkdir()
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")
    for name in _COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, copy / name, symlinks=True, ignore=skip)
    if (root / "pyproject.toml").exists():
        shutil.copy2(root / "pyproject.toml", copy / "pyproject.toml")
    return copy


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=150, help="mutants to try")
    parser.add_argument("--all", action="store_true", help="try every mutant")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sample")
    parser.add_argument("--module", action="append", default=[], help="only this module's path")
    parser.add_argument("--tests", action="append", default=[], help="tests of the one --module")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository")
    parser.add_argument("--list", action="store_true", help="print the mutants, try none")
    parser.add_argument("--out", type=Path, default=Path("results/mutants.json"))
    return parser.parse_args(words)


def _targets(told: argparse.Namespace) -> list[Target]:
    if told.tests:
        return [Target(module, tuple(told.tests)) for module in told.module]
    return [t for t in TARGETS if not told.module or t.module in told.module]


def main(words: Sequence[str] | None = None) -> int:
    """Run the sampler; return 1 where more than 5 % of the mutants survive."""
    told = _arguments(words)
    targets = _targets(told)
    if not targets:
        sys.exit(f"{told.module} is in no row of tests/mutants/targets.py: add it or give --tests")
    root, out = told.root.resolve(), told.out.resolve()
    every = [mutant for target in targets for mutant in mutants_of(root, target)]
    chosen = every if told.all else sample(every, told.sample, told.seed)
    if told.list:
        print("\n".join(f"{m.place}  {m.before}  ->  {m.after}" for m in chosen))
        return 0
    known, start = equivalents(), time.monotonic()
    print(f"{len(chosen)} of {len(every)} mutants; survivors:", flush=True)
    _try_in_copy(root, targets, [m for m in chosen if m.key not in known], told.jobs)
    found = report(chosen, told.seed, time.monotonic() - start, known)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for module, row in found["modules"].items():
        print(f"{module:36}" + "".join(f"  {name} {count:3}" for name, count in row.items()))
    print(f"{found['survived_share']:.1%} survived, {found['seconds']:.0f} s; {out}")
    return int(found["survived_share"] > ALLOWED_SHARE)


def _try_in_copy(root: Path, targets: Sequence[Target], tried: list[Mutant], jobs: int) -> None:
    """Try mutants on a copy of the tree, which is gone afterwards, also when we are stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    with tempfile.TemporaryDirectory(prefix="fieldline-mutants-") as name:
        copy = _copied(root, Path(name).resolve())
        os.chdir(copy)
        sys.path.insert(0, str(copy))
        try_all(copy, tried, jobs, warm_up(copy, targets, copy.parent), copy.parent)
        os.chdir(root)


if __name__ == "__main__":
    sys.exit(main())
