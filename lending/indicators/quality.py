"""Data quality: how much is known, and how far the sources agree."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fieldline.lending.indicators.joined import Joined


def clear_dates(known: Joined) -> pd.Series[float]:
    """Clear satellite dates of the season."""
    return known.mean("growth.clear_dates")


def crop_certainty(known: Joined) -> pd.Series[float]:
    """Probability of the crop seen."""
    return known.mean("crops.probability")


def plausible_crops(known: Joined) -> pd.Series[float]:
    """Crops that the images leave plausible."""
    sizes = [
        None if members is None or len(members) == 0 else float(len(members))
        for members in known.parcels["crops.prediction_set"].map(
            lambda value: value if isinstance(value, np.ndarray | list) else None
        )
    ]
    return known.per_farmer(pd.Series(sizes, index=known.parcels.index, dtype="float64"))


def counted_area_share(known: Joined) -> pd.Series[float]:
    """Area that counts over the area declared."""
    declared = known.parcels["evidence.declared_area_m2"].fillna(known.parcels["parcels.area"])
    return known.per_farmer(known.parcels["evidence.evidence_area_m2"] / declared)


def registered_share(known: Joined) -> pd.Series[float]:
    """Share of the land of which the registry has a row."""
    return known.share(known.parcels["evidence.registry_area_m2"].notna())


def unvalued_share(known: Joined) -> pd.Series[float]:
    """Share of the declared parcels without yield and price."""
    declared = known.money("parcels")
    return 1 - known.money("parcels_valued") / declared.where(declared > 0)


def pixels(known: Joined) -> pd.Series[float]:
    """Pixels of the parcel that has fewest."""
    found = known.parcels["fields.pixels"].astype(float)
    return found.groupby(known.parcels["farmer"]).min()
