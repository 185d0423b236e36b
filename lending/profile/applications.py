"""Applications: what a farmer asked for and owes, read one by one.

Owns the care with which an application is read: a value that cannot be right makes this one
application unknown, with its reason, and stops nobody else. What follows from it is elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import pandas as pd

from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.money import to_minor


@dataclass(frozen=True)
class Application:
    """What a farmer asked for and owes; `problem` names why it could not be read."""

    household_id: str
    household_size: int
    requested_minor: int | None = None
    debt_minor: int = 0
    off_farm_minor: int | None = None
    """Yearly income of the household from work off the farm, as stated; None where it was not."""
    prior_loans: int = 0
    prior_late: int = 0
    known: bool = False
    """Whether there is an application at all."""
    problem: str = ""


def read_application(
    row: pd.Series[Any] | None, farmer_id: str, currency: str, policy: PolicySettings
) -> Application:
    """Read one application, or the unknown one for a farmer who has none.

    Args:
        row: Row of applications, or None.
        farmer_id: Pseudonym; also the household of a farmer without one.
        currency: The county's currency.
        policy: Default household size.
    """
    unknown = Application(farmer_id, policy.household_size_default)
    if row is None:
        return unknown
    household = farmer_id if pd.isna(row["household_id"]) else str(row["household_id"])
    unknown = Application(household, policy.household_size_default, known=True)
    if row["currency"] != currency:
        return _problem(unknown, f"currency={row['currency']}")
    try:
        return _parsed(row, household, currency, policy)
    except (InvalidOperation, ValueError) as error:
        return _problem(unknown, str(error))


def _problem(unknown: Application, problem: str) -> Application:
    return Application(unknown.household_id, unknown.household_size, known=True, problem=problem)


def _parsed(
    row: pd.Series[Any], household: str, currency: str, policy: PolicySettings
) -> Application:
    requested = _amount(row, "requested_amount", currency)
    debt = _amount(row, "annual_debt_service", currency)
    if debt is None:
        raise ValueError("annual_debt_service=missing")
    size, loans, late = (
        _count(row, name) for name in ("household_size", "prior_loans", "prior_late")
    )
    if (late or 0) > (loans or 0):
        raise ValueError(f"prior_late={late} prior_loans={loans}")
    return Application(
        household,
        size or policy.household_size_default,
        requested,
        debt,
        _amount(row, "off_farm_income", currency),
        loans or 0,
        late or 0,
        known=True,
    )


def _amount(row: pd.Series[Any], column: str, currency: str) -> int | None:
    if pd.isna(row[column]) or row[column] == "":
        return None
    try:
        amount = Decimal(str(row[column]))
    except InvalidOperation as error:
        raise ValueError(f"{column}={row[column]!r}") from error
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{column}={row[column]}")
    return to_minor(amount, currency)


def _count(row: pd.Series[Any], column: str) -> int | None:
    if pd.isna(row[column]) or row[column] == "":
        return None
    value = Decimal(str(row[column]))
    if value != value.to_integral_value() or value < 0:
        raise ValueError(f"{column}={row[column]}")
    return int(value)
