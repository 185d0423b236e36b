"""Which outlines cover the same ground: pairs with their common area and its likeness and shape.

Owns the spatial join of a county with itself, for intake and evidence alike; who is right is
evidence's question. Candidate pairs come from an STR-tree and are dropped early where even their
boxes cannot overlap enough, so that a wall-to-wall county of a million parcels costs a few
intersections per parcel; outlines go through in chunks, so that memory holds one chunk's pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import shapely

from fieldline.pipeline.parcels.rings import Floats, Geometries

Ints = npt.NDArray[np.int64]

_CHUNK = 100_000


@dataclass(frozen=True)
class Pairs:
    """Overlapping pairs (first < second), ordered by their positions."""

    first: Ints
    second: Ints
    area: Floats
    """Common area, square units of the coordinates."""
    smaller_share: Floats
    """Common area over the area of the smaller outline, 0..1."""
    iou: Floats
    """Intersection over union, 0..1."""
    width: Floats
    """Mean thickness of the common ground: 2 x area / perimeter (the width of a long strip)."""

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class _Outlines:
    """The outlines with what every chunk needs of them, reckoned once."""

    shapes: Geometries
    areas: Floats
    boxes: Floats
    tree: shapely.STRtree


def overlapping_pairs(geometries: Geometries, min_share: float = 0.0) -> Pairs:
    """Return all pairs whose common area reaches `min_share` of the smaller outline.

    Args:
        geometries: Valid polygons in one planar coordinate system, none missing.
        min_share: Least share of the smaller outline, 0..1; 0 finds all that share ground. Pairs
            that only touch share none.
    """
    shapes = np.asarray(geometries, dtype=object)
    outlines = _Outlines(
        shapes, shapely.area(shapes), shapely.bounds(shapes).reshape(-1, 4), shapely.STRtree(shapes)
    )
    starts = range(0, max(1, len(shapes)), _CHUNK)
    chunks = [_pairs_of(outlines, start, min_share) for start in starts]
    names = [field.name for field in fields(Pairs)]
    return Pairs(*(np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in names))


def _pairs_of(outlines: _Outlines, start: int, min_share: float) -> Pairs:
    """Return the pairs whose first outline lies in the chunk that begins at `start`."""
    first, second = _candidates(outlines, start, min_share)
    shared = shapely.intersection(outlines.shapes[first], outlines.shapes[second])
    common = shapely.area(shared)
    own, other = outlines.areas[first], outlines.areas[second]
    smaller = np.minimum(own, other)
    keep = (common > 0) & (common >= min_share * smaller)
    first, second, shared, common = first[keep], second[keep], shared[keep], common[keep]
    own, other, smaller = own[keep], other[keep], smaller[keep]
    width = 2 * common / shapely.length(shared)
    return Pairs(first, second, common, common / smaller, common / (own + other - common), width)


def _candidates(outlines: _Outlines, start: int, min_share: float) -> tuple[Ints, Ints]:
    """Return the ordered pairs whose boxes overlap enough for their outlines to do so."""
    query, second = outlines.tree.query(outlines.shapes[start : start + _CHUNK])
    first = query + start
    once = first < second
    first, second = first[once], second[once]
    boxes, areas = outlines.boxes, outlines.areas
    low = np.maximum(boxes[first, :2], boxes[second, :2])
    high = np.minimum(boxes[first, 2:], boxes[second, 2:])
    overlap = np.prod(np.clip(high - low, 0, None), axis=1)
    likely = (overlap > 0) & (overlap >= min_share * np.minimum(areas[first], areas[second]))
    first, second = first[likely], second[likely]
    order = np.lexsort((second, first))
    return first[order], second[order]
