"""What became of every row of a county's input files, before anything is reckoned with them.

Owns the joining of tables with the parcels and farmers of the county and the counts per file; the
reading and the policy of rows are the rooms' own. A table that cannot be read at all is an error
here, minutes after the start of a run and not after its imagery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import InputSchema, Problem
from fieldline.pipeline.records.outcomes import OK, outcome_codes

Known = Callable[["pd.Series[str]"], npt.NDArray[np.bool_]]
"""Says of each value of a column whether the county knows it."""
Policy = Callable[[InputTable], list[Problem]]
"""Names the rows that are read and not used (later ones, repeated ones); `ok` with numbers is a
note on a used one."""


USED_ALL_THE_SAME = ("input_far_from_usual",)
"""Codes of rows that a person should look at and that count."""


@dataclass(frozen=True)
class FileAccount:
    """What one file holds and what became of its rows."""

    input: str
    """Name of the setting."""
    path: Path
    rows: int
    problems: tuple[Problem, ...]
    """The first problem of each row that is refused, not used, joins nothing or is looked at and
    used all the same (`USED_ALL_THE_SAME`)."""
    remarks: tuple[str, ...]
    """Sentences about the whole file."""
    encoding: str
    headers: Mapping[str, str]
    """The file's column by Fieldline's."""
    notes: tuple[Problem, ...] = ()
    """Numbers worth telling of rows that are used, code `ok`."""

    def count(self, *codes: str) -> int:
        """Return how many rows have one of the codes."""
        return sum(problem.code in codes for problem in self.problems)

    @property
    def refused(self) -> int:
        """Rows that cannot be used until somebody corrects them."""
        return sum(_stops(problem) for problem in self.problems)

    @property
    def unmatched(self) -> int:
        """Rows whose parcel, farmer or cell the county does not know."""
        return self.count("input_unmatched")

    @property
    def set_aside(self) -> int:
        """Rows that are right and not used."""
        told = self.refused + self.unmatched + self.count(*USED_ALL_THE_SAME)
        return len(self.problems) - told

    @property
    def used(self) -> int:
        """Rows that are neither refused nor set aside."""
        return self.rows - len(self.problems) + self.count(*USED_ALL_THE_SAME)


def _stops(problem: Problem) -> bool:
    return outcome_codes()[problem.code].effect == "stop"


def account_of(table: InputTable, policy: Policy, known: Mapping[str, Known]) -> FileAccount:
    """Return the account of a table that was read.

    Args:
        table: The table.
        policy: The room's own rule of rows.
        known: By column name (`parcel_id`, `farmer_id`, `cell_id`), what the county knows.
    """
    told = policy(table)
    problems = [*table.problems, *(p for p in told if p.code != OK), *_unmatched(table, known)]
    first: dict[int, Problem] = {}
    for problem in sorted(problems, key=lambda p: (p.row, not _stops(p))):
        first.setdefault(problem.row, problem)
    return FileAccount(
        input=table.schema.name,
        path=table.path,
        rows=len(table.frame),
        problems=tuple(first.values()),
        remarks=table.remarks,
        encoding=table.cells.encoding,
        headers=table.headers,
        notes=tuple(p for p in told if p.code == OK and p.row not in first),
    )


def _unmatched(table: InputTable, known: Mapping[str, Known]) -> list[Problem]:
    column = table.schema.joins
    if not column or column not in known:
        return []
    values = table.frame[column]
    given = values.notna().to_numpy(dtype=bool)
    lost = given.copy()
    lost[given] = ~known[column](values[given])
    return [Problem(int(row) + 1, column, "input_unmatched") for row in np.flatnonzero(lost)]


def read_account(
    path: Path, schema: InputSchema, reading: Reading, policy: Policy, known: Mapping[str, Known]
) -> FileAccount:
    """Read a file and return its account.

    Raises:
        UserError: The file cannot be read, or lacks a column.
    """
    return account_of(read_input(path, schema, reading), policy, known)


def row_counts(account: FileAccount) -> dict[str, int]:
    """Return rows by code, those that nothing is said of as `ok`, most first."""
    codes = Counter(problem.code for problem in account.problems)
    plain = account.rows - len(account.problems)
    return {code: n for code, n in ((OK, plain), *codes.most_common()) if n}
