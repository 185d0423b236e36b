"""The series network: a small temporal convolution network over a parcel's season.

Owns the module, its training and its answers on plain arrays (parcels, channels, steps); which
parcels it sees and what its numbers are worth is the recogniser's. The one idea: with tens of
labels a class a small network with kernels of several lengths, a learnt place in the season and
mild disturbances of its inputs learns what trees on fixed statistics cannot, and errs elsewhere.

Source: Fawaz et al. (2020) InceptionTime; Zhang et al. (2018) mixup.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.networks.folder import load_weights, weights_of
from fieldline.crops.networks.fused import fused
from fieldline.crops.networks.machine import Machine, in_batches
from fieldline.crops.series import Floats, fill_gaps

Single = NDArray[np.float32]
Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]
KIND = "crop_series"
WIDTH = 128
"""Channels of a step in the encoder."""
_KERNELS, _BLOCKS, _NECK, _DROPOUT = (1, 3, 7, 13), 3, 32, 0.3
EMBEDDING = 2 * WIDTH
"""Numbers of a series' embedding."""
_BATCH, _RATE, _DECAY = 64, 2e-3, 1e-2
_SHIFT, _SCALE, _DROP, _MIXUP = 1, 0.03, 0.1, 0.4
_ANSWER_BATCH, _GPU_BATCH = 128, 16384
"""Series answered at once: what stays in a processor's cache (2,048 took three times as long) and
what fills a GPU."""
_FARTHEST = 1000.0
"""Standard deviations beyond which a number of 16 bits shows no more: a channel that hardly moved
while learning is divided by next to nothing, and sums of what comes of it would have no number."""


