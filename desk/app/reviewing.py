"""The offer store as the desk reads and enters it: offers, the review queue, people's acts.

Owns opening the store when it is first asked for and putting its rows into words; the rules of who
may decide what are those of `lending.store.reviews`, and every act goes through them.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from fieldline.desk.app.people_facts import DecisionFacts
from fieldline.desk.app.places import NotHereError
from fieldline.desk.app.scope import Scope
from fieldline.desk.app.words import Words
from fieldline.desk.app.work import Book
from fieldline.lending.decision.case import Case, policy_hash
from fieldline.lending.decision.decision import decide_case, most_allowed
from fieldline.lending.decision.findings import least_line
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.store import queue, reviews
from fieldline.lending.store.database import (
    DECISIONS,
    LIVE,
    OFFERS,
    REVIEWS,
    open_existing,
    reading,
)
from fieldline.lending.store.meanwhile import last_act
from fieldline.lending.store.queue import Counts, Entry, Within
from fieldline.lending.store.reviews import State, Wish
from fieldline.lending.store.signer import Signer, signer
from fieldline.pipeline.records.databases import sqlite_file
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import plain, written

Row = dict[str, Any]


@dataclass(frozen=True)
class Item:
    """One line of the queue."""

    offer: Row
    said: str
    """Where it stands."""
    officer: str
    """Who decided last; empty where nobody has."""


@dataclass(frozen=True)
class Act:
    """A person's decision with what was looked at."""

    state: State
    documents: tuple[str, ...]

    @classmethod
    def of(cls, state: State) -> Act:
        """Read it from its row."""
        return cls(state, tuple(json.loads(state.row["documents"])))


@dataclass(frozen=True)
class Open:
    """A live offer as a reviewer sees it."""

    offer: Row
    facts: DecisionFacts
    acts: tuple[Act, ...]
    """People's decisions on the farmer there, oldest first."""
    seen: str
    """Id of the last act; empty where nobody has acted."""
    least: str
    """Least line that may be given."""
    most: str
    """Largest one."""
    overrides: bool
    """Whether an approval lifts a decline, which takes a second person."""


