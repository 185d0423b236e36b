"""Contracts: what of a purchase contract a line may rest on.

Owns which contracts count at a date, for how much, and the coded reason where one counts for less:
unknown yet, over, not assigned to the lender, for a crop that the farmer does not grow, at another
time than the harvest, or for more than the land can bring. What a line makes of it is
`lending.decision.contracts`.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.lending.backing.inputs import CONTRACTS
from fieldline.lending.backing.schemas import CONTRACTED
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import Problem
from fieldline.pipeline.records.outcomes import OK
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings

_GOOD_YEAR = 1.2815515655446004
"""Standard deviations from the median to the upper tenth of a normal distribution."""


def account_contracts(table: InputTable, as_of: dt.date) -> list[Problem]:
    """Return the contracts that can be read and have no effect on a day, whoever they are of."""
    day, bad = pd.Timestamp(as_of), table.bad_rows
    frame = table.frame
    repeated = frame["contract_id"].duplicated(keep="last") & frame["contract_id"].notna()
    unassigned = (frame["assigned"] == False).fillna(False)  # noqa: E712, a column of three values
    told = (
        ("signed_on", "input_after_as_of", frame["signed_on"] > day),
        ("contract_id", "input_repeated", repeated),
        ("valid_to", "contract_expired", frame["valid_to"] < day),
        ("assigned", "contract_unassigned", unassigned),
    )
    found: dict[int, Problem] = {}
    for column, code, rows in told:
        for place in np.flatnonzero(rows.to_numpy(dtype=bool, na_value=False)).tolist():
            if place + 1 not in bad:
                found.setdefault(place + 1, Problem(place + 1, column, code))
    return [found[row] for row in sorted(found)]


def read_contracts(
    path: Path | None, harvests: pd.DataFrame, evidence: pd.DataFrame, *, as_of: dt.date,
    privacy: PrivacySettings, reading: Reading,
) -> pd.DataFrame:  # fmt: skip
    """Return the county's contracts with what counts of each.

    Args:
        path: The lender's table; None where it has none.
        harvests: HARVESTS rows: when which crop is harvested, and how much it may bring.
        evidence: EVIDENCE rows: whose land it is.
        as_of: Knowledge date.
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
    left = {place: crop.most_t for place, crop in land.items()}
    found = [_counted(row, land, left, as_of) for row in own.to_dict("records")]
    return pd.DataFrame(found, columns=CONTRACTED.names).astype(_KINDS)


_KINDS = {"value_minor": "int64", "counted_minor": "int64", "quantity_t": "float64",
          "possible_t": "float64"}  # fmt: skip


class _Grown:
    """What a farmer's land may bring of a crop."""

    def __init__(self) -> None:
        self.most_t = 0.0
        self.days: list[dt.date] = []
        self.price_minor: float | None = None
        self.undated = False


def _land(harvests: pd.DataFrame, owners: Mapping[str, str]) -> dict[tuple[str, str], _Grown]:
    """Return by farmer and crop what the land may bring in a good year: nine years in ten less."""
    found: dict[tuple[str, str], _Grown] = defaultdict(_Grown)
    known = harvests[harvests["yield_q50_t_ha"].notna() & harvests["area_ha"].notna()]
    for row in known.to_dict("records"):
        grown = found[owners[str(row["parcel_id"])], str(row["crop"])]
        spread = float(np.hypot(row["shared_log_sd"], row["own_log_sd"]))
        best = float(row["yield_q50_t_ha"]) * float(np.exp(_GOOD_YEAR * spread))
        grown.most_t += best * float(row["area_ha"])
        if pd.isna(row["harvest_by"]):
            grown.undated = True
        else:
            grown.days.append(pd.Timestamp(row["harvest_by"]).date())
        if not pd.isna(row["price_q50_minor"]):
            grown.price_minor = float(row["price_q50_minor"])
    return dict(found)


def _counted(
    row: Mapping[Any, Any], land: Mapping[tuple[str, str], _Grown],
    left: dict[tuple[str, str], float], as_of: dt.date,
) -> dict[str, Any]:  # fmt: skip
    place = (str(row["farmer_id"]), str(row["crop"]))
    grown, value = land.get(place), _value(row)
    quantity = _quantity(row, grown)
    first, last = (pd.Timestamp(row[name]).date() for name in ("valid_from", "valid_to"))
    told = {
        "contract_id": row["contract_id"], "farmer_id": place[0], "buyer": row["buyer"],
        "crop": place[1], "value_minor": value, "counted_minor": 0, "quantity_t": quantity,
        "possible_t": None, "valid_to": last,
    }  # fmt: skip
    if last < as_of:
        return {**told, "outcome": "contract_expired"}
    if not row["assigned"]:
        return {**told, "outcome": "contract_unassigned"}
    if grown is None:
        return {**told, "outcome": "contract_other_crop"}
    told["possible_t"] = possible = left[place]
    if not grown.undated and not any(first <= day <= last for day in grown.days):
        return {**told, "outcome": "contract_not_at_harvest"}
    if quantity is None or quantity <= possible:
        left[place] = possible - (quantity or 0.0)
        return {**told, "counted_minor": value, "outcome": OK}
    left[place] = 0.0
    counted = int(value * possible / quantity)
    return {**told, "counted_minor": counted, "outcome": "contract_beyond_land"}


def _value(row: Mapping[Any, Any]) -> int:
    if not pd.isna(row["amount"]):
        return int(row["amount"])
    return int(float(row["quantity_t"]) * int(row["price_per_t"]))


def _quantity(row: Mapping[Any, Any], grown: _Grown | None) -> float | None:
    """Return the quantity bought; one that is not named is the amount at the price, the contract's
    own or else that of the harvest."""
    if not pd.isna(row["quantity_t"]):
        return float(row["quantity_t"])
    price = row["price_per_t"]
    if pd.isna(price):
        price = None if grown is None else grown.price_minor
    return float(row["amount"]) / float(price) if price else None
