"""Prediction: tiles with a halo, weighted towards their middles, streamed block by block.

Owns the walk over a grid, reading ahead of the network, and the assembly of overlapping tiles where
the network runs; memory is one row of tiles, two batches of blocks with all their dates, and one
8-bit raster on disk, whatever the size of the county.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from fieldline.crops.networks.machine import Machine, in_batches
from fieldline.crops.segment.on_disk import let_go, raster_on_disk
from fieldline.crops.segment.pairs import OFFSETS, UPSCALE
from fieldline.crops.segment.stack import Block, Scaling, Scenes

_GPU_TIMES = 4
"""From 4 tiles at once to 16 an H200 answers half as many again in a second, to 64 hardly more."""
Wanted = Callable[[Window], bool]
"""Whether a tile's core is needed."""
Watch = Callable[[Window, Block, int], None]
"""Told of a tile's core, its reflectances with their halo, and the halo's width, pixels; called by
another thread than the one that predicts, tile after tile."""


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
        batch: Tiles at once on a processor; a GPU takes `_GPU_TIMES` times as many.
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
    row = _RowOfTiles(raster, tile, halo, machine)
    batch *= _GPU_TIMES if machine.device == "cuda" else 1
    answering = machine.answering(module)
    rows = [
        [
            Window(left, top, tile, tile)
            for left in range(0, grid.width, tile)
            if wanted is None or wanted(Window(left, top, tile, tile))
        ]
        for top in range(0, grid.height, tile)
    ]

    def read(window: Window) -> Block:
        block = scenes.read(_with_halo(window, halo))
        if watch is not None:
            watch(window, block, halo)
        return scaling.apply(block)

    with _Ahead(read, [window for places in rows for window in places], batch) as ahead:
        done = 0
        for top, places in zip(range(0, grid.height, tile), rows, strict=True):
            row.start(top)

            def work(part: range, done: int = done) -> Any:
                return _answer(answering, np.stack(ahead.take(done, part)), machine)

            for part, answers in in_batches(len(places), batch, work):
                for at, answer in zip(part, answers, strict=True):
                    row.add(int(places[at].col_off), answer)
            done += len(places)
    row.finish()
    raster.flush()
    return raster


class _Ahead:
    """Blocks in order, read by one thread of its own while the network answers; each once.

    Args:
        read: Reads a tile.
        windows: All tiles.
        most: Tiles that wait at once, beside those that were asked for.
    """

    def __init__(self, read: Callable[[Window], Block], windows: list[Window], most: int) -> None:
        self._read, self._windows, self._most = read, windows, most
        self._waiting: dict[int, Future[Block]] = {}
        self._asked = 0
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def take(self, done: int, part: range) -> list[Block]:
        """Return blocks; what lies before the first of them is let go.

        Args:
            done: Tiles before those that `part` counts from.
            part: Tiles that are asked for; the same again, or fewer, may be asked for once more.
        """
        first, stop = done + part.start, done + part.stop
        for at in [at for at in self._waiting if at < first]:
            del self._waiting[at]
        while self._asked < min(stop + self._most, len(self._windows)):
            future = self._thread.submit(self._read, self._windows[self._asked])
            self._waiting[self._asked] = future
            self._asked += 1
        return [self._waiting[at].result() for at in range(first, stop)]


def _with_halo(window: Window, halo: int) -> Window:
    return Window(
        window.col_off - halo, window.row_off - halo, window.width + 2 * halo,
        window.height + 2 * halo,
    )  # fmt: skip


def _answer(module: Any, stack: Block, machine: Machine) -> Any:
    """Return probabilities where the network runs, 0 where no date was clear."""
    import torch

    with torch.inference_mode():
        seen = torch.from_numpy(stack).to(machine.device)
        clear = torch.isfinite(seen).all(dim=2).any(dim=1, keepdim=True)
        answer = torch.sigmoid(module.steadiest(seen.to(machine.number())).float())
        fine = clear.repeat_interleave(UPSCALE, -1).repeat_interleave(UPSCALE, -2)
        return answer * fine


class _RowOfTiles:
    """Sums overlapping tiles; a row of tiles is final once the next one is summed.

    Sums lie where the network runs: what leaves a GPU is the raster's bytes alone.

    Args:
        raster: (pairs, rows, columns) that is filled.
        tile: Edge of a tile's core, input pixels.
        halo: Its halo, input pixels.
        machine: Where the network runs.
    """

    def __init__(self, raster: NDArray[np.uint8], tile: int, halo: int, machine: Machine) -> None:
        import torch

        self._raster, self._tile, self._halo = raster, UPSCALE * tile, UPSCALE * halo
        rows, wide = self._tile + 2 * self._halo, raster.shape[2] + 2 * self._halo + self._tile
        self._share = torch.from_numpy(tile_weight(tile, halo)).to(machine.device)
        self._sum = torch.zeros((raster.shape[0], rows, wide), device=machine.device)
        self._weight = torch.zeros((rows, wide), device=machine.device)
        self._top: int | None = None

    def start(self, top: int) -> None:
        """Write what is final and make room for the row of tiles from `top` (input pixels) on."""
        if self._top is not None:
            self._write(self._tile)
            for values in (self._sum, self._weight):
                kept = values[..., self._tile :, :].clone()
                values.zero_()
                values[..., : kept.shape[-2], :] = kept
        self._top = top * UPSCALE

    def add(self, left: int, answer: Any) -> None:
        """Add a tile whose core begins at column `left` (input pixels)."""
        columns = slice(left * UPSCALE, left * UPSCALE + self._share.shape[1])
        self._sum[:, :, columns] += answer * self._share
        self._weight[:, columns] += self._share

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
        mean = self._sum[:, part, columns] / self._weight[part, columns].clamp(min=1e-6)
        self._raster[:, top:bottom] = (mean * 255.0).round().byte().cpu().numpy()
        let_go(self._raster)
