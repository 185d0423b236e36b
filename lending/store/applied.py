"""Applied: applications that come one by one, each of them once.

Owns table `applications`: receiving under the sender's key, who has one in work and until when, its
progress and its end. A program that dies leaves a hold that runs out; the next one goes on, and
because equal terms are never posted twice, it may do so at any point. The rules of a posting are
`posting`'s.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import time
from typing import Any

import sqlalchemy as sa

from fieldline.lending.store.database import APPLICATIONS, posting, reading
from fieldline.pipeline.records.canonical import canonical, content_hash
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.vault.consents import DECISION, Told

ACCEPTED = "accepted"
WORKING = "working"
DECIDED = "decided"
REFUSED = "refused"
OPEN = (ACCEPTED, WORKING)
CONSENT = ("consent_given_on", "consent_recipient", "consent_data", "consent_expires_on")
"""Columns of the consent that an application brings."""
MOST_TRIES = 3
"""Programs that may die over one application before it is refused."""

Row = dict[str, Any]


class KeyReusedError(UserError):
    """A key under which something else was sent before."""


class ConsentError(UserError):
    """A farmer whose consent is not there, or no longer."""


@dataclass(frozen=True)
class Received:
    """An application as it comes in; people by pseudonyms."""

    client: str
    key: str
    county: str
    season: str
    product: str
    farmer_id: str
    body: Mapping[str, Any]
    consent_given_on: dt.date
    sealed: str | None = None
    """The farmer's number, sealed, where the chain must be handed it; gone once it has ended."""
    consent_recipient: str | None = None
    """Who else may receive the farmer's data; None where nobody may."""
    consent_data: str | None = None
    """What that one may receive, as a cell of the table of consents."""
    consent_expires_on: dt.date | None = None
    """Last day of the consent; None: until it is withdrawn."""

    @property
    def consent(self) -> dict[str, Any]:
        """The consent as columns of the table."""
        return {name: getattr(self, name) for name in CONSENT}


def receive(
    engine: sa.Engine, sent: Received, *, withdrawn: dt.date | None = None,
    clock: Callable[[], float] = time,
) -> tuple[Row, bool]:  # fmt: skip
    """Enter an application, or find the one that was sent under this key before.

    Args:
        engine: Open store.
        sent: What came in.
        withdrawn: Day of a withdrawal that came otherwise, by the lender's table.
        clock: Seconds since 1970.

    Returns:
        The row, and whether it is new.

    Raises:
        KeyReusedError: The key came with another body before.
        ConsentError: The farmer withdrew the consent on or after the day it was given.
        UserError: The database failed; nothing is written.
    """
    told = {"county": sent.county, "season": sent.season, "farmer": sent.farmer_id,
            "consent": sent.consent_given_on.isoformat(), **sent.body}  # fmt: skip
    # Left out where they are empty: what was sent before they existed keeps its hash.
    told |= {n: str(v) for n, v in sent.consent.items() if v and n != "consent_given_on"}
    digest = content_hash(told, 64)
    with posting(engine) as connection:
        known = _by_key(connection, sent.client, sent.key)
        if known is not None:
            _refuse_reuse(known, digest)
            return known, False
        held = _consent_held(connection, sent.county, sent.farmer_id)
        fresh = Held(sent.consent_given_on, sent.consent_expires_on, held.withdrawn_on)
        refuse_ended(fresh, withdrawn)
        row: Row = {
            **dict.fromkeys(APPLICATIONS.c.keys()),
            "application_id": secrets.token_hex(12), "client": sent.client,
            "request_key": sent.key, "body_hash": digest, "county": sent.county,
            "season": sent.season, "product": sent.product, "farmer_id": sent.farmer_id,
            "body": canonical(dict(sent.body)), **sent.consent,
            "sealed": sent.sealed, "received_at": clock(), "status": ACCEPTED, "stage": "",
            "tries": 0,
        }  # fmt: skip
        connection.execute(sa.insert(APPLICATIONS), row)
    return row, True


def _by_key(connection: sa.Connection, client: str, key: str) -> Row | None:
    query = sa.select(APPLICATIONS).where(
        APPLICATIONS.c.client == client, APPLICATIONS.c.request_key == key
    )
    found = connection.execute(query).first()
    return None if found is None else found._asdict()


