"""Pairs of pixels: what the network says, and what a few drawn polygons tell about it.

Owns the offsets and the labels. The one idea: whether two pixels lie in the same field is known for
every pair with one end in a drawn polygon, so nothing has to be guessed about the land around the
few fields that somebody drew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Offset = tuple[int, int]
"""Rows and columns from the first pixel of a pair to the second, in output pixels."""

OFFSETS: tuple[Offset, ...] = (
    (0, 1), (1, 0),
    (0, 3), (3, 0), (2, 2), (2, -2),
    (0, 8), (8, 0),
)  # fmt: skip
"""Pairs 5 m, about 15 m and 40 m apart on the 5 m output grid."""
KIND = "field_segmentation"
"""Kind of network, as its folder says."""
UPSCALE = 2
"""Output pixels per input pixel: borders are drawn at 5 m from 10 m bands."""
NEAR = (0, 1)
"""Channels of neighbouring pixels."""
MIDDLE = (2, 3, 4, 5)
"""Channels of pairs about 15 m apart."""

Ids = NDArray[np.int32]
"""(rows, columns) number of the polygon on a pixel, from 1 on; 0 where nobody drew."""


def shifted(size: tuple[int, int], offset: Offset) -> tuple[tuple[slice, slice], ...]:
    """Return the slices of the first and of the second pixels of all pairs of an offset.

    Args:
        size: Rows and columns.
        offset: The offset.
    """
    rows, columns = offset
    height, width = size
    left = max(0, -columns)
    bottom, right = max(0, height - rows), max(left, width - max(0, columns))
    first = (slice(0, bottom), slice(left, right))
    second = (slice(rows, rows + bottom), slice(left + columns, right + columns))
    return first, second


def pair_labels(ids: Any, offsets: Sequence[Offset] = OFFSETS) -> tuple[Any, Any]:
    """Return what is known about every pair.

    Args:
        ids: (batch, rows, columns) polygon numbers, a torch tensor.
        offsets: Pairs.

    Returns:
        (batch, pairs, rows, columns) 1 where both ends lie in one polygon, and where that is known;
        a pair stands at its first pixel, pairs that leave the raster are not known.
    """
    import torch

    shape = (ids.shape[0], len(offsets), *ids.shape[1:])
    same = torch.zeros(shape, dtype=torch.float32, device=ids.device)
    known = torch.zeros(shape, dtype=torch.bool, device=ids.device)
    for at, offset in enumerate(offsets):
        first, second = shifted((ids.shape[1], ids.shape[2]), offset)
        one, other = ids[:, *first], ids[:, *second]
        same[:, at, *first] = ((one == other) & (one > 0)).float()
        known[:, at, *first] = (one > 0) | (other > 0)
    return same, known


def pair_loss(logits: Any, ids: Any, offsets: Sequence[Offset] = OFFSETS) -> Any:
    """Return the cross-entropy of pairs, averaged apart for same and different and per offset.

    Averaged so, one half is the threshold by construction: borders are rare, and a plain mean would
    let them drown.

    Args:
        logits: (batch, pairs, rows, columns).
        ids: (batch, rows, columns) polygon numbers.
        offsets: Pairs.
    """
    import torch

    same, known = pair_labels(ids, offsets)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, same, reduction="none")
    parts = []
    for kind in (known & (same > 0), known & (same == 0)):
        count = kind.sum(dim=(0, 2, 3))
        total = (loss * kind).sum(dim=(0, 2, 3))
        parts.append((total / count.clamp(min=1))[count > 0])
    return torch.cat(parts).mean() if sum(len(p) for p in parts) else logits.sum() * 0.0
