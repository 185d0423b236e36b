"""Consents: whom a farmer allowed to receive what, for which purpose, from when until when.

Owns the table, its declaration and the one judgement of it: without a consent in force on the day
nothing of a farmer is handed to anybody. Reads no clock and hands nothing over.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fieldline.pipeline.inputs.read import InputTable
from fieldline.pipeline.inputs.schema import InputColumn, InputSchema, Problem
from fieldline.pipeline.records.outcomes import OK

DECISION = "credit_decision"
"""Purpose of the consent that an application brings: that a line is decided."""
DATA: Mapping[str, frozenset[str]] = {
    "identity": frozenset(
        {"identity", "personal data", "身份", "身份信息", "个人信息", "identität"}
    ),
    "offer": frozenset({"offer", "credit", "授信", "授信结果", "额度", "报价", "angebot"}),
}
"""Kinds of data that a consent may cover, with the words by which it may name them."""
_SEPARATORS = (";", "；", ",", "，", "、", "|", "/", "+")


def _order(frame: pd.DataFrame) -> list[Problem]:
    """A consent that ends before it begins."""
    problems = []
    for later in ("expires_on", "withdrawn_on"):
        wrong = (frame[later] < frame["given_on"]).to_numpy(dtype=bool)
        problems += [
            Problem(
                row + 1, later, "input_inconsistent",
                f"{frame[later].iloc[row]:%Y-%m-%d} before {frame['given_on'].iloc[row]:%Y-%m-%d}",
            )
            for row in np.flatnonzero(wrong).tolist()
        ]  # fmt: skip
    return problems


def _known_data(frame: pd.DataFrame) -> list[Problem]:
    """A consent that names no data that anybody knows."""
    return [
        Problem(row + 1, "data", "input_inconsistent", str(cell)[:40])
        for row, cell in enumerate(frame["data"].tolist())
        if isinstance(cell, str) and not kinds_of(cell)
    ]


CONSENTS = InputSchema(
    "consents",
    "the farmers' consents",
    (
        InputColumn(
            "farmer_id", "id", "Farmer, as in the outlines", required=True, needed=True,
            personal=True,
        ),
        InputColumn(
            "purpose", "text", "What it was given for, as the export states it", required=True,
            needed=True,
        ),
        InputColumn(
            "data", "text", "What may be handed over: `identity`, `offer` or both, separated by "
            "`;`", required=True, needed=True,
        ),
        InputColumn(
            "recipient", "text", "Who may receive it, as the export states it", required=True,
            needed=True,
        ),
        InputColumn("given_on", "date", "Day of the consent", required=True, needed=True),
        InputColumn(
            "expires_on", "date", "Last day in force; blank: until it is withdrawn", required=True,
        ),
        InputColumn(
            "withdrawn_on", "date", "Day of withdrawal, which counts as withdrawn; it ends every "
            "consent to the same recipient and purpose given up to that day", required=True,
        ),
    ),
    key=("farmer_id", "purpose", "recipient", "data", "given_on"),
    joins="farmer_id",
    rules=(_order, _known_data),
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What somebody wants to hand over."""

    purpose: str
    recipient: str
    data: frozenset[str]
    """Kinds of `DATA`."""
    on: dt.date


@dataclass(frozen=True)
class Answer:
    """What a farmer's consents say to a request."""

    outcome: str
    """`ok` or a code of data/outcome_codes.csv."""
    day: dt.date | None = None
    """Day that decided: of the consent in force, its end, its withdrawal or its beginning."""


@dataclass(frozen=True)
class Told:
    """A consent that came otherwise than by the table: with an application."""

    farmer_id: str
    """Pseudonym."""
    purpose: str
    data: str
    """As a cell of the table."""
    recipient: str
    given_on: dt.date
    expires_on: dt.date | None = None
    withdrawn_on: dt.date | None = None


def judge(
    table: InputTable | None, request: Request, pseudonym: Callable[[str], str],
    told: Iterable[Told] = (),
) -> dict[str, Answer]:  # fmt: skip
    """Return what the consents of each farmer who has any say to a request.

    Args:
        table: Table of `CONSENTS`; None where the lender brings none.
        request: What is to be handed over.
        pseudonym: From the lender's reference to the pseudonym.
        told: Consents that came otherwise; they are judged together with the table's rows.

    Returns:
        Answers by pseudonym. A row that cannot be read may be a withdrawal: its farmer's answer is
        `consent_unclear`, whatever the other rows say.
    """
    good, unclear = _rows_of(table, pseudonym)
    rows = [*good, *(_as_row(one) for one in told)]
    asked: dict[str, list[dict[Any, Any]]] = {}
    for row in rows:
        if all(_folded(row[n]) == _folded(getattr(request, n)) for n in ("purpose", "recipient")):
            asked.setdefault(row["farmer_id"], []).append(row)
    answers = {farmer: _answer(asked[farmer], request) for farmer in sorted(asked)}
    return answers | dict.fromkeys(sorted(unclear), Answer("consent_unclear"))


