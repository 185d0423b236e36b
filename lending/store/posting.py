"""Posting: making the live offers of a county, season and product those of its decisions.

Owns the one transaction that does so: one live row per farmer, product and season; equal terms
write nothing, changed ones supersede the old row and keep it, and what ran out is closed. The words
of reasons are no terms: an offer keeps those in which it was told until its terms change. A posting
that is older than what stands, or would withdraw much of it, is refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import pandas as pd
import sqlalchemy as sa

from fieldline.lending.settings import PolicySettings, PostingSettings
from fieldline.lending.store.applied import decided_by_application
from fieldline.lending.store.audit import append, closed_event, offer_event, run_event
from fieldline.lending.store.closing import close, close_run_out
from fieldline.lending.store.database import (
    DECISIONS,
    EXPIRED,
    LIVE,
    OFFERS,
    RUNS,
    SUPERSEDED,
    WITHDRAWN,
    posting,
)
from fieldline.lending.store.decided import decided
from fieldline.lending.store.documents import enter_documents
from fieldline.lending.store.present import Present
from fieldline.lending.store.reviews import enter_lapses
from fieldline.lending.store.rows import add_rows
from fieldline.lending.store.signer import Signer
from fieldline.pipeline.records.canonical import canonical_document, content_hash, text_hash
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import plain

WORDS = ("reasons", "reasons_zh")
"""Columns in words: kept as they were told, part of no identity."""

BETWEEN = " | "
"""What stands between reasons in one column."""

_INSERT_ROWS = 500

Row = dict[str, Any]


@dataclass(frozen=True)
class Shelf:
    """Where offers stand: the key that, with the farmer, allows one live offer."""

    county: str
    season: str
    product: str


@dataclass(frozen=True)
class Posted:
    """What a posting changed, and what stands after it."""

    written: int
    superseded: int
    withdrawn: int
    live: list[Row]
    """The rows that stand, ordered by farmer: live, or of these very terms and run out since."""
    expired: int = 0
    """Offers of the whole store that ran out and were closed."""
    records: list[Row] = field(default_factory=list)
    """The decisions as posted: settled with live lines elsewhere and people's decisions."""


def offer_row(decision: Mapping[str, Any], shelf: Shelf, policy: PolicySettings) -> Row:
    """Return the offer of one decision; limit and rate are empty unless it is approved."""
    approved = decision["access"] == "approve"
    row = {
        **vars(shelf),
        "farmer_id": decision["farmer_id"],
        "household_id": decision["household_id"],
        "access": decision["access"],
        "currency": decision["currency"],
        "limit_minor": int(decision["limit_minor"]) if approved else None,
        "annual_rate": plain(decision["annual_rate"].normalize()) if approved else None,
        "guarantor": _named(decision.get("guarantor")) if approved else None,
        "covered_minor": _whole(decision.get("covered_minor")) if approved else None,
        "tenor_days": policy.tenor_days,
        "day_basis": policy.day_basis,
        "valid_from": decision["as_of"],
        "valid_to": decision["as_of"] + dt.timedelta(days=policy.offer_valid_days),
        "reason_codes": BETWEEN.join(decision["reason_codes"]),
        "reasons": BETWEEN.join(decision["reasons"]),
        "reasons_zh": BETWEEN.join(decision["reasons_zh"]),
        "decision_id": decision["decision_id"],
    }
    return {"offer_id": text_hash(canonical_document(_terms(row))), **row, "status": LIVE}


def _whole(amount: Any) -> int | None:
    """Return an amount of a table; decisions of an earlier release have none."""
    return None if amount is None or pd.isna(amount) else int(amount)


def _named(name: Any) -> str | None:
    return None if name is None or pd.isna(name) else str(name)


def _terms(row: Row) -> Row:
    """Return what makes an offer this offer: neither words nor position, nor any empty column."""
    outside = (*WORDS, "offer_id", "status")
    return {n: value for n, value in row.items() if n not in outside and value is not None}


