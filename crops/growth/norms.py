"""A parcel among the county's parcels of its crop: robust z and rank.

Owns the comparison, not what is compared. The centre is the median and the spread the median
absolute deviation, so that a tenth of failed fields does not move the norm.
"""

from __future__ import annotations

import pandas as pd

#: Scales a median absolute deviation to a standard deviation of normal data.
MAD_TO_SD = 1.4826


def county_norms(amount: pd.Series[float], crops: pd.Series[str], min_parcels: int) -> pd.DataFrame:
    """Place each parcel's amount among the county's parcels of the same crop.

    Args:
        amount: What is compared by parcel (the NDVI integral), NaN where it was not seen.
        crops: Crop by parcel, null where unknown.
        min_parcels: Groups smaller than this have no norm.

    Returns:
        `anomaly` (robust z: distance from the median over 1.4826 x median absolute deviation) and
        `percentile` (mid-rank 0..1) by parcel, NaN where no norm exists.
    """
    frame = pd.DataFrame({"amount": amount, "crop": crops.reindex(amount.index)})
    known = frame.dropna()
    grouped = known.groupby("crop")["amount"]
    centre = grouped.transform("median")
    spread = (known["amount"] - centre).abs().groupby(known["crop"]).transform("median") * MAD_TO_SD
    size = grouped.transform("size")
    enough = (size >= min_parcels) & (spread > 0)
    placed = pd.DataFrame(
        {
            "anomaly": ((known["amount"] - centre) / spread).where(enough),
            "percentile": ((grouped.rank() - 0.5) / size).where(enough),
        }
    )
    return placed.reindex(amount.index)
