"""Movements: a lender's tables of draws, repayments and rate changes, of one line or of many.

Owns their declarations and reading; what they come to is `decision.account`'s. A row that cannot be
read stops the whole statement of its line, which is wrong without it; of a table of many lines the
others go on.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from fieldline.lending.decision.account import Moved
from fieldline.pipeline.inputs.read import Reading, read_input
from fieldline.pipeline.inputs.schema import InputColumn, InputSchema, Problem
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import from_minor
from fieldline.pipeline.records.outcomes import outcome_codes

_WHAT = ("draw", "repay", "annual_rate")


def _one_each(frame: pd.DataFrame) -> list[Problem]:
    """Rows that say nothing, or two things of which nobody knows the order."""
    said = frame[list(_WHAT)].notna().sum(axis=1)
    return [
        Problem(int(row) + 1, "draw", "input_missing" if said[row] == 0 else "input_inconsistent")
        for row in said.index[said != 1]
    ]


MOVEMENTS = InputSchema(
    "movements",
    "the movements of a line",
    (
        InputColumn("on", "date", "Day from which it counts", required=True, needed=True),
        InputColumn("draw", "money", "Amount drawn", minimum=0),
        InputColumn("repay", "money", "Amount repaid", minimum=0),
        InputColumn(
            "annual_rate", "number", "Yearly rate from this day on, as a share", minimum=0,
            maximum=1,
        ),
        InputColumn("booked_on", "date", "Day on which it was entered, where that is later"),
        InputColumn("currency", "currency", "Currency of the row; blank: the line's"),
    ),
    rules=(_one_each,),
)  # fmt: skip

LINE_MOVEMENTS = InputSchema(
    "line_movements",
    "the movements of many lines, for `fieldline portfolio`",
    (
        InputColumn("offer_id", "id", "Line: its offer", required=True, needed=True),
        *MOVEMENTS.columns,
    ),
    rules=(_one_each,),
)
"""No input of a county: the command names the file."""

Rates = tuple[tuple[dt.date, Decimal], ...]


def read_movements(path: Path, currency: str) -> tuple[list[Moved], Rates]:
    """Return the movements and rate changes of a table.

    Args:
        path: Table of `MOVEMENTS`.
        currency: The line's.

    Raises:
        UserError: It cannot be read, or a row of it cannot, with file, row, column and remedy.
    """
    table = read_input(path, MOVEMENTS, Reading(currency, {}, ""))
    problems = table.problems_of_rows()
    if problems:
        first = problems[min(problems)]
        code = outcome_codes()[first.code]
        said = f" {first.value!r}" if first.value else ""
        raise UserError(
            f"{path}, row {first.row}, {first.column}{said}: {code.english.rstrip('.')}",
            code.remedy,
        )
    return moved_of(table.frame, currency)


def read_line_movements(
    path: Path, currency: str
) -> tuple[dict[str, pd.DataFrame], dict[str, Problem]]:
    """Return the rows of each line, and of each line that cannot be reckoned its first problem.

    Args:
        path: Table of `LINE_MOVEMENTS`.
        currency: That of the lines looked for: a row in another one is a problem of its line.

    Raises:
        UserError: The file cannot be read.
    """
    table = read_input(path, LINE_MOVEMENTS, Reading(currency, {}, ""))
    bad = table.problems_of_rows()
    names = table.frame["offer_id"].fillna("").astype(str)
    problems: dict[str, Problem] = {}
    for row in sorted(bad):
        problems.setdefault(names.iloc[row - 1], bad[row])
    lines = {str(name): rows for name, rows in table.frame.groupby(names) if name not in problems}
    return lines, problems


def moved_of(frame: pd.DataFrame, currency: str) -> tuple[list[Moved], Rates]:
    """Return the movements and rate changes of one line's rows, as they were read."""
    rows: list[dict[Any, Any]] = frame.to_dict("records")
    rates = [(row["on"].date(), Decimal(str(row["annual_rate"])))
             for row in rows if not pd.isna(row["annual_rate"])]  # fmt: skip
    moved = [
        Moved(
            row["on"].date(), _amount(row["draw"], currency), _amount(row["repay"], currency),
            None if pd.isna(row["booked_on"]) else row["booked_on"].date(),
        )
        for row in rows if pd.isna(row["annual_rate"])
    ]  # fmt: skip
    return moved, tuple(rates)


def _amount(minor: Any, currency: str) -> Decimal:
    return Decimal(0) if pd.isna(minor) else from_minor(int(minor), currency)
