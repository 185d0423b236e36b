"""Cells of a table as somebody saved it: CSV in any usual encoding, a workbook, or Parquet.

Owns formats, encodings, separators and the line that holds the header; gives no cell a meaning.
Text stays text: a CSV never says which of its cells are numbers, and an id that was turned into
one is another id. Workbooks and Parquet say it, and keep their types.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook

from fieldline.pipeline.inputs.delimited import Delimited, HeaderScore, read_delimited
from fieldline.pipeline.records.errors import UserError

#: A number with more digits than this was rounded when a spreadsheet took it for one.
_EXACT_DIGITS = 15
_SEARCHED_ROWS = 10


@dataclass(frozen=True)
class Cells:
    """A table before any column has a meaning."""

    path: Path
    names: tuple[str, ...]
    """Column names as the file writes them, all different."""
    columns: tuple[pa.Array, ...]
    """One array per name: strings (null where blank), or the type that the file states."""
    encoding: str
    """Encoding of its text, such as `utf-8` or `gb18030`; `xlsx` or `parquet` where it has none."""
    delimiter: str
    """What separates its cells; empty where nothing does."""
    sheets_unread: tuple[str, ...] = ()
    """Sheets of a workbook that hold cells but no such header."""
    wide: tuple[int, ...] = ()
    """Rows (from 0) that have more cells than the header."""
    notes: dict[int, str] = field(default_factory=dict)
    """By row, `text_decoded` or `text_damaged` where it was not UTF-8."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.columns[0]) if self.columns else 0

    def column(self, name: str) -> pa.Array:
        """Return the cells of a column."""
        return self.columns[self.names.index(name)]


