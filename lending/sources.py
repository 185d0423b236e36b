"""The lender's own files: registry, applications, loan history and protected areas.

Owns reading, checking and dating them: nothing recorded after the as-of date passes, and every
identifier of a person becomes its pseudonym here. What the values mean belongs to other modules.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.privacy import Kind, pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings

REGISTRY = ("parcel_id", "area_m2", "holder_id", "crop", "recorded_on")
APPLICATIONS = (
    "farmer_id", "household_id", "household_size", "requested_amount", "annual_debt_service",
    "currency", "prior_loans", "prior_late", "guarantor_id", "applied_on",
)  # fmt: skip
LOANS = (
    "loan_id", "farmer_id", "household_id", "season", "disbursed_on", "due_on", "closed_on",
    "principal", "currency", "evidence_area_ha", "income_q10", "income_q50", "debt_service",
    "household_need", "stability", "hazard_index", "conflicts", "prior_loans", "prior_late",
    "thin_file", "defaulted",
)  # fmt: skip
OFF_FARM = "off_farm_income"
"""Column that applications and loan histories may lack: then nothing is known of it."""
PROTECTED = ("name", "kind", "valid_from", "valid_to", "source")

_TRUE = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def read_rows(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV or Parquet file and check its columns; optional ones are empty where absent.

    Raises:
        UserError: The file is absent or lacks a column.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist", "correct the path in the county's inputs")
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
    else:
        frame = pd.read_csv(path, dtype="str", encoding="utf-8-sig", keep_default_na=True)
    missing = [name for name in required if name not in frame.columns]
    if missing:
        raise UserError(f"{path} lacks the columns {missing}", f"give all of {list(required)}")
    return frame.reindex(columns=[*required, *optional])


def numbers(frame: pd.DataFrame, column: str, path: Path, *, least: float | None = 0) -> None:
    """Turn a column into floats in place; empty stays missing.

    Raises:
        UserError: A value is no number or lies below `least`, with its row.
    """
    values = pd.to_numeric(frame[column], errors="coerce")
    wrong = (values.isna() & _given(frame[column])) | ~np.isfinite(values.fillna(0))
    if least is not None:
        wrong |= values < least
    _refuse(frame, column, path, wrong, "a number" if least is None else f"a number >= {least:g}")
    frame[column] = values.astype("float64")


def days(frame: pd.DataFrame, column: str, path: Path) -> None:
    """Turn a column into dates in place; empty stays missing.

    Raises:
        UserError: A value is no ISO date, with its row.
    """
    values = pd.to_datetime(frame[column], errors="coerce", format="ISO8601")
    _refuse(frame, column, path, values.isna() & _given(frame[column]), "a date like 2024-09-30")
    frame[column] = values


def flags(frame: pd.DataFrame, column: str, path: Path) -> None:
    """Turn a column of true/false or 1/0 into booleans in place.

    Raises:
        UserError: A value is neither, with its row.
    """
    texts = frame[column].astype("str").str.lower().str.removesuffix(".0")
    values = texts.map(_TRUE)
    _refuse(frame, column, path, values.isna(), "true or false")
    frame[column] = values.astype("bool")


def _given(values: pd.Series[Any]) -> pd.Series[Any]:
    return values.notna() & (values.astype("str").str.strip() != "")


def _refuse(
    frame: pd.DataFrame, column: str, path: Path, wrong: pd.Series[Any], wanted: str
) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong.to_numpy())[0])
        value = frame[column].iloc[row]
        raise UserError(f"{path}, row {row + 1}: {column} is {value!r}", f"give {wanted}")


def _hide(frame: pd.DataFrame, column: str, kind: Kind, privacy: PrivacySettings) -> None:
    """Replace references to people by their pseudonyms; empty stays missing."""
    hide = pseudonymiser(privacy, kind)
    frame[column] = [None if pd.isna(v) or v == "" else hide(str(v)) for v in frame[column]]


def _known_by(frame: pd.DataFrame, column: str, as_of: dt.date) -> pd.DataFrame:
    return frame[frame[column] <= pd.Timestamp(as_of)]


def read_registry(path: Path, *, as_of: dt.date, privacy: PrivacySettings) -> pd.DataFrame:
    """Read the registry as known at the as-of date: the latest row of each parcel.

    Returns:
        Frame indexed by parcel_id with area_m2, holder_id (pseudonym), crop, recorded_on.
    """
    frame = read_rows(path, REGISTRY)
    numbers(frame, "area_m2", path)
    days(frame, "recorded_on", path)
    frame["parcel_id"] = frame["parcel_id"].astype("str")
    _hide(frame, "holder_id", "farmer", privacy)
    frame = _known_by(frame, "recorded_on", as_of).sort_values(
        ["parcel_id", "recorded_on"], kind="stable"
    )
    return frame.drop_duplicates("parcel_id", keep="last").set_index("parcel_id")


def read_applications(path: Path, *, as_of: dt.date, privacy: PrivacySettings) -> pd.DataFrame:
    """Read applications made by the as-of date: the latest of each farmer.

    Values are checked by the profile, farmer by farmer: one bad application stops nobody else.

    Returns:
        Frame indexed by farmer_id (pseudonym); household_id and guarantor_id are pseudonyms,
        other columns as given.
    """
    frame = read_rows(path, APPLICATIONS, (OFF_FARM,))
    days(frame, "applied_on", path)
    _hide(frame, "farmer_id", "farmer", privacy)
    _hide(frame, "guarantor_id", "farmer", privacy)
    _hide(frame, "household_id", "household", privacy)
    frame = _known_by(frame.dropna(subset="farmer_id"), "applied_on", as_of)
    frame = frame.sort_values(["farmer_id", "applied_on"], kind="stable")
    return frame.drop_duplicates("farmer_id", keep="last").set_index("farmer_id")


def read_loans(path: Path, *, as_of: dt.date, currency: str) -> pd.DataFrame:
    """Read finished loans whose end was known at the as-of date.

    Args:
        path: Loan history (contract: docs/architecture.md).
        as_of: Loans that closed, or without closing date fell due, later are left out.
        currency: The county's currency.

    Raises:
        UserError: A bad value, or loans in another currency.
    """
    frame = read_rows(path, LOANS, (OFF_FARM,))
    for column in LOANS[7:8] + LOANS[9:19] + (OFF_FARM,):
        numbers(frame, column, path, least=None if column.startswith("income") else 0)
    for column in ("disbursed_on", "due_on", "closed_on"):
        days(frame, column, path)
    for column in ("thin_file", "defaulted"):
        flags(frame, column, path)
    _refuse(frame, "currency", path, frame["currency"] != currency, f"loans in {currency}")
    frame["ended_on"] = frame["closed_on"].fillna(frame["due_on"])
    known = _known_by(frame, "ended_on", as_of)
    return known.sort_values("loan_id", kind="stable").reset_index(drop=True)


def read_protected(path: Path, *, as_of: dt.date) -> gpd.GeoDataFrame:
    """Read the protected areas in force at the as-of date.

    Raises:
        UserError: The file is absent, carries no CRS or lacks a column.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist", "correct the path in the county's inputs")
    frame = gpd.read_file(path)
    missing = [name for name in PROTECTED if name not in frame.columns]
    if missing:
        raise UserError(f"{path} lacks the columns {missing}", f"give all of {list(PROTECTED)}")
    if frame.crs is None:
        raise UserError(f"{path} carries no CRS", "write the layer with its CRS")
    for column in ("valid_from", "valid_to"):
        days(frame, column, path)
    day = pd.Timestamp(as_of)
    begun = frame["valid_from"].isna() | (frame["valid_from"] <= day)
    ended = frame["valid_to"].notna() & (frame["valid_to"] < day)
    return frame[begun & ~ended].reset_index(drop=True)
