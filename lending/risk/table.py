"""Table: any table of credits with a known end, as columns that a default model can learn from.

Owns what each column is (amount, day, category), which columns are left out and why (constant, a
name of the row, one that tells the outcome), and which rows count. Nothing of a county is known
here; a county's own loans are `lending.risk.features`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fieldline.lending.risk.cells import (
    filled_cells,
    no_outcome,
    numbers_with_marks,
    told_afterwards,
)
from fieldline.lending.risk.default_model import Loans
from fieldline.lending.risk.features import Feature
from fieldline.lending.risk.loan_book import status_named
from fieldline.lending.risk.metrics import auc
from fieldline.pipeline.inputs.cells import Cells, read_cells
from fieldline.pipeline.inputs.names import folded, known_names, words
from fieldline.pipeline.inputs.schema import InputColumn
from fieldline.pipeline.inputs.values import FileFacts, as_text, facts_of, read_column
from fieldline.pipeline.records.errors import UserError

Floats = npt.NDArray[np.float64]

_READABLE = 0.9
"""Share of the filled cells that must be numbers (days) for a column of amounts (days)."""
_ALL_DIFFERENT = 0.9
"""Share of different texts from which a column names its rows."""
_NAMES = 50
"""Fewer different texts than this are a category, however short the table."""
_LEVELS = 40
"""Most levels of a category; the rarer ones are one more."""
_LEVEL_ROWS = 5
"""Fewest rows of a level of its own."""
_NAMING = (
    "id_number", "phone", "bank_account", "farmer_id", "household_id", "loan_id", "parcel_id",
)  # fmt: skip
"""Roles of `data/column_names.csv` that name people and credits: nothing is learnt of a name."""
_TELLS = 0.98
"""AUC from which a single column is taken to be the outcome in other words."""
_OTHER = "(other)"
_BY_CHANCE = 0.01
"""Share of rows that may repeat another (Taiwan's 30,000 credits: 0.1 %)."""


@dataclass(frozen=True)
class Question:
    """What of a table is to be learnt."""

    target: str
    positive: str
    """Value of the target that means default."""
    group: str = ""
    """Column whose equal values are never split between learning and testing."""
    drop: Collection[str] = ()
    keep: Collection[str] = ()
    """Columns that are learnt from although they look like a name or the outcome."""
    signs: Mapping[str, int] = field(default_factory=dict)
    """Known signs by column: +1 where more never lowers risk, -1 where more never raises it."""


@dataclass(frozen=True)
class CreditTable:
    """A table ready to learn from."""

    loans: Loans
    features: tuple[Feature, ...]
    left_out: dict[str, str]
    """Columns that are not learnt from, and why."""
    remarks: tuple[str, ...]
    """What a person should know of rows and cells."""


def read_credit_table(path: Path, question: Question) -> CreditTable:
    """Read a table of credits.

    Args:
        path: CSV of any usual encoding and separator, workbook or Parquet.
        question: Target, positive value and what is known of the columns.

    Raises:
        UserError: The file cannot be read, a named column is absent, the target has no such value,
            or nothing is left to learn from.
    """
    wanted = folded(question.target)
    cells = read_cells(path, lambda row: sum(folded(str(cell)) == wanted for cell in row),
                       setting="the path of the table")  # fmt: skip
    named = [question.target, question.group, *question.drop, *question.keep, *question.signs]
    for name in filter(None, named):
        if name not in cells.names:
            raise UserError(
                f"{path} has no column {name!r} (it has {', '.join(cells.names[:12])}, ...)",
                "give the name as the file writes it",
            )
    defaulted, known, remarks = _outcomes(cells, question)
    groups = _groups(cells, question.group)
    columns: dict[str, Floats] = {}
    features: list[Feature] = []
    left_out: dict[str, str] = dict.fromkeys(question.drop, "dropped as asked")
    facts = facts_of(cells)
    skipped = {question.target, question.group, *question.drop}
    for name in cells.names:
        if not name or name in skipped:
            continue
        values, levels, remark = _column(cells, name, facts)
        why = _reason(name, values[known], levels, defaulted[known], cells.column(name))
        if why and (name not in question.keep or why in (_CONSTANT, _BLANK)):
            left_out[name] = why
            continue
        shown = cells.column(name).filter(pa.array(known))
        late = told_afterwards(name, values[known], levels, defaulted[known], shown)
        remarks += [said for said in (remark, late) if said]
        columns[name] = values[known]
        features.append(Feature(name, question.signs.get(name, 0), name, name, levels))
    if not features:
        raise UserError(f"{path} has no column to learn from", "see left_out, or name some to keep")
    every = np.full(int(known.sum()), "all")
    frame = pd.DataFrame(columns)
    groups = groups[known]
    if not question.group:
        groups, told = _copies_together(frame, defaulted[known], groups)
        remarks += told
    loans = Loans(frame, defaulted[known], groups, every)
    return CreditTable(loans, tuple(features), left_out, tuple(remarks))


def _outcomes(cells: Cells, question: Question) -> tuple[Floats, npt.NDArray[np.bool_], list[str]]:
    """Return outcomes, which rows have one, and remarks."""
    said = [_plain(cell) for cell in as_text(cells.column(question.target)).to_pylist()]
    known = np.array([not no_outcome(cell) for cell in said])
    wanted = _plain(question.positive)
    defaulted = np.array([float(cell == wanted) for cell in said])
    remarks = _by_status(said, wanted, defaulted, known)
    values = sorted({cell for cell in said if not no_outcome(cell)})
    if not defaulted.any():
        raise UserError(
            f"column {question.target!r} of {cells.path} never says {question.positive!r}; it says "
            f"{', '.join(values[:8])}",
            "give the value that means default with --positive",
        )
    if len(values) == 1:
        raise UserError(
            f"column {question.target!r} of {cells.path} says {wanted!r} in every row",
            "a model needs rows of both kinds",
        )
    if not known.all():
        remarks.append(f"{int((~known).sum())} rows without an outcome are left out")
    if len(values) > 2:
        others = zip(said, known & (defaulted == 0), strict=True)
        counts = Counter(cell for cell, other in others if other)
        shown = ", ".join(f"{value} ({count})" for value, count in counts.most_common(6))
        remarks.append(
            f"{question.target} has {len(values)} values; all but {wanted} count as repaid: {shown}"
            f"{', ...' if len(counts) > 6 else ''}"
        )
    if defaulted.sum() > known.sum() / 2:
        remarks.append(
            f"{int(defaulted.sum())} of {int(known.sum())} rows count as defaults: does "
            f"{question.positive!r} of {question.target} mean default? Else name the value that "
            "does with --positive"
        )
    return defaulted, known, remarks


def _by_status(
    said: list[str], wanted: str, defaulted: Floats, known: npt.NDArray[np.bool_]
) -> list[str]:
    """Take credits that are still open out of a table of statuses, and other words for default in.

    A table is one of statuses where it names the default and a repaid credit in words of
    `data/loan_statuses.csv`. Changes the last two arguments.
    """
    status = {cell: status_named(cell) for cell in set(said)}
    if status.get(wanted) != "default" or "paid" not in status.values():
        return []
    remarks = []
    for cell, found in sorted(status.items()):
        rows = np.array([one == cell for one in said]) & known
        if found == "open" and rows.any():
            known &= ~rows
            remarks.append(f"{rows.sum()} rows are still {cell} and have no outcome yet")
        if found == "default" and cell != wanted and rows.any():
            defaulted[rows] = 1.0
            remarks.append(f"{rows.sum()} rows of {cell} count as defaults as {wanted} does")
    return remarks


def _plain(cell: Any) -> str:
    """Return a cell as it is compared: 1, 1.0 and ` 1 ` are one value."""
    text = "" if cell is None else str(cell).strip()
    whole = text.removesuffix(".0")
    return whole.lower() if whole.lstrip("-").isdigit() else text.lower()


def _groups(cells: Cells, name: str) -> npt.NDArray[Any]:
    rows = [f"row {row}" for row in range(len(cells))]
    if not name:
        return np.array(rows)
    said = as_text(cells.column(name)).to_pylist()
    return np.array([str(cell) if cell else row for cell, row in zip(said, rows, strict=True)])


def _copies_together(
    frame: pd.DataFrame, defaulted: Floats, groups: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], list[str]]:
    """Return groups in which copies of a row stand together: else one would test the other.

    Rows are copies where most rows are like no other (few categories alone repeat by chance) and
    more of them repeat than a large table has by chance.
    """
    ended = frame.assign(**{"": defaulted})  # no column is named so
    alike = ended.groupby(list(ended.columns), dropna=False)
    number = alike.ngroup().to_numpy()
    copies = len(number) - len(np.unique(number))
    if not _BY_CHANCE * len(number) < copies <= len(number) / 2:
        return groups, []
    first = pd.Series(groups).groupby(number).transform("first")
    return first.to_numpy(), [
        f"{copies} rows repeat another in every column: copies are never split between learning "
        "and testing (name the borrower with --group where they are different credits)"
    ]