def post(
    engine: sa.Engine,
    decisions: pd.DataFrame,
    shelf: Shelf,
    policy: PolicySettings,
    *,
    settings: PostingSettings | None = None,
    confirm: bool = False,
    by: Signer | None = None,
    model: Mapping[str, Any] | None = None,
    crop_card: Mapping[str, Any] | None = None,
    single: bool = False,
) -> Posted:
    """Make the live offers of a county, season and product those of these decisions.

    Args:
        engine: Open database.
        decisions: DECISIONS rows, one per farmer.
        shelf: County, season and product.
        policy: Terms of the product.
        settings: How many offers a posting may withdraw unasked.
        confirm: A person confirmed that many may be withdrawn.
        by: Who signs the audit chain; that of the environment where none is given.
        model: The default model's document, kept in the store so that its answers can be reckoned
            again.
        crop_card: Card of the model that told the crops, kept in the store.
        single: The decisions are those of single farmers who applied: nobody else's offer is
            touched, and what stands of others is not returned.

    Returns:
        The numbers of changes and the rows that stand, ordered by farmer.

    Raises:
        UserError: The store holds decisions of a later day, too many offers would be withdrawn, or
            another model than the one given judged.
    """
    _refuse_other_model(decisions, model)
    with posting(engine) as connection:
        change = _Change.of(connection, decisions, shelf, policy, single=single)
        _refuse_withdrawals(change, settings or PostingSettings(), confirm=confirm)
        of_run: Iterable[Row] = ()
        if change.fresh or change.gone:
            close(connection, change.closed)
            decisions_of = _insert(connection, change.fresh, change.records)
            of_run = _log(connection, change, decisions_of, model, crop_card)
        ended = [closed_event(row["offer_id"], EXPIRED) for row in change.run_out]
        append(connection, chain(ended, of_run, enter_lapses(connection, change.lapsed)), by)
        only = tuple(change.wanted) if single else ()
        done = Posted(
            len(change.fresh), len(change.replaced), len(change.gone), change.dead,
            len(change.run_out), change.records,
        )  # fmt: skip
        del change, of_run  # a county's offers, of which the store is asked next
        standing = [*_rows(connection, shelf, LIVE, only), *done.live]
    return replace(done, live=sorted(standing, key=lambda row: str(row["farmer_id"])))


@dataclass
class _Change:
    """What a posting changes, found under its lock."""

    shelf: Shelf
    records: list[Row]
    """The decisions, settled with what the store knows, ordered by farmer."""
    live: dict[str, Row]
    """Live rows of the shelf by farmer, before it."""
    wanted: dict[str, Row]
    """By farmer the row that shall stand; one of the store where its terms are those wanted."""
    run_out: list[Row]
    """Offers of any shelf that have run out, closed by it."""
    lapsed: Sequence[Row]
    """Acts that withdraw people's decisions which count no longer."""
    by_application: frozenset[str] = frozenset()
    """Farmers who applied one by one: they need not be among those of a county's files."""

    @classmethod
    def of(
        cls,
        connection: sa.Connection,
        decisions: pd.DataFrame,
        shelf: Shelf,
        policy: PolicySettings,
        *,
        single: bool,
    ) -> _Change:
        """Find it.

        Raises:
            UserError: The store holds decisions of a later day.
        """
        records: list[Row] = list(decided(decisions))
        as_of = max((row["as_of"] for row in records), default=None)
        _refuse_older(connection, shelf, as_of)
        run_out = [] if as_of is None else close_run_out(connection, as_of)
        only = tuple(str(row["farmer_id"]) for row in records) if single else ()
        live = {str(row["farmer_id"]): row for row in _rows(connection, shelf, LIVE, only)}
        gone_by = _rows(connection, shelf, EXPIRED, only)
        ended = {row["offer_id"]: row for row in gone_by}
        last = {str(row["farmer_id"]): row for row in gone_by} | live
        present = Present.of(connection, records, vars(shelf), policy, single=single)

        def offer_of(decision: Row) -> Row:
            offer = offer_row(decision, shelf, policy)
            return _standing(offer, live.get(str(decision["farmer_id"])), ended) or offer

        found = present.settle(records, last, offer_of)
        settled = [one.decision for one in found.values()]
        wanted = {farmer: one.offer for farmer, one in found.items()}
        applied = decided_by_application(connection, vars(shelf))
        return cls(shelf, settled, live, wanted, run_out, present.lapsed, applied)

    @property
    def fresh(self) -> list[Row]:
        """Rows to write."""
        return [row for row in self.wanted.values() if "seq" not in row]

    @property
    def gone(self) -> list[Row]:
        """Live rows of farmers who are not decided."""
        decided = self.wanted.keys() | self.by_application
        return [row for farmer, row in self.live.items() if farmer not in decided]

    @property
    def replaced(self) -> list[Row]:
        """Live rows of farmers whose terms are others now."""
        return [
            row
            for farmer, row in self.live.items()
            if farmer in self.wanted and self.wanted[farmer] is not row
        ]

    @property
    def dead(self) -> list[Row]:
        """Rows of the terms wanted that have run out: they are not posted again."""
        return [row for row in self.wanted.values() if row["status"] == EXPIRED]

    @property
    def closed(self) -> list[tuple[Row, str]]:
        """Rows to close, and how."""
        replaced = [(row, SUPERSEDED) for row in self.replaced]
        return replaced + [(row, WITHDRAWN) for row in self.gone]


