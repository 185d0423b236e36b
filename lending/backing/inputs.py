"""What tables of contracts, guarantors and pre-approved people may hold.

Owns their declaration, the checks of one row against itself and how rows without an effect are
told; reads no file and knows no date.
What a row does to a line is `contracts`, `covers` and `preapproved` beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.lending.inputs import LISTED_PERSON, in_order, some_person
from fieldline.pipeline.inputs.read import InputTable
from fieldline.pipeline.inputs.schema import InputColumn, InputSchema, Problem, problems_of
from fieldline.pipeline.records.reference import crop_named

BoolArray = npt.NDArray[np.bool_]


def ends_first(frame: pd.DataFrame) -> list[Problem]:
    """Rows that end before they begin."""
    return in_order(frame, "valid_from", "valid_to", "input_inconsistent")


def told_once(
    table: InputTable, told: Iterable[tuple[str, str, pd.Series[Any] | BoolArray]]
) -> list[Problem]:
    """Return the first reason why a row that can be read has no effect, in the order of the rows.

    Args:
        table: The table as read.
        told: Column, code and the rows of which it is true, by reason.
    """
    bad, found = table.bad_rows, dict[int, Problem]()
    for column, code, rows in told:
        for place in np.flatnonzero(np.asarray(rows, dtype=bool)).tolist():
            if place + 1 not in bad:
                found.setdefault(place + 1, Problem(place + 1, column, code))
    return [found[row] for row in sorted(found)]


def replaced_rows(table: InputTable, key: str, known: pd.Series[Any]) -> pd.Series[Any]:
    """Return which rows a later one replaces: one that can be read and is known on the day.

    Args:
        table: The table as read.
        key: Column that tells its things apart.
        known: Which of its rows are known on the day.
    """
    counts = known.fillna(False) & ~table.frame.index.isin([row - 1 for row in table.bad_rows])
    own = table.frame.loc[counts.astype(bool), key]
    again = own[own.duplicated(keep="last")].index
    return pd.Series(table.frame.index.isin(again), table.frame.index)


def _some_value(frame: pd.DataFrame) -> list[Problem]:
    """Contracts that name neither an amount nor a quantity with its price."""
    known = frame["amount"].notna() | (frame["quantity_t"].notna() & frame["price_per_t"].notna())
    rows = np.flatnonzero(~known.to_numpy(dtype=bool)).tolist()
    return [Problem(row + 1, "amount", "input_missing") for row in rows]


def _above_zero(frame: pd.DataFrame) -> list[Problem]:
    """Contracts for nothing: whatever is named of amount, quantity and price must be above 0."""
    return [
        one
        for name in ("amount", "quantity_t", "price_per_t")
        for one in problems_of(frame.loc[(frame[name] <= 0).fillna(False), name], name, _RANGE)
    ]


def _one_value(frame: pd.DataFrame) -> list[Problem]:
    """Contracts whose amount is another than quantity times price, by more than their rounding."""
    said = frame["quantity_t"].astype("float64") * frame["price_per_t"].astype("float64")
    paid = frame["amount"].astype("float64")
    apart = ((paid - said).abs() > _ROUNDED * paid).to_numpy(dtype=bool)
    rows = np.flatnonzero(apart).tolist()
    return [Problem(row + 1, "amount", "input_inconsistent") for row in rows]


_ROUNDED = 0.01
"""Part of the amount by which quantities and prices that are written short may miss it."""
_RANGE = "input_out_of_range"
_CURRENCY = InputColumn(
    "currency", "currency", "Currency of the row's amounts: the county's", required=True,
    needed=True,
)  # fmt: skip

CONTRACTS = InputSchema(
    "contracts",
    "the purchase contracts",
    (
        InputColumn("contract_id", "id", "Contract", required=True, needed=True),
        InputColumn(
            "farmer_id", "id", "Farmer who sells, as in the outlines", required=True, needed=True,
            personal=True,
        ),
        InputColumn(
            "buyer", "text", "Who buys: a company or office, never a person; the farmer is told it",
            required=True, needed=True, personal=True,
        ),
        InputColumn("crop", "crop", "Crop that is bought", required=True, needed=True),
        _CURRENCY,
        InputColumn(
            "amount", "money", "What the buyer pays in all, above 0; blank: quantity times "
            "price", "currency", minimum=0,
        ),
        InputColumn(
            "quantity_t", "number", "Quantity bought, above 0", "t", minimum=0, maximum=1e6
        ),
        InputColumn("price_per_t", "money", "Price, above 0", "currency/t", minimum=0),
        InputColumn(
            "signed_on", "date", "Day of signature; one after the as-of date is not known yet",
            required=True, needed=True,
        ),
        InputColumn(
            "valid_from", "date", "First day on which the buyer takes the crop", required=True,
            needed=True,
        ),
        InputColumn(
            "valid_to", "date", "Last day on which the buyer takes it", required=True, needed=True,
        ),
        InputColumn(
            "assigned", "flag", "Whether the farmer assigned the claim on the buyer to the lender",
            required=True, needed=True,
        ),
    ),
    key=("contract_id",),
    joins="farmer_id",
    rules=(_some_value, _above_zero, _one_value, ends_first),
)  # fmt: skip


def _known_crops(frame: pd.DataFrame) -> list[Problem]:
    """Lists of crops with a word that is no crop."""
    return [
        Problem(int(str(row)) + 1, "crops", "input_unknown_crop", str(cell)[:40])
        for row, cell in frame["crops"].dropna().items()
        if any(crop_named(word) is None for word in listed(cell))
    ]


def listed(cell: Any) -> tuple[str, ...]:
    """Return the words of a cell that names one or several, `A|B`; none of a blank one."""
    if cell is None or pd.isna(cell):
        return ()
    return tuple(word.strip() for word in str(cell).split("|") if word.strip())


GUARANTORS = InputSchema(
    "guarantors",
    "the guarantee companies and risk pools",
    (
        InputColumn(
            "guarantor_id", "id", "Guarantee company or risk pool", required=True, needed=True,
        ),
        InputColumn("name", "text", "Its name; the farmer is told it", required=True, needed=True),
        InputColumn(
            "share", "number", "Share of a loss that it bears", required=True, needed=True,
            minimum=0.01, maximum=1,
        ),
        _CURRENCY,
        InputColumn(
            "capacity_left", "money", "What it can still take on: its share of further lines",
            "currency", required=True, needed=True, minimum=0,
        ),
        InputColumn(
            "stated_on", "date", "Day of that figure: it is net of the lines offered before that "
            "day; what is offered from it on is taken off, and a line before it that a later run "
            "replaces is given back",
            required=True, needed=True,
        ),
        InputColumn(
            "fee", "number", "Yearly fee as a share of what it covers; it enters the rate",
            required=True, needed=True, minimum=0, maximum=0.2,
        ),
        InputColumn(
            "valid_from", "date", "First day on which lines are covered", required=True,
            needed=True,
        ),
        InputColumn(
            "valid_to", "date", "Last day on which a covered line may be signed; blank: it has no "
            "end", required=True,
        ),
        InputColumn(
            "counties", "text", "Ids of the counties whose lines it covers, `A|B`; blank for all",
        ),
        InputColumn(
            "crops", "text", "Crops whose growers it covers, `A|B`; blank for all",
        ),
    ),
    key=("guarantor_id",),
    rules=(_known_crops, ends_first),
)  # fmt: skip


PREAPPROVED = InputSchema(
    "preapproved",
    "the pre-approved list",
    (
        *LISTED_PERSON,
        _CURRENCY,
        InputColumn(
            "amount", "money", "Up to which no person need look for the size of the line alone",
            "currency", required=True, needed=True, minimum=0,
        ),
        InputColumn("valid_from", "date", "First day in force", required=True, needed=True),
        InputColumn("valid_to", "date", "Last day in force", required=True, needed=True),
        InputColumn(
            "source", "text", "Who approved it: a company or office, never a person; the farmer is "
            "told it", required=True, needed=True, personal=True,
        ),
    ),
    rules=(some_person, ends_first),
)  # fmt: skip
