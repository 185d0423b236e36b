"""Gross value and net income of a hectare, as quantiles.

Owns the step from yield, price and their errors to money: both errors are lognormal and
independent, so log variances add, and a cash cost is known before the season and moves none of
them. Sums over parcels share errors and are lending's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fieldline.crops.value.prices import Z80

GROSS = ("value_q10_per_ha_minor", "value_q50_per_ha_minor", "value_q90_per_ha_minor")
AREA, YIELD_AND_PRICE = "area", "yield_and_price"
"""Bases of a value."""
NET = ("net_q10_per_ha_minor", "net_q50_per_ha_minor", "net_q90_per_ha_minor")


def gross_value(
    t_ha: float, price_minor: int, price_log_sd: float, down: float, up: float
) -> dict[str, int]:
    """Return the gross value of a hectare, minor units.

    Args:
        t_ha: Median yield.
        price_minor: Median price per tonne, minor units.
        price_log_sd: Log sd of the price to the sale.
        down: Log distance of the yield's lower tenth from its median, above 0.
        up: The same of its upper tenth.
    """
    middle, price = t_ha * price_minor, Z80 * price_log_sd
    logs = (-float(np.hypot(down, price)), 0.0, float(np.hypot(up, price)))
    return {name: round(middle * float(np.exp(log))) for name, log in zip(GROSS, logs, strict=True)}


def net_income(gross: dict[str, int], cost_minor: int | None) -> dict[str, Any]:
    """Return gross value less cash cost by quantile, nothing where either is unknown.

    A lower tenth below zero is a loss that the farmer must bear.
    """
    if not gross or cost_minor is None:
        return {}
    return {net: gross[name] - cost_minor for net, name in zip(NET, GROSS, strict=True)}


def value_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return gross value and net income of a hectare of a parcel with a yield and a price.

    Args:
        row: Yield quantiles, price and cost by the columns of `YIELDS`.
    """
    middle = row["yield_q50_t_ha"]
    down = float(np.log(middle / row["yield_q10_t_ha"]))
    up = float(np.log(row["yield_q90_t_ha"] / middle))
    gross = gross_value(middle, row["price_q50_minor"], row["price_log_sd"], down, up)
    return gross | net_income(gross, row["cost_per_ha_minor"]) | {"value_basis": YIELD_AND_PRICE}
