"""By area: what land is worth whose crop has no yield that a curve tells (orchards, greenhouses).

Owns the harvest row of such land: a year's gross value of a hectare by the lender's own dated
table, less the crop's cash cost, earned by the crop's next harvest days. Its whole spread is shared
by a farmer's parcels of the crop: nobody knows what sets one apart from another.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fieldline.lending.evidence.crosscheck import PROVEN_COVER, UNPROVEN_COVER
from fieldline.lending.profile.crop_value import date_of

_UPPER_TENTH = 1.2815515655446004
"""Standard deviations from the median to the upper tenth of a normal distribution."""


@dataclass(frozen=True)
class AreaWorth:
    """What a hectare of a crop brings in a year."""

    crop: str
    gross_minor: int
    log_sd: float
    cost_minor: int
    harvest_from: dt.date | None
    harvest_by: dt.date | None


def area_worths(table: pd.DataFrame) -> dict[str, AreaWorth]:
    """Return by crop what is valued by area: rows of CROP_VALUES with a value and a cost, without
    yield or price."""
    whole = table[["prior_t_ha", "price_q50_minor"]].notna().all(axis=1)
    valued = ["value_q50_per_ha_minor", "value_q90_per_ha_minor", "cost_per_ha_minor"]
    own = table[~whole & table[valued].notna().all(axis=1)]
    return {
        str(row["crop"]): AreaWorth(
            str(row["crop"]), int(row["value_q50_per_ha_minor"]),
            float(np.log(row["value_q90_per_ha_minor"] / row["value_q50_per_ha_minor"]))
            / _UPPER_TENTH,
            int(row["cost_per_ha_minor"]), date_of(row["harvest_from"]), date_of(row["harvest_by"]),
        )
        for row in own.to_dict("records")
    }  # fmt: skip


def crop_by_area(row: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the crop by which a parcel may be valued by area, and on what that rests.

    Land under a cover that was declared and that no image contradicts grows what was declared: a
    model of field crops has no word for it.
    """
    if not {PROVEN_COVER, UNPROVEN_COVER}.isdisjoint(row["codes"]):
        return str(row["declared_crop"]), "declared"
    proven = row.get("proven_crop")
    if proven is not None and not pd.isna(proven):
        return str(proven), "proven"
    crop = row["crop"]
    return (None, "none") if pd.isna(crop) else (str(crop), str(row["crop_basis"]))


def area_harvest(
    row: Mapping[str, Any], areas: Mapping[str, AreaWorth], as_of: dt.date, end: dt.date
) -> dict[str, Any] | None:
    """Return the HARVESTS row of a parcel that is valued by area, without a value where its next
    harvest begins after the end; None for any other parcel.

    Args:
        row: The parcel: evidence joined with yields.
        areas: What is valued by area.
        as_of: Knowledge date.
        end: Last day of the line.
    """
    crop, basis = crop_by_area(row)
    if crop is None or crop not in areas:
        return None
    worth = areas[crop]
    first, last = worth.harvest_from, worth.harvest_by
    while last is not None and last < as_of:
        first, last = _year_later(first), _year_later(last)
    told = {
        "parcel_id": row["parcel_id"], "crop": crop, "chance": 1.0, "main": True,
        "crop_basis": basis, "shock_group": f"{crop}|{(last or as_of).year}",
    }  # fmt: skip
    if first is not None and max(first, as_of) > end:
        return {**told, "harvest": "none", "harvest_by": None}
    return {
        **told, "harvest": "standing", "harvest_by": last, "shared_log_sd": worth.log_sd,
        "own_log_sd": 0.0, "gross_q50_minor_ha": worth.gross_minor,
        "cost_per_ha_minor": worth.cost_minor,
    }  # fmt: skip


def _year_later(day: dt.date | None) -> dt.date | None:
    if day is None:
        return None
    return day.replace(year=day.year + 1, day=28 if (day.month, day.day) == (2, 29) else day.day)
