"""Numbers whose unit the row states: in a unit column, beside the number or in the header.

Owns which statement counts (beside the number before the unit column before the header) and the
conversion of each row by its unit and crop, with a sentence that tells it. What a unit means is
`units`'s matter; prices, which keep their unit, are `stated`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fieldline.pipeline.inputs.names import Found
from fieldline.pipeline.inputs.numbers import cell_units
from fieldline.pipeline.inputs.schema import InputColumn, Problem
from fieldline.pipeline.inputs.stated import bare_number, unit_beside
from fieldline.pipeline.inputs.units import yield_factor, yield_unit_known
from fieldline.pipeline.inputs.values import FileFacts, Values, read_column

_Way = tuple[str, str]
"""Unit and crop; the unit is empty where the header's factor holds."""
_SHOWN = 40


def read_by_unit(
    given: pa.Array,
    column: InputColumn,
    found: Found,
    facts: FileFacts,
    units: pd.Series[Any],
    crops: pd.Series[Any],
) -> Values:
    """Read a column of yields, each row by its own unit.

    Args:
        given: Cells as the file has them.
        column: What it should hold.
        found: Its header, and what that states.
        facts: Decimal mark and kind of file.
        units: The unit column, missing where the file or the row has none.
        crops: Crop codes, missing where unreadable.

    Returns:
        Tonnes per hectare; a row of an unknown unit is a problem of its own.
    """
    beside = _beside(given)
    bare = _bare(given, beside)
    ways = [
        _way(own, unit, found.unit, crop)
        for own, unit, crop in zip(beside, units, crops, strict=True)
    ]
    values = np.full(len(ways), np.nan)
    problems: list[Problem] = []
    for way in sorted(set(ways)):
        rows = np.array([place for place, own in enumerate(ways) if own == way])
        factor = yield_factor(*way) if way[0] else found.factor
        part = bare.take(pa.array(rows))
        if way[0] and factor is None:
            problems += _unknown(rows, part, column, way[0])
            continue
        read = read_column(part, column, factor, facts)
        values[rows] = read.values.to_numpy(dtype=float)
        problems += [
            Problem(int(rows[p.row - 1]) + 1, p.column, p.code, p.value) for p in read.problems
        ]
    problems.sort(key=lambda problem: problem.row)
    return Values(pd.Series(values), problems, _converted(ways, values, column, found))


def _beside(given: pa.Array) -> list[str]:
    """Return the unit beside each number; empty where there is none or the column knows it."""
    if not pa.types.is_string(given.type):
        return [""] * len(given)
    cells = given.to_pylist()
    told = {cell: unit_beside(cell) for cell in set(cells) if cell is not None}
    fixed = cell_units("yield")
    own = {c: u for c, u in told.items() if u.casefold() not in fixed and yield_unit_known(u)}
    return [own.get(cell, "") for cell in cells]


def _bare(given: pa.Array, beside: Sequence[str]) -> pa.Array:
    if not any(beside):
        return given
    cells = zip(given.to_pylist(), beside, strict=True)
    return pa.array([bare_number(cell) if unit else cell for cell, unit in cells], pa.string())


def _way(beside: str, unit: Any, header: str, crop: Any) -> _Way:
    stated = beside or (unit.strip() if isinstance(unit, str) else "") or header
    return (stated, crop if isinstance(crop, str) else "") if stated else ("", "")


def _unknown(
    rows: np.ndarray[Any, Any], cells: pa.Array, column: InputColumn, unit: str
) -> list[Problem]:
    """Return a problem of each filled row whose unit nobody knows."""
    filled = zip(rows.tolist(), cells.is_valid().to_pylist(), strict=True)
    return [
        Problem(row + 1, column.name, "input_unknown_unit", unit[:_SHOWN])
        for row, valid in filled
        if valid
    ]


def _converted(
    ways: Sequence[_Way], values: np.ndarray[Any, Any], column: InputColumn, found: Found
) -> tuple[str, ...]:
    """Return a sentence for each unit that is not the column's own."""
    said = []
    for unit, crop in sorted(set(ways)):
        factor = yield_factor(unit, crop) if unit else found.factor
        if factor is None or factor == 1.0:
            continue
        rows = [place for place, way in enumerate(ways) if way == (unit, crop)]
        count = int(np.isfinite(values[rows]).sum())
        by_crop = crop if unit and yield_factor(unit, "") is None else ""
        if count:
            of = f" of {by_crop}" if by_crop else ""
            named = unit or f"the unit of column {found.header!r}"
            said.append((f"in {named}{of} are converted to t/ha (times {factor:.6g})", count))
    counts: dict[str, int] = {}
    for sentence, count in said:
        counts[sentence] = counts.get(sentence, 0) + count
    return tuple(f"{count} values of {column.name} {words}" for words, count in counts.items())
