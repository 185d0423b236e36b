"""Pre-approved: people for whom the lender has settled that the size of a line needs no person.

Owns whom of the county the list is about on a day, and for how much. What it skips is
`lending.decision.preapproved`. An entry that cannot be read is none, nor is one whose reference and
identity number name two people: nobody is better off by a slip of the pen.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.lending.backing.inputs import PREAPPROVED, told_once
from fieldline.lending.backing.schemas import LISTED
from fieldline.lending.exclusions import named_people
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import Problem
from fieldline.pipeline.parcels.contacts import letters_and_digits
from fieldline.pipeline.records.settings import PrivacySettings


def account_preapproved(table: InputTable, as_of: dt.date) -> list[Problem]:
    """Return the entries that can be read and have no effect on a day."""
    frame, day = table.frame, pd.Timestamp(as_of)
    return told_once(
        table,
        (
            ("valid_from", "input_after_as_of", frame["valid_from"] > day),
            ("valid_to", "preapproval_expired", frame["valid_to"] < day),
            ("valid_from", "input_repeated", _replaced(table, day)),
        ),
    )


def _replaced(table: InputTable, day: pd.Timestamp) -> pd.Series[Any]:
    """Return the entries in force that another about the same reference or number replaces."""
    good = _in_force(table.good, day)
    numbers = [letters_and_digits(str(number)) for number in good["id_number"].fillna("")]
    who = good["farmer_id"].fillna(pd.Series(numbers, good.index, dtype="str"))
    again = _newest_first(good.assign(who=who)[(who != "").to_numpy(dtype=bool)])
    gone = again[again.duplicated("who")].index
    return pd.Series(table.frame.index.isin(gone), table.frame.index)


def _in_force(rows: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    return rows[((rows["valid_from"] <= day) & (day <= rows["valid_to"])).to_numpy(dtype=bool)]


def _newest_first(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(["valid_from", "amount"], ascending=[False, True], kind="stable")


def _agreed(rows: pd.DataFrame, contacts: pd.DataFrame, privacy: PrivacySettings) -> pd.DataFrame:
    """Return entries by farmer; of one with reference and number whom both of them name."""
    both = (rows["farmer_id"].notna() & rows["id_number"].notna()).to_numpy(dtype=bool)
    found = named_people(rows.assign(entry=np.arange(len(rows)), both=both), contacts, privacy)
    return found[~found["both"].astype(bool) | found.duplicated(["entry", "farmer_id"])]


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
    found = _newest_first(_agreed(_in_force(rows, day), contacts, privacy))
    found = found.drop_duplicates("farmer_id").sort_values("farmer_id", kind="stable")
    return found.assign(
        amount_minor=found["amount"].astype("int64"),
        valid_to=pd.Series([day.date() for day in found["valid_to"]], found.index, dtype="object"),
    )[list(LISTED.names)]
