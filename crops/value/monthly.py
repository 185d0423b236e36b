"""World market prices by month: the IMF's table and the World Bank's workbook as rows of prices.

Owns which series is which crop (`data/price_series.csv`) and the wide table; the workbook's sheet
is `pinksheet`'s. The day in such a table names a month: its mean was known when the month was over,
so it is dated to the month's last day.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from fieldline.crops.value.pinksheet import is_pink_sheet, read_pink_sheet
from fieldline.pipeline.inputs.numbers import settle
from fieldline.pipeline.inputs.schema import InputColumn, Problem
from fieldline.pipeline.inputs.text import read_text
from fieldline.pipeline.inputs.values import FileFacts, number_cells, read_column
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import table_rows

_DELIMITERS = ",;\t|"


def read_monthly(path: Path, layout: str) -> pd.DataFrame:
    """Return the monthly prices of all crops that the table has, as columns of `PRICES`.

    Raises:
        UserError: The table cannot be read or lacks a series.
    """
    if layout == "worldbank_cmo" or is_pink_sheet(path):
        return _mapped("worldbank_cmo", read_pink_sheet(path)[0], path)
    return _mapped(layout, _read_wide(path), path)


def _mapped(table: str, wide: pd.DataFrame, path: Path) -> pd.DataFrame:
    series = [row for row in table_rows("price_series.csv") if row["table"] == table]
    parts = []
    for row in series:
        if row["column"] not in wide.columns:
            raise UserError(
                f"{path} has no series {row['column']!r}", "correct data/price_series.csv"
            )
        values = wide[row["column"]].dropna()
        values = values[values > 0]
        part = pd.DataFrame({"date": values.index, "price": values.to_numpy(dtype=float)})
        parts.append(part.assign(**{n: row[n] for n in ("crop", "currency", "unit", "source")}))
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(date=frame["date"].dt.normalize() + pd.offsets.MonthEnd(0))


def _read_wide(path: Path) -> pd.DataFrame:
    """Read a wide monthly table, refusing one whose header does not name every value."""
    if not path.is_file():
        raise UserError(f"price table {path} does not exist", "correct inputs.prices")
    text = read_text(path)
    lines = text.content.splitlines()
    delimiter = max(_DELIMITERS, key=lines[0].count) if lines else ","
    rows = [row for row in csv.reader(io.StringIO(text.content), delimiter=delimiter) if any(row)]
    header, body = [name.strip("\ufeff ") for name in rows[0]] if rows else [], rows[1:]
    widths = {len(row) for row in body}
    if widths != {len(header)}:
        raise UserError(
            f"{path} names {len(header)} columns but its rows hold {sorted(widths)} values, so no "
            "value can be told to belong to a crop",
            "repair the header or use another price table, such as the World Bank workbook",
        )
    cells = {name: pa.array([row[i].strip() or None for row in body], pa.string())
             for i, name in enumerate(header)}  # fmt: skip
    wanted = {row["column"] for row in table_rows("price_series.csv")} & set(header[1:])
    mark = settle((c for n in sorted(wanted) for c in number_cells(cells[n])), delimiter)
    facts = FileFacts(mark, text.encoding)
    month = InputColumn(header[0], "date", "Month", months=True)
    dates = read_column(cells[header[0]], month, None, facts)
    _refuse_undated(dates.problems, path)
    values = {
        name: read_column(cells[name], InputColumn(name, "number", "Price"), 1.0, facts).values
        for name in sorted(wanted)
    }
    return pd.DataFrame(values).set_index(pd.DatetimeIndex(np.asarray(dates.values)))


def _refuse_undated(problems: list[Problem], path: Path) -> None:
    if problems:
        first = problems[0]
        raise UserError(
            f"{path}, row {first.row}, column {first.column!r}: {first.value!r} is no month",
            "write it as 2024-05 or 2024-05-01",
        )
