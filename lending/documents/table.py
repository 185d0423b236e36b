"""The table of papers: one row per paper, read as known at the as-of date.

Owns its declaration, the checks of one row against its kind and what becomes of a row at a date:
a paper counts from the day it begins to the day it ends or is too old for its kind, and proves what
its kind proves only once somebody of the lender has verified it. What a paper settles is elsewhere.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.lending.documents.kinds import document_kinds, kind_named
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import InputColumn, InputSchema, Problem
from fieldline.pipeline.records.privacy import Kind, pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.units import M2_PER_HA, M2_PER_MU

#: A landlord who takes more than this share of a crop leaves nobody to till the land; assumption.
_MOST_SHARE = 0.9
_MOST_LOANS = 500


def _kinds(frame: pd.DataFrame) -> pd.Series[Any]:
    """Return the kind's code of each row; missing where blank or unknown."""
    names = {name: kind_named(str(name)) for name in frame["kind"].dropna().unique()}
    return frame["kind"].map(names)


def _known_kind(frame: pd.DataFrame) -> list[Problem]:
    """Kinds that the table of kinds does not hold."""
    unknown = frame["kind"].notna() & _kinds(frame).isna()
    return [
        Problem(row + 1, "kind", "document_unknown_kind", str(frame["kind"].iloc[row])[:40])
        for row in np.flatnonzero(unknown.to_numpy(dtype=bool)).tolist()
    ]


def _needed_by_kind(frame: pd.DataFrame) -> list[Problem]:
    """Cells without which a paper of its kind says nothing."""
    found = []
    for row, kind in _kinds(frame).dropna().items():
        lacking = [c for c in document_kinds()[kind].needs if pd.isna(frame[c].iloc[int(str(row))])]
        found += [Problem(int(str(row)) + 1, column, "input_missing") for column in lacking[:1]]
    return found


def _own_word(frame: pd.DataFrame) -> list[Problem]:
    """Papers whose other party or verifier is the applicant: nobody vouches for himself."""
    return [
        Problem(row + 1, column, "document_own_word")
        for column in ("counterparty_id", "verified_by")
        for row in np.flatnonzero(
            (frame["farmer_id"].notna() & (frame["farmer_id"] == frame[column])).to_numpy(bool)
        ).tolist()
    ]


def _in_order(frame: pd.DataFrame) -> list[Problem]:
    """Papers that end before they begin, or were verified before they were issued."""
    pairs = (("valid_from", "valid_to"), ("issued_on", "valid_to"), ("issued_on", "verified_on"))
    return [
        Problem(
            row + 1, later, "input_inconsistent",
            f"{frame[later].iloc[row]:%Y-%m-%d} before {frame[first].iloc[row]:%Y-%m-%d}",
        )
        for first, later in pairs
        for row in np.flatnonzero((frame[later] < frame[first]).to_numpy(dtype=bool)).tolist()
    ]  # fmt: skip


def _late_of_loans(frame: pd.DataFrame) -> list[Problem]:
    """More loans paid late than loans."""
    wrong = frame["prior_late"] > frame["prior_loans"]
    return [
        Problem(row + 1, "prior_late", "input_inconsistent")
        for row in np.flatnonzero(wrong.to_numpy(dtype=bool)).tolist()
    ]


DOCUMENTS = InputSchema(
    "documents",
    "the papers that were handed in",
    (
        InputColumn(
            "document_id", "id", "Number of the paper; the same for all who sign a joint "
            "application",
        ),
        InputColumn(
            "kind", "text", "Kind of paper, a code or name of `data/document_kinds.csv`",
            required=True, needed=True,
        ),
        InputColumn(
            "farmer_id", "id", "Farmer whom it is about, as in the outlines; blank for "
            "whoever drew the parcel", personal=True,
        ),
        InputColumn("parcel_id", "id", "Parcel that it is about, as in the outlines"),
        InputColumn(
            "counterparty_id", "id", "The other party: landlord, objecting holder or guarantor",
            personal=True,
        ),
        InputColumn("issued_on", "date", "Day on which it was issued", required=True, needed=True),
        InputColumn("valid_from", "date", "First day in force; blank: from the day of issue"),
        InputColumn("valid_to", "date", "Last day in force; blank where its kind needs no end"),
        InputColumn("source", "text", "Who issued it", required=True, needed=True),
        InputColumn(
            "verified_by", "text", "Officer of the lender who checked it; blank: nobody yet",
            required=True, personal=True,
        ),
        InputColumn("verified_on", "date", "Day of the check; blank: not yet", required=True),
        InputColumn(
            "area_m2", "number", "Area of a certificate or lease", "m2", minimum=1, maximum=1e8,
            quantity="area", units={"area_mu": M2_PER_MU, "area_ha": float(M2_PER_HA)},
        ),
        InputColumn("crop", "crop", "Crop of a photo or seed receipt"),
        InputColumn("currency", "currency", "Currency of the row's amounts: the county's"),
        InputColumn(
            "amount", "money", "Rent per mu and year, sum insured per mu, amount guaranteed, "
            "yearly income or yearly debt service, by kind", "currency", minimum=0,
        ),
        InputColumn("premium", "money", "Farmer's insurance premium per mu", "currency", minimum=0),
        InputColumn(
            "crop_share", "number", "Landlord's share of the crop, for share-cropping", minimum=0,
            maximum=_MOST_SHARE,
        ),
        InputColumn(
            "prior_loans", "count", "Finished loans of a credit record", "loans", minimum=0,
            maximum=_MOST_LOANS, quantity="loans",
        ),
        InputColumn(
            "prior_late", "count", "How many of them were paid late", "loans", minimum=0,
            maximum=_MOST_LOANS, quantity="loans",
        ),
    ),
    rules=(_known_kind, _needed_by_kind, _own_word, _in_order, _late_of_loans),
)  # fmt: skip

