"""Crop values: what is known of each crop of the county before a parcel is looked at.

Owns CROP_VALUES as records, how far a price may stray by the days to its sale, and what this
season's parcels say of the next. Which harvest a parcel is valued at is `harvest`'s.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

_YEAR_DAYS = 365


@dataclass(frozen=True)
class CropValue:
    """A row of CROP_VALUES of a crop that can be valued."""

    crop: str
    prior_t_ha: float
    years_log_sd: float
    own_log_sd: float
    price_minor: int
    price_log_sd: float
    """Log sd of the price over `price_days` ..."""
    price_log_sd_year: float
    """... and over a year."""
    price_days: int
    cost_minor: int
    harvest_from: dt.date | None
    harvest_by: dt.date | None
    sown_by: dt.date | None = None
    """Last day on which it is sown by its template."""

    def price_sd(self, days: int) -> float:
        """Return the log sd of the price some days ahead: variances in proportion to the days."""
        near, far = self.price_log_sd**2, self.price_log_sd_year**2
        if days <= self.price_days or self.price_days >= _YEAR_DAYS:
            return self.price_log_sd
        part = (min(days, _YEAR_DAYS) - self.price_days) / (_YEAR_DAYS - self.price_days)
        return float(np.sqrt((near + part * (far - near)) * max(1.0, days / _YEAR_DAYS)))


def crop_values_of(table: pd.DataFrame) -> dict[str, CropValue]:
    """Return the crops that have a yield, a price and a cost, by crop."""
    needed = [
        "prior_t_ha", "years_log_sd", "price_q50_minor", "price_log_sd", "price_log_sd_year",
        "cost_per_ha_minor",
    ]  # fmt: skip
    known = table[table[needed].notna().all(axis=1)]
    return {
        str(row["crop"]): CropValue(
            str(row["crop"]), float(row["prior_t_ha"]), float(row["years_log_sd"]),
            float(row["own_log_sd"]), int(row["price_q50_minor"]), float(row["price_log_sd"]),
            float(row["price_log_sd_year"]), int(row["price_days"]), int(row["cost_per_ha_minor"]),
            date_of(row["harvest_from"]), date_of(row["harvest_by"]), date_of(row["sown_by"]),
        )
        for row in known.to_dict("records")
    }  # fmt: skip


def date_of(value: Any) -> dt.date | None:
    """Return the day of a cell, None where it is blank."""
    return None if pd.isna(value) else pd.Timestamp(value).date()


def later(day: dt.date | None, years: int) -> dt.date | None:
    """Return the same day of a later year; 29 February becomes the 28th."""
    if day is None:
        return None
    last = 28 if (day.month, day.day) == (2, 29) else day.day
    return day.replace(year=day.year + years, day=last)


def to_come(begun: dt.date | None, by: dt.date, as_of: dt.date) -> float:
    """Return the share of a crop's season that nobody has seen yet; all of it where it is unknown
    since when the crop stands."""
    days = max(0, (by - as_of).days)
    return min(1.0, days / max(1, (by - begun).days)) if begun is not None else float(days > 0)


@dataclass(frozen=True)
class Norm:
    """What this season's parcels of a crop say of the next."""

    shift: float
    """Median log departure from the county's prior: the year's, and no parcel's own."""
    own_log_sd: float
    """Median log error of a parcel, as crop cuts of this county showed it."""


def county_norms(parcels: pd.DataFrame) -> dict[str, Norm]:
    """Return the norm of every crop that any parcel of this season is valued by."""
    names = ["yield_q50_t_ha", "prior_t_ha", "own_log_sd"]
    known = parcels[parcels[names].notna().all(axis=1) & parcels["crop"].notna()]
    known = known[(known["yield_q50_t_ha"] > 0) & (known["prior_t_ha"] > 0)]
    shift = np.log(known["yield_q50_t_ha"].astype(float) / known["prior_t_ha"].astype(float))
    medians = known.assign(shift=shift).groupby("crop")[["shift", "own_log_sd"]].median()
    return {str(crop): Norm(*map(float, row)) for crop, row in medians.iterrows()}
