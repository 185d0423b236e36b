"""Industry: how the crops that the farmer lives from do in the county."""

from __future__ import annotations

import pandas as pd

from fieldline.lending.indicators.joined import Joined


def crop_margin(known: Joined) -> pd.Series[float]:
    """What an ordinary harvest of the crop leaves above its cost, over its cost."""
    cost = known.parcels["crop_values.cost_per_ha_minor"].astype(float)
    gross = known.parcels["crop_values.prior_t_ha"] * known.parcels["crop_values.price_q50_minor"]
    return known.per_farmer((gross.astype(float) - cost) / cost.where(cost > 0))


def crop_share_of_county(known: Joined) -> pd.Series[float]:
    """Share of the county's seen land under the farmer's crops."""
    crop, area = known.parcels["crops.crop"], known.parcels["parcels.area"]
    total = area[crop.notna()].sum()
    return known.per_farmer(area.groupby(crop).transform("sum") / total)


def crop_season(known: Joined) -> pd.Series[float]:
    """The county's median yield of the crop this season over its past years'."""
    prior = known.parcels["yields.prior_t_ha"].astype(float)
    ratio = known.parcels["yields.yield_q50_t_ha"] / prior.where(prior > 0)
    return known.per_farmer(ratio.groupby(known.parcels["yields.crop"]).transform("median"))


def crop_years_spread(known: Joined) -> pd.Series[float]:
    """Spread of the crop's log yield over the county's past years."""
    return known.mean("crop_values.years_log_sd")
