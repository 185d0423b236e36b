"""What is known of each crop before any parcel is looked at: yield, price, cost and days.

Owns `crop_values.parquet`. A parcel whose next harvest is not on the field yet is valued by these
rows, and evidence asks them when a crop must be up; what a parcel's own season says is `yields`'s.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from fieldline.crops.schemas import CROP_VALUES
from fieldline.crops.value.priors import own_error
from fieldline.pipeline.records.reference import calendars
from fieldline.pipeline.records.settings import Season

if TYPE_CHECKING:
    from fieldline.crops.value.yields import Valuation


def crop_values(
    valuation: Valuation, season: Season, region: str | None, price_days: int
) -> pd.DataFrame:
    """Return one `CROP_VALUES` row for each crop that has a prior, a price or a template.

    Args:
        valuation: Priors, prices and costs of the county.
        season: Season that is decided; templates are laid into it.
        region: Region of the crop calendars; None where no template is known.
        price_days: Days that the price error reaches.
    """
    priors, prices, costs = valuation.priors, valuation.prices, valuation.costs
    dated = {crop for crop, where in calendars() if where == region}
    rows = []
    for crop in sorted({*priors, *prices, *dated}):
        prior, price, cost = priors.get(crop), prices.get(crop), costs.get(crop)
        rows.append({
            "crop": crop,
            "prior_t_ha": None if prior is None else prior.mean_t_ha,
            "years_log_sd": None if prior is None else prior.years_log_sd,
            "own_log_sd": own_error(crop).own,
            "price_q50_minor": None if price is None else price.minor(valuation.currency),
            "price_log_sd": None if price is None else price.log_sd,
            "price_days": price_days,
            "cost_per_ha_minor": None if cost is None else cost.per_ha.minor_in(valuation.currency),
            **_days(crop, region, season.start),
            "currency": valuation.currency,
        })  # fmt: skip
    return pd.DataFrame(rows, columns=CROP_VALUES.names)


def _days(crop: str, region: str | None, start: dt.date) -> dict[str, dt.date | None]:
    """Lay a crop's template into the season: the harvest falls after its start, sowing before."""
    template = calendars().get((crop, region or ""))
    if template is None:
        return {"sown_by": None, "harvest_from": None, "harvest_by": None}
    first = _after(template.harvest.start, start)
    last = _after(template.harvest.end, first)
    return {"sown_by": _before(template.sowing.end, first), "harvest_from": first,
            "harvest_by": last}  # fmt: skip


def _after(month_day: tuple[int, int], day: dt.date) -> dt.date:
    found = dt.date(day.year, *month_day)
    return found if found >= day else dt.date(day.year + 1, *month_day)


def _before(month_day: tuple[int, int], day: dt.date) -> dt.date:
    found = dt.date(day.year, *month_day)
    return found if found <= day else dt.date(day.year - 1, *month_day)


def up_by(values: pd.DataFrame) -> Mapping[str, dt.date]:
    """Return the last sowing day of each crop that has a template, by crop."""
    known = values[values["sown_by"].notna()]
    return {
        str(crop): pd.Timestamp(day).date()
        for crop, day in zip(known["crop"], known["sown_by"], strict=True)
    }
