"""Outlooks: what a farmer's harvest of this season brings, and the one after it, whichever repays.

Owns the two sums and their columns of PROFILES; which harvest repays a line is `harvest`'s. The
first is an estimate that narrows by the day, the second a prediction of a year of which nothing is
known, so they have quantiles of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fieldline.lending.profile.income import Draws, IncomeModel, ParcelValue, quantiles

_NAMES = ("q10", "q50", "q90")


@dataclass(frozen=True)
class Outlooks:
    """Joint draws of the income of two harvests, minor units; None where no parcel has one."""

    season: Draws | None = None
    ahead: Draws | None = None

    def columns(self) -> dict[str, int | None]:
        """Return the quantiles as columns of PROFILES."""
        told: dict[str, int | None] = {}
        for name, draws in (("season", self.season), ("next", self.ahead)):
            said = (None, None, None) if draws is None else quantiles(draws)
            told |= {f"{name}_income_{q}_minor": v for q, v in zip(_NAMES, said, strict=True)}
        return told


def outlooks_of(
    owners: Mapping[str, str],
    season: Mapping[str, Sequence[ParcelValue]],
    ahead: Mapping[str, Sequence[ParcelValue]],
    model: IncomeModel,
) -> dict[str, Outlooks]:
    """Return both outlooks of each farmer who has a parcel with one.

    Args:
        owners: Farmer by parcel.
        season: Values of this season's harvest by parcel.
        ahead: Values of the next one.
        model: Joint draws.
    """
    both = [_totals(owners, values, model) for values in (season, ahead)]
    farmers = {*both[0], *both[1]}
    return {one: Outlooks(both[0].get(one), both[1].get(one)) for one in sorted(farmers)}


def _totals(
    owners: Mapping[str, str], values: Mapping[str, Sequence[ParcelValue]], model: IncomeModel
) -> dict[str, Draws]:
    own: dict[str, list[ParcelValue]] = defaultdict(list)
    for parcel, found in values.items():
        own[owners[parcel]].extend(found)
    return {farmer: model.total(found) for farmer, found in own.items()}


def added(parts: Sequence[Outlooks]) -> Outlooks:
    """Return the outlooks of farmers taken together, draw by draw."""
    return Outlooks(_sum([p.season for p in parts]), _sum([p.ahead for p in parts]))


def _sum(draws: Sequence[Draws | None]) -> Draws | None:
    known = [one for one in draws if one is not None]
    return np.asarray(np.sum(known, axis=0)) if known else None
