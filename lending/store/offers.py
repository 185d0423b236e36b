"""Offers: what stands after a run, in the database and in two files that equal it.

Owns the posting: one live row per farmer, product and season; equal terms write nothing, changed
ones supersede the old row and keep it. The words of reasons are no terms: an offer keeps those in
which it was told until its terms change. Files are written from the table after the transaction, so
a killed run leaves either the old offers or the new ones.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

from fieldline.lending.settings import PolicySettings
from fieldline.lending.store.audit import append, offer_event
from fieldline.lending.store.database import (
    DECISIONS,
    LIVE,
    OFFERS,
    RUNS,
    SUPERSEDED,
    WITHDRAWN,
    open_database,
    posting,
)
from fieldline.lending.store.places import PLACE_COLUMNS, places_of
from fieldline.pipeline.records.canonical import content_hash
from fieldline.pipeline.records.money import plain, written
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.tables import read_table, write_text

CSV_COLUMNS = (
    "offer_id", "county", "season", "farmer_id", "household_id", "product", "access", "currency",
    "limit", "annual_rate", "tenor_days", "day_basis", "valid_from", "valid_to", "reason_codes",
    "reasons", "reasons_zh", "decision_id", *PLACE_COLUMNS, "absent_inputs",
)  # fmt: skip
"""Terms, words and identity of a live offer; then what is no part of it: where the land lies and
which files the county did not give."""

QUEUE_COLUMNS = (
    "farmer_id", "household_id", "currency", "possible_limit", "annual_rate", "pd", "reason_codes",
    "reasons", "reasons_zh", "outcomes", "decision_id", *PLACE_COLUMNS, "absent_inputs",
)  # fmt: skip

WORDS = ("reasons", "reasons_zh")
"""Columns in words: kept as they were told, part of no identity."""

_MARK = "\ufeff"
"""Byte order mark: without it a spreadsheet reads Chinese as the code page of its machine."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_BETWEEN = " | "
_INSERT_ROWS = 500


@dataclass(frozen=True)
class Shelf:
    """Where offers stand: the key that, with the farmer, allows one live offer."""

    county: str
    season: str
    product: str


@dataclass(frozen=True)
class Posted:
    """What a posting changed, and the live rows after it."""

    written: int
    superseded: int
    withdrawn: int
    live: list[dict[str, Any]]


def offer_row(decision: dict[str, Any], shelf: Shelf, policy: PolicySettings) -> dict[str, Any]:
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
        "tenor_days": policy.tenor_days,
        "day_basis": policy.day_basis,
        "valid_from": decision["as_of"],
        "valid_to": decision["as_of"] + dt.timedelta(days=policy.offer_valid_days),
        "reason_codes": _BETWEEN.join(decision["reason_codes"]),
        "reasons": _BETWEEN.join(decision["reasons"]),
        "reasons_zh": _BETWEEN.join(decision["reasons_zh"]),
        "decision_id": decision["decision_id"],
    }
    return {"offer_id": content_hash(_terms(row)), **row, "status": LIVE}


def _terms(row: dict[str, Any]) -> dict[str, Any]:
    """Return what makes an offer this offer: neither words nor position, nor any empty column."""
    outside = (*WORDS, "offer_id", "status")
    return {n: value for n, value in row.items() if n not in outside and value is not None}


