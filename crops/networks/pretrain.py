"""Pre-training without labels: what a county's own unlabelled series teach about its seasons.

Owns masked reconstruction: steps that were seen are hidden, and the encoder of the series network
learns to tell them from the rest of the season. Whether labels then gain is not its question.

Source: He et al. (2022) Masked autoencoders are scalable vision learners; Tseng et al. (2023)
Lightweight, pre-trained transformers for remote sensing timeseries (the same on pixel series).
"""

from __future__ import annotations

import numpy as np

from fieldline.crops.networks.folder import weights_of
from fieldline.crops.networks.machine import Machine
from fieldline.crops.networks.series import (
    WIDTH,
    Mask,
    Series,
    Start,
    build,
    scale_of,
    scaled,
)

ENCODER = ("first.", "place", "blocks.")
"""Beginnings of the names of the encoder's weights."""
_BATCH, _RATE, _DECAY, _HIDDEN, _LONGEST = 128, 2e-3, 1e-2, 0.4, 4


def pretrain(series: Series, *, steps: int, seed: int, machine: Machine) -> Start:
    """Learn an encoder that tells hidden steps from the others.

    Args:
        series: Unlabelled series.
        steps: Optimiser steps.
        seed: Random seed.
        machine: Where to train.
    """
    import torch

    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    mean, spread = scale_of(series)
    module = build(len(mean), 1, series.values.shape[1]).to(machine.device).train()
    head = torch.nn.Conv1d(WIDTH, len(mean), 1).to(machine.device)
    learnt = [*module.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(learnt, lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        rows = random.integers(0, len(series.seen), size=min(_BATCH, 2 * len(series.seen)))
        whole = series.rows(rows)
        hide = hidden(whole.seen, random)
        target = scaled(whole, mean, spread)
        inputs = torch.from_numpy(np.where(hide[:, None], np.float32(0), target))
        wanted = torch.from_numpy(target[:, :-1]).to(machine.device)
        judged = torch.from_numpy(hide[:, None].astype(np.float32)).to(machine.device)
        with machine.precision():
            told = head(module.encoded(inputs.to(machine.device)))
        apart = torch.nn.functional.smooth_l1_loss(told.float(), wanted, reduction="none")
        loss = (apart * judged).sum() / (judged.sum() * len(mean)).clamp(min=1.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    weights = {name: values for name, values in weights_of(module).items()
               if name.startswith(ENCODER)}  # fmt: skip
    return Start(mean, spread, weights)


def hidden(seen: Mask, random: np.random.Generator) -> Mask:
    """Return which seen steps are hidden: about two in five, in runs of up to four steps.

    Single steps would be told from their neighbours alone.
    """
    count, length = seen.shape
    runs = random.integers(1, _LONGEST + 1, (count, length))
    begins = random.random((count, length)) < _HIDDEN / np.mean(np.arange(1, _LONGEST + 1))
    ends = np.maximum.accumulate(np.where(begins, np.arange(length) + runs, 0), axis=1)
    return np.asarray(seen & (np.arange(length) < ends))
