"""Outlooks: what harvests bring: the one that repays, this season's, and the one after it.

Owns the three sums and their quantiles, which are columns of PROFILES; which harvest repays a line
is `harvest`'s. This season's is an estimate that narrows by the day, the next one a prediction of
a year of which nothing is known, so they have quantiles of their own. A household's come from the
very draws of its farmers, so draws are held for one household at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fieldline.lending.profile.income import Draws, IncomeModel, ParcelValue, quantiles

Quantiles = tuple[int, int, int]
"""q10, q50 and q90, minor units."""
_NAMES = ("q10", "q50", "q90")


@dataclass(frozen=True)
class Harvests:
    """Values of a farmer's parcels by the harvest that they are of."""

    repaying: Sequence[ParcelValue] = ()
    season: Sequence[ParcelValue] = ()
    ahead: Sequence[ParcelValue] = ()


@dataclass(frozen=True)
class Outlooks:
    """What harvests bring; None where no parcel has one."""

    repaying: Quantiles = (0, 0, 0)
    """0 where no parcel has one."""
    season: Quantiles | None = None
    ahead: Quantiles | None = None

    def columns(self) -> dict[str, int | None]:
        """Return the quantiles as columns of PROFILES."""
        told: dict[str, int | None] = {}
        for name, said in (("", self.repaying), ("season_", self.season), ("next_", self.ahead)):
            values = (None, None, None) if said is None else said
            told |= {f"{name}income_{q}_minor": v for q, v in zip(_NAMES, values, strict=True)}
        return told


def of_farmers(
    owners: Mapping[str, str], values: Mapping[str, Sequence[ParcelValue]]
) -> dict[str, list[ParcelValue]]:
    """Return the values of parcels by their farmer.

    Args:
        owners: Farmer by parcel.
        values: Values of one harvest by parcel.
    """
    own: dict[str, list[ParcelValue]] = defaultdict(list)
    for parcel, found in values.items():
        own[owners[parcel]].extend(found)
    return dict(own)


def household_outlooks(
    members: Sequence[Harvests], model: IncomeModel
) -> tuple[list[Outlooks], Outlooks]:
    """Return the outlooks of the farmers of a household, and of the household: draw by draw.

    Args:
        members: Harvests of each farmer.
        model: Joint draws.
    """
    parts = [
        (model.total(own.repaying), _known(own.season, model), _known(own.ahead, model))
        for own in members
    ]
    repaying = np.sum([part[0] for part in parts], axis=0)
    whole = Outlooks(
        quantiles(repaying), _sum([part[1] for part in parts]), _sum([part[2] for part in parts])
    )
    return [Outlooks(quantiles(one), _of(two), _of(three)) for one, two, three in parts], whole


def _known(values: Sequence[ParcelValue], model: IncomeModel) -> Draws | None:
    return model.total(values) if values else None


def _of(draws: Draws | None) -> Quantiles | None:
    return None if draws is None else quantiles(draws)


def _sum(draws: Sequence[Draws | None]) -> Quantiles | None:
    known = [one for one in draws if one is not None]
    return quantiles(np.asarray(np.sum(known, axis=0))) if known else None
