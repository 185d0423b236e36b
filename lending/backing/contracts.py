"""Contracts: what of a purchase contract a line may rest on.

Owns which contracts count at a date, for how much, and the coded reason where one counts for less:
unknown yet, over, not assigned to the lender, for a crop that the farmer does not grow, over before
its harvest or begun after the line, without a known bound, or for more than the land can bring.
What a line makes of it is `lending.decision.contracts`.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.value.prices import Z80
from fieldline.lending.backing.inputs import CONTRACTS, replaced_rows, told_once
from fieldline.lending.backing.schemas import CONTRACTED
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import Problem
from fieldline.pipeline.records.outcomes import OK
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings


def account_contracts(table: InputTable, as_of: dt.date) -> list[Problem]:
    """Return the contracts that can be read and have no effect on a day, whoever they are of."""
    frame, day = table.frame, pd.Timestamp(as_of)
    unassigned = (frame["assigned"] == False).fillna(False)  # noqa: E712, a column of three values
    return told_once(
        table,
        (
            ("signed_on", "input_after_as_of", frame["signed_on"] > day),
            (
                "contract_id", "input_repeated",
                replaced_rows(table, "contract_id", frame["signed_on"] <= day),
            ),
            ("valid_to", "contract_expired", frame["valid_to"] < day),
            ("assigned", "contract_unassigned", unassigned),
        ),
    )  # fmt: skip


def read_contracts(
    path: Path | None, harvests: pd.DataFrame, evidence: pd.DataFrame, *, as_of: dt.date,
    line_end: dt.date, privacy: PrivacySettings, reading: Reading,
) -> pd.DataFrame:  # fmt: skip
    """Return the county's contracts with what counts of each.

    Args:
        path: The lender's table; None where it has none.
        harvests: HARVESTS rows: when which crop is harvested, and how much it may bring.
        evidence: EVIDENCE rows: whose land it is.
        as_of: Knowledge date.
        line_end: Last day of a line of that day: what the buyer takes later repays none.
        privacy: Key of the pseudonyms.
        reading: The lender's own column names.

    Returns:
        CONTRACTED rows; a contract that is not signed yet or refused has none.

    Raises:
        UserError: The file cannot be read, or lacks a column.
    """
    if path is None:
        return pd.DataFrame(columns=CONTRACTED.names)
    table = read_input(path, CONTRACTS, reading)
    rows = table.good
    known = rows[(rows["signed_on"] <= pd.Timestamp(as_of)).to_numpy(dtype=bool)]
    known = known.drop_duplicates("contract_id", keep="last")
    hide = pseudonymiser(privacy)
    known = known.assign(farmer_id=[hide(str(name)) for name in known["farmer_id"]])
    owners = dict(zip(evidence["parcel_id"], evidence["farmer_id"], strict=True))
    land = _land(harvests, owners)
    people = set(owners.values())
    own = known[known["farmer_id"].isin(people)].sort_values("contract_id", kind="stable")
    found = [
        _counted(row, land.get(str(row["farmer_id"]), ()), as_of, line_end)
        for row in own.to_dict("records")
    ]
    return pd.DataFrame(found, columns=CONTRACTED.names).astype(_KINDS)


_KINDS = {"value_minor": "int64", "counted_minor": "int64", "quantity_t": "float64",
          "possible_t": "float64", "possible_minor": "Int64"}  # fmt: skip


@dataclass
class _Crop:
    """A crop that a parcel may bear at the harvest that repays, in a good year: nine in ten are
    worse."""

    day: dt.date | None
    t_ha: float | None = None
    minor_ha: float | None = None
    """Gross value of a crop that is valued by area."""
    price_minor: float | None = None


@dataclass
class _Plot:
    """A parcel: whatever is sold of it, of whichever crop, is sold once."""

    area_ha: float
    crops: dict[str, _Crop] = field(default_factory=dict)
    free: float = 1.0


def _land(harvests: pd.DataFrame, owners: Mapping[str, str]) -> dict[str, list[_Plot]]:
    """Return by farmer the parcels with what each may bear: one of its crops, not all of them."""
    found: dict[str, dict[str, _Plot]] = defaultdict(dict)
    for row in harvests[harvests["harvest"] != "none"].to_dict("records"):
        known = {name: None if pd.isna(value) else value for name, value in row.items()}
        parcel = str(known["parcel_id"])
        plots = found[owners[parcel]]
        plot = plots.setdefault(parcel, _Plot(float(known["area_ha"] or 0.0)))
        plot.crops[str(known["crop"])] = _crop(known)
    return {farmer: list(plots.values()) for farmer, plots in found.items()}


def _crop(row: Mapping[Any, Any]) -> _Crop:
    by = row["harvest_by"]
    found = _Crop(None if by is None else pd.Timestamp(by).date(), price_minor=_float(row, "price"))
    spread = np.hypot(float(row["shared_log_sd"] or 0.0), float(row["own_log_sd"] or 0.0))
    good = float(np.exp(Z80 * float(spread)))
    tonnes, gross = _float(row, "yield"), _float(row, "gross")
    if row["area_ha"] is not None:
        found.t_ha = None if tonnes is None else tonnes * good
        found.minor_ha = None if gross is None else gross * good
    return found


_COLUMNS = {
    "price": "price_q50_minor", "yield": "yield_q50_t_ha", "gross": "gross_q50_minor_ha"
}  # fmt: skip


def _float(row: Mapping[Any, Any], what: str) -> float | None:
    value = row.get(_COLUMNS[what])
    return None if value is None else float(value)


def _counted(
    row: Mapping[Any, Any], land: Sequence[_Plot], as_of: dt.date, line_end: dt.date
) -> dict[str, Any]:
    crop, value = str(row["crop"]), _value(row)
    first, last = (pd.Timestamp(row[name]).date() for name in ("valid_from", "valid_to"))
    grown = [plot for plot in land if crop in plot.crops]
    quantity = _quantity(row, [plot.crops[crop] for plot in grown])
    told = {
        "contract_id": row["contract_id"], "farmer_id": row["farmer_id"], "buyer": row["buyer"],
        "crop": crop, "value_minor": value, "counted_minor": 0, "quantity_t": quantity,
        "possible_t": None, "possible_minor": None, "valid_to": last,
        "assigned": bool(row["assigned"]),
    }  # fmt: skip
    if last < as_of:
        return {**told, "outcome": "contract_expired"}
    if not row["assigned"]:
        return {**told, "outcome": "contract_unassigned"}
    if not grown:
        return {**told, "outcome": "contract_other_crop"}
    cut = [plot for plot in grown if _cut_by(plot.crops[crop], last)]
    if not cut or first > line_end:
        return {**told, "outcome": "contract_not_at_harvest"}
    return {**told, **_bounded(crop, value, quantity, cut)}


def _cut_by(crop: _Crop, last: dt.date) -> bool:
    return crop.day is None or crop.day <= last


def _bounded(
    crop: str, value: int, quantity: float | None, plots: Sequence[_Plot]
) -> dict[str, Any]:
    """Return what counts of a contract on parcels that are cut in time, and take its part of them
    off whatever else they may bear."""
    tonnes = [plot for plot in plots if plot.crops[crop].t_ha is not None]
    valued = tonnes or [plot for plot in plots if plot.crops[crop].minor_ha is not None]
    asked = quantity if tonnes else float(value)
    if not valued or asked is None:
        return {"outcome": "contract_unbounded"}
    possible = sum(plot.free * plot.area_ha * _best(plot.crops[crop]) for plot in valued)
    found = {"possible_t": possible} if tonnes else {"possible_minor": int(possible)}
    if asked <= possible * _EXACT:
        for plot in valued:
            plot.free *= max(0.0, 1.0 - asked / possible)
        return {**found, "counted_minor": value, "outcome": OK}
    for plot in valued:
        plot.free = 0.0
    counted = _down(Decimal(value) * Decimal(repr(possible)) / Decimal(repr(asked)))
    return {**found, "counted_minor": counted, "outcome": "contract_beyond_land"}


_EXACT = 1.0 + 1e-9
"""What binary numbers may be off where contracts sell the land to the last kilogram."""


def _best(crop: _Crop) -> float:
    return float((crop.minor_ha if crop.t_ha is None else crop.t_ha) or 0.0)


def _value(row: Mapping[Any, Any]) -> int:
    """Return what the buyer pays, rounded down to a minor unit."""
    if not pd.isna(row["amount"]):
        return int(row["amount"])
    return _down(Decimal(repr(float(row["quantity_t"]))) * int(row["price_per_t"]))


def _down(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_FLOOR))


def _quantity(row: Mapping[Any, Any], grown: Sequence[_Crop]) -> float | None:
    """Return the quantity bought; one that is not named is the amount at the lower of the
    contract's own price and that of the harvest: no less of the land is sold than that."""
    if not pd.isna(row["quantity_t"]):
        return float(row["quantity_t"])
    prices = [crop.price_minor for crop in grown if crop.price_minor]
    if not pd.isna(row["price_per_t"]):
        prices.append(float(row["price_per_t"]))
    return float(row["amount"]) / min(prices) if prices else None
