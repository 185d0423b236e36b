"""Valuing: what the parcels of a county are worth, some of them at a time.

Owns what must be known of the whole county before any parcel of it can be valued, and the three
harvests of the parcels that are asked for: a parcel's values are a kilobyte of objects, so those of
a county are never held together. How a harvest is told and what it brings is elsewhere.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from fieldline.lending.documents.facts import ParcelPapers
from fieldline.lending.evidence.leases import counted_at_harvest
from fieldline.lending.profile.by_area import AreaWorth
from fieldline.lending.profile.crop_value import CropValue, Norm
from fieldline.lending.profile.harvest import (
    Horizon,
    next_harvests,
    repayment_harvests,
    season_harvests,
)
from fieldline.lending.profile.income import ParcelValue
from fieldline.lending.profile.rotation import Rotation
from fieldline.lending.profile.worth import parcel_values
from fieldline.lending.settings import PolicySettings

Values = Mapping[str, Sequence[ParcelValue]]
"""What one harvest of each parcel may be worth, by parcel."""


@dataclass(frozen=True)
class Valued:
    """Parcels with their harvests."""

    parcels: pd.DataFrame
    """As they count at the harvest that repays."""
    harvests: pd.DataFrame
    """HARVESTS rows of that harvest."""
    repaying: Values
    season: Values
    ahead: Values


@dataclass(frozen=True)
class Valuing:
    """What is known of the whole county."""

    as_of: dt.date
    policy: PolicySettings
    currency: str
    crops: Mapping[str, CropValue]
    rotation: Rotation
    areas: Mapping[str, AreaWorth]
    norms: Mapping[str, Norm]
    papers: Mapping[str, ParcelPapers] = field(default_factory=dict)
    """By parcel."""

    def of(self, parcels: pd.DataFrame) -> Valued:
        """Return what parcels are worth.

        Args:
            parcels: Evidence joined with yields, hazards and history, one row per parcel.
        """
        horizon = Horizon(self.as_of, self.policy.tenor_days)
        repaying = repayment_harvests(
            parcels, self.crops, self.rotation, horizon, self.policy, self.areas, self.norms
        )
        season = season_harvests(parcels, self.crops, self.as_of, self.areas, self.norms)
        ahead = next_harvests(
            parcels, self.crops, self.rotation, self.as_of, self.policy, self.areas, self.norms
        )
        counted = counted_at_harvest(parcels, repaying)
        return Valued(
            counted, repaying, self._values(counted, repaying),
            *(self._values(counted_at_harvest(parcels, one), one) for one in (season, ahead)),
        )  # fmt: skip

    def _values(self, counted: pd.DataFrame, harvests: pd.DataFrame) -> Values:
        return parcel_values(counted, harvests, self.papers, self.policy, self.currency)
