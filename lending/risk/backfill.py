"""Backfill: the loan history that a lender's own loan book and the chain's profiles give together.

Owns which day's knowledge stands for which loan, and the row that a loan becomes. The idea: what a
farmer was known to have is read from a chain at an as-of date not after the payout, so that nothing
of what came later can enter; running chains and finding folders is `workflows.backfill`'s.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fieldline.lending.inputs import LOANS
from fieldline.lending.risk.loan_book import LoanBook, records_before
from fieldline.pipeline.inputs.schema import Problem
from fieldline.pipeline.records.money import written
from fieldline.pipeline.records.units import M2_PER_HA

_AMOUNTS = {
    "income_q10": "income_q10_minor", "income_q50": "income_q50_minor",
    "debt_service": "debt_service_minor", "debt_elsewhere": "debt_elsewhere_minor",
    "need_on_land": "household_need_minor", "off_farm_counted": "off_farm_minor",
}  # fmt: skip
"""Amounts of a loan by the profile's column."""
_OF_APPLICATION = ("debt_service", "debt_elsewhere", "need_on_land", "off_farm_counted")
"""What nobody knows of a farmer who has no usable application."""
_DECIMALS = 9
UNSTATED = "no_application", "bad_application"
"""Outcomes of the stage `profile` by which the application's part of a row is blank."""


@dataclass(frozen=True)
class SeasonSpan:
    """Days of payout that one season's chains can stand for."""

    season: str
    after: dt.date
    """Its first day; a chain knows a season from the day after on."""
    until: dt.date


@dataclass(frozen=True)
class Chain:
    """A chain of one season at one as-of date."""

    season: str
    as_of: dt.date


@dataclass(frozen=True)
class Knowledge:
    """What a finished chain knew."""

    profiles: pd.DataFrame
    """`PROFILES` rows."""
    without: Mapping[str, str]
    """Outcome by farmer who had no usable application."""


def season_of(day: dt.date, spans: Sequence[SeasonSpan]) -> str | None:
    """Return the season whose chains stand for a payout: the latest begun; None outside all."""
    within = [span for span in spans if span.after < day <= span.until]
    return max(within, key=lambda span: span.after).season if within else None


def days_for(
    payouts: Iterable[dt.date], ready: Iterable[dt.date], within: int
) -> dict[dt.date, dt.date]:
    """Choose the as-of date that stands for each day of payout.

    The newest that is not after the payout and at most `within` days before it. Where no finished
    chain has one, the first payout left is the as-of date of another chain, which stands for those
    after it too: no fewer chains could do.

    Args:
        payouts: Days of payout of one season.
        ready: As-of dates of its finished chains.
        within: Days that knowledge may be old.

    Returns:
        As-of date by day of payout; those that are not among `ready` are still to be run.
    """
    as_ofs, chosen = sorted(set(ready)), dict[dt.date, dt.date]()
    for day in sorted(set(payouts)):
        place = bisect_right(as_ofs, day)
        if not place or (day - as_ofs[place - 1]).days > within:
            as_ofs.insert(place, day)
            place += 1
        chosen[day] = as_ofs[place - 1]
    return chosen


Hide = Callable[[str], str]


@dataclass(frozen=True)
class People:
    """Pseudonyms of the county."""

    farmer: Hide
    household: Hide


@dataclass(frozen=True)
class Backfilled:
    """What became of the loans that chains could stand for."""

    history: pd.DataFrame
    """Columns of `LOANS`, people by their pseudonyms."""
    outcomes: dict[int, Problem]
    """By row of the book from 1, for those that are not whole or not in the history."""


def backfill(
    book: LoanBook,
    chains: Mapping[int, Chain],
    known: Mapping[Chain, Knowledge],
    people: People,
    currency: str,
) -> Backfilled:
    """Return the loan history of a book.

    Args:
        book: The book.
        chains: By loan (row from 0), the chain that stands for it.
        known: What each finished chain knew.
        people: Pseudonyms.
        currency: Currency of the county.
    """
    records = _records(book, chains)
    profiles = {chain: _by_party(found.profiles) for chain, found in known.items()}
    rows: list[dict[str, Any]] = []
    outcomes: dict[int, Problem] = {}
    for place, loan in book.loans.iterrows():
        row = int(str(place))
        told = _out_of(loan, row, chains, known)
        if told is None:
            chain, party = chains[row], _party(loan, people)
            profile = profiles[chain].get(party)
            told = _unknown(profile, party, row, known[chain])
            if profile is not None and (told is None or told.code in UNSTATED):
                whole = told is None
                rows.append(_row(loan, profile, records[row], chain.season, currency, whole=whole))
        if told is not None:
            outcomes[row + 1] = told
    names = [column.name for column in LOANS.columns]
    return Backfilled(pd.DataFrame(rows, columns=names), outcomes)