def _refuse_older(connection: sa.Connection, shelf: Shelf, as_of: dt.date | None) -> None:
    here = [RUNS.c[name] == value for name, value in vars(shelf).items()]
    last = connection.scalar(sa.select(sa.func.max(RUNS.c.as_of)).where(*here))
    if as_of is not None and last is not None and as_of < last:
        raise UserError(
            f"these decisions of county {shelf.county}, season {shelf.season}, are as of {as_of}, "
            f"and the store holds those of {last}",
            "decide again as of that day or later; nothing was posted",
        )


def _refuse_other_model(decisions: pd.DataFrame, model: Mapping[str, Any] | None) -> None:
    """A probability that the stored model cannot reckon again is one that nobody can check."""
    if model is None:
        return
    given = str(model.get("card", {}).get("version"))
    other = decisions[~decisions["pd_model"].isin(["", given])]
    if len(other):
        row = other.iloc[0]
        raise UserError(
            f"the decision of farmer {row['farmer_id']} names the default model {row['pd_model']}, "
            f"and the model of this run is {given}",
            "decide again (`fieldline run --from decide`); nothing was posted",
        )


def _refuse_withdrawals(change: _Change, settings: PostingSettings, *, confirm: bool) -> None:
    gone, live, shelf = len(change.gone), len(change.live), change.shelf
    if confirm or gone < settings.withdraw_least or gone <= settings.withdraw_share * live:
        return
    raise UserError(
        f"posting would withdraw {gone} of {live} live offers of county {shelf.county}, season "
        f"{shelf.season}: only {len(change.records)} farmers were decided",
        "look for what cut the list of farmers, or run again with `--confirm`; nothing was posted",
    )


def _standing(wanted: Row, live: Row | None, ended: Mapping[str, Row]) -> Row | None:
    """Return the row of the store that has the terms wanted: live, however its id was made, or one
    that has run out since; None where there is none."""
    if live is not None and _terms(wanted) == _terms({name: live.get(name) for name in wanted}):
        return live
    return None if live is not None else ended.get(wanted["offer_id"])


def _rows(
    connection: sa.Connection, shelf: Shelf, status: str, farmers: Sequence[str] = ()
) -> list[Row]:
    """Return rows of a shelf, only those of the farmers named where any are."""
    here = [OFFERS.c[name] == value for name, value in vars(shelf).items()]
    if farmers:
        here.append(OFFERS.c.farmer_id.in_(farmers))
    query = sa.select(OFFERS).where(OFFERS.c.status == status, *here).order_by(OFFERS.c.seq)
    return [row._asdict() for row in connection.execute(query)]


def _insert(
    connection: sa.Connection, rows: Sequence[Row], records: Iterable[Row]
) -> dict[str, Row]:
    """Write offers and those of their decisions that the store lacks; return all of those by id."""
    wanted = {row["decision_id"] for row in rows}
    held = stored_decisions(connection, list(wanted))
    new = wanted - held.keys()
    kept = {row["decision_id"]: row for row in records if row["decision_id"] in new}
    add_rows(connection, DECISIONS, map(_as_stored, kept.values()))
    add_rows(connection, OFFERS, rows)
    return held | kept


def _as_stored(decision: Mapping[str, Any]) -> Row:
    """Return the columns of a decision that the store keeps."""
    return {column.name: decision[column.name] for column in DECISIONS.columns}


def _log(
    connection: sa.Connection,
    change: _Change,
    decisions: Mapping[str, Row],
    model: Mapping[str, Any] | None,
    crop_card: Mapping[str, Any] | None,
) -> Iterable[Row]:
    """Record the run; return its entry and those of every change, each made when it is asked for.

    Args:
        connection: Of `posting`.
        change: What is posted.
        decisions: Decisions of the fresh rows by id.
        model: The default model's document.
        crop_card: Card of the model that told the crops.
    """
    standing = change.wanted.values()
    rows = [*standing, *(row for row, _ in change.closed)]
    run = {
        **vars(change.shelf),
        "run_id": content_hash(sorted(row["offer_id"] for row in standing)),
        "farmers": len(standing),
        "approved": sum(row["access"] == "approve" for row in standing),
        "written": len(change.fresh),
        "as_of": max(row["valid_from"] for row in rows),
    }
    connection.execute(sa.insert(RUNS), run)
    return chain(
        [run_event(run, enter_documents(connection, decisions.values(), model, crop_card))],
        (closed_event(row["offer_id"], status) for row, status in change.closed),
        (offer_event(row, _as_stored(decisions[row["decision_id"]])) for row in change.fresh),
    )


def stored_decisions(connection: sa.Connection, ids: Sequence[str]) -> dict[str, Row]:
    """Return the stored rows of decisions by id."""
    found: dict[str, Row] = {}
    for start in range(0, len(ids), _INSERT_ROWS):
        part = ids[start : start + _INSERT_ROWS]
        rows = connection.execute(sa.select(DECISIONS).where(DECISIONS.c.decision_id.in_(part)))
        found.update({row.decision_id: row._asdict() for row in rows})
    return found
