"""The machine that a network runs on: processor or GPU, threads, precision and memory.

Owns the choice of the device, the sentence where torch is not installed, mixed precision on a GPU
and the way out of its memory (smaller batches). Knows no network. torch is imported here only when
it is asked for: it costs seconds, and most of Fieldline runs without it.
"""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from fieldline.pipeline.records.errors import UserError

DeviceChoice = Literal["auto", "cpu", "cuda"]
"""`auto`: the GPU where there is one, else the processor."""
Result = TypeVar("Result")
EXTRA = "pip install 'fieldline[networks]'"


def networks_installed() -> bool:
    """Whether torch and safetensors are installed; imports neither."""
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "safetensors"))


def need_networks(what: str) -> None:
    """Refuse to go on without torch and safetensors.

    Args:
        what: What needs them, as the subject of the sentence.

    Raises:
        UserError: One of them is not installed.
    """
    if not networks_installed():
        raise UserError(f"{what} needs torch and safetensors, which are not installed", EXTRA)


@dataclass(frozen=True)
class Machine:
    """Where and how a network runs."""

    device: str
    """`cpu` or `cuda`."""
    threads: int
    """Threads of the processor."""
    mixed: bool
    """Whether 16-bit numbers are used where they are enough; never on the processor, whose results
    are the reference."""

    def precision(self) -> AbstractContextManager[Any]:
        """Return the context in which a network learns."""
        if not self.mixed:
            return nullcontext()
        import torch

        kind = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        context: AbstractContextManager[Any] = torch.autocast(self.device, dtype=kind)
        return context

    def number(self) -> Any:
        """Return the type of number in which a network answers.

        Of the two of 16 bits the one with three more bits of precision: what a trained network
        answers with stays small, so the other's larger range, which learning needs, buys nothing.
        """
        import torch

        return torch.float16 if self.mixed else torch.float32

    def answering(self, module: Any) -> Any:
        """Return a module that answers here; the one given keeps its place and its precision."""
        return copy.deepcopy(module).to(self.device, self.number()).eval()


def choose_machine(
    asked: DeviceChoice = "auto", *, threads: int = 1, mixed: bool = True
) -> Machine:
    """Choose the device and set torch to its threads.

    Args:
        asked: What the configuration says.
        threads: Threads on the processor; results of one number of threads are byte-identical.
        mixed: Whether a GPU may use mixed precision.

    Raises:
        UserError: torch is not installed, or a GPU is asked for and there is none.
    """
    need_networks("A network")
    import torch

    there = torch.cuda.is_available()
    if asked == "cuda" and not there:
        raise UserError(
            "device cuda is asked for and torch sees no GPU",
            "set device to auto, or install a driver and a build of torch that fit the GPU",
        )
    torch.set_num_threads(threads)
    device = "cuda" if there and asked != "cpu" else "cpu"
    return Machine(device, threads, mixed and device == "cuda")


def in_batches(
    count: int, size: int, work: Callable[[range], Result]
) -> Iterator[tuple[range, Result]]:
    """Work through `count` items in batches, in smaller ones where the GPU's memory runs out.

    Args:
        count: Number of items.
        size: Largest batch.
        work: Called with the positions of a batch; called again with half of them after a
            `torch.OutOfMemoryError`, and the smaller size is kept from then on.

    Raises:
        UserError: One item alone does not fit.
    """
    import torch

    start, size, emptied = 0, max(1, size), False
    while start < count:
        part = range(start, min(count, start + size))
        try:
            result = work(part)
        except torch.OutOfMemoryError as error:
            if len(part) == 1 and emptied:
                raise UserError(
                    "not even a batch of one fits into the GPU's memory",
                    "set device cpu, or smaller tiles where fields are looked for",
                ) from error
            # A single item is tried once more: what larger batches left reserved is in its way.
            emptied = len(part) == 1
            size = max(1, len(part) // 2)
        else:
            yield part, result
            start, emptied = part.stop, False
            del result
            continue
        # Not before here: until the error is let go, it holds what did not fit.
        torch.cuda.empty_cache()
