"""Rotation: what the county grows, and what follows what on its parcels.

Owns the counting of crops over seasons; which of them may stand at a harvest is `harvest`'s.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pandas as pd

from fieldline.lending.settings import PolicySettings


class Rotation:
    """Which crop follows which, learnt from what was seen on the county's parcels."""

    def __init__(self, histories: Sequence[Sequence[str]], policy: PolicySettings) -> None:
        self._policy = policy
        self._after: dict[str, Counter[str]] = defaultdict(Counter)
        self._share: Counter[str] = Counter()
        for crops in histories:
            seen = [crop for crop in crops if crop != "unknown"]
            self._share.update(seen)
            for before, after in pairwise(crops):
                if "unknown" not in (before, after):
                    self._after[before][after] += 1

    def usual(self) -> dict[str, float]:
        """Return the county's share of each crop, over all seasons that were seen."""
        total = max(1, sum(self._share.values()))
        return {name: count / total for name, count in sorted(self._share.items())}

    def chances(self, crop: str) -> dict[str, float]:
        """Return the chance of each crop after this one; the same crop where nothing was seen.

        Counts of what followed are drawn towards the county's shares by `rotation_prior` parcels;
        crops below `rotation_least` are left to the others.
        """
        followed, all_seen = self._after.get(crop, Counter()), sum(self._share.values())
        if not self._after or all_seen == 0:
            return {crop: 1.0}
        prior, count = self._policy.rotation_prior, sum(followed.values())
        raw = {
            name: (followed[name] + prior * share / all_seen) / (count + prior)
            for name, share in self._share.items()
        }
        likely = {n: p for n, p in raw.items() if p >= self._policy.rotation_least} or {crop: 1.0}
        total = sum(likely.values())
        return {name: likely[name] / total for name in sorted(likely)}


def seen_or_declared(
    histories: Mapping[str, Sequence[str]], parcels: pd.DataFrame
) -> list[list[str]]:
    """Return the crops of each parcel by season, the last as declared where it is not up yet.

    In spring only winter crops are seen: counted alone they would seem to follow every crop.

    Args:
        histories: Crops by season, oldest first, by parcel.
        parcels: Evidence of the season.
    """
    waiting = {
        parcel: crop
        for parcel, crop, codes in zip(
            parcels["parcel_id"], parcels["declared_crop"], parcels["codes"], strict=True
        )
        if "crop_not_yet_up" in codes
    }
    return [
        [*crops[:-1], str(waiting[parcel])] if parcel in waiting else list(crops)
        for parcel, crops in histories.items()
    ]