@dataclass(frozen=True)
class Series:
    """Series as the network takes them."""

    values: Floats
    """(parcels, steps, channels), gaps filled."""
    seen: NDArray[np.bool_]
    """(parcels, steps) which steps were observed."""

    def rows(self, rows: NDArray[np.int64]) -> Series:
        """Return some of the parcels."""
        return Series(self.values[rows], self.seen[rows])


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network as numbers: it answers the same wherever it was stored."""

    mean: Single
    spread: Single
    """By channel: what values are scaled with."""
    classes: int
    steps: int
    weights: Mapping[str, NDArray[Any]]

    def predict(self, series: Series, machine: Machine) -> Floats:
        """Return class probabilities, (parcels, classes)."""
        return self.answers(series, machine)[0]

    def answers(self, series: Series, machine: Machine) -> tuple[Floats, Floats]:
        """Return class probabilities, and the embedding that they are told from.

        Returns:
            (parcels, classes) and (parcels, `EMBEDDING`).
        """
        import torch

        module = build(len(self.mean), self.classes, self.steps)
        load_weights(module, self.weights, "the series network")
        module = machine.answering(module)
        said_by = fused(module) if machine.device == "cuda" else module.answers
        mean, spread = (
            torch.from_numpy(number).to(machine.device) for number in (self.mean, self.spread)
        )
        count = len(series.values)
        said, embedded = np.zeros((count, self.classes)), np.zeros((count, EMBEDDING))

        def answer(part: range) -> tuple[Floats, Floats]:
            values, seen = (
                torch.from_numpy(rows[part.start : part.stop]).to(machine.device)
                for rows in (series.values, series.seen)
            )
            # As `scaled`, where the network runs: in 64 bits, whatever the network answers in.
            told = torch.cat([(values.nan_to_num(0.0) - mean) / spread, seen[..., None]], dim=2)
            if machine.mixed:
                told = told.clamp(-_FARTHEST, _FARTHEST)
            with torch.inference_mode():
                batch = told.transpose(1, 2).to(torch.float32).to(machine.number()).contiguous()
                scores, pooled = said_by(batch)
            return _numbers(torch.softmax(scores.float(), dim=1)), _numbers(pooled)

        size = _ANSWER_BATCH if machine.device == "cpu" else _GPU_BATCH
        for part, (chances, pooled) in in_batches(count, size, answer):
            said[part.start : part.stop] = chances
            embedded[part.start : part.stop] = pooled
        return said, embedded


def _numbers(tensor: Any) -> Floats:
    return np.asarray(tensor.float().cpu().numpy(), dtype=np.float64)


def scale_of(series: Series) -> tuple[Single, Single]:
    """Return mean and spread of each channel."""
    mean = np.nanmean(series.values, axis=(0, 1)).astype(np.float32)
    return mean, (np.nanstd(series.values, axis=(0, 1)) + 1e-6).astype(np.float32)


def scaled(series: Series, mean: Single, spread: Single) -> Single:
    """Return inputs (parcels, channels and the seen mask, steps)."""
    values = (np.nan_to_num(series.values) - mean) / spread
    told = np.concatenate([values, series.seen[..., None]], axis=2)
    return np.ascontiguousarray(told.transpose(0, 2, 1), dtype=np.float32)


@dataclass(frozen=True)
class Start:
    """What a network begins with instead of chance: weights learnt without labels."""

    mean: Single
    spread: Single
    weights: Mapping[str, NDArray[Any]]
    """Those of the encoder alone; the rest of the network begins anew."""


def train(
    series: Series, labels: Labels, classes: int, *, steps: int, seed: int, machine: Machine,
    start: Start | None = None,
) -> TrainedNetwork:  # fmt: skip
    """Train on labelled series.

    Args:
        series: Labelled series.
        labels: Class of each, 0..classes-1.
        classes: Number of classes; one without labels is never told.
        steps: Optimiser steps.
        seed: Random seed.
        machine: Where to train.
        start: Encoder to begin with; chance without one.
    """
    import torch

    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    mean, spread = scale_of(series) if start is None else (start.mean, start.spread)
    length = series.values.shape[1]
    module = build(len(mean), classes, length)
    if start is not None:
        load_weights(module, weights_of(module) | dict(start.weights), "the pre-trained network")
    module.to(machine.device).train()
    optimiser = torch.optim.AdamW(module.parameters(), lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    target = np.eye(classes, dtype=np.float32)[labels]
    for _ in range(steps):
        rows = random.integers(0, len(labels), size=(min(_BATCH, 2 * len(labels)),))
        inputs = scaled(disturbed(series.rows(rows), random), mean, spread)
        batch, wanted = torch.from_numpy(inputs), torch.from_numpy(target[rows])
        if random.random() < 0.5:
            share, other = float(random.beta(_MIXUP, _MIXUP)), random.permutation(len(rows))
            batch = share * batch + (1 - share) * batch[other]
            wanted = share * wanted + (1 - share) * wanted[other]
        with machine.precision():
            scores = module(batch.to(machine.device))
        loss = torch.nn.functional.cross_entropy(scores.float(), wanted.to(machine.device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return TrainedNetwork(mean, spread, classes, length, weights_of(module))


def disturbed(series: Series, random: np.random.Generator) -> Series:
    """Return the series a step earlier or later, a little brighter, with a few dates lost."""
    count, length, width = series.values.shape
    shift: Labels = np.asarray(random.integers(-_SHIFT, _SHIFT + 1, count), dtype=np.int64)
    at = np.clip(np.arange(length)[None] + shift[:, None], 0, length - 1)
    rows = np.arange(count)[:, None]
    values, seen = series.values[rows, at], series.seen[rows, at]
    kept = seen & (random.random(seen.shape) >= _DROP)
    kept[~kept.any(axis=1)] = seen[~kept.any(axis=1)]
    told = kept.any(axis=1)
    values[told] = fill_gaps(values[told], kept[told])
    gain = 1.0 + random.normal(0.0, _SCALE, (count, 1, width))
    return Series(values * gain, kept)


def build(channels: int, classes: int, steps: int) -> Any:
    """Build the network: torch is imported here alone, so its classes are made here."""
    import torch
    from torch import nn

    class Inception(nn.Module):  # type: ignore[misc]
        """Kernels of several lengths side by side, added to what came in."""

        def __init__(self) -> None:
            super().__init__()
            part = WIDTH // len(_KERNELS)
            self.neck = nn.Conv1d(WIDTH, _NECK, 1)
            self.parts = nn.ModuleList(
                nn.Conv1d(_NECK, part, size, padding=size // 2) for size in _KERNELS
            )
            self.norm = nn.BatchNorm1d(WIDTH)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            neck = self.neck(x)
            wide = torch.cat([part(neck) for part in self.parts], dim=1)
            return torch.relu(x + self.norm(wide))

    class SeriesNet(nn.Module):  # type: ignore[misc]
        """Blocks over time, pooled by attention."""

        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv1d(channels + 1, WIDTH, 1)
            self.place = nn.Parameter(torch.zeros(WIDTH, steps))
            self.blocks = nn.Sequential(*(Inception() for _ in range(_BLOCKS)))
            self.attention = nn.Conv1d(WIDTH, 1, 1)
            self.drop = nn.Dropout(_DROPOUT)
            self.last = nn.Linear(EMBEDDING, classes)

        def encoded(self, x: torch.Tensor) -> torch.Tensor:
            steps: torch.Tensor = self.blocks(self.first(x) + self.place)
            return steps

        def embedding(self, x: torch.Tensor) -> torch.Tensor:
            x = self.encoded(x)
            weight = torch.softmax(self.attention(x), dim=2)
            return torch.cat([(x * weight).sum(dim=2), x.amax(dim=2)], dim=1)

        def answers(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            pooled = self.embedding(x)
            return self.last(pooled), pooled

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = self.last(self.drop(self.embedding(x)))
            return scores

    return SeriesNet()
