"""What a table that a lender hands over may hold: columns, kinds, units, ranges, common names.

Owns the declaration alone; the reader, the check before a run and the page of the docs all follow
it. Each room declares the tables that it reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

Kind = Literal["id", "text", "crop", "number", "count", "year", "date", "flag", "money", "currency"]


@dataclass(frozen=True)
class Problem:
    """What is wrong with one cell."""

    row: int
    """Row of the file, the first below the header being 1."""
    column: str
    """Fieldline's name of the column."""
    code: str
    """Code of `data/outcome_codes.csv`."""
    value: str = ""
    """The cell as written; empty where it may be a person's."""


RowRule = Callable[[pd.DataFrame], list[Problem]]
"""Looks at whole rows (a yield against the crop's range); the frame's index is the row from 0."""


@dataclass(frozen=True)
class InputColumn:
    """One column of an input table."""

    name: str
    """Fieldline's name."""
    kind: Kind
    description: str
    unit: str | None = None
    """Unit of the values as handed on."""
    required: bool = False
    """Whether a file without the column is refused."""
    needed: bool = False
    """Whether a row without a value is refused."""
    minimum: float | None = None
    maximum: float | None = None
    """Values outside are slips, and refused by row."""
    quantity: str = ""
    """Quantity of `data/cell_units.csv` whose units may stand in the header or the cell."""
    units: Mapping[str, float] = field(default_factory=dict)
    """Other names of the column that state a unit, with what their values are multiplied with."""
    named_as: tuple[str, ...] = ()
    """Further roles of `data/column_names.csv` whose names it may carry."""
    months: bool = False
    """Whether a cell may name a month: it stands for the month's last day, because nobody knew a
    month's mean before the month was over."""
    missing: tuple[float, ...] = ()
    """Numbers that say that nothing was measured, as the file writes them."""
    words: Mapping[str, float] = field(default_factory=dict)
    """Folded words that stand for a number in the column's unit (`T`, a trace of rain); NaN for
    one that is missing."""
    unit_column: str = ""
    """Text column that takes the unit where the header or a cell states it (`价格(元/公斤)`)."""
    row_unit: str = ""
    """Text column whose unit holds for its row's yield, declared before it as is `crop`; a unit
    may then be one of the crop (bu/ac)."""
    crop_units: Mapping[str, str] = field(default_factory=dict)
    """Other names of the column that state a unit which weighs by crop, with that unit."""
    rounded: bool = False
    """Whether an amount is an estimate: decimals beyond its currency's are rounded, not refused."""
    personal: bool = False
    """Whether its cells may identify a person: then no message repeats one."""

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles of `data/column_names.csv` whose names it may carry."""
        return (self.name, *self.named_as)

    @property
    def own_names(self) -> tuple[str, ...]:
        """Its own names, each with the unit that it states."""
        return (self.name, *self.units, *self.crop_units)

    @property
    def needs_unit(self) -> bool:
        """Whether a name that states no unit is not enough."""
        return bool(self.units)


@dataclass(frozen=True)
class InputSchema:
    """One table that a lender hands over."""

    name: str
    """Name of the setting under `county.*.inputs`."""
    title: str
    """What it is, for people."""
    columns: tuple[InputColumn, ...]
    key: tuple[str, ...] = ()
    """Columns that should tell its rows apart."""
    joins: str = ""
    """Column whose values are known elsewhere (`parcel_id`, `farmer_id`, `cell_id`)."""
    rules: tuple[RowRule, ...] = ()
    open_ended: bool = False
    """Whether further columns of numbers are kept under their own names (bands, measurements)."""

    def column(self, name: str) -> InputColumn:
        """Return a column by its name.

        Raises:
            KeyError: There is no such column.
        """
        return {column.name: column for column in self.columns}[name]


def counted(problems: Iterable[Problem]) -> str:
    """Return how many rows have which problem first, for a log: `input_missing 3`."""
    first: dict[int, str] = {}
    for problem in problems:
        first.setdefault(problem.row, problem.code)
    return ", ".join(f"{code} {count}" for code, count in sorted(Counter(first.values()).items()))


def without(frame: pd.DataFrame, problems: Iterable[Problem]) -> pd.DataFrame:
    """Return the rows of a table that have none of the problems, by their index from 0."""
    bad = {problem.row - 1 for problem in problems}
    return frame[~frame.index.isin(list(bad))] if bad else frame


def problems_of(values: pd.Series[Any], column: str, code: str) -> list[Problem]:
    """Return one problem for each row of a part of a table.

    Args:
        values: What the cells say, by the table's index from 0.
        column: Fieldline's name of the column.
        code: Code of `data/outcome_codes.csv`.
    """
    rows = values.index.to_numpy(dtype=int).tolist()
    return [
        Problem(row + 1, column, code, str(value)[:40])
        for row, value in zip(rows, values.tolist(), strict=True)
    ]
