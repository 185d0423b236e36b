"""Applications: what a farmer asked for and owes, and why an application cannot be used.

Owns the step from a row to what is known of a farmer, and the words in which an unusable
application is told; a row that cannot be used leaves its farmer unknown and stops nobody else. What
follows from it is elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.inputs.schema import Problem
from fieldline.pipeline.records.reference import table_rows

_READ = (
    "household_id", "household_size", "requested_amount", "annual_debt_service", "off_farm_income",
    "prior_loans", "prior_late", "problem",
)  # fmt: skip
_SHORT = re.compile(r"(\w+)=(\w+)(?: value=(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Application:
    """What a farmer asked for and owes; `problem` names why it could not be used."""

    household_id: str
    household_size: int
    requested_minor: int | None = None
    debt_minor: int = 0
    off_farm_minor: int | None = None
    """Yearly income of the household from work off the farm, as stated; None where it was not."""
    prior_loans: int = 0
    prior_late: int = 0
    finished_loans: int = 0
    """Finished loans that the late ones are of: those on record, or all that were stated."""
    off_farm_proven_minor: int | None = None
    """What papers prove of that income; None where they prove nothing."""
    joint: int = 1
    """Farmers who apply together, this one included."""
    known: bool = False
    """Whether there is an application at all."""
    problem: str = ""


def applications_of(
    farmers: Iterable[str], table: pd.DataFrame | None, policy: PolicySettings
) -> dict[str, Application]:
    """Return the application of every farmer, the unknown one for a farmer who has none.

    Args:
        farmers: Pseudonyms.
        table: What `lending.sources.read_applications` returns, or None.
        policy: Default household size.
    """
    names = list(farmers)
    filed: dict[str, dict[Any, Any]] = {}
    if table is not None:
        own = table.loc[table.index.isin(names), list(_READ)]
        cells = (own[column].astype("object").tolist() for column in _READ)
        rows = (dict(zip(_READ, row, strict=True)) for row in zip(*cells, strict=True))
        filed = dict(zip(own.index.tolist(), rows, strict=True))
    return {name: read_application(filed.get(name), name, policy) for name in names}


def read_application(
    row: dict[Any, Any] | None, farmer_id: str, policy: PolicySettings
) -> Application:
    """Read one application, or the unknown one for a farmer who has none.

    Args:
        row: Row of `lending.sources.read_applications`, or None.
        farmer_id: Pseudonym; also the household of a farmer without one.
        policy: Default household size.
    """
    if row is None:
        return Application(farmer_id, policy.household_size_default)
    household = farmer_id if pd.isna(row["household_id"]) else str(row["household_id"])
    if row["problem"]:
        return Application(
            household, policy.household_size_default, known=True, problem=row["problem"]
        )
    return Application(
        household,
        int(row["household_size"]),
        _amount(row["requested_amount"]),
        int(row["annual_debt_service"]),
        _amount(row["off_farm_income"]),
        int(row["prior_loans"]),
        int(row["prior_late"]),
        known=True,
    )


def _amount(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)


def in_short(problem: Problem) -> str:
    """Write a problem of an application as the detail of its outcome."""
    shown = f" value={problem.value}" if problem.value else ""
    return f"{problem.column or 'row'}={problem.code}{shown}"


@cache
def _texts() -> dict[str, tuple[str, str]]:
    return {
        row["name"]: (row["english"], row["chinese"]) for row in table_rows("application_texts.csv")
    }


def in_words(short: str) -> tuple[str, str]:
    """Return what `in_short` wrote in English and Chinese words, for the applicant.

    What an earlier version wrote comes back as it is.
    """
    found = _SHORT.fullmatch(short)
    if found is None or found[2] not in _texts():
        return short, short
    column = _texts().get(found[1], (found[1], found[1]))
    english, chinese = (
        text.format(column=name, value=found[3] or "")
        for text, name in zip(_texts()[found[2]], column, strict=True)
    )
    return english, chinese
