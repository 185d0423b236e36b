"""Which rows of a lender's table count at the as-of date, and what becomes of the others.

Owns the choice among rows for the same thing: the newest known counts; where it cannot be read, or
rows of its day contradict each other, no older one takes its place and a person decides. Nothing
recorded after the as-of date counts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fieldline.lending.inputs import APPLICATIONS, LOANS, PROTECTED, REGISTRY
from fieldline.pipeline.inputs.read import InputTable
from fieldline.pipeline.inputs.schema import InputSchema, Problem

Rows = npt.NDArray[np.bool_]

_NEVER = pd.Timestamp.max.floor("us")
"""Stands for a day that cannot be read: it may be the newest."""


@dataclass(frozen=True)
class Standing:
    """The rows that count at a date."""

    counting: pd.DataFrame
    """Rows of the newest day of each key, all of them agreeing; several where a file repeats."""
    unclear: Mapping[str, Problem]
    """By key, why nobody can say which row counts."""
    account: list[Problem]
    """What became of the rows that can be read and do not count."""


def newest(
    table: InputTable, day: str, compared: Sequence[str], as_of: dt.date, *, blank_agrees: bool
) -> Standing:
    """Choose the newest rows of each key.

    Args:
        table: The table; the first column of its key tells things apart.
        day: Column of the day on which a row was recorded.
        compared: Columns in which rows of one day must agree.
        as_of: Day up to which rows are known, itself included.
        blank_agrees: Whether a blank cell agrees with any other.
    """
    key, frame = table.schema.key[0], table.frame
    bad = _refused(table)
    late = (frame[day] > pd.Timestamp(as_of)).to_numpy(dtype=bool)
    pool = frame[frame[key].notna().to_numpy(dtype=bool) & ~late]
    rank = pool[day].fillna(_NEVER)
    last = rank == rank.groupby(pool[key]).transform("max")
    problems = table.problems_of_rows()
    unreadable = pool.index[(bad[pool.index] & last).to_numpy(dtype=bool)]
    unclear = {str(frame[key].iloc[row]): problems[row + 1] for row in unreadable.tolist()}
    ahead = pool[last.to_numpy(dtype=bool)]
    ahead = ahead[~ahead[key].isin(list(unclear)).to_numpy(dtype=bool)]
    against = _contradictions(ahead, key, compared, blank_agrees=blank_agrees)
    counting = ahead[~ahead[key].isin(list(against)).to_numpy(dtype=bool)]
    clashing = ahead[ahead[key].isin(list(against)).to_numpy(dtype=bool)]
    account = [
        *(Problem(row + 1, day, "input_after_as_of")
          for row in np.flatnonzero(late & ~bad).tolist()),
        *(Problem(row + 1, against[frame[key].iloc[row]], "input_contradicted")
          for row in clashing.index.tolist()),
        *_passed_over(pool, bad, counting, clashing, {*unclear, *against}, key),
    ]  # fmt: skip
    for name, column in against.items():
        row = int(clashing.index[(clashing[key] == name).to_numpy(dtype=bool)][-1])
        unclear[name] = Problem(row + 1, column, "input_contradicted")
    return Standing(counting, unclear, sorted(account, key=lambda problem: problem.row))


def _refused(table: InputTable) -> pd.Series[bool]:
    bad = pd.Series(data=False, index=table.frame.index)
    bad.iloc[[row - 1 for row in table.bad_rows]] = True
    return bad


def _contradictions(
    rows: pd.DataFrame, key: str, compared: Sequence[str], *, blank_agrees: bool
) -> dict[str, str]:
    """Return, by key, the first column in which rows of its newest day differ."""
    several = rows[rows[key].duplicated(keep=False).to_numpy(dtype=bool)]
    if several.empty:
        return {}
    values = several.groupby(key)[list(compared)].nunique(dropna=blank_agrees)
    different = values.gt(1)
    clash = different[different.any(axis=1)]
    return {str(name): str(column) for name, column in clash.idxmax(axis=1).items()}


def _passed_over(
    pool: pd.DataFrame,
    bad: pd.Series[bool],
    counting: pd.DataFrame,
    clashing: pd.DataFrame,
    unclear: set[str],
    key: str,
) -> list[Problem]:
    """Tell the readable rows that an other one of the same thing pushes aside."""
    final = counting.index[~counting[key].duplicated(keep="last").to_numpy(dtype=bool)]
    left = pool.index.difference(final).difference(clashing.index)
    left = left[~bad[left].to_numpy(dtype=bool)]
    hidden = pool.loc[left, key].isin(list(unclear)).to_numpy(dtype=bool)
    codes = np.where(hidden, "input_unclear", "input_repeated")
    return [
        Problem(row + 1, key, str(code)) for row, code in zip(left.tolist(), codes, strict=True)
    ]


def standing_registry(table: InputTable, as_of: dt.date) -> Standing:
    """Return the registry's rows as known at a date."""
    return newest(table, "recorded_on", ("area_m2", "holder_id"), as_of, blank_agrees=True)


