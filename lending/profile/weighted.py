"""Area-weighted means of parcels, kept as sum and area so that a household's is its farmers'.

Owns this arithmetic alone; a parcel whose value is unknown weighs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

Weighted = tuple[float, float]
"""Area-weighted sum, and the area of the known values."""


def weighted(parcels: pd.DataFrame, column: str) -> Weighted:
    """Return a column's sum over parcels, weighted by evidence area."""
    known = parcels[parcels[column].notna()]
    area = known["evidence_area_m2"]
    return float((known[column].astype("float64") * area).sum()), float(area.sum())


def summed(parts: Sequence[Weighted]) -> Weighted:
    """Return the sum of several."""
    return sum(part[0] for part in parts), sum(part[1] for part in parts)


def mean_of(part: Weighted) -> float | None:
    """Return the mean, None where no area is known."""
    return part[0] / part[1] if part[1] > 0 else None
