"""Claims: which of the pairs of parcels on the same ground are a dispute.

Owns the rule that tells a double claim from two honest neighbours. The pairs come from
`pipeline.parcels.overlaps`; it knows no registry: who is right is evidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from fieldline.lending.settings import EvidenceSettings
from fieldline.pipeline.parcels.overlaps import Pairs


def disputed(pairs: Pairs, settings: EvidenceSettings) -> npt.NDArray[np.bool_]:
    """Whether each overlap is a claim on the same ground rather than a shared edge drawn twice.

    Two neighbours who walk their common edge with a phone overlap in a strip as thin as the
    phone's error; on a narrow field that strip can pass both thresholds, so its thickness counts.

    Args:
        pairs: Overlaps in a metric CRS.
        settings: Tolerances.
    """
    share = pairs.smaller_share
    large = (pairs.iou >= settings.claim_iou) | (share >= settings.claim_overlap)
    thick = pairs.width >= settings.gps_tolerance_m
    return np.asarray(large & (thick | (share >= settings.claim_wobble_share)))


def _disputes(
    pairs: Pairs, applicants: Sequence[str], settings: EvidenceSettings, *, own: bool
) -> Iterator[tuple[int, int, float]]:
    """Yield first, second and area, m2, of the disputes of one applicant or between two."""
    chosen = disputed(pairs, settings)
    columns = (pairs.first, pairs.second, pairs.area)
    for first, second, area in zip(*(c[chosen].tolist() for c in columns), strict=True):
        if (applicants[first] == applicants[second]) == own:
            yield first, second, area


def rivals(
    pairs: Pairs, applicants: Sequence[str], settings: EvidenceSettings
) -> dict[int, list[int]]:
    """Return, for each disputed parcel, the parcels of other applicants on its ground."""
    found: dict[int, list[int]] = defaultdict(list)
    for first, second, _ in _disputes(pairs, applicants, settings, own=False):
        found[first].append(second)
        found[second].append(first)
    return dict(found)


def disputed_area(
    pairs: Pairs, applicants: Sequence[str], settings: EvidenceSettings
) -> dict[int, float]:
    """Return the area, m2, of each parcel that other applicants claim too."""
    found: dict[int, float] = defaultdict(float)
    for first, second, area in _disputes(pairs, applicants, settings, own=False):
        found[first] += area
        found[second] += area
    return dict(found)


def counted_twice(
    pairs: Pairs, applicants: Sequence[str], settings: EvidenceSettings
) -> dict[int, float]:
    """Return the area, m2, of each parcel that an earlier parcel of its applicant already holds."""
    found: dict[int, float] = defaultdict(float)
    for _, second, area in _disputes(pairs, applicants, settings, own=True):
        found[second] += area
    return dict(found)
