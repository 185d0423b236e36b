"""Reviews: what people decide on offers that stand, kept act by act and never changed.

Owns the table `reviews` and its rules: who decides, for how much, why, on which evidence and until
when. Lifting a decline needs a second person. A posting honours what is in force, and withdraws for
good what has run out or was decided on other evidence (`lapse`). Every act is in the audit chain.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import sqlalchemy as sa

from fieldline.lending.decision.case import Case, ReviewCase
from fieldline.lending.decision.decision import Decision, decide_case, most_allowed
from fieldline.lending.decision.findings import least_line
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.decision.review import evidence_hash
from fieldline.lending.store.audit import append, review_event
from fieldline.lending.store.database import DECISIONS, LIVE, OFFERS, REVIEWS, posting
from fieldline.lending.store.four_eyes import refuse_second
from fieldline.lending.store.meanwhile import refuse_unseen
from fieldline.lending.store.queue import IN_FORCE, SECOND
from fieldline.lending.store.rows import add_rows
from fieldline.lending.store.signer import Signer, signer
from fieldline.pipeline.records.canonical import content_hash
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import from_minor, to_minor, written

Row = dict[str, Any]
Verdict = Literal["approve", "decline"]

_SHELF = ("county", "season", "product")
RELEASE = "release"
"""Act by which an offer that ran out counts as a line no longer (`lending.store.lines`)."""
LONGEST_DAYS = 366
"""No decision of a person counts for longer: the next season is other evidence."""


@dataclass(frozen=True)
class Wish:
    """What a person decides."""

    officer: str
    verdict: Verdict
    reason: str
    """Told to the farmer."""
    amount: Decimal | None = None
    """Line given, units of the currency; None where declined."""
    documents: tuple[str, ...] = ()
    """What was looked at."""
    until: dt.date | None = None
    """Last as-of date for which it counts; must be given where a decline is lifted."""


@dataclass(frozen=True)
class State:
    """A decision of a person and what has become of it."""

    row: Row
    second: str
    """Who confirmed it; empty where nobody has."""
    ended: str
    """`revoke` or `lapse` where it counts no longer."""

    @property
    def complete(self) -> bool:
        """Whether all who must stand by it do, or did before it ended."""
        return not self.row["overrides"] or bool(self.second)

    @property
    def in_force(self) -> bool:
        """Whether a posting honours it, if day and evidence allow and none follows it."""
        return not self.ended and self.complete

    @property
    def said(self) -> str:
        """Where it stands, in a word."""
        if self.ended:
            return {"revoke": "revoked", "lapse": "lapsed"}[self.ended]
        return IN_FORCE if self.in_force else SECOND

    def case(self) -> ReviewCase:
        """Return what a case holds of it."""
        names = ("review_id", "verdict", "limit_minor", "officer", "reason", "made_on", "valid_to")
        return ReviewCase(second=self.second, **{name: self.row[name] for name in names})


def decide(
    engine: sa.Engine,
    name: str,
    wish: Wish,
    *,
    today: dt.date,
    by: Signer | None = None,
    seen: str | None = None,
) -> State:
    """Enter a person's decision on a live offer.

    Args:
        engine: Open database.
        name: The offer's id, or that of its decision.
        wish: What is decided.
        today: Day of the act.
        by: Who signs the chain.
        seen: Id of the last act on the farmer that was looked at, empty for none; None where the
            decision is made whatever others have entered meanwhile.

    Raises:
        UserError: There is no such live offer, the decision is not one that may be made, or
            somebody acted meanwhile; nothing is entered.
    """
    with posting(engine) as connection:
        offer, case = _live_offer(connection, name)
        refuse_unseen(connection, offer, seen)
        decision = decide_case(case.model_copy(update={"review": None}))
        _refuse(wish, offer, case, decision, today)
        until = wish.until or today + dt.timedelta(days=LONGEST_DAYS)
        amount = None if wish.amount is None else to_minor(wish.amount, case.currency)
        row = act_row(
            offer, "decide", wish.officer, wish.reason, today,
            of_review=None, evidence=evidence_hash(case), verdict=wish.verdict,
            limit_minor=amount, documents=json.dumps(list(wish.documents), ensure_ascii=False),
            overrides=decision.access == "decline" and wish.verdict == "approve", valid_to=until,
        )  # fmt: skip
        enter_act(connection, row, by)
    return State(row, "", "")


def confirm(
    engine: sa.Engine, review_id: str, officer: str, *, today: dt.date, by: Signer | None = None
) -> State:
    """Enter that a second person stands by a decision.

    Raises:
        UserError: There is no such decision, it has ended, or it is the officer's own: by name, or
            by the account from which both were entered.
    """
    with posting(engine) as connection:
        state = _open_review(connection, review_id)
        return _follow(connection, state, "confirm", officer, "", today, by)


def revoke(
    engine: sa.Engine,
    review_id: str,
    officer: str,
    reason: str,
    *,
    today: dt.date,
    by: Signer | None = None,
) -> State:
    """Enter that a decision is taken back; the next posting goes by the rules again.

    Raises:
        UserError: There is no such decision, or it has ended.
    """
    with posting(engine) as connection:
        state = _open_review(connection, review_id)
        return _follow(connection, state, "revoke", officer, reason, today, by)


def states(connection: sa.Connection, shelf: Mapping[str, str] | None = None) -> list[State]:
    """Return every decision of a person with what became of it, oldest first.

    Args:
        connection: Open connection.
        shelf: County, season, product and farmer_id, or the first of them; None for all, which
            grows with what people did.
    """
    query = sa.select(REVIEWS).order_by(REVIEWS.c.seq)
    for name, value in (shelf or {}).items():
        query = query.where(REVIEWS.c[name] == value)
    decided: dict[str, Row] = {}
    second: dict[str, str] = {}
    ended: dict[str, str] = {}
    for found in connection.execute(query):
        row = found._asdict()
        if row["act"] == "decide":
            decided[row["review_id"]] = row
        elif row["act"] == "confirm":
            second.setdefault(row["of_review"], row["officer"])
        elif row["act"] != RELEASE:
            ended.setdefault(row["of_review"], row["act"])
    return [State(row, second.get(name, ""), ended.get(name, "")) for name, row in decided.items()]


def standing(connection: sa.Connection, shelf: Mapping[str, str]) -> dict[str, State]:
    """Return the decision in force by farmer: the last one that is complete.

    A decision ends those before it for good: when it is taken back, none of them returns.
    """
    found: dict[str, State] = {}
    for state in states(connection, shelf):
        if state.complete:
            found[state.row["farmer_id"]] = state
    return {farmer: state for farmer, state in found.items() if state.in_force}


def lapse_row(state: State, why: str, day: dt.date) -> Row:
    """Return the act by which a decision is withdrawn for good."""
    return _ending(state, "lapse", "Fieldline", why, day)


def enter_lapses(connection: sa.Connection, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Write such acts; return their entries for the chain."""
    add_rows(connection, REVIEWS, rows)
    return [review_event(row) for row in rows]


