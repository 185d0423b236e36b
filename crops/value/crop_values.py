"""What is known of each crop before any parcel is looked at: yield, price, cost and days.

Owns `crop_values.parquet`. A parcel whose next harvest is not on the field yet is valued by these
rows, and evidence asks them when a crop must be up; what a parcel's own season says is `yields`'s.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fieldline.crops.schemas import CROP_VALUES
from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.area_values import by_area
from fieldline.crops.value.calendars import CropDays, crop_days
from fieldline.crops.value.per_hectare import gross_value, net_income
from fieldline.crops.value.prices import Z80, crop_prices
from fieldline.crops.value.priors import own_error
from fieldline.pipeline.records.reference import crops
from fieldline.pipeline.records.settings import Season

if TYPE_CHECKING:
    from fieldline.crops.value.yields import Valuation

_YEAR_DAYS = 365


def crop_values(
    valuation: Valuation, season: Season, settings: YieldSettings, series: pd.DataFrame | None
) -> pd.DataFrame:
    """Return one `CROP_VALUES` row for each crop that has a prior, a price or a template.

    Args:
        valuation: Priors, prices and costs of the county.
        season: Season that is decided; templates are laid into it.
        settings: The county's crop calendar and horizon of the price error.
        series: Prices by month, to see how far they move in a year; None where there are none.
    """
    calendar = crop_days(settings)
    year = settings.model_copy(update={"price_horizon_days": _YEAR_DAYS})
    far = {} if series is None else crop_prices(series, season.as_of, year)
    priors, prices, costs = valuation.priors, valuation.prices, valuation.costs
    rows = []
    for crop in sorted({*priors, *prices, *calendar, *valuation.areas}):
        prior, price, cost = priors.get(crop), prices.get(crop), costs.get(crop)
        minor = None if cost is None else cost.per_ha.minor_in(valuation.currency)
        rows.append({
            "crop": crop,
            "prior_t_ha": None if prior is None else prior.next_t_ha,
            "years_log_sd": None if prior is None else prior.next_log_sd,
            "own_log_sd": own_error(crop).own,
            "price_q50_minor": None if price is None else price.minor(valuation.currency),
            "price_log_sd": None if price is None else price.log_sd,
            "price_log_sd_year": far[crop].log_sd if crop in far else None,
            "price_days": settings.price_horizon_days,
            "cost_per_ha_minor": minor,
            **_per_hectare(valuation, crop, minor),
            **_laid(calendar.get(crop), season.start),
            "currency": valuation.currency,
        })  # fmt: skip
    return pd.DataFrame(rows, columns=CROP_VALUES.names)


def _per_hectare(valuation: Valuation, crop: str, cost_minor: int | None) -> dict[str, int]:
    """Return gross value and net income of a hectare of which no curve is known."""
    if not valuation.can_value(crop):
        area = valuation.areas.get(crop)
        told = {} if area is None else by_area(area, valuation.currency, cost_minor)
        return {name: told[name] for name in CROP_VALUES.names if name in told}
    prior, price = valuation.priors[crop], valuation.prices[crop]
    span = Z80 * float(np.hypot(prior.next_log_sd, own_error(crop).own))
    minor = price.minor(valuation.currency)
    gross = gross_value(prior.next_t_ha, minor, price.log_sd, span, span)
    return gross | net_income(gross, cost_minor)


def _laid(template: CropDays | None, start: dt.date) -> dict[str, dt.date | None]:
    """Lay a crop's template into the season: the harvest falls after its start, sowing before."""
    if template is None:
        return {"sown_by": None, "harvest_from": None, "harvest_by": None}
    first = _after(template.harvest.start, start)
    last = _after(template.harvest.end, first)
    return {"sown_by": _before(template.sowing.end, first), "harvest_from": first,
            "harvest_by": last}  # fmt: skip


def split_by(calendar: Mapping[str, CropDays], season: Season) -> list[str]:
    """Return the annual crops that a season cuts in two: it begins in the last third of one crop's
    growth, which is then this season's harvest, and the next is sown within it.

    Of that next crop, sown and not yet up, the season's template knows nothing.
    """
    found = []
    for crop, days in sorted(calendar.items()):
        laid = _laid(days, season.start)
        sown, cut = laid["sown_by"], laid["harvest_from"]
        known = crops().get(crop)
        if sown is None or cut is None or known is None or not known.annual:
            continue
        inside = (cut - max(sown, season.start)).days
        again = _after(days.sowing.end, cut)
        if 3 * inside < (cut - sown).days and again <= season.end:
            found.append(crop)
    return found


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