def post(
    engine: sa.Engine, decisions: pd.DataFrame, shelf: Shelf, policy: PolicySettings
) -> Posted:
    """Make the live offers of a county, season and product those of these decisions.

    Args:
        engine: Open database.
        decisions: DECISIONS rows, one per farmer.
        shelf: County, season and product.
        policy: Terms of the product.

    Returns:
        The numbers of changes and the live rows, ordered by farmer.
    """
    records = decisions.sort_values("farmer_id", kind="stable").to_dict("records")
    wanted = {str(r["farmer_id"]): offer_row(r, shelf, policy) for r in records}  # type: ignore[arg-type]
    with posting(engine) as connection:
        live = {row["farmer_id"]: row for row in _live(connection, shelf)}
        standing = {f: _standing(row, live.get(f)) for f, row in wanted.items()}
        fresh = [row for farmer, row in wanted.items() if standing[farmer] is row]
        gone = [row for farmer, row in live.items() if farmer not in wanted]
        replaced = [live[row["farmer_id"]] for row in fresh if row["farmer_id"] in live]
        if fresh or gone:
            _close(connection, replaced, SUPERSEDED)
            _close(connection, gone, WITHDRAWN)
            _insert(connection, fresh, records)
            _log(connection, shelf, fresh, [*replaced, *gone], standing)
        rows = _live(connection, shelf)
    return Posted(len(fresh), len(replaced), len(gone), rows)


def _standing(wanted: dict[str, Any], live: dict[str, Any] | None) -> dict[str, Any]:
    """Return the live offer if it has the terms wanted, however its id was made, or the wanted."""
    if live is not None and _terms(wanted) == _terms({name: live.get(name) for name in wanted}):
        return live
    return wanted


def _live(connection: sa.Connection, shelf: Shelf) -> list[dict[str, Any]]:
    here = [OFFERS.c[name] == value for name, value in vars(shelf).items()]
    query = sa.select(OFFERS).where(OFFERS.c.status == LIVE, *here)
    found = [row._asdict() for row in connection.execute(query)]
    return sorted(found, key=lambda row: str(row["farmer_id"]))


def _close(connection: sa.Connection, rows: Sequence[dict[str, Any]], status: str) -> None:
    if rows:
        change = sa.update(OFFERS).where(OFFERS.c.seq == sa.bindparam("old")).values(status=status)
        connection.execute(change, [{"old": row["seq"]} for row in rows])


def _insert(
    connection: sa.Connection, rows: Sequence[dict[str, Any]], records: Iterable[dict[Any, Any]]
) -> None:
    new = {row["decision_id"] for row in rows}
    for start in range(0, len(rows), _INSERT_ROWS):
        ids = [row["decision_id"] for row in rows[start : start + _INSERT_ROWS]]
        known = sa.select(DECISIONS.c.decision_id).where(DECISIONS.c.decision_id.in_(ids))
        new -= set(connection.scalars(known))
    names = [column.name for column in DECISIONS.columns]
    kept = [{name: r[name] for name in names} for r in records if r["decision_id"] in new]
    if kept:
        connection.execute(sa.insert(DECISIONS), kept)
    if rows:
        connection.execute(sa.insert(OFFERS), list(rows))


def _log(
    connection: sa.Connection,
    shelf: Shelf,
    fresh: Sequence[dict[str, Any]],
    closed: Sequence[dict[str, Any]],
    standing: dict[str, dict[str, Any]],
) -> None:
    """Record the run and append every change to the audit chain."""
    approved = sum(row["access"] == "approve" for row in standing.values())
    run = {
        **vars(shelf),
        "run_id": content_hash(sorted(row["offer_id"] for row in standing.values())),
        "farmers": len(standing),
        "approved": approved,
        "written": len(fresh),
        "as_of": max(row["valid_from"] for row in [*standing.values(), *closed]),
    }
    connection.execute(sa.insert(RUNS), run)
    traces = _traces(connection, [row["decision_id"] for row in fresh])
    append(connection, [
        {"event": "run", **run},
        *({"event": "closed", "offer_id": row["offer_id"]} for row in closed),
        *(offer_event(row, traces[row["decision_id"]]) for row in fresh),
    ])  # fmt: skip


def _traces(connection: sa.Connection, ids: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(ids), _INSERT_ROWS):
        part = ids[start : start + _INSERT_ROWS]
        query = sa.select(DECISIONS.c.decision_id, DECISIONS.c.trace)
        rows = connection.execute(query.where(DECISIONS.c.decision_id.in_(part)))
        found.update({row.decision_id: row.trace for row in rows})
    return found


