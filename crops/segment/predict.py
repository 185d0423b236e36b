"""Prediction: tiles with a halo, weighted towards their middles, streamed block by block.

Owns the walk over a grid and the assembly of overlapping tiles; memory is one row of tiles and one
8-bit raster on disk, whatever the number of dates and the size of the county.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from fieldline.crops.networks.machine import Machine, in_batches
from fieldline.crops.segment.on_disk import raster_on_disk
from fieldline.crops.segment.pairs import OFFSETS, UPSCALE
from fieldline.crops.segment.stack import Block, Scaling, Scenes

Wanted = Callable[[Window], bool]
"""Whether a tile's core is needed."""
Watch = Callable[[Window, Block, int], None]
"""Told of a tile's core, its reflectances with their halo, and the halo's width, pixels."""


def tile_weight(tile: int, halo: int) -> NDArray[np.float32]:
    """Return the weight of a tile's output pixels: full in its core, falling through the halo.

    Args:
        tile: Edge of the core, input pixels.
        halo: Width of the halo, input pixels.
    """
    inside = np.minimum(np.arange(tile + 2 * halo) + 0.5, np.arange(tile + 2 * halo)[::-1] + 0.5)
    ramp = np.clip(inside / max(1, 2 * halo), 1e-3, 1.0)
    fine = np.repeat(ramp, UPSCALE)
    return np.asarray(np.minimum.outer(fine, fine), np.float32)


def predict(
    module: Any,
    scenes: Scenes,
    scaling: Scaling,
    machine: Machine,
    out: Path,
    *,
    tile: int = 128,
    halo: int = 16,
    batch: int = 4,
    wanted: Wanted | None = None,
    watch: Watch | None = None,
) -> NDArray[np.uint8]:
    """Predict the same-field probability of all pairs of a grid.

    Args:
        module: A `PairNetwork`.
        scenes: The dates, open.
        scaling: Their scaling.
        machine: Where the network runs.
        out: File of the raster, which is a memory map.
        tile: Edge of a tile's core, input pixels, a multiple of 4.
        halo: Land around it that is seen too, input pixels, a multiple of 4.
        batch: Tiles at once.
        wanted: Tiles to predict; all where None.
        watch: Is shown what was read, so that nothing needs to read it again.

    Returns:
        (pairs, 2 x rows, 2 x columns) uint8, 255 for certainly the same field; 0 where no tile was
        wanted and where no date was clear.

    Raises:
        OSError: The disk of `out` has no room for the raster.
    """
    grid = scenes.grid
    size = (len(OFFSETS), UPSCALE * grid.height, UPSCALE * grid.width)
    raster = raster_on_disk(out, np.uint8, size)
    weight = tile_weight(tile, halo)
    tops = range(0, grid.height, tile)
    row = _RowOfTiles(raster, UPSCALE * tile, UPSCALE * halo)
    module.to(machine.device).eval()
    for top in tops:
        places = [
            Window(left, top, tile, tile)
            for left in range(0, grid.width, tile)
            if wanted is None or wanted(Window(left, top, tile, tile))
        ]
        row.start(top)

        def work(part: range, places: Sequence[Window] = places) -> NDArray[np.float32]:
            blocks = [scenes.read(_with_halo(places[at], halo)) for at in part]
            if watch is not None:
                for at, block in zip(part, blocks, strict=True):
                    watch(places[at], block, halo)
            return _answer(module, np.stack([scaling.apply(b) for b in blocks]), machine)

        for part, answers in in_batches(len(places), batch, work):
            for at, answer in zip(part, answers, strict=True):
                row.add(int(places[at].col_off), answer, weight)
    row.finish()
    raster.flush()
    return raster


def _with_halo(window: Window, halo: int) -> Window:
    return Window(
        window.col_off - halo, window.row_off - halo, window.width + 2 * halo,
        window.height + 2 * halo,
    )  # fmt: skip


def _answer(module: Any, stack: Block, machine: Machine) -> NDArray[np.float32]:
    """Return probabilities, 0 where no date was clear."""
    import torch

    clear = np.asarray(np.isfinite(stack).all(axis=2))
    seen = np.asarray(clear.any(axis=1))
    with torch.inference_mode(), machine.precision():
        answer = torch.sigmoid(module(torch.from_numpy(stack).to(machine.device)).float())
    fine = seen.repeat(UPSCALE, axis=1).repeat(UPSCALE, axis=2)
    return np.asarray(answer.cpu().numpy() * fine[:, None], np.float32)


class _RowOfTiles:
    """Sums overlapping tiles; a row of tiles is final once the next one is summed."""

    def __init__(self, raster: NDArray[np.uint8], tile: int, halo: int) -> None:
        self._raster, self._tile, self._halo = raster, tile, halo
        wide = raster.shape[2] + 2 * halo + tile
        self._sum = np.zeros((raster.shape[0], tile + 2 * halo, wide), np.float32)
        self._weight = np.zeros(self._sum.shape[1:], np.float32)
        self._top: int | None = None

    def start(self, top: int) -> None:
        """Write what is final and make room for the row of tiles from `top` (input pixels) on."""
        if self._top is not None:
            self._write(self._tile)
            for values in (self._sum, self._weight):
                kept = values[..., self._tile :, :].copy()
                values[...] = 0.0
                values[..., : kept.shape[-2], :] = kept
        self._top = top * UPSCALE

    def add(self, left: int, answer: NDArray[np.float32], weight: NDArray[np.float32]) -> None:
        """Add a tile whose core begins at column `left` (input pixels)."""
        columns = slice(left * UPSCALE, left * UPSCALE + weight.shape[1])
        self._sum[:, :, columns] += answer * weight
        self._weight[:, columns] += weight

    def finish(self) -> None:
        """Write what is left."""
        if self._top is not None:
            self._write(self._sum.shape[1])

    def _write(self, rows: int) -> None:
        """Write the first rows of the sums; they begin a halo above the core."""
        if self._top is None:
            return
        first = self._top - self._halo
        top, bottom = max(0, first), min(self._raster.shape[1], first + rows)
        if bottom <= top:
            return
        part = slice(top - first, bottom - first)
        columns = slice(self._halo, self._halo + self._raster.shape[2])
        weight = np.maximum(self._weight[part, columns], 1e-6)
        mean = self._sum[:, part, columns] / weight
        self._raster[:, top:bottom] = np.round(mean * 255.0).astype(np.uint8)