def _refuse_reuse(known: Row, digest: str) -> None:
    if known["body_hash"] != digest:
        raise KeyReusedError(
            f"key {known['request_key']!r} was used for another application",
            "send each application under a key of its own",
        )


@dataclass(frozen=True)
class Held:
    """What is held of a farmer's consents to a decision."""

    given_on: dt.date | None = None
    """The newest one; None where the farmer never applied one by one."""
    expires_on: dt.date | None = None
    withdrawn_on: dt.date | None = None
    """The last withdrawal: it ends every consent given until then."""

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Held:
        """Return what a row with `held_columns` says."""
        return cls(row.consent_newest, row.consent_ends, row.consent_ended)


def held_columns(county: Any, farmer_id: Any) -> tuple[sa.ColumnElement[Any], ...]:
    """Return the columns of a query that say what is held of a farmer's consents.

    Args:
        county: County or a column of it.
        farmer_id: Farmer or a column of it.
    """
    table = APPLICATIONS.c
    here = (table.county == county, table.farmer_id == farmer_id)
    newest = (
        sa.select(table.consent_expires_on)
        .where(*here)
        .order_by(table.consent_given_on.desc(), table.consent_expires_on.desc().nulls_first())
        .limit(1)
    )
    found = (
        ("consent_newest", sa.select(sa.func.max(table.consent_given_on)).where(*here)),
        ("consent_ends", newest),
        ("consent_ended", sa.select(sa.func.max(table.consent_withdrawn_on)).where(*here)),
    )
    return tuple(query.scalar_subquery().label(name) for name, query in found)


def _consent_held(connection: sa.Connection, county: str, farmer_id: str) -> Held:
    return Held.of(connection.execute(sa.select(*held_columns(county, farmer_id))).one())


def refuse_ended(held: Held, elsewhere: dt.date | None) -> None:
    """Refuse a consent that has ended.

    Args:
        held: What the store holds.
        elsewhere: Day of a withdrawal that came otherwise, by the lender's table.

    Raises:
        ConsentError: It was withdrawn on or after its day, here or elsewhere, or ran out.
    """
    withdrawn = max((day for day in (held.withdrawn_on, elsewhere) if day), default=None)
    if withdrawn is not None and (held.given_on is None or held.given_on <= withdrawn):
        raise ConsentError(
            f"the farmer withdrew the consent on {withdrawn}",
            "ask the farmer for a new one, given on a later day",
        )
    if held.expires_on is not None and held.expires_on < dt.datetime.now(tz=dt.UTC).date():
        raise ConsentError(
            f"the farmer's consent ran out on {held.expires_on}", "ask the farmer for a new one"
        )


def refuse_withdrawn_now(
    engine: sa.Engine, row: Mapping[str, Any], elsewhere: dt.date | None = None
) -> None:
    """Refuse to tell of a farmer whose last consent has ended.

    Args:
        engine: Open store.
        row: Of an application or an offer.
        elsewhere: Day of a withdrawal that came otherwise, by the lender's table.

    Raises:
        ConsentError: It has.
    """
    with reading(engine) as connection:
        held = _consent_held(connection, row["county"], row["farmer_id"])
    refuse_ended(held, elsewhere)


def told_consents(engine: sa.Engine, county: str) -> list[Told]:
    """Return the consents to hand over that came with a county's applications."""
    table = APPLICATIONS.c
    query = (
        sa.select(APPLICATIONS)
        .where(table.county == county, table.consent_recipient.is_not(None))
        .order_by(table.received_at, table.application_id)
    )
    with reading(engine) as connection:
        return [
            Told(
                row.farmer_id, DECISION, row.consent_data or "", row.consent_recipient,
                row.consent_given_on, row.consent_expires_on, row.consent_withdrawn_on,
            )
            for row in connection.execute(query)
        ]  # fmt: skip


def waiting(engine: sa.Engine) -> int:
    """Return how many applications are not decided yet."""
    query = sa.select(sa.func.count()).select_from(APPLICATIONS)
    with reading(engine) as connection:
        return int(connection.scalar(query.where(APPLICATIONS.c.status.in_(OPEN))) or 0)


def find(engine: sa.Engine, application_id: str) -> Row | None:
    """Return an application; None where there is none of that id."""
    with reading(engine) as connection:
        found = connection.execute(of_id(application_id)).first()
    return None if found is None else found._asdict()