@dataclass
class Store:
    """The offer store of a desk; opened when it is first asked for."""

    database: str
    key_file: Path | None = None
    book: Book = field(init=False)
    _engine: sa.Engine | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.book = Book(self.engine)

    def engine(self) -> sa.Engine:
        """Return the open store.

        Raises:
            UserError: There is none yet, or it cannot be opened.
        """
        with self._lock:
            if self._engine is None:
                self._engine = open_existing(self.database)
            return self._engine

    def there(self) -> bool:
        """Whether there is a store to open: looking never makes one."""
        file = sqlite_file(self.database)
        return file is None or file.is_file()

    def signer(self, scope: Scope) -> Signer:
        """Return who signs the acts of a request."""
        return Signer(scope.user, signer(self.key_file).key)

    def offers(self, county: str, season: str, farmer: str) -> list[Row]:
        """Return a farmer's offers of a season, the last one first."""
        if not self.there():
            return []
        query = sa.select(OFFERS).where(
            OFFERS.c.county == county, OFFERS.c.season == season, OFFERS.c.farmer_id == farmer
        )
        with reading(self.engine()) as connection:
            rows = connection.execute(query.order_by(OFFERS.c.seq.desc())).all()
        return [row._asdict() for row in rows]

    def counts(self, scope: Scope, season: str = "") -> Counts:
        """Return how many cases of a season, or of all, the asker may see, by county and season.

        Raises:
            ValueError: The asker may see some farmers alone: whoever counts theirs reads `cases`.
        """
        if scope.farmers is not None:
            raise ValueError("the cases of some farmers are listed, not counted")
        within = Within(season=season, counties=scope.counties)
        return queue.counts(self.engine(), within) if self.there() else {}

    def cases(
        self, scope: Scope, county: str = "", season: str = "",
        farmers: frozenset[str] | None = None,
    ) -> list[Entry]:  # fmt: skip
        """Return the cases of a county, or of some farmers, in the order of the queue."""
        seen = scope.farmers
        if farmers is not None:
            seen = farmers if seen is None else farmers & seen
        within = Within(county, season, scope.counties, seen)
        return queue.cases(self.engine(), within) if self.there() else []

    def stretch(self, counted: Counts, first: int, size: int, state: str = "") -> list[Entry]:
        """Return some of the cases that `counts` counted, in the order of the queue."""
        if not counted:
            return []
        return queue.stretch(self.engine(), counted, first, size, state)

    def items(self, entries: Sequence[Entry]) -> list[Item]:
        """Return cases with their offers."""
        if not entries:
            return []
        rows = queue.rows_of(self.engine(), entries)
        return [Item(r, e.said, e.officer) for r, e in zip(rows, entries, strict=True)]

    def after(self, offer: Mapping[str, Any], scope: Scope) -> str | None:
        """Return the offer of the case that waits after one, of its county if there is any."""
        seen = Within(counties=scope.counties, farmers=scope.farmers)
        return queue.next_waiting(self.engine(), seen, offer)

    def states(self, county: str, season: str, scope: Scope) -> dict[str, str]:
        """Return where the reviews of a county and season stand, by farmer."""
        return {case.farmer_id: case.said for case in self.cases(scope, county, season)}

    def opened(self, offer_id: str, scope: Scope, words: Words) -> Open:
        """Return a live offer with its decision and what people have done.

        Raises:
            NotHereError: There is no such live offer that the asker may see.
        """
        query = (
            sa.select(*OFFERS.c, DECISIONS.c.trace)
            .join(DECISIONS, OFFERS.c.decision_id == DECISIONS.c.decision_id)
            .where(OFFERS.c.offer_id == offer_id, OFFERS.c.status == LIVE)
        )
        with reading(self.engine()) as connection:
            found = connection.execute(query).first()
            if found is None or not _seen(scope, found._asdict()):
                raise NotHereError(f"there is no live offer {offer_id!r}", "open the queue again")
            offer = found._asdict()
            farmer = {name: offer[name] for name in ("county", "season", "product", "farmer_id")}
            acts = [Act.of(state) for state in reviews.states(connection, farmer)]
            last = last_act(connection, offer)
        trace = offer.pop("trace")
        case = Case.of(read_trace(trace).case)
        rules = decide_case(case.model_copy(update={"review": None}))
        return Open(
            offer, DecisionFacts(row_of_trace(trace), None, words), tuple(acts),
            "" if last is None else last["review_id"], plain(least_line(case)),
            plain(most_allowed(case, rules)), rules.access == "decline",
        )  # fmt: skip

    def decide(self, offer_id: str, wish: Wish, scope: Scope, seen: str) -> State:
        """Enter a decision of the asker, who saw the acts up to `seen`.

        Raises:
            UserError: As `reviews.decide`; or the asker may not decide.
        """
        _may_decide(scope)
        self._refuse_unseen(OFFERS, OFFERS.c.offer_id == offer_id, scope)
        return reviews.decide(
            self.engine(), offer_id, wish, today=today(), by=self.signer(scope), seen=seen
        )

    def _refuse_unseen(self, table: sa.Table, where: sa.ColumnElement[bool], scope: Scope) -> None:
        """Refuse an act on what the asker may not see; what is not there is told by the rules."""
        with reading(self.engine()) as connection:
            rows = connection.execute(sa.select(table.c.county, table.c.farmer_id).where(where))
            hidden = [row for row in rows if not _seen(scope, row._asdict())]
        if hidden:
            raise NotHereError("there is no such case", "open the queue again")

    def confirm(self, review_id: str, scope: Scope) -> State:
        """Enter that the asker stands by another person's decision.

        Raises:
            UserError: As `reviews.confirm`; or the asker may not decide.
        """
        _may_decide(scope)
        self._refuse_unseen(REVIEWS, REVIEWS.c.review_id == review_id, scope)
        by = self.signer(scope)
        return reviews.confirm(self.engine(), review_id, scope.user, today=today(), by=by)

    def revoke(self, review_id: str, reason: str, scope: Scope) -> State:
        """Enter that a decision is taken back.

        Raises:
            UserError: As `reviews.revoke`; or the asker may not decide.
        """
        _may_decide(scope)
        self._refuse_unseen(REVIEWS, REVIEWS.c.review_id == review_id, scope)
        by = self.signer(scope)
        return reviews.revoke(self.engine(), review_id, scope.user, reason, today=today(), by=by)

    def assign(self, county: str, season: str, owners: Mapping[str, str], scope: Scope) -> None:
        """Enter whose cases they are.

        Raises:
            UserError: The asker may not decide.
        """
        _may_decide(scope)
        self.book.assign(county, season, owners, self.signer(scope))

    def add_work(self, offer: Mapping[str, Any], kind: str, value: str, scope: Scope) -> None:
        """Enter a visit's state or a note on an offer's farmer.

        Raises:
            UserError: As `Book.add`; or the asker may not decide.
        """
        _may_decide(scope)
        farmer = (offer["county"], offer["season"], offer["farmer_id"])
        self.book.add(farmer, kind, value, self.signer(scope))


def _seen(scope: Scope, offer: Mapping[str, Any]) -> bool:
    return scope.sees(offer["county"]) and scope.sees_farmer(offer["farmer_id"])


def _may_decide(scope: Scope) -> None:
    if not scope.may_decide:
        raise UserError(f"{scope.user} may not decide reviews", "ask somebody who may")


def today() -> dt.date:
    """Return the day of an act."""
    return dt.datetime.now(tz=dt.UTC).date()


def row_of_trace(trace: str) -> Row:
    """Return a stored trace as a row of `decisions.parquet`."""
    stored = read_trace(trace)
    case = Case.of(stored.case)
    return {
        **stored.result,
        "farmer_id": case.farmer_id,
        "household_id": case.household_id,
        "rate_ceiling": case.ceiling.rate,
        "reasons": [told.english for told in stored.told],
        "reasons_zh": [told.chinese for told in stored.told],
        "pd_model": case.risk.model,
        "policy": policy_hash(case.policy),
        "as_of": case.as_of,
        "currency": case.currency,
        "trace": trace,
    }


def amount_of(minor: int | None, currency: str) -> str:
    """Return an amount as a plain number with its currency; empty where there is none."""
    return "" if minor is None else f"{written(minor, currency)} {currency}"
