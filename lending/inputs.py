"""What a lender's own tables may hold: registry, applications, finished loans, protected areas.

Owns their declaration and the checks of one row against itself; reads no file and knows no date.
Which of several rows for the same thing counts is in `lending.rows`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from fieldline.pipeline.inputs.schema import InputColumn, InputSchema, Problem
from fieldline.pipeline.records.reference import crop_named
from fieldline.pipeline.records.units import M2_PER_HA, M2_PER_MU

#: More people than this share no kitchen, and more loans no farmer ever had.
_MOST_HEADS, _MOST_LOANS = 60, 500


def _late_of_loans(frame: pd.DataFrame) -> list[Problem]:
    """More loans paid late than loans."""
    of = frame["prior_loans"]
    if "finished_loans" in frame:
        of = frame["finished_loans"].fillna(of)
    wrong = frame["prior_late"] > of
    return [
        Problem(
            row + 1, "prior_late", "input_inconsistent",
            f"{frame['prior_late'].iloc[row]:.0f} of {of.iloc[row]:.0f}",
        )
        for row in np.flatnonzero(wrong.to_numpy(dtype=bool)).tolist()
    ]  # fmt: skip


def in_order(frame: pd.DataFrame, first: str, later: str, code: str) -> list[Problem]:
    """Return the rows with one date before the date that it must follow."""
    wrong = frame[later] < frame[first]
    return [
        Problem(
            row + 1, later, code,
            f"{frame[later].iloc[row]:%Y-%m-%d} before {frame[first].iloc[row]:%Y-%m-%d}",
        )
        for row in np.flatnonzero(wrong.to_numpy(dtype=bool)).tolist()
    ]  # fmt: skip


def _known_use(frame: pd.DataFrame) -> list[Problem]:
    """Crops that are none: registries write `旱地` there, and the row counts without it."""
    given = frame["crop"].dropna()
    unknown = {name for name in given.unique() if crop_named(name) is None}
    rows = given.index[given.isin(unknown)].tolist()
    return [Problem(row + 1, "crop", "input_crop_unread", str(given[row])[:40]) for row in rows]


REGISTRY = InputSchema(
    "registry",
    "the land registry's extract",
    (
        InputColumn(
            "parcel_id", "id", "Parcel, as in the outlines", required=True, needed=True,
        ),
        InputColumn(
            "area_m2", "number", "Registered area", "m2", required=True, minimum=1, maximum=1e8,
            quantity="area", units={"area_mu": M2_PER_MU, "area_ha": float(M2_PER_HA)},
        ),
        InputColumn(
            "holder_id", "id", "Who holds the right of use, by the reference that the outlines "
            "give of a farmer", required=True, named_as=("farmer_id",), personal=True,
        ),
        InputColumn(
            "crop", "text", "Registered crop; a land use that is no crop is left out",
            named_as=("declared_crop",),
        ),
        InputColumn(
            "recorded_on", "date", "Day of the record; the latest up to the as-of date counts",
            required=True, needed=True,
        ),
    ),
    key=("parcel_id", "recorded_on"),
    joins="parcel_id",
    rules=(_known_use,),
)  # fmt: skip

APPLICATIONS = InputSchema(
    "applications",
    "the farmers' applications",
    (
        InputColumn(
            "farmer_id", "id", "Farmer, as in the outlines", required=True, needed=True,
            personal=True,
        ),
        InputColumn(
            "household_id", "id", "Household; blank where the farmer is a household alone",
            required=True, personal=True,
        ),
        InputColumn(
            "household_size", "count", "People who live of the household's income", "people",
            required=True, needed=True, minimum=1, maximum=_MOST_HEADS, quantity="people",
        ),
        InputColumn(
            "currency", "currency", "Currency of the row's amounts: the county's", required=True,
            needed=True,
        ),
        InputColumn(
            "requested_amount", "money", "Amount asked for; blank for as much as possible",
            "currency", required=True, minimum=0,
        ),
        InputColumn(
            "annual_debt_service", "money", "Yearly interest and repayment on other debts",
            "currency a year", required=True, needed=True, minimum=0,
        ),
        InputColumn(
            "off_farm_income", "money", "Yearly income of the household from work off the farm; "
            "blank where it was not stated, which never counts as more", "currency a year",
            minimum=0,
        ),
        InputColumn(
            "prior_loans", "count", "Finished loans of the farmer on record, 0 for none", "loans",
            required=True, needed=True, minimum=0, maximum=_MOST_LOANS, quantity="loans",
        ),
        InputColumn(
            "prior_late", "count", "How many of them were paid late, 0 for none", "loans",
            required=True, needed=True, minimum=0, maximum=_MOST_LOANS, quantity="loans",
        ),
        InputColumn(
            "guarantor_id", "id", "Guarantor as the farmer says; only a guarantee's paper counts",
            personal=True,
        ),
        InputColumn(
            "applied_on", "date", "Day of the application; the latest up to the as-of date counts",
            required=True, needed=True,
        ),
    ),
    key=("farmer_id", "applied_on"),
    joins="farmer_id",
    rules=(_late_of_loans,),
)  # fmt: skip


def _estimate(name: str, description: str, *, least: float | None = 0) -> InputColumn:
    unit = "currency a year"
    return InputColumn(name, "money", description, unit, required=True, minimum=least, rounded=True)


def _by_rule(name: str, description: str) -> InputColumn:
    told = f"{description}, as `fieldline risk backfill` reckons it; blank: by the policy's rule"
    return InputColumn(name, "money", told, "currency a year", minimum=0, rounded=True)


def _some_principal(frame: pd.DataFrame) -> list[Problem]:
    """A loan of nothing."""
    nothing = (frame["principal"] == 0).fillna(value=False).to_numpy(dtype=bool)
    return [
        Problem(row + 1, "principal", "input_out_of_range", "0")
        for row in np.flatnonzero(nothing).tolist()
    ]


def _some_end(frame: pd.DataFrame) -> list[Problem]:
    """A loan that neither closed nor fell due on a known day: nobody knows when it was known."""
    endless = (frame["due_on"].isna() & frame["closed_on"].isna()).to_numpy(dtype=bool)
    return [Problem(row + 1, "due_on", "input_missing") for row in np.flatnonzero(endless).tolist()]


def _loan_dates(frame: pd.DataFrame) -> list[Problem]:
    late = in_order(frame, "disbursed_on", "due_on", "input_inconsistent")
    return late + in_order(frame, "disbursed_on", "closed_on", "input_inconsistent")


LOANS = InputSchema(
    "loan_history",
    "the finished loans",
    (
        InputColumn("loan_id", "id", "Loan", required=True),
        InputColumn("farmer_id", "id", "Borrower", personal=True),
        InputColumn(
            "household_id", "id", "Household, whose loans are never split between learning and "
            "testing; blank for a borrower who is a household alone", required=True, personal=True,
        ),
        InputColumn("season", "text", "Season or year of the loan; blank: the year of its end"),
        InputColumn("disbursed_on", "date", "Day of payment"),
        InputColumn("due_on", "date", "Day on which it fell due", required=True),
        InputColumn(
            "closed_on", "date", "Day on which it closed; blank: known from the day it fell due",
            required=True,
        ),
        InputColumn(
            "currency", "currency", "Currency of the row's amounts: the county's", required=True,
            needed=True,
        ),
        InputColumn("principal", "money", "Amount lent", "currency", minimum=0),
        InputColumn("evidence_area_ha", "number", "Area that counted", "ha", minimum=0),
        _estimate("income_q10", "Crop income of a poor year (one in ten)", least=None),
        _estimate("income_q50", "Crop income of a normal year", least=None),
        _estimate("debt_service", "Interest and repayment on other debts"),
        _estimate("household_need", "What the household lives on"),
        InputColumn(
            "off_farm_income", "money", "Income of the household from work off the farm; blank "
            "where it was not stated", "currency a year", minimum=0, rounded=True,
        ),
        _by_rule("off_farm_counted", "Part of it that counts"),
        _by_rule("debt_elsewhere", "Part of the debts that it pays"),
        _by_rule("need_on_land", "Part of the need that falls on the land"),
        InputColumn(
            "stability", "number", "Stability of growth over the seasons", required=True,
            minimum=0, maximum=1,
        ),
        InputColumn(
            "hazard_index", "number", "Weather hazard of the season, as this version reckons it",
            required=True, minimum=0, maximum=100,
        ),
        InputColumn(
            "conflicts", "count", "Parcels whose own statement was found wrong", "parcels",
            required=True, minimum=0, maximum=10_000,
        ),
        InputColumn(
            "prior_loans", "count", "Finished loans before this one", "loans", required=True,
            minimum=0, maximum=_MOST_LOANS, quantity="loans",
        ),
        InputColumn(
            "prior_late", "count", "How many of them were paid late", "loans", required=True,
            minimum=0, maximum=_MOST_LOANS, quantity="loans",
        ),
        InputColumn(
            "finished_loans", "count", "Loans that the late ones are of, if not those on record",
            "loans", minimum=0, maximum=_MOST_LOANS, quantity="loans",
        ),
        InputColumn(
            "thin_file", "flag", "Whether nothing was known of the borrower's past",
            required=True, needed=True,
        ),
        InputColumn(
            "defaulted", "flag", "Whether it was 90 days past due within its tenor",
            required=True, needed=True,
        ),
    ),
    key=("loan_id",),
    rules=(_late_of_loans, _some_principal, _some_end, _loan_dates),
)  # fmt: skip


def _force(frame: pd.DataFrame) -> list[Problem]:
    return in_order(frame, "valid_from", "valid_to", "input_date_in_force")


PROTECTED = InputSchema(
    "protected",
    "the protected areas",
    (
        InputColumn("name", "text", "Name of the area"),
        InputColumn("kind", "text", "Kind of protection"),
        InputColumn("valid_from", "date", "First day in force; blank: it is in force already"),
        InputColumn("valid_to", "date", "Last day in force; blank: it stays in force"),
        InputColumn("source", "text", "Who says so"),
    ),
    rules=(_force,),
)


def some_person(frame: pd.DataFrame) -> list[Problem]:
    """Entries of a list that are about nobody (`LISTED_PERSON`)."""
    nobody = (frame["farmer_id"].isna() & frame["id_number"].isna()).to_numpy(dtype=bool)
    return [
        Problem(row + 1, "farmer_id", "input_missing") for row in np.flatnonzero(nobody).tolist()
    ]


def _known_effect(frame: pd.DataFrame) -> list[Problem]:
    """Effects that a list cannot have."""
    given = frame["effect"].dropna().str.lower()
    rows = given.index[~given.isin(("decline", "review"))].tolist()
    return [
        Problem(int(row) + 1, "effect", "exclusion_unknown_effect", str(given[row])[:40])
        for row in rows
    ]


LISTED_PERSON = (
    InputColumn(
        "farmer_id", "id", "Farmer, as in the outlines; blank where the list names an identity "
        "number", personal=True,
    ),
    InputColumn(
        "id_number", "id", "Identity number, as in the outlines; blank where it names a farmer",
        personal=True,
    ),
)  # fmt: skip
"""Who an entry of a lender's list is about: one of the two."""

