"""Incomes: what a farmer's harvest brings in every scenario of the stress, reckoned at once.

Owns the short way to the very draws of `lending.profile.income`: scenarios share the parcel's own
luck, a fall of prices is a factor, and of the crops that a parcel may bear each draw is reckoned
for the one that it takes. What year and market do to a crop is reckoned once for all its growers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from fieldline.lending.profile.income import Draws, IncomeModel, ParcelValue, Places, by_parcel

_Shared = tuple[Draws, Draws]
"""What year, and year and market together, multiply the middle yield and value of a crop by."""
_MOST_KEPT = 512


@dataclass
class Harvests:
    """Draws of what harvests bring, per draw: before and after a price is multiplied."""

    gross: Draws
    paid: Draws
    """By insurance, which pays for a yield and never for a price."""
    charges: Draws

    def at(self, price_factor: float) -> Draws:
        """Return the income with all prices multiplied by a factor."""
        return np.asarray(price_factor * self.gross + self.paid - self.charges)


@dataclass
class Incomes:
    """The incomes of many farmers under years as drawn or years that stand at a quantile."""

    model: IncomeModel
    quantiles: tuple[float | None, ...] = (None,)
    """Of the years, one each; None for years as drawn."""
    _models: list[IncomeModel] = field(init=False)
    _kept: dict[tuple[object, ...], _Shared] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the model of each quantile."""
        self._models = [replace(self.model, year_quantile=one) for one in self.quantiles]

    def of(self, values: Iterable[ParcelValue]) -> list[Harvests]:
        """Return a farmer's harvests for each of the quantiles.

        Args:
            values: What the income of the farmer is drawn of; values of one parcel are the crops
                that it may bear.
        """
        draws = self.model.draws
        charges = np.zeros(draws)
        found = [Harvests(np.zeros(draws), np.zeros(draws), charges) for _ in self.quantiles]
        for name, crops in by_parcel(values):
            own = self.model.own(name)
            chosen = None if len(crops) == 1 else self.model.chosen(name, crops)
            for number, value in enumerate(crops):
                where = None if chosen is None else np.flatnonzero(chosen == number)
                if where is None or len(where):
                    self._add(found, value, own, where)
        return found

    def _add(
        self, found: list[Harvests], value: ParcelValue, own: Draws, where: Places | None
    ) -> None:
        """Add one crop in the draws that take it, in all of them where there is no other."""
        into = slice(None) if where is None else where
        luck = np.exp(value.own_log_sd * own[into])
        found[0].charges[into] += value.charges_minor
        for harvests, model in zip(found, self._models, strict=True):
            grown, sold = self._shared(model, value)
            harvests.gross[into] += (value.area_ha * model.middle_gross(value)) * luck * sold[into]
            if value.insured_minor_ha:
                insured = model.insured(grown[into] * luck)
                harvests.paid[into] += (value.area_ha * value.insured_minor_ha) * insured

    def _shared(self, model: IncomeModel, value: ParcelValue) -> _Shared:
        key = (
            model.year_quantile, value.shock_group, value.cell, value.shared_log_sd, value.crop,
            value.price_log_sd,
        )  # fmt: skip
        if key not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            grown = np.exp(value.shared_log_sd * model.year(value))
            self._kept[key] = grown, grown * np.exp(value.price_log_sd * model.market(value.crop))
        return self._kept[key]
