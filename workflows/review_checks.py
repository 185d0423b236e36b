"""What the commands on people's decisions do: list, decide, confirm, revoke, import.

Owns turning words of a command line or rows of a table into acts and telling what came of them; the
rules are those of `lending.store.reviews`.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from textwrap import indent
from typing import Any

import pandas as pd

from fieldline.lending.inputs import DECIDED
from fieldline.lending.store import queue, reviews
from fieldline.lending.store.queue import Entry
from fieldline.lending.store.reviews import State, Wish
from fieldline.pipeline.inputs.read import Reading, read_input
from fieldline.pipeline.inputs.schema import Problem
from fieldline.pipeline.records.canonical import jsonable
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import written
from fieldline.pipeline.records.outcomes import outcome_codes
from fieldline.workflows import exits
from fieldline.workflows.store_checks import opened_store

_SHOWN = ("offer_id", "farmer_id", "access", "state", "officer", "review_id", "reason_codes")


@dataclass(frozen=True)
class Given:
    """A decision as a person writes it."""

    offer: str
    officer: str
    reason: str
    approve: str | None
    decline: bool
    until: str | None
    documents: tuple[str, ...]

    def wish(self) -> Wish:
        """Return what it means.

        Raises:
            UserError: It says neither or both, or an amount or a day cannot be read.
        """
        if self.decline == (self.approve is not None):
            raise UserError(
                f"the decision on offer {self.offer} must either approve or decline",
                "give --approve AMOUNT or --decline",
            )
        return Wish(
            self.officer, "decline" if self.decline else "approve", self.reason,
            _amount(self.approve), self.documents, _day(self.until),
        )  # fmt: skip


def _amount(text: str | None) -> Decimal | None:
    try:
        found = None if text is None else Decimal(text)
    except InvalidOperation:
        found = Decimal("nan")
    if found is not None and not found.is_finite():
        raise UserError(f"{text!r} is no amount", "write a plain number such as 3000")
    return found


def _day(text: str | None) -> dt.date | None:
    try:
        return None if text is None else dt.date.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{text!r} is no day", "write it like 2024-09-30") from error


def _told(state: State) -> str:
    row, money = state.row, state.row["currency"]
    what = "declined"
    if row["verdict"] == "approve":
        what = f"approved for {written(row['limit_minor'], money)} {money}"
    return f"review {row['review_id']}: {what} until {row['valid_to']}, {state.said}"


def list_reviews(config_files: Sequence[Path], county: str, season: str, *, as_json: bool) -> None:
    """Print the offers that wait for a person and what people have decided, as they are read.

    Args:
        config_files: Configuration files.
        county: County id; all where it is empty.
        season: Season; all where it is empty.
        as_json: Whether to print JSON.
    """
    undecided = decided = 0
    with opened_store(config_files) as (engine, _):
        for case in queue.every_case(engine, queue.Within(county, season)):
            row = _listed(*case)
            if as_json:
                print("," if undecided + decided else "[")
                text = json.dumps(jsonable(row), indent=2, ensure_ascii=False)
                print(indent(text, "  "), end="")
            else:
                print("  ".join(str(row[name]) for name in _SHOWN))
            undecided += row["state"] == queue.WAITS
            decided += row["state"] != queue.WAITS
    if as_json:
        print("\n]" if undecided + decided else "[]")
    else:
        print(f"{undecided} offers wait for a person, {decided} are decided")


def _listed(entry: Entry, offer: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in offer.items() if name not in ("seq", "status")}
    waits = entry.said == queue.WAITS
    return {
        **plain, "state": entry.said, "officer": "" if waits else entry.officer,
        "review_id": "" if waits else entry.review_id,
    }  # fmt: skip


def decide_review(config_files: Sequence[Path], given: Given, *, today: dt.date) -> str:
    """Enter a decision; return what to tell."""
    wish = given.wish()
    with opened_store(config_files) as (engine, by):
        return _told(reviews.decide(engine, given.offer, wish, today=today, by=by))


def confirm_review(
    config_files: Sequence[Path], review: str, officer: str, *, today: dt.date
) -> str:
    """Enter that a second person stands by a decision; return what to tell."""
    with opened_store(config_files) as (engine, by):
        return _told(reviews.confirm(engine, review, officer, today=today, by=by))


def revoke_review(
    config_files: Sequence[Path], review: str, officer: str, reason: str, *, today: dt.date
) -> str:
    """Enter that a decision is taken back; return what to tell."""
    with opened_store(config_files) as (engine, by):
        return _told(reviews.revoke(engine, review, officer, reason, today=today, by=by))


def import_reviews(
    config_files: Sequence[Path], file: Path, *, today: dt.date, as_json: bool
) -> int:
    """Enter the decisions of a table; print what became of each row and return the exit code."""
    table = read_input(file, DECIDED, Reading())
    refused = table.problems_of_rows()
    results: list[dict[str, Any]] = []
    with opened_store(config_files) as (engine, by):
        for place, row in table.frame.iterrows():
            number = int(str(place)) + 1
            try:
                if number in refused:
                    raise _unread(refused[number])
                offer, wish = str(row["offer_id"]), _of_row(row)
                state = reviews.decide(engine, offer, wish, today=today, by=by)
                results.append({"row": number, "entered": True, "said": _told(state)})
            except UserError as error:
                results.append({"row": number, "entered": False, "said": str(error)})
    lost = sum(not result["entered"] for result in results)
    if as_json:
        print(json.dumps(results, indent=2, ensure_ascii=False))
    else:
        for result in results:
            print(f"row {result['row']}: {result['said']}")
        print(f"{len(results) - lost} of {len(results)} decisions of {file} were entered")
    return exits.FOUND if lost else exits.OK


def _unread(problem: Problem) -> UserError:
    code = outcome_codes()[problem.code]
    said = f" {problem.value!r}" if problem.value else ""
    return UserError(f"{problem.column}{said}: {code.english}", code.remedy)


def _of_row(row: pd.Series[Any]) -> Wish:
    amount, until = row["amount"], row["until"]
    documents = "" if pd.isna(row["documents"]) else str(row["documents"])
    verdict = str(row["verdict"]).strip().casefold()
    if verdict not in ("approve", "decline"):
        raise UserError(f"verdict {row['verdict']!r} is none", "write approve or decline")
    return Wish(
        str(row["officer"]),
        "approve" if verdict == "approve" else "decline",
        str(row["reason"]),
        None if pd.isna(amount) else Decimal(repr(float(amount))),
        tuple(part.strip() for part in documents.split(";") if part.strip()),
        None if pd.isna(until) else pd.Timestamp(until).date(),
    )