def csv_text(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as CSV that no spreadsheet runs: a text like `=cmd` gets a leading apostrophe.

    Source: OWASP, CSV injection.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return buffer.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


Beside = Callable[[str], dict[str, str]]
"""Columns that stand beside an offer and are no part of it, by farmer."""


def _nothing(_: str) -> dict[str, str]:
    return {}


def offers_csv(rows: Iterable[dict[str, Any]], beside: Beside = _nothing) -> str:
    """Return live offers as CSV; money as plain decimals."""
    told = (
        {**row, "limit": _money(row["limit_minor"], row["currency"]), **beside(row["farmer_id"])}
        for row in rows
    )
    return csv_text(told, CSV_COLUMNS)


def _money(minor: int | None, currency: str) -> str | None:
    return None if minor is None else written(minor, currency)


def queue_csv(decisions: pd.DataFrame, beside: Beside = _nothing) -> str:
    """Return the decisions that wait for a person, the largest possible limit first."""
    waiting = decisions[decisions["access"] == "review"].copy()
    caps = [f"limit_{cap}_minor" for cap in ("need", "capacity", "policy", "exposure")]
    waiting["possible"] = waiting[caps].min(axis=1)
    waiting = waiting.sort_values(["possible", "farmer_id"], ascending=[False, True], kind="stable")
    rows = waiting.to_dict("records")
    told = ({**_queue_row(row), **beside(row["farmer_id"])} for row in rows)
    return csv_text(told, QUEUE_COLUMNS)


def _queue_row(row: dict[Any, Any]) -> dict[str, Any]:
    rate, pd_ = row["annual_rate"], row["pd"]
    return {
        **{name: row[name] for name in ("farmer_id", "household_id", "currency", "decision_id")},
        "possible_limit": _money(int(row["possible"]), row["currency"]),
        "annual_rate": None if pd.isna(rate) else plain(rate.normalize()),
        "pd": None if pd.isna(pd_) else f"{pd_:.4f}",
        **{
            name: _BETWEEN.join(row[name])
            for name in ("reason_codes", "reasons", "reasons_zh", "outcomes")
        },
    }


def told_absent(absent: Mapping[str, str]) -> str:
    """Write the files that a county lacks with what each absence costs its farmers."""
    return _BETWEEN.join(f"{name}: {costs}" for name, costs in sorted(absent.items()))


def run_offers(
    *,
    decisions: Path,
    parcels: Path,
    evidence: Path,
    absent: Mapping[str, str],
    county: str,
    season: str,
    policy: PolicySettings,
    database: str | Path,
    offers: Path,
    queue: Path,
    outcomes: Path,
) -> Posted:
    """Post the offers of one county and season and write offers.csv and review_queue.csv.

    Args:
        decisions: decisions.parquet.
        parcels: parcels.parquet.
        evidence: evidence.parquet.
        absent: Files that the county does not give, with what each absence costs: all its offers.
        county: County code.
        season: Season name.
        policy: Terms of the product.
        database: SQLite path or database URL.
        offers: offers.csv, one row per farmer, equal to the live rows of table `offers`.
        queue: review_queue.csv.
        outcomes: outcomes/offers.parquet.

    Returns:
        What was written; nothing where the inputs were those of the last posting.
    """
    frame = read_table(decisions)
    engine = open_database(database)
    try:
        posted = post(engine, frame, Shelf(county, season, policy.product), policy)
    finally:
        engine.dispose()
    places, lacking = places_of(parcels, evidence), told_absent(absent)

    def beside(farmer: str) -> dict[str, str]:
        return {**places.get(farmer, {}), "absent_inputs": lacking}

    write_text(offers, _MARK + offers_csv(posted.live, beside))
    write_text(queue, _MARK + queue_csv(frame, beside))
    results = zip(frame["farmer_id"], frame["access"], strict=True)
    write_outcomes(
        [
            Outcome(
                "offers",
                "",
                farmer,
                OK if access == "approve" else "no_offer",
                detail(access=access),
            )
            for farmer, access in results
        ],
        outcomes,
    )
    return posted