def read_cells(path: Path, score: HeaderScore, *, setting: str) -> Cells:
    """Read a table of any kind.

    Args:
        path: `.csv`, `.tsv`, `.txt`, `.xlsx`, `.xls`, `.ods` or `.parquet`.
        score: Finds the header among the first rows: a title may stand above it.
        setting: Where the configuration names the file, for the remedy.

    Raises:
        UserError: The file is absent, empty, of another kind or cannot be read.
    """
    if path.is_dir() or not path.exists():
        found = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(f"{path} {found}", f"correct {setting}")
    kind = path.suffix.lower()
    if kind in (".parquet", ".geoparquet", ".pq"):
        return _read_parquet(path)
    if kind in (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"):
        return _read_workbook(path, score)
    if kind not in (".csv", ".tsv", ".txt", ".tab", ""):
        raise UserError(
            f"{path} is of unknown kind {path.suffix!r}", "save it as .csv, .xlsx or .parquet"
        )
    return _from_text(path, read_delimited(path, score))


def _from_text(path: Path, text: Delimited) -> Cells:
    _refuse_doubles(path, text.names)
    return Cells(
        path=path,
        names=tuple(text.names),
        columns=tuple(text.columns),
        encoding=text.encoding,
        delimiter=text.delimiter,
        wide=tuple(text.wide.tolist()),
        notes=text.notes,
    )


def _refuse_doubles(path: Path, names: Sequence[str]) -> None:
    filled = [name for name in names if name]
    twice = next((name for name in filled if filled.count(name) > 1), None)
    if twice is not None:
        raise UserError(
            f"{path}: two columns are called {twice!r}, so nobody can say which of them counts",
            "rename or remove one of them",
        )


def _read_parquet(path: Path) -> Cells:
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise UserError(
            f"{path} is not a Parquet file ({_first_line(error)})", "export it again"
        ) from error
    _refuse_doubles(path, table.column_names)
    if table.num_rows == 0:
        raise UserError(f"{path} holds no row", "export it again with its rows")
    columns = zip(table.column_names, table.columns, strict=True)
    kept = {name: _valid_text(plain_array(column.chunks, column.type)) for name, column in columns
            if _holds_values(column.type)}  # fmt: skip
    return Cells(path, tuple(kept), tuple(kept.values()), "parquet", "")


def _holds_values(kind: pa.DataType) -> bool:
    """Whether a column's type is one of text, numbers, days or yes and no."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
             pa.types.is_null, pa.types.is_boolean, pa.types.is_temporal, pa.types.is_decimal,
             pa.types.is_integer, pa.types.is_floating)  # fmt: skip
    return any(is_kind(kind) for is_kind in known)


def plain_array(parts: Sequence[pa.Array], kind: pa.DataType | None = None) -> pa.Array:
    """Return a column as one array of text, numbers, days or booleans.

    Args:
        parts: Its pieces.
        kind: Its type, where there may be no piece. Values of other types are missing.
    """
    kind = parts[0].type if kind is None else kind
    column = pa.chunked_array(parts, type=kind)
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if not _holds_values(kind):
        return pa.nulls(len(column), pa.string())
    as_text = (pa.types.is_null, pa.types.is_large_string, pa.types.is_string_view,
               pa.types.is_decimal)  # fmt: skip
    if any(is_kind(kind) for is_kind in as_text):
        column = column.cast(pa.string())
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], type=column.type)


def _valid_text(column: pa.Array) -> pa.Array:
    """Return text of UTF-8 alone; bytes that are none become the character for lost ones."""
    if not pa.types.is_string(column.type):
        return column
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        raw = column.cast(pa.binary()).to_pylist()
        return pa.array([None if t is None else t.decode("utf-8", "replace") for t in raw])
    return column


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].strip().rstrip(".:") if str(error) else type(error).__name__


def _read_workbook(path: Path, score: HeaderScore) -> Cells:
    try:
        book = CalamineWorkbook.from_path(str(path))
        sheets = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    except (CalamineError, OSError, ValueError) as error:
        raise UserError(
            f"{path} is not a workbook that can be read ({_first_line(error)})",
            "save it again as .xlsx without a password, or as CSV UTF-8",
        ) from error
    filled = {name: rows for name, rows in sheets.items() if any(map(any, rows))}
    if not filled:
        raise UserError(f"{path} is empty", "export it again with a header line")
    heads = {name: header_row([_row_texts(row) for row in rows[:_SEARCHED_ROWS]], score)
             for name, rows in filled.items()}  # fmt: skip
    best = max(heads, key=lambda name: heads[name][1])
    alike = [n for n in heads if n == best or (heads[n][1] == heads[best][1] > 0)]
    parts = [_sheet_columns(path, filled[name], heads[name][0]) for name in alike]
    names = tuple(dict.fromkeys(name for part in parts for name in part))
    rows = [len(next(iter(part.values()), [])) for part in parts]
    columns = tuple(
        _typed([v for part, n in zip(parts, rows, strict=True) for v in part.get(name, [None] * n)])
        for name in names
    )
    if not sum(rows):
        raise UserError(f"{path} holds no row below its header", "export it again with its rows")
    unread = tuple(name for name in filled if name not in alike)
    return Cells(path, names, columns, path.suffix.lower().lstrip("."), "", sheets_unread=unread)


def header_row(rows: Sequence[Sequence[str]], score: HeaderScore) -> tuple[int, int]:
    """Return which of the first rows is the header, and its score; the first where none scores."""
    scores = [score(row) for row in rows]
    best = max(scores, default=0)
    if best == 0:
        filled = [i for i, row in enumerate(rows) if any(cell.strip() for cell in row)]
        return (filled[0] if filled else 0), 0
    return scores.index(best), best


def _row_texts(row: Sequence[Any]) -> list[str]:
    return [_cell(value) or "" for value in row]


def _sheet_columns(path: Path, rows: list[list[Any]], head: int) -> dict[str, list[Any]]:
    names = [name.strip() for name in _row_texts(rows[head])]
    _refuse_doubles(path, names)
    body = [row for row in rows[head + 1 :] if any(_cell(value) for value in row)]
    return {
        name: [row[place] if place < len(row) else None for row in body]
        for place, name in enumerate(names)
        if name
    }


def _typed(values: list[Any]) -> pa.Array:
    """Return a sheet's column: numbers where all filled cells are numbers, else text."""
    filled = [value for value in values if _cell(value) is not None]
    if filled and all(isinstance(v, int | float) and not isinstance(v, bool) for v in filled):
        return pa.array([None if _cell(v) is None else float(v) for v in values], type=pa.float64())
    return pa.array([_cell(value) for value in values], type=pa.string())


def _cell(value: Any) -> str | None:
    """Return a sheet's cell as text; a number is written as the spreadsheet would export it."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | int):
        return number_text(float(value))
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return str(value).strip() or None


def number_text(value: float) -> str | None:
    """Return a number as text: `123` for 123.0, and digits that were lost shown as lost."""
    if not np.isfinite(value):
        return None
    if value.is_integer() and abs(value) < 10**_EXACT_DIGITS:
        return str(int(value))
    return f"{value:.5E}" if value.is_integer() else repr(value)
