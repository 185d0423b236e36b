"""Which outlines cover the same ground: pairs with their overlap and likeness.

Owns the spatial join of a county with itself; who is right is evidence's question. Candidate pairs
come from an STR-tree and are dropped early where even their boxes cannot overlap enough, so that a
wall-to-wall county of a million parcels costs a few intersections per parcel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from fieldline.pipeline.parcels.rings import Floats, Geometries

_CHUNK = 100_000


@dataclass(frozen=True)
class Pairs:
    """Overlapping pairs (first < second), ordered."""

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    smaller_share: Floats
    """Common area over the area of the smaller outline, 0..1."""
    iou: Floats
    """Intersection over union, 0..1."""


def overlapping_pairs(geometries: Geometries, min_share: float) -> Pairs:
    """Return all pairs whose common area reaches `min_share` of the smaller outline.

    Args:
        geometries: Valid polygons in one planar coordinate system, none missing.
        min_share: Least share of the smaller outline, 0..1.
    """
    tree = shapely.STRtree(geometries)
    chunks = [
        _pairs_of(geometries, tree, start, min_share)
        for start in range(0, max(1, len(geometries)), _CHUNK)
    ]
    first, second, share, iou = (np.concatenate(column) for column in zip(*chunks, strict=True))
    order = np.lexsort((second, first))
    return Pairs(first[order], second[order], share[order], iou[order])


def _pairs_of(
    geometries: Geometries, tree: shapely.STRtree, start: int, min_share: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats, Floats]:
    query, second = tree.query(geometries[start : start + _CHUNK])
    first = query + start
    first, second = first[first < second], second[first < second]
    areas = shapely.area(geometries)
    smaller = np.minimum(areas[first], areas[second])
    likely = _box_overlap(geometries, first, second) >= min_share * smaller
    first, second, smaller = first[likely], second[likely], smaller[likely]
    common = shapely.area(shapely.intersection(geometries[first], geometries[second]))
    keep = (common > 0) & (common >= min_share * smaller)
    first, second, smaller, common = first[keep], second[keep], smaller[keep], common[keep]
    return first, second, common / smaller, common / (areas[first] + areas[second] - common)


def _box_overlap(
    geometries: Geometries, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]
) -> Floats:
    boxes = shapely.bounds(geometries)
    low = np.maximum(boxes[first, :2], boxes[second, :2])
    high = np.minimum(boxes[first, 2:], boxes[second, 2:])
    width, height = np.clip(high - low, 0, None).T
    return np.asarray(width * height)
