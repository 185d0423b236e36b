"""Trials: a module with one defect, run against its tests in a process of its own.

Owns the forked workers. The server has imported every library that the tests need and none of our
modules; each worker inherits them, loads the module under test from its changed syntax tree and
runs pytest. No file is changed, so nothing is left behind by a run that is killed.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

NEEDS = "not (postgres or chromium or realdata or slow)"
"""Tests that need more than Python tell nothing about one function, slowly."""


@dataclass(frozen=True)
class Result:
    """What the tests said of one trial."""

    code: int
    """pytest's exit code, or minus the signal that ended it."""
    seconds: float
    test: str
    """The first test that failed."""

    @property
    def killed(self) -> bool:
        """Whether some test failed, could not start or never ended."""
        return self.code not in (0, 5)


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        super().__init__(name, str(path))
        self._tree = tree

    def get_code(self, fullname: str) -> CodeType:
        return compile(ast.fix_missing_locations(self._tree), self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    """Finds one module, with its defect, before anything else finds it."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self._name, self._loader = name, _Loader(name, path, tree)

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> Any:
        if fullname != self._name:
            return None
        spec: ModuleSpec | None = spec_from_file_location(fullname, loader=self._loader)
        return spec


class _FirstFailure:
    """pytest plugin that notes which test failed first."""

    def __init__(self, note: Path) -> None:
        self._note = note

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self._note.exists():
            self._note.write_text(report.nodeid, encoding="utf-8")


def run_pytest(tests: Sequence[str], without: Sequence[str], note: Path) -> int:
    """Run tests silently until the first fails; return pytest's exit code."""
    quiet = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:warnings", "-m", NEEDS]
    spared = [f"--ignore={path}" for path in without if path not in tests]
    folder = f"--basetemp={note.with_suffix('.files')}"
    with Path(os.devnull).open("w") as silence, contextlib.redirect_stdout(silence):
        return int(pytest.main([*quiet, folder, *spared, *tests], [_FirstFailure(note)]))


def plant(name: str, path: Path, tree: ast.Module) -> None:
    """Let this process import a module from a syntax tree instead of its file."""
    sys.meta_path.insert(0, _Finder(name, path, tree))


def calm() -> None:
    """Make property tests repeat themselves and stop at the first failure, without a database."""
    with contextlib.suppress(ImportError):
        from hypothesis import Phase, settings

        phases = (Phase.explicit, Phase.generate)
        settings.register_profile(
            "mutants", derandomize=True, database=None, deadline=None, phases=phases
        )
        settings.load_profile("mutants")


def libraries(root: Path) -> list[str]:
    """Return the modules that this process has loaded from outside a folder."""
    places = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    return [n for n, place in places.items() if place and not Path(place).is_relative_to(root)]


def load(names: Sequence[str]) -> None:
    """Import libraries once, for every worker forked later."""
    for name in names:
        with contextlib.suppress(Exception):  # a part that only loads inside its package is no loss
            importlib.import_module(name)


def fork(work: Callable[[], int]) -> int:
    """Run work in a child process; return its process id."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.setpgid(0, 0)
        code = work()
    finally:
        os._exit(code)


@dataclass
class _Running:
    started: float
    limit: float
    note: Path
    done: Callable[[Result], None]


class Pool:
    """At most so many workers at a time, each with a time limit."""

    def __init__(self, jobs: int, folder: Path) -> None:
        self._jobs, self._folder = jobs, folder
        self._running: dict[int, _Running] = {}
        self._count = 0

    def start(
        self, work: Callable[[Path], int], limit_s: float, done: Callable[[Result], None]
    ) -> None:
        """Fork a worker once a place is free; `work` gets the path for its note."""
        while len(self._running) >= self._jobs:
            self.turn()
        self._count += 1
        note = self._folder / f"{self._count}.txt"
        child = fork(lambda: work(note))
        self._running[child] = _Running(time.monotonic(), limit_s, note, done)

    def turn(self) -> None:
        """Collect the workers that have ended or are over their time."""
        for child, running in list(self._running.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            spent = time.monotonic() - running.started
            if not ended and spent > running.limit:
                os.killpg(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
            elif not ended:
                continue
            del self._running[child]
            shutil.rmtree(running.note.with_suffix(".files"), ignore_errors=True)
            test = running.note.read_text(encoding="utf-8") if running.note.exists() else ""
            running.done(Result(os.waitstatus_to_exitcode(status), spent, test))
        time.sleep(0.02)

    def finish(self) -> None:
        """Wait for every worker."""
        while self._running:
            self.turn()

    @contextlib.contextmanager
    def guarded(self) -> Iterator[Pool]:
        """Leave no worker running, whatever ends the run."""
        try:
            yield self
            self.finish()
        finally:
            for child in self._running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child, signal.SIGKILL)
