"""Training: from a stack and a few polygons to weights, the same weights for the same seed.

Owns the two phases and their optimiser. The first learns from the area's own pseudo-fields, which
cost nobody a label and are what carries over to other areas; the second from drawn polygons, with
some pseudo-fields among them so that the first is not forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fieldline.crops.networks.machine import Machine
from fieldline.crops.segment.augment import Area, Sampler
from fieldline.crops.segment.pairs import pair_loss

Progress = Callable[[str, int, int, float], None]
"""Called with phase, step, steps and loss."""


@dataclass(frozen=True)
class Phase:
    """One run of the optimiser."""

    name: str
    areas: Sequence[Area]
    steps: int
    rehearsed: Sequence[Area] = ()
    """Areas of an earlier phase ..."""
    rehearsal: float = 0.2
    """... and the share of steps that go on with them."""


@dataclass(frozen=True)
class Training:
    """How the optimiser runs."""

    batch: int = 4
    edge: int = 64
    """Edge of a sample, input pixels."""
    dates: int = 6
    """Most dates of a sample."""
    rate: float = 2e-3
    """Largest learning rate; a cosine brings it to nothing."""
    decay: float = 1e-2
    """Weight decay."""


def train(
    module: Any, phases: Sequence[Phase], how: Training, machine: Machine, seed: int,
    told: Progress | None = None,
) -> None:  # fmt: skip
    """Train a network in place.

    Args:
        module: A `PairNetwork`.
        phases: Run one after the other.
        how: Batch, sample and learning rate.
        machine: Where it runs.
        seed: Seed of every draw.
        told: Told of every step.
    """
    module.to(machine.device).train()
    for number, phase in enumerate(phases):
        if phase.steps and phase.areas:
            _run(module, phase, how, machine, seed * 1000 + number, told)
    module.to("cpu").eval()


def _run(
    module: Any, phase: Phase, how: Training, machine: Machine, seed: int, told: Progress | None
) -> None:
    import torch

    main = Sampler(phase.areas, how.edge, how.dates, seed)
    old = Sampler(phase.rehearsed, how.edge, how.dates, seed + 500) if phase.rehearsed else None
    optimiser = torch.optim.AdamW(module.parameters(), lr=how.rate, weight_decay=how.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, how.rate, total_steps=phase.steps, pct_start=0.1
    )
    every = round(1 / phase.rehearsal) if old is not None and phase.rehearsal else 0
    for step in range(phase.steps):
        sampler = old if old is not None and every and step % every == 0 else main
        stack, ids = (part.to(machine.device) for part in sampler.draw(how.batch))
        with machine.precision():
            logits = module(stack)
        loss = pair_loss(logits.float(), ids)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if told is not None:
            told(phase.name, step + 1, phase.steps, float(loss.detach()))
