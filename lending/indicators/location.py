"""Location: where the land lies and how it is cut."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fieldline.lending.indicators.joined import Joined


def scatter_km(known: Joined) -> pd.Series[float]:
    """Diagonal of the box around the farmer's parcels."""
    owner = known.parcels["farmer"]
    wide, high = (
        known.parcels[axis].groupby(owner).max() - known.parcels[axis].groupby(owner).min()
        for axis in ("parcels.east", "parcels.north")
    )
    return (wide**2 + high**2) ** 0.5 / 1000


def compactness(known: Joined) -> pd.Series[float]:
    """Area of a parcel over that of a circle with its perimeter."""
    around = known.parcels["parcels.metrics:perimeter"].astype(float)
    return known.per_farmer(
        4 * np.pi * known.parcels["parcels.area"] / around.where(around > 0) ** 2
    )


def parcel_size(known: Joined) -> pd.Series[float]:
    """Mean area of a parcel, mu."""
    area = known.parcels["parcels.area"].groupby(known.parcels["farmer"]).mean()
    return area * 15 / 10_000


def protected_share(known: Joined) -> pd.Series[float]:
    """Share of the land inside protected areas."""
    inside = known.parcels["evidence.protected_m2"].astype(float)
    return known.per_farmer((inside / known.parcels["parcels.area"]).clip(upper=1))


def village_conflicts(known: Joined) -> pd.Series[float]:
    """Share of the parcels of the farmer's villages that a person or the registry disputes."""
    asks = known.parcels["evidence.effect"].isin(["review", "block"]).astype(float)
    return known.per_farmer(asks.groupby(known.parcels["parcels.village"]).transform("mean"))