def standing_applications(table: InputTable, as_of: dt.date) -> Standing:
    """Return the applications as known at a date."""
    compared = [c.name for c in APPLICATIONS.columns if c.name not in APPLICATIONS.key]
    return newest(table, "applied_on", compared, as_of, blank_agrees=False)


def ended_on(loans: pd.DataFrame) -> pd.Series[Any]:
    """Return the day from which the end of each loan was known."""
    return loans["closed_on"].fillna(loans["due_on"])


PAST_DUE_DAYS = 90
"""Days past due that make a default."""


def known_on(loans: pd.DataFrame) -> pd.Series[Any]:
    """Return the day from which it was known whether each loan defaulted.

    That is the day it closed, or the day it was 90 days past due if that came first: a default is
    one from then on, however much later it is written off, and an open loan is none before.
    """
    past_due = loans["due_on"] + pd.Timedelta(days=PAST_DUE_DAYS)
    return (
        loans["closed_on"].where(loans["closed_on"] < past_due, past_due).fillna(loans["closed_on"])
    )


def account_registry(table: InputTable, as_of: dt.date) -> list[Problem]:
    """Return what becomes of readable registry rows that do not count."""
    return standing_registry(table, as_of).account


def account_applications(table: InputTable, as_of: dt.date) -> list[Problem]:
    """Return what becomes of readable applications that do not count."""
    return standing_applications(table, as_of).account


def account_loans(table: InputTable, as_of: dt.date) -> list[Problem]:
    """Return what becomes of readable loans that teach nothing.

    The same loan twice counts once; where its rows differ, none counts.
    """
    good = table.good
    late = (known_on(good) > pd.Timestamp(as_of)).to_numpy(dtype=bool)
    told = [Problem(row + 1, "closed_on", "input_after_as_of") for row in good.index[late].tolist()]
    named = good[~late & good["loan_id"].notna().to_numpy(dtype=bool)]
    again = named.duplicated(keep="last").to_numpy(dtype=bool)
    told += [Problem(row + 1, "loan_id", "input_repeated") for row in named.index[again].tolist()]
    once = named[~again]
    clash = once["loan_id"].duplicated(keep=False).to_numpy(dtype=bool)
    told += [
        Problem(row + 1, "loan_id", "input_contradicted") for row in once.index[clash].tolist()
    ]
    return sorted(told, key=lambda problem: problem.row)


def account_protected(table: InputTable, as_of: dt.date) -> list[Problem]:
    """Return the areas that are not yet in force."""
    begins = ~in_force(table, as_of) & (table.frame["valid_from"] > pd.Timestamp(as_of)).to_numpy()
    return [
        Problem(row + 1, "valid_from", "input_after_as_of")
        for row in np.flatnonzero(begins).tolist()
    ]


def in_force(table: InputTable, as_of: dt.date) -> Rows:
    """Return which protected areas are in force; one whose dates cannot be right is."""
    frame, day = table.frame, pd.Timestamp(as_of)
    begun = ~(frame["valid_from"] > day)
    ended = frame["valid_to"] < day
    force = np.array(begun & ~ended, dtype=bool)
    unsure = [p.row - 1 for p in table.problems if p.code == "input_date_in_force"]
    force[unsure] = True
    return force


Account = Callable[[InputTable, dt.date], list[Problem]]
ACCOUNTS: dict[str, tuple[InputSchema, Account]] = {
    schema.name: (schema, account)
    for schema, account in (
        (REGISTRY, account_registry),
        (APPLICATIONS, account_applications),
        (LOANS, account_loans),
        (PROTECTED, account_protected),
    )
}
"""Each table of this room with the function that accounts for its rows at a date."""
