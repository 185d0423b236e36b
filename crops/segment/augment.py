"""Training samples: pieces of an area turned, zoomed, recoloured and thinned out in time.

Owns the randomness of training and nothing of the network. Everything that does not tell a border
(direction, size within reason, order and number of dates, brightness, one blurred date) is varied,
so that a few dozen polygons of one area are enough and another area is no stranger.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.segment.pairs import UPSCALE, Ids
from fieldline.crops.segment.stack import Block

_ZOOM = (0.7, 1.4)
_SHRINK = 3.0
"""How much a large field may be shrunk: areas differ in field size more than in anything else."""
_LARGE = 0.2
"""A polygon that covers this share of a sample's extent is large."""
_SHRUNK_SHARE = 0.5
_BARREN_SHARE = 0.3
"""Share of samples that lie anywhere on an area whose fields were all drawn: without them towns and
woods would be seen at the edges of fields alone."""
_GAIN, _OFFSET = 0.1, 0.05
_BLUR_SHARE, _NOISE = 0.3, 0.02


@dataclass(frozen=True)
class Area:
    """What can be learnt from: a stack and the polygons drawn on it."""

    stack: Block
    """(dates, bands, rows, columns), scaled, NaN where not clear."""
    ids: Ids
    """(2 x rows, 2 x columns) polygon numbers."""
    complete: bool = False
    """Whether `ids` say where no field is."""

    def spots(self) -> NDArray[np.int64]:
        """Return one (row, column, size) of the output grid per labelled pixel, thinned."""
        places = np.argwhere(self.ids > 0)
        sizes = np.bincount(np.maximum(self.ids, 0).ravel())
        return np.column_stack([places, sizes[self.ids[places[:, 0], places[:, 1]]]])