def of_id(application_id: str) -> sa.Select[Any]:
    """Return the query for an application."""
    return sa.select(APPLICATIONS).where(APPLICATIONS.c.application_id == application_id)


def claim(
    engine: sa.Engine, worker: str, seconds: float, *,
    only: str | None = None, clock: Callable[[], float] = time,
) -> Row | None:  # fmt: skip
    """Take the oldest application that nobody has in work, or whose holder died.

    Args:
        engine: Open store.
        worker: Who takes it.
        seconds: How long it is held; `hold` prolongs it.
        only: Take this one or none.
        clock: Seconds since 1970.
    """
    now = clock()
    table = APPLICATIONS.c
    free = sa.or_(
        table.status == ACCEPTED, sa.and_(table.status == WORKING, table.held_until < now)
    )
    query = sa.select(APPLICATIONS).where(free).order_by(table.received_at).limit(1)
    if only is not None:
        query = query.where(table.application_id == only)
    with reading(engine) as connection:
        if connection.execute(query).first() is None:
            return None
    with posting(engine) as connection:
        found = connection.execute(query).first()
        if found is None:
            return None
        taken = {"status": WORKING, "worker": worker, "held_until": now + seconds,
                 "tries": found.tries + 1}  # fmt: skip
        if found.tries >= MOST_TRIES:
            taken = {"status": REFUSED, "finished_at": now, "worker": None, "held_until": None,
                     "problem": f"the work on it was cut off {found.tries} times: send it again "
                     "under a new key."}  # fmt: skip
        connection.execute(_of(found.application_id).values(**taken))
        return {**found._asdict(), **taken} if found.tries < MOST_TRIES else None


def hold(
    engine: sa.Engine, application_id: str, worker: str, seconds: float, stage: str,
    *, clock: Callable[[], float] = time,
) -> bool:  # fmt: skip
    """Say how far an application has come and go on holding it; False where another has it."""
    with posting(engine) as connection:
        done = connection.execute(
            _of(application_id)
            .where(APPLICATIONS.c.worker == worker, APPLICATIONS.c.status == WORKING)
            .values(stage=stage, held_until=clock() + seconds)
        )
    return bool(done.rowcount)


def finish(
    engine: sa.Engine, application_id: str, *,
    decision_id: str | None = None, offer_id: str | None = None, problem: str | None = None,
    clock: Callable[[], float] = time,
) -> Row:  # fmt: skip
    """Enter the end of an application: its offer, or why there is none. What has ended stays."""
    with posting(engine) as connection:
        connection.execute(
            _of(application_id).where(APPLICATIONS.c.status.in_(OPEN)).values(
                status=REFUSED if problem else DECIDED, finished_at=clock(), worker=None,
                held_until=None, sealed=None, decision_id=decision_id, offer_id=offer_id,
                problem=problem,
            )
        )  # fmt: skip
        found = connection.execute(of_id(application_id)).one()
    return found._asdict()


def withdraw_consent(engine: sa.Engine, application_id: str, on: dt.date) -> Row:
    """Enter that the farmer takes the consent of an application back; the first day counts."""
    with posting(engine) as connection:
        connection.execute(
            _of(application_id)
            .where(APPLICATIONS.c.consent_withdrawn_on.is_(None))
            .values(consent_withdrawn_on=on)
        )
        found = connection.execute(of_id(application_id)).one()
    return found._asdict()


def decided_by_application(connection: sa.Connection, shelf: Mapping[str, str]) -> frozenset[str]:
    """Return the farmers of a shelf who are decided on an application of their own, or just now.

    Whose consent was withdrawn is none of them: a county that does not decide the farmer otherwise
    withdraws the offer.
    """
    here = [APPLICATIONS.c[name] == value for name, value in shelf.items()]
    known = APPLICATIONS.c.status.in_((DECIDED, WORKING))
    stands = APPLICATIONS.c.consent_withdrawn_on.is_(None)
    query = sa.select(APPLICATIONS.c.farmer_id).where(known, stands, *here)
    return frozenset(connection.scalars(query.distinct()))


def _of(application_id: str) -> sa.Update:
    return sa.update(APPLICATIONS).where(APPLICATIONS.c.application_id == application_id)
