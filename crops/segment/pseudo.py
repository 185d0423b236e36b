"""Fields without a network: watershed on summed gradients, and which of them can be trusted.

Owns the baseline that every evaluation runs beside the network, and the pseudo-fields that the
network learns from first. Needs no torch and no label.

Source: Watkins and van Niekerk (2019) A comparison of object-based image analysis approaches for
field boundary delineation, Comput. Electron. Agric. 158 (temporal edges and watershed).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fieldline.crops.segment.pairs import NEAR, OFFSETS, UPSCALE, Ids, Offset, shifted
from fieldline.crops.segment.regions import Field, Labels, basins, merged
from fieldline.crops.segment.stack import Block

_SMOOTH = 1.0
_TRUSTED = 0.6
_LEVELS = (0.6, 0.4)
_LEAST_PIXELS = 40
"""A pseudo-field has at least this many 5 m pixels (0.1 ha)."""


def gradient_probability(stack: Block, offsets: tuple[Offset, ...] = OFFSETS) -> Field:
    """Return how alike the pixels of pairs are over all dates, in the form of a network's answer.

    Args:
        stack: (dates, bands, rows, columns), scaled.
        offsets: Pairs on the output grid.

    Returns:
        (pairs, 2 x rows, 2 x columns): 1 where the pixels are equal, one half where they differ as
        much as the sharpest third of neighbours does.
    """
    fine = _upscaled(stack)
    size = fine.shape[-2], fine.shape[-1]
    edge = _edges(fine)
    typical = float(np.quantile(edge[::4, ::4], 2 / 3)) or 1.0
    found = np.ones((len(offsets), *size), np.float32)
    for at, offset in enumerate(offsets):
        first, second = shifted((size[0], size[1]), offset)
        middle = tuple(
            slice((a.start + b.start) // 2, (a.start + b.start) // 2 + a.stop - a.start)
            for a, b in zip(first, second, strict=True)
        )
        found[at][first] = np.exp2(-edge[middle] / typical)
    return found


def _upscaled(stack: Block) -> Block:
    dates, bands = stack.shape[:2]
    middle = np.nanmedian(stack, axis=(2, 3), keepdims=True) if np.isnan(stack).any() else 0.0
    filled = np.where(np.isfinite(stack), stack, np.nan_to_num(middle)).astype(np.float32)
    flat = filled.reshape(dates * bands, *stack.shape[2:])
    return np.stack(
        [ndimage.zoom(f, UPSCALE, order=1, grid_mode=True, mode="nearest") for f in flat]
    )


def _edges(fine: Block) -> Field:
    """Return the summed gradient of all dates and bands, each by its own typical gradient."""
    total = np.zeros(fine.shape[1:], np.float32)
    for layer in fine:
        gradient = ndimage.gaussian_gradient_magnitude(layer, _SMOOTH)
        total += gradient / (float(np.quantile(gradient[::4, ::4], 0.9)) or 1.0)
    return np.asarray(total / len(fine), np.float32)


def plain_fields(stack: Block, stops: Sequence[float] = (0.5,)) -> list[Labels]:
    """Return regions by watershed on summed gradients and average-linkage merging.

    Args:
        stack: (dates, bands, rows, columns), scaled.
        stops: Likenesses under which regions stay apart, falling: each goes on from the one before.

    Returns:
        Regions for each; 0 where no date was clear.
    """
    probability = gradient_probability(stack, OFFSETS[: len(NEAR)])
    labels = basins(ndimage.gaussian_filter(1.0 - probability.mean(axis=0), _SMOOTH))
    seen = np.isfinite(stack).all(axis=1).any(axis=0)
    fine = seen.repeat(UPSCALE, axis=0).repeat(UPSCALE, axis=1)
    labels = np.where(fine, labels, 0).astype(np.int32)
    found = []
    for stop in stops:
        labels = merged(labels, probability, stop, OFFSETS[: len(NEAR)])
        found.append(labels)
    return found


def pseudo_fields(stack: Block) -> list[Ids]:
    """Return the regions that stand out most from their surroundings, finely and coarsely merged.

    How much two halves of a field may differ depends on the area, and no label says it: with both
    levels the network learns borders that are sharp for either, and labels decide later.

    Args:
        stack: (dates, bands, rows, columns), scaled.

    Returns:
        For each level (2 x rows, 2 x columns), numbered from 1 on; 0 where no region can be
        trusted.
    """
    edge = _edges(_upscaled(stack))
    return [_trusted(labels, edge) for labels in plain_fields(stack, _LEVELS)]


def _trusted(labels: Labels, edge: Field) -> Ids:
    sizes = np.bincount(labels.ravel())
    inner, border = _inside_and_border(labels, edge)
    contrast = np.where(sizes >= _LEAST_PIXELS, border / np.maximum(inner, 1e-6), -1.0)
    contrast[0] = -1.0
    large = contrast > 0
    if not large.any():
        return np.zeros(labels.shape, np.int32)
    kept = large & (contrast >= np.quantile(contrast[large], 1 - _TRUSTED))
    numbers = np.zeros(len(sizes), np.int32)
    numbers[kept] = np.arange(1, int(kept.sum()) + 1)
    return np.asarray(numbers[labels], np.int32)


def _inside_and_border(labels: Labels, edge: Field) -> tuple[NDArray[np.float64], ...]:
    """Return the mean gradient of each region's inner pixels and of its border."""
    low, high = ndimage.minimum_filter(labels, 3), ndimage.maximum_filter(labels, 3)
    rim = low != high
    inner = ndimage.minimum_filter(labels, 7) == ndimage.maximum_filter(labels, 7)
    count = int(labels.max()) + 1
    means = []
    for where in (inner, rim):
        number = np.bincount(labels[where], minlength=count)
        total = np.bincount(labels[where], edge[where].astype(float), count)
        means.append(np.where(number > 0, total / np.maximum(number, 1), np.nan))
    return np.where(np.isnan(means[0]), means[1], means[0]), np.nan_to_num(means[1])
