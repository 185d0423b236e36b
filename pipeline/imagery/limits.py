"""What a pull may use: requests a minute, time, and a budget of bytes, requests, units and money.

Owns the counting, shared by all threads of one pull; sends nothing. The one idea: every request is
asked for here before it is sent, with the bytes that it would bring, so a limit is kept and never
found out afterwards.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from fieldline.pipeline.imagery.settings import BudgetSettings, PullSettings
from fieldline.pipeline.imagery.tariffs import Tariff
from fieldline.pipeline.records.errors import ProviderError, UserError

_MINUTE_S = 60.0
_BURST_S = 1.0
"""Seconds' worth of requests that may go out at once after a pause."""
_FINISH = "raise it, or take fewer scenes (seasons, scenes.bands, scenes.max_cloud_percent)"


RUN_DEADLINE = "run_deadline"
"""Reason of what is given up because the run's time is over."""


class OutOfTimeError(ProviderError):
    """A deadline passed; `reason` says whose."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class BudgetError(UserError):
    """The next request would exceed the budget; it was not sent."""

    def __init__(self, name: str, allowed: object, needed: object) -> None:
        self._stated = (name, allowed, needed)
        super().__init__(
            f"the budget `pull.budget.{name}` of {allowed} would be exceeded ({needed} needed)",
            _FINISH,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel from another process as it was raised."""
        return BudgetError, self._stated


@dataclass
class Use:
    """What a pull takes, or has taken."""

    requests: int = 0
    bytes: int = 0
    units: float = 0.0
    """Processing units of Sentinel Hub."""

    def plus(self, other: Use) -> Use:
        """Return the sum of both."""
        return Use(
            self.requests + other.requests, self.bytes + other.bytes, self.units + other.units
        )


def check_budget(use: Use, budget: BudgetSettings, tariff: Tariff) -> None:
    """Refuse a use that the budget does not allow.

    Raises:
        BudgetError: It exceeds one of the budget's numbers.
    """
    price = tariff.price(use.bytes, use.units)
    if budget.money is not None and price is None:
        raise UserError(
            "`pull.budget.money` is set and what this provider charges is not known",
            "set pull.tariff as your contract has it",
        )
    needed: dict[str, tuple[Decimal | float | None, Decimal | float]] = {
        "bytes": (budget.bytes, use.bytes),
        "requests": (budget.requests, use.requests),
        "processing_units": (budget.processing_units, round(use.units, 3)),
        "money": (budget.money, price or 0),
    }
    for name, (allowed, wanted) in needed.items():
        if allowed is not None and wanted > allowed:
            raise BudgetError(name, allowed, wanted)


def due_at(per_minute: float | None, free_at: float, now: float, count: float) -> float:
    """Return when a token bucket gives tokens: `now` or before where nothing has to be waited for.

    Args:
        per_minute: Tokens a minute, and no more than a second's worth at once; None lets all pass.
        free_at: Moment at which what was taken before is made up for.
        now: This moment, of the same clock.
        count: Tokens wanted.
    """
    if per_minute is None or count <= 0:
        return now
    return max(free_at, now - _BURST_S) + count * _MINUTE_S / per_minute


@dataclass
class Ledger:
    """What a pull has taken so far, and when each of its rates is free again."""

    requests_free_at: float
    units_free_at: float
    used: Use = field(default_factory=Use)


@dataclass
class Meter:
    """What one pull has used, held against its budget and its provider's rates."""

    budget: BudgetSettings
    tariff: Tariff
    run_deadline: float = float("inf")
    """Time of `clock` after which nothing is asked any more."""
    clock: Callable[[], float] = time.monotonic
    """Seconds that never go back."""
    sleep: Callable[[float], None] = time.sleep
    """How one waits."""
    told: Callable[[], None] | None = None
    """Called whenever bytes have arrived."""
    _ledger: Ledger = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._ledger = Ledger(self.clock(), self.clock())

    @contextmanager
    def held(self) -> Iterator[Ledger]:
        """Hold the ledger alone; what is changed in the block counts from its end on."""
        with self._lock:
            yield self._ledger

    @property
    def used(self) -> Use:
        """What was taken so far."""
        with self.held() as ledger:
            return ledger.used

    def scene(self, seconds: float) -> Guard:
        """Return the guard of one scene, which must be done within so many seconds."""
        return Guard(self, self.clock() + seconds)

    def ask(self, expected: int, units: float, until: float) -> None:
        """Allow one request, waiting for its turn.

        Raises:
            BudgetError: It would exceed the budget.
            OutOfTimeError: Its turn comes too late.
        """
        self._take(Use(1, expected, units), until)

    def spend(self, units: float, until: float) -> None:
        """Allow processing units, waiting for their turn.

        Raises:
            BudgetError: They would exceed the budget.
            OutOfTimeError: Their turn comes too late.
        """
        self._take(Use(units=units), until)

    def _take(self, more: Use, until: float) -> None:
        with self.held() as ledger:
            wanted = ledger.used.plus(more)
            check_budget(wanted, self.budget, self.tariff)
            now = self.clock()
            requests_due = due_at(
                self.tariff.requests_per_minute, ledger.requests_free_at, now, more.requests
            )
            units_due = due_at(self.tariff.units_per_minute, ledger.units_free_at, now, more.units)
            due = max(requests_due, units_due)
            if due > until:
                raise OutOfTimeError("rate_limit_exceeds_deadline")
            ledger.used = wanted
            ledger.requests_free_at = max(ledger.requests_free_at, requests_due)
            ledger.units_free_at = max(ledger.units_free_at, units_due)
        if due > now:
            self.sleep(due - now)

    def settle(self, expected: int, arrived: int) -> None:
        """Count what a request brought instead of what was expected of it."""
        with self.held() as ledger:
            ledger.used = ledger.used.plus(Use(0, arrived - expected))
        if self.told is not None:
            self.told()


@dataclass(frozen=True)
class Guard:
    """The limits of one scene's requests."""

    meter: Meter
    deadline: float

    def ask(self, expected: int, units: float = 0.0) -> None:
        """Allow one request of so many bytes (`Meter.ask`)."""
        self.check_time()
        until = min(self.deadline, self.meter.run_deadline)
        self.meter.ask(expected, units, until)

    def spend(self, units: float) -> None:
        """Allow processing units (`Meter.spend`); requests that are repeated spend none."""
        self.check_time()
        self.meter.spend(units, min(self.deadline, self.meter.run_deadline))

    def settle(self, expected: int, arrived: int) -> None:
        """Count what came (`Meter.settle`)."""
        self.meter.settle(expected, arrived)

    def left(self) -> float:
        """Return the seconds that are left."""
        return min(self.deadline, self.meter.run_deadline) - self.meter.clock()

    def check_time(self) -> None:
        """Refuse to go on after a deadline.

        Raises:
            OutOfTimeError: It has passed.
        """
        now = self.meter.clock()
        if now >= self.meter.run_deadline:
            raise OutOfTimeError(RUN_DEADLINE)
        if now >= self.deadline:
            raise OutOfTimeError("scene_deadline")


def run_guard(settings: PullSettings) -> Guard:
    """Return a guard that knows the run's deadline alone: what no budget counts must end too."""
    end = time.monotonic() + settings.run_deadline_s
    return Meter(BudgetSettings(), Tariff(), end).scene(float("inf"))
