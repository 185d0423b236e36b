"""Exclusion lists: people to whom nothing is lent, or not without a person, until a day.

Owns what a row of such a list is at a date and whom of the county it is about, by the reference of
the outlines or by identity number; both leave here as pseudonyms only. What an entry does to an
offer is `lending.decision.excluded`'s. Doubt falls on the careful side: an entry that cannot be
read in full asks for a person.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.lending.inputs import EXCLUSIONS
from fieldline.lending.schemas import EXCLUDED
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import Problem
from fieldline.pipeline.parcels.contacts import letters_and_digits
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings

_COLUMN_OF = {"input_after_as_of": "valid_from", "exclusion_expired": "valid_to"}
UNCLEAR = "unclear"
"""Effect of an entry that cannot be read in full: a person decides."""


def states_at(table: InputTable, as_of: dt.date) -> pd.Series[Any]:
    """Return what each row is at a date: `ok`, `refused`, or the code of why it has no effect."""
    frame, day = table.frame, pd.Timestamp(as_of)
    bad = frame.index.isin([row - 1 for row in table.bad_rows])
    backwards = (frame["valid_to"] < frame["valid_from"]).to_numpy(dtype=bool)
    over = (frame["valid_to"] < day).to_numpy(dtype=bool) & ~backwards
    later = (frame["valid_from"] > day).to_numpy(dtype=bool) & ~backwards
    found = np.select(
        [over, later, bad], ["exclusion_expired", "input_after_as_of", "refused"], "ok"
    )
    return pd.Series(found, frame.index)


def account_exclusions(table: InputTable, as_of: dt.date) -> list[Problem]:
    """Return the entries that can be read and have no effect on a day."""
    bad = table.bad_rows
    return [
        Problem(int(str(row)) + 1, _COLUMN_OF[code], code)
        for row, code in states_at(table, as_of).items()
        if code in _COLUMN_OF and int(str(row)) + 1 not in bad
    ]


def read_exclusions(
    path: Path | None, contacts: pd.DataFrame, *, as_of: dt.date, privacy: PrivacySettings,
    reading: Reading,
) -> pd.DataFrame:  # fmt: skip
    """Return the entries about farmers of the county that are in force.

    Args:
        path: The list; None where the lender has none.
        contacts: CONTACTS rows: the marks of the farmers' identity numbers.
        as_of: Knowledge date.
        privacy: Key of pseudonyms and marks.
        reading: The lender's own column names.

    Returns:
        EXCLUDED rows.

    Raises:
        UserError: The file cannot be read, or lacks a column.
    """
    if path is None:
        return pd.DataFrame(columns=EXCLUDED.names)
    table = read_input(path, EXCLUSIONS, reading)
    states = states_at(table, as_of)
    rows = table.frame.assign(
        effect=table.frame["effect"].str.lower().where(states == "ok", UNCLEAR)
    )
    rows = rows[states.isin(["ok", "refused"]).to_numpy(dtype=bool)]
    found = _entries(named_people(rows, contacts, privacy))
    return found.drop_duplicates().reset_index(drop=True)


def named_people(
    rows: pd.DataFrame, contacts: pd.DataFrame, privacy: PrivacySettings
) -> pd.DataFrame:
    """Return the rows of a list with the pseudonym of each farmer that they are about.

    Args:
        rows: With `farmer_id` as the outlines have it, or `id_number`; either may be blank.
        contacts: CONTACTS rows: the marks of the farmers' identity numbers.
        privacy: Key of pseudonyms and marks.
    """
    return pd.concat([_by_reference(rows, privacy), _by_identity(rows, contacts, privacy)])


def _by_reference(rows: pd.DataFrame, privacy: PrivacySettings) -> pd.DataFrame:
    own = rows[rows["farmer_id"].notna()]
    hide = pseudonymiser(privacy)
    return own.assign(farmer_id=[hide(str(name)) for name in own["farmer_id"]])


def _by_identity(
    rows: pd.DataFrame, contacts: pd.DataFrame, privacy: PrivacySettings
) -> pd.DataFrame:
    own = rows[rows["id_number"].notna()].drop(columns="farmer_id")
    hide = pseudonymiser(privacy, "id_number")
    alike = [letters_and_digits(str(number)) for number in own["id_number"]]
    marks = pd.Series([hide(text) if text else "" for text in alike], own.index, dtype="str")
    own = own.assign(mark=marks)
    known = contacts.loc[contacts["kind"] == "id_number", ["farmer_id", "mark"]]
    return own.merge(known, on="mark")


def _entries(rows: pd.DataFrame) -> pd.DataFrame:
    days = {
        name: pd.Series([None if pd.isna(day) else day.date() for day in rows[name]], rows.index,
                        dtype="object")
        for name in _DAYS
    }  # fmt: skip
    texts = {name: rows[name].fillna("").astype("str") for name in ("reason", "source")}
    return rows.assign(**days, **texts)[list(EXCLUDED.names)]


_DAYS = ("valid_from", "valid_to")
