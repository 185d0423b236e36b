"""Pre-approved: people for whom the lender has settled that the size of a line needs no person.

Owns whom of the county the list is about on a day, and for how much. What it skips is
`lending.decision.preapproved`. An entry that cannot be read is none: nobody is better off by a
slip of the pen.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd

from fieldline.lending.backing.inputs import PREAPPROVED
from fieldline.lending.backing.schemas import LISTED
from fieldline.lending.exclusions import named_people
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import Problem
from fieldline.pipeline.records.settings import PrivacySettings


def account_preapproved(table: InputTable, as_of: dt.date) -> list[Problem]:
    """Return the entries that can be read and have no effect on a day."""
    day, frame, bad = pd.Timestamp(as_of), table.frame, table.bad_rows
    later = (frame["valid_from"] > day).to_numpy(dtype=bool)
    over = (frame["valid_to"] < day).to_numpy(dtype=bool)
    return [
        Problem(place + 1, "valid_from", "input_after_as_of") if later[place]
        else Problem(place + 1, "valid_to", "preapproval_expired")
        for place in np.flatnonzero(later | over).tolist() if place + 1 not in bad
    ]  # fmt: skip


def read_preapproved(
    path: Path | None, contacts: pd.DataFrame, *, as_of: dt.date, privacy: PrivacySettings,
    reading: Reading,
) -> pd.DataFrame:  # fmt: skip
    """Return the entries about farmers that are in force, one each: the newest, the least of a day.

    Args:
        path: The list; None where the lender has none.
        contacts: CONTACTS rows: the marks of the farmers' identity numbers.
        as_of: Knowledge date.
        privacy: Key of pseudonyms and marks.
        reading: The lender's own column names.

    Returns:
        LISTED rows.

    Raises:
        UserError: The file cannot be read, or lacks a column.
    """
    if path is None:
        return pd.DataFrame(columns=LISTED.names)
    rows, day = read_input(path, PREAPPROVED, reading).good, pd.Timestamp(as_of)
    rows = rows[((rows["valid_from"] <= day) & (day <= rows["valid_to"])).to_numpy(dtype=bool)]
    found = named_people(rows, contacts, privacy)
    found = found.sort_values(["valid_from", "amount"], ascending=[False, True], kind="stable")
    found = found.drop_duplicates("farmer_id").sort_values("farmer_id", kind="stable")
    return found.assign(
        amount_minor=found["amount"].astype("int64"),
        valid_to=pd.Series([day.date() for day in found["valid_to"]], found.index, dtype="object"),
    )[list(LISTED.names)]
