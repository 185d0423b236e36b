"""Leases held against the harvest that repays the line: one that ends before it counts no longer.

Owns what becomes of a rented parcel's code and area once its harvest is known. Which paper is a
lease in force at the as-of date is `crosscheck`'s, which harvest repays is `profile`'s.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from fieldline.lending.codes import strongest


def counted_at_harvest(evidence: pd.DataFrame, harvests: pd.DataFrame) -> pd.DataFrame:
    """Return evidence as it counts at each parcel's repayment harvest.

    Where the lease that upholds a parcel, or adds land to it, ends before the last day of a harvest
    that it may bear, nobody knows who will farm it then: `lease_ends` takes the place of
    `lease_upheld` or stands beside the other codes, and the parcel counts as it would without the
    lease.

    Args:
        evidence: Rows with the columns of `EVIDENCE` named `parcel_id`, `codes`, `effect`,
            `evidence_area_m2`, `lease_to` and `unleased_area_m2` (m2), and any others.
        harvests: `HARVESTS` rows.
    """
    if evidence["lease_to"].isna().all():
        return evidence
    cut = (
        pd.to_datetime(harvests["harvest_by"], errors="coerce").groupby(harvests["parcel_id"]).max()
    )
    ends = pd.to_datetime(evidence["lease_to"], errors="coerce")
    over = (evidence["parcel_id"].map(cut) > ends).to_numpy(dtype=bool)
    if not over.any():
        return evidence
    codes = [
        _without_lease(found) if ended else list(found)
        for found, ended in zip(evidence["codes"], over, strict=True)
    ]
    return evidence.assign(
        codes=pd.Series(codes, evidence.index),
        effect=[
            strongest(found) if ended else effect
            for found, effect, ended in zip(codes, evidence["effect"], over, strict=True)
        ],
        evidence_area_m2=evidence["evidence_area_m2"].mask(over, evidence["unleased_area_m2"]),
    )


def _without_lease(codes: Iterable[str]) -> list[str]:
    kept = ["lease_ends" if code == "lease_upheld" else code for code in codes]
    return kept if "lease_ends" in kept else [*kept, "lease_ends"]
