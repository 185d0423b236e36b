"""The columns of a parcel file besides its outlines: ids, people, village, crop, declared area.

Owns what a parcel file may be asked for and the notes about its rows; judges no outline. The same
rules read these columns from a CSV, a workbook, GeoJSON, KML, a GeoPackage or a Shapefile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fieldline.pipeline.inputs.cells import Cells, number_text
from fieldline.pipeline.inputs.delimited import damaged_rows
from fieldline.pipeline.inputs.names import claimants
from fieldline.pipeline.inputs.read import InputTable, Reading, interpret
from fieldline.pipeline.inputs.schema import InputColumn, InputSchema
from fieldline.pipeline.records.encodings import recover_columns
from fieldline.pipeline.records.units import M2_PER_HA, M2_PER_MU

PARCELS = InputSchema(
    "parcels",
    "the file of outlines",
    (
        InputColumn(
            "parcel_id", "id", "Number of the parcel, the same every season", required=True
        ),
        InputColumn("farmer_id", "id", "Number of the farmer", required=True, personal=True),
        InputColumn("name", "text", "Farmer's name; goes to the vault", personal=True),
        InputColumn("phone", "id", "Farmer's phone number; goes to the vault", personal=True),
        InputColumn("id_number", "id", "National id number; goes to the vault", personal=True),
        InputColumn(
            "bank_account", "id", "Account that a line is paid to; kept nowhere, only a keyed mark "
            "tells whether farmers share it", personal=True,
        ),
        InputColumn(
            "address", "text", "Farmer's address; kept nowhere, only a keyed mark tells whether "
            "farmers share it", personal=True,
        ),
        InputColumn("village", "text", "Village"),
        InputColumn("declared_crop", "text", "Crop that the farmer declares", named_as=("crop",)),
        InputColumn(
            "declared_area_m2", "number", "Area that the farmer declares", "m2",
            minimum=0.01, maximum=1e9, quantity="area", named_as=("declared_area",),
            units={"declared_area_mu": M2_PER_MU, "declared_area_ha": float(M2_PER_HA)},
        ),
        InputColumn(
            "geometry", "text", "Outline as WKT, hexadecimal WKB, GeoJSON or a geoshape of ODK "
            "(tables only)",
        ),
    ),
    key=("parcel_id",),
)  # fmt: skip
"""Columns of a parcel file; `geometry` is asked of tables only."""


def layer_cells(source: Path, columns: Mapping[str, Sequence[Any]]) -> Cells:
    """Return the columns of an outline format as cells of a table, their text readable.

    Args:
        source: Named in errors.
        columns: Values of any kind by the file's own names; bytes that are no UTF-8 as surrogates.
    """
    typed = {name: column for name, column in columns.items() if isinstance(column, pa.Array)}
    texts = {n: [_text(value) for value in c] for n, c in columns.items() if n not in typed}
    notes, encoding = recover_columns(list(texts.values()))
    arrays = {name: pa.array(column, type=pa.string()) for name, column in texts.items()}
    for column in typed.values():
        notes |= damaged_rows(column)
    every = tuple({**typed, **arrays}[name] for name in columns)
    return Cells(source, tuple(columns), every, encoding, "", notes=notes)


def _text(value: Any) -> str | None:
    """Return a value as a person would write it; a number that is too long shows lost digits."""
    if value is None or isinstance(value, bool | dict | list):
        return None
    if isinstance(value, float | np.floating):
        return number_text(float(value))
    return str(value).strip() or None


def with_ids(cells: Cells, ids: Sequence[Any] | None, mapping: Mapping[str, str]) -> Cells:
    """Let the `id` of GeoJSON features stand in for a column of parcel numbers, where none is."""
    column = PARCELS.column("parcel_id")
    if ids is None or "parcel_id" in mapping or claimants(column, cells.names):
        return cells
    texts = pa.array([_text(value) for value in ids], type=pa.string())
    names, columns = (*cells.names, column.name), (*cells.columns, texts)
    return replace(cells, names=names, columns=columns)


def parcel_table(cells: Cells, mapping: Mapping[str, str]) -> InputTable:
    """Read the columns of a parcel file by their declaration.

    Raises:
        UserError: The file has no column of parcels or farmers, or lacks a mapped one.
    """
    reading = Reading(columns=mapping, mapped_at="inputs.parcel_columns")
    return interpret(cells, PARCELS, reading)


def parcel_frame(table: InputTable) -> pd.DataFrame:
    """Return the columns of a parcel file with what its rows' cells gave reason to note.

    Returns:
        Text by Fieldline's names (None where missing), `declared_area_m2`; `text_note` and
        `text_encoding`; `area_note` (`unreadable_area`); and `refused`, the code of a row whose
        parcel or farmer a spreadsheet damaged (two of them would be one) or whose cells have
        moved. A cell that cannot be read elsewhere is missing.
    """
    kept = table.frame.drop(columns=["geometry"])
    frame = pd.DataFrame({name: _plain(kept[name]) for name in kept})
    notes = {name: [""] * len(frame) for name in ("text_note", "area_note", "refused")}
    for row, note in table.cells.notes.items():
        notes["text_note"][row] = note
    for problem in table.problems:
        if problem.column in ("parcel_id", "farmer_id", ""):
            notes["refused"][problem.row - 1] = problem.code
        elif problem.column == "declared_area_m2":
            notes["area_note"][problem.row - 1] = "unreadable_area"
    encoding = [
        table.cells.encoding if note == "text_decoded" else "" for note in notes["text_note"]
    ]
    return frame.assign(**notes, text_encoding=encoding)


def _plain(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return text as objects, None where missing; numbers as they are."""
    if values.dtype == np.float64:
        return values
    return values.astype(object).where(values.notna(), None)