def _live_offer(connection: sa.Connection, name: str) -> tuple[Row, Case]:
    columns = [*OFFERS.c, DECISIONS.c.trace]
    query = sa.select(*columns).join(DECISIONS, OFFERS.c.decision_id == DECISIONS.c.decision_id)
    named = (OFFERS.c.offer_id == name) | (OFFERS.c.decision_id == name)
    rows = connection.execute(query.where(OFFERS.c.status == LIVE, named)).all()
    if len(rows) != 1:
        found = "no live offer" if not rows else f"{len(rows)} live offers"
        raise UserError(
            f"the store holds {found} {name!r}", "copy offer_id from `fieldline review list`"
        )
    row = rows[0]._asdict()
    return row, Case.of(read_trace(row.pop("trace")).case)


def _refuse(wish: Wish, offer: Row, case: Case, decision: Decision, today: dt.date) -> None:
    """Raise what is wrong with a decision."""
    place = f"the decision on offer {offer['offer_id']}"
    for name, text in (("officer", wish.officer), ("reason", wish.reason)):
        if not text.strip():
            raise UserError(f"{place} has no {name}", f"give --{name}")
    overrides = decision.access == "decline" and wish.verdict == "approve"
    if overrides and wish.until is None:
        raise UserError(f"{place} lifts a decline and has no end", "give --until YYYY-MM-DD")
    last = today + dt.timedelta(days=LONGEST_DAYS)
    if wish.until is not None and not max(case.as_of, dt.date.min) <= wish.until <= last:
        raise UserError(
            f"{place} counts until {wish.until}", f"name a day from {case.as_of} to {last}"
        )
    if wish.verdict == "approve":
        _refuse_amount(place, wish.amount, case, decision)
    elif wish.amount is not None:
        raise UserError(f"{place} declines and gives an amount", "leave the amount out")


