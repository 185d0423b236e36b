"""Pairs of pixels: what the network says, and what a few drawn polygons tell about it.

Owns the offsets and the labels. The one idea: whether two pixels lie in the same field is known for
every pair with one end in a drawn polygon, so nothing has to be guessed about the land around the
few fields that somebody drew. Where every field was drawn, pairs outside them are known too: they
lie in no field, and so not in the same one.
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
FAR = (6, 7)
"""Channels of pairs 40 m apart."""

Ids = NDArray[np.int32]
"""(rows, columns) number of the polygon on a pixel, from 1 on; 0 where nobody drew."""
NO_FIELD = -1
"""Number of a pixel that lies in no field, which is known only where every field was drawn."""


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


def pair_labels(ids: Any, offsets: Sequence[Offset] = OFFSETS) -> tuple[Any, Any, Any]:
    """Return what is known about every pair.

    Args:
        ids: (batch, rows, columns) polygon numbers and `NO_FIELD`, a torch tensor.
        offsets: Pairs.

    Returns:
        (batch, pairs, rows, columns) whether both ends lie in one polygon, whether one end lies in
        a polygon and the other does not, and whether neither lies in a field. A pair stands at its
        first pixel; of pairs that leave the raster, and of those between land that nobody looked
        at, nothing is known.
    """
    import torch

    shape = (ids.shape[0], len(offsets), *ids.shape[1:])
    same, apart, barren = (
        torch.zeros(shape, dtype=torch.bool, device=ids.device) for _ in range(3)
    )
    for at, offset in enumerate(offsets):
        first, second = shifted((ids.shape[1], ids.shape[2]), offset)
        one, other = ids[:, *first], ids[:, *second]
        drawn = (one > 0) | (other > 0)
        same[:, at, *first] = drawn & (one == other)
        apart[:, at, *first] = drawn & (one != other)
        barren[:, at, *first] = ~drawn & ((one == NO_FIELD) | (other == NO_FIELD))
    return same, apart, barren


def pair_loss(logits: Any, ids: Any, offsets: Sequence[Offset] = OFFSETS) -> Any:
    """Return the cross-entropy of pairs, averaged apart by kind of pair and per offset.

    Averaged so, one half is the threshold by construction: borders are rare, and a plain mean would
    let them drown.

    Args:
        logits: (batch, pairs, rows, columns).
        ids: (batch, rows, columns) polygon numbers and `NO_FIELD`.
        offsets: Pairs.
    """
    import torch

    kinds = pair_labels(ids, offsets)
    same = kinds[0].to(logits.dtype)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, same, reduction="none")
    parts = []
    for kind in kinds:
        count = kind.sum(dim=(0, 2, 3))
        total = (loss * kind).sum(dim=(0, 2, 3))
        parts.append((total / count.clamp(min=1))[count > 0])
    return torch.cat(parts).mean() if sum(len(p) for p in parts) else logits.sum() * 0.0
