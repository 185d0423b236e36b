"""What Fieldline changes of the engine that it starts."""

from __future__ import annotations

import inspect
import re
import sys
import threading
from pathlib import Path

import pytest
from snakemake.scheduling.job_scheduler import JobScheduler

from fieldline.workflows.engine import look_again_once
from fieldline.workflows.stages import STAGES, urgency
from tests.workflows.conftest import ROOT, run_in
from tests.workflows.provinces import finish, make_inputs, touching


class _Looks:
    """A scheduler that has looked at its jobs so often, and what it waits for."""

    def __init__(self) -> None:
        self._open_jobs = threading.Semaphore(0)

    def look(self) -> None:
        JobScheduler._schedule_reevalutation(self, 0.05)

    def told(self, seconds: float) -> bool:
        return self._open_jobs.acquire(timeout=seconds)


@pytest.fixture
def _looks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    own = JobScheduler._schedule_reevalutation
    monkeypatch.setattr(JobScheduler, "_schedule_reevalutation", own)
    look_again_once()


@pytest.mark.usefixtures("_looks_once")
def test_many_looks_wait_for_one_next_look_and_that_one_comes() -> None:
    scheduler, before = _Looks(), threading.active_count()
    for _ in range(20):
        scheduler.look()
    assert threading.active_count() == before + 1
    assert scheduler.told(5)
    assert not scheduler.told(0.2)


@pytest.mark.usefixtures("_looks_once")
def test_each_next_look_may_wait_for_another() -> None:
    scheduler = _Looks()
    for _ in range(3):
        scheduler.look()
        assert scheduler.told(5)


def test_the_engine_still_asks_for_its_next_look_where_it_is_changed() -> None:
    asked = inspect.getsource(JobScheduler.schedule)
    assert "self._schedule_reevalutation(self.job_rate_limiter.timespan)" in asked


def test_of_stages_that_are_ready_the_later_one_is_more_urgent_and_early_ones_are_most() -> None:
    others = [urgency(stage) for stage in STAGES if not stage.early]
    assert others == sorted(set(others))
    assert min(urgency(stage) for stage in STAGES if stage.early) > max(others)
    assert {stage.name for stage in STAGES if stage.early} == {"intake", "inputs", "risk_train"}


@pytest.mark.long
@pytest.mark.usefixtures("real_keys")
def test_files_of_all_counties_are_read_first_and_then_one_county_ends_before_another_is_looked_at(
    tmp_path: Path,
) -> None:
    config = make_inputs(tmp_path, 3)
    finish(tmp_path, 3)
    run = [sys.executable, "-m", "fieldline.workflows.cli", "run", "--config", str(config)]
    ended = run_in(ROOT, [*run, "--profile", str(touching(tmp_path)), "--from", "intake"])
    assert ended.returncode == 0, ended.stderr
    said = (tmp_path / "results/logs/snakemake.log").read_text(encoding="utf-8")
    titles = {stage.title: stage for stage in STAGES}
    jobs = re.findall(r"^Job \d+: (.+): (C\d+) 20\d\d$", said, re.MULTILINE)
    early = [titles[title].early for title, _ in jobs]
    assert early == sorted(early, reverse=True)
    of_images = [at for title, at in jobs if titles[title].name not in ("weather", "radar")]
    begun = of_images[sum(early) :]
    assert set(begun) == {"C0000", "C0001", "C0002"}
    assert begun == sorted(begun, key=begun.index)
