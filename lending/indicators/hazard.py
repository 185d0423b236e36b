"""Hazard: what the weather did to the crops of the season."""

from __future__ import annotations

import pandas as pd

from fieldline.lending.indicators.joined import Joined


def drought(known: Joined) -> pd.Series[float]:
    """Drought over the crop's stages."""
    return known.mean("hazards.drought")


def flood(known: Joined) -> pd.Series[float]:
    """Flood over the crop's stages."""
    return known.mean("hazards.flood")


def frost(known: Joined) -> pd.Series[float]:
    """Frost over the crop's stages."""
    return known.mean("hazards.frost")


def heat(known: Joined) -> pd.Series[float]:
    """Heat over the crop's stages."""
    return known.mean("hazards.heat")


def dry_spell(known: Joined) -> pd.Series[float]:
    """Longest dry spell of the season."""
    return known.mean("hazards.dry_spell_days")


def wet_spell(known: Joined) -> pd.Series[float]:
    """Longest wet spell of the season."""
    return known.mean("hazards.wet_spell_days")


def worst_hazard(known: Joined) -> pd.Series[float]:
    """Hazard index of the parcel that was hit hardest."""
    return known.worst(known.parcels["hazards.hazard_index"].astype(float))
