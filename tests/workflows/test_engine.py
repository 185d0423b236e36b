"""What Fieldline changes of the engine that it starts."""

from __future__ import annotations

import inspect
import threading

import pytest
from snakemake.scheduling.job_scheduler import JobScheduler

from fieldline.workflows.engine import look_again_once


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