def _records(book: LoanBook, chains: Mapping[int, Chain]) -> dict[int, tuple[int, int]]:
    """Return, by loan, its borrower's ended loans and late ones as known on its as-of date."""
    days = [
        pd.Timestamp(chains[row].as_of) if row in chains else pd.NaT for row in book.loans.index
    ]
    counts = records_before(book.loans, pd.Series(days, index=book.loans.index))
    pairs = zip(counts["prior_loans"].tolist(), counts["prior_late"].tolist(), strict=True)
    return dict(zip(counts.index.tolist(), pairs, strict=True))


def _out_of(
    loan: pd.Series[Any], row: int, chains: Mapping[int, Chain], known: Mapping[Chain, Knowledge]
) -> Problem | None:
    """Return why a loan is no row whatever was known of its farmer."""
    if not loan["mature"]:
        return Problem(row + 1, "due_on", "loan_immature", f"{loan['due_on']:%Y-%m-%d}")
    if pd.isna(loan["defaulted"]):
        return Problem(row + 1, "closed_on", "loan_outcome_unknown")
    if row not in chains:
        day = f"{loan['disbursed_on']:%Y-%m-%d}"
        return Problem(row + 1, "disbursed_on", "loan_outside_seasons", day)
    if chains[row] not in known:
        chain = chains[row]
        return Problem(row + 1, "disbursed_on", "loan_needs_chain", f"{chain.season} {chain.as_of}")
    return None


Party = tuple[str, str]


def _by_party(profiles: pd.DataFrame) -> dict[Party, dict[Any, Any]]:
    keys = zip(profiles["level"], profiles["party_id"], strict=True)
    return dict(zip(keys, profiles.to_dict("records"), strict=True))


def _party(loan: pd.Series[Any], people: People) -> Party:
    if pd.notna(loan["farmer_id"]):
        return "farmer", people.farmer(str(loan["farmer_id"]))
    return "household", people.household(str(loan["household_id"]))


def _unknown(
    profile: Mapping[Any, Any] | None, party: Party, row: int, known: Knowledge
) -> Problem | None:
    """Return what was not known of a borrower."""
    column = f"{party[0]}_id"
    if profile is None:
        return Problem(row + 1, column, "input_unmatched")
    if profile["parcels_valued"] == 0:
        return Problem(row + 1, column, "no_valued_parcel")
    lacking = known.without.get(party[1])
    return None if lacking is None else Problem(row + 1, column, lacking)


def _row(
    loan: pd.Series[Any],
    profile: Mapping[Any, Any],
    earlier: tuple[int, int],
    season: str,
    currency: str,
    *,
    whole: bool,
) -> dict[str, Any]:
    """Return one row of the loan history.

    The lender's own book is proof of its loans, so what it knows of earlier ones counts beside what
    the application stated and papers proved.

    Args:
        loan: Row of the book.
        profile: What was known of the borrower.
        earlier: Ended loans of the borrower in the book by then, and how many were late.
        season: Season of the chain.
        currency: Currency of the county.
        whole: Whether there was an application; without one debts and needs are not known.
    """
    amounts = {
        name: None if pd.isna(profile[column]) else written(int(profile[column]), currency)
        for name, column in _AMOUNTS.items()
        if whole or name not in _OF_APPLICATION
    }
    principal = loan["principal"]
    return {
        "loan_id": loan["loan_id"],
        "farmer_id": profile["party_id"] if profile["level"] == "farmer" else None,
        "household_id": profile["household_id"],
        "season": season,
        **{name: _day(loan[name]) for name in ("disbursed_on", "due_on")},
        "closed_on": _day(loan["ended_on"]),
        "currency": currency,
        "principal": None if pd.isna(principal) else written(int(principal), currency),
        "evidence_area_ha": profile["evidence_area_m2"] / M2_PER_HA,
        **amounts,
        # A mean may lie a hair outside its range.
        "stability": round(profile["stability"], _DECIMALS),
        "hazard_index": round(profile["hazard_index"], _DECIMALS),
        "conflicts": profile["conflicts"],
        "prior_loans": max(profile["prior_loans"], earlier[0]),
        "prior_late": max(profile["prior_late"], earlier[1]),
        "finished_loans": max(profile["finished_loans"], *earlier),
        "thin_file": int(bool(profile["thin_file"]) and earlier[0] == 0),
        "defaulted": int(loan["defaulted"]),
    }


def _day(value: Any) -> str | None:
    return None if pd.isna(value) else f"{value:%Y-%m-%d}"
