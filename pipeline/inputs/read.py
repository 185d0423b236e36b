"""A table that a lender handed over, read by its declaration: values, problems, remarks.

Owns the one way in which files of a lender are read. No row stops another: a cell that cannot be
read is missing in the frame and named in `problems`; what to do without it is the caller's rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fieldline.pipeline.inputs.amounts import currency_code, read_amounts
from fieldline.pipeline.inputs.cells import Cells, read_cells
from fieldline.pipeline.inputs.names import Found, find_columns, regional_unit, score
from fieldline.pipeline.inputs.numbers import Mark, settle
from fieldline.pipeline.inputs.row_units import read_by_unit
from fieldline.pipeline.inputs.schema import InputColumn, InputSchema, Problem
from fieldline.pipeline.inputs.stated import bare_numbers, stated_units
from fieldline.pipeline.inputs.values import FileFacts, Values, any_unit, number_cells, read_column
from fieldline.pipeline.records.outcomes import outcome_codes

_COUNTED = ("number", "count", "year", "money")


@dataclass(frozen=True)
class Reading:
    """How a county's table is to be read."""

    currency: str = ""
    """Currency of the county; needed where the table holds amounts."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """The file's own column names by Fieldline's."""
    place: str = "inputs"
    """Where the configuration speaks of the county's inputs, for remedies."""
    mapped_at: str = ""
    """Where it holds `columns`, if not under `columns.NAME` of that place."""


@dataclass(frozen=True)
class InputTable:
    """All rows of a table."""

    schema: InputSchema
    path: Path
    frame: pd.DataFrame
    """Every row of the file, by the schema's column names; missing where blank or refused."""
    problems: list[Problem]
    """By row and column."""
    headers: Mapping[str, str]
    """The file's column name by Fieldline's."""
    cells: Cells
    """The file before it was read."""
    remarks: tuple[str, ...] = ()
    """What a person should know of the whole file."""

    @property
    def bad_rows(self) -> set[int]:
        """Rows (from 1) that are refused: those with a problem whose code stops them."""
        return {problem.row for problem in self.problems if _stops(problem)}

    @property
    def good(self) -> pd.DataFrame:
        """The rows that are not refused, in file order."""
        bad = self.bad_rows
        return self.frame[~self.frame.index.isin([row - 1 for row in bad])] if bad else self.frame

    def problems_of_rows(self) -> dict[int, Problem]:
        """Return the first problem that refuses each bad row, by row from 1."""
        first: dict[int, Problem] = {}
        for problem in filter(_stops, self.problems):
            first.setdefault(problem.row, problem)
        return first


def _stops(problem: Problem) -> bool:
    return outcome_codes()[problem.code].effect == "stop"


def read_input(path: Path, schema: InputSchema, reading: Reading | None = None) -> InputTable:
    """Read a table by its declaration.

    Args:
        path: CSV of any usual encoding and separator, workbook or Parquet.
        schema: What it may hold.
        reading: Currency and the lender's own column names.

    Returns:
        Ids, text and crops as text, numbers as floats, days as `datetime64`, amounts as whole
        minor units (`Int64`), flags as booleans.

    Raises:
        UserError: The file is absent, unreadable, empty or lacks a column.
    """
    how = reading or Reading()
    cells = read_cells(
        path,
        lambda row: score(schema, how.columns, row),
        setting=f"{how.place}.{schema.name}" if how.place else "the path of the table",
    )
    return interpret(cells, schema, how)


def interpret(cells: Cells, schema: InputSchema, how: Reading) -> InputTable:
    """Give the cells of a table their meaning, wherever they came from.

    Raises:
        UserError: A required or mapped column is absent.
    """
    place = how.mapped_at or f"{how.place}.columns.{schema.name}"
    claims = find_columns(cells.names, schema, how.columns, cells.path, place)
    found, said = _with_units(claims, schema, cells)
    facts = FileFacts(_mark(cells, schema, found), cells.encoding)
    frame: dict[str, Any] = {}
    problems = [Problem(row + 1, "", "input_extra_cells") for row in cells.wide]
    for column in schema.columns:
        read = _column(cells, column, found.get(column.name), facts, frame, how)
        frame[column.name] = read.values
        problems += read.problems
        said += read.remarks
    for column in schema.columns:
        if column.unit_column and column.name in found:
            claim = found[column.name]
            given = cells.column(claim.header)
            frame[column.unit_column] = stated_units(given, claim.unit, frame[column.unit_column])
    if schema.open_ended:
        frame |= _further(cells, found, facts, problems)
    table = pd.DataFrame(frame)
    problems += _lacking(table, schema, problems)
    for rule in schema.rules:
        problems += rule(table)
    problems.sort(key=lambda problem: problem.row)
    headers = {name: claim.header for name, claim in found.items()}
    remarks = _remarks(schema, table, problems, found, cells)
    return InputTable(schema, cells.path, table, problems, headers, cells, (*said, *remarks))


def _with_units(
    claims: Mapping[str, Found], schema: InputSchema, cells: Cells
) -> tuple[dict[str, Found], list[str]]:
    """Leave out optional columns of which neither header nor any cell states the unit."""
    found, said = dict(claims), []
    for column in schema.columns:
        claim = found.get(column.name)
        if claim is None or claim.factor is not None or column.required:
            continue
        if claim.unit or column.row_unit in found:
            continue
        if not any_unit(cells.column(claim.header), column.quantity):
            del found[column.name]
            said.append(
                f"column {claim.header!r} states no unit and is not read: map it as "
                f"{' or '.join(column.own_names)}"
            )
    return found, said


