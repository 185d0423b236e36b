"""The stage that looks at every input table before the imagery is worked on.

Owns the account of a county and season as files of the results folder; the chain reads the tables
again where it needs them, by the same reader, so that a changed table redoes what depends on it and
no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from fieldline.crops.recognise.photos.check import PhotoCheck
from fieldline.crops.settings import PhotoSettings
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings, Season
from fieldline.pipeline.records.tables import Column, TableSchema, read_table, write_table
from fieldline.workflows.inputs.account import FileAccount, Known
from fieldline.workflows.inputs.tables import TABLES, Circumstances, account_for

STAGE = "inputs"

INPUTS = TableSchema(
    "inputs",
    (
        Column("input", pa.string(), "Setting under county.*.inputs that names the file"),
        Column("file", pa.string(), "Name of the file, without its folder"),
        Column("rows", pa.int64(), "Rows below the header", minimum=0),
        Column("used", pa.int64(), "Rows that are read and used", minimum=0),
        Column("refused", pa.int64(), "Rows that cannot be used until corrected", minimum=0),
        Column("unmatched", pa.int64(), "Rows whose parcel, farmer or cell is unknown", minimum=0),
        Column("set_aside", pa.int64(), "Rows that are right and not used (later, older)"),
        Column("encoding", pa.string(), "Encoding of a text file, or its kind"),
        Column("remarks", pa.string(), "Sentences about the whole file, separated by `; `"),
    ),
    key=("input", "file"),
)

INPUT_ROWS = TableSchema(
    "input_rows",
    (
        Column("input", pa.string(), "Setting under county.*.inputs that names the file"),
        Column("file", pa.string(), "Name of the file, without its folder"),
        Column("row", pa.int64(), "Row of the file, the first below the header being 1"),
        Column("column", pa.string(), "Fieldline's name of the column; empty for the whole row"),
        Column("code", pa.string(), "Code of data/outcome_codes.csv"),
        Column("value", pa.string(), "The cell as written; empty where it may be a person's"),
    ),
    key=("input", "file", "row"),
)


def run_inputs(
    *,
    registry: Path | None,
    applications: Path | None,
    loan_history: Path | None,
    consents: Path | None,
    survey: Path | None,
    prices: Path | None,
    county_yields: Path | None,
    weather: Path | None,
    weather_cells: Path | None,
    protected: Path | None,
    documents: Path | None,
    exclusions: Path | None,
    contracts: Path | None,
    guarantors: Path | None,
    preapproved: Path | None,
    labelled_series: Path | None,
    photos: Path | None,
    parcels: Path,
    farmers: Path,
    outlines: Path,
    season: Season,
    currency: str,
    table_columns: Mapping[str, Mapping[str, str]],
    layouts: Mapping[str, str],
    privacy: PrivacySettings,
    county_names: Sequence[str] = (),
    published_days: int = 0,
    county: str,
    offer_valid_days: int,
    photo_settings: PhotoSettings,
    out: Path,
    out_rows: Path,
    outcomes: Path,
) -> None:
    """Read every table that the county gives and write what became of its rows.

    Args:
        registry: Land registry; None, as any other table, where the county has none.
        applications: Applications.
        loan_history: Finished loans.
        consents: Consents.
        survey: Survey of crops.
        prices: Price series.
        county_yields: Yield statistics.
        weather: Daily weather.
        weather_cells: Places of the weather cells.
        protected: Protected areas.
        documents: Papers that were handed in.
        exclusions: Exclusion list.
        contracts: Purchase contracts.
        guarantors: Guarantee companies and risk pools.
        preapproved: Pre-approved list.
        labelled_series: Labelled series of other parcels.
        photos: Photographs of fields.
        parcels: Outcomes of intake: the parcels that the county drew.
        farmers: `farmers.parquet`: the farmers that it names.
        outlines: `parcels.parquet`, where photographs should have been taken.
        season: Rows recorded after its as-of date are set aside.
        currency: Currency of the county.
        table_columns: Own column names by input and Fieldline name.
        layouts: Layouts by input, where it has a choice of them.
        privacy: Pseudonym key, to find the farmers.
        county_names: What the county may be called in yield statistics of several.
        published_days: Days after the end of a year until its yields are public.
        county: Id of the county.
        offer_valid_days: Days in which an offer may be signed.
        photo_settings: Limits and tolerance of photographs.
        out: Output, `INPUTS`.
        out_rows: Output, `INPUT_ROWS`.
        outcomes: Output, one row per file and one per photograph.

    Raises:
        UserError: A file cannot be read, or lacks a column.
    """
    given = {
        "registry": registry, "applications": applications, "loan_history": loan_history,
        "consents": consents,
        "survey": survey, "prices": prices, "county_yields": county_yields, "weather": weather,
        "weather_cells": weather_cells, "protected": protected, "documents": documents,
        "exclusions": exclusions, "contracts": contracts, "guarantors": guarantors,
        "preapproved": preapproved, "labelled_series": labelled_series, "photos": photos,
    }  # fmt: skip
    known = _known(parcels, farmers, privacy)
    around = Circumstances(
        season.as_of, season.end.year, currency, table_columns, layouts, known, county_names,
        published_days, county, offer_valid_days, PhotoCheck(season, photo_settings, outlines),
    )  # fmt: skip
    paths = {name: path for name, path in given.items() if path is not None}
    accounts = [account_for(name, path, paths, around) for name, path in paths.items()]
    write_table(_files(accounts), INPUTS, out)
    write_table(_rows(accounts), INPUT_ROWS, out_rows)
    write_outcomes(_outcomes(accounts, paths), outcomes)


def _known(parcels: Path, farmers: Path, privacy: PrivacySettings) -> dict[str, Known]:
    hide = pseudonymiser(privacy)
    drawn = set(read_table(parcels, ["parcel_id"])["parcel_id"])
    named = set(read_table(farmers, ["farmer_id"])["farmer_id"])
    return {
        "parcel_id": lambda ids: ids.isin(drawn).to_numpy(dtype=bool),
        "farmer_id": lambda ids: np.array([hide(ref) in named for ref in ids], dtype=bool),
    }


def _files(accounts: Sequence[FileAccount]) -> pd.DataFrame:
    rows = [
        {
            "input": account.input,
            "file": account.path.name,
            "rows": account.rows,
            "used": account.used,
            "refused": account.refused,
            "unmatched": account.unmatched,
            "set_aside": account.set_aside,
            "encoding": account.encoding,
            "remarks": "; ".join(account.remarks),
        }
        for account in accounts
    ]
    return pd.DataFrame(rows, columns=INPUTS.names)


def _rows(accounts: Sequence[FileAccount]) -> pd.DataFrame:
    rows = [
        (account.input, account.path.name, p.row, p.column, p.code, p.value)
        for account in accounts
        for p in account.problems
    ]
    return pd.DataFrame(rows, columns=INPUT_ROWS.names).astype({"row": "int64"})


def _outcomes(accounts: Sequence[FileAccount], paths: Mapping[str, Path]) -> Iterator[Outcome]:
    for account in accounts:
        code = "input_rows_refused" if account.refused else OK
        numbers = {
            "rows": account.rows, "used": account.used, "refused": account.refused,
            "unmatched": account.unmatched, "set_aside": account.set_aside,
        }  # fmt: skip
        told = {name: n for name, n in numbers.items() if n or name in ("rows", "used")}
        yield Outcome(STAGE, f"{account.input}:{account.path.name}", "", code, detail(**told))
        yield from _by_row(account)
    for name, table in TABLES.items():
        if name not in paths and not table.optional:
            yield Outcome(STAGE, name, "", "input_absent")


def _by_row(account: FileAccount) -> Iterator[Outcome]:
    """Yield the outcome of each row of a table that has them, named by its row: a file's name may
    name a person."""
    if not TABLES[account.input].by_row:
        return
    for row in sorted((*account.problems, *account.notes), key=lambda p: p.row):
        about = f"{account.input}:{account.path.name}:{row.row}"
        yield Outcome(STAGE, about, "", row.code, row.value)
