"""Cells of a table of credits that nobody declared: what is a number, a blank or no outcome.

Owns the marks that stand beside numbers (`13.5%`, `$1,200`, `8.2亩`, `36 months`), the words for
nothing to say, and which columns look as if they were written after the credit had ended. What is
learnt from a column is `table`'s.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fieldline.pipeline.inputs.amounts import meanings
from fieldline.pipeline.inputs.numbers import (
    Mark,
    NotANumberError,
    Written,
    cell_units,
    is_blank,
    written,
)

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_PARTS = {"%": 1.0, "‰": 0.1, "pct": 1.0, "percent": 1.0, "p.a.": 1.0, "%p.a.": 1.0}
"""Marks of a share, and what brings it to percent."""
_MONTHS = {
    "month": 1.0, "months": 1.0, "mo": 1.0, "mths": 1.0, "个月": 1.0, "個月": 1.0, "monate": 1.0,
    "year": 12.0, "years": 12.0, "yr": 12.0, "yrs": 12.0, "年": 12.0, "jahre": 12.0, "jahr": 12.0,
}  # fmt: skip
"""Words of a duration, and what brings it to months."""
_SAYS_NOTHING = frozenset({"none", "nil", "keine", "无", "空", "-", "--", "---", "—", "——", "–"})
"""Blank words that are an answer where a column holds answers: no guarantor, no arrears."""
_ROWS, _SHARE = 20, 0.1
"""Fewest rows, and smallest share of the defaults, of a group that is worth a word."""


def filled_cells(text: list[str | None]) -> Flags:
    """Return which cells hold anything but a blank or a word for nothing."""
    blank = {cell: cell is None or is_blank(cell.strip()) for cell in set(text)}
    return np.array([not blank[cell] for cell in text], dtype=bool)


def no_outcome(cell: str) -> bool:
    """Whether a cell of the target tells no end: blank, `NA`, `n/a`, `null`."""
    return is_blank(cell) and cell.casefold() not in _SAYS_NOTHING


def numbers_with_marks(text: pa.Array, mark: Mark | None) -> Floats:
    """Return the numbers of cells beside which a percent sign or a currency stands.

    Args:
        text: Cells as written.
        mark: Decimal mark of the file.

    Returns:
        One number a cell: percent, or units of the currency; NaN for other cells. NaN throughout
        where the currencies differ, for nothing is converted.
    """
    encoded = text.dictionary_encode()
    numbers, currencies = [], list[set[str]]()
    for cell in encoded.dictionary.to_pylist():
        value, named = _number(cell, mark)
        numbers.append(value)
        currencies += [named] if named else []
    if currencies and not set.intersection(*currencies):
        return np.full(len(text), np.nan)
    places = encoded.indices.fill_null(len(numbers)).to_numpy(zero_copy_only=False)
    return np.asarray(np.array([*numbers, np.nan])[places])


def _number(cell: str, mark: Mark | None) -> tuple[float, set[str]]:
    try:
        number = written(cell)
        if number is None:
            return np.nan, set()
        factor, currencies = _beside(number)
        return float(number.value(mark)) * factor, currencies
    except NotANumberError:
        return np.nan, set()


def _beside(number: Written) -> tuple[float, set[str]]:
    """Return the factor of what stands beside a number, and the currencies that it may be of.

    Areas become m2, durations months.
    """
    factor, currencies = 1.0, set[str]()
    unit = number.after.casefold()
    measure = _MONTHS.get(unit, cell_units("area").get(unit))
    if measure is not None and not number.before and (len(unit) > 1 or not unit.isascii()):
        return measure, set()
    for beside in filter(None, (number.before, number.after.casefold())):
        if beside in _PARTS:
            factor *= _PARTS[beside]
            continue
        may_be = meanings(beside)
        if len(set(may_be.values())) != 1:
            raise NotANumberError(beside)
        currencies = set(may_be)
        factor *= next(iter(may_be.values()))
    return factor, currencies


def told_afterwards(
    name: str,
    values: Floats,
    levels: tuple[str, ...],
    defaulted: Floats,
    written_as: pa.Array,
) -> str:
    """Return a word on a group of rows that a column tells apart and that all defaulted.

    Such are recoveries, days of a dunning letter, a collector's name: filled in when the credit had
    already gone wrong. A column known at payout seldom has such a group.

    Args:
        name: The column.
        values: Its numbers, or places of its levels; NaN where blank.
        levels: Levels of a category.
        defaulted: 1 where the credit defaulted.
        written_as: Its cells.
    """
    least = max(_ROWS, _SHARE * defaulted.sum())
    if defaulted.mean() > 0.5:
        return ""
    known = ~np.isnan(values)
    groups: list[tuple[str, Flags]] = [("filled in", known)] if not known.all() else []
    if levels:
        groups += [(repr(level), values == at) for at, level in enumerate(levels)]
    else:
        groups += _tails(values, defaulted, written_as)
    for said, rows in groups:
        if rows.sum() >= least and defaulted[rows].all():
            return (
                f"{name}: all {rows.sum()} rows where it is {said} defaulted: leave it out with "
                "--drop unless it was known when the credit was paid out"
            )
    return ""


def _tails(values: Floats, defaulted: Floats, written_as: pa.Array) -> list[tuple[str, Flags]]:
    """Return the rows above the greatest, and below the least, number of a repaid credit."""
    repaid = values[(defaulted == 0) & ~np.isnan(values)]
    if not len(repaid):
        return []
    high, low = float(repaid.max()), float(repaid.min())
    at_high, at_low = (int(np.flatnonzero(values == end)[0]) for end in (high, low))
    return [
        (f"above {written_as[at_high].as_py()}", values > high),
        (f"below {written_as[at_low].as_py()}", values < low),
    ]