#: Cells of a row that must agree where a paper stands twice.
_COMPARED = tuple(column.name for column in DOCUMENTS.columns if column.kind != "currency")


def states_at(table: InputTable, as_of: dt.date) -> pd.Series[Any]:
    """Return what each row is at a date: `ok`, or the code of why it does not count in full.

    `document_unverified` is read as what its giver states; all other codes set the row aside.
    """
    frame, day = table.frame, pd.Timestamp(as_of)
    kinds = _kinds(frame)
    begins = frame["valid_from"].fillna(frame["issued_on"])
    age = (day - frame["issued_on"]).dt.days
    proves = kinds.map(lambda kind: pd.notna(kind) and document_kinds()[str(kind)].verified)
    checked = frame["verified_by"].notna() & (frame["verified_on"] <= day)
    bad = frame.index.isin([row - 1 for row in table.bad_rows])
    clashing, again = _stands_twice(frame, ~bad & (frame["issued_on"] <= day).to_numpy(dtype=bool))
    codes: list[tuple[npt.NDArray[np.bool_], str]] = [
        (bad, "refused"),
        (_true(frame["issued_on"] > day), "input_after_as_of"),
        (clashing, "input_contradicted"),
        (again, "input_repeated"),
        (_true(begins > day), "document_not_begun"),
        (_true(frame["valid_to"] < day), "document_expired"),
        (_true(age > _greatest_age(kinds)), "document_too_old"),
        (_true(proves.astype(bool) & ~checked), "document_unverified"),
    ]
    return pd.Series(np.select([c for c, _ in codes], [n for _, n in codes], "ok"), frame.index)


def _greatest_age(kinds: pd.Series[Any]) -> pd.Series[Any]:
    """Return the days for which a paper of each kind counts; missing where its last day says."""
    ages = {code: kind.greatest_age_days for code, kind in document_kinds().items()}
    return kinds.map(ages).astype("float64")


def _true(values: pd.Series[Any]) -> npt.NDArray[np.bool_]:
    return values.to_numpy(dtype=bool)


def _stands_twice(
    frame: pd.DataFrame, chosen: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return rows of one paper (kind, number, farmer, parcel) that differ, and those that repeat.

    A paper without a number repeats only where all of its cells do.
    """
    named = frame[chosen]
    again = named.duplicated(list(_COMPARED), keep="last")
    once = named[~again & named["document_id"].notna()]
    clash = once.duplicated(["kind", "document_id", "farmer_id", "parcel_id"], keep=False)
    clashing, repeated = np.zeros(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)
    clashing[once.index[clash.to_numpy(dtype=bool)]] = True
    repeated[named.index[again.to_numpy(dtype=bool)]] = True
    return clashing, repeated


_COLUMN_OF = {
    "input_after_as_of": "issued_on", "document_not_begun": "valid_from",
    "document_expired": "valid_to", "document_too_old": "issued_on",
    "document_unverified": "verified_by",
    "input_contradicted": "document_id", "input_repeated": "document_id",
}  # fmt: skip
"""The column to which a person looks, by code."""

Known = Callable[["pd.Series[str]"], npt.NDArray[np.bool_]]


def account_documents(
    table: InputTable, as_of: dt.date, known: Mapping[str, Known]
) -> list[Problem]:
    """Return what becomes of readable papers that do not count in full.

    Args:
        table: The papers.
        as_of: Knowledge date.
        known: By column name, which of its values the county knows.
    """
    states = states_at(table, as_of)
    told = [
        Problem(int(str(row)) + 1, _COLUMN_OF[code], code)
        for row, code in states.items()
        if code not in ("ok", "refused")
    ]
    for column in ("parcel_id", "farmer_id"):
        given = table.frame[column].dropna()
        if column in known and len(given):
            lost = given.index[~known[column](given)]
            told += [Problem(int(row) + 1, column, "input_unmatched") for row in lost]
    return sorted(told, key=lambda problem: problem.row)


_PEOPLE: dict[str, Kind] = {"farmer_id": "farmer", "counterparty_id": "farmer"}


def read_documents(
    path: Path, *, as_of: dt.date, privacy: PrivacySettings, reading: Reading
) -> pd.DataFrame:
    """Read the papers that are in force at the as-of date.

    Returns:
        One row per paper in order of issue: the columns of `DOCUMENTS` with `kind` as its code,
        people as pseudonyms, amounts in minor units, and `verified`: whether it proves what it
        says.

    Raises:
        UserError: The file cannot be read, or lacks a column.
    """
    table = read_input(path, DOCUMENTS, reading)
    states = states_at(table, as_of)
    rows = table.frame.assign(kind=_kinds(table.frame), verified=states == "ok")
    rows = rows[states.isin(["ok", "document_unverified"]).to_numpy(dtype=bool)].copy()
    for column, kind in _PEOPLE.items():
        hide = pseudonymiser(privacy, kind)
        rows[column] = rows[column].map(lambda name, hide=hide: hide(str(name)), na_action="ignore")
    return rows.sort_values("issued_on", kind="stable").reset_index(drop=True)
