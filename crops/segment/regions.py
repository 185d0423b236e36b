"""From probabilities to regions: basins of a border map, merged while they look like one field.

Owns the watershed and the average-linkage merging; needs no torch. Every pixel flows to its lowest
neighbour, so basins are found by array operations alone; basins then merge in order of the mean
same-field probability of the pairs across their border, until the best of them falls under one
half. The threshold is fixed beforehand: one that is chosen on training fields costs accuracy on
others.

Source: Meyer (1994) Topographic distance and watershed lines; Sokal and Michener (1958) for average
linkage.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from fieldline.crops.segment.pairs import FAR, MIDDLE, OFFSETS, Offset, shifted

Labels = NDArray[np.int32]
"""(rows, columns) number of the region of a pixel, from 1 on; 0 where there is none."""
Field = NDArray[np.float32]
_NEIGHBOURS = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]


def border_map(
    probability: Field, channels: Sequence[int] = MIDDLE, offsets: Sequence[Offset] = OFFSETS,
    smooth: float = 1.0,
) -> Field:  # fmt: skip
    """Return how much of a border each pixel is, (rows, columns).

    Args:
        probability: (pairs, rows, columns) same-field probability at the first pixel of each pair.
        channels: Pairs that count; each is laid on its middle.
        offsets: Pairs.
        smooth: Gaussian smoothing, pixels.
    """
    size = probability.shape[1], probability.shape[2]
    total, count = np.zeros(size, np.float32), np.zeros(size, np.float32)
    for at in channels:
        rows, columns = offsets[at]
        first, _ = shifted(size, offsets[at])
        part = 1.0 - probability[at][first]
        for share in ((rows // 2, columns // 2), (-(-rows // 2), -(-columns // 2))):
            place = tuple(
                slice(s.start + step, s.stop + step) for s, step in zip(first, share, strict=True)
            )
            total[place] += part
            count[place] += 1.0
    return np.asarray(ndimage.gaussian_filter(total / np.maximum(count, 1.0), smooth))


def basins(height: Field) -> Labels:
    """Return the catchment basins of a relief, every pixel in one.

    Each pixel flows to its lowest neighbour; level ground without a lower neighbour is one basin.

    Args:
        height: (rows, columns) relief.
    """
    rows, columns = height.shape
    number = np.arange(rows * columns).reshape(rows, columns)
    padded = np.pad(height, 1, constant_values=np.inf)
    lowest, target = height.copy(), number.copy()
    level = []
    for down, right in _NEIGHBOURS:
        other = padded[1 + down : 1 + down + rows, 1 + right : 1 + right + columns]
        lower = other < lowest
        lowest[lower] = other[lower]
        target[lower] = number[lower] + down * columns + right
        if (down, right) in ((0, 1), (1, 0), (1, 1), (1, -1)):
            level.append((other == height, down * columns + right))
    flat = target == number
    links = [np.stack([number[~flat], target[~flat]])]
    for equal, step in level:
        at = np.flatnonzero(equal)
        both = flat.ravel()[at] & flat.ravel()[at + step]
        links.append(np.stack([at[both], at[both] + step]))
    one, other = np.concatenate(links, axis=1)
    graph = coo_matrix((np.ones(len(one), bool), (one, other)), shape=(number.size, number.size))
    return np.asarray(connected_components(graph, directed=False)[1] + 1, np.int32).reshape(
        rows, columns
    )


def merged(
    labels: Labels, probability: Field, stop: float = 0.5, offsets: Sequence[Offset] = OFFSETS
) -> Labels:
    """Merge adjacent regions whose border pairs look like one field on average.

    Args:
        labels: Regions, numbered from 1 on.
        probability: (pairs, rows, columns) same-field probability.
        stop: Mean probability under which nothing merges.
        offsets: Pairs.

    Returns:
        Regions, numbered from 1 on without gaps.
    """
    edges = _crossings(labels, probability, offsets)
    root = np.arange(int(labels.max()) + 1)
    _link(edges, root, stop)
    while not np.array_equal(root, root[root]):
        root = root[root]
    kept = np.unique(root[1:])
    dense = np.zeros(len(root), np.int32)
    dense[kept] = np.arange(1, len(kept) + 1)
    return dense[root][labels]


def likeliest(
    probability: Field, channels: Sequence[int] = FAR, offsets: Sequence[Offset] = OFFSETS
) -> Field:
    """Return the probability of a pixel's likeliest pair: land in no field has none that is likely.

    Args:
        probability: (pairs, rows, columns) same-field probability at the first pixel of each pair.
        channels: Pairs that count, for both of their ends.
        offsets: Pairs.
    """
    size = probability.shape[1], probability.shape[2]
    found = np.zeros(size, np.float32)
    for at in channels:
        first, second = shifted(size, offsets[at])
        for end in (first, second):
            found[end] = np.maximum(found[end], probability[at][first])
    return found


def largest_pieces(labels: Labels) -> Labels:
    """Return the regions with their largest connected piece alone."""
    found = np.zeros_like(labels)
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        if box is None:
            continue
        mine = labels[box] == number
        pieces, count = ndimage.label(mine)
        if count > 1:
            mine = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
        found[box][mine] = number
    return found


Edges = dict[int, dict[int, list[float]]]
"""Of each region its neighbours with the sum and the number of pairs across."""


def _crossings(labels: Labels, probability: Field, offsets: Sequence[Offset]) -> Edges:
    """Return sums over the pairs across; pairs that reach over a third region tell of no border."""
    size, count = labels.shape, int(labels.max()) + 1
    keys, values, touching = [], [], []
    for at, offset in enumerate(offsets):
        first, second = shifted((size[0], size[1]), offset)
        one, other = labels[first], labels[second]
        across = (one != other) & (one > 0) & (other > 0)
        low = np.minimum(one[across], other[across]).astype(np.int64)
        key = low * count + np.maximum(one[across], other[across])
        keys.append(key)
        values.append(probability[at][first][across].astype(np.float64))
        if max(abs(offset[0]), abs(offset[1])) == 1:
            touching.append(key)
    unique, where = np.unique(np.concatenate(keys), return_inverse=True)
    sums = np.bincount(where, np.concatenate(values), len(unique))
    numbers = np.bincount(where, minlength=len(unique)).astype(float)
    edges: Edges = {}
    for place in np.flatnonzero(np.isin(unique, np.concatenate(touching))):
        region, neighbour = divmod(int(unique[place]), count)
        entry = [float(sums[place]), float(numbers[place])]
        edges.setdefault(region, {})[neighbour] = entry
        edges.setdefault(neighbour, {})[region] = entry
    return edges


def _link(edges: Edges, root: NDArray[Any], stop: float) -> None:
    """Merge the most alike pair again and again; `root` tells each region where it went."""
    heap = [
        (-entry[0] / entry[1], one, other, entry[1])
        for one, near in edges.items()
        for other, entry in near.items()
        if one < other and entry[0] / entry[1] > stop
    ]
    heapq.heapify(heap)
    while heap:
        _, one, other, number = heapq.heappop(heap)
        entry = edges.get(one, {}).get(other)
        if entry is None or entry[1] != number:
            continue
        if len(edges[one]) < len(edges[other]):
            one, other = other, one
        root[other] = one
        for third, far in edges.pop(other).items():
            del edges[third][other]
            if third == one:
                continue
            near = edges[one].get(third)
            total = far if near is None else [near[0] + far[0], near[1] + far[1]]
            edges[one][third] = edges[third][one] = total
            if total[0] / total[1] > stop:
                low, high = min(one, third), max(one, third)
                heapq.heappush(heap, (-total[0] / total[1], low, high, total[1]))