def _column(cells: Cells, name: str, facts: FileFacts) -> tuple[Floats, tuple[str, ...], str]:
    """Return a column as numbers, the levels of a category, and a remark."""
    given = cells.column(name)
    text = as_text(given)
    filled = int(filled_cells(text.to_pylist()).sum())
    kinds: tuple[Literal["number", "date"], ...] = ("number", "date")
    for kind in kinds[1:] if pa.types.is_temporal(given.type) else kinds:
        column = InputColumn(name, kind, "Column of credits", months=kind == "date")
        read = read_column(given, column, 1.0, facts)
        good = int(read.values.notna().sum())
        if filled and good >= _READABLE * filled:
            remark = f"{name}: {filled - good} cells are no {kind}" if good < filled else ""
            return _numbers(read.values, kind), (), remark
    marked = numbers_with_marks(text, facts.mark)
    good = int(np.isfinite(marked).sum())
    if filled and good >= _READABLE * filled:
        remark = f"{name}: {filled - good} cells are no number" if good < filled else ""
        return marked, (), remark
    return (*_category(text), "")


def _numbers(values: pd.Series[Any], kind: str) -> Floats:
    if kind == "date":
        values = (values - pd.Timestamp(0)) / pd.Timedelta(days=1)
    found = values.to_numpy("float64", na_value=np.nan)
    return np.where(np.isfinite(found), found, np.nan)


