"""Market: what the crops earn, how surely, and how soon they are sold."""

from __future__ import annotations

import pandas as pd

from fieldline.lending.indicators.joined import Joined


def price_spread(known: Joined) -> pd.Series[float]:
    """Spread of the log price at the harvest that repays."""
    return known.mean("harvests.price_log_sd")


def cost_share(known: Joined) -> pd.Series[float]:
    """Growing cost over the median value of the harvest: the price may fall by the rest."""
    value = known.parcels["yields.value_q50_per_ha_minor"].astype(float)
    cost = known.parcels["yields.cost_per_ha_minor"].astype(float)
    return known.per_farmer(cost / value.where(value > 0))


def poor_year_margin(known: Joined) -> pd.Series[float]:
    """What a poor harvest leaves above its cost, over its median value."""
    value = known.parcels["yields.value_q50_per_ha_minor"].astype(float)
    left = known.parcels["yields.value_q10_per_ha_minor"].astype(float)
    left = left - known.parcels["yields.cost_per_ha_minor"].astype(float)
    return known.per_farmer(left / value.where(value > 0))


def crop_concentration(known: Joined) -> pd.Series[float]:
    """Sum of the squared shares of land by crop: 1 where all of it grows one."""
    land = known.parcels[known.parcels["crops.crop"].notna()]
    area = land.groupby(["farmer", "crops.crop"])["parcels.area"].sum()
    share = area / area.groupby(level=0).transform("sum")
    return (share**2).groupby(level=0).sum()


def days_to_sale(known: Joined) -> pd.Series[float]:
    """Days from the as-of date to the sale whose price counts."""
    return known.mean("crop_values.price_days")


def stale_price_share(known: Joined) -> pd.Series[float]:
    """Share of the valued land whose price is out of date."""
    stale = known.parcels["yields.price_stale"]
    return known.share(stale.fillna(False).astype(bool), stale.notna())