class Sampler:
    """Draws samples from areas, each polygon as likely as any other.

    Args:
        areas: Areas with at least one polygon.
        edge: Rows and columns of a sample, input pixels.
        dates: Most dates of a sample.
        seed: Seed of every draw.
    """

    def __init__(self, areas: Sequence[Area], edge: int, dates: int, seed: int) -> None:
        self._areas, self._edge, self._dates = areas, edge, dates
        self._random = np.random.default_rng(seed)
        self._spots: list[list[NDArray[np.int64]]] = []
        for area in areas:
            spots = area.spots()
            numbers = area.ids[spots[:, 0], spots[:, 1]]
            order = np.argsort(numbers, kind="stable")
            starts = np.flatnonzero(np.diff(numbers[order], prepend=0))
            self._spots.append(np.split(spots[order], starts[1:]))

    def draw(self, count: int) -> tuple[Any, Any]:
        """Return a batch from one area.

        Args:
            count: Samples.

        Returns:
            Tensors (count, dates, bands, edge, edge) and (count, 2 x edge, 2 x edge) of int64.
        """
        import torch

        at = int(self._random.integers(len(self._areas)))
        area = self._areas[at]
        most = min(self._dates, area.stack.shape[0])
        number = int(self._random.integers(max(1, (most + 1) // 2), most + 1))
        drawn = [self._one(area, self._spots[at], number) for _ in range(count)]
        return torch.stack([d[0] for d in drawn]), torch.stack([d[1] for d in drawn])

    def _one(self, area: Area, spots: list[NDArray[np.int64]], number: int) -> tuple[Any, Any]:
        random, edge = self._random, self._edge
        row, column, size = self._spot(area, spots)
        zoom = math.exp(random.uniform(math.log(_ZOOM[0]), math.log(_ZOOM[1])))
        if size > _LARGE * (UPSCALE * edge) ** 2 and random.random() < _SHRUNK_SHARE:
            zoom *= random.uniform(1.0, _SHRINK)
        jitter = random.uniform(-edge / 4, edge / 4, 2)
        centre = np.array([row, column]) / UPSCALE + jitter
        turn = random.uniform(0, 2 * math.pi)
        matrix = zoom * np.array(
            [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
        )
        if random.random() < 1 / 2:
            matrix[:, 1] *= -1
        dates = random.permutation(area.stack.shape[0])[:number]
        stack = _warp(area.stack[dates], centre, matrix, edge, zoom)
        ids = _warp_ids(area.ids, centre, matrix, edge)
        return self._coloured(stack), ids

    def _spot(self, area: Area, spots: list[NDArray[np.int64]]) -> tuple[int, int, int]:
        """Return row, column and size of the polygon under a sample's middle."""
        random = self._random
        if area.complete and random.random() < _BARREN_SHARE:
            row, column = (int(random.integers(n)) for n in area.ids.shape)
            return row, column, 0
        polygon = spots[int(random.integers(len(spots)))]
        row, column, size = polygon[int(random.integers(len(polygon)))]
        return int(row), int(column), int(size)

    def _coloured(self, stack: Any) -> Any:
        import torch

        shape = (*stack.shape[:2], 1, 1)
        gain = self._random.normal(1.0, _GAIN, shape)
        offset = self._random.normal(0.0, _OFFSET, shape)
        stack = stack * torch.as_tensor(gain, dtype=stack.dtype)
        stack = stack + torch.as_tensor(offset, dtype=stack.dtype)
        if self._random.random() < _BLUR_SHARE:
            at = int(self._random.integers(stack.shape[0]))
            stack[at] = torch.nn.functional.avg_pool2d(
                stack[at][None], 3, 1, 1, count_include_pad=False
            )[0]
        noise = self._random.normal(0.0, _NOISE, tuple(stack.shape))
        return stack + torch.as_tensor(noise, dtype=stack.dtype)


def _corner(
    centre: NDArray[np.float64], matrix: NDArray[np.float64], edge: int, scale: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return where each pixel of a sample lies in the area, and the box around all of them."""
    steps = (np.arange(edge * scale) + 0.5) / scale - edge / 2
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1) @ matrix.T + centre
    grid = grid * scale - 0.5
    low = np.floor(grid.min(axis=(0, 1))).astype(int) - 2
    high = np.ceil(grid.max(axis=(0, 1))).astype(int) + 3
    return grid, low, high


def _window(
    values: NDArray[Any], low: NDArray[np.int64], high: NDArray[np.int64], fill: float
) -> NDArray[Any]:
    """Return a box of an array's last two axes, filled where it leaves the array."""
    size = high - low
    out = np.full((*values.shape[:-2], *size), fill, dtype=values.dtype)
    top, left = np.maximum(low, 0)
    bottom, right = np.minimum(high, values.shape[-2:])
    if bottom > top and right > left:
        out[..., top - low[0] : bottom - low[0], left - low[1] : right - low[1]] = values[
            ..., top:bottom, left:right
        ]
    return out


def _sampled(box: Any, grid: NDArray[np.float64], low: NDArray[np.int64], mode: str) -> Any:
    import torch

    size = np.array(box.shape[-2:])
    unit = (grid - low + 0.5) / size * 2 - 1
    places = torch.as_tensor(unit[..., ::-1].copy(), dtype=torch.float32)[None]
    return torch.nn.functional.grid_sample(
        box[None], places, mode=mode, padding_mode="zeros", align_corners=False
    )[0]


def _warp(
    stack: Block, centre: NDArray[np.float64], matrix: NDArray[np.float64], edge: int, zoom: float
) -> Any:
    import torch

    grid, low, high = _corner(centre, matrix, edge, 1)
    box = torch.from_numpy(_window(stack, low, high, np.nan)).flatten(0, 1)
    coarse = round(zoom)
    if coarse > 1:
        # Reading every third pixel of a sharp image would make borders that no sensor sees.
        box = torch.nn.functional.avg_pool2d(
            box[None], 2 * (coarse // 2) + 1, 1, coarse // 2, count_include_pad=False
        )[0]
    seen = torch.isfinite(box)
    values = _sampled(torch.where(seen, box, torch.zeros_like(box)), grid, low, "bilinear")
    there = _sampled(seen.float(), grid, low, "bilinear")
    values = torch.where(there > 0.99, values, torch.full_like(values, torch.nan))
    return values.unflatten(0, stack.shape[:2])


def _warp_ids(ids: Ids, centre: NDArray[np.float64], matrix: NDArray[np.float64], edge: int) -> Any:
    import torch

    grid, low, high = _corner(centre, matrix, edge, UPSCALE)
    box = torch.from_numpy(_window(ids, low, high, 0).astype(np.float32))[None]
    return _sampled(box, grid, low, "nearest")[0].round().long()
