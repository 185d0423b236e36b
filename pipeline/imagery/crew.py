"""A pull by the workers of a dask.distributed scheduler that is there already.

Owns what travels: the order, one scene at a time, and a ledger that all workers write under one
lock, so that rates and budget are those of the pull and not of a worker. Accounts do not travel:
each worker takes them from its own environment. The results folder must be one and the same for
all, and a worker that cannot see it is found before a byte is fetched. What is fetched and how is
`pull`'s; a scene that a lost worker leaves half done goes on where its ranges end.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fieldline.pipeline.imagery.limits import Ledger, Meter, Use
from fieldline.pipeline.records.errors import UserError

if TYPE_CHECKING:
    from distributed import Client

_EXTRA = "install fieldline[cube], or leave pull.scheduler empty"
_CONNECT_S = 10
_MARK = ".pull-"
_AT_WORK = "running"
"""Status of a client that has its scheduler."""
_SCHEDULER_LOST = "scheduler-connection-lost"
"""Reason that distributed gives a task that it cannot ask about any more."""
_KEPT = "what was fetched is kept"
_Order = TypeVar("_Order")
_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


@dataclass
class SharedMeter(Meter):
    """A meter whose ledger lies with the scheduler while its workers fetch.

    Its clock is the day's, which machines share to a second or so.
    """

    clock: Callable[[], float] = time.time
    _name: str = field(default_factory=lambda: f"fieldline-pull-{uuid.uuid4().hex}")
    _client: Client | None = None
    _away: bool = False

    @contextmanager
    def held(self) -> Iterator[Ledger]:
        """Hold the ledger alone, of all workers."""
        if not self._away:
            with super().held() as own:
                yield own
            return
        from distributed import Lock

        named: Any = Lock  # without types, as most of distributed

        scheduler, loop = (
            getattr(self._client, "scheduler", None),
            getattr(self._client, "loop", None),
        )
        with named(self._name, scheduler_rpc=scheduler, loop=loop):  # a worker finds its own
            ledger = self._read()
            before = replace(ledger)
            yield ledger
            if ledger != before:
                self._write(ledger)

    def lay_down(self, client: Client) -> None:
        """Lay the ledger down where all workers find it."""
        self._client, self._away = client, True
        self._write(self._ledger)

    def take_up(self) -> None:
        """Take the ledger home and leave nothing at the scheduler; a lost one keeps it."""
        if self._client is not None and self._client.status == _AT_WORK:
            self._ledger = self._read()
            self._variable().delete()
        self._client, self._away = None, False

    def _variable(self) -> Any:
        from distributed import Variable

        named: Any = Variable  # without types, as its methods
        return named(self._name, client=self._client)

    def _read(self) -> Ledger:
        requests_at, units_at, *used = self._variable().get(timeout=_CONNECT_S)
        return Ledger(requests_at, units_at, Use(*used))

    def _write(self, ledger: Ledger) -> None:
        rates = (ledger.requests_free_at, ledger.units_free_at)
        self._variable().set([*rates, *astuple(ledger.used)])

    def __getstate__(self) -> dict[str, Any]:
        """Travel without what belongs to one process."""
        return {**vars(self), "_lock": None, "told": None, "_client": None}


@contextmanager
def crew(address: str, folder: Path) -> Iterator[Client]:
    """Yield the client of a scheduler whose workers all see a folder.

    Args:
        address: Of the scheduler, such as `tcp://10.0.0.5:8786`.
        folder: Folder that is written.

    Raises:
        UserError: distributed is not installed, nobody answers, there is no worker, or one does not
            see the folder.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise UserError("pull.scheduler needs distributed, which is missing", _EXTRA) from error
    connect: Any = Client
    try:
        client = connect(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"no scheduler answers at {address} (pull.scheduler)",
            "start it (`dask scheduler`), correct the address, or leave it empty for threads",
        ) from error
    with client:
        _check_workers(client, address, folder)
        yield client


def _check_workers(client: Client, address: str, folder: Path) -> None:
    mark = folder / f"{_MARK}{uuid.uuid4().hex}"
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    try:
        seen = client.run(_sees, str(mark), on_error="return")
    finally:
        mark.unlink()
    if not seen:
        raise UserError(f"the scheduler at {address} has no worker", "start some: `dask worker`")
    for worker, answer in sorted(seen.items()):
        if answer is not True:
            raise UserError(
                f"worker {worker} does not see {folder} ({answer or 'not there'})",
                "give all workers the results folder under the same path, and Fieldline itself",
            )


def _sees(mark: str) -> bool:
    return Path(mark).exists()


@contextmanager
def _losses_told() -> Iterator[None]:
    from distributed import CancelledError, KilledWorker

    try:
        yield
    except CancelledError as error:
        of_scheduler = _SCHEDULER_LOST in str(error)
        lost = "the scheduler" if of_scheduler else "every worker of the scheduler"
        again = "it and its workers" if of_scheduler else "them"
        raise UserError(
            f"{lost} (pull.scheduler) was lost", f"start {again} and run again: {_KEPT}"
        ) from error
    except KilledWorker as error:
        raise UserError(
            f"one scene ended {error.allowed_failures + 1} workers (pull.scheduler) in turn",
            f"give them more memory (`dask worker --memory-limit`) and run again: {_KEPT}",
        ) from error  # fmt: skip


@_losses_told()
def in_turn(
    client: Any,
    work: Callable[[_Order, _Task], _Result],
    order: _Order,
    tasks: Sequence[_Task],
    at_once: int,
    done: Callable[[], None],
) -> list[_Result]:
    """Have tasks done by the workers, so many at once, and return the results in their order.

    What a lost worker had in hand is given to another.

    Args:
        client: Of the crew.
        work: What is done with a task by order; order, tasks and results travel.
        order: What is the same for all of them; it travels once to each worker.
        tasks: In any order.
        at_once: Tasks in hand at the same time.
        done: Called for each task that is done.

    Raises:
        UserError: The scheduler or its last worker is gone, or a task ends its workers.
    """
    from distributed import as_completed as completed

    as_completed: Any = completed  # without types, as most of its methods
    places, waiting = dict[Any, int](), list(enumerate(tasks))[::-1]
    results = dict[int, _Result]()
    shared = client.scatter(order, broadcast=True, hash=False)
    in_hand = as_completed(loop=client.loop)
    try:
        while waiting or places:
            while waiting and len(places) < at_once:
                place, task = waiting.pop()
                future = client.submit(work, shared, task, pure=False)
                places[future] = place
                in_hand.add(future)
            future = next(in_hand)
            results[places.pop(future)] = future.result()
            done()
    finally:
        client.cancel(list(places), force=True)
    return [results[place] for place in range(len(tasks))]