def withdrawals(
    table: InputTable, purpose: str, today: dt.date, pseudonym: Callable[[str], str]
) -> dict[str, dt.date]:
    """Return the last day on which each farmer withdrew a consent to a purpose, whoever received.

    Args:
        table: Table of `CONSENTS`.
        purpose: What was allowed.
        today: Later withdrawals do not count yet.
        pseudonym: From the lender's reference to the pseudonym.

    Returns:
        Days by pseudonym; a farmer with a row that cannot be read may have withdrawn today.
    """
    good, unclear = _rows_of(table, pseudonym)
    found: dict[str, dt.date] = {}
    for row in good:
        if _folded(row["purpose"]) == _folded(purpose) and not pd.isna(row["withdrawn_on"]):
            day = row["withdrawn_on"].date()
            if day <= today:
                found[row["farmer_id"]] = max(day, found.get(row["farmer_id"], day))
    return found | dict.fromkeys(unclear, today)


def _rows_of(
    table: InputTable | None, pseudonym: Callable[[str], str]
) -> tuple[list[dict[Any, Any]], set[str]]:
    """Return the rows that can be read, and the farmers of those that cannot, by pseudonym."""
    if table is None:
        return [], set()
    frame = table.frame
    bad = sorted({problem.row - 1 for problem in table.problems if problem.row})
    unread = frame.loc[frame.index.isin(bad), "farmer_id"].dropna().unique()
    rows: list[dict[Any, Any]] = frame[~frame.index.isin(bad)].to_dict("records")
    names = {ref: pseudonym(str(ref)) for ref in {row["farmer_id"] for row in rows}}
    return (
        [{**row, "farmer_id": names[row["farmer_id"]]} for row in rows],
        {pseudonym(str(ref)) for ref in unread},
    )


def _as_row(one: Told) -> dict[Any, Any]:
    days = {n: pd.Timestamp(getattr(one, n)) for n in ("given_on", "expires_on", "withdrawn_on")
            if getattr(one, n) is not None}  # fmt: skip
    return {**vars(one), "expires_on": pd.NaT, "withdrawn_on": pd.NaT, **days}


def new_consent(
    table: InputTable, farmer_id: str, since: dt.date, today: dt.date, hide: Callable[[str], str]
) -> dt.date | None:
    """Return the day of a farmer's newest consent in force that was given since a day, or None.

    Args:
        table: Table of `CONSENTS`.
        farmer_id: Pseudonym.
        since: First day that counts as new.
        today: Day on which it must be in force.
        hide: From the lender's reference to the pseudonym.
    """
    own = table.good[[hide(str(ref)) == farmer_id for ref in table.good["farmer_id"]]]
    rows: list[dict[Any, Any]] = own.to_dict("records")
    days = [row["given_on"].date() for row in rows if _in_force(row, rows, today)]
    return max((day for day in days if day >= since), default=None)


def kinds_of(cell: str) -> frozenset[str]:
    """Return the kinds of data that a cell names."""
    for mark in _SEPARATORS:
        cell = cell.replace(mark, ";")
    words = {_folded(word) for word in cell.split(";")}
    return frozenset(kind for kind, names in DATA.items() if words & names)


def _answer(rows: list[dict[Any, Any]], request: Request) -> Answer:
    """Judge a farmer's rows for one purpose and recipient; the best of them counts."""
    covering = [row for row in rows if request.data <= kinds_of(row["data"])]
    if not covering:
        return Answer("consent_other_data")
    force = [row["given_on"] for row in covering if _in_force(row, rows, request.on)]
    if force:
        return Answer(OK, max(force).date())
    begun = [row for row in covering if row["given_on"].date() <= request.on]
    if not begun:
        return Answer("consent_not_yet", min(row["given_on"] for row in covering).date())
    last = max(begun, key=lambda row: row["given_on"])
    withdrawn = _withdrawn(last, rows, request.on)
    if withdrawn is not None:
        return Answer("consent_withdrawn", withdrawn)
    return Answer("consent_expired", last["expires_on"].date())


def _in_force(row: dict[Any, Any], rows: Iterable[dict[Any, Any]], day: dt.date) -> bool:
    begun = row["given_on"].date() <= day
    ended = not pd.isna(row["expires_on"]) and row["expires_on"].date() < day
    return begun and not ended and _withdrawn(row, rows, day) is None


def _withdrawn(row: dict[Any, Any], rows: Iterable[dict[Any, Any]], day: dt.date) -> dt.date | None:
    """Return the last withdrawal up to a day that ends a consent: its own or a twin's."""
    same = [
        other["withdrawn_on"].date()
        for other in rows
        if not pd.isna(other["withdrawn_on"])
        and all(_folded(other[name]) == _folded(row[name]) for name in ("purpose", "recipient"))
    ]
    given = row["given_on"].date()
    return max((found for found in same if given <= found <= day), default=None)


def _folded(text: object) -> str:
    return " ".join(unicodedata.normalize("NFKC", str(text)).casefold().split())
