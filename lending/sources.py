"""The lender's own files as known at the as-of date: registry, applications, loan history.

Owns what each stage is handed of them: the rows that count, people by their pseudonyms. How a file
is read belongs to `pipeline.inputs`, what its columns mean to `lending.inputs`, and which of its
rows count to `lending.rows`.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from fieldline.lending.inputs import APPLICATIONS, LOANS, REGISTRY
from fieldline.lending.profile.applications import in_short
from fieldline.lending.protected import read_protected_areas
from fieldline.lending.rows import (
    account_loans,
    ended_on,
    standing_applications,
    standing_registry,
)
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import InputColumn
from fieldline.pipeline.records.money import minor_units
from fieldline.pipeline.records.privacy import Kind, pseudonymiser
from fieldline.pipeline.records.reference import crop_named
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import atomic_path

_LOG = logging.getLogger(__name__)


def read_registry(
    path: Path, *, as_of: dt.date, privacy: PrivacySettings, reading: Reading
) -> pd.DataFrame:
    """Read the registry as known at the as-of date: the latest row of each parcel.

    Returns:
        Frame indexed by parcel_id with area_m2, holder_id (pseudonym), crop, recorded_on and
        `unclear`: nobody can say what the registry holds of this parcel.
    """
    table = _read(path, REGISTRY.name, reading)
    standing = standing_registry(table, as_of)
    rows = standing.counting
    crops = {name: crop_named(name) for name in rows["crop"].dropna().unique()}
    rows = rows.assign(crop=rows["crop"].map(crops), unclear=False)
    groups = rows.groupby("parcel_id", sort=True)
    # Rows of one day agree where they speak; one may hold what another leaves blank.
    found = groups[["area_m2", "holder_id", "crop", "recorded_on", "unclear"]].last()
    several = rows[rows["parcel_id"].duplicated(keep=False)].groupby("parcel_id")["crop"].nunique()
    found.loc[several.index[several > 1], "crop"] = None
    found["holder_id"] = _hidden(found["holder_id"], "farmer", privacy)
    unclear = pd.DataFrame(
        {"unclear": True}, index=pd.Index(sorted(standing.unclear), name="parcel_id", dtype="str")
    )
    return pd.concat([found, unclear]) if len(unclear) else found


def read_applications(
    path: Path, *, as_of: dt.date, privacy: PrivacySettings, reading: Reading
) -> pd.DataFrame:
    """Read the application of each farmer that counts at the as-of date.

    Returns:
        Frame indexed by farmer_id (pseudonym) with the columns of `APPLICATIONS`, amounts in minor
        units, household_id and guarantor_id as pseudonyms, and `problem`: why the application
        cannot be used, empty where it can.
    """
    table = _read(path, APPLICATIONS.name, reading)
    standing = standing_applications(table, as_of)
    rows = standing.counting.drop_duplicates("farmer_id", keep="last").assign(problem="")
    unusable = table.frame.iloc[[p.row - 1 for p in standing.unclear.values()]].assign(
        farmer_id=list(standing.unclear),
        problem=[in_short(problem) for problem in standing.unclear.values()],
    )
    rows = pd.concat([rows, unusable]) if len(unusable) else rows
    for column, kind in _PEOPLE.items():
        rows[column] = _hidden(rows[column], kind, privacy)
    return rows.set_index("farmer_id")


def read_stated(
    path: Path,
    names: Sequence[str],
    *,
    as_of: dt.date,
    privacy: PrivacySettings,
    reading: Reading,
) -> pd.DataFrame:
    """Read further columns of the application of each farmer that counts at the as-of date.

    Args:
        path: Applications.
        names: Columns that are none of `APPLICATIONS`; no message repeats a cell of theirs.
        as_of: Later applications are left out.
        privacy: Key of the pseudonyms.
        reading: The county's currency and the lender's own column names.

    Returns:
        Frame of texts indexed by farmer_id (pseudonym).

    Raises:
        UserError: The file lacks one of them.
    """
    more = tuple(
        InputColumn(name, "text", "Stated by the applicant", required=True, personal=True)
        for name in names
    )
    schema = replace(APPLICATIONS, columns=(*APPLICATIONS.columns, *more))
    rows = standing_applications(read_input(path, schema, reading), as_of).counting
    rows = rows.drop_duplicates("farmer_id", keep="last")
    rows["farmer_id"] = _hidden(rows["farmer_id"], "farmer", privacy)
    return rows.set_index("farmer_id")[list(names)]


def keep_application(frame: pd.DataFrame, farmer_id: str, path: Path) -> None:
    """Keep one farmer's row of `read_applications` for `with_applied`."""
    own = frame.loc[[farmer_id]].reset_index()
    with atomic_path(path) as draft:
        own.to_parquet(draft, index=False)