def _refuse_amount(place: str, amount: Decimal | None, case: Case, decision: Decision) -> None:
    most, least, money = most_allowed(case, decision), least_line(case), case.currency
    if amount is None:
        raise UserError(f"{place} gives no amount", "give --approve AMOUNT")
    if decision.annual_rate is not None and any(
        reason.code == "price_above_ceiling" for reason in decision.reasons
    ):
        raise UserError(f"{place} would charge more than the legal ceiling", "decline it")
    if most < least:
        raise UserError(
            f"{place} cannot be an approval: need, capacity and exposure allow {most} {money}, the "
            f"least line is {least}",
            "bring evidence that raises them, or decline it",
        )
    exact = amount == from_minor(to_minor(amount, money), money)
    if not least <= amount <= most or not exact:
        raise UserError(
            f"{place} gives {amount} {money}",
            f"name an amount from {least} to {written(to_minor(most, money), money)}",
        )


def _open_review(connection: sa.Connection, review_id: str) -> State:
    named = (REVIEWS.c.review_id == review_id, REVIEWS.c.act == "decide")
    found = connection.execute(sa.select(REVIEWS).where(*named)).first()
    farmer = None if found is None else {n: found._mapping[n] for n in (*_SHELF, "farmer_id")}
    known = [] if farmer is None else states(connection, farmer)
    state = next((one for one in known if one.row["review_id"] == review_id), None)
    if state is None or state.ended:
        was = "no review" if state is None else f"a review that was {state.said},"
        raise UserError(
            f"the store holds {was} {review_id!r}", "copy it from `fieldline review list`"
        )
    return state


def _follow(
    connection: sa.Connection,
    state: State,
    act: str,
    officer: str,
    reason: str,
    today: dt.date,
    by: Signer | None,
) -> State:
    if not officer.strip() or (act == "revoke" and not reason.strip()):
        name = state.row["review_id"]
        raise UserError(f"to {act} review {name} takes a name and a reason", "give both")
    by = by or signer()
    if act == "confirm":
        refuse_second(connection, state.row, state.second, officer, by)
    enter_act(connection, _ending(state, act, officer, reason, today), by)
    if act == "confirm":
        return State(state.row, officer, "")
    return State(state.row, state.second, act)


def _ending(state: State, act: str, officer: str, reason: str, day: dt.date) -> Row:
    kept = ("evidence", "verdict", "limit_minor", "overrides", "valid_to")
    return act_row(
        state.row, act, officer, reason, day, of_review=state.row["review_id"], documents="[]",
        **{name: state.row[name] for name in kept},
    )  # fmt: skip


def act_row(
    of: Mapping[str, Any], act: str, officer: str, reason: str, day: dt.date, **more: Any
) -> Row:
    """Return the row of an act, under the hash of what it says.

    Args:
        of: What it is about: an offer or an act before it.
        act: What is done.
        officer: Who does it.
        reason: Why.
        day: When.
        more: The other columns.
    """
    kept = {n: of[n] for n in (*_SHELF, "farmer_id", "decision_id", "currency")}
    row = {
        "act": act, "officer": officer.strip(), "reason": reason.strip(), "made_on": day,
        **kept, **more,
    }  # fmt: skip
    return {"review_id": content_hash(row), **row}


def enter_act(connection: sa.Connection, row: Row, by: Signer | None) -> None:
    """Write an act and its entry of the chain.

    Raises:
        UserError: The very same act was entered before.
    """
    same = sa.select(REVIEWS.c.seq).where(REVIEWS.c.review_id == row["review_id"])
    if connection.scalar(same) is not None:
        raise UserError(
            f"this act was entered already (review {row['review_id']})", "there is nothing to do"
        )
    connection.execute(sa.insert(REVIEWS), row)
    append(connection, [review_event(row)], by)
