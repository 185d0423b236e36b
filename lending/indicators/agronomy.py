"""Agronomy: how the crops stand against peers, against expectation and over the years."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fieldline.lending.indicators.joined import Joined


def peak_anomaly(known: Joined) -> pd.Series[float]:
    """Peak greenness against the county's fields of the crop, standard deviations."""
    return known.mean("growth.anomaly")


def growth_percentile(known: Joined) -> pd.Series[float]:
    """Place of the season's growth among the county's fields of the crop."""
    return known.mean("growth.percentile")


def growth_to_peers(known: Joined) -> pd.Series[float]:
    """Season's integral over the county's median of the same crop."""
    integral = known.parcels["growth.integral"].astype(float)
    usual = integral.groupby(known.parcels["crops.crop"]).transform("median")
    return known.per_farmer(integral / usual.where(usual > 0))


def crop_cycles(known: Joined) -> pd.Series[float]:
    """Growth cycles of the season."""
    return known.mean("growth.cycles")


def yield_to_prior(known: Joined) -> pd.Series[float]:
    """Median yield over what the county's past years give."""
    prior = known.parcels["yields.prior_t_ha"].astype(float)
    return known.per_farmer(known.parcels["yields.yield_q50_t_ha"] / prior.where(prior > 0))


def yield_spread(known: Joined) -> pd.Series[float]:
    """Width of the yield's interval of four in five over its median."""
    low, high = (known.parcels[f"yields.yield_{q}_t_ha"].astype(float) for q in ("q10", "q90"))
    middle = known.parcels["yields.yield_q50_t_ha"].astype(float)
    return known.per_farmer((high - low) / middle.where(middle > 0))


def rotation_breadth(known: Joined) -> pd.Series[float]:
    """Different crops over the seasons that were seen, all of the farmer's land together."""
    crops = known.parcels["history.crops"].explode()
    crops = crops[crops.notna() & (crops != "unknown")]
    owner = known.parcels["farmer"].reindex(crops.index)
    return crops.groupby(owner.to_numpy()).nunique().astype(float)


def monoculture_share(known: Joined) -> pd.Series[float]:
    """Share of the land that grew one and the same crop in every season seen, two at least."""
    told = [
        None if not isinstance(crops, np.ndarray | list) or len(crops) < 2 or "unknown" in crops
        else float(len(set(crops)) == 1)
        for crops in known.parcels["history.crops"]
    ]  # fmt: skip
    return known.per_farmer(pd.Series(told, index=known.parcels.index, dtype="float64"))


def harvest_progress(known: Joined) -> pd.Series[float]:
    """Share of the crop that is cut by the as-of date."""
    return known.mean("growth.harvest_progress")
