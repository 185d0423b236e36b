"""Units that stand beside numbers of a column whose unit is kept in another column.

Owns the parting of `2.31元/公斤` into a number and a unit, and which statement of a unit counts:
the cell's before the unit column's before the header's, each completed by the next (`¥2.31` beside
`元/kg` is a price per kilogram). What a unit means is the caller's matter.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from fieldline.pipeline.inputs.numbers import NotANumberError, Written, written
from fieldline.pipeline.inputs.units import PER, mass_known


def bare_numbers(cells: pa.Array) -> pa.Array:
    """Return a column's cells without what stands beside their numbers."""
    if not pa.types.is_string(cells.type):
        return cells
    encoded = cells.dictionary_encode()
    bare = [bare_number(cell) for cell in encoded.dictionary.to_pylist()]
    return pa.array(bare, pa.string()).take(encoded.indices)


def stated_units(cells: pa.Array, header: str, units: pd.Series[Any]) -> pd.Series[Any]:
    """Return the unit of each row.

    Args:
        cells: The column of numbers as written.
        header: Unit that its header states; empty where it states none.
        units: The unit column; missing where the file has none.
    """
    beside: dict[Any, str] = {}
    given: list[Any] = [None] * len(units)
    if pa.types.is_string(cells.type):
        given = cells.to_pylist()
        beside = {cell: unit_beside(cell) for cell in set(given) if cell is not None}
    rows = zip(given, units, strict=True)
    told = [_joined(beside.get(cell, ""), _joined(_text(unit), header)) for cell, unit in rows]
    return pd.Series([unit or None for unit in told], dtype=object)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _joined(near: str, far: str) -> str:
    """Return the nearer statement, completed by the farther one where each says one half."""
    if not (near and far) or len(PER.split(near)) > 1:
        return near or far
    *money, mass = PER.split(far)
    return near if money and mass_known(near) else f"{near}/{mass}"


def _parted(cell: str) -> Written | None:
    """Take a cell apart; None where it is blank or holds two numbers (`2-3`)."""
    try:
        number = written(cell)
    except NotANumberError:
        return None
    return None if number is None or number.after[-1:].isdigit() else number


def bare_number(cell: str) -> str:
    """Return a cell without what stands beside its number; as it is where that is no number."""
    number = _parted(cell)
    if number is None or not (number.before or number.after):
        return cell
    power = f"e{number.power}" if number.power else ""
    return f"{number.sign}{number.digits}{power}"


def unit_beside(cell: str) -> str:
    """Return what stands beside a cell's number; empty where nothing does."""
    number = _parted(cell)
    return "" if number is None else f"{number.before}{number.after}"