def _mark(cells: Cells, schema: InputSchema, found: Mapping[str, Found]) -> Mark | None:
    kinds = {column.name: column.kind for column in schema.columns}
    counted = [f.header for name, f in found.items() if kinds[name] in _COUNTED]
    if cells.delimiter == "":
        return "."
    marked = [cell for header in counted for cell in number_cells(cells.column(header))]
    if cells.delimiter == "," and not any("," in cell for cell in marked):
        return "."
    return settle(marked, cells.delimiter)


def _column(
    cells: Cells,
    column: InputColumn,
    found: Found | None,
    facts: FileFacts,
    frame: Mapping[str, Any],
    how: Reading,
) -> Values:
    if found is None:
        return Values(_missing(column, len(cells)), [])
    given = cells.column(found.header)
    if column.unit_column:
        given = bare_numbers(given)
    if column.kind == "money":
        return _amounts(given, column, found.unit, facts, frame, how)
    if column.kind == "currency":
        read = read_column(given, column, None, facts)
        codes = {v: currency_code(v, how.currency) for v in read.values.dropna().unique()}
        return _of_county(Values(read.values.map(codes), read.problems), column, how.currency)
    if column.row_unit:
        return read_by_unit(given, column, found, facts, frame[column.row_unit], frame["crop"])
    if found.offset:  # a unit beside a number would have another zero
        read = read_column(given, replace(column, quantity=""), found.factor, facts)
        return replace(read, values=read.values + found.offset)
    return read_column(given, column, found.factor, facts)


def _of_county(read: Values, column: InputColumn, currency: str) -> Values:
    """Tell the rows in another currency than the county's: nothing is converted here."""
    other = read.values.notna() & (read.values != currency) & bool(currency)
    told = [
        Problem(row + 1, column.name, "input_other_currency", str(read.values.iloc[row])[:40])
        for row in np.flatnonzero(other.to_numpy(dtype=bool)).tolist()
    ]
    return Values(read.values, read.problems + told)


def _amounts(
    given: pa.Array,
    column: InputColumn,
    unit: str,
    facts: FileFacts,
    frame: Mapping[str, Any],
    how: Reading,
) -> Values:
    """Read amounts in the county's currency; rows in another are told and not converted."""
    read = read_amounts(given, column, how.currency, facts, unit)
    currencies = frame.get("currency")
    if currencies is None:
        return read
    other = (currencies.notna() & (currencies != how.currency)).to_numpy(dtype=bool)
    if not other.any():
        return read
    kept = [problem for problem in read.problems if not other[problem.row - 1]]
    return Values(read.values.mask(pd.Series(other)), kept)


def _missing(column: InputColumn, count: int) -> pd.Series[Any]:
    match column.kind:
        case "date":
            return pd.Series(pd.NaT, index=range(count)).astype("datetime64[us]")
        case "money":
            return pd.Series(pd.NA, index=range(count), dtype="Int64")
        case "number" | "count" | "year":
            return pd.Series(np.nan, index=range(count))
        case "flag":
            return pd.Series(None, index=range(count), dtype=object)
        case _:
            return pd.Series(None, index=range(count), dtype="str")


def _further(
    cells: Cells, found: Mapping[str, Found], facts: FileFacts, problems: list[Problem]
) -> dict[str, pd.Series[Any]]:
    """Read every other column that holds any number, under its own name."""
    taken = {claim.header for claim in found.values()}
    further: dict[str, pd.Series[Any]] = {}
    for name in cells.names:
        if name and name not in taken:
            column = InputColumn(name, "number", "Further column")
            read = read_column(cells.column(name), column, 1.0, facts)
            if read.values.notna().any():
                further[name] = read.values
                problems += read.problems
    return further


def _lacking(table: pd.DataFrame, schema: InputSchema, problems: list[Problem]) -> list[Problem]:
    """Return the needed cells that are blank, without those that are named already."""
    named = {(problem.row, problem.column) for problem in problems}
    wide = {problem.row for problem in problems if problem.code == "input_extra_cells"}
    return [
        Problem(row + 1, column.name, "input_missing")
        for column in schema.columns
        if column.needed
        for row in np.flatnonzero(table[column.name].isna().to_numpy(dtype=bool)).tolist()
        if (row + 1, column.name) not in named and row + 1 not in wide
    ]


def _remarks(
    schema: InputSchema,
    table: pd.DataFrame,
    problems: list[Problem],
    found: Mapping[str, Found],
    cells: Cells,
) -> tuple[str, ...]:
    """Return sentences about whole columns and what was not read."""
    said = []
    counts = Counter((problem.column, problem.code) for problem in problems)
    for (name, code), count in counts.items():
        if name in found and count > 2 and table[name].isna().all():
            first = next(p for p in problems if (p.column, p.code) == (name, code))
            shown = f", such as {first.value!r} in row {first.row}" if first.value else ""
            said.append(
                f"no cell of column {found[name].header!r} could be read as {name}{shown} ({code})"
            )
    taken = {claim.header for claim in found.values()}
    unread = [
        name for name in cells.names if name and name not in taken and name not in table.columns
    ]
    if unread:
        said.append(f"columns not read: {', '.join(unread)}")
    for name in unread:
        regional = next(filter(None, (regional_unit(c, name) for c in schema.columns)), None)
        if regional is not None:
            unit, sizes = regional
            said.append(
                f"column {name!r} is in {unit}, which is another in the next region ({sizes}): "
                "convert it to ha and name it so"
            )
    if cells.sheets_unread:
        said.append(f"sheets not read: {', '.join(cells.sheets_unread)}")
    return tuple(said)
