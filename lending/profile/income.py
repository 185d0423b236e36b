"""Income: quantiles of a sum of parcels that share weather and market.

Owns the joint draws. Yields of one crop and harvest year move together over the county, those of
its crops in one year and prices of all crops move partly together, and each parcel errs by itself,
so the lower quantile of a sum is drawn, never added. Where cells are named, only part of a year is
the county's and the rest each weather cell's own. Every stream is seeded by the name of what it
shakes: a farmer's income depends on no other farmer and no order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, groupby
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Draws = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

_QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class ParcelValue:
    """What one parcel is worth, as medians and log standard deviations."""

    parcel_id: str
    area_ha: float
    """Area that counts."""
    yield_t_ha: float
    """Median yield."""
    shared_log_sd: float
    """Log sd of the yield shock shared by `shock_group`."""
    own_log_sd: float
    """Log sd of the parcel's own yield error."""
    shock_group: str
    """Crop and harvest year, `maize|2025`."""
    price_minor_t: float
    """Median price per tonne."""
    price_log_sd: float
    """Log sd of the price, shared by `crop`."""
    crop: str
    cost_minor_ha: float
    """Cash cost per hectare, certain."""
    chance: float = 1.0
    """Chance that the parcel's harvest is of this crop."""
    rent_minor_ha: float = 0.0
    """Rent of leased land."""
    crop_share: float = 0.0
    """Landlord's share of the crop."""
    premium_minor_ha: float = 0.0
    """Insurance premium."""
    insured_minor_ha: float = 0.0
    """Sum insured."""
    cell: str = ""
    """Weather cell; empty where the year is the county's."""

    @property
    def charges_minor(self) -> float:
        """What the harvest must pay for: growing, rent and insurance."""
        yearly = self.cost_minor_ha + self.rent_minor_ha + self.premium_minor_ha
        return self.area_ha * yearly


