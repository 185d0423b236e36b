"""Claims: which parcels lie on the same ground, and which of these pairs are a dispute.

Owns exact pairwise overlaps (an STR-tree finds candidates, the intersection decides) and the rule
that tells a double claim from two honest neighbours. Knows no registry: who is right is evidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from fieldline.lending.settings import EvidenceSettings


@dataclass(frozen=True)
class Overlap:
    """Two parcels that share ground."""

    first: int
    """Position of the first parcel."""
    second: int
    """Position of the second parcel, always behind the first."""
    area_m2: float
    """Shared area, m2."""
    iou: float
    """Intersection over union."""
    share: float
    """Shared part of the smaller parcel."""
    width_m: float
    """Mean thickness of the shared ground: 2 x area / perimeter, m (the width of a long strip)."""


def overlaps(geometries: npt.NDArray[np.object_]) -> list[Overlap]:
    """Return every pair of polygons whose interiors share ground, exactly.

    Args:
        geometries: Valid polygons in a metric CRS.

    Returns:
        Pairs ordered by position; pairs that only touch are left out.
    """
    left, right = _candidates(geometries)
    shared = shapely.intersection(geometries[left], geometries[right])
    area = shapely.area(shared)
    inside = area > 0
    left, right, shared, area = left[inside], right[inside], shared[inside], area[inside]
    own = shapely.area(geometries)
    iou = area / (own[left] + own[right] - area)
    share = area / np.minimum(own[left], own[right])
    width = 2 * area / shapely.length(shared)
    columns = (left, right, area, iou, share, width)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [Overlap(*row) for row in rows]


def _candidates(
    geometries: npt.NDArray[np.object_],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    if len(geometries) == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    left, right = shapely.STRtree(geometries).query(geometries, predicate="intersects")
    once = left < right
    left, right = left[once], right[once]
    order = np.lexsort((right, left))
    return left[order], right[order]


def disputed(overlap: Overlap, settings: EvidenceSettings) -> bool:
    """Whether an overlap is a claim on the same ground rather than a shared edge drawn twice.

    Two neighbours who walk their common edge with a phone overlap in a strip as thin as the
    phone's error; on a narrow field that strip can pass both thresholds, so its thickness counts.
    """
    large = overlap.iou >= settings.claim_iou or overlap.share >= settings.claim_overlap
    thick = overlap.width_m >= settings.gps_tolerance_m
    return large and (thick or overlap.share >= settings.claim_wobble_share)


def rivals(
    pairs: Sequence[Overlap], applicants: Sequence[str], settings: EvidenceSettings
) -> dict[int, list[int]]:
    """Return, for each disputed parcel, the parcels of other applicants on its ground."""
    found: dict[int, list[int]] = defaultdict(list)
    for pair in pairs:
        if applicants[pair.first] != applicants[pair.second] and disputed(pair, settings):
            found[pair.first].append(pair.second)
            found[pair.second].append(pair.first)
    return dict(found)


def disputed_area(
    pairs: Sequence[Overlap], applicants: Sequence[str], settings: EvidenceSettings
) -> dict[int, float]:
    """Return the area, m2, of each parcel that other applicants claim too."""
    found: dict[int, float] = defaultdict(float)
    for pair in pairs:
        if applicants[pair.first] != applicants[pair.second] and disputed(pair, settings):
            found[pair.first] += pair.area_m2
            found[pair.second] += pair.area_m2
    return dict(found)


def counted_twice(
    pairs: Sequence[Overlap], applicants: Sequence[str], settings: EvidenceSettings
) -> dict[int, float]:
    """Return the area, m2, of each parcel that an earlier parcel of its applicant already holds."""
    found: dict[int, float] = defaultdict(float)
    for pair in pairs:
        if applicants[pair.first] == applicants[pair.second] and disputed(pair, settings):
            found[pair.second] += pair.area_m2
    return dict(found)
