"""Scenes fetched by the workers of a scheduler: what threads fetch, within the same limits."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from fieldline.pipeline.imagery.crew import in_turn
from fieldline.pipeline.imagery.limits import BudgetError
from fieldline.pipeline.imagery.pull import PullError
from fieldline.pipeline.imagery.settings import BudgetSettings, PullSettings
from fieldline.pipeline.records.errors import UserError
from tests.pipeline.imagery.pulling import QUICK, choose, files_of, scenes_of
from tests.pipeline.imagery.tiny_archive import write_archive
from tests.services.loopback import Fault, serving
from tests.services.stac_api import StacApi

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def scheduler() -> Iterator[Any]:
    """A scheduler with two workers, each a process; what a lost one held is free after 5 s."""
    soon = {"distributed.scheduler.locks.lease-timeout": "5s"}
    with (
        dask.config.set(soon),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None
        ) as cluster,
    ):
        yield cluster


@pytest.fixture
def api(tmp_path: Path) -> Iterator[StacApi]:
    write_archive(tmp_path / "archive", scenes_of(6))
    with serving(StacApi(tmp_path / "archive")) as service:
        yield service


def crewed(scheduler: Any, **changes: Any) -> PullSettings:
    return QUICK.model_copy(update={"scheduler": scheduler.scheduler_address, **changes})


def test_workers_fetch_the_bytes_that_threads_fetch_and_no_more_requests(
    tmp_path: Path, api: StacApi, scheduler: Any
) -> None:
    alone = files_of(choose(tmp_path / "alone", api.root))
    asked, sent = api.asked(r"\.tif"), api.sent
    api.reset()
    together = choose(tmp_path / "together", api.root, pull=crewed(scheduler))
    assert pixels(files_of(together)) == pixels(alone)
    assert len(pixels(alone)) == 18
    assert (api.asked(r"\.tif"), api.sent) == (asked, sent)


def pixels(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: held for name, held in files.items() if name.endswith(".tif")}


def test_a_budget_is_that_of_the_pull_and_not_of_a_worker(
    tmp_path: Path, api: StacApi, scheduler: Any
) -> None:
    choose(tmp_path / "alone", api.root)
    whole = api.sent
    api.reset()
    short = crewed(scheduler, budget=BudgetSettings(bytes=whole * 2 // 3))
    with pytest.raises(UserError, match=rf"`pull.budget.bytes` of {whole * 2 // 3} would be"):
        choose(tmp_path / "together", api.root, pull=short)
    assert api.sent <= whole * 2 / 3
    api.reset()
    enough = crewed(scheduler, budget=BudgetSettings(bytes=whole))
    choose(tmp_path / "together", api.root, pull=enough)
    assert api.sent < whole  # what came before the budget ended is not fetched again


def test_a_scene_that_does_not_come_is_one_fault_there_too(
    tmp_path: Path, api: StacApi, scheduler: Any
) -> None:
    api.faults = [Fault("404", path=r"S2_2.*B04")]
    results = choose(tmp_path, api.root, pull=crewed(scheduler))
    assert len(list(results.rglob("B04.tif"))) == 5


def test_a_lost_worker_costs_time_and_nothing_else(
    tmp_path: Path, api: StacApi, scheduler: Any
) -> None:
    undisturbed = pixels(files_of(choose(tmp_path / "undisturbed", api.root)))
    api.reset()
    api.faults = [Fault("drip", pause=0.03, piece=2048)]
    with distributed.Client(scheduler, set_as_default=False) as client:
        first, *_ = client.run(os.getpid).values()
    killer = threading.Thread(target=_kill_once_asked, args=(api, first))
    killer.start()
    results = choose(tmp_path / "disturbed", api.root, pull=crewed(scheduler, timeout_s=10))
    killer.join()
    assert not psutil.pid_exists(first)
    assert pixels(files_of(results)) == undisturbed


def _kill_once_asked(api: StacApi, process: int) -> None:
    until = time.monotonic() + 60
    while api.asked(r"\.tif") < 6 and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)


@pytest.mark.long
@pytest.mark.parametrize(
    ("victim", "told"),
    [
        ("scheduler", r"the scheduler \(pull.scheduler\) was lost: start it and its workers"),
        ("worker", r"every worker of the scheduler \(pull.scheduler\) was lost: start them and"),
    ],
)
def test_a_lost_scheduler_is_one_sentence_and_what_was_fetched_is_kept(
    tmp_path: Path, api: StacApi, victim: str, told: str
) -> None:
    undisturbed = pixels(files_of(choose(tmp_path / "undisturbed", api.root)))
    api.reset()
    api.faults = [Fault("drip", pause=0.02, piece=4096)]
    with programs(tmp_path) as (address, processes):
        killer = threading.Thread(target=_kill_once_asked, args=(api, processes[victim].pid))
        killer.start()
        away = QUICK.model_copy(update={"scheduler": address, "timeout_s": 10})
        begin = time.monotonic()
        with pytest.raises(UserError, match=told):
            choose(tmp_path / "disturbed", api.root, pull=away)
        killer.join()
        assert time.monotonic() - begin < 60
    whole, asked = api.asked(r"\.tif"), len(undisturbed)
    assert whole >= 6
    api.reset()
    assert pixels(files_of(choose(tmp_path / "disturbed", api.root))) == undisturbed
    assert api.asked(r"\.tif") < asked * 2


@contextmanager
def programs(folder: Path) -> Iterator[tuple[str, dict[str, subprocess.Popen[bytes]]]]:
    """Run a scheduler and a worker as a site does, each a program; yield its address and both."""
    place = folder / "scheduler.json"
    run = [sys.executable, "-m"]
    common = ["--no-dashboard", "--scheduler-file", str(place)]
    own = {
        "scheduler": ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"],
        "worker": ["distributed.cli.dask_worker", "--no-nanny", "--nthreads", "2"],
    }
    with (folder / "said").open("wb") as said:
        processes = {
            name: subprocess.Popen([*run, *command, *common], stdout=said, stderr=said)
            for name, command in own.items()
        }
        try:
            until = time.monotonic() + 60
            while not place.exists() and time.monotonic() < until:
                time.sleep(0.05)
            address = json.loads(place.read_text(encoding="utf-8"))["address"]
            with distributed.Client(address, set_as_default=False) as client:
                client.wait_for_workers(1, timeout=60)
            yield address, processes
        finally:
            for process in processes.values():
                process.kill()
                process.wait()


def test_a_scene_that_ends_its_workers_is_one_sentence(scheduler: Any) -> None:
    with (
        distributed.Client(scheduler, set_as_default=False) as client,
        pytest.raises(UserError, match=r"one scene ended \d workers|every worker of the scheduler"),
    ):
        in_turn(client, _end_here, SimpleNamespace(), [1], 1, lambda: None)
    with distributed.Client(scheduler, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=30)


def _end_here(order: object, task: object) -> None:
    os._exit(1)


def test_a_scheduler_that_does_not_answer_is_one_sentence(
    tmp_path: Path, api: StacApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fieldline.pipeline.imagery.crew._CONNECT_S", 1)
    away = QUICK.model_copy(update={"scheduler": "tcp://127.0.0.1:9"})
    with pytest.raises(UserError, match=r"no scheduler answers at tcp://127.0.0.1:9"):
        choose(tmp_path, api.root, pull=away)
    assert api.asked(r"\.tif") == 0


def test_a_scheduler_without_workers_is_one_sentence(tmp_path: Path, api: StacApi) -> None:
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None) as empty,
        pytest.raises(UserError, match=r"has no worker: start some"),
    ):
        choose(tmp_path, api.root, pull=crewed(empty))


def test_errors_travel_as_they_were_raised() -> None:
    for error in (
        BudgetError("bytes", 5, 6), PullError("B04", "http_404", 2), UserError("it is so", "mend"),
    ):  # fmt: skip
        there = pickle.loads(pickle.dumps(error))
        assert (type(there), str(there)) == (type(error), str(error))
