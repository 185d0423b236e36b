"""Confidence: how surely the crops on a farmer's land were told, as the decision tables ask it.

Owns the least probability over the parcels; how a crop is told is the crop model's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from fieldline.lending.decision.case import ParcelCase
from fieldline.pipeline.records.tables import read_table

_PERMILLE = Decimal("0.001")


def read_confidence(crops: Path | None) -> dict[str, Decimal]:
    """Return the probability of the crop that was told by parcel, without those that none was of.

    Args:
        crops: crops.parquet; None where no crop was told.
    """
    if crops is None:
        return {}
    told = read_table(crops, ["parcel_id", "probability", "cannot_tell"])
    told = told[~told["cannot_tell"] & told["probability"].notna()]
    return {
        str(parcel): Decimal(repr(float(chance))).quantize(_PERMILLE)
        for parcel, chance in zip(told["parcel_id"], told["probability"], strict=True)
    }


def least_confidence(parcels: Sequence[ParcelCase], told: Mapping[str, Decimal]) -> Decimal:
    """Return the least probability of any parcel's crop: what papers prove is sure, and what could
    not be told counts as 0.

    Args:
        parcels: The farmer's, blocked ones among them.
        told: As `read_confidence`.
    """
    found = [
        Decimal(1) if parcel.crop_basis == "proven" else told.get(parcel.parcel_id, Decimal(0))
        for parcel in parcels
    ]
    return min(found, default=Decimal(0))