def _category(text: pa.Array) -> tuple[Floats, tuple[str, ...]]:
    """Return the place of each level, the commonest first, and the levels; blank is missing."""
    said = pd.Series(text.to_pylist(), dtype="object")
    said = said.map(lambda cell: str(cell).strip() or None, na_action="ignore")
    counts = said.value_counts()
    counts = counts[counts >= _LEVEL_ROWS].head(_LEVELS)
    levels = sorted(counts.index, key=lambda level: (-counts[level], level))
    place = {level: float(i) for i, level in enumerate(levels)}
    rare = said.notna() & ~said.isin(levels)
    values = said.map(place).mask(rare, float(len(levels)))
    names = (*levels, _OTHER) if rare.any() or not levels else tuple(levels)
    return values.to_numpy("float64", na_value=np.nan), names


_CONSTANT = "says the same of every row"
_BLANK = "is blank in every row"


def _reason(
    name: str, values: Floats, levels: tuple[str, ...], defaulted: Floats, given: pa.Array
) -> str:
    """Return why a column is not learnt from, empty where it is."""
    known = values[~np.isnan(values)]
    different = len(pd.unique(pd.Series(as_text(given).to_pylist()).dropna()))
    if levels and different > max(_NAMES, _ALL_DIFFERENT * len(known)):
        return "names its rows (nearly all texts differ)"
    if levels == (_OTHER,) and different > 1:
        return f"says nothing {_LEVEL_ROWS} times"
    if not len(known):
        return _BLANK
    if len(np.unique(known)) == 1 and len(known) == len(values):
        return _CONSTANT
    if not levels and _numbers_rows(name, values):
        return "numbers its rows"
    if different > _NAMES and any(folded(name) in known_names(role) for role in _NAMING):
        return "names its rows, borrowers or credits (--group keeps a borrower's together)"
    scores = [_scored(values, levels, defaulted)]
    if len(known) < len(values):
        scores.append(np.isnan(values).astype(float))
    area = max(abs(auc(defaulted, score) - 0.5) for score in scores) + 0.5
    return f"tells the outcome by itself (AUC {area:.3f})" if area >= _TELLS else ""


def _numbers_rows(name: str, values: Floats) -> bool:
    """Whether whole numbers that all differ rise with the rows or are called an id."""
    if np.isnan(values).any() or (values != np.round(values)).any():
        return False
    if len(np.unique(values)) < len(values):
        return False
    steps = np.diff(values)
    return bool((steps > 0).all() or (steps < 0).all() or "id" in words(name))


def _scored(values: Floats, levels: tuple[str, ...], defaulted: Floats) -> Floats:
    """Return one number per row that ranks as the column can: rates of levels, or the amount."""
    missing = np.isnan(values)
    if not levels:
        return np.where(missing, np.nanmedian(values), values)
    place = np.where(missing, len(levels), values).astype(np.int64)
    bad = np.bincount(place, weights=defaulted, minlength=len(levels) + 1)
    loans = np.bincount(place, minlength=len(levels) + 1)
    return np.asarray(((bad + defaulted.mean()) / (loans + 1))[place])