@dataclass(frozen=True)
class IncomeModel:
    """The number of joint draws, their seed and the loss between field and sale."""

    draws: int
    seed: int
    loss_share: float = 0.0
    """Share of the yield lost between field and sale."""
    insurance_trigger: float = 1.0
    """Share of a yield that must be lost before insurance pays."""
    insurance_share: float = 0.0
    """Share of the sum insured times the loss that is counted on."""
    crops_yield_correlation: float = 0.0
    """Correlation of the log yields of two crops in one harvest year."""
    crops_price_correlation: float = 0.0
    """Correlation of the log prices of two crops."""
    cells_yield_correlation: float = 1.0
    """Correlation of the log yields of one crop in two weather cells in one harvest year."""
    year_quantile: float | None = None
    """Quantile at which every crop's year stands in every cell, in place of draws; parcels still
    err by themselves."""
    price_factor: float = 1.0
    """What every price is multiplied by."""

    def draw(self, parcel: ParcelValue) -> Draws:
        """Return draws of one parcel's income net of its charges, minor units.

        Income = area x (yield x price x (1 - loss) x (1 - landlord's share) + insurance - growing
        cost - rent - premium), with lognormal yield and price; insurance makes good part of a lost
        yield, never of a price.
        """
        grown = parcel.shared_log_sd * self.year(parcel)
        grown = grown + parcel.own_log_sd * self.own(parcel.parcel_id)
        price_log = parcel.price_log_sd * self.market(parcel.crop)
        gross = self.middle_gross(parcel) * np.exp(grown + price_log)
        paid = parcel.insured_minor_ha * self.insured(np.exp(grown))
        return np.asarray(parcel.area_ha * (gross + paid) - parcel.charges_minor)

    def middle_gross(self, parcel: ParcelValue) -> float:
        """Return what the farmer keeps per hectare of a yield and price in the middle."""
        kept = (1 - self.loss_share) * (1 - parcel.crop_share) * self.price_factor
        return parcel.yield_t_ha * parcel.price_minor_t * kept

    def own(self, parcel_id: str) -> Draws:
        """Return standard normal draws of what is a parcel's alone."""
        return _own_stream(self.seed, f"parcel:{parcel_id}", self.draws)

    def market(self, crop: str) -> Draws:
        """Return standard normal draws of a crop's price."""
        return self._common("market", f"price:{crop}", self.crops_price_correlation)

    def year(self, parcel: ParcelValue) -> Draws:
        """Return standard normal draws of what a parcel shares with its crop, year and cell."""
        if self.year_quantile is not None:
            return np.full(self.draws, NormalDist().inv_cdf(self.year_quantile))
        year, group = parcel.shock_group.partition("|")[2], parcel.shock_group
        county = self._common(f"year:{year}", f"yield:{group}", self.crops_yield_correlation)
        if not parcel.cell or self.cells_yield_correlation == 1:
            return county
        own = self._common(
            f"year:{year}@{parcel.cell}", f"yield:{group}@{parcel.cell}",
            self.crops_yield_correlation,
        )  # fmt: skip
        shared = self.cells_yield_correlation
        return np.asarray(np.sqrt(shared) * county + np.sqrt(1 - shared) * own)

    def insured(self, grown: Draws) -> Draws:
        """Return the share of the sum insured that is paid for yields, of the middle one."""
        lost = np.clip(1 - grown, 0.0, 1.0)
        return np.where(lost >= self.insurance_trigger, self.insurance_share * lost, 0.0)

    def total(self, parcels: Sequence[ParcelValue]) -> Draws:
        """Return draws of the sum over parcels, zeros for none.

        Values of one parcel are the crops that it may bear: each draw takes one of them.
        """
        total = np.zeros(self.draws)
        for name, crops in by_parcel(parcels):
            drawn = [self.draw(value) for value in crops]
            total += drawn[0] if len(crops) == 1 else np.choose(self.chosen(name, crops), drawn)
        return total

    def chosen(self, parcel_id: str, crops: Sequence[ParcelValue]) -> Places:
        """Return which of the crops that a parcel may bear each draw takes."""
        bounds = [min(p, 1.0) for p in accumulate(value.chance for value in crops[:-1])]
        edge = {0.0: float("-inf"), 1.0: float("inf")}
        levels = [edge[p] if p in edge else NormalDist().inv_cdf(p) for p in bounds]
        which = _own_stream(self.seed, f"crop:{parcel_id}", self.draws)
        chosen = np.zeros(self.draws, dtype=np.int64)
        for level in levels:  # a handful: faster than a search
            chosen += which > level
        return chosen

    def _common(self, common: str, own: str, correlation: float) -> Draws:
        """Return standard normal draws that correlate with all others of the same common name."""
        return _common_stream(self.seed, common, own, correlation, self.draws)


def by_parcel(values: Iterable[ParcelValue]) -> Iterator[tuple[str, list[ParcelValue]]]:
    """Yield the crops that each parcel may bear, parcels and crops in the order of their names."""
    ordered = sorted(values, key=lambda value: (value.parcel_id, value.crop))
    for name, crops in groupby(ordered, key=lambda value: value.parcel_id):
        yield name, list(crops)


@lru_cache(maxsize=512)
def _common_stream(seed: int, common: str, own: str, correlation: float, draws: int) -> Draws:
    shared, apart = np.sqrt(correlation), np.sqrt(1 - correlation)
    both = shared * _shared_stream(seed, common, draws) + apart * _shared_stream(seed, own, draws)
    return np.asarray(both)


@lru_cache(maxsize=512)
def _shared_stream(seed: int, name: str, draws: int) -> Draws:
    return _stream(seed, name, draws)


@lru_cache(maxsize=64)
def _own_stream(seed: int, name: str, draws: int) -> Draws:
    """Kept for the crops that one parcel may bear, and the scenarios of its farmer."""
    return _stream(seed, name, draws)


def _stream(seed: int, name: str, draws: int) -> Draws:
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    generator = np.random.Generator(np.random.Philox(int.from_bytes(digest[:16], "big")))
    return generator.standard_normal(draws)


def quantiles(draws: Draws) -> tuple[int, int, int]:
    """Return q10, q50 and q90 of draws as whole minor units."""
    low, middle, high = np.quantile(draws, _QUANTILES)
    return round(float(low)), round(float(middle)), round(float(high))