EXCLUSIONS = InputSchema(
    "exclusions",
    "the exclusion list",
    (
        *LISTED_PERSON,
        InputColumn(
            "effect", "text", "`decline`: nothing is lent, or `review`: a person decides",
            required=True, needed=True,
        ),
        InputColumn(
            "reason", "text", "Why; the farmer is told it, so it names nobody else", required=True,
            needed=True,
        ),
        InputColumn("valid_from", "date", "First day in force", required=True, needed=True),
        InputColumn(
            "valid_to", "date", "Last day in force; blank: it has no end", required=True,
        ),
        InputColumn(
            "source", "text", "Who keeps the list; the farmer is told it", required=True,
            needed=True,
        ),
    ),
    rules=(
        some_person, _known_effect,
        lambda frame: in_order(frame, "valid_from", "valid_to", "input_inconsistent"),
    ),
)  # fmt: skip

DECIDED = InputSchema(
    "reviews",
    "people's decisions on offers",
    (
        InputColumn("offer_id", "id", "Live offer", required=True, needed=True),
        InputColumn("verdict", "text", "`approve` or `decline`", required=True, needed=True),
        InputColumn("amount", "number", "Line given, units of the offer's currency", minimum=0),
        InputColumn(
            "officer", "text", "Who decided", required=True, needed=True, personal=True,
        ),
        InputColumn("reason", "text", "Why; the farmer is told it", required=True, needed=True),
        InputColumn("documents", "text", "What was looked at, separated by `;`"),
        InputColumn("until", "date", "Last as-of date for which it counts"),
    ),
    key=("offer_id",),
)  # fmt: skip
"""Minutes of a credit committee, as `fieldline review import` reads them; no input of a county."""
