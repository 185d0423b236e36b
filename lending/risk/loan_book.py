"""A lender's own loan book: what it may hold, and how each of its loans ended.

Owns the reading of default from whichever columns a book has, and the earlier record of each
borrower as of a day. A loan that had not the time to default when the book was written tells
nothing yet, however it stands: those repaid early would look safer than all. What was known of
farm and household is elsewhere (`lending.risk.backfill`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.lending.rows import PAST_DUE_DAYS
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import InputColumn, InputSchema, Problem
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import table_rows

_MOST_DAYS = 36_525
"""A century of arrears is a slip."""
_GRACE = pd.Timedelta(days=PAST_DUE_DAYS)
_DONE_ON = ("disbursed_on", "closed_on", "status_on")
"""Days on which something was done, so that none of them can lie ahead."""


def _spelt(name: str) -> str:
    return " ".join(name.replace("_", " ").replace("-", " ").split()).casefold()


@cache
def _statuses() -> Mapping[str, str]:
    return {_spelt(row["name"]): row["status"] for row in table_rows("loan_statuses.csv")}


def status_named(name: str) -> str | None:
    """Return `paid`, `open`, `default` or `silent` for a status as somebody wrote it, else None."""
    return _statuses().get(_spelt(name))


def _status(frame: pd.DataFrame) -> pd.Series[Any]:
    """Return `paid`, `open`, `default` or `silent` by row; missing where blank or unknown."""
    return frame["status"].map(
        {name: _statuses().get(_spelt(str(name))) for name in frame["status"].dropna().unique()}
    )


def _flagged(frame: pd.DataFrame, wrong: pd.Series[Any], column: str, code: str) -> list[Problem]:
    rows = np.flatnonzero(wrong.fillna(value=False).to_numpy(dtype=bool)).tolist()
    values = frame[column]
    return [Problem(row + 1, column, code, _shown(values.iloc[row])) for row in rows]


def _shown(value: Any) -> str:
    if pd.isna(value):
        return ""
    return f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else str(value)[:40]


def _borrower(frame: pd.DataFrame) -> list[Problem]:
    """Loans to nobody."""
    nobody = frame["farmer_id"].isna() & frame["household_id"].isna()
    return _flagged(frame, nobody, "farmer_id", "input_missing")


def _days(frame: pd.DataFrame) -> list[Problem]:
    """Days that come before the payout."""
    return [
        problem
        for column in ("due_on", "closed_on", "status_on")
        for problem in _flagged(
            frame, frame[column] < frame["disbursed_on"], column, "input_inconsistent"
        )
    ]


def _some_principal(frame: pd.DataFrame) -> list[Problem]:
    """Loans of nothing."""
    return _flagged(frame, frame["principal"] == 0, "principal", "input_out_of_range")


def _known_status(frame: pd.DataFrame) -> list[Problem]:
    """Statuses that the table of statuses does not hold."""
    return _flagged(
        frame, frame["status"].notna() & _status(frame).isna(), "status", "loan_status_unread"
    )


def _still_open(frame: pd.DataFrame) -> list[Problem]:
    """Loans that are called open and have closed."""
    both = (_status(frame) == "open") & frame["closed_on"].notna()
    return _flagged(frame, both, "status", "input_inconsistent")


LOAN_BOOK = InputSchema(
    "loan_book",
    "the lender's own loan book, for `fieldline risk backfill`",
    (
        InputColumn("loan_id", "id", "Loan", required=True, needed=True),
        InputColumn("farmer_id", "id", "Borrower, as in the outlines", personal=True),
        InputColumn(
            "household_id", "id", "Household, as in the applications; counts where no farmer is "
            "named", personal=True,
        ),
        InputColumn("disbursed_on", "date", "Day of payment", required=True, needed=True),
        InputColumn("due_on", "date", "Day on which it falls due", required=True, needed=True),
        InputColumn("currency", "currency", "Currency of the row's amount; blank: the county's"),
        InputColumn("principal", "money", "Amount lent", "currency", minimum=0),
        InputColumn(
            "days_past_due", "count", "Most days that it was ever past due, or those of today",
            "days", minimum=0, maximum=_MOST_DAYS,
        ),
        InputColumn(
            "closed_on", "date", "Day on which it was paid off; blank in a file that has the "
            "column: it was not",
        ),
        InputColumn(
            "status", "text", "`paid`, `open`, `default`, or a name of `data/loan_statuses.csv`; "
            "as it is when the book is written",
        ),
        InputColumn("status_on", "date", "Day since which it has that status"),
    ),
    key=("loan_id",),
    joins="farmer_id",
    rules=(_borrower, _days, _some_principal, _known_status, _still_open),
)  # fmt: skip
"""No input of a county: the command names the file."""


@dataclass(frozen=True)
class LoanBook:
    """The loans of a book that can be told apart, and what became of its other rows."""

    loans: pd.DataFrame
    """By row of the file from 0: the columns of `LOAN_BOOK`; `borrower`, farmer or household;
    `ended_on`, when it was paid off; `defaulted`, missing where nobody can say; `mature`; and
    `late` with `known_on`, the day since when it was known that it had ended and how, both missing
    while it has not."""
    problems: tuple[Problem, ...]
    """The first problem of every row that is not among the loans."""
    until: dt.date
    """Day up to which the book tells."""
    rows: int
    table: InputTable


def read_loan_book(
    path: Path, reading: Reading, *, today: dt.date, until: dt.date | None = None
) -> LoanBook:
    """Read a loan book.

    Args:
        path: The file.
        reading: Currency of the county and the lender's own column names.
        today: Nothing was done later.
        until: Day on which the book was written; None for the last day on which it tells anything.

    Raises:
        UserError: The file cannot be read, lacks a column, or no row of it is a loan.
    """
    table = read_input(path, LOAN_BOOK, reading)
    ahead = _ahead(table.frame, until or today)
    problems = table.problems_of_rows()
    for problem in (*ahead, *_same_loan(table, {*problems, *(p.row for p in ahead)})):
        problems.setdefault(problem.row, problem)
    loans = table.frame[~table.frame.index.isin([row - 1 for row in problems])].copy()
    if loans.empty:
        first = min(problems.values(), key=lambda problem: problem.row)
        raise UserError(
            f"{path} holds no loan that can be read: row {first.row}, {first.column}, {first.code}",
            "correct the rows, or map the columns under inputs.columns.loan_book",
        )
    written = (
        until or max(loans[name].max() for name in _DONE_ON if loans[name].notna().any()).date()
    )
    loans["borrower"] = ("farmer " + loans["farmer_id"]).fillna(
        "household " + loans["household_id"]
    )
    loans["ended_on"] = _ends(loans)
    loans["defaulted"] = _defaulted(loans, closes="closed_on" in table.headers)
    loans["mature"] = loans["due_on"] + _GRACE <= pd.Timestamp(written)
    loans["late"], loans["known_on"] = _record(loans, pd.Timestamp(written))
    found = tuple(problems[row] for row in sorted(problems))
    return LoanBook(loans, found, written, len(table.frame), table)


def _ahead(frame: pd.DataFrame, last: dt.date) -> list[Problem]:
    return [
        problem
        for column in _DONE_ON
        for problem in _flagged(
            frame, frame[column] > pd.Timestamp(last), column, "loan_date_ahead"
        )
    ]


def _same_loan(table: InputTable, refused: set[int]) -> list[Problem]:
    """Rows for one loan: equal ones count once, of different ones none does."""
    frame = table.frame[~table.frame.index.isin([row - 1 for row in refused])]
    again = frame.duplicated(keep="last").to_numpy(dtype=bool)
    once = frame[~again]
    clash = once["loan_id"].duplicated(keep=False).to_numpy(dtype=bool)
    repeated = [Problem(row + 1, "loan_id", "input_repeated") for row in frame.index[again]]
    return repeated + [Problem(r + 1, "loan_id", "input_contradicted") for r in once.index[clash]]


def _ends(loans: pd.DataFrame) -> pd.Series[Any]:
    """Return the day on which each loan was paid off, by `closed_on` or a dated status."""
    paid = loans["status_on"].where(_status(loans) == "paid")
    return loans["closed_on"].fillna(paid)


def _defaulted(loans: pd.DataFrame, *, closes: bool) -> pd.Series[Any]:
    """Return whether each loan was 90 days past due, as a mature loan's row tells it.

    Whatever says so counts; that it was not needs the day of its end, or days past due of a loan
    that is not open. A loan that is open 90 days after it fell due is one; where its days past due
    deny that, nobody can say.

    Args:
        loans: Rows of the book.
        closes: Whether the book says when loans were paid off.
    """
    status, ends, days = _status(loans), _ends(loans), loans["days_past_due"]
    blank = ends.isna() & (status.isna() & closes)
    unpaid = blank | ((status == "open") & ends.isna())
    few = days < PAST_DUE_DAYS
    yes = (days >= PAST_DUE_DAYS) | (ends - loans["due_on"] >= _GRACE) | (status == "default")
    yes |= unpaid & days.isna()
    no = ((ends - loans["due_on"] < _GRACE) | (few & ~unpaid)) & ~yes
    answer = pd.Series(pd.NA, index=loans.index, dtype="boolean")
    return answer.mask(no, other=False).mask(yes, other=True)


def _record(loans: pd.DataFrame, written: pd.Timestamp) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Return whether each loan that has ended was paid late, and the day since when that was known.

    A default is known from 90 days past due on. A loan of which only days past due are told had
    ended no later than so many days after it fell due.
    """
    ends, past_due = _ends(loans), loans["due_on"] + _GRACE
    days = loans["days_past_due"]
    told = loans["due_on"] + pd.to_timedelta(days.clip(upper=PAST_DUE_DAYS), unit="D")
    # An open loan says of its end only that it is past due too long.
    bad = loans["defaulted"].fillna(value=False).astype(bool)
    known = ends.fillna(past_due.where(bad, told.where(loans["defaulted"].notna())))
    known = known.where(~(bad & (past_due < known)), past_due)
    known = known.where(known <= written)
    late = bad | (days > 0) | (ends > loans["due_on"])
    return late.astype("boolean").where(known.notna()), known


def records_before(loans: pd.DataFrame, days: pd.Series[Any]) -> pd.DataFrame:
    """Return how many of its borrower's loans had ended, and late, as known on a day of each loan.

    Args:
        loans: Loans with `borrower`, `late` and `known_on`.
        days: Day by loan, of the same index; missing days count nothing.

    Returns:
        `prior_loans` and `prior_late` by loan.
    """
    asked = pd.DataFrame({"loan": loans.index, "borrower": loans["borrower"], "day": days})
    ended = loans.loc[loans["known_on"].notna(), ["borrower", "late", "known_on"]]
    pairs = asked.merge(ended.assign(of=ended.index), on="borrower")
    pairs = pairs[(pairs["known_on"] <= pairs["day"]) & (pairs["of"] != pairs["loan"])]
    counts = (
        pairs.assign(late=pairs["late"].astype(int)).groupby("loan")["late"].agg(["size", "sum"])
    )
    counts.columns = pd.Index(["prior_loans", "prior_late"])
    return counts.reindex(loans.index, fill_value=0).astype(int)
