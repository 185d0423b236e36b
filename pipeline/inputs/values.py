"""Cells of one column become values of its kind, and a coded problem where one does not.

Owns the reading of ids, numbers, dates, money, crops and flags, column by column. Equal cells are
read once; plain ids and plain numbers, which are nearly all of a large table, never leave Arrow.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fieldline.pipeline.inputs.calendars import told
from fieldline.pipeline.inputs.cells import Cells
from fieldline.pipeline.inputs.dates import NotADateError, day, day_or_month, settle_order
from fieldline.pipeline.inputs.numbers import (
    Mark,
    NotANumberError,
    folded_text,
    is_blank,
    settle,
    unit_factor,
    written,
)
from fieldline.pipeline.inputs.schema import InputColumn, Problem
from fieldline.pipeline.inputs.years import later_years
from fieldline.pipeline.records.reference import crop_named

_PLAIN_ID = r"^[0-9A-Za-z_.#/:\-]+$"
_PERHAPS_NO_ID = r"[eE]\+?[0-9]+$|^[#./\-]+$|^(?i:n/?a|n\.a\.|nan|null|none|nil|keine|k\.a\.)$"
_PLAIN_INTEGER = r"^[+-]?[0-9]{1,17}$"
_PLAIN_DECIMAL = r"^[+-]?[0-9]{1,17}(\.[0-9]+)?$"
_LOST_DIGITS = re.compile(r"\d(?:[.,]\d+)?[eE]\+\d{1,3}|\d[.,]\d+[eE]\d{1,3}|#+")
_GUARD = re.compile(r"""=\s*"(.*)"|['’`](.+)""", re.DOTALL)
#: From here on a double does not tell whole numbers apart; a spreadsheet stops at 15 digits.
_EXACT_DOUBLE = 2.0**53
_EXACT_SHEET = 1e15
_YES = frozenset(
    {"true", "1", "1.0", "yes", "y", "t", "ja", "wahr", "是", "有", "真", "si", "sí", "oui"}
)
_NO = frozenset({"false", "0", "0.0", "no", "n", "f", "nein", "falsch", "否", "没有", "假", "non"})
_ISO_DAY = r"^(19|20)[0-5][0-9]-[0-9]{2}-[0-9]{2}([T ].*)?$"
_MANY = 20_000
_TELLING = 2000
"""Rows of a column that are asked for the file's decimal mark."""
_NO_DAY = np.datetime64("NaT", "us")


class BadCellError(ValueError):
    """A cell that is not of its column's kind: the code of its problem."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True)
class FileFacts:
    """What the whole file says about each of its cells."""

    mark: Mark | None
    """Decimal mark; None where it is open."""
    encoding: str
    """`parquet`, `xlsx` or an encoding of text."""


def facts_of(cells: Cells) -> FileFacts:
    """Return what the cells of a file agree on, for a table whose columns nobody declared."""
    written = [cell for column in cells.columns for cell in number_cells(column[:_TELLING])]
    return FileFacts(settle(written, cells.delimiter), cells.encoding)


@dataclass(frozen=True)
class Values:
    """One column read."""

    values: pd.Series[Any]
    """Float (NaN where missing), `datetime64` (NaT), text (None) or boolean (None)."""
    problems: list[Problem]
    remarks: tuple[str, ...] = ()
    """What became of the whole column, such as a conversion."""


def read_column(
    cells: pa.Array, column: InputColumn, factor: float | None, facts: FileFacts
) -> Values:
    """Read a column of any kind but money, which needs its currency.

    Args:
        cells: Text, or the file's own type.
        column: What it should hold.
        factor: What its numbers are multiplied with; None where its header states no unit.
        facts: Decimal mark and kind of file.
    """
    remarks: tuple[str, ...] = ()
    match column.kind:
        case "id":
            values, bad = _ids(cells, facts)
        case "text" | "currency":
            values, bad = _texts(as_text(cells), _text)
        case "crop":
            values, bad = _texts(as_text(cells), _crop)
        case "flag":
            values, bad = _flags(as_text(cells))
        case "date":
            values, bad, remarks = _dates(cells, column)
        case "year" if pa.types.is_string(cells.type):
            values, bad = _numbers(later_years(cells), column, factor, facts)
        case _:
            values, bad = _numbers(cells, column, factor, facts)
    problems = [_problem(row, column, code, cells) for row, code in sorted(bad.items())]
    return Values(values, problems, remarks)


def _problem(row: int, column: InputColumn, code: str, cells: pa.Array) -> Problem:
    shown = "" if column.personal else str(cells[row].as_py())[:40]
    return Problem(row + 1, column.name, code, shown)


def as_text(cells: pa.Array) -> pa.Array:
    """Return cells of any type as the text that a person would write."""
    if pa.types.is_string(cells.type):
        return cells
    if pa.types.is_floating(cells.type):
        whole = pc.and_(pc.equal(cells, pc.floor(cells)), pc.less(pc.abs(cells), _EXACT_SHEET))
        whole = whole.fill_null(False)
        integers = pc.if_else(whole, cells, None).cast(pa.int64()).cast(pa.string())
        text = pc.if_else(pc.is_finite(cells), cells, None).cast(pa.string())
        return pc.coalesce(integers, text)
    return cells.cast(pa.string())


def _read_once(
    text: pa.Array, read: Callable[[str], Any]
) -> tuple[list[Any], npt.NDArray[np.int64], dict[int, str]]:
    """Read each different cell once.

    Returns:
        The results, the last of them None for blank cells; the result of each row by place; and
        the code of each row that cannot be read.
    """
    encoded = text.dictionary_encode()
    results: list[Any] = [None] * (len(encoded.dictionary) + 1)
    wrong: dict[int, str] = {}
    for place, cell in enumerate(encoded.dictionary.to_pylist()):
        plain = folded_text(cell)
        if is_blank(plain):
            continue
        try:
            results[place] = read(plain)
        except BadCellError as error:
            wrong[place] = error.code
    places = encoded.indices.fill_null(len(results) - 1).to_numpy(zero_copy_only=False)
    places = places.astype(np.int64)
    return results, places, _rows_of(places, wrong)


def _texts(text: pa.Array, read: Callable[[str], str]) -> tuple[pd.Series[Any], dict[int, str]]:
    results, places, bad = _read_once(text, read)
    values = pa.array(results, type=pa.string()).take(pa.array(places))
    return values.to_pandas(), bad


def _flags(text: pa.Array) -> tuple[pd.Series[Any], dict[int, str]]:
    results, places, bad = _read_once(text, _flag)
    return pd.Series(np.array(results, dtype=object)[places], dtype=object), bad


def _rows_of(codes: npt.NDArray[Any], wrong: dict[int, str]) -> dict[int, str]:
    if not wrong:
        return {}
    rows = np.flatnonzero(np.isin(codes, list(wrong)))
    return {int(row): wrong[int(codes[row])] for row in rows}


def _text(cell: str) -> str:
    return cell


def _crop(cell: str) -> str:
    code = crop_named(cell)
    if code is None:
        raise BadCellError("input_unknown_crop")
    return code


def _flag(cell: str) -> bool:
    said = cell.casefold()
    if said in _YES:
        return True
    if said in _NO:
        return False
    raise BadCellError("input_not_yes_or_no")


def id_text(cell: str) -> str | None:
    """Return an id without blanks and the guards that keep a spreadsheet from counting with it.

    Raises:
        BadCellError: A spreadsheet took it for a number and rounded its digits away.
    """
    plain = folded_text(cell)
    guard = _GUARD.fullmatch(plain)
    if guard is not None:
        plain = folded_text(guard[1] if guard[1] is not None else guard[2])
    if _LOST_DIGITS.fullmatch(plain):
        raise BadCellError("input_damaged_id")
    return None if is_blank(plain) else plain


def _ids(cells: pa.Array, facts: FileFacts) -> tuple[pd.Series[Any], dict[int, str]]:
    text = as_text(cells)
    if pa.types.is_floating(cells.type):
        limit = _EXACT_DOUBLE if facts.encoding == "parquet" else _EXACT_SHEET
        large = pc.greater_equal(pc.abs(cells), limit).fill_null(False)
        bad = dict.fromkeys(_true_rows(large), "input_damaged_id")
        return pc.if_else(large, None, text).to_pandas(), bad
    plain = pc.match_substring_regex(text, _PLAIN_ID).fill_null(False)
    looked_at = pc.match_substring_regex(text, _PERHAPS_NO_ID).fill_null(False)
    odd = pc.invert(pc.and_(plain, pc.invert(looked_at)))
    rows = _true_rows(odd)
    if not rows:
        return text.to_pandas(), {}
    results, places, wrong = _read_once(text.filter(odd), id_text)
    read = pa.array(results, type=pa.string()).take(pa.array(places))
    return pc.replace_with_mask(text, odd, read).to_pandas(), {
        rows[place]: code for place, code in wrong.items()
    }


def _true_rows(mask: pa.Array) -> list[int]:
    return list(np.flatnonzero(mask.to_numpy(zero_copy_only=False)).tolist())


def _dates(
    cells: pa.Array, column: InputColumn
) -> tuple[pd.Series[Any], dict[int, str], tuple[str, ...]]:
    if pa.types.is_temporal(cells.type):
        naive = cells
        if pa.types.is_timestamp(cells.type) and cells.type.tz is not None:
            naive = pc.local_timestamp(cells)
        return pd.to_datetime(naive.to_pandas()).dt.normalize().astype("datetime64[us]"), {}, ()
    text = as_text(cells)
    different = pc.unique(text).drop_null().to_pylist()
    order = settle_order(different)
    written_day = day_or_month if column.months else day

    def read(cell: str) -> Any:
        try:
            return np.datetime64(written_day(cell, order), "us")
        except NotADateError as error:
            code = "input_ambiguous_date" if error.ambiguous else "input_not_a_date"
            raise BadCellError(code) from error

    results, places, bad = _read_once(text, read)
    days = np.array([_NO_DAY if r is None else r for r in results], dtype="datetime64[us]")
    odd = text.filter(pc.invert(pc.match_substring_regex(text, _ISO_DAY)))
    return pd.Series(days[places]), bad, told(odd.to_pylist(), column.name, months=column.months)


def _numbers(
    cells: pa.Array, column: InputColumn, factor: float | None, facts: FileFacts
) -> tuple[pd.Series[Any], dict[int, str]]:
    bad: dict[int, str] = {}
    if pa.types.is_string(cells.type):
        out = np.full(len(cells), np.nan)
        plain = (
            _plain_numbers(cells, facts.mark) if factor is not None else np.zeros(len(cells), bool)
        )
        out[plain] = cells.filter(pa.array(plain)).cast(pa.float64()).to_numpy(False) * (
            factor or 1
        )
        odd = np.flatnonzero(~plain & cells.is_valid().to_numpy(zero_copy_only=False))
        results, places, wrong = _read_once(
            cells.take(pa.array(odd)), lambda cell: _number(cell, column, factor, facts.mark)
        )
        out[odd] = np.array(results, dtype=float)[places]
        bad = {int(odd[row]): code for row, code in wrong.items()}
    else:
        given = cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        bad = dict.fromkeys(np.flatnonzero(np.isinf(given)).tolist(), "input_not_a_number")
        if factor is None:
            stated = np.flatnonzero(np.isfinite(given)).tolist()
            bad |= dict.fromkeys(stated, "input_unknown_unit")
        out = np.where(np.isfinite(given) & (factor is not None), given * (factor or 1), np.nan)
    if column.missing:
        out[np.isin(out, np.array(column.missing) * (factor or 1))] = np.nan
    bad |= _outside(out, column)
    out[list(bad)] = np.nan
    return pd.Series(out), bad


def _plain_numbers(cells: pa.Array, mark: Mark | None) -> npt.NDArray[np.bool_]:
    pattern = _PLAIN_DECIMAL if mark == "." else _PLAIN_INTEGER
    found = pc.match_substring_regex(cells, pattern).fill_null(False)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def _number(cell: str, column: InputColumn, factor: float | None, mark: Mark | None) -> float:
    said = column.words.get(cell.casefold()) if column.words else None
    if said is not None:
        return said
    try:
        number = written(cell)
        if number is None:
            return float("nan")
        unit = unit_factor(number, column.quantity)
        scale = factor if unit is None else unit
        if scale is None:
            raise BadCellError("input_unknown_unit")
        if number.is_open and mark is None:
            readings = [float(number.value(m)) * scale for m in (".", ",")]
            likely = [v for v in readings if not _leaves(v, column)]
            if len(likely) != 1 or column.minimum is None or column.maximum is None:
                raise BadCellError("input_ambiguous_number")
            return likely[0]
        return float(number.value(mark)) * scale
    except NotANumberError as error:
        code = "input_ambiguous_number" if error.ambiguous else "input_not_a_number"
        raise BadCellError(code) from error


def _leaves(value: float, column: InputColumn) -> bool:
    low, high = column.minimum, column.maximum
    return (low is not None and value < low) or (high is not None and value > high)


def _outside(values: npt.NDArray[np.float64], column: InputColumn) -> dict[int, str]:
    wrong = np.isinf(values)
    if column.minimum is not None:
        wrong |= values < column.minimum
    if column.maximum is not None:
        wrong |= values > column.maximum
    found = dict.fromkeys(np.flatnonzero(wrong).tolist(), "input_out_of_range")
    if column.kind in ("count", "year"):
        parts = np.flatnonzero(np.isfinite(values) & (values != np.round(values)))
        found |= dict.fromkeys(parts.tolist(), "input_not_whole")
    return found


def any_unit(cells: pa.Array, quantity: str) -> bool:
    """Whether any cell has a unit of the quantity behind its number."""
    if not pa.types.is_string(cells.type):
        return False
    lettered = cells.filter(pc.match_substring_regex(cells, r"[^0-9.,+\-\s]").fill_null(False))
    for cell in pc.unique(lettered[:_MANY]).to_pylist():
        try:
            number = written(cell)
            if number is not None and unit_factor(number, quantity) is not None:
                return True
        except NotANumberError:
            continue
    return False


def number_cells(cells: pa.Array) -> list[str]:
    """Return different cells of a column with a point or comma, to settle the file's mark."""
    if not pa.types.is_string(cells.type):
        return []
    marked = cells.filter(pc.match_substring_regex(cells, r"[.,．，٫]").fill_null(False))
    return [str(cell) for cell in pc.unique(marked[:_MANY]).to_pylist()]
