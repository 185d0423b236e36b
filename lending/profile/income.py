"""Income: quantiles of a sum of parcels that share weather and market.

Owns the joint draws. Yields of one shock group move together, prices of one crop move together and
each parcel errs by itself, so the lower quantile of a sum is drawn, never added. Every stream is
seeded by the name of what it shakes: a farmer's income depends on no other farmer and no order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Draws = npt.NDArray[np.float64]

_QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
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
    price_minor_t: float
    """Median price per tonne."""
    price_log_sd: float
    """Log sd of the price, shared by `crop`."""
    crop: str
    cost_minor_ha: float
    """Cash cost per hectare, certain."""


@dataclass(frozen=True)
class IncomeModel:
    """The number of joint draws, their seed and the loss between field and sale."""

    draws: int
    seed: int
    loss_share: float = 0.0
    """Share of the yield lost between field and sale."""

    def draw(self, parcel: ParcelValue) -> Draws:
        """Return draws of one parcel's income net of crop cost, minor units.

        Income = area x (yield x price x (1 - loss) - cost), with lognormal yield and price.
        """
        yield_log = parcel.shared_log_sd * self._shared(f"yield:{parcel.shock_group}")
        own = self._stream(f"parcel:{parcel.parcel_id}")
        price_log = parcel.price_log_sd * self._shared(f"price:{parcel.crop}")
        shock = np.exp(yield_log + parcel.own_log_sd * own + price_log)
        gross = parcel.yield_t_ha * parcel.price_minor_t * (1 - self.loss_share) * shock
        return np.asarray(parcel.area_ha * (gross - parcel.cost_minor_ha))

    def total(self, parcels: list[ParcelValue]) -> Draws:
        """Return draws of the sum over parcels, zeros for none."""
        total = np.zeros(self.draws)
        for parcel in sorted(parcels, key=lambda value: value.parcel_id):
            total += self.draw(parcel)
        return total

    def _shared(self, name: str) -> Draws:
        return _shared_stream(self.seed, name, self.draws)

    def _stream(self, name: str) -> Draws:
        return _stream(self.seed, name, self.draws)


@lru_cache(maxsize=512)
def _shared_stream(seed: int, name: str, draws: int) -> Draws:
    return _stream(seed, name, draws)


def _stream(seed: int, name: str, draws: int) -> Draws:
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    generator = np.random.Generator(np.random.Philox(int.from_bytes(digest[:16], "big")))
    return generator.standard_normal(draws)


def quantiles(draws: Draws) -> tuple[int, int, int]:
    """Return q10, q50 and q90 of draws as whole minor units."""
    low, middle, high = np.quantile(draws, _QUANTILES)
    return round(float(low)), round(float(middle)), round(float(high))
