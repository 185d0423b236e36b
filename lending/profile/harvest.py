"""Repayment harvest: what each parcel brings in at its first harvest after the as-of date.

Owns which harvest that is (the one on the field, the one still to be sown this season, or next
season's), which crops it may be with what chance, and how far yield and price may stray by then.
`season_harvests` and `next_harvests` say the same of either harvest, whichever repays. Joint draws
and what a harvest must pay for are elsewhere.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fieldline.lending.profile.by_area import AreaWorth, area_harvest
from fieldline.lending.profile.crop_value import (
    CropValue,
    Norm,
    county_norms,
    date_of,
    later,
    to_come,
)  # fmt: skip
from fieldline.lending.profile.records import records
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


def repayment_harvests(
    parcels: pd.DataFrame,
    values: Mapping[str, CropValue],
    rotation: Rotation,
    horizon: Horizon,
    policy: PolicySettings,
    areas: Mapping[str, AreaWorth] = MappingProxyType({}),
    norms: Mapping[str, Norm] | None = None,
) -> pd.DataFrame:
    """Return the repayment harvest of every parcel, one row per crop that it may be.

    Args:
        parcels: Evidence joined with yields and growth, one row per parcel.
        values: What is known of each crop.
        rotation: Chances of the next crop.
        horizon: As-of date and tenor.
        policy: Shares and spreads of the forecast.
        areas: What is valued by area.
        norms: What this county showed of each crop; that of these parcels where None.

    Returns:
        `HARVESTS` rows; a parcel without a harvest in the tenor, or whose crop nobody knows, has
        one row without a value.
    """

    def of(row: Mapping[str, Any], known: Mapping[str, CropValue]) -> Iterator[dict[str, Any]]:
        by_area = area_harvest(row, areas, horizon.as_of, horizon.end)
        yield from [by_area] if by_area else _harvest_of(row, known, rotation, horizon, policy)

    return _reckoned(parcels, values, of, norms)


def season_harvests(
    parcels: pd.DataFrame,
    values: Mapping[str, CropValue],
    as_of: dt.date,
    areas: Mapping[str, AreaWorth] = MappingProxyType({}),
    norms: Mapping[str, Norm] | None = None,
) -> pd.DataFrame:
    """Return this season's harvest of every parcel whose crop was seen, in or still standing.

    Args:
        parcels: As of `repayment_harvests`.
        values: What is known of each crop.
        as_of: Knowledge date: the less of a season is still to come, the surer it is.
        areas: What is valued by area.
        norms: As of `repayment_harvests`.

    Returns:
        `HARVESTS` rows; a parcel whose crop nobody knows has one without a value.
    """

    def season(row: Mapping[str, Any], known: Mapping[str, CropValue]) -> Iterator[dict[str, Any]]:
        by_area = area_harvest(row, areas, as_of, Horizon(as_of, _YEAR_DAYS).end)
        if by_area:
            yield by_area
            return
        own = _proven(row, known)
        crop = None if "crop_not_yet_up" in row["codes"] else own["crop"]
        value = known.get(str(crop))
        yield _nothing(own, "none") if crop is None else _standing(own, value, Horizon(as_of, 0))

    return _reckoned(parcels, values, season, norms)


def next_harvests(
    parcels: pd.DataFrame,
    values: Mapping[str, CropValue],
    rotation: Rotation,
    as_of: dt.date,
    policy: PolicySettings,
    areas: Mapping[str, AreaWorth] = MappingProxyType({}),
    norms: Mapping[str, Norm] | None = None,
) -> pd.DataFrame:
    """Return the harvest after this season's of every parcel, with its crops and their chances.

    Args:
        parcels: As of `repayment_harvests`.
        values: What is known of each crop.
        rotation: Chances of the next crop.
        as_of: Knowledge date.
        policy: Shares and spreads of the forecast.
        areas: What is valued by area, the same every year.
        norms: As of `repayment_harvests`.

    Returns:
        `HARVESTS` rows; a parcel whose crop nobody knows has one without a value.
    """
    two_years = Horizon(as_of, 2 * _YEAR_DAYS)

    def ahead(row: Mapping[str, Any], known: Mapping[str, CropValue]) -> Iterator[dict[str, Any]]:
        by_area = area_harvest(row, areas, as_of, two_years.end)
        if by_area:
            yield by_area
            return
        own = _proven(row, known)
        waiting = "crop_not_yet_up" in row["codes"]
        own |= {"crop": str(row["declared_crop"])} if waiting else {}
        if own["crop"] is None:
            yield _nothing(own, "none")
        else:
            yield from _following(own, known, rotation, two_years, policy)

    return _reckoned(parcels, values, ahead, norms)


_Of = Callable[[Mapping[str, Any], Mapping[str, CropValue]], Iterator[dict[str, Any]]]


def _reckoned(
    parcels: pd.DataFrame,
    values: Mapping[str, CropValue],
    of: _Of,
    norms: Mapping[str, Norm] | None,
) -> pd.DataFrame:
    """Return the rows that are reckoned of each parcel, crops valued as this county showed them."""
    norms = county_norms(parcels) if norms is None else norms
    known = {
        crop: replace(value, own_log_sd=norms[crop].own_log_sd) if crop in norms else value
        for crop, value in values.items()
    }
    rows = [
        row
        for parcel in records(parcels)
        for row in of(
            {str(k): v for k, v in parcel.items()} | {"norm": norms.get(str(parcel["crop"]))}, known
        )
    ]
    frame = pd.DataFrame(rows, columns=HARVESTS.names)
    return frame.astype(_NUMBERS).sort_values(["parcel_id", "crop"], kind="stable")


_NUMBERS = {
    column.name: "Int64" if column.type == pa.int64() else "float64"
    for column in HARVESTS.columns if column.type in (pa.int64(), pa.float64())
}  # fmt: skip


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
        yield _within(own, values.get(str(own["crop"])), horizon)
    else:
        yield from _following(own, values, rotation, horizon, policy)


def _within(row: Mapping[str, Any], value: CropValue | None, horizon: Horizon) -> dict[str, Any]:
    """Return the harvest on the field; one that begins after the tenor repays nothing."""
    first = value.harvest_from if value is not None else None
    if first is not None and max(first, horizon.as_of) > horizon.end:
        return _nothing(row, "none")
    return _standing(row, value, horizon)


def _proven(row: Mapping[str, Any], values: Mapping[str, CropValue]) -> dict[str, Any]:
    """Return the parcel with the crop that papers prove in place of the one that was seen.

    A proven crop that the images did not see is worth the county's yield, not the parcel's own.
    """
    seen = {**row, "crop": None if pd.isna(row["crop"]) else str(row["crop"])}
    paper = row.get("proven_crop")
    if paper is None or pd.isna(paper) or paper == seen["crop"] or paper not in values:
        return seen
    value, year = values[str(paper)], str(row["shock_group"]).partition("|")[2]
    return seen | _valued(value, 0.0, year) | {
        "crop": str(paper), "crop_basis": "proven", "prior_t_ha": value.prior_t_ha,
    }  # fmt: skip


def _valued(value: CropValue, shift: float, year: str) -> dict[str, Any]:
    """Return the value of a crop on a parcel whose level lies off the county's by a log shift.

    Args:
        value: What is known of the crop.
        shift: Log departure of the parcel's level.
        year: Year of the harvest: what parcels of the crop share.
    """
    return {
        "yield_q50_t_ha": value.prior_t_ha * float(np.exp(shift)),
        "shared_log_sd": value.years_log_sd,
        "own_log_sd": value.own_log_sd,
        "shock_group": f"{value.crop}|{year}",
        "price_q50_minor": value.price_minor,
        "price_log_sd": value.price_log_sd,
        "cost_per_ha_minor": value.cost_minor,
    }


def _stands(row: Mapping[str, Any], value: CropValue | None, horizon: Horizon) -> bool:
    """Whether the crop of this season is still on the field."""
    cut = date_of(row["harvest_date"])
    if cut is not None:
        return cut > horizon.as_of
    over = value is not None and value.harvest_by is not None and value.harvest_by < horizon.as_of
    # A winter crop that was green when the images began has no start, and stands all the same.
    stands = not pd.isna(row["standing"]) and bool(row["standing"])
    return (stands or date_of(row["sos"]) is not None) and not over


def _standing(row: Mapping[str, Any], value: CropValue | None, horizon: Horizon) -> dict[str, Any]:
    """Return this season's harvest: what is known of it by now, and of what is still to come as
    much as of any year."""
    by = None if value is None else value.harvest_by
    by = date_of(row["harvest_date"]) or by
    shared = row["shared_log_sd"]
    if value is not None and by is not None and not pd.isna(shared):
        left = to_come(date_of(row["sos"]), by, horizon.as_of)
        unseen = max(0.0, value.years_log_sd**2 - float(shared) ** 2)
        shared = float(np.sqrt(float(shared) ** 2 + left * unseen))
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
        by = later(value.harvest_by, seasons)
        days = 0 if by is None else max(0, (by - horizon.as_of).days)
        year = horizon.as_of.year + seasons if by is None else by.year
        told = _valued(value, shift, str(year)) | {
            "crop": crop,
            "crop_basis": basis[crop],
            "shared_log_sd": value.years_log_sd * float(policy.next_year_spread),
            "price_log_sd": value.price_sd(days),
        }
        yield _row(row, chance / total, harvest, by, told, main=crop == main)


def _begins(value: CropValue, seasons: int, as_of: dt.date) -> dt.date:
    return later(value.harvest_from, seasons) or as_of


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
