"""Repayment harvest: what each parcel brings in at its first harvest after the as-of date.

Owns which harvest that is (the one on the field, the one still to be sown this season, or next
season's), which crops it may be with what chance, and how far yield and price may stray by then.
Everything is reckoned by `repayment_harvests`, so that a better forecast takes the place of that
one function. Joint draws and what a harvest must pay for are elsewhere.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from fieldline.lending.profile.rotation import Rotation
from fieldline.lending.schemas import HARVESTS
from fieldline.lending.settings import PolicySettings

_WHOLE = 1e-9
_YEAR_DAYS = 365


@dataclass(frozen=True)
class Horizon:
    """From which day to which a harvest repays the line."""

    as_of: dt.date
    tenor_days: int

    @property
    def end(self) -> dt.date:
        """Last day of the line."""
        return self.as_of + dt.timedelta(days=self.tenor_days)


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
            _date(row["harvest_from"]), _date(row["harvest_by"]), _date(row["sown_by"]),
        )
        for row in known.to_dict("records")
    }  # fmt: skip


def _date(value: Any) -> dt.date | None:
    return None if pd.isna(value) else pd.Timestamp(value).date()


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


def repayment_harvests(
    parcels: pd.DataFrame,
    values: Mapping[str, CropValue],
    rotation: Rotation,
    horizon: Horizon,
    policy: PolicySettings,
) -> pd.DataFrame:
    """Return the repayment harvest of every parcel, one row per crop that it may be.

    Args:
        parcels: Evidence joined with yields and growth, one row per parcel.
        values: What is known of each crop.
        rotation: Chances of the next crop.
        horizon: As-of date and tenor.
        policy: Shares and spreads of the forecast.

    Returns:
        `HARVESTS` rows; a parcel without a harvest in the tenor, or whose crop nobody knows, has
        one row without a value.
    """
    norms = county_norms(parcels)
    known = {
        crop: replace(value, own_log_sd=norms[crop].own_log_sd) if crop in norms else value
        for crop, value in values.items()
    }
    rows = [
        row
        for parcel in parcels.to_dict("records")
        for row in _harvest_of(
            {str(k): v for k, v in parcel.items()} | {"norm": norms.get(str(parcel["crop"]))},
            known, rotation, horizon, policy,
        )
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=HARVESTS.names)
    whole = {"price_q50_minor": "Int64", "cost_per_ha_minor": "Int64"}
    return frame.astype(whole).sort_values(["parcel_id", "crop"], kind="stable")


def _harvest_of(
    row: Mapping[str, Any],
    values: Mapping[str, CropValue],
    rotation: Rotation,
    horizon: Horizon,
    policy: PolicySettings,
) -> Iterator[dict[str, Any]]:
    own = _proven(row, values)
    if "crop_not_yet_up" in row["codes"]:
        yield from _unsown(own, values, rotation, horizon, policy)
    elif own["crop"] is None:
        yield _nothing(own, "none")
    elif _stands(own, values.get(str(own["crop"])), horizon):
        yield _standing(own, values.get(str(own["crop"])), horizon)
    else:
        yield from _following(own, values, rotation, horizon, policy)


def _proven(row: Mapping[str, Any], values: Mapping[str, CropValue]) -> dict[str, Any]:
    """Return the parcel with the crop that papers prove in place of the one that was seen.

    A proven crop that the images did not see is worth the county's yield, not the parcel's own.
    """
    seen = {**row, "crop": None if pd.isna(row["crop"]) else str(row["crop"])}
    proven = row.get("proven_crop")
    if proven is None or pd.isna(proven) or proven == seen["crop"] or proven not in values:
        return seen
    return seen | _valued(values[str(proven)], 0.0, str(row["shock_group"])) | {
        "crop": str(proven), "crop_basis": "proven", "prior_t_ha": values[str(proven)].prior_t_ha,
    }  # fmt: skip


def _valued(value: CropValue, shift: float, group: str) -> dict[str, Any]:
    """Return the value of a crop on a parcel whose level lies off the county's by a log shift."""
    return {
        "yield_q50_t_ha": value.prior_t_ha * float(np.exp(shift)),
        "shared_log_sd": value.years_log_sd,
        "own_log_sd": value.own_log_sd,
        "shock_group": f"{value.crop}|{group.partition('|')[2]}",
        "price_q50_minor": value.price_minor,
        "price_log_sd": value.price_log_sd,
        "cost_per_ha_minor": value.cost_minor,
    }


def _stands(row: Mapping[str, Any], value: CropValue | None, horizon: Horizon) -> bool:
    """Whether the crop of this season is still on the field."""
    cut, begun = _date(row["harvest_date"]), _date(row["sos"])
    if cut is not None:
        return cut > horizon.as_of
    over = value is not None and value.harvest_by is not None and value.harvest_by < horizon.as_of
    return begun is not None and not over


def _standing(row: Mapping[str, Any], value: CropValue | None, horizon: Horizon) -> dict[str, Any]:
    """Return the harvest on the field; the part of its season still to come may bring any year."""
    by = None if value is None else value.harvest_by
    by = _date(row["harvest_date"]) or by
    shared = row["shared_log_sd"]
    begun = _date(row["sos"])
    if value is not None and by is not None and begun is not None and not pd.isna(shared):
        length = max(1, (by - begun).days)
        left = min(1.0, max(0, (by - horizon.as_of).days) / length)
        shared = float(np.hypot(float(shared), np.sqrt(left) * value.years_log_sd))
    return _row(row, 1.0, "standing", by, {**row, "shared_log_sd": shared})


