"""Covers: guarantee companies and risk pools that are open to a county on a day.

Owns which of them cover new lines there, in the order of the lender's table. Who gets what of their
capacity is `lending.decision.covers`.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.lending.backing.inputs import (
    GUARANTORS,
    BoolArray,
    listed,
    replaced_rows,
    told_once,
)
from fieldline.lending.backing.schemas import COVERS
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import Problem
from fieldline.pipeline.records.reference import crop_named

_DECIMALS = Decimal("0.000001")


def account_guarantors(
    table: InputTable, county: str, as_of: dt.date, signed_by: dt.date
) -> list[Problem]:
    """Return the rows that can be read and cover no line of a county that is offered on a day.

    Args:
        table: The table as read.
        county: Id of the county.
        as_of: Knowledge date.
        signed_by: Last day on which an offer may be signed.
    """
    frame, day = table.frame, pd.Timestamp(as_of)
    return told_once(
        table,
        (
            ("stated_on", "input_after_as_of", frame["stated_on"] > day),
            (
                "guarantor_id", "input_repeated",
                replaced_rows(table, "guarantor_id", frame["stated_on"] <= day),
            ),
            ("valid_from", "input_after_as_of", frame["valid_from"] > day),
            ("valid_to", "guarantor_expired", frame["valid_to"] < pd.Timestamp(signed_by)),
            ("counties", "guarantor_elsewhere", ~_covers_county(frame["counties"], county)),
        ),
    )  # fmt: skip


def _covers_county(cells: pd.Series[Any], county: str) -> BoolArray:
    """Return which rows cover lines of a county: those that name it or none."""
    return np.array([not (own := listed(cell)) or county in own for cell in cells], dtype=bool)


def read_covers(
    path: Path | None, county: str, *, as_of: dt.date, signed_by: dt.date, reading: Reading
) -> pd.DataFrame:
    """Return who covers lines of a county that are offered on a day.

    Args:
        path: The lender's table; None where it has none.
        county: Id of the county.
        as_of: Knowledge date.
        signed_by: Last day on which an offer may be signed: a cover that ends before is none.
        reading: The county's currency and the lender's own column names.

    Returns:
        COVERS rows in the order of the table; of a guarantor named twice the later row.

    Raises:
        UserError: The file cannot be read, or lacks a column.
    """
    if path is None:
        return pd.DataFrame(columns=COVERS.names)
    rows, day = read_input(path, GUARANTORS, reading).good, pd.Timestamp(as_of)
    known = rows[(rows["stated_on"] <= day).to_numpy(dtype=bool)]
    known = known.drop_duplicates("guarantor_id", keep="last")
    here = _covers_county(known["counties"], county)
    lasts = known["valid_to"].isna() | (known["valid_to"] >= pd.Timestamp(signed_by))
    own = known[
        (known["valid_from"] <= day).to_numpy(dtype=bool) & lasts.to_numpy(dtype=bool)
        & here
    ]  # fmt: skip
    return pd.DataFrame(
        {
            "place": np.arange(len(own), dtype="int32"),
            "guarantor_id": own["guarantor_id"].tolist(),
            "name": own["name"].tolist(),
            "share": [_exact(value) for value in own["share"]],
            "fee": [_exact(value) for value in own["fee"]],
            "capacity_minor": own["capacity_left"].astype("int64").tolist(),
            "stated_on": [value.date() for value in own["stated_on"]],
            "valid_to": [None if pd.isna(value) else value.date() for value in own["valid_to"]],
            "crops": [[str(crop_named(word)) for word in listed(cell)] for cell in own["crops"]],
        },
        columns=COVERS.names,
    )


def _exact(value: float) -> str:
    """Write a share as the table does: 0.8 and not what a binary number makes of it."""
    return str(Decimal(repr(float(value))).quantize(_DECIMALS).normalize())
