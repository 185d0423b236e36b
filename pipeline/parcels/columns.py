"""The columns of a parcel file besides its outlines: ids, people, village, crop, declared area.

Owns what a parcel file may be asked for and the notes about its rows; judges no outline. The same
rules read these columns from a CSV, a workbook, GeoJSON, KML, a GeoPackage or a Shapefile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fieldline.pipeline.inputs.cells import Cells, number_text
from fieldline.pipeline.inputs.read import InputTable, Reading, interpret
from fieldline.pipeline.inputs.schema import InputColumn, InputSchema
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
        InputColumn("village", "text", "Village"),
        InputColumn("declared_crop", "text", "Crop that the farmer declares", named_as=("crop",)),
        InputColumn(
            "declared_area_m2", "number", "Area that the farmer declares", "m2",
            minimum=0.01, maximum=1e9, quantity="area", named_as=("declared_area",),
            units={"declared_area_mu": M2_PER_MU, "declared_area_ha": float(M2_PER_HA)},
        ),
        InputColumn("geometry", "text", "Outline as WKT or hexadecimal WKB (tables only)"),
    ),
    absent="there is nothing to look at",
    key=("parcel_id",),
)  # fmt: skip
"""Columns of a parcel file; `geometry` is asked of tables only."""

AREA_UNITS = {
    "declared_area_m2": 1.0, "declared_area_ha": float(M2_PER_HA), "declared_area_mu": M2_PER_MU,
}  # fmt: skip


def typed_cells(path: Path, columns: Mapping[str, Sequence[Any]], notes: dict[int, str]) -> Cells:
    """Return columns of a format that keeps numbers apart from text as cells of a table.

    Args:
        path: Named in errors.
        columns: Values of any kind by the file's own names, text readable.
        notes: By row, `text_decoded` or `text_damaged`.
    """
    arrays = tuple(pa.array([_text(v) for v in values], pa.string()) for values in columns.values())
    return Cells(path, tuple(columns), arrays, "typed", "", notes=notes)


def _text(value: Any) -> str | None:
    """Return a value as a person would write it; a number that is too long shows lost digits."""
    if value is None or isinstance(value, bool | dict | list):
        return None
    if isinstance(value, float | np.floating):
        return number_text(float(value))
    return str(value).strip() or None


def parcel_table(cells: Cells, mapping: Mapping[str, str]) -> InputTable:
    """Read the columns of a parcel file by their declaration.

    Raises:
        UserError: The file has no column of parcels or farmers, or lacks a mapped one.
    """
    reading = Reading(columns=mapping, mapped_at="inputs.parcel_columns")
    return interpret(cells, PARCELS, reading)


def row_notes(table: InputTable) -> pd.DataFrame:
    """Return, by row, what the reader says: `refused`, `text_note`, `area_note`; empty if nothing.

    A damaged number of a parcel or farmer refuses the row (two of them would be one); elsewhere a
    cell that cannot be read is missing.
    """
    count = len(table.frame)
    notes = pd.DataFrame({n: [""] * count for n in ("refused", "text_note", "area_note")})
    for row, note in table.cells.notes.items():
        notes.loc[row, "text_note"] = note
    for problem in table.problems:
        if problem.column in ("parcel_id", "farmer_id", ""):
            notes.loc[problem.row - 1, "refused"] = problem.code
        elif problem.column == "declared_area_m2":
            notes.loc[problem.row - 1, "area_note"] = "unreadable_area"
    return notes