def _unsown(
    row: Mapping[str, Any],
    values: Mapping[str, CropValue],
    rotation: Rotation,
    horizon: Horizon,
    policy: PolicySettings,
) -> Iterator[dict[str, Any]]:
    """Yield the harvest of a crop that is declared and not up yet.

    What is declared counts by a policy share; the rest is what else the county grows that would not
    be seen yet either.
    """
    declared = str(row["declared_crop"])
    sown = float(policy.declared_crop_share)
    usual = {
        crop: share
        for crop, share in rotation.usual().items()
        if _may_come(values.get(crop), values.get(declared), horizon.as_of)
    }
    total = sum(usual.values())
    chances = defaultdict(float, {declared: sown if total > 0 else 1.0})
    for crop, chance in usual.items():
        chances[crop] += (1 - sown) * chance / total
    basis = {crop: "declared" if crop == declared else "rotation" for crop in chances}
    yield from _mixed(row, chances, basis, "unsown", 0, values, horizon, policy)


def _may_come(value: CropValue | None, declared: CropValue | None, as_of: dt.date) -> bool:
    """Whether a crop may stand at the harvest on land where the declared one is not up yet.

    It may where it is sown no earlier than that one, or no earlier than today.
    """
    if value is None or (value.harvest_from or as_of) <= as_of:
        return False
    unseen = as_of if declared is None or declared.sown_by is None else declared.sown_by
    return value.sown_by is None or value.sown_by >= min(as_of, unseen)


def _following(
    row: Mapping[str, Any],
    values: Mapping[str, CropValue],
    rotation: Rotation,
    horizon: Horizon,
    policy: PolicySettings,
) -> Iterator[dict[str, Any]]:
    """Yield next season's harvest: this season's crop is off the field."""
    last = str(row["crop"])
    chances = {c: p for c, p in rotation.chances(last).items() if c in values or c == last}
    basis = {crop: row["crop_basis"] if crop == last else "rotation" for crop in chances}
    yield from _mixed(row, chances, basis, "next", 1, values, horizon, policy)


def _mixed(
    row: Mapping[str, Any],
    chances: Mapping[str, float],
    basis: Mapping[str, str],
    harvest: str,
    seasons: int,
    values: Mapping[str, CropValue],
    horizon: Horizon,
    policy: PolicySettings,
) -> Iterator[dict[str, Any]]:
    """Yield the crops whose harvest begins within the tenor, with their chances."""
    within = {
        crop: chance
        for crop, chance in chances.items()
        if crop in values and _begins(values[crop], seasons, horizon.as_of) <= horizon.end
    }
    total = sum(within.values())
    if total < _WHOLE:
        yield _nothing(row, "none")
        return
    main = min(within, key=lambda crop: (-within[crop], crop))
    shift = _level(row, policy) if seasons else 0.0
    for crop, chance in within.items():
        value = values[crop]
        by = _later(value.harvest_by, seasons)
        days = 0 if by is None else max(0, (by - horizon.as_of).days)
        told = _valued(value, shift, str(row["shock_group"])) | {
            "crop": crop,
            "crop_basis": basis[crop],
            "shared_log_sd": value.years_log_sd * float(policy.next_year_spread),
            "price_log_sd": value.price_sd(days),
        }
        yield _row(row, chance / total, harvest, by, told, main=crop == main)


def _begins(value: CropValue, seasons: int, as_of: dt.date) -> dt.date:
    return _later(value.harvest_from, seasons) or as_of


def _later(day: dt.date | None, years: int) -> dt.date | None:
    """Return the same day of a later year; 29 February becomes the 28th."""
    if day is None:
        return None
    last = 28 if (day.month, day.day) == (2, 29) else day.day
    return day.replace(year=day.year + years, day=last)


def _level(row: Mapping[str, Any], policy: PolicySettings) -> float:
    """Return the part of a parcel's departure from its neighbours' yield that stays with it."""
    own, prior = row["yield_q50_t_ha"], row["prior_t_ha"]
    norm: Norm | None = row["norm"]
    if norm is None or pd.isna(own) or pd.isna(prior) or own <= 0 or prior <= 0:
        return 0.0
    return float(policy.own_level_share) * (float(np.log(own / prior)) - norm.shift)


def _row(
    parcel: Mapping[str, Any],
    chance: float,
    harvest: str,
    by: dt.date | None,
    told: Mapping[str, Any],
    *,
    main: bool = True,
) -> dict[str, Any]:
    taken = {name: told[name] for name in HARVESTS.names if name in told}
    return {
        **taken, "parcel_id": parcel["parcel_id"], "chance": chance, "harvest": harvest,
        "harvest_by": by, "main": main, "crop": told["crop"] or "",
        "crop_basis": told["crop_basis"] if isinstance(told["crop_basis"], str) else "none",
        "shock_group": told["shock_group"] if isinstance(told["shock_group"], str) else "",
    }  # fmt: skip


_VALUES = (
    "yield_q50_t_ha", "shared_log_sd", "own_log_sd", "price_q50_minor", "price_log_sd",
    "cost_per_ha_minor",
)  # fmt: skip


def _nothing(parcel: Mapping[str, Any], harvest: str) -> dict[str, Any]:
    return _row(parcel, 1.0, harvest, None, {**parcel, **dict.fromkeys(_VALUES)})