def with_applied(filed: pd.DataFrame | None, paths: Sequence[Path]) -> pd.DataFrame | None:
    """Return applications with those of farmers who applied one by one in place of their own.

    Args:
        filed: Of `read_applications`, or None.
        paths: Files of `keep_application`; of two of one farmer the later counts.
    """
    if not paths:
        return filed
    rows = pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)
    own = rows.drop_duplicates("farmer_id", keep="last").set_index("farmer_id")
    return own if filed is None else pd.concat([filed[~filed.index.isin(own.index)], own])


_PEOPLE: dict[str, Kind] = {
    "farmer_id": "farmer", "guarantor_id": "farmer", "household_id": "household",
}  # fmt: skip


def read_loans(path: Path, *, as_of: dt.date, reading: Reading) -> pd.DataFrame:
    """Read finished loans whose end was known at the as-of date.

    Args:
        path: Loan history.
        as_of: Loans that closed, or without closing date fell due, later are left out.
        reading: The county's currency and the lender's own column names.

    Returns:
        Frame with the columns of `LOANS`, amounts in units of the currency, sorted by loan; a
        borrower without a household is one.
    """
    table = _read(path, LOANS.name, reading)
    left_out = {problem.row - 1 for problem in account_loans(table, as_of)}
    loans = table.good
    loans = loans[~loans.index.isin(left_out)].copy()
    units = minor_units(reading.currency)
    for column in LOANS.columns:
        if column.kind == "money":
            loans[column.name] = loans[column.name].astype("float64") / units
    loans["ended_on"] = ended_on(loans)
    loans["season"] = loans["season"].fillna(loans["ended_on"].dt.year.astype("str"))
    loans["household_id"] = loans["household_id"].fillna(_own_household(loans))
    loans = loans.astype({"thin_file": "bool", "defaulted": "bool"})
    return loans.sort_values("loan_id", kind="stable").reset_index(drop=True)


def _own_household(loans: pd.DataFrame) -> pd.Series[Any]:
    """Return a household for each borrower alone, and for each loan without one."""
    row = pd.Series([f"row {place + 1}" for place in loans.index], index=loans.index, dtype="str")
    return ("farmer " + loans["farmer_id"]).fillna(row)


def read_protected(path: Path, *, as_of: dt.date, reading: Reading) -> gpd.GeoDataFrame:
    """Read the protected areas in force at the as-of date."""
    areas = read_protected_areas(path, reading)
    _tell(areas.table)
    return areas.in_force(as_of)


def _read(path: Path, name: str, reading: Reading) -> InputTable:
    schema = {s.name: s for s in (REGISTRY, APPLICATIONS, LOANS)}[name]
    table = read_input(path, schema, reading)
    _tell(table)
    return table


def _tell(table: InputTable) -> None:
    refused = len(table.bad_rows)
    if refused:
        _LOG.warning("%s: %d of %d rows refused", table.path, refused, len(table.frame))
    for remark in table.remarks:
        _LOG.warning("%s: %s", table.path, remark)


def _hidden(people: pd.Series[Any], kind: Kind, privacy: PrivacySettings) -> pd.Series[Any]:
    """Return the pseudonyms of references to people; missing stays missing."""
    hide = pseudonymiser(privacy, kind)
    places, references = pd.factorize(people)
    names = np.array([*(hide(str(reference)) for reference in references), None], dtype=object)
    return pd.Series(names[places], index=people.index, dtype="str")
